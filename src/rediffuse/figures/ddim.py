"""Figures of Song et al. 2020."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import LogNorm

from rediffuse.figures import style
from rediffuse.files import read_arrays
from rediffuse.papers import tables
from rediffuse.papers.ddim.tables import seconds_a_step
from rediffuse.paths import Layout

HOURS_PUBLISHED = (1000, 20.0)
"""(steps, hours for 50,000 images of 32 x 32 on one 2080 Ti): Song et al. 2020, section 1."""


def table1(layout: Layout) -> None:
    """Table 1 as heat maps: ours, and the published numbers at the same steps."""
    table = tables.read(layout.artifact("ddim", "table1.csv"), "rediffuse table ddim table1")
    table = table[table["metric"] == "FID"]
    ours = table[table["value"].notna()]
    etas = list(dict.fromkeys(ours["eta"]))
    theirs = table[(table["published_dataset"] == "CIFAR-10") & table["steps"].isin(ours["steps"]) & table["eta"].isin(etas)]
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.1), sharey=True)
    first, n = ours.iloc[0], ours.groupby("steps")["n"].first()
    titles = [
        f"ours: {first['dataset']}, features of {first['features']}",
        "published: CIFAR-10, Inception",
    ]
    for axes, part, column, title in zip(panels, (ours, theirs), ("value", "published"), titles, strict=True):
        if part.empty:
            axes.set_axis_off()
            axes.set_title("no published number at these steps")
            continue
        grid = part.pivot(index="eta", columns="steps", values=column).reindex(etas)
        text = grid.map(lambda v: f"{v:.3g}")
        heads = [f"{S}\nn = 50,000" for S in grid.columns]
        if column == "value":
            text += part.pivot(index="eta", columns="steps", values="sd").reindex(etas).map(lambda v: f"\n± {v:.2g}")
            heads = [f"{S}\nn = {n[S]:,.0f}" for S in grid.columns]
        sns.heatmap(grid, annot=text, fmt="", norm=LogNorm(), cmap="viridis_r", ax=axes, annot_kws={"fontsize": 7}, cbar=False)
        axes.set(title=title, xlabel="steps S", ylabel="$\\eta$" if column == "value" else "", xticklabels=heads)
        axes.tick_params(axis="y", rotation=0)
    figure.suptitle("Frechet distance; colours on a logarithmic scale of each panel's own", fontsize=9)
    style.save(figure, layout.artifact("ddim", "table1.png"))


def fig3(layout: Layout) -> None:
    """Figure 3: samples at few and at many steps, a row an eta; one column starts from one latent x_T throughout."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.fig3
    data = read_arrays(layout.artifact("ddim", "fig3.npz"), "rediffuse measure ddim fig3")
    keys = [key for key in data if key.startswith(f"S{options.steps[0]}-")]
    etas = [key.split("-", 1)[1] for key in keys]
    figure, panels = plt.subplots(
        1, len(options.steps), figsize=(3.5 * len(options.steps), 3.5 * len(etas) / options.columns + 0.5), squeeze=False
    )
    for axes, S in zip(panels[0], options.steps, strict=True):
        pictures = np.concatenate([data[f"S{S}-{eta}"] for eta in etas])
        picture = style.tile(pictures, len(etas), options.columns)
        style.show(axes, picture, f"S = {S}")
        height = picture.shape[0] / len(etas)
        axes.set_yticks(
            [(k + 0.5) * height for k in range(len(etas))], [f"$\\eta$ = {eta}" if eta != "sigma-hat" else "$\\hat\\sigma$" for eta in etas]
        )
        axes.tick_params(length=0)
    style.save(figure, layout.artifact("ddim", "fig3.png"))


def fig4(layout: Layout) -> None:
    """Figure 4: the time to sample against the number of steps, with the line through it."""
    times = tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4")
    figure, axes = plt.subplots(figsize=(4.2, 3.2))
    first = times.iloc[0]
    steps, seconds = times["steps"].to_numpy(float), times["seconds"].to_numpy(float)
    slope, _ = seconds_a_step(times)
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
    line = np.geomspace(steps.min(), steps.max(), 50)
    axes.plot(line, slope * line * 1e3, "-", color=style.FAINT, zorder=0, label=f"{slope * 1e3:.3g} ms an image and step")
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


FIGURES = {"table1": table1, "fig3": fig3, "fig4": fig4}
