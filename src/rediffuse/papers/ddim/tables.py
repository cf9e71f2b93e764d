"""Song et al. 2020: its tables, ours beside theirs."""

import pandas as pd

from rediffuse.papers import tables
from rediffuse.paths import Layout

ETAS = ["0.0", "0.2", "0.5", "1.0", "sigma-hat"]
MADE_BY = "rediffuse measure ddim table1"


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown; CIFAR-10's numbers stand beside ours, CelebA's below."""
    measured = tables.read(layout.measurements("ddim", "table1"), MADE_BY)
    stands_for = dict.fromkeys(measured["dataset"].unique(), "CIFAR-10")
    table = tables.beside(measured, tables.published("ddim", "published_table1"), ["steps", "eta"], stands_for)
    tables.write(layout.artifact("ddim", "table1.csv"), table)
    layout.write_text("ddim", "table1.md", _markdown(table))


def _markdown(table: pd.DataFrame) -> str:
    table = table[table["metric"] == "FID"]
    ours, first = table[table["value"].notna()], table.iloc[0]
    steps = sorted(table["steps"].unique())
    n = ours.groupby("steps")["n"].first()
    heads = [f"S = {S}" + (f" (n = {n[S]:.0f})" if S in n else "") for S in steps]
    rows = [[eta if eta == "sigma-hat" else f"eta = {eta}", *[_cell(table, S, eta) for S in steps]] for eta in ETAS]
    notes = [
        f"Each cell: ours on {first['dataset']} / published on CIFAR-10 (FID by Inception, n = 50,000). Ours is a Frechet distance on the "
        f"features of `{first['features']}`, a small classifier that the pipeline trains, between n samples and the training set; ± is the "
        "standard deviation over bootstrap resamples of the samples. The scales differ: compare orders, not values, and ours within a "
        "column, since the distance is biased upwards where n is small.",
        f"tau is {first['tau']}. x0-hat is clipped in the row sigma-hat and in no other, as released.",
        "CelebA's published numbers are in table1.csv; there is no such data set here.",
    ]
    return tables.markdown("DDIM, Table 1: Frechet distance by steps S and eta", ["", *heads], rows, notes)


def _cell(table: pd.DataFrame, S: int, eta: str) -> str:
    """`ours ± sd / published on CIFAR-10`, a dash for what there is not."""
    here = table[(table["steps"] == S) & (table["eta"] == eta)]
    mine, theirs = here[here["value"].notna()], here.loc[here["published_dataset"] == "CIFAR-10", "published"].dropna()
    ours = tables.number(mine["value"].iloc[0], mine["sd"].iloc[0]) if len(mine) else "–"
    return f"{ours} / {theirs.iloc[0]:.2f}" if len(theirs) else ours


def seconds_a_step(times: pd.DataFrame) -> tuple[float, float]:
    """The line through 0 of Figure 4: seconds an image and step (every S counts alike), and the largest relative distance from it."""
    each = times["seconds"] / times["steps"]
    return float(each.mean()), float((each / each.mean() - 1).abs().max())


TABLES = {"table1": table1}
