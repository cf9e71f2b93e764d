"""What stands behind a table or figure: the hashes, seeds and machines of its record, and where its rule, code and options are shown."""

from typing import Any, NamedTuple

from rediffuse.files import read_json
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.report.site.source import Sources

MADE_BY = "snakemake --cores all"


class Link(NamedTuple):
    """A step, or a block of options, and where it is shown."""

    name: str
    to: str


class Behind(NamedTuple):
    """All of it."""

    file: str
    about: dict[str, Any]
    """The record, as pipeline/records.py writes it."""
    rules: list[Link]
    code: list[Link]
    options: Link
    seeds: list[int]

    @property
    def jobs(self) -> int:
        return len(self.about["made_from"]) + 1


def behind(layout: Layout, paper: str, artifact: str, sources: Sources) -> Behind:
    """Raises UserError if its record is missing."""
    path = layout.artifact(paper, f"{artifact}.json")
    about = read_json(path, MADE_BY)
    measured = layout.measured_for(paper, artifact)
    makes = MAKES[paper][measured]
    steps = {"measure": bool(makes.measured), "table": makes.is_table, "draw": bool(MAKES[paper][artifact].drawn)}
    named = {step: artifact if step == "draw" else measured for step, wanted in steps.items() if wanted}
    modules = {
        "measure": [f"papers.{paper}.{makes.by}"],
        "table": [f"papers.{paper}.tables"],
        "draw": [f"figures.{paper}", f"figures.{paper}_images"],
    }
    return Behind(
        path.name,
        about,
        [Link(f"{paper}_{step}_{name}", sources.link("rules.artifacts", step)) for step, name in named.items()],
        [_function(sources, modules[step], name) for step, name in named.items()],
        _options(sources, f"papers.{paper}", measured),
        sorted({seed for seeds in about["seeds"].values() for seed in seeds}),
    )


def _function(sources: Sources, modules: list[str], name: str) -> Link:
    """The function of a step, which has the artifact's name in one of the modules; or else the first module."""
    for module in modules:
        if (to := sources.link(module, name)).endswith(f"#{name}"):
            return Link(f"{module}.{name}", to)
    return Link(modules[0], sources.link(modules[0], name))


def _options(sources: Sources, block: str, name: str) -> Link:
    """An artifact's block of the preset; the paper's, for one that has no options of its own."""
    own = f"{block}.{name}"
    to = sources.link("preset", own)
    return Link(own, to) if to.endswith(f"#{own}") else Link(block, sources.link("preset", block))
