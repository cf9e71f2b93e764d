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


def table2(layout: Layout) -> None:
    """Table 2: the distance of every seed of every cell, the published ones, noise's; and samples of each cell's first seed."""
    table = tables.read(layout.artifact("ddpm", "table2.csv"), "rediffuse table ddpm table2")
    shown = read_arrays(layout.artifact("ddpm", "table2.npz"), "rediffuse measure ddpm table2")
    table = table[table["metric"] == "FID"]
    noise = table[table["target"] == "noise"].iloc[0]
    means = table[(table["seed"] == "") & (table["target"] != "noise")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.9), width_ratios=(1.4, 1))
    marks = {"ours, a seed": ("o", style.OURS), "ours, an unstable seed": ("x", style.OURS), "published: CIFAR-10": ("D", style.EXACT)}
    for y, (target, objective, published) in enumerate(zip(means["target"], means["objective"], means["published"], strict=True)):
        seeds = table[(table["target"] == target) & (table["objective"] == objective) & (table["seed"] != "")]
        stable = seeds["unstable"] == ""
        for values, (marker, colour) in zip((seeds["value"][stable], seeds["value"][~stable], [published]), marks.values(), strict=True):
            left.plot(values, [y] * len(values), marker, color=colour, markersize=4)
    left.axvline(noise["value"], color=style.FORWARD, linestyle=":", linewidth=1)
    symbols = {"mu": "$\\tilde\\mu$", "eps": "$\\epsilon$"}
    left.set(xscale="log", xlabel="Frechet distance to the training set", ylim=(len(means) - 0.5, -0.5))
    left.set_yticks(range(len(means)), [f"{symbols[target]}: {of}" for target, of in zip(means["target"], means["objective"], strict=True)])
    handles = [Line2D([], [], linestyle="", marker=marker, color=colour, markersize=4) for marker, colour in marks.values()]
    handles.append(Line2D([], [], color=style.FORWARD, linestyle=":"))
    figure.legend(handles, [*marks, "ours, of noise"], loc="outside lower center", ncols=4, frameon=False, fontsize=7)
    rows = [shown.get(str(run), np.ones_like(shown["data"])) for run in means["run"]]
    style.show(right, style.tile(np.concatenate(rows), len(rows), len(shown["data"])), "samples of the first seed")
    title = f"{noise['dataset']}, features of {noise['features']}, n = {noise['n']:.0f} samples a seed; theirs by Inception, n = 50,000"
    figure.suptitle(title, fontsize=8)
    style.save(figure, layout.artifact("ddpm", "table2.png"))


def fig2(layout: Layout) -> None:
    """Figure 2: the directed graphical model."""
    figure, axes = plt.subplots(figsize=(6.4, 1.5))
    names = ["$x_T$", "$\\cdots$", "$x_t$", "$x_{t-1}$", "$\\cdots$", "$x_0$"]
    x = np.array([0.0, 1.3, 2.6, 4.6, 5.9, 7.2])
    for position, name in zip(x, names, strict=True):
        if name != "$\\cdots$":
            axes.add_patch(Circle((position, 0), 0.36, facecolor="white" if name != "$x_0$" else style.FAINT, edgecolor=style.FORWARD))
        axes.text(position, 0, name, ha="center", va="center", fontsize=11)
    for a, b in pairwise(x):
        axes.annotate("", (b - 0.4, 0), (a + 0.4, 0), arrowprops={"arrowstyle": "-|>", "color": style.OURS})
    back = {"arrowstyle": "-|>", "color": style.EXACT, "linestyle": "--", "connectionstyle": "arc3,rad=0.35"}
    axes.annotate("", (x[2] + 0.2, -0.36), (x[3] - 0.2, -0.36), arrowprops=back | {"connectionstyle": "arc3,rad=-0.35"})
    axes.text(3.6, 0.22, "$p_\\theta(x_{t-1} | x_t)$", ha="center", color=style.OURS, fontsize=9)
    axes.text(3.6, -1.05, "$q(x_t | x_{t-1})$", ha="center", color=style.EXACT, fontsize=9)
    axes.set(xlim=(-0.6, 7.8), ylim=(-1.2, 0.6), aspect="equal")
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
        ("reverse steps (T - t + 1)", "distortion: RMSE of 0..255", steps, curves["rmse"], published.index, published["RMSE"]),
        ("reverse steps (T - t + 1)", "rate in bits/dim", steps, curves["rate"], published.index, published["rate"]),
        ("rate in bits/dim", "distortion: RMSE of 0..255", curves["rate"], curves["rmse"], published["rate"], published["RMSE"]),
    )
    figure, rows = plt.subplots(1, 3, figsize=(7.6, 2.7))
    for axes, (xlabel, ylabel, x, y, x_published, y_published) in zip(rows, panels, strict=True):
        axes.plot(x, y, color=style.OURS, label=f"ours: {ours['dataset']}, n = {ours['n']:.0f}")
        axes.plot(x_published, y_published, "o", color=style.EXACT, markersize=3, label="published: CIFAR-10")
        axes.set(xlabel=xlabel, ylabel=ylabel)
    rows[0].legend(frameon=False, fontsize=7)
    style.save(figure, layout.artifact("ddpm", "fig5.png"))


