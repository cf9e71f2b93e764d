"""What several measurements of Song et al. 2020 share."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from rediffuse.config import DDIM
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.paths import Layout
from rediffuse.sampling import Cell, gather
from rediffuse.sampling import cells as cells_of


def options_of(layout: Layout) -> DDIM:
    assert layout.preset.papers.ddim
    return layout.preset.papers.ddim


def source(layout: Layout, names: list[str]) -> tuple[str, Prepared]:
    """The run that sets of samples come from, a preset's being of one, and its data."""
    name = layout.preset.samples[names[0]].run
    return name, load(layout.dataset(layout.preset.runs[name].dataset))


def cells(layout: Layout, names: list[str]) -> Iterator[tuple[Cell, NDArray[Any]]]:
    """Every cell of several sets of samples, as they were stored."""
    for name in names:
        samples = layout.preset.samples[name]
        run = layout.preset.runs[samples.run]
        yield from gather(samples, layout.shards(name), run.process.T, load(layout.dataset(run.dataset)).shape)


def outline(layout: Layout, names: list[str]) -> list[Cell]:
    """The same cells without their samples."""
    sets = [layout.preset.samples[name] for name in names]
    return [cell for samples in sets for cell in cells_of(samples, layout.preset.runs[samples.run].process.T)]
