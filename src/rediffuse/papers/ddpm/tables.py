"""Ho et al. 2020: its tables, ours beside theirs."""

import pandas as pd

from rediffuse.config.ddpm import CELL
from rediffuse.papers import tables
from rediffuse.papers.stand_ins import stand_ins
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure ddpm table1"
SIMPLE, BOUND = "Ours (L_simple)", "Ours (L, fixed isotropic Sigma)"
CHANGE = "L less L_simple"


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown: runs of several seeds by mean and deviation, what L changes against L_simple, and below ours the
    published rows of other models."""
    measured = tables.read(layout.measurements("ddpm", "table1"), MADE_BY)
    table = pd.concat([tables.over_seeds(measured), difference(measured)], ignore_index=True)
    numbers = tables.published("ddpm", "published_table1")
    table = tables.beside(table, numbers, ["row", "split"], *stand_ins(layout.preset.datasets, measured, numbers))
    tables.write(layout.artifact("ddpm", "table1.csv"), table)
    layout.write_text("ddpm", "table1.md", _table1(table))


def difference(measured: pd.DataFrame) -> pd.DataFrame:
    """What L changes against L_simple: where both have several seeds the mean over seeds and its standard error, each seed against its
    own; of one run each, the difference with both deviations."""
    rows = []
    both = _last(measured[measured["row"].isin([BOUND, SIMPLE])])
    cells = both[both["run"].str.startswith(CELL)]
    both = cells if len(cells) else both.drop_duplicates(["row", "split", "metric"])
    for _, group in both.groupby(["metric", "split"], sort=False):
        values, sds = (group.pivot_table(index="seed", columns="row", values=column) for column in ("value", "sd"))
        if not {BOUND, SIMPLE} <= set(values.columns):
            continue
        change = (values[BOUND] - values[SIMPLE]).dropna()
        if change.empty:
            continue
        error = change.std(ddof=1) / len(change) ** 0.5 if len(change) > 1 else float((sds**2).sum(axis=1).iloc[0] ** 0.5)
        about = group.iloc[0][["dataset", "split", "clip", "decoder", "features", "metric", "unit", "n"]].to_dict()
        rows.append(about | {"run": "", "row": CHANGE, "seeds": len(change), "value": change.mean(), "sd": error})
    return pd.DataFrame(rows)


def _last(table: pd.DataFrame) -> pd.DataFrame:
    """Without the rows of weights that were kept on the way."""
    steps = pd.to_numeric(table["step"])
    return table[steps == steps.groupby(table["run"]).transform("max")]


def _best(table: pd.DataFrame) -> set[tuple[str, int]]:
    """(run, step) of the lowest distance to the training images, of runs that are measured at several steps."""
    distances = table[(table["metric"] == "FID") & (table["split"] == "train") & (table["run"] != "") & table["value"].notna()]
    best = distances.sort_values("value").drop_duplicates("run")
    several = distances.groupby("run")["step"].nunique() > 1
    return {(row["run"], row["step"]) for row in best.to_dict("records") if several[row["run"]]}


def _table1(table: pd.DataFrame) -> str:
    ours, first = table[table["value"].notna()], table.iloc[0]
    columns = [("IS", ""), ("FID", "train"), ("FID", "test"), ("NLL", "test"), ("NLL", "train"), ("NLL, published less exact", "test")]
    rows = []
    best = _best(table)
    compared = {run for run, _ in best}
    for name, run, step in dict.fromkeys(zip(table["row"], table["run"], table["step"], strict=True)):
        part = table[(table["row"] == name) & (table["run"] == run) & (table["step"] == step)]
        seeds = part["seeds"].max()
        at = f", step {step}{', the best' if (run, step) in best else ''}" if run in compared else ""
        row = [f"{name}{f', {run}' if run else ''}{at}{f' ({seeds:.0f} seeds)' if seeds > 1 else ''}"]
        for metric, split in columns:
            here = part[(part["metric"] == metric) & (part["split"] == split)]
            mine, theirs = here[here["value"].notna()], here[here["published"].notna()]
            own = tables.number(mine["value"].iloc[0], mine["sd"].iloc[0]) if len(mine) else "–"
            row.append(f"{own} / {tables.number(theirs['published'].iloc[0], theirs['published_sd'].iloc[0]) if len(theirs) else '–'}")
        rows.append(row)
    n = {metric: " and ".join(f"{n:.0f}" for n in sorted(ours.loc[ours["metric"] == metric, "n"].unique())) for metric in ("FID", "NLL")}
    notes = [
        f"Each cell: ours on {first['dataset']} / published on CIFAR-10. IS and FID: ours on {tables.features_of(first['features'])}, "
        f"n = {n['FID']} samples a run; theirs by Inception, n = 50,000. NLL: bits/dim of the data's own grey levels, an upper bound, "
        f"n = {n['NLL']} images at most. {tables.against(table)}",
        "± is the deviation between seeds of training where there are several; of a single run it is, for IS, the deviation over 10 "
        "splits, for FID, over bootstrap resamples of the samples, and for NLL the standard error over images. In the row of differences "
        "it is the standard error, each seed against its own.",
        "Runs named table2-... are cells of Table 2: a smaller network on one shorter budget; the others are the longer ones.",
        "NLL follows the published protocol (x0-hat clipped, averaged weights, one noise a term, tanh form of the normal distribution "
        "function), with the sum over t estimated by strata; the last column is what that form adds to the exact function's, by the same "
        "draws.",
    ]
    if best:
        notes.append("Of a run at several steps the best is the one of the lowest FID (train), as published; the last alone has an NLL.")
    names = ["IS", "FID (train)", "FID (test)", "NLL test", "NLL train", "NLL test, tanh less exact"]
    return tables.markdown("DDPM, Table 1", ["", *names], rows, notes)


def table2(layout: Layout) -> None:
    """Table 2 as CSV and Markdown: the mean over each cell's seeds, how many of them were unstable, and every seed by itself."""
    measured = tables.read(layout.measurements("ddpm", "table2"), "rediffuse measure ddpm table2")
    means = []
    for _, group in measured.groupby(["target", "objective", "metric"], sort=False):
        values, unstable = group["value"].dropna(), (group["unstable"] != "").sum()
        sd = values.std(ddof=1) if len(values) > 1 else group["sd"].iloc[0]
        mean = {"seed": "", "seeds": len(values), "unstable": f"{unstable} of {len(group)}" if unstable else "", "sd": sd}
        means.append(group.iloc[0].to_dict() | mean | {"value": values.mean(), "n": group["n"].max()})
    columns = [*measured.columns[: list(measured.columns).index("metric")], "seeds", *tables.MEASURED]
    numbers = tables.published("ddpm", "published_table2")
    beside = stand_ins(layout.preset.datasets, measured, numbers)
    table = tables.beside(pd.DataFrame(means)[columns], numbers, ["target", "objective"], *beside)
    table = pd.concat([table, measured[measured["seed"] != ""]], ignore_index=True)
    tables.write(layout.artifact("ddpm", "table2.csv"), table)
    layout.write_text("ddpm", "table2.md", _table2(table, measured))