def terms(layout: Layout) -> None:
    """L_{t-1} against t for every run, and the weight of eq. 12 that the bound gives to the error at t, where L_simple gives 1."""
    curves = read_arrays(layout.artifact("ddpm", "table4.npz"), CODED)
    runs = [name.removeprefix("terms of ") for name in curves if name.startswith("terms of ")]
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(5.2, 4.6), sharex=True, height_ratios=(2, 1))
    for run, colour in zip(runs, (style.OURS, style.EXACT, style.FORWARD, style.FAINT), strict=False):
        bits = curves[f"terms of {run}"]
        t = np.arange(1, len(bits) + 1)
        upper.loglog(t, bits, color=colour, linewidth=0.8, label=f"{run}: {bits.sum():.3f} bits/dim in all, {bits[0]:.3f} of them $L_0$")
        lower.loglog(t, curves[f"weights of {run}"], color=colour)
    lower.axhline(1, color="0.4", linestyle=":", linewidth=1)
    upper.set(ylabel="$L_{t-1}$ in bits/dim")
    upper.legend(frameon=False, fontsize=7)
    lower.set(xlabel="t", ylabel="weight of\n$|\\epsilon - \\hat\\epsilon|^2$ (eq. 12)")
    lower.text(30, 0.85, "$L_{simple}$: 1", fontsize=7, va="top")
    style.save(figure, layout.artifact("ddpm", "terms.png"))


def fig10(layout: Layout) -> None:
    """Figure 10: quality of x0-hat against reverse steps; and, beside it, when each scale is settled."""
    table = tables.read(layout.artifact("ddpm", "fig10.csv"), "rediffuse measure ddpm fig10")
    first = table.iloc[0]
    figure, panels = plt.subplots(1, 3, figsize=(7.6, 3.0))
    for axes, metrics, label in (
        (panels[0], ["IS"], "inception score"),
        (panels[1], ["FID"], "Frechet distance"),
        (panels[2], ["unsettled, large scale", "unsettled, middle", "unsettled, detail"], "error to the final $x_0$ / power"),
    ):
        for metric, colour in zip(metrics, (style.OURS, style.FORWARD, style.EXACT), strict=False):
            rows = table[table["metric"] == metric]
            axes.errorbar(
                rows["steps"],
                rows["value"],
                rows["sd"],
                color=colour,
                linewidth=1,
                elinewidth=0.6,
                label=metric.removeprefix("unsettled, "),
            )
        axes.set(xlabel="reverse steps", ylabel=label)
    panels[1].set_yscale("log")
    panels[2].legend(frameon=False, fontsize=7)
    title = f"x0-hat of run {first['run']}; features of {first['features']}, distance to the training set; n = {first['n']:.0f}, ± one sd"
    figure.suptitle(title, fontsize=8)
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
