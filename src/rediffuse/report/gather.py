"""`rediffuse report`: what a run of the pipeline found, gathered into a few files that a person or a program can read."""

from importlib import import_module
from typing import Any

import pandas as pd

from rediffuse.files import read_json, write_json, write_text
from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict
from rediffuse.paths import Layout

TITLES = {
    "sohl2015": "Sohl-Dickstein et al. 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    "ddpm": "Ho, Jain, Abbeel 2020, Denoising Diffusion Probabilistic Models",
    "ddim": "Song, Meng, Ermon 2020, Denoising Diffusion Implicit Models",
}
KEYS = ["row", "split", "decoder", "T", "steps", "eta", "tau"]
"""Columns of the tables that tell one number of a run from another."""


def gather(layout: Layout) -> None:
    """Write claims.csv, artifacts.csv, metrics.json, timings.json and summary.md to the results' folder."""
    claims, artifacts = claims_of(layout), artifacts_of(layout)
    timings = timings_of(layout)
    tables.write(layout.results / "claims.csv", claims)
    tables.write(layout.results / "artifacts.csv", artifacts)
    write_json(layout.results / "metrics.json", metrics_of(layout))
    write_json(layout.results / "timings.json", timings)
    write_text(layout.results / "summary.md", summary(layout, claims, artifacts, timings))


def papers(layout: Layout) -> list[str]:
    """The papers that the preset reproduces."""
    return [paper for paper in TITLES if getattr(layout.preset.papers, paper) is not None]


def claims_of(layout: Layout) -> pd.DataFrame:
    """Every claim of every paper of the preset with its verdict. A check that misses its numbers says which: it is not tested."""
    rows = []
    for paper in papers(layout):
        checks = import_module(f"rediffuse.papers.{paper}.claims").CHECKS
        for claim in tables.published(paper, "claims").to_dict("records"):
            check = checks[claim["id"]]
            try:
                verdict = check(layout)
            except MissingError as error:
                verdict = Verdict("", "not tested", f"the preset does not measure it: {error}")
            rows.append({"paper": paper, **claim, **verdict._asdict()})
    return pd.DataFrame(rows)[["paper", "id", "claim", "measured", "verdict", "why", "source"]]


def artifacts_of(layout: Layout) -> pd.DataFrame:
    """Every numbered table and figure of all three papers: made, and where; or not tested, and what it needs."""
    rows = []
    for paper in TITLES:
        for row in tables.published(paper, "artifacts").to_dict("records"):
            options = getattr(layout.preset.papers, paper)
            made = not row["needs"] and options is not None
            files = sorted(path.name for path in layout.artifact(paper, "").glob(f"{row['artifact']}.*")) if made else []
            status = {"status": "made" if made else "not tested", "why": "" if made else row["needs"] or "not in this preset"}
            columns = {"paper": paper, "artifact": row["artifact"], "title": row["title"]}
            made_on = {"made_on": _made_on(layout, paper) if made else "", "files": " ".join(files), "published": row["published"]}
            rows.append(columns | status | made_on)
    return pd.DataFrame(rows)


def metrics_of(layout: Layout) -> dict[str, dict[str, dict[str, float]]]:
    """paper -> table -> "run, keys, metric" -> value, of everything measured but time."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for paper in papers(layout):
        for path in sorted(layout.artifact(paper, "").glob("table*.csv")):
            table = tables.read(path, f"rediffuse table {paper} {path.stem}")
            values: dict[str, float] = {}
            for row in table[table["value"].notna()].to_dict("records"):
                keys = [f"{key}={_plain(row[key])}" for key in KEYS if key in row and row[key] != ""]
                values[", ".join([str(row["run"]), *keys, str(row["metric"])])] = float(f"{row['value']:.6g}")
            metrics.setdefault(paper, {})[path.stem] = values
    return metrics


def timings_of(layout: Layout) -> dict[str, dict[str, Any]]:
    """What was so when each network was trained and each shard drawn: seconds, hardware, commit."""
    paths = {f"train {name}": layout.run(name) / "facts.json" for name in layout.preset.runs | layout.preset.features}
    for name, samples in layout.preset.samples.items():
        paths |= {f"sample {name} {k + 1}/{samples.shards}": path.with_suffix(".json") for k, path in enumerate(layout.shards(name))}
    return {job: read_json(path, "rediffuse train or sample") for job, path in paths.items()}


def summary(layout: Layout, claims: pd.DataFrame, artifacts: pd.DataFrame, timings: dict[str, dict[str, Any]]) -> str:
    """A page of all that was made, which also stands as the README of the recorded snapshot."""
    counts = claims["verdict"].value_counts()
    verdicts = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in ("held", "not held", "not tested"))
    lines = [
        f"# Results of the preset `{layout.name}`",
        "",
        f"Claims: {verdicts}. Every verdict is about the runs below, not about the papers' own.",
        "",
    ]
    for paper in papers(layout):
        lines += [f"## {TITLES[paper]}", "", "| claim | measured here | verdict |", "|---|---|---|"]
        for row in claims[claims["paper"] == paper].to_dict("records"):
            why = f" ({row['why']})" if row["why"] else ""
            lines.append(f"| {row['claim']} ({row['source']}) | {row['measured']} | **{row['verdict']}**{why} |")
        lines.append("")
        for row in artifacts[(artifacts["paper"] == paper) & (artifacts["status"] == "made")].to_dict("records"):
            names = str(row["files"]).split()
            if f"{row['artifact']}.md" in names:
                text = layout.artifact(paper, f"{row['artifact']}.md").read_text(encoding="utf-8")
                lines.append(f"##{text}")
            else:
                lines += [f"### {row['artifact']}, here on {row['made_on']} (the paper's: {row['title']})", ""]
            if f"{row['artifact']}.png" in names:
                lines += [f"![{row['artifact']} of {paper}]({paper}/{row['artifact']}.png)", ""]
    missing = artifacts[artifacts["status"] != "made"]
    lines += ["## Not made", "", f"{len(missing)} of {len(artifacts)} numbered tables and figures; artifacts.csv says what each needs.", ""]
    lines += ["## What ran", "", "| job | seconds | images | hardware | commit |", "|---|---|---|---|---|"]
    for job, fact in timings.items():
        lines.append(f"| {job} | {fact['seconds']:.0f} | {fact.get('images', '')} | {fact['hardware']} | {fact['commit']} |")
    return "\n".join(lines) + "\n"


def _made_on(layout: Layout, paper: str) -> str:
    """The data set on which a paper's tables and figures are made here."""
    papers, samples = layout.preset.papers, layout.preset.samples
    runs = {
        "sohl2015": papers.sohl2015 and papers.sohl2015.fig1.run,
        "ddpm": papers.ddpm and samples[papers.ddpm.fig1.samples].run,
        "ddim": papers.ddim and papers.ddim.fig4.run,
    }
    run = runs[paper]
    return layout.preset.runs[run].dataset if run else ""


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