def _table2(table: pd.DataFrame, measured: pd.DataFrame) -> str:
    means = table[table["seed"] == ""]
    rows = []
    for (target, objective), cell in means.groupby(["target", "objective"], sort=False):
        row = [str(target), str(objective)]
        for metric in ("IS", "FID"):
            mean = cell[cell["metric"] == metric].iloc[0]
            ours = tables.number(mean["value"], mean["sd"])
            why = set(measured.loc[(measured["target"] == target) & (measured["objective"] == objective), "unstable"]) - {""}
            ours += f" (unstable: {mean['unstable']} seeds, {'; '.join(sorted(why))})" if mean["unstable"] else ""
            theirs = tables.number(mean["published"], mean["published_sd"]) if pd.notna(mean["published"]) else "unstable"
            row.append(ours if target == "noise" else f"{ours} / {theirs}")
        rows.append(row)
    first, seeds = means.iloc[0], measured.loc[measured["seed"] != "", "seed"].nunique()
    notes = [
        f"Each cell: ours on {first['dataset']} / published on CIFAR-10. Ours: the mean over {seeds} seeds of training ± their deviation, "
        f"on {tables.features_of(first['features'])}, n = {measured['n'].max():.0f} samples of each to the training set; network and "
        f"budget are the same for every cell. Theirs: one run, Inception, n = 50,000. {tables.against(table)}",
        "Unstable is a seed whose loss or weights were not finite, or whose samples are no nearer to the data than standard normal noise "
        "(last row, clipped like samples); the paper left such cells blank. Its numbers are shown all the same.",
        "Learned Sigma: exp of the network's second half, as published, so that training begins at a variance of 1 for every t. The fixed "
        "one is beta_t. mu: the network puts out the mean itself, and is not clipped.",
    ]
    return tables.markdown("DDPM, Table 2", ["target", "objective", "IS", "FID"], rows, notes)


