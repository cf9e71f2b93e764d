"""What weekly reports name of a preset's results: the files that are shown, and whether the preset makes them at all."""

from pathlib import Path

from rediffuse import weeklies
from rediffuse.papers import directives
from rediffuse.papers.directives import Directive
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.weeklies import Weekly


def shown(layout: Layout, written: Weekly) -> list[Path]:
    """The files that a report's directives show. One that the preset does not make is none: to render the report says so, with its line."""
    found = [path for each in directives.of(written.body, written.path) for path in _files(layout, each)]
    return list(dict.fromkeys(found))


def _files(layout: Layout, directive: Directive) -> list[Path]:
    kind, paper, name = directive.kind, directive.paper, directive.name
    if kind == "equation":
        return [layout.results / "equations.csv"]
    if paper not in layout.papers:
        return []
    if kind == "claim":
        return [layout.artifact(paper, "claims.csv")]
    if kind not in ("figure", "table") or name not in MAKES[paper] or not layout.asks(paper, name):
        return []
    makes = MAKES[paper][name]
    files = [file for file in makes.pictures if file.endswith(".png")] if kind == "figure" else [f"{name}.md"] * makes.is_table
    return [layout.artifact(paper, file) for file in files]


def reports(layout: Layout) -> list[Weekly]:
    """The weekly reports that are the preset's. Raises UserError, with file and line, if the front matter of one is malformed."""
    written = [weeklies.read(weeklies.path_of(name)) for name in weeklies.names()]
    return [each for each in written if not left_out(layout, each)]


def left_out(layout: Layout, written: Weekly) -> str:
    """Why a report is none of a preset's: it is of other presets, or names what this one does not make. Empty if it is one."""
    if layout.name not in written.front.presets:
        return f"it is of the presets {', '.join(written.front.presets)}"
    for each in directives.of(written.body, written.path):
        kind, paper, name = each.kind, each.paper, each.name
        if kind == "equation" or (kind != "claim" and name not in MAKES[paper]):
            continue  # of every preset; or of none, which to render the report tells
        if paper not in layout.papers or (kind != "claim" and not layout.asks(paper, name)):
            return f"it names {paper}/{name}, which this preset does not make"
    return ""
