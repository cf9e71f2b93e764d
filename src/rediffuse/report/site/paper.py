"""The page of a paper: every numbered table and figure in the paper's order, and our own after them."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup
from PIL import Image

from rediffuse.errors import UserError
from rediffuse.files import read_bytes
from rediffuse.papers.ledger import split
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.pipeline import pages
from rediffuse.report import moving, pandoc, words
from rediffuse.report.gather import TITLES
from rediffuse.report.site.behind import Behind, behind
from rediffuse.report.site.chapters import assets, fitted, place
from rediffuse.report.site.numbers import Numbers, Plain, numbers
from rediffuse.report.site.render import render
from rediffuse.report.site.source import Sources
from rediffuse.report.words import Both

CODE = re.compile(r"<code>((?:\w+\.)+\w+)</code>")


class Picture(NamedTuple):
    """A figure as drawn, by the names of its files from the site's folder; those that it does not have are empty."""

    src: str
    width: int
    height: int
    alt: Both
    chinese: str
    vector: str
    moving: str


class Artifact(NamedTuple):
    """A numbered table or figure, or one of our own."""

    name: str
    called: Both | None
    title: Both
    ours: bool
    missing: str
    """Why it is not made; empty if it is."""
    made_on: str
    published: str
    picture: Picture | None = None
    table: Markup = Markup()
    numbers: Numbers | Plain | None = None
    behind: Behind | None = None

    @property
    def heading(self) -> Both:
        return self.called or self.title


def page(layout: Layout, paper: str, claims: pd.DataFrame, artifacts: pd.DataFrame, sources: Sources) -> str:
    judged = judge(claims)
    named = [name for name in moving.MOVING.get(paper, {}) if layout.asks(paper, name)]
    pictures = dict(zip(named, moving.of(layout, paper), strict=True))
    return render(
        "paper",
        Both(TITLES[paper], TITLES[paper]),
        layout.papers,
        0,
        moving=pictures,
        **assets([*pictures.values()]),
        paper=paper,
        full_title=full_title(paper),
        claims=judged,
        artifacts=[_full(layout, paper, each, sources) for each in listed(layout, paper, artifacts)],
        chapters=[chapter for name, chapter in pages.chapters(layout) if name == paper],
    )


def full_title(paper: str) -> str:
    """A paper's own title, without authors and year."""
    return re.split(r"(?<=\d{4}), ", TITLES[paper], maxsplit=1)[1]


def judge(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Claims with their sentence in both languages, and the artifacts that they are about."""
    return [
        {
            **{str(key): value for key, value in row.items()},
            "sentence": words.claim(row["paper"], row["id"], row["claim"]),
            "concerns": words.concerns(row["paper"], row["id"]),
        }
        for row in claims.to_dict("records")
    ]


def listed(layout: Layout, paper: str, artifacts: pd.DataFrame) -> list[Artifact]:
    """The rows of artifacts.csv, with their pictures."""
    found = []
    for row in artifacts.to_dict("records"):
        name, ours = row["artifact"], row["title"].startswith("(ours) ")
        called, title = words.called(name), words.title(paper, name, row["title"])
        artifact = Artifact(name, None if ours else called, title, ours, row["why"], row["made_on"], row["published"])
        if row["status"] == "made" and MAKES[paper][name].drawn:
            artifact = artifact._replace(picture=_picture(layout, paper, artifact))
        found.append(artifact)
    return found


def _full(layout: Layout, paper: str, artifact: Artifact, sources: Sources) -> Artifact:
    """With its table, its numbers and what stands behind it, if it is made."""
    if artifact.missing:
        return artifact
    text, data = layout.artifact(paper, f"{artifact.name}.md"), layout.artifact(paper, f"{artifact.name}.csv")
    return artifact._replace(
        table=_table(text, sources) if MAKES[paper][artifact.name].is_table else Markup(),
        numbers=numbers(data) if data.name in MAKES[paper][artifact.name].shown(artifact.name) else None,
        behind=behind(layout, paper, artifact.name, sources),
    )


def _picture(layout: Layout, paper: str, artifact: Artifact) -> Picture:
    drawn = {name.partition(".")[2]: layout.artifact(paper, name) for name in MAKES[paper][artifact.name].pictures}
    named = {suffix: place(layout, path) for suffix, path in drawn.items()}
    on = f", {artifact.made_on}" if artifact.made_on else ""
    alt = Both(*(f"{words.NAMES[paper][k]}, {artifact.called[k] + ': ' if artifact.called else ''}{artifact.title[k]}{on}" for k in (0, 1)))
    width, height = _size(drawn["png"])
    return Picture(named["png"], width, height, alt, named.get("zh.png", ""), named.get("svg", ""), named.get("gif", ""))


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise UserError(f"{path}: not found; expected the figure that `snakemake --cores all` draws") from None
    except OSError as error:
        raise UserError(f"{path}: damaged ({error}); expected a picture") from None


def _table(path: Path, sources: Sources) -> Markup:
    """The table as it was made, with its notes; names of functions are links to them."""
    _, _, text = read_bytes(path, "snakemake --cores all").decode().partition("\n")

    def linked(match: re.Match[str]) -> str:
        module, name = split(match[1])
        to = sources.link(module, name)
        return f'<a href="{to}">{match[0]}</a>' if to else match[0]

    return Markup(CODE.sub(linked, fitted(pandoc.html(text, path, "en"))))
