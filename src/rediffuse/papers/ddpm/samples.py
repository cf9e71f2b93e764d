"""Figures 1 and 13: uncurated samples."""

import numpy as np
import torch

from rediffuse.config import SampleGrid
from rediffuse.datasets.prepared import load
from rediffuse.files import write_arrays
from rediffuse.papers.ddpm.common import drawn_of, options_of
from rediffuse.paths import Layout


def fig1(layout: Layout, device: torch.device) -> None:
    """Uncurated samples: the first of the set."""
    options = options_of(layout).fig1
    assert options
    _grid(layout, "fig1", options)


def fig13(layout: Layout, device: torch.device) -> None:
    """More uncurated samples, with as many test images to compare them with."""
    options = options_of(layout).fig13
    assert options
    _grid(layout, "fig13", options)


def _grid(layout: Layout, figure: str, options: SampleGrid) -> None:
    data = load(layout.dataset(layout.preset.runs[layout.preset.samples[options.samples].run].dataset))
    n = options.rows * options.columns
    real = np.resize(data.x("test"), (n, *data.shape))
    write_arrays(layout.artifact("ddpm", f"{figure}.npz"), {"samples": data.as_x(drawn_of(layout, options.samples)[:n]), "test": real})
