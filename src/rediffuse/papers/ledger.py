"""The equation ledger: every numbered equation of the papers that the code uses, the function that is it, and the tests that hold it."""

import ast
import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rediffuse.errors import UserError
from rediffuse.provenance import PACKAGE

ROOT = PACKAGE.parents[1]
COLUMNS = ["number", "formula", "meaning", "meaning_zh", "function", "test"]
PAPERS = ("sohl2015", "ddpm", "ddim")


@dataclass(frozen=True)
class Equation:
    """A numbered equation of a paper."""

    paper: str
    number: str
    """As the paper prints it."""
    formula: str
    """LaTeX, in the paper's symbols."""
    meaning: str
    meaning_zh: str
    function: str
    """Its dotted path in this package."""
    test: str
    """As pytest names it; several with blanks between them."""

    @property
    def tests(self) -> list[str]:
        return self.test.split()

    @property
    def defined(self) -> tuple[Path, int]:
        """The file and line of its function. Raises UserError if it is gone."""
        module, name = split(self.function)
        path = PACKAGE.joinpath(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return file, self._line(file, name, f"rediffuse.{self.function}")

    @property
    def tested(self) -> list[tuple[Path, int]]:
        """The files and lines of its tests. Raises UserError if one is gone."""
        found = []
        for test in self.tests:
            file, _, name = test.partition("::")
            found.append((ROOT / file, self._line(ROOT / file, name.replace("::", "."), test)))
        return found

    def _line(self, file: Path, name: str, what: str) -> int:
        line = _definitions(file).get(name) if file.is_file() else None
        if line is None:
            raise UserError(f"{_path(self.paper)}: equation {self.number}: found {what}; expected one that exists")
        return line


def read(paper: str) -> list[Equation]:
    """The ledger of a paper. Raises UserError if it is malformed."""
    path = _path(paper)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if reader.fieldnames != COLUMNS:
            raise UserError(f"{path}:1: found the columns {', '.join(reader.fieldnames or [])}; expected {', '.join(COLUMNS)}")
        equations: dict[str, Equation] = {}
        for row in reader:
            if None in row or not all(row.values()):
                filled = sum(bool(value) for value in row.values())
                raise UserError(f"{path}:{reader.line_num}: found {filled} filled cells; expected {len(COLUMNS)}, and none empty")
            if row["number"] in equations:
                raise UserError(f"{path}:{reader.line_num}: found equation {row['number']} twice; expected a row an equation")
            equations[row["number"]] = Equation(paper, **row)
    return list(equations.values())


def find(paper: str, number: str) -> Equation:
    """An equation by its number. Raises UserError for one that the ledger does not have."""
    known = {equation.number: equation for equation in read(paper)}
    if number not in known:
        raise UserError(f"equation {paper} {number}: not in the ledger; expected one of {'; '.join(known)}")
    return known[number]


def passed(path: Path) -> dict[tuple[str, str], bool]:
    """(paper, number) -> whether its tests passed, as `rediffuse equations` wrote it; nothing if it has not."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["paper"], row["number"]): row["passed"] == "True" for row in csv.DictReader(file)}


def split(function: str) -> tuple[str, str]:
    """A dotted path as its module and the name in it, which the first part that is a class begins, or else is the last one."""
    parts = function.split(".")
    first = next((place for place, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return ".".join(parts[:first]), ".".join(parts[first:])


@cache
def _definitions(file: Path) -> dict[str, int]:
    """Every function, class and method of a module, and its line."""
    found: dict[str, int] = {}

    def walk(body: list[ast.stmt], before: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                found[f"{before}{node.name}"] = node.lineno
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{before}{node.name}.")

    walk(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return found


def _path(paper: str) -> Path:
    return PACKAGE / "papers" / paper / "ledger.csv"
