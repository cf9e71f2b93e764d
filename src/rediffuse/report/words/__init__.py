"""The report's words in English and Chinese: of its interface, of the papers' claims and of the titles of their tables and figures.

interface.csv is keyed by the English word, claims.csv and titles.csv by the paper's own ids; `en` there is the sentence that was
translated: where the paper's CSV says something else by now, the English stands in both languages (and a test fails).
"""

import csv
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from rediffuse.errors import UserError


class Both(NamedTuple):
    """The same in two languages."""

    en: str
    zh: str


NAMES = {
    "sohl2015": Both("Sohl-Dickstein et al. 2015", "Sohl-Dickstein 等 2015"),
    "ddpm": Both("Ho et al. 2020", "Ho 等 2020"),
    "ddim": Both("Song et al. 2020", "Song 等 2020"),
}


def say(word: str) -> Both:
    """A word of the interface. Raises UserError if the catalogue has none: a template asks for what nobody has translated."""
    try:
        return Both(word, interface()[word])
    except KeyError:
        raise UserError(f"words/interface.csv: {word!r} not found; expected a row for every word of the templates") from None


@cache
def interface() -> dict[str, str]:
    return {row["en"]: row["zh"] for row in _rows("interface")}


@cache
def translated(name: str) -> dict[tuple[str, str], dict[str, str]]:
    """(paper, id) -> row, of `claims` or `titles`."""
    return {(row["paper"], row["id"]): row for row in _rows(name)}


def claim(paper: str, name: str, english: str) -> Both:
    """The sentence of a claim."""
    return _both(translated("claims").get((paper, name)), english)


def concerns(paper: str, name: str) -> list[str]:
    """The tables and figures that a claim is about."""
    row = translated("claims").get((paper, name))
    return row["artifacts"].split() if row else []


def title(paper: str, artifact: str, english: str) -> Both:
    """What a table or figure shows; of our own without the mark that it is ours."""
    return _both(translated("titles").get((paper, artifact)), english.removeprefix("(ours) "))


def called(artifact: str) -> Both | None:
    """As the paper numbers it: table_app1 is Table App.1; None for one of ours, which has no number."""
    match = re.fullmatch(r"(table|fig)_?([a-z]*)(\d+)", artifact)
    if not match:
        return None
    number = f"{match[2].capitalize()}.{match[3]}" if match[2] else match[3]
    kind = Both("Table", "表") if match[1] == "table" else Both("Figure", "图")
    return Both(f"{kind.en} {number}", f"{kind.zh} {number}")


def _both(row: dict[str, str] | None, english: str) -> Both:
    return Both(english, row["zh"] if row and row["en"] == english else english)


def _rows(name: str) -> list[dict[str, str]]:
    text = files("rediffuse.report.words").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
