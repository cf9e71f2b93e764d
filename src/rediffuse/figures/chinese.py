"""The figures' words in Chinese: which font has the letters, and where a figure's words are put in another language."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from rediffuse.figures.catalogue import CATALOGUE, FREE, NEUTRAL

FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
)
"""Fonts with simplified Chinese, the best first: of Linux, Windows and macOS."""
MATHS, PLACE = re.compile(r"\$[^$]*\$"), re.compile(r"<(\w+)>")


@contextmanager
def words(figure: Figure) -> Iterator[None]:
    """Inside, a figure that was drawn in English is drawn in Chinese: it is changed for good. English stays where there is no font."""
    if not (found := font()):
        yield
        return
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # A tick's label is written anew at every drawing: it is given to the axis, not to the label.
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if (chinese := [translated(label) or label for label in labels]) != labels:
                axis.set_ticklabels(chinese)
    for text in figure.findobj(Text):
        text.set_text(translated(text.get_text()) or text.get_text())
        text.set_linespacing(1.3)  # Chinese letters fill their line's whole height
    with matplotlib.rc_context({"font.sans-serif": [found, *matplotlib.rcParams["font.sans-serif"]]}):
        yield


def translated(text: str) -> str | None:
    """A figure's English text in Chinese: by the entry of the catalogue that says most of it, else line by line.

    Itself if it has no word but names that Chinese writes alike; None if a word of it is in no entry.
    """
    if neutral(text):
        return text
    for entry, pattern in patterns().items():
        if (match := pattern.fullmatch(text)) and (chinese := filled(CATALOGUE[entry], match.groupdict())):
            return chinese
    lines = [translated(line) for line in text.split("\n")] if "\n" in text else [None]
    return None if None in lines else "\n".join(filter(None, lines))


def filled(chinese: str, values: dict[str, str]) -> str | None:
    """An entry's Chinese with its values in their places; None if one of them is a word, and in no entry."""
    for name, value in values.items():
        if (word := translated(value) or (value if name in FREE else None)) is None:
            return None
        chinese = chinese.replace(f"<{name}>", word)
    return chinese


def neutral(text: str) -> bool:
    """Whether a text has no word but formulas, numbers, symbols of one letter, and names that Chinese writes alike."""
    return all(word in NEUTRAL for word in re.findall(r"[^\W\d_]{2,}", MATHS.sub("", text)))


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    """What each entry of the catalogue matches, its text with anything in the place of <n>; those that say most of a text come first."""
    by_words = sorted(CATALOGUE, key=lambda entry: -len(PLACE.sub("", entry)))
    return {entry: re.compile(PLACE.sub(r"(?P<\1>.+?)", re.escape(entry))) for entry in by_words}


@cache
def font() -> str | None:
    """The best font for Chinese that is installed, or none, which is said once.

    matplotlib remembers which fonts there were when it first ran: those that came later are added to what it knows.
    """
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            with suppress(Exception):  # a file that cannot be read is no font
                manager.addfont(path)
    names = {entry.name for entry in manager.ttflist}
    if found := next((name for name in FONTS if name in names), None):
        return found
    print(f"No font for Chinese is installed ({', '.join(FONTS)}): figures have English words in *.zh.png, too", file=sys.stderr)
    return None
