"""Pages of source: the package's modules, tests, the workflow and the preset, with an anchor for everything that other pages point at."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, YamlLexer

from rediffuse.files import read_bytes
from rediffuse.paths import Layout
from rediffuse.provenance import PACKAGE
from rediffuse.report.site.render import render
from rediffuse.report.words import Both, say

ROOT = PACKAGE.parents[1]
UNCOLOURED = re.compile(r'<span class="(?:n|nn|nv|o|p|p-Indicator|w|na|ne|py|kt)">([^<]*)</span>')
"""What Pygments marks and site.css leaves as it is: half of a page."""


class Anchor(NamedTuple):
    """Something in a file that can be pointed at."""

    name: str
    line: int
    about: str
    """The first line of its docstring."""


@dataclass(frozen=True)
class Sources:
    """The files that the site shows, by the names of their pages."""

    files: dict[str, Path]
    commit: str
    """At which they are as shown."""

    @cached_property
    def texts(self) -> dict[str, str]:
        return {name: read_bytes(path, "git checkout").decode() for name, path in self.files.items()}

    @cached_property
    def anchors(self) -> dict[str, list[Anchor]]:
        return {name: list(_anchors(self.files[name], text)) for name, text in self.texts.items()}

    def link(self, name: str, anchor: str) -> str:
        """Where something in a file is shown, from the site's folder; the file's top if it has no such thing; "" for no such file."""
        if name not in self.files:
            return ""
        there = any(each.name == anchor for each in self.anchors[name])
        return f"code/{name}.html" + (f"#{anchor}" if there else "")

    def shown(self, name: str) -> str:
        """As a reader knows the file: by its path in the repository, or its name alone for a preset of one's own."""
        path = self.files[name].resolve()
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def pages(layout: Layout, sources: Sources) -> Iterator[tuple[str, str]]:
    """(name, page) of every file, and of the list of them."""
    rooms: dict[str, list[tuple[str, str]]] = {}
    for name in sources.files:
        shown = sources.shown(name)
        rooms.setdefault(str(Path(shown).parent), []).append((name, shown))
        lines = _lines(sources.files[name], sources.texts[name], sources.anchors[name])
        title = Both(shown, shown)
        yield name, render("source", title, layout.papers, 1, lines=lines, anchors=sources.anchors[name], commit=sources.commit)
    yield "index", render("sources", say("Source"), layout.papers, 1, rooms=rooms, commit=sources.commit)


def _lines(path: Path, text: str, anchors: list[Anchor]) -> Markup:
    """Highlighted, a numbered line each, anchors before theirs."""
    lexer = YamlLexer() if path.suffix in (".yaml", ".yml") else PythonLexer()
    at: dict[int, str] = {}
    for anchor in anchors:
        at[anchor.line] = at.get(anchor.line, "") + Markup('<a id="{}"></a>').format(anchor.name)
    # Pygments closes its spans at the end of every line.
    lines = UNCOLOURED.sub(r"\1", highlight(text, lexer, HtmlFormatter(nowrap=True))).rstrip("\n").split("\n")
    return Markup("\n".join(f'<span class="line" id="L{n}">{at.get(n, "")}{line}</span>' for n, line in enumerate(lines, 1)))


def _anchors(path: Path, text: str) -> Iterator[Anchor]:
    if path.suffix == ".py":
        yield from _definitions(ast.parse(text).body, "")
    elif path.suffix in (".yaml", ".yml"):
        yield from _keys(text)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            # Rules made in a loop are named by what they do: f"{paper}_measure_{artifact}".
            if match := re.match(r'(?:use rule \w+ as|rule|onstart|onsuccess) (\w+)|def (\w+)|\s+f"\{paper\}_(\w+)_\{artifact\}"', line):
                yield Anchor(next(filter(None, match.groups())), number, "")


def _definitions(body: list[ast.stmt], before: str) -> Iterator[Anchor]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Anchor(before + node.name, first, (ast.get_docstring(node) or "").partition("\n")[0])
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node.body, f"{before}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            yield from (Anchor(before + name, node.lineno, "") for name in names if name.isupper())


def _keys(text: str) -> Iterator[Anchor]:
    """The keys of a preset by their dotted paths, three deep: papers.ddim.fig3."""
    from ruamel.yaml import YAML

    def walk(block: object, before: str, deep: int) -> Iterator[Anchor]:
        for key, value in block.items() if isinstance(block, dict) and deep else ():
            if key in block.lc.data:  # type: ignore[attr-defined]  # what an anchor of YAML's brings stands elsewhere
                yield Anchor(f"{before}{key}", block.lc.key(key)[0] + 1, "")  # type: ignore[attr-defined]
                yield from walk(value, f"{before}{key}.", deep - 1)

    yield from walk(YAML().load(text), "", 3)
