"""Figures of Sohl-Dickstein et al. 2015."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from numpy.typing import NDArray

from rediffuse.figures import style
from rediffuse.figures.sohl2015_images import fig3, fig4, fig5, fig_app1
from rediffuse.files import read_arrays, read_json
from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure sohl2015"


def fig1(layout: Layout) -> None:
    """Figure 1: slices of the forward chain, of the learned reverse chain, and the drift; below it the exact drift. And an animation."""
    data = read_arrays(layout.artifact("sohl2015", "fig1.npz"), f"{MADE_BY} fig1")
    T, axis = int(data["T"]), data["axis"]
    figure, panels = plt.subplots(4, 3, figsize=(6.6, 9.2), sharex=True, sharey=True)
    for column, t in enumerate((0, T // 2, T)):
        label = {0: "t = 0", T // 2: f"t = T/2 = {t}", T: f"t = T = {t}"}[t]
        for row, chain, ink in ((0, "forward", style.FORWARD), (1, "reverse", style.OURS)):
            panels[row, column].plot(*data[f"{chain}_{t}"].T, ".", markersize=1.1, color=ink.color, alpha=0.5, rasterized=True)
        panels[0, column].set_title(label)
    x, y = np.meshgrid(axis, axis)
    for column, t in enumerate(data["drift_t"].tolist()):
        density = data[f"log_density_{t}"]
        # Where the data never go, the network was never asked: those arrows are drawn faint, and do not set the scale.
        seen = density > density.max() - np.log(1e4)
        longest = np.linalg.norm(data[f"exact_{t}"][seen], axis=1).max()
        for row, field, ink in ((2, "learned", style.OURS), (3, "exact", style.EXACT)):
            arrows, colours = data[f"{field}_{t}"] / longest, np.where(seen, ink.color, style.FAINT)
            panels[row, column].quiver(
                x.ravel(), y.ravel(), *arrows.T, color=colours, angles="xy", scale_units="xy", scale=2.5, width=0.006
            )
        error, size = data[f"rms_{t}"]
        panels[2, column].set_title(f"t = {t}: rms error {error:.2g}")
        panels[3, column].set_title(f"t = {t}: rms drift {size:.2g}")
    names = [
        "forward: $q(x^{(t)})$",
        "reverse: $p(x^{(t)})$",
        "drift, learned:\n$f_\\mu(x, t) - x$",
        "drift, exact:\n$E_q[x^{(t-1)} | x] - x$",
    ]
    for row, name in enumerate(names):
        panels[row, 0].set_ylabel(f"{name}\n$x_2$ in deviations of the data")
    for panel in panels[-1]:
        panel.set_xlabel("$x_1$ in deviations of the data")
    panels[0, 0].set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal")
    for panel in panels.flat:
        panel.set_aspect("equal")
    figure.suptitle(f"Swiss roll, T = {T}, n = {len(data['forward_0'])} points a panel")
    style.note(
        figure,
        "Arrows have one scale a column, and are faint where $q(x^{(t)})$ is under 1e-4 of its peak.\n"
        "Root mean squares (rms) are over points of $q(x^{(t)})$, in deviations of the data.",
    )
    style.save(figure, layout.artifact("sohl2015", "fig1.png"))
    _animate(layout, data["reverse"])


def _animate(layout: Layout, reverse: NDArray[Any]) -> None:
    """The reverse chain from t = T to 0, a frame a step (every so many steps of a long chain), and the end held for two seconds."""
    T = len(reverse) - 1
    times = [*range(T, 0, -max(1, T // 60)), 0]
    frames = []
    for t in times:
        figure, panel = plt.subplots(figsize=(2.6, 2.8), dpi=100)
        panel.plot(*reverse[t].T, ".", markersize=1.6, color=style.OURS.color, alpha=0.6)
        panel.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal", title=f"reverse chain, t = {t}", xticks=[], yticks=[])
        frames.append(style.frame(figure))
    style.save_animation(frames, 80, 2000, layout.artifact("sohl2015", "fig1.gif"))


def fig2(layout: Layout) -> None:
    """Figure 2: sequences of the reverse chain at t = 0, T/2 and T, those moved so that the first beat of each comes first."""
    data = read_arrays(layout.artifact("sohl2015", "fig2.npz"), f"{MADE_BY} fig2")
    counts = tables.read(layout.artifact("sohl2015", "fig2.csv"), f"{MADE_BY} fig2").set_index("metric")
    T = int(data["T"])
    # As in the paper: each row is shifted by its own phase, at every t alike.
    shifts = data["reverse_0"].argmax(1)
    figure, panels = plt.subplots(1, 3, figsize=(6.6, 2.9), sharey=True)
    for panel, t in zip(panels, (0, T // 2, T), strict=True):
        rows = np.stack([np.roll(row, -shift) for row, shift in zip(data[f"reverse_{t}"], shifts, strict=True)])
        panel.imshow(1 - rows, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        panel.set(title={0: "t = 0: generated", T: f"t = T = {t}: noise"}.get(t, f"t = T/2 = {t}"), xlabel="bin", xticks=[0, 5, 10, 15])
        panel.tick_params(length=2)
        panel.spines[:].set_visible(True)
    panels[0].set(ylabel="sample", yticks=[0, len(shifts) - 1], yticklabels=["1", str(len(shifts))])
    valid = counts.loc["valid sequences"]
    share, error = f"{valid['value']:.1%}", f"{valid['sd']:.1%}"
    figure.suptitle(f"Binary heartbeat, reverse chain: {share} ± {error} of n = {valid['n']:.0f} generated sequences are heartbeats")
    style.note(
        figure, f"±: standard error of the share. The first {len(shifts)} sequences are shown, shifted to begin with their first beat."
    )
    style.save(figure, layout.artifact("sohl2015", "fig2.png"))


def fig_d1(layout: Layout) -> None:
    """Figure D.1: the network, drawn from its own modules."""
    about = read_json(layout.artifact("sohl2015", "fig_d1.stages.json"), f"{MADE_BY} fig_d1")
    stages = about["stages"]
    pathways = {"conv": 0.0, "dense": 2.0}
    figure, panel = plt.subplots(figsize=(style.WIDE, 0.55 * (len(stages) + 1)))
    levels: dict[str, float] = dict.fromkeys(pathways, 0.0)
    level, last = 0.0, dict.fromkeys(pathways, "image")
    places: dict[str, tuple[float, float]] = {}
    arrows: list[tuple[str, str]] = []
    previous = ""
    for stage in stages:
        pathway = stage["name"].split()[0]
        if pathway in pathways:
            levels[pathway] -= 1
            places[stage["name"]] = (pathways[pathway], levels[pathway])
            arrows.append((last[pathway], stage["name"]))
            last[pathway] = stage["name"]
            continue
        level = min(level, *levels.values()) - (1 if places else 0)
        places[stage["name"]] = (1.0, level)
        arrows += [(name, stage["name"]) for name in dict.fromkeys(["image", *last.values()])] if stage["name"] == "joined" else []
        arrows += [(previous, stage["name"])] if previous and stage["name"] != "joined" else []
        previous = stage["name"]
    for stage in stages:
        x, y = places[stage["name"]]
        wide = 0.92
        panel.add_patch(
            FancyBboxPatch((x - wide, y - 0.3), 2 * wide, 0.6, boxstyle="round,pad=0,rounding_size=0.08", fc="white", ec=style.OURS.color)
        )
        shape = " x ".join(map(str, stage["shape"]))
        panel.text(x, y + 0.1, f"{stage['name']}: {shape}", ha="center", va="center", fontsize=8, weight="bold")
        panel.text(x, y - 0.14, stage["description"], ha="center", va="center", fontsize=style.NOTE)
    for start, end in arrows:
        (x0, y0), (x1, y1) = places[start], places[end]
        panel.add_patch(
            FancyArrowPatch((x0, y0 - 0.3), (x1, y1 + 0.3), arrowstyle="-|>", mutation_scale=7, color=style.FORWARD.color, lw=0.8)
        )
    lowest = min(y for _, y in places.values())
    panel.set(xlim=(-1.1, 3.1), ylim=(lowest - 0.5, 0.5))
    panel.axis("off")
    figure.suptitle(f"The multi-scale network (eq. 62-65), drawn from the code: {about['parameters']:,} parameters")
    style.save(figure, layout.artifact("sohl2015", "fig_d1.png"))


def entropy(layout: Layout) -> None:
    """The bounds of eq. 24 by t, the exact entropy between them, and the model's own."""
    table = tables.read(layout.artifact("sohl2015", "entropy.csv"), f"{MADE_BY} entropy").astype({"model": float})
    runs = list(table["run"].unique())
    figure, panels = plt.subplots(
        2, len(runs), figsize=(min(3.3 * len(runs), style.WIDE), 4.8), squeeze=False, sharex="col", height_ratios=[2, 1]
    )
    for column, run in enumerate(runs):
        here = table[table["run"] == run]
        t, lower = here["t"], here["lower"].replace(-np.inf, np.nan)
        top, below = panels[:, column]
        top.fill_between(t, lower, here["upper"], color=style.FAINT, lw=0, label="bounds of eq. 24")
        top.plot(t, here["model"], **style.OURS.curve, lw=2.4, label="model's $H_p$ (no claim)")
        top.plot(t, here["exact"], **style.EXACT.curve, label="exact $H_q(X^{(t-1)} | X^{(t)})$")
        top.set(title=f"{run}: {len(here)} steps", ylabel="entropy of a step in bits")
        # The bounds are narrow: where between them the exact value lies is drawn apart.
        share = here["exact - lower"] / (here["exact - lower"] + here["upper - exact"])
        below.plot(t, share.where(np.isfinite(lower)), color=style.EXACT.color)
        below.axhspan(0, 1, color=style.FAINT, alpha=0.5, lw=0)
        below.set(xlabel="t in steps", ylim=(-0.1, 1.1), yticks=[0, 1], yticklabels=["lower", "upper"], ylabel="exact, between\nthe bounds")
    panels[0, 0].legend()
    style.note(
        figure, f"Bounds and exact entropy are closed forms and quadratures; the model's is a mean over n = {table['n'].iloc[0]:.0f} data."
    )
    style.save(figure, layout.artifact("sohl2015", "entropy.png"))


