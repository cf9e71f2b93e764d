"""Directives in texts: figures, tables, claims, numbers and equations that the pipeline made, by their names.

    {{figure ddpm/fig5}}  {{figure ddpm/fig5 | a caption}}  {{table ddpm/table1}}  {{claim ddpm/table2-order}}  {{equation ddpm/12}}
    {{metric ddpm/table1 | Ours (L_simple), split=test, NLL}}

All but a metric stand on a line of their own. What follows a metric's bar are parts of its key in metrics.json; one key alone has them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rediffuse.errors import UserError
from rediffuse.papers.makes import MAKES

KINDS = ("figure", "table", "claim", "metric", "equation")
FORM = "{{figure | table | claim | metric | equation PAPER/NAME}}"
DIRECTIVE = re.compile(r"\{\{(\s*\w+\s+[^{}]*)\}\}")
BROKEN = re.compile(rf"\{{\{{\s*({'|'.join(KINDS)})\b")
HIDDEN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)|<!--.*?-->")
"""Code, and comments."""
FENCE = re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})")


@dataclass(frozen=True)
class Directive:
    """One directive of a text."""

    kind: str
    paper: str
    name: str
    words: str
    """What follows the bar."""
    source: Path
    line: int

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}: {self.kind} {self.paper}/{self.name}"


Found = tuple[Directive, re.Match[str]]


def of(text: str, source: Path) -> list[Directive]:
    """The directives of a text, those in code left out. Raises UserError, with file and line, for one that is malformed."""
    return [directive for _, found in lines(text, source) for directive, _ in found]


def lines(text: str, source: Path) -> Iterator[tuple[str, list[Found]]]:
    """Every line of a text, and the directives in it. Raises UserError as `of` does."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip("`~ \t"):
                fence = ""
            yield line, []
        elif mark:
            fence = mark[1]
            yield line, []
        else:
            yield line, _found(line, source, number)


def _found(line: str, source: Path, number: int) -> list[Found]:
    hidden = [match.span() for match in HIDDEN.finditer(line)]
    matches = [match for match in DIRECTIVE.finditer(line) if not any(a <= match.start() < b for a, b in hidden)]
    found = [(_directive(match, source, number), match) for match in matches]
    if broken := BROKEN.search(DIRECTIVE.sub("", HIDDEN.sub("", line))):
        raise UserError(f"{source}:{number}: found {broken[0]} with no end in the line; expected {FORM}")
    for directive, match in found:
        if directive.kind != "metric" and line.strip() != match[0]:
            raise UserError(f"{directive.where}: found in a line with other text; expected a line of its own")
        if directive.words and directive.kind in ("claim", "equation"):
            raise UserError(f"{directive.where}: found {directive.words!r} after it; expected no words")
    return found


def _directive(match: re.Match[str], source: Path, line: int) -> Directive:
    what, _, words = match[1].partition("|")
    kind, _, named = what.strip().partition(" ")
    paper, _, name = named.strip().partition("/")
    if kind not in KINDS or paper not in MAKES or not name:
        raise UserError(f"{source}:{line}: found {match[0]}; expected {FORM}, PAPER one of {', '.join(MAKES)}")
    return Directive(kind, paper, name, words.strip(), source, line)
