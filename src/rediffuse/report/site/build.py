"""`rediffuse site`: every page from what the pipeline made."""

import io
from pathlib import Path

import pandas as pd

from rediffuse.files import read_bytes, read_json, write_bytes, write_text
from rediffuse.paths import Layout
from rediffuse.pipeline import pages
from rediffuse.provenance import commit
from rediffuse.report.site import chapters, equations, front, paper, source

MADE_BY = "snakemake --cores all"


def build(layout: Layout, preset: Path) -> None:
    """Write the site of a preset. Raises UserError if something that it shows is missing.

    preset: the YAML file, which the site shows.
    """
    made = _pages(layout, preset)
    copies = {copy: read_bytes(picture, MADE_BY) for picture, copy in pages.pictures(layout).items()}
    for name, text in made.items():
        write_text(pages.folder(layout) / name, text)
    for copy, content in copies.items():
        write_bytes(copy, content)
    # A module, a chapter or a picture that is gone leaves nothing behind.
    kept = {pages.folder(layout) / name for name in made} | copies.keys()
    for path in pages.folder(layout).rglob("*"):
        if path.is_file() and path not in kept and path.parent != layout.weekly("").parent:
            path.unlink()


def _pages(layout: Layout, preset: Path) -> dict[str, str]:
    """Every page by its name. All is read before any is written."""
    claims, artifacts = _texts(layout.results / "claims.csv"), _texts(layout.results / "artifacts.csv")
    records = read_json(layout.results / "provenance.json", MADE_BY)
    made = {"index.html": front.page(layout, claims, artifacts, records), "equations.html": equations.page(layout)}
    sources = source.Sources(pages.sources() | {"preset": preset}, commit())
    for name in layout.papers:
        made[f"{name}.html"] = paper.page(layout, name, claims[claims["paper"] == name], artifacts[artifacts["paper"] == name], sources)
    for (name, chapter), texts in pages.chapters(layout).items():
        made[f"{name}-{chapter}.html"] = chapters.page(layout, name, chapter, texts)
    return made | {f"code/{name}.html": text for name, text in source.pages(layout, sources)}


def _texts(path: Path) -> pd.DataFrame:
    """A CSV of texts."""
    return pd.read_csv(io.BytesIO(read_bytes(path, MADE_BY)), dtype=str, keep_default_na=False)
