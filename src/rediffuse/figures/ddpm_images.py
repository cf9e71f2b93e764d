"""The figures of Ho et al. 2020 that show images: one grid and one strip of rows serve them all."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from rediffuse.config import SampleGrid
from rediffuse.figures import style
from rediffuse.files import Arrays, read_arrays
from rediffuse.paths import Layout

Images = NDArray[Any]
FEW = 4
"""Chains in Figure 6."""


def fig1(layout: Layout) -> None:
    """Figure 1, the unconditional half: uncurated samples."""
    assert layout.preset.papers.ddpm and layout.preset.papers.ddpm.fig1
    _samples(layout, "fig1", layout.preset.papers.ddpm.fig1)


def fig13(layout: Layout) -> None:
    """Figure 13: more uncurated samples, beside images of the test set."""
    assert layout.preset.papers.ddpm and layout.preset.papers.ddpm.fig13
    _samples(layout, "fig13", layout.preset.papers.ddpm.fig13)


def fig6(layout: Layout) -> None:
    """Figure 6: x0-hat of a few chains as they run."""
    _progress(layout, "fig6", FEW)


def fig14(layout: Layout) -> None:
    """Figure 14: the same of more chains."""
    _progress(layout, "fig14", None)


def fig7(layout: Layout) -> None:
    """Figure 7: images that share x_t, which is drawn first; a row a t."""
    data = _read(layout, "fig7")
    rows = [np.concatenate([shared[None], ends]) for shared, ends in zip(data["shared"], data["ends"], strict=True)]
    heads = ["shared $x_t$", *[""] * len(data["ends"][0])]
    _strips(layout, "fig7", rows, [f"t = {t}" for t in data["t"]], heads, "one $x_t$, and as many ways on from it")


def fig8(layout: Layout) -> None:
    """Figure 8: interpolations; the sources at either end, their reconstructions beside them."""
    assert layout.preset.papers.ddpm and layout.preset.papers.ddpm.fig8
    data = _read(layout, "fig8")
    rows = [np.concatenate([source[:1], mixed, source[1:]]) for source, mixed in zip(data["source"], data["mixed"], strict=True)]
    _strips(layout, "fig8", rows, [""] * len(rows), LAMBDAS, f"test images, mixed at t = {layout.preset.papers.ddpm.fig8.t}")


def fig9(layout: Layout) -> None:
    """Figure 9: one pair, mixed at several t."""
    data = _read(layout, "fig9")
    rows = [np.concatenate([data["source"][:1], mixed, data["source"][1:]]) for mixed in data["mixed"]]
    _strips(layout, "fig9", rows, [f"t = {t}" for t in data["t"]], LAMBDAS, "two test images, mixed at t")


def fig15(layout: Layout) -> None:
    """Figure 15: samples, and the training images nearest to each, in pixels and in features."""
    data = _read(layout, "fig15")
    figure, panels = style.side_by_side(2, 0.42 * len(data["samples"]))
    for axes, space in zip(panels, ("pixels", "features"), strict=True):
        near = data[space]
        pictures = np.concatenate([data["samples"][:, None], np.ones_like(near[:, :1]), near], axis=1)
        picture = style.tile(pictures.reshape(-1, *near.shape[2:]), len(near), near.shape[1] + 2)
        style.show(axes, picture, f"sample | nearest training images in {space}")
    style.save(figure, layout.artifact("ddpm", "fig15.png"))


LAMBDAS = ["source", "$\\lambda$ = 0", *[f"{k / 10:g}" for k in range(1, 10)], "1", "source"]


def _read(layout: Layout, name: str, of: str | None = None) -> Arrays:
    return read_arrays(layout.artifact("ddpm", f"{of or name}.npz"), f"rediffuse measure ddpm {of or name}")


def _samples(layout: Layout, figure_name: str, options: SampleGrid) -> None:
    data = _read(layout, figure_name)
    run = layout.preset.samples[options.samples].run
    T = layout.preset.runs[run].process.T
    n = options.rows * options.columns
    figure, panels = style.side_by_side(2, style.WIDE / 2 * options.rows / options.columns)
    style.show(panels[0], style.tile(data["samples"], options.rows, options.columns), f"ours: run {run}, T = {T}, first {n} samples")
    style.show(panels[1], style.tile(data["test"], options.rows, options.columns), f"data: {layout.preset.runs[run].dataset}, test split")
    style.save(figure, layout.artifact("ddpm", f"{figure_name}.png"))


def _progress(layout: Layout, name: str, rows: int | None) -> None:
    data = _read(layout, name, "fig10")
    chains = data["x0"].swapaxes(0, 1)[:rows]
    T = int(data["times"][0])
    shown = np.linspace(0, len(data["times"]) - 1, min(11, len(data["times"]))).round().astype(int)
    heads = [f"{T - int(data['times'][k]) + 1}" for k in shown]
    _strips(layout, name, list(chains[:, shown]), [""] * len(chains), heads, "x0-hat after so many reverse steps")


def _strips(layout: Layout, name: str, rows: Sequence[Images], labels: Sequence[str], heads: Sequence[str], title: str) -> None:
    """Rows of images of shape (columns, C, R, R) on [-1, 1], each with a label, each column with a head."""
    figure, axes = plt.subplots(figsize=(0.52 * len(heads) + 0.4, 0.52 * len(rows) + 0.5))
    picture = style.tile(np.concatenate(rows), len(rows), len(heads))
    style.show(axes, picture)
    height, width = (picture.shape[0] + 1) / len(rows), (picture.shape[1] + 1) / len(heads)
    axes.set_yticks([(k + 0.5) * height - 1 for k in range(len(rows))], labels)
    axes.set_xticks([(k + 0.5) * width - 1 for k in range(len(heads))], heads)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(title)
    style.save(figure, layout.artifact("ddpm", f"{name}.png"))