def ablation(layout: Layout) -> None:
    """The gap of each run as a bar: the kernels' part, and the network's on top of it."""
    table = tables.read(layout.artifact("sohl2015", "ablation.csv"), "rediffuse table sohl2015 ablation")
    rows = {metric: here.set_index("run") for metric, here in table.groupby("metric", sort=False)}
    gap, floor = rows["log-likelihood - K"], rows["gap of a perfect network"]
    names = list(gap.index)
    figure, panel = plt.subplots(figsize=(style.WIDE, 0.58 * len(names) + 1.1))
    y = np.arange(len(names))[::-1]
    kernels, rest = floor.loc[names, "value"], (gap["value"] - floor["value"]).loc[names].clip(lower=0)
    panel.barh(y, kernels, color=style.EXACT.color, height=0.6, label="the kernels' (diagonal Gaussians, perfect network)")
    panel.barh(y, rest, left=kernels, color=style.OURS.color, height=0.6, label="the network's")
    panel.errorbar(gap.loc[names, "value"], y, xerr=2 * gap.loc[names, "sd"], fmt="none", ecolor="black", elinewidth=0.9)
    panel.axvline(0.5, color=style.FORWARD.color, lw=0.8, ls=":")
    about = [(name, *gap.loc[name, ["T", "n", "network", "schedule"]]) for name in names]
    labels = [f"{name}: T = {T:.0f}, n = {n:,.0f}\n{network}\n{schedule}" for name, T, n, network, schedule in about]
    panel.set(yticks=y, xlabel="log-likelihood - K in bits; dotted: half a bit")
    panel.set_yticklabels(labels, fontsize=style.NOTE)
    figure.legend(loc="outside upper center", ncols=2)
    style.note(figure, "Error bars: ± 2 standard errors over n test points.")
    style.save(figure, layout.artifact("sohl2015", "ablation.png"))


FIGURES = {
    "fig1": fig1,
    "fig2": fig2,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
    "fig_app1": fig_app1,
    "fig_d1": fig_d1,
    "entropy": entropy,
    "ablation": ablation,
}
