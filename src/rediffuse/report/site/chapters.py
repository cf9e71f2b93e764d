"""The chapters of a paper: its derivation, and paper / published code / ours. Both languages stand in one page."""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from rediffuse.files import read_bytes
from rediffuse.paths import Layout
from rediffuse.pipeline import pages
from rediffuse.report import directives, moving, pandoc
from rediffuse.report.site.render import TAGS, render
from rediffuse.report.words import NAMES, Both, say

TITLES = {"derivation": "The derivation", "code": "Paper, published code, ours"}
HEADING = re.compile(r'<section id="([^"]+)"[^>]*>\s*<h([23])[^>]*>(.*?)</h\2>', re.DOTALL)


class Text(NamedTuple):
    """A chapter in one language."""

    tag: str
    body: Markup
    contents: list[tuple[str, int, Markup]]
    """(anchor, depth from 2, heading)."""


def page(layout: Layout, paper: str, chapter: str, texts: dict[str, Path]) -> str:
    shown = {language: _text(layout, language, path) for language, path in texts.items()}
    what = say(TITLES[chapter])
    title = Both(f"{NAMES[paper].en}: {what.en}", f"{NAMES[paper].zh}：{what.zh}")
    pictures = moving.of(layout, paper) if chapter == "derivation" else []
    return render("chapter", title, layout.papers, 0, paper=paper, texts=shown, moving=pictures, **assets(pictures))


def assets(pictures: list[moving.Moving]) -> dict[str, Markup]:
    """Style and script of pictures that move, for the pages that have them alone."""
    return {"style": Markup(_text_of(moving.STYLE)), "script": Markup(_text_of(moving.SCRIPT))} if pictures else {}


def _text(layout: Layout, language: str, path: Path) -> Text:
    markdown = read_bytes(path, "git checkout").decode()
    expanded = directives.expand(markdown, path, layout, language, partial(place, layout), absent=True)
    body = fitted(pandoc.html(expanded, path, language))
    if language == "zh":  # two languages in one page: each has anchors of its own
        body = re.sub(r'(\bid="|href="#)', r"\1zh-", body)
    return Text(TAGS[language], Markup(body), [(name, int(depth), Markup(_plain(head))) for name, depth, head in HEADING.findall(body)])


def place(layout: Layout, path: Path) -> str:
    """What a page of the site names a file of the results."""
    here = pages.folder(layout)
    copy = pages.pictures(layout).get(path)
    return (copy or path).relative_to(here).as_posix() if copy or path.is_relative_to(here) else ""


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fitted(html: str) -> str:
    """Tables as wide as they need to be, each in a container that scrolls; pictures are loaded when they are reached."""
    html = re.sub(r"<colgroup>.*?</colgroup>\s*", "", html, flags=re.DOTALL)
    html = re.sub(r'<table style="[^"]*">', "<table>", html)
    html = re.sub(r"<table>.*?</table>", lambda match: f'<div class="scroll">{match[0]}</div>', html, flags=re.DOTALL)
    return html.replace("<img ", '<img loading="lazy" ')


def _plain(heading: str) -> str:
    """A heading without links in it."""
    return re.sub(r"</?a\b[^>]*>", "", heading)
