"""Figures of Song et al. 2020: heat maps, curves, and the graphical models. Those of images are in ddim_images.py."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Circle

from rediffuse.figures import style
from rediffuse.figures.ddim_images import fig3, fig5, fig6, fig7, fig11, grid, sampler
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
    figure, panels = plt.subplots(1, 2, figsize=(style.WIDE, 3.9), sharey=True)
    first, n = ours.iloc[0], {S: _n(*about) for S, *about in ours[["steps", "n", "seeds"]].drop_duplicates("steps").itertuples(index=False)}
    titles = [
        f"ours: {first['dataset']}, tau {first['tau']},\nfeatures of {first['features']}",
        "published: CIFAR-10,\nfeatures of Inception",
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
        axes.set(title=title, xlabel="number of steps S, and below it n", ylabel="$\\eta$ or sampler" if column == "value" else "")
        axes.set_xticklabels(heads)
        axes.set_yticklabels([sampler(eta) for eta in etas])
        axes.tick_params(length=0)
        axes.tick_params(axis="y", rotation=0)
    figure.suptitle("Frechet distance (no unit); colours on a logarithmic scale of each panel's own")
    style.note(figure, _deviation(ours["seeds"].max() > 1, ours["seeds"].min() == 1))
    style.save(figure, layout.artifact("ddim", f"{artifact}.png"))


def _deviation(several: bool, one: bool) -> str:
    """What ± is in a sweep of which several seeds were drawn, one, or several of some cells and one of others."""
    if several and one:
        return "±: deviation between seeds of the samples where n names several, else over bootstrap resamples of the n samples"
    return "±: deviation between seeds of the samples" if several else "±: deviation over bootstrap resamples of the n samples"


def _n(n: float, seeds: float) -> str:
    return f"{seeds:.0f} x {n:,.0f}" if seeds > 1 else f"{n:,.0f}"


def table2(layout: Layout) -> None:
    """Table 2: the error of going to x_T and back against the number of steps, ours and the published one."""
    table = tables.read(layout.artifact("ddim", "table2.csv"), "rediffuse table ddim table2")
    errors = table[table["metric"] == "reconstruction error"].sort_values("steps")
    ours, theirs = errors[errors["value"].notna()], errors[errors["published"].notna()]
    first = ours.iloc[0]
    figure, axes = plt.subplots(figsize=(style.NARROW, 3.6))
    axes.errorbar(ours["steps"], ours["value"], ours["sd"], **style.OURS.joined, label=f"ours: {first['dataset']}")
    axes.plot(theirs["steps"], theirs["published"], **style.PUBLISHED.points, label="published: CIFAR-10")
    S = np.geomspace(ours["steps"].min(), ours["steps"].max(), 20)
    last = ours.iloc[-1]
    axes.plot(S, last["value"] * (last["steps"] / S) ** 2, **style.EXACT.curve, label="$1/S^2$, Euler's law")
    axes.set(xscale="log", yscale="log", xlabel="number of steps S, up and down", ylabel="squared error a dimension, pixels on [0, 1]")
    axes.legend()
    style.note(figure, f"Error bars: ± standard error over n = {first['n']:.0f} test images.")
    style.save(figure, layout.artifact("ddim", "table2.png"))


def fig1(layout: Layout) -> None:
    """Figure 1: the Markovian diffusion, and an inference model that is none."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDE, 1.7))
    names = ["$x_3$", "$x_2$", "$x_1$", "$x_0$"]
    for axes, title in ((left, "diffusion: q is Markovian"), (right, "non-Markovian q, the same marginals")):
        _chain(axes, names)
        axes.set_title(title)
    for k in range(3):
        _arrow(left, k + 1, k, style.FORWARD, -0.35)
        if k < 2:
            _arrow(right, k, k + 1, style.FORWARD, 0.0, straight=True)
            _arrow(right, 3, k + 1, style.FORWARD, 0.35 if k else 0.45)
    _arrow(right, 3, 0, style.FORWARD, 0.5)
    for axes, text in ((left, "$q(x_t | x_{t-1})$"), (right, "$q(x_{t-1} | x_t, x_0)$")):
        axes.text(1.5, -0.7, text, ha="center", color=style.FORWARD.color)
    style.save(figure, layout.artifact("ddim", "fig1.png"))


def fig2(layout: Layout) -> None:
    """Figure 2: generation along tau = [1, 3]."""
    figure, axes = plt.subplots(figsize=(style.NARROW, 1.8))
    _chain(axes, ["$x_3$", "$x_2$", "$x_1$", "$x_0$"], skipped=1)
    _arrow(axes, 0, 2, style.OURS, -0.4)
    _arrow(axes, 2, 3, style.OURS, -0.4)
    axes.text(1.5, 0.72, "generation: $p_\\theta$ along $\\tau = [1, 3]$", ha="center", color=style.OURS.color)
    style.save(figure, layout.artifact("ddim", "fig2.png"))


