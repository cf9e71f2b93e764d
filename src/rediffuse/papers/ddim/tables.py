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
    ours, first = table[table["value"].notna()], table.iloc[0]
    steps = sorted(table["steps"].unique())
    rows = []
    for eta in ETAS:
        row = [f"eta = {eta}" if eta != "sigma-hat" else eta]
        for S in steps:
            here = table[(table["steps"] == S) & (table["eta"] == eta)]
            mine, theirs = here["value"].dropna(), here[here["published_dataset"] == "CIFAR-10"]["published"].dropna()
            sd = here.loc[mine.index, "sd"]
            row.append(
                f"{tables.number(mine.iloc[0], sd.iloc[0]) if len(mine) else '–'} | {theirs.iloc[0]:.2f}".replace(" | ", " / ")
                if len(theirs)
                else "–"
            )
        rows.append(row)
    notes = [
        f"Each cell: ours on {first['dataset']} / published on CIFAR-10. Ours is a Frechet distance on the features of `{first['features']}`, "
        f"a small classifier that the pipeline trains, between n = {int(ours['n'].iloc[0])} samples and the training set (± a standard deviation "
        f"over bootstrap resamples of the samples); theirs is FID by Inception at n = 50,000. The scales differ: compare orders, not values.",
        f"tau is {first['tau']}. x0-hat is clipped in the row sigma-hat and in no other, as released.",
        "CelebA's published numbers are in table1.csv; there is no such data set here.",
    ]
    return tables.markdown("DDIM, Table 1: Frechet distance by steps S and eta", ["", *[f"S = {S}" for S in steps]], rows, notes)


TABLES = {"table1": table1}
