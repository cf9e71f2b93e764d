"""Of what the site of a preset consists: its pages, and the pictures, chapters and sources that they show."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import named
from rediffuse.provenance import PACKAGE

ROOT = PACKAGE.parents[1]
CHAPTERS = ("derivation", "code")
LANGUAGES = {"en": "", "zh": ".zh-CN"}
"""Language -> what the name of a chapter in it ends with."""
PICTURES = (".png", ".gif", ".svg")


def folder(layout: Layout) -> Path:
    """Where the site lies."""
    return layout.results / "report"


def files(layout: Layout) -> list[Path]:
    """The pages, from the front page on."""
    names = ["index.html", "equations.html"]
    names += [f"{paper}.html" for paper in layout.papers]
    names += [f"{paper}-{chapter}.html" for paper, chapter in chapters(layout)]
    return [folder(layout) / name for name in names]


def beside(layout: Layout) -> list[Path]:
    """What they lead to: sources, and copies of pictures."""
    names = ["code/index.html", *(f"code/{name}.html" for name in [*sources(), "preset"])]
    return [folder(layout) / name for name in names] + [*pictures(layout).values()]


def chapters(layout: Layout) -> dict[tuple[str, str], dict[str, Path]]:
    """(paper, chapter) -> language -> its Markdown, of those that are written."""
    found = {}
    for paper in layout.papers:
        for chapter in CHAPTERS:
            texts = {language: ROOT / "docs/papers" / paper / f"{chapter}{end}.md" for language, end in LANGUAGES.items()}
            if all(path.is_file() for path in texts.values()):
                found[paper, chapter] = {language: _here(path) for language, path in texts.items()}
    return found


def pictures(layout: Layout) -> dict[Path, Path]:
    """A picture among the results -> its copy in the site, which is moved as a whole."""
    drawn = [
        layout.artifact(paper, name) for paper in layout.papers for each in asked(layout, paper) for name in MAKES[paper][each].pictures
    ]
    return {path: folder(layout) / "pictures" / path.parent.name / path.name for path in drawn if path.suffix in PICTURES}


def sources() -> dict[str, Path]:
    """Name of a page below code/ -> the file that it shows: modules, the tests that the ledgers name, and the workflow."""
    modules = {".".join(_module(path)): path for path in sorted(PACKAGE.rglob("*.py")) if path.stat().st_size}
    tests = {f"tests.{path.stem}": path for path in _named_tests()}
    rules = {f"rules.{path.stem}": path for path in sorted((ROOT / "workflow/rules").glob("*.smk"))}
    return modules | tests | {"Snakefile": ROOT / "Snakefile"} | rules


def weekly(layout: Layout) -> list[str]:
    """The dates of the weekly reports that are the preset's, the last first."""
    return sorted((written.name for written in named.reports(layout)), reverse=True)


def looks() -> list[Path]:
    """Templates, style, script and words of the pages."""
    paths = [path for room in ("site", "weekly", "words", "static") for path in (PACKAGE / "report" / room).rglob("*")]
    return [_here(path) for path in sorted(paths) if _is_look(path)]


def _is_look(path: Path) -> bool:
    return path.is_file() and path.suffix in (".html", ".css", ".js", ".csv")


def _named_tests() -> Iterable[Path]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("papers/*/ledger.csv"))]
    named = sorted({name for text in texts for name in re.findall(r"tests/\w+\.py", text)})
    return [ROOT / name for name in named if (ROOT / name).is_file()]


def _module(path: Path) -> list[str]:
    parts = [*path.relative_to(PACKAGE).with_suffix("").parts]
    return (parts[:-1] or [PACKAGE.name]) if parts[-1] == "__init__" else parts


def _here(path: Path) -> Path:
    """From the folder that the pipeline runs in, so that no record names a path of a machine."""
    return Path(os.path.relpath(path))
