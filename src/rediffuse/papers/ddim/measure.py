"""Song et al. 2020: what is measured for its tables and figures."""

import statistics
import time

import pandas as pd
import torch

from rediffuse.config import SweepSamples, Timing
from rediffuse.datasets.prepared import load
from rediffuse.files import write_arrays
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_distance, frechet_sd
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.progress import track
from rediffuse.runs import LoadedRun, load_features, load_run
from rediffuse.sampling import Cell, draw, gather


def table1(layout: Layout, device: torch.device) -> None:
    """Frechet distance to the training set for every number of steps and every eta."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.table1
    samples = layout.preset.samples[options.samples]
    assert isinstance(samples, SweepSamples)
    run = layout.preset.runs[samples.run]
    data = load(layout.dataset(run.dataset))
    classifier = load_features(layout.weights(options.features), device)
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    rows = []
    for cell, drawn in gather(samples, layout.shards(options.samples), run.process.T, data.shape):
        features = measure(classifier, data.as_x(drawn)).features
        rows.append(
            {
                "dataset": run.dataset,
                "run": samples.run,
                "steps": cell.steps,
                "eta": cell.eta,
                "tau": cell.tau,
                "clip": "yes" if cell.clip else "no",
                "features": options.features,
                "metric": "FID",
                "unit": "",
                "value": frechet_distance(Statistics.of(features), reference),
                "sd": frechet_sd(features, reference),
                "n": samples.n,
            }
        )
    write(layout.measurements("ddim", "table1"), pd.DataFrame(rows))


def fig3(layout: Layout, device: torch.device) -> None:
    """The first samples of every eta at the steps asked for: the same column is the same latent x_T."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.fig3
    samples = layout.preset.samples[options.samples]
    run = layout.preset.runs[samples.run]
    data = load(layout.dataset(run.dataset))
    cells = gather(samples, layout.shards(options.samples), run.process.T, data.shape)
    images = {cell.key: data.as_x(drawn[: options.columns]) for cell, drawn in cells if cell.steps in options.steps}
    write_arrays(layout.artifact("ddim", "fig3.npz"), images)


def fig4(layout: Layout, device: torch.device) -> None:
    """Seconds an image against the number of steps: the median of the repeats, after one warm-up."""
    assert layout.preset.papers.ddim
    options = layout.preset.papers.ddim.fig4
    loaded = load_run(layout.weights(options.run), device)
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


def _seconds(loaded: LoadedRun, S: int, options: Timing, device: torch.device) -> float:
    start = time.perf_counter()
    draw(loaded, Cell(S, 0.0, "linear", clip=False), range(options.n), 0, device).cpu()
    return time.perf_counter() - start


MEASURES = {"table1": table1, "fig3": fig3, "fig4": fig4}
