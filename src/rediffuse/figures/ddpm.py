"""Figures of Ho et al. 2020: curves, and the graphical model. Those of images are in ddpm_images.py."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from rediffuse.figures import style
from rediffuse.figures.ddpm_images import fig1, fig6, fig7, fig8, fig9, fig13, fig14, fig15
from rediffuse.files import read_arrays
from rediffuse.papers import tables
from rediffuse.paths import Layout

CODED = "rediffuse measure ddpm table4"
REVERSE, DISTORTION, RATE = "reverse steps (T - t + 1)", "distortion: RMSE in levels of 0..255", "rate in bits/dim"


def table2(layout: Layout) -> None:
    """Table 2: the distance of every seed of every cell, the published ones, noise's; and samples of each cell's first seed."""
    table = tables.read(layout.artifact("ddpm", "table2.csv"), "rediffuse table ddpm table2")
    shown = read_arrays(layout.artifact("ddpm", "table2.npz"), "rediffuse measure ddpm table2")
    table = table[table["metric"] == "FID"]
    noise = table[table["target"] == "noise"].iloc[0]
    means = table[(table["seed"] == "") & (table["target"] != "noise")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDE, 3.2), width_ratios=(1.15, 1))
    marks = {
        "ours, a seed": style.OURS,
        "ours, an unstable seed": style.OURS._replace(marker="x"),
        "published: CIFAR-10": style.PUBLISHED,
    }
    for y, (target, objective, published) in enumerate(zip(means["target"], means["objective"], means["published"], strict=True)):
        seeds = table[(table["target"] == target) & (table["objective"] == objective) & (table["seed"] != "")]
        stable = seeds["unstable"] == ""
        for values, ink in zip((seeds["value"][stable], seeds["value"][~stable], [published]), marks.values(), strict=True):
            left.plot(values, [y] * len(values), **ink.points)
    left.axvline(noise["value"], **style.BASELINE.curve)
    symbols = {"mu": "$\\tilde\\mu$", "eps": "$\\epsilon$"}
    left.set(
        xscale="log", xlabel="Frechet distance to the training set (no unit)", ylim=(len(means) - 0.5, -0.5), ylabel="target: objective"
    )
    left.set_yticks(range(len(means)), [f"{symbols[target]}: {of}" for target, of in zip(means["target"], means["objective"], strict=True)])
    handles = [*[Line2D([], [], **ink.points) for ink in marks.values()], Line2D([], [], **style.BASELINE.curve)]
    figure.legend(handles, [*marks, "noise in our samples' place"], loc="outside upper center", ncols=4)
    rows = [shown.get(str(run), np.ones_like(shown["data"])) for run in means["run"]]
    style.show(right, style.tile(np.concatenate(rows), len(rows), len(shown["data"])), "samples of the first seed")
    right.set_aspect("auto")  # a row of samples beside the row of its cell
    data, features, n = noise["dataset"], noise["features"], f"{noise['n']:.0f}"
    style.note(figure, f"ours: {data}, features of {features}, n = {n} samples a seed; published: of Inception, n = 50,000")
    style.save(figure, layout.artifact("ddpm", "table2.png"))


def fig2(layout: Layout) -> None:
    """Figure 2: the directed graphical model."""
    figure, axes = plt.subplots(figsize=(6.4, 1.7))
    names = ["$x_T$", "$\\cdots$", "$x_t$", "$x_{t-1}$", "$\\cdots$", "$x_0$"]
    x = np.array([0.0, 1.3, 2.6, 4.6, 5.9, 7.2])
    for position, name in zip(x, names, strict=True):
        if name != "$\\cdots$":
            axes.add_patch(
                Circle((position, 0), 0.36, facecolor="white" if name != "$x_0$" else style.FAINT, edgecolor=style.FORWARD.color)
            )
        axes.text(position, 0, name, ha="center", va="center", fontsize=11)
    for a, b in pairwise(x):
        axes.annotate("", (b - 0.4, 0), (a + 0.4, 0), arrowprops={"arrowstyle": "-|>", "color": style.OURS.color})
    back = {"arrowstyle": "-|>", "color": style.FORWARD.color, "linestyle": "--", "connectionstyle": "arc3,rad=0.35"}
    axes.annotate("", (x[2] + 0.2, -0.36), (x[3] - 0.2, -0.36), arrowprops=back | {"connectionstyle": "arc3,rad=-0.35"})
    axes.text(3.6, 0.5, "reverse process, learned: $p_\\theta(x_{t-1} | x_t)$", ha="center", color=style.OURS.color)
    axes.text(3.6, -1.1, "forward process, fixed: $q(x_t | x_{t-1})$", ha="center", color=style.FORWARD.color)
    axes.set(xlim=(-0.6, 7.8), ylim=(-1.2, 0.8), aspect="equal")
    axes.axis("off")
    style.save(figure, layout.artifact("ddpm", "fig2.png"))


def fig5(layout: Layout) -> None:
    """Figure 5: distortion and rate against reverse steps, and distortion against rate, with the published points of Table 4."""
    curves = read_arrays(layout.artifact("ddpm", "table4.npz"), CODED)
    table = tables.read(layout.artifact("ddpm", "table4.csv"), "rediffuse table ddpm table4")
    ours = table[table["value"].notna()].iloc[0]
    T = len(curves["rate"])
    steps = T - np.arange(T)
    published = table[table["published"].notna()].pivot_table(index="steps", columns="metric", values="published")
    panels = (
        (REVERSE, DISTORTION, steps, curves["rmse"], published.index, published["RMSE"]),
        (REVERSE, RATE, steps, curves["rate"], published.index, published["rate"]),
        (RATE, DISTORTION, curves["rate"], curves["rmse"], published["rate"], published["RMSE"]),
    )
    figure, rows = plt.subplots(1, 3, figsize=(style.WIDE, 2.8))
    for axes, (xlabel, ylabel, x, y, x_published, y_published) in zip(rows, panels, strict=True):
        axes.plot(x, y, **style.OURS.curve, label=f"ours: {ours['dataset']}, n = {ours['n']:.0f} test images")
        axes.plot(x_published, y_published, **style.PUBLISHED.points, label="published: CIFAR-10")
        axes.set(xlabel=xlabel, ylabel=ylabel)
    figure.legend(*rows[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    style.save(figure, layout.artifact("ddpm", "fig5.png"))


def terms(layout: Layout) -> None:
    """L_{t-1} against t for every run, and the weight of eq. 12 that the bound gives to the error at t, where L_simple gives 1."""
    curves = read_arrays(layout.artifact("ddpm", "table4.npz"), CODED)
    runs = [name.removeprefix("terms of ") for name in curves if name.startswith("terms of ")]
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(5.2, 4.8), sharex=True, height_ratios=(2, 1))
    for run, ink in zip(runs, style.shades(style.OURS, len(runs), "white"), strict=True):
        bits = curves[f"terms of {run}"]
        t = np.arange(1, len(bits) + 1)
        upper.loglog(t, bits, **ink.curve, label=f"{run}: {bits.sum():.3f} bits/dim in all, {bits[0]:.1g} of them $L_0$")
        lower.loglog(t, curves[f"weights of {run}"], **ink.curve)
    lower.axhline(1, **style.EXACT.curve, label="$L_{simple}$: 1")
    upper.set(ylabel="$L_{t-1}$ in bits/dim")
    upper.legend()
    lower.set(xlabel="t in steps", ylabel="weight of $|\\epsilon - \\hat\\epsilon|^2$\n(eq. 12; no unit)")
    lower.legend()
    n = tables.read(layout.artifact("ddpm", "table4.csv"), "rediffuse table ddpm table4")["n"].iloc[0]
    style.note(figure, f"mean over n = {n:.0f} test images")
    style.save(figure, layout.artifact("ddpm", "terms.png"))


def fig10(layout: Layout) -> None:
    """Figure 10: quality of x0-hat against reverse steps; and, beside it, when each scale is settled."""
    table = tables.read(layout.artifact("ddpm", "fig10.csv"), "rediffuse measure ddpm fig10")
    first = table.iloc[0]
    figure, panels = plt.subplots(1, 3, figsize=(style.WIDE, 3.1))
    for axes, metrics, label in (
        (panels[0], ["IS"], "inception score (no unit)"),
        (panels[1], ["FID"], "Frechet distance (no unit)"),
        (
            panels[2],
            ["unsettled, large scale", "unsettled, middle", "unsettled, detail"],
            "squared error to the final $x_0$,\nas a share of its power",
        ),
    ):
        for metric, ink in zip(metrics, style.shades(style.OURS, len(metrics), "white"), strict=True):
            rows = table[table["metric"] == metric]
            axes.errorbar(
                rows["steps"],
                rows["value"],
                rows["sd"],
                **ink.joined,
                markersize=2.5,
                elinewidth=0.6,
                capsize=0,
                label=metric.removeprefix("unsettled, "),
            )
        axes.set(xlabel="reverse steps", ylabel=label)
    panels[1].set_yscale("log")
    panels[2].legend()
    figure.suptitle(f"x0-hat of run {first['run']}; features of {first['features']}, distance to the training set")
    style.note(
        figure,
        f"n = {first['n']:.0f} images. Error bars: inception score, ± deviation over splits; Frechet distance, ± deviation over bootstrap "
        "resamples;\nsquared error, ± standard error over images.",
    )
    style.save(figure, layout.artifact("ddpm", "fig10.png"))


FIGURES = {
    "fig1": fig1,
    "table2": table2,
    "fig2": fig2,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "fig8": fig8,
    "fig9": fig9,
    "fig10": fig10,
    "fig13": fig13,
    "fig14": fig14,
    "fig15": fig15,
    "terms": terms,
}
