"""The weekly reports that there are: their front matter, and what of the pipeline's they name."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from rediffuse import revisions
from rediffuse.config.base import Options, wrong
from rediffuse.errors import UserError
from rediffuse.presets import problem

FOLDER = Path("reports/weekly")
LIBRARY = Path("reports/library.bib")
ZOTERO = Path("reports/zotero.json")
LAST = "last-report"
"""A baseline's name for the commit that brought the report before."""
FORM = "the front matter of a weekly report (docs/weekly.md): lines `key: value` between two lines `---`, the first of the file one of them"


class Front(Options):
    """The front matter of a weekly report."""

    since: date = Field(alias="from")
    """The first day."""
    to: date
    """The last day, by which the file is named."""
    language: Literal["zh", "en"]
    baseline: str | None
    """The git revision since which progress is told, or last-report; empty: the report is the first."""
    revision: str | None = None
    """The git revision up to which progress is told; else what is there now."""
    presets: Annotated[list[str], Field(min_length=1)] = ["laptop"]
    """Those whose runs it is about: `rule all` of others leaves it out."""
    status: Literal["draft"] | None = None
    title: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Front":
        if self.to < self.since:
            raise wrong("to", self.to.isoformat(), f"a day not before from, {self.since}")
        if self.revision and not self.baseline:
            raise wrong("revision", self.revision, "none, where there is no baseline")
        return self


@dataclass(frozen=True)
class Weekly:
    """A weekly report as it was written."""

    path: Path
    front: Front
    lines: dict[str, int]
    """Of the front matter's keys."""
    body: str
    """Its Markdown, below as many empty lines as the front matter has: lines keep their numbers."""

    @property
    def name(self) -> str:
        return self.path.stem

    def at(self, key: str) -> str:
        """Where a key stands, for errors."""
        return f"{self.path}:{self.lines.get(key, 1)}: {key}"


def names() -> list[str]:
    """The reports, by their last day. Raises UserError for a file that is named otherwise."""
    found = sorted(path for path in FOLDER.glob("*.md") if not path.name.startswith("."))  # an editor's lock
    for path in found:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", path.stem):
            raise UserError(f"{path}: found the name {path.stem}; expected the report's last day, YYYY-MM-DD")
    return [path.stem for path in found]


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.md"


def read(path: Path) -> Weekly:
    """A weekly report. Raises UserError, with file and line, if its front matter is malformed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import MappingNode

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: could not be read: {error.strerror}; expected a weekly report") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text; expected a weekly report in Markdown") from None
    first, *rest = text.split("\n")
    end = next((number for number, line in enumerate(rest) if line.rstrip() == "---"), None)
    if first.rstrip() != "---" or end is None:
        raise UserError(f"{path}:1: found {first[:40]!r}{' and no second line ---' * (first.rstrip() == '---')}; expected {FORM}")
    front = "\n".join(rest[:end])
    try:
        yaml = YAML(typ="safe", pure=True)
        raw, node = yaml.load(front), yaml.compose(front)
    except (YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:  # all but the first of values that do not fit their tags
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        said = getattr(error, "problem", None) or error
        line = mark.line + 2 if mark else _unfit(rest[:end])
        raise UserError(f"{path}:{line}: {' '.join(str(said).split())}; expected YAML") from None
    if not isinstance(raw, dict) or not isinstance(node, MappingNode):
        raise UserError(f"{path}:2: found {front[:40]!r}; expected {FORM}")
    lines = {str(key.value): key.start_mark.line + 2 for key, _ in node.value}
    found = _front(path, raw, lines)
    if path.stem != found.to.isoformat():
        raise UserError(
            f"{path}:{lines.get('to', 1)}: to: found {found.to}; expected {path.stem}, the last day, by which the file is named"
        )
    return Weekly(path, found, lines, "\n" * (end + 2) + "\n".join(rest[end + 1 :]))


def _unfit(lines: list[str]) -> int:
    """The first line of the file whose value, like the date 2023-02-30, is none of its kind."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    for number, line in enumerate(lines, 2):
        try:
            YAML(typ="safe", pure=True).load(line)
        except YAMLError:
            continue  # a line of several
        except (ValueError, KeyError, TypeError, RecursionError):
            return number
    return 1


def _front(path: Path, raw: dict[Any, Any], lines: dict[str, int]) -> Front:
    try:
        return Front.model_validate(raw, strict=True)
    except ValidationError as error:
        key, what = problem(error, raw)
        # YAML reads 1234567 and 1e10 as numbers, which short hashes can be.
        hint = " in quotes" * (key in ("baseline", "revision") and not isinstance(raw.get(key), str) and key in raw)
        raise UserError(f"{path}:{lines.get(key.partition('.')[0], 1)}: {key}: {what}{hint}") from None


def mark(weekly: Weekly, key: Literal["baseline", "revision"]) -> str | None:
    """The git revision that a key stands for; None for none: of the first report, and where nothing is under git.

    Whether there is such a revision is another question (`commit`). Raises nothing.
    """
    wanted: str | None = getattr(weekly.front, key)
    if not wanted or not revisions.here():
        return None
    if wanted != LAST:
        return wanted
    before = [name for name in names() if name < weekly.name]
    return revisions.brought(path_of(before[-1])) if before else None


def commit(weekly: Weekly, key: Literal["baseline", "revision"]) -> str | None:
    """The whole hash of the commit that a key names; None for none, as of `mark`.

    Raises UserError, with file and line, if there is no such commit.
    """
    wanted: str | None = getattr(weekly.front, key)
    if not wanted or not revisions.here():
        return None
    if (named := mark(weekly, key)) is None:
        if wanted == LAST and revisions.shallow():
            return None
        before = [path_of(name) for name in names() if name < weekly.name]
        found = f"{before[-1]} is in no commit; expected it committed" if before else "no report is before this one; expected nothing here"
        raise UserError(f"{weekly.at(key)}: found {wanted}, and {found}, or a git revision")
    if (whole := revisions.resolve(named)) is None:
        deeper = " (this clone is a shallow one: git fetch --unshallow)" * revisions.shallow()
        raise UserError(f"{weekly.at(key)}: found {wanted}, which git does not know{deeper}; expected a revision, or {LAST}")
    return whole
