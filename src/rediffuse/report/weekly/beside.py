"""What was read in a report's week beside its text: the notes and annotations, by the last Zotero export, of the papers that it cites."""

import html
import re

from rediffuse.report.zotero import Annotation, Export, Note, Paper
from rediffuse.weeklies import Weekly

COLOURS = {
    "#ffd400": ("yellow", "黄色"),
    "#ff6666": ("red", "红色"),
    "#5fb236": ("green", "绿色"),
    "#2ea8e5": ("blue", "蓝色"),
    "#a28ae5": ("purple", "紫色"),
    "#e56eee": ("magenta", "洋红"),
    "#f19837": ("orange", "橙色"),
    "#aaaaaa": ("grey", "灰色"),
}
"""The colours that Zotero's reader offers, in words: a swatch alone is nothing to who cannot see it."""
WORDS = {
    "en": {"beside": "Read this week", "page": "p. {}", "note": "note", "image": "(a picture)"},
    "zh": {"beside": "本周阅读批注", "page": "第 {} 页", "note": "笔记", "image": "（图片）"},
}


def asides(weekly: Weekly, cited: list[str], export: Export) -> str:
    """An aside a paper, as Markdown: a quotation for word processors, set beside the text on a page. Empty if nothing was read."""
    found = [_aside(export.papers[key], weekly) for key in cited if key in export.papers and _dated(export.papers[key], weekly)]
    return "\n".join(found)


def _aside(paper: Paper, weekly: Weekly) -> str:
    words = WORDS[weekly.front.language]
    head = f"{words['beside']}: {paper.title}"
    lines = [f"**{escaped(head)}**"]
    for each in _dated(paper, weekly):
        lines.append(_annotation(each, weekly.front.language) if isinstance(each, Annotation) else _note(each, words))
    quoted = "\n>\n".join(f"> {line}" for line in lines)
    return f'<aside class="reading" aria-label="{html.escape(head)}">\n\n{quoted}\n\n</aside>\n'


def _dated(paper: Paper, weekly: Weekly) -> list[Annotation | Note]:
    """Those that were made or changed in the report's days."""
    first, last = weekly.front.since.isoformat(), weekly.front.to.isoformat()
    every: list[Annotation | Note] = [*paper.annotations, *paper.notes]
    return [each for each in every if any(first <= day[:10] <= last for day in (each.added, each.modified))]


def _annotation(each: Annotation, language: str) -> str:
    words, place = WORDS[language], ("en", "zh").index(language)
    name = COLOURS.get(each.color.lower(), (each.color, each.color))[place]
    swatch = f'[]{{.swatch style="background:{each.color}"}} ' if re.fullmatch(r"#[0-9a-fA-F]{6}", each.color) else ""
    where = ", ".join(filter(None, [words["page"].format(escaped(each.page)) if each.page else "", escaped(name)]))
    text = f"“{escaped(each.text)}”" if each.text else words["image"] if each.type in ("image", "ink") else ""
    return " ".join(filter(None, [f"{swatch}{where}:" if where else swatch, text, f"*{escaped(each.comment)}*" if each.comment else ""]))


def _note(each: Note, words: dict[str, str]) -> str:
    return f"{words['note']}: {escaped(plain(each.html))}" + (f" *({escaped(each.source)})*" if each.source else "")


def plain(note: str) -> str:
    """The words of a note, which Zotero keeps as HTML, in one line. What the note names is not fetched."""
    import pypandoc

    return " ".join(pypandoc.convert_text(note, "plain", format="html", extra_args=["--wrap=none", "--sandbox", "--quiet"]).split())


def escaped(text: str) -> str:
    """Words of others, which are no Markdown of ours."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
