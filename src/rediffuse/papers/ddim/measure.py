"""Song et al. 2020: what is measured for its tables and figures."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config import Timing
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.files import write_arrays
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.progress import track
from rediffuse.runs import LoadedRun, load_features, load_run
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import Cell, draw, gather


def table1(layout: Layout, device: torch.device) -> None:
    """Frechet distance to the training set for every number of steps and every eta, and its rise from the eta before."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.table1
    name = _run(layout, options.samples)
    run = layout.preset.runs[name]
    data = load(layout.dataset(run.dataset))
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    rows: list[dict[str, Any]] = []
    before: tuple[int, float, NDArray[Any]] | None = None
    for cell, drawn in _cells(layout, options.samples, data):
        features = measure(classifier, data.as_x(drawn)).features
        distance = frechet_distance(Statistics.of(features), reference)
        resampled = frechet_bootstrap(features, reference)
        about = {
            "dataset": run.dataset,
            "run": name,
            "steps": cell.steps,
            "eta": str(cell.eta),
            "tau": cell.tau,
            "distinct": len(SUBSEQUENCES[cell.tau](run.process.T, cell.steps)),
            "clip": cell.clip,
            "features": options.features,
            "unit": "",
            "n": len(drawn),
        }
        rows.append(about | {"metric": "FID", "value": distance, "sd": resampled.std(ddof=1)})
        if before and before[0] == cell.steps:
            # Both cells start from the same latents: their difference is known better than either.
            rise, error = distance - before[1], (resampled - before[2]).std(ddof=1)
            rows.append(about | {"metric": "FID rise", "value": rise, "sd": error})
        before = cell.steps, distance, resampled
    columns = ["dataset", "run", "steps", "eta", "tau", "distinct", "clip", "features", "metric", "unit", "value", "sd", "n"]
    write(layout.measurements("ddim", "table1"), pd.DataFrame(rows)[columns])


def fig3(layout: Layout, device: torch.device) -> None:
    """The first samples of every eta at the steps asked for: the same column is the same latent x_T."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.fig3
    data = load(layout.dataset(layout.preset.runs[_run(layout, options.samples)].dataset))
    cells = _cells(layout, options.samples, data)
    images = {cell.key: data.as_x(drawn[: options.columns]) for cell, drawn in cells if cell.steps in options.steps}
    write_arrays(layout.artifact("ddim", "fig3.npz"), images)


def fig4(layout: Layout, device: torch.device) -> None:
    """Seconds an image against the number of steps: the median of the repeats, after one warm-up."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.fig4
    loaded = load_run(layout.weights(options.run), device, layout.preset.runs[options.run])
    jobs = [(S, repeat) for repeat in range(options.repeats) for S in options.steps]  # turn about: a slow minute hits every S
    seconds: dict[int, list[float]] = {S: [] for S in options.steps}
    _seconds(loaded, min(options.steps), options, device)
    for S, _ in track(jobs, len(jobs), "time ddim", options.n):
        seconds[S].append(_seconds(loaded, S, options, device))
    rows = [
        {
            "run": options.run,
            "steps": S,
            "seconds": statistics.median(times) / options.n,
            "seconds_min": min(times) / options.n,
            "seconds_max": max(times) / options.n,
            "n": options.n,
            "repeats": options.repeats,
        }
        for S, times in seconds.items()
    ]
    write(layout.artifact("ddim", "fig4.csv"), pd.DataFrame(rows))


def _run(layout: Layout, names: list[str]) -> str:
    """The run that sweeps come from; a preset's are of one."""
    return layout.preset.samples[names[0]].run


def _cells(layout: Layout, names: list[str], data: Prepared) -> Iterator[tuple[Cell, NDArray[Any]]]:
    """Every cell of several sweeps with its samples."""
    for name in names:
        samples = layout.preset.samples[name]
        yield from gather(samples, layout.shards(name), layout.preset.runs[samples.run].process.T, data.shape)


def _seconds(loaded: LoadedRun, S: int, options: Timing, device: torch.device) -> float:
    start = time.perf_counter()
    draw(loaded, Cell(S, 0.0, "linear", clip=False), range(options.n), 0, device).cpu()
    return time.perf_counter() - start


MEASURES = {"table1": table1, "fig3": fig3, "fig4": fig4}
