"""Figures of Song et al. 2020: heat maps, curves, and the graphical models. Those of images are in ddim_images.py."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Circle

from rediffuse.figures import style
from rediffuse.figures.ddim_images import fig3, fig5, fig6, fig7, fig11, grid
from rediffuse.papers import tables
from rediffuse.papers.ddim.tables import seconds_a_step
from rediffuse.paths import Layout

HOURS_PUBLISHED = (1000, 20.0)
"""(steps, hours for 50,000 images of 32 x 32 on one 2080 Ti): Song et al. 2020, section 1."""


def table1(layout: Layout) -> None:
    """Table 1 as heat maps: ours, and the published numbers at the same steps."""
    _heat_maps(layout, "table1")


def table1_released(layout: Layout) -> None:
    """The same with the released code's tau."""
    _heat_maps(layout, "table1_released")


def _heat_maps(layout: Layout, artifact: str) -> None:
    table = tables.read(layout.artifact("ddim", f"{artifact}.csv"), f"rediffuse table ddim {artifact}")
    table = table[table["metric"] == "FID"]
    ours = table[table["value"].notna()]
    etas = list(dict.fromkeys(ours["eta"]))
    theirs = table[(table["published_dataset"] == "CIFAR-10") & table["steps"].isin(ours["steps"]) & table["eta"].isin(etas)]
    theirs = theirs[theirs["published"].notna()]
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True)
    first, n = ours.iloc[0], {S: _n(*about) for S, *about in ours[["steps", "n", "seeds"]].drop_duplicates("steps").itertuples(index=False)}
    titles = [
        f"ours: {first['dataset']}, features of {first['features']}, tau {first['tau']}",
        "published: CIFAR-10, Inception",
    ]
    for axes, part, column, title in zip(panels, (ours, theirs), ("value", "published"), titles, strict=True):
        if part.empty:
            axes.set_axis_off()
            axes.set_title("no published number at these steps")
            continue
        grid = part.pivot(index="eta", columns="steps", values=column).reindex(etas)
        text = grid.map(lambda v: f"{v:.3g}")
        heads = [f"{S}\n50,000" for S in grid.columns]
        if column == "value":
            text += part.pivot(index="eta", columns="steps", values="sd").reindex(etas).map(lambda v: f"\n± {v:.2g}")
            heads = [f"{S}\n{n[S]}" for S in grid.columns]
        sns.heatmap(grid, annot=text, fmt="", norm=LogNorm(), cmap="viridis_r", ax=axes, annot_kws={"fontsize": 7}, cbar=False)
        axes.set(title=title, xlabel="steps S, and below them n", ylabel="$\\eta$" if column == "value" else "", xticklabels=heads)
        axes.tick_params(axis="y", rotation=0)
    figure.suptitle("Frechet distance; colours on a logarithmic scale of each panel's own", fontsize=9)
    style.save(figure, layout.artifact("ddim", f"{artifact}.png"))


def _n(n: float, seeds: float) -> str:
    return f"{seeds:.0f} x {n:,.0f}" if seeds > 1 else f"{n:,.0f}"


def table2(layout: Layout) -> None:
    """Table 2: the error of going to x_T and back against the number of steps, ours and the published one."""
    table = tables.read(layout.artifact("ddim", "table2.csv"), "rediffuse table ddim table2")
    errors = table[table["metric"] == "reconstruction error"].sort_values("steps")
    ours, theirs = errors[errors["value"].notna()], errors[errors["published"].notna()]
    first = ours.iloc[0]
    figure, axes = plt.subplots(figsize=(4.2, 3.2))
    axes.errorbar(
        ours["steps"],
        ours["value"],
        ours["sd"],
        fmt="o-",
        color=style.OURS,
        capsize=2,
        label=f"ours: {first['dataset']}, n = {first['n']:.0f}",
    )
    axes.plot(theirs["steps"], theirs["published"], "D", color=style.EXACT, label="published: CIFAR-10")
    S = np.geomspace(ours["steps"].min(), ours["steps"].max(), 20)
    last = ours.iloc[-1]
    axes.plot(S, last["value"] * (last["steps"] / S) ** 2, ":", color=style.FORWARD, label="$1/S^2$")
    axes.set(xscale="log", yscale="log", xlabel="steps S, up and down", ylabel="squared error a dimension, on [0, 1]")
    axes.legend(frameon=False, fontsize=7)
    sns.despine(figure)
    style.save(figure, layout.artifact("ddim", "table2.png"))


