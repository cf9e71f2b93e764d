"""`rediffuse report`: what a run of the pipeline found, gathered into a few files that a person or a program can read."""

from importlib import import_module
from typing import Any

import pandas as pd

from rediffuse.errors import UserError
from rediffuse.files import read_json, write_json, write_text
from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.pipeline.records import read

TITLES = {
    "sohl2015": "Sohl-Dickstein et al. 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    "ddpm": "Ho, Jain, Abbeel 2020, Denoising Diffusion Probabilistic Models",
    "ddim": "Song, Meng, Ermon 2020, Denoising Diffusion Implicit Models",
}
KEYS = ["row", "target", "objective", "seed", "step", "split", "decoder", "T", "steps", "eta", "tau", "t", "model", "estimate", "toy"]
KEYS += ["rule", "space"]
"""Columns of the tables that tell one number of a run from another."""


def gather(layout: Layout) -> None:
    """Write claims.csv, artifacts.csv, metrics.json, timings.json, provenance.json and summary.md to the results' folder."""
    claims, artifacts, records = claims_of(layout), artifacts_of(layout), records_of(layout)
    timings = timings_of(records)
    tables.write(layout.results / "claims.csv", claims)
    tables.write(layout.results / "artifacts.csv", artifacts)
    write_json(layout.results / "metrics.json", metrics_of(layout))
    write_json(layout.results / "timings.json", timings)
    write_json(layout.results / "provenance.json", records)
    write_text(layout.results / "summary.md", summary(layout, claims, artifacts, timings))


def check_claims(layout: Layout, paper: str) -> None:
    """Write <paper>/claims.csv: every claim with its verdict. A check that misses its numbers says which: it is not tested."""
    checks = import_module(f"rediffuse.papers.{paper}.claims").CHECKS
    rows = []
    for claim in tables.published(paper, "claims").to_dict("records"):
        try:
            verdict = checks[claim["id"]](layout)
        except MissingError as error:
            verdict = Verdict("", "not tested", f"the preset does not measure it: {error}")
        rows.append({"paper": paper, **claim, **verdict._asdict()})
    table = pd.DataFrame(rows)[["paper", "id", "claim", "measured", "verdict", "why", "source"]]
    tables.write(layout.artifact(paper, "claims.csv"), table)


def claims_of(layout: Layout) -> pd.DataFrame:
    """The claims of every paper of the preset, with their verdicts."""
    paths = [layout.artifact(paper, "claims.csv") for paper in layout.papers]
    return pd.concat([tables.read(path, f"rediffuse claims {path.parent.name}") for path in paths], ignore_index=True)


def artifacts_of(layout: Layout) -> pd.DataFrame:
    """Every numbered table and figure of all three papers, and our own beside them: made, and where; or not tested, and what it needs."""
    rows = []
    for paper in TITLES:
        for row in tables.published(paper, "artifacts").to_dict("records"):
            made = not row["needs"] and layout.asks(paper, row["artifact"])
            files = sorted(path.name for path in layout.artifact(paper, "").glob(f"{row['artifact']}.*")) if made else []
            status = {"status": "made" if made else "not tested", "why": "" if made else row["needs"] or "not in this preset"}
            columns = {"paper": paper, "artifact": row["artifact"], "title": row["title"]}
            made_on = {"made_on": _made_on(layout, paper, row["artifact"]) if made else "", "files": " ".join(files)}
            rows.append(columns | status | made_on | {"published": row["published"]})
    return pd.DataFrame(rows)


