"""A whole page: style, script and both languages in it."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from rediffuse.papers import tables
from rediffuse.report import words
from rediffuse.report.words import Both

TAGS = {"en": "en", "zh": "zh-CN"}


def page(title_en: str, title_zh: str, body_html: str, language: str, depth: int, papers: Sequence[str] = ()) -> str:
    """A page around a body of HTML in one language, "en" or "zh"; its frame is in both.

    depth: how many folders below the site's own it lies. papers: those that have pages of their own.
    """
    body = Markup('<article class="prose" lang="{}">{}</article>').format(TAGS[language], Markup(body_html))
    return render("plain", Both(title_en, title_zh), papers, depth, body=body)


def render(template: str, title: Both, papers: Sequence[str], depth: int, **values: Any) -> str:
    """A page by one of the templates."""
    frame = {"title": title, "papers": papers, "up": "../" * depth, "style": "", "script": "", "inside": ""}
    return environment().get_template(f"{template}.html").render(frame | values)


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("rediffuse.report.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {
        "say": lambda word: both(words.say(word)),
        "word": words.say,
        "names": words.NAMES,
        "css": Markup(_asset("site.css")),
        "js": Markup(_asset("site.js")),
        "early": Markup(_asset("early.js")),
    }
    made.filters |= {"both": both, "number": tables.number, "thousands": "{:,}".format, "duration": duration}
    return made


def both(text: tuple[str, str]) -> Markup:
    """Both languages, of which the page shows one; once if they are the same."""
    en, zh = text
    if en == zh:
        return escape(en)
    return Markup('<span data-lang="en" lang="en">{}</span><span data-lang="zh" lang="zh-CN">{}</span>').format(*text)


def duration(seconds: float) -> Both:
    """In the unit that keeps it short."""
    for size, en, zh in ((3600, "h", "小时"), (60, "min", "分钟")):
        if seconds >= 2 * size:
            return Both(f"{seconds / size:.3g} {en}", f"{seconds / size:.3g} {zh}")
    return Both(f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s", f"{seconds:.2g} 秒" if seconds < 10 else f"{seconds:.0f} 秒")


def _asset(name: str) -> str:
    return files("rediffuse.report.site").joinpath(name).read_text(encoding="utf-8")