def fig1(layout: Layout) -> None:
    """Figure 1: the Markovian diffusion, and an inference model that is none."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 1.6))
    names = ["$x_3$", "$x_2$", "$x_1$", "$x_0$"]
    for axes, title in ((left, "diffusion: q is Markovian"), (right, "non-Markovian q, the same marginals")):
        _chain(axes, names)
        axes.set_title(title, fontsize=8)
    for k in range(3):
        _arrow(left, k + 1, k, style.EXACT, -0.35)
        if k < 2:
            _arrow(right, k, k + 1, style.EXACT, 0.0, straight=True)
            _arrow(right, 3, k + 1, style.EXACT, 0.35 if k else 0.45)
    _arrow(right, 3, 0, style.EXACT, 0.5)
    for axes, text in ((left, "$q(x_t | x_{t-1})$"), (right, "$q(x_{t-1} | x_t, x_0)$")):
        axes.text(1.5, -0.7, text, ha="center", fontsize=8, color=style.EXACT)
    style.save(figure, layout.artifact("ddim", "fig1.png"))


def fig2(layout: Layout) -> None:
    """Figure 2: generation along tau = [1, 3]."""
    figure, axes = plt.subplots(figsize=(3.8, 1.6))
    _chain(axes, ["$x_3$", "$x_2$", "$x_1$", "$x_0$"], skipped=1)
    _arrow(axes, 0, 2, style.OURS, -0.4)
    _arrow(axes, 2, 3, style.OURS, -0.4)
    axes.text(1.5, 0.68, "$p_\\theta$ along $\\tau = [1, 3]$", ha="center", fontsize=8, color=style.OURS)
    style.save(figure, layout.artifact("ddim", "fig2.png"))


def _chain(axes: Axes, names: list[str], skipped: int | None = None) -> None:
    for k, name in enumerate(names):
        edge = style.FAINT if k == skipped else style.FORWARD
        axes.add_patch(Circle((k, 0), 0.25, facecolor=style.FAINT if name == "$x_0$" else "white", edgecolor=edge, zorder=2))
        axes.text(k, 0, name, ha="center", va="center", fontsize=10, color=edge if k == skipped else "black", zorder=3)
    axes.set(xlim=(-0.5, 3.5), ylim=(-0.8, 0.95), aspect="equal")
    axes.axis("off")


def _arrow(axes: Axes, a: int, b: int, colour: str, bend: float, straight: bool = False) -> None:
    """From circle a to circle b, bent upwards or downwards."""
    arrow = {"arrowstyle": "-|>", "color": colour, "shrinkA": 11, "shrinkB": 11}
    arrow |= {} if straight else {"connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", (b, 0), (a, 0), arrowprops=arrow)


def fig4(layout: Layout) -> None:
    """Figure 4: the time to sample against the number of steps, with the line through it."""
    times = tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4")
    figure, axes = plt.subplots(figsize=(4.2, 3.2))
    first = times.iloc[0]
    steps, seconds = times["steps"].to_numpy(float), times["seconds"].to_numpy(float)
    slope, worst = seconds_a_step(times)
    R2 = float(np.corrcoef(steps, seconds)[0, 1] ** 2)
    spread = [seconds - times["seconds_min"].astype(float), times["seconds_max"].astype(float) - seconds]
    axes.errorbar(
        steps,
        seconds * 1e3,
        yerr=np.array(spread) * 1e3,
        fmt="o",
        color=style.OURS,
        capsize=2,
        label=f"ours: run {first['run']}, {first['n']:.0f} images at a time,\nmedian and range of {first['repeats']} repeats",
    )
    told = f"{slope * 1e3:.3g} ms an image and step ({1 / slope:,.0f} a second);\n$R^2$ = {R2:.4f}, none further than {worst:.0%} from it"
    line = np.geomspace(steps.min(), steps.max(), 50)
    axes.plot(
        line,
        slope * line * 1e3,
        "-",
        color=style.FAINT,
        zorder=0,
        label=told,
    )
    S, hours = HOURS_PUBLISHED
    axes.plot(
        [S], [hours * 3600 / 50000 * 1e3], "D", color=style.EXACT, label="published: 32 x 32 images, 2080 Ti\n(about 20 h for 50,000)"
    )
    axes.set(
        xscale="log", yscale="log", xlabel="steps S", ylabel="milliseconds an image", title="Time to sample against the number of steps"
    )
    axes.legend(fontsize=7, frameon=False)
    sns.despine(figure)
    style.save(figure, layout.artifact("ddim", "fig4.png"))


def frontier(layout: Layout) -> None:
    """Quality against seconds, every sampler at one n, with the front of those that none is both better and faster than."""
    table = tables.read(layout.artifact("ddim", "frontier.csv"), "rediffuse measure ddim frontier")
    table = table[table["metric"] == "FID"]
    first = table.iloc[0]
    figure, axes = plt.subplots(figsize=(6.2, 3.6))
    colours = sns.color_palette("colorblind", table["eta"].nunique())
    for colour, (eta, rows) in zip(colours, table.groupby("eta", sort=False), strict=True):
        rows = rows.sort_values("steps")
        label = f"$\\eta$ = {eta}" if str(eta)[0].isdigit() else str(eta)
        axes.errorbar(rows["seconds"] * 1e3, rows["value"], rows["sd"], fmt="o-", markersize=4, linewidth=0.8, color=colour, label=label)
    front = pareto(table)
    axes.plot(front["seconds"] * 1e3, front["value"], color=style.FAINT, linewidth=6, zorder=0, label="Pareto front")
    for S, rows in table.groupby("steps"):
        axes.text(
            rows["seconds"].iloc[0] * 1e3, 0.98, f"S = {S:.0f}", transform=axes.get_xaxis_transform(), fontsize=7, ha="center", va="top"
        )
    axes.set(xscale="log", yscale="log", xlabel="milliseconds an image", ylabel="Frechet distance to the training set")
    title = f"run {first['run']}, features of {first['features']}, n = {first['n']:.0f} each, ± over resamples"
    axes.set_title(title, fontsize=8)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(figure)
    style.save(figure, layout.artifact("ddim", "frontier.png"))


def pareto(table: pd.DataFrame) -> pd.DataFrame:
    """The rows than which no other is as fast and better, by seconds."""
    ordered = table.sort_values(["seconds", "value"])
    return ordered[ordered["value"] < ordered["value"].cummin().shift(fill_value=np.inf)]


FIGURES = {
    "table1": table1,
    "table1_released": table1_released,
    "table2": table2,
    "fig1": fig1,
    "fig2": fig2,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "fig11": fig11,
    "grid": grid,
    "frontier": frontier,
}