def metrics_of(layout: Layout) -> dict[str, dict[str, dict[str, float]]]:
    """paper -> table or figure -> "run, keys, metric" -> value, of everything measured but time."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for paper in layout.papers:
        for path in sorted(layout.artifact(paper, "").glob("*.csv")):
            if not layout.asks(paper, path.stem):  # left from before it was taken out of the preset
                continue
            table = tables.read(path, f"rediffuse table {paper} {path.stem}")
            if not {"metric", "value"} <= set(table.columns):
                continue
            values: dict[str, float] = {}
            if "step" in table and table.groupby("run")["step"].nunique().max() <= 1:  # no run is measured as it was on the way
                table = table.drop(columns="step")
            for row in table[table["value"].notna()].to_dict("records"):
                keys = [f"{key}={_plain(row[key])}" for key in KEYS if key in row and row[key] != "" and pd.notna(row[key])]
                run = [str(row["run"])] if "run" in row else []
                values[", ".join([*run, *keys, str(row["metric"])])] = float(f"{row['value']:.6g}")
            metrics.setdefault(paper, {})[path.stem] = values
    return metrics


def timings_of(records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was so when each network was trained or imported and each shard drawn: seconds, hardware, commit."""
    keys = ("parameters", "images", "imported", "seconds", "hardware", "commit")
    kinds = ("train-", "import-", "sample-")
    return {job: {key: record[key] for key in keys if key in record} for job, record in records.items() if job.startswith(kinds)}


def records_of(layout: Layout) -> dict[str, dict[str, Any]]:
    """The records of all jobs before this one, by their names. Raises UserError if one is missing."""
    records = {}
    for recipe in recipes.before_report(layout):
        if (record := read(recipe)) is None:
            raise UserError(f"{recipe.record}: not found; expected the record of a job that is done: {recipe.words}")
        records[recipe.job] = record
    return records


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
    for paper in layout.papers:
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
                where = f", here on {row['made_on']}" if row["made_on"] else ""
                title, ours = str(row["title"]).removeprefix("(ours) "), str(row["title"]).startswith("(ours) ")
                lines += [f"### {title}{where} (not in the paper)" if ours else f"### {row['artifact']}{where} (the paper's: {title})", ""]
            pictures = [name for name in names if name in (f"{row['artifact']}.png", f"{row['artifact']}.gif")]
            for name in sorted(pictures, reverse=True):
                lines += [f"![{row['artifact']} of {paper}]({paper}/{name})", ""]
            lines += [_behind(layout, paper, str(row["artifact"])), ""]
    missing = artifacts[artifacts["status"] != "made"]
    lines += ["## Not made", "", f"{len(missing)} of {len(artifacts)} numbered tables and figures; artifacts.csv says what each needs.", ""]
    lines += ["## What ran", "", "| job | seconds | images | hardware | commit |", "|---|---|---|---|---|"]
    for job, fact in timings.items():
        taken = f" (of {fact['imported']['from']}, sha256 `{fact['imported']['sha256'][:8]}`)" if "imported" in fact else ""
        lines.append(f"| {job}{taken} | {fact['seconds']:.0f} | {fact.get('images', '')} | {fact['hardware']} | {fact['commit']} |")
    return "\n".join(lines) + "\n"


def _behind(layout: Layout, paper: str, artifact: str) -> str:
    """A line on what stands behind a table or figure, with the way to all of it."""
    path = layout.artifact(paper, f"{artifact}.json")
    about = read_json(path, f"rediffuse table or figure {paper} {artifact}")
    data = ", ".join(f"{name} `{content[:8]}`" for name, content in about["data"].items()) or "no data"
    hashes = f"configuration `{about['configuration'][:8]}`, code `{about['code'][:8]}`"
    when = f"commit {', '.join(about['commit'])}; {about['seconds']:.0f} s in {len(about['made_from']) + 1} jobs"
    warnings = "".join(f"; **{warning}**" for warning in about["warnings"])
    return f"<sub>From {data}; {hashes}; {when}{warnings}: [{path.name}]({paper}/{path.name})</sub>"


def _made_on(layout: Layout, paper: str, artifact: str) -> str:
    """The data sets on which a table or figure is made here: those of the runs and samples that its options name."""
    block = getattr(getattr(layout.preset.papers, paper), artifact, None)
    named = [getattr(block, key, None) or [] for key in ("run", "leaves", "runs", "samples", "digits", "also")]
    names = [name for value in named for name in (value if isinstance(value, list) else [value])]
    preset = layout.preset
    runs = [preset.samples[name].run if name in preset.samples else name for name in names]
    return ", ".join(dict.fromkeys(preset.runs[run].dataset for run in runs))


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