def table4(layout: Layout) -> None:
    """Table 4 as CSV and Markdown: rate and distortion by reverse steps, and the parts of the whole code."""
    measured = tables.read(layout.measurements("ddpm", "table4"), "rediffuse measure ddpm table4")
    numbers = tables.published("ddpm", "published_table4")
    table = tables.beside(measured, numbers, ["T", "steps"], *stand_ins(layout.preset.datasets, measured, numbers))
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


def bounds(layout: Layout) -> None:
    """The two papers' bounds side by side, as CSV and Markdown."""
    table = tables.read(layout.measurements("ddpm", "bounds"), "rediffuse measure ddpm bounds")
    tables.write(layout.artifact("ddpm", "bounds.csv"), table)
    rows = [[str(metric), tables.number(value, sd)] for metric, value, sd in table[["metric", "value", "sd"]].itertuples(index=False)]
    first, left = table.iloc[0], rows[-1][1]
    notes = [
        f"Run {first['run']} on {first['dataset']}, T = {first['T']:.0f}, n = {first['n']:.0f} test images, the same draws of x_t "
        "throughout; ± is the standard error over images.",
        "The 2015 paper maximises K, DDPM minimises L: they are one bound. The divergences between t = 2 and T are the same terms, and "
        "K's entropies are what L_T and L_0 come to when p(x_0 | x_1) is the forward kernel. Eq. 14 takes the data's mean square for 1; "
        f"where it is not, `mean square` is the exact difference, and what is left, {left} bits/dim, is the noise of drawing x_1.",
        "Only the decoder differs: the forward kernel gives a density at x_0, DDPM's the mass of a grey level, which is what a code "
        "needs. The first means nothing in bits for data of few levels, and stands here to show where the two part.",
    ]
    title = "K of 2015 and L of DDPM, one bound (not in the papers)"
    layout.write_text("ddpm", "bounds.md", tables.markdown(title, ["", "bits/dim"], rows, notes))


def conventions(layout: Layout) -> None:
    """What the published code's conventions change, as CSV and Markdown."""
    table = tables.read(layout.measurements("ddpm", "conventions"), "rediffuse measure ddpm conventions")
    tables.write(layout.artifact("ddpm", "conventions.csv"), table)

    def cell(row: str, metric: str) -> str:
        here = table[(table["row"] == row) & (table["metric"] == metric)]
        return tables.number(here["value"].iloc[0], here["sd"].iloc[0]) if len(here) else "–"

    metrics = ["NLL", "NLL less as published", "FID"]
    rows = [[row, *(cell(row, metric) for metric in metrics)] for row in table["row"].unique()]
    first, n = table.iloc[0], {metric: table.loc[table["metric"] == metric, "n"].iloc[0] for metric in ("NLL", "FID")}
    notes = [
        f"Run {first['run']} on {first['dataset']}. As published: x0-hat clipped to [-1, 1], {first['variance']} variance, samples rounded "
        "to grey levels. Each other row changes one thing. The variance of the step at t = 1 is beta-tilde at t = 2 in every row.",
        f"NLL: bits/dim, the bound with the exact decoder, n = {n['NLL']:.0f} test images, the same times and noise in every row; ± is the "
        "standard error over images, of differences image by image.",
        f"FID: Frechet distance to the training set on {tables.features_of(first['features'])}, n = {n['FID']:.0f} samples from the same "
        "noise; ± is the deviation over bootstrap resamples.",
    ]
    title = "What the published code's conventions change (not in the paper)"
    layout.write_text("ddpm", "conventions.md", tables.markdown(title, ["", "NLL", "NLL less as published", "FID"], rows, notes))


TABLES = {"table1": table1, "table2": table2, "table4": table4, "bounds": bounds, "conventions": conventions}
