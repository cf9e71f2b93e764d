"""The front page: every claim, every figure, and the facts of the run."""

from collections import Counter
from typing import Any, NamedTuple

import pandas as pd

from rediffuse.files import read_json
from rediffuse.paths import Layout
from rediffuse.pipeline import pages, recipes
from rediffuse.provenance import unpinned
from rediffuse.report.site.paper import full_title, judge, listed
from rediffuse.report.site.render import render
from rediffuse.report.words import Both

VERDICTS = ("held", "not held", "not tested")


class Facts(NamedTuple):
    """What was so when everything was made."""

    data: list[dict[str, Any]]
    """As each set's dataset.json says, with its name in the preset."""
    networks: list[dict[str, Any]]
    """A trained network each: its options as `chosen`, and its record."""
    work: dict[str, tuple[int, float]]
    """A kind of job -> how many, and their seconds."""
    hardware: list[str]
    commits: list[str]
    libraries: dict[str, tuple[str, str]]
    """Name -> (pinned, installed)."""
    warnings: list[str]

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.work.values())


def page(layout: Layout, claims: pd.DataFrame, artifacts: pd.DataFrame, records: dict[str, dict[str, Any]]) -> str:
    title = Both(f"Results of the preset {layout.name}", f"预设 {layout.name} 的结果")
    shown = {paper: listed(layout, paper, artifacts[artifacts["paper"] == paper]) for paper in layout.papers}
    judged = judge(claims)
    return render(
        "front",
        title,
        layout.papers,
        0,
        preset=layout.name,
        titles={paper: full_title(paper) for paper in layout.papers},
        claims=judged,
        verdicts=VERDICTS,
        counts={paper: Counter(row["verdict"] for row in judged if row["paper"] == paper) for paper in layout.papers},
        artifacts=shown,
        chapters=[*pages.chapters(layout)],
        facts=_facts(layout, records),
        weekly=recipes.site(layout).options["weekly"],
    )


def _facts(layout: Layout, records: dict[str, dict[str, Any]]) -> Facts:
    preset, work = layout.preset, dict[str, tuple[int, float]]()
    for record in records.values():
        kind = record["command"].partition(" ")[0]
        n, seconds = work.get(kind, (0, 0.0))
        work[kind] = (n + 1, seconds + record["seconds"])
    pinned = {name: version for record in records.values() for name, version in record["pins"].items()}
    then = {name: version for record in records.values() for name, version in record["libraries"].items()}
    data = [read_json(layout.dataset(name) / "dataset.json", f"rediffuse prepare {name}") | {"called": name} for name in preset.datasets]
    networks = [
        {"name": name, "chosen": options} | records[recipes.train(layout, name).job]
        for name, options in (preset.runs | preset.features).items()
    ]
    return Facts(
        data,
        networks,
        work,
        sorted({record["hardware"] for record in records.values()}),
        list(dict.fromkeys(record["commit"] for record in records.values())),
        {name: (pinned[name], then[name]) for name in sorted(pinned)},
        unpinned(pinned),
    )