def _chain(axes: Axes, names: list[str], skipped: int | None = None) -> None:
    for k, name in enumerate(names):
        edge = style.FAINT if k == skipped else style.FORWARD.color
        axes.add_patch(Circle((k, 0), 0.25, facecolor=style.FAINT if name == "$x_0$" else "white", edgecolor=edge, zorder=2))
        axes.text(k, 0, name, ha="center", va="center", fontsize=10, color=edge if k == skipped else "black", zorder=3)
    axes.set(xlim=(-0.5, 3.5), ylim=(-0.8, 0.95), aspect="equal")
    axes.axis("off")


def _arrow(axes: Axes, a: int, b: int, ink: style.Ink, bend: float, straight: bool = False) -> None:
    """From circle a to circle b, bent upwards or downwards."""
    arrow = {"arrowstyle": "-|>", "color": ink.color, "shrinkA": 11, "shrinkB": 11}
    arrow |= {} if straight else {"connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", (b, 0), (a, 0), arrowprops=arrow)


def fig4(layout: Layout) -> None:
    """Figure 4: the time to sample against the number of steps, with the line through it."""
    times = tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4")
    figure, axes = plt.subplots(figsize=(style.NARROW, 3.6))
    first = times.iloc[0]
    steps, seconds = times["steps"].to_numpy(float), times["seconds"].to_numpy(float)
    slope, worst = seconds_a_step(times)
    R2 = float(np.corrcoef(steps, seconds)[0, 1] ** 2)
    spread = [seconds - times["seconds_min"].astype(float), times["seconds_max"].astype(float) - seconds]
    axes.errorbar(
        steps,
        seconds * 1e3,
        yerr=np.array(spread) * 1e3,
        **style.OURS.points,
        label=f"ours: run {first['run']}, {first['n']:.0f} images at a time",
    )
    told = f"{slope * 1e3:.3g} ms an image and step ({1 / slope:,.0f} a second);\n$R^2$ = {R2:.4f}, none further than {worst:.0%} from it"
    line = np.geomspace(steps.min(), steps.max(), 50)
    axes.plot(
        line,
        slope * line * 1e3,
        color=style.FAINT,
        zorder=0,
        label=told,
    )
    S, hours = HOURS_PUBLISHED
    axes.plot(
        [S], [hours * 3600 / 50000 * 1e3], **style.PUBLISHED.points, label="published: 32 x 32 images, 2080 Ti\n(about 20 h for 50,000)"
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="number of steps S",
        ylabel="time to sample in milliseconds an image",
    )
    axes.legend()
    style.note(figure, f"Points: median of n = {first['repeats']} repeats; error bars: their range.")
    style.save(figure, layout.artifact("ddim", "fig4.png"))


def frontier(layout: Layout) -> None:
    """Quality against seconds, every sampler at one n, with the front of those that none is both better and faster than."""
    table = tables.read(layout.artifact("ddim", "frontier.csv"), "rediffuse measure ddim frontier")
    table = table[table["metric"] == "FID"]
    first = table.iloc[0]
    figure, axes = plt.subplots(figsize=(style.WIDE, 4.0))
    etas = list(table["eta"].unique())
    ours = [eta for eta in etas if eta[0].isdigit()]
    others = [eta for eta in etas if eta not in ours]
    inks = dict(zip(ours, style.shades(style.OURS, len(ours), "white"), strict=True))
    inks |= zip(others, style.shades(style.BASELINE, len(others), "black"), strict=True)
    front = pareto(table)
    axes.plot(front["seconds"] * 1e3, front["value"], color=style.FAINT, linewidth=7, zorder=0, label="Pareto front")
    for eta, ink in inks.items():
        rows = table[table["eta"] == eta].sort_values("steps")
        axes.errorbar(
            rows["seconds"] * 1e3,
            rows["value"],
            rows["sd"],
            **ink.joined,
            markersize=5.5,
            linewidth=0.8,
            elinewidth=0.5,
            label=sampler(eta),
        )
    for S, rows in table.groupby("steps"):
        axes.text(rows["seconds"].iloc[0] * 1e3, 1.0, f"S = {S:.0f}", transform=axes.get_xaxis_transform(), ha="center", va="bottom")
    axes.set(xscale="log", yscale="log", xlabel="time to sample in milliseconds an image")
    axes.set_ylabel("Frechet distance to the training set (no unit)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    run, features, n = first["run"], first["features"], f"{first['n']:.0f}"
    style.note(figure, f"{run}, features of {features}, n = {n} samples each. Error bars: ± deviation over bootstrap resamples.")
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
