"""Figures of Song et al. 2020 that are images."""

import matplotlib.pyplot as plt
import numpy as np

from rediffuse.figures import style
from rediffuse.files import read_arrays
from rediffuse.papers import tables
from rediffuse.paths import Layout

ACROSS = 3
"""Panels of the grid side by side."""
NAMES = {"sigma-hat": "$\\hat\\sigma$", "probability-flow": "flow", "dpm-solver++": "DPM++"}
"""How rows are labelled that are no value of eta."""


def fig3(layout: Layout) -> None:
    """Figure 3: samples at few and at many steps, a row an eta; one column starts from one latent x_T throughout."""
    assert layout.preset.papers.ddim and layout.preset.papers.ddim.fig3
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
        axes.set_yticks([(k + 0.5) * height for k in range(len(etas))], [NAMES.get(eta, f"$\\eta$ = {eta}") for eta in etas])
        axes.tick_params(length=0)
    style.save(figure, layout.artifact("ddim", "fig3.png"))


def fig5(layout: Layout) -> None:
    """Figure 5: a column is one latent, a row a number of steps; and how far the features are from those at the most steps."""
    data = read_arrays(layout.artifact("ddim", "fig5.npz"), "rediffuse measure ddim fig5")
    table = tables.read(layout.artifact("ddim", "fig5.csv"), "rediffuse measure ddim fig5")
    shares = table[table["metric"] == "of that of two latents"]
    first, most = table.iloc[0], int(table["steps"].max())
    columns = len(next(iter(data.values())))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.0), width_ratios=(1.3, 1))
    picture = style.tile(np.concatenate([*data.values()]), len(data), columns)
    style.show(left, picture, "one column, one $x_T$")
    height = picture.shape[0] / len(data)
    left.set_yticks([(k + 0.5) * height for k in range(len(data))], [f"S = {key[1:]}" for key in data])
    left.tick_params(length=0)
    right.errorbar(shares["steps"], shares["value"], shares["sd"], fmt="o-", color=style.OURS, capsize=2)
    right.axhline(1, color=style.FORWARD, linestyle=":", linewidth=1)
    right.text(shares["steps"].min(), 1.0, "two latents", fontsize=7, va="bottom")
    title = f"squared feature distance to S = {most},\nas a share of that of two latents (n = {first['n']:.0f})"
    right.set(xscale="log", ylim=(0, 1.15), xlabel="steps S")
    right.set_title(title, fontsize=8)
    style.save(figure, layout.artifact("ddim", "fig5.png"))


def fig6(layout: Layout) -> None:
    """Figure 6: along a line on the sphere between two latents."""
    lines = read_arrays(layout.artifact("ddim", "fig6.npz"), "rediffuse measure ddim fig6")["lines"]
    figure, axes = plt.subplots(figsize=(6.4, 6.4 * len(lines) / lines.shape[1] + 0.4))
    style.show(axes, style.tile(np.concatenate([*lines]), len(lines), lines.shape[1]), f"slerp between two latents, {_steps(layout)}")
    style.save(figure, layout.artifact("ddim", "fig6.png"))


def fig7(layout: Layout) -> None:
    """Figure 7: samples of DDPM, and of DDIM at two numbers of steps."""
    assert layout.preset.papers.ddim and layout.preset.papers.ddim.fig7
    options = layout.preset.papers.ddim.fig7
    data = read_arrays(layout.artifact("ddim", "fig7.npz"), "rediffuse measure ddim fig7")
    figure, panels = plt.subplots(1, len(data), figsize=(7.6, 7.6 / len(data) + 0.3))
    for axes, (name, images) in zip(panels, data.items(), strict=True):
        style.show(axes, style.tile(images, options.rows, options.columns), name)
    style.save(figure, layout.artifact("ddim", "fig7.png"))


def fig11(layout: Layout) -> None:
    """Figure 11: a grid between four latents, which are its corners."""
    images = read_arrays(layout.artifact("ddim", "fig6.npz"), "rediffuse measure ddim fig6")["grid"]
    rows, columns = images.shape[:2]
    figure, axes = plt.subplots(figsize=(4.2, 4.5))
    style.show(axes, style.tile(np.concatenate([*images]), rows, columns), f"slerp between four latents, {_steps(layout)}")
    style.save(figure, layout.artifact("ddim", "fig11.png"))


def grid(layout: Layout) -> None:
    """Every S and eta: a panel an eta, a row a number of steps; one column starts from one latent, which stands in the last panel."""
    data = read_arrays(layout.artifact("ddim", "grid.npz"), "rediffuse measure ddim grid")
    steps, columns = data["steps"].tolist(), len(data["latents"])
    parts = [
        (NAMES.get(eta, f"$\\eta$ = {eta}"), images)
        for eta, images in zip(data["eta"].tolist(), data["images"].swapaxes(0, 1), strict=True)
    ]
    rows, width = -(-(len(parts) + 1) // ACROSS), 3.0
    figure, panels = plt.subplots(rows, ACROSS, figsize=(width * ACROSS, rows * (0.8 * width * len(steps) / columns + 0.3)), squeeze=False)
    for axes, (name, images) in zip(panels.flat, parts, strict=False):
        picture = style.tile(np.concatenate([*images]), len(steps), columns)
        style.show(axes, picture, name)
        height = (picture.shape[0] + 1) / len(steps)
        axes.set_yticks([(k + 0.5) * height - 1 for k in range(len(steps))], [f"S = {S}" for S in steps])
        axes.tick_params(length=0, labelsize=7)
    for axes in panels.flat[len(parts) :]:
        axes.set_axis_off()
    # Noise is wider than images: three deviations are what is left white and black of it.
    style.show(panels.flat[len(parts)], style.tile(data["latents"] / 3, 1, columns), "the latents $x_T$")
    style.save(figure, layout.artifact("ddim", "grid.png"))


def _steps(layout: Layout) -> str:
    assert layout.preset.papers.ddim and layout.preset.papers.ddim.fig6
    return f"S = {layout.preset.papers.ddim.fig6.steps}"
