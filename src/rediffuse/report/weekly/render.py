"""A weekly report as a page and as a document for word processors: its text, its progress, and what was read beside it."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from html import unescape as html_unescape
from importlib.resources import files
from pathlib import Path

from rediffuse import weeklies
from rediffuse.errors import UserError
from rediffuse.files import read_bytes, write_text
from rediffuse.paths import Layout
from rediffuse.report import directives, pandoc, zotero
from rediffuse.report.site import page
from rediffuse.report.weekly import beside, progress, words
from rediffuse.weeklies import Weekly

SOURCE = re.compile(r"(<img\b[^>]*?\bsrc=)([\"'])(.*?)\2", re.DOTALL)
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".svg": "svg+xml", ".webp": "webp"}
"""Pictures that a page can have inside."""
DEPTH = 1
"""Folders below the site's own."""


def render(layout: Layout, weekly: Weekly, preset: Path) -> None:
    """Write <results>/report/weekly/<date>.html and .docx, the pictures inside. preset: its file.

    Raises UserError, with file and line, for what a report names and is not there; then nothing is written.
    """
    language, export = weekly.front.language, zotero.read(weeklies.ZOTERO)
    here = progress.state_here(layout, preset)
    told = words.section(layout, progress.since(layout, weekly, here), here, language)
    cited = pandoc.cited(weekly.body)
    asides = beside.asides(weekly, cited, export)
    title = weekly.front.title or words.title(weekly, language)
    library = weeklies.LIBRARY if cited else None
    into, pictures = layout.weekly(weekly.name), dict[str, Path]()

    def linked(path: Path) -> str:
        link = os.path.relpath(path, into.parent)
        if path.suffix in (".png", ".svg", ".gif"):
            pictures[link] = path
        return link

    def inside(path: Path) -> str:
        """A picture lies in the document; beside a document that was sent nothing lies that a link could lead to."""
        return path.as_posix() if path.suffix in (".png", ".gif") else ""

    def text(place: Callable[[Path], str], head: str) -> str:
        body = directives.expand(weekly.body, weekly.path, layout, language, place, absent=False)
        return words.whole(weekly, head, body, told, bool(cited), asides)

    html = pandoc.html(text(linked, f"# {beside.escaped(title)}"), weekly.path, language, library)
    html = SOURCE.sub(lambda match: f'{match[1]}"{_inside(weekly, html_unescape(match[3]), pictures)}"', html)
    style = files(__package__).joinpath("weekly.css").read_text(encoding="utf-8")
    titles = {key: weekly.front.title or words.title(weekly, key) for key in ("en", "zh")}
    whole = page(titles["en"], titles["zh"], f"<style>\n{style}</style>\n{html}", language, DEPTH, layout.papers)
    with _dated(weekly):
        pandoc.docx(text(inside, ""), weekly.path, language, into.with_suffix(".docx"), library, title)
    write_text(into.with_suffix(".html"), whole)


def _inside(weekly: Weekly, source: str, pictures: dict[str, Path]) -> str:
    """A picture as a part of the page. Raises UserError, with file and line, for one that is not there, or is not here but in a network."""
    if source.startswith("data:"):
        return source
    path = pictures.get(source, Path(source))
    kind = KINDS.get(path.suffix.lower())
    if kind is None or not path.is_file():
        lines = enumerate(weekly.path.read_text(encoding="utf-8").splitlines(), 1)
        line = next((number for number, text in lines if source in text), 1)
        raise UserError(f"{weekly.path}:{line}: picture {source}: not found; expected a file of the project, {', '.join(KINDS)}")
    return f"data:image/{kind};base64,{base64.b64encode(read_bytes(path, progress.MADE_BY)).decode()}"


@contextmanager
def _dated(weekly: Weekly) -> Iterator[None]:
    """pandoc writes a time into a document: the report's last day, so that the same report has the same bytes."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(int(datetime.combine(weekly.front.to, time(12), UTC).timestamp()))
    try:
        yield
    finally:
        os.environ.pop("SOURCE_DATE_EPOCH")
        if before is not None:
            os.environ["SOURCE_DATE_EPOCH"] = before
