"""Ho et al. 2020: its tables, ours beside theirs."""

import pandas as pd

from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure ddpm table1"


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown, with the published rows of other models below ours."""
    measured = tables.read(layout.measurements("ddpm", "table1"), MADE_BY)
    stands_for = dict.fromkeys(measured["dataset"].unique(), "CIFAR-10")
    table = tables.beside(measured, tables.published("ddpm", "published_table1"), ["row", "split"], stands_for)
    tables.write(layout.artifact("ddpm", "table1.csv"), table)
    layout.write_text("ddpm", "table1.md", _markdown(table))


def _markdown(table: pd.DataFrame) -> str:
    ours, first = table[table["value"].notna()], table.iloc[0]
    columns = [("IS", ""), ("FID", "train"), ("FID", "test"), ("NLL", "test"), ("NLL", "train"), ("NLL, exact decoder", "test")]
    rows = []
    for name in table["row"].unique():
        row = [name]
        for metric, split in columns:
            here = table[(table["row"] == name) & (table["metric"] == metric) & (table["split"] == split)]
            mine = here[here["value"].notna()]
            theirs = here[here["published"].notna()]
            own = tables.number(mine["value"].iloc[0], mine["sd"].iloc[0]) if len(mine) else "–"
            row.append(f"{own} / {tables.number(theirs['published'].iloc[0], theirs['published_sd'].iloc[0]) if len(theirs) else '–'}")
        rows.append(row)
    n = {metric: int(ours[ours["metric"] == metric]["n"].max()) for metric in ("FID", "NLL")}
    notes = [
        f"Each cell: ours on {first['dataset']} / published on CIFAR-10. IS and FID: ours on the features of `{first['features']}`, a "
        f"small classifier that the pipeline trains, n = {n['FID']} samples; theirs by Inception, n = 50,000. NLL: bits/dim of the "
        f"data's own grey levels, an upper bound, n = {n['NLL']} images at most. The scales differ: compare orders, not values.",
        "± is, for IS, the deviation over 10 splits; for FID, over bootstrap resamples of the samples; for NLL, the standard error "
        "over images.",
        "NLL follows the published protocol (x0-hat clipped, averaged weights, one noise a term, tanh form of the normal distribution "
        "function), with the sum over t estimated by strata; the last column is the same with the exact function.",
    ]
    names = ["IS", "FID (train)", "FID (test)", "NLL test", "NLL train", "NLL test, exact decoder"]
    return tables.markdown("DDPM, Table 1", ["", *names], rows, notes)


def table4(layout: Layout) -> None:
    """Table 4 as CSV and Markdown: rate and distortion by reverse steps, and the parts of the whole code."""
    measured = tables.read(layout.measurements("ddpm", "table4"), "rediffuse measure ddpm table4")
    stands_for = dict.fromkeys(measured["dataset"].unique(), "CIFAR-10")
    table = tables.beside(measured, tables.published("ddpm", "published_table4"), ["T", "steps"], stands_for)
    tables.write(layout.artifact("ddpm", "table4.csv"), table)
    ours = table[table["value"].notna()]

    def cell(metric: str, T: float, steps: float) -> str:
        here = table[(table["metric"] == metric) & (table["T"] == T) & (table["steps"] == steps)]
        mine, theirs = here["value"].notna(), here["published"].notna()
        own = tables.number(here["value"][mine].iloc[0], here["sd"][mine].iloc[0]) if mine.any() else "–"
        return f"{own} / {tables.number(here['published'][theirs].iloc[0]) if theirs.any() else '–'}"

    keys = sorted({*zip(table["T"], table["steps"], strict=True)}, reverse=True)
    rows = [[f"{S:.0f} of {T:.0f}", cell("rate", T, S), cell("RMSE", T, S)] for T, S in keys]
    first = ours.iloc[0]
    parts = "; ".join(f"{metric}: {cell(metric, first['T'], first['T'])}" for metric in ("L_T", "rate", "distortion L_0", "NLL"))
    notes = [
        f"Each cell: ours on {first['dataset']} (run {first['run']}, n = {first['n']:.0f} test images) / published on CIFAR-10. ± is the "
        "standard error over images. The grey levels and sizes differ: compare the course, not the values.",
        "Rate: what is received when x_t is, L_T + L_{T-1} + ... + L_t, with t = T + 1 - the reverse steps. Distortion: the root mean "
        "squared error of x0-hat (clipped) at that x_t on a scale of 0 to 255, averaged over images after the root.",
        f"The whole code in bits/dim, ours / published: {parts}.",
    ]
    heads = ["reverse steps", "rate in bits/dim", "RMSE"]
    layout.write_text("ddpm", "table4.md", tables.markdown("DDPM, Table 4: progressive coding", heads, rows, notes))


TABLES = {"table1": table1, "table4": table4}
