"""Figures of Ho et al. 2020."""

import matplotlib.pyplot as plt

from rediffuse.config import SampleGrid
from rediffuse.figures import style
from rediffuse.files import read_arrays
from rediffuse.paths import Layout


def fig1(layout: Layout) -> None:
    """Figure 1, the unconditional half: uncurated samples."""
    assert layout.preset.papers.ddpm
    _samples(layout, "fig1", layout.preset.papers.ddpm.fig1)


def fig13(layout: Layout) -> None:
    """Figure 13: more uncurated samples, beside images of the test set."""
    assert layout.preset.papers.ddpm
    _samples(layout, "fig13", layout.preset.papers.ddpm.fig13)


def _samples(layout: Layout, figure_name: str, options: SampleGrid) -> None:
    data = read_arrays(layout.artifact("ddpm", f"{figure_name}.npz"), f"rediffuse measure ddpm {figure_name}")
    run = layout.preset.samples[options.samples].run
    T = layout.preset.runs[run].process.T
    n = options.rows * options.columns
    figure, panels = plt.subplots(1, 2, figsize=(6.6, 3.5 * options.rows / options.columns + 0.2))
    style.show(panels[0], style.tile(data["samples"], options.rows, options.columns), f"ours: run {run}, T = {T}, first {n} samples")
    style.show(panels[1], style.tile(data["test"], options.rows, options.columns), f"data: {layout.preset.runs[run].dataset}, test split")
    style.save(figure, layout.artifact("ddpm", f"{figure_name}.png"))


FIGURES = {"fig1": fig1, "fig13": fig13}
