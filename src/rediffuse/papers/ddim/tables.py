"""Song et al. 2020: its tables, ours beside theirs."""

import math

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.stand_ins import stand_ins
from rediffuse.paths import Layout


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown; CIFAR-10's numbers stand beside ours, CelebA's below."""
    _sweep(layout, "table1", "DDIM, Table 1: Frechet distance by steps S and eta")


def table1_released(layout: Layout) -> None:
    """The same with the tau of the released code: S is its nominal number, `distinct` the steps that are taken."""
    _sweep(layout, "table1_released", "DDIM, Table 1 with the released code's tau")


def _sweep(layout: Layout, artifact: str, title: str) -> None:
    measured = tables.read(layout.measurements("ddim", artifact), f"rediffuse measure ddim {artifact}")
    table = tables.over_seeds(measured, errors=["FID rise"])
    numbers = tables.published("ddim", "published_table1")
    table = tables.beside(table, numbers, ["steps", "eta"], *stand_ins(layout.preset.datasets, measured, numbers))
    tables.write(layout.artifact("ddim", f"{artifact}.csv"), table)
    layout.write_text("ddim", f"{artifact}.md", _markdown(table, title))


def _markdown(table: pd.DataFrame, title: str) -> str:
    table = table[table["metric"] == "FID"]
    ours, first = table[table["value"].notna()], table.iloc[0]
    steps = sorted(table["steps"].unique())
    first_of = ours.drop_duplicates("steps")[["steps", "n", "seeds", "distinct"]]
    about = {S: _head(S, n, seeds, int(distinct)) for S, n, seeds, distinct in first_of.itertuples(index=False)}
    heads = [f"S = {S}{about.get(S, '')}" for S in steps]
    etas = list(dict.fromkeys(table["eta"]))
    theirs, others = first["published_dataset"], sorted({*table["published_dataset"]} - {first["published_dataset"]})
    rows = [[f"eta = {eta}" if eta[0].isdigit() else eta, *[_cell(table, S, eta, theirs) for S in steps]] for eta in etas]
    notes = [
        f"Each cell: ours on {first['dataset']} / published on {theirs} (FID by Inception, n = 50,000). Ours is a Frechet distance on "
        f"{tables.features_of(first['features'])}, between n samples and the training set; ± is the deviation between seeds of the samples "
        f"where there are several, else over bootstrap resamples. {tables.against(table)}",
        f"tau is {first['tau']}. x0-hat is clipped in the row sigma-hat and in no other, as released.",
        "probability-flow: the Euler variable of eq. 15. dpm-solver++: second order, multistep (Lu et al. 2022); both solve the equation "
        "of eta = 0, and the paper has no number for either.",
        f"Of {' and '.join(others)} the published numbers are in the CSV; nothing here stands beside them.",
    ]
    return tables.markdown(title, ["", *heads], rows, notes)


def _head(S: int, n: float, seeds: float, distinct: int) -> str:
    number = f"{seeds:.0f} x {n:.0f}" if seeds > 1 else f"{n:.0f}"
    return f" (n = {number}{f', {distinct} distinct' if distinct != S else ''})"


def _cell(table: pd.DataFrame, S: int, eta: str, theirs: str) -> str:
    """`ours ± sd / published on theirs`, a dash for what there is not."""
    here = table[(table["steps"] == S) & (table["eta"] == eta)]
    mine, published = here[here["value"].notna()], here.loc[here["published_dataset"] == theirs, "published"].dropna()
    ours = tables.number(mine["value"].iloc[0], mine["sd"].iloc[0]) if len(mine) else "–"
    return f"{ours} / {published.iloc[0]:.2f}" if len(published) else ours


def table2(layout: Layout) -> None:
    """Table 2 as CSV and Markdown, and below it the moments of the latents."""
    measured = tables.read(layout.measurements("ddim", "table2"), "rediffuse measure ddim table2")
    numbers = tables.published("ddim", "published_table2")
    table = tables.beside(measured, numbers, ["steps"], *stand_ins(layout.preset.datasets, measured, numbers))
    tables.write(layout.artifact("ddim", "table2.csv"), table)
    errors = table[table["metric"] == "reconstruction error"]
    rows = []
    for S in sorted(errors["steps"].unique()):
        here = errors[errors["steps"] == S]
        mine, theirs = here[here["value"].notna()], here["published"].dropna()
        ours = tables.number(mine["value"].iloc[0], mine["sd"].iloc[0]) if len(mine) else "–"
        rows.append([str(S), ours, f"{theirs.iloc[0]:g}" if len(theirs) else "–"])
    first, latents = measured.iloc[0], measured[measured["metric"].str.startswith("latent")]
    columns = latents[["metric", "value", "sd", "unit"]]
    told = "; ".join(f"{metric} {tables.number(value, sd)} ({unit})" for metric, value, sd, unit in columns.itertuples(index=False))
    slope = error_slope(errors)
    notes = [
        f"Run {first['run']} on {first['dataset']}, n = {first['n']:.0f} test images; ± is the standard error over images. Published: "
        "CIFAR-10. S steps up and S down, tau linear; squared error a dimension, of pixels on [0, 1].",
        f"Between the two largest S the squared error falls as S to the power {slope:.2f}; Euler's method on a smooth equation has -2.",
        f"The latents at the largest S, against those of noise: {told}.",
    ]
    layout.write_text("ddim", "table2.md", tables.markdown("DDIM, Table 2: reconstruction", ["S", "ours", "published"], rows, notes))


def error_slope(errors: pd.DataFrame) -> float:
    """d log error / d log S between the two largest S of ours."""
    last = errors[errors["value"].notna()].sort_values("steps").tail(2)
    (s1, e1), (s2, e2) = zip(last["steps"], last["value"], strict=True)
    return math.log(e2 / e1) / math.log(s2 / s1)


def seconds_a_step(times: pd.DataFrame) -> tuple[float, float]:
    """The line through 0 of Figure 4: seconds an image and step (every S counts alike), and the largest relative distance from it."""
    each = times["seconds"] / times["steps"]
    return float(each.mean()), float((each / each.mean() - 1).abs().max())


TABLES = {"table1": table1, "table1_released": table1_released, "table2": table2}
