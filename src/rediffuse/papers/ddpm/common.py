"""What several measurements of Ho et al. 2020 share."""

from typing import Any

import torch
from numpy.typing import NDArray

from rediffuse.config import DDPM
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.paths import Layout
from rediffuse.processes.denoiser import Denoiser
from rediffuse.runs import load_run
from rediffuse.sampling import gather


def options_of(layout: Layout) -> DDPM:
    assert layout.preset.papers.ddpm
    return layout.preset.papers.ddpm


def denoiser_of(layout: Layout, run: str, device: torch.device) -> tuple[Denoiser, Prepared]:
    """A trained run read as DDPM's published code reads it, x0-hat clipped; and its data."""
    loaded = load_run(layout.weights(run), device, layout.preset.runs[run])
    return loaded.denoiser(clip=True), load(layout.dataset(layout.preset.runs[run].dataset))


def cell_of(layout: Layout, run: str) -> str:
    """The cell of Table 2 that a run is a seed of; the run's own name, if it is none."""
    table2 = options_of(layout).table2
    return run.rpartition("-")[0] if table2 and run in table2.samples else run


def drawn_of(layout: Layout, name: str) -> NDArray[Any]:
    """A set of ancestral samples as it was stored, in the order of their indices."""
    samples = layout.preset.samples[name]
    run = layout.preset.runs[samples.run]
    ((_, drawn),) = gather(samples, layout.shards(name), run.process.T, load(layout.dataset(run.dataset)).shape)
    return drawn
