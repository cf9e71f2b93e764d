"""Figure 4, the time to sample; and quality against seconds, which the paper lacks."""

import statistics
import time
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config import Timing
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.papers import tables
from rediffuse.papers.ddim.common import cells, options_of, outline, source
from rediffuse.papers.ddim.tables import seconds_a_step
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import LoadedRun, load_features, load_run
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import Cell, draw

OFTEN = 5
"""Timings a round of what is at least so many times as short as the longest."""


def fig4(layout: Layout, device: torch.device) -> None:
    """Seconds an image against the number of steps: the median of the timings, after one warm-up.

    A round goes through every S, so that a slow minute hits all; what is short is timed more often in it, since it varies more.
    """
    options = options_of(layout).fig4
    assert options
    loaded = load_run(layout.weights(options.run), device, layout.preset.runs[options.run])
    times = {S: min(max(options.steps) // S, OFTEN) for S in options.steps}
    jobs = [S for _ in range(options.repeats) for turn in range(OFTEN) for S in options.steps if turn < times[S]]
    seconds: dict[int, list[float]] = {S: [] for S in options.steps}
    _seconds(loaded, min(options.steps), options, device)
    timed = each(lambda S: _seconds(loaded, S, options, device), jobs, len(jobs), "time ddim", options.n)
    for S, taken in zip(jobs, timed, strict=True):
        seconds[S].append(taken)
    rows = [
        {
            "run": options.run,
            "steps": S,
            "seconds": statistics.median(times) / options.n,
            "seconds_min": min(times) / options.n,
            "seconds_max": max(times) / options.n,
            "n": options.n,
            "repeats": len(times),
        }
        for S, times in seconds.items()
    ]
    tables.write(layout.artifact("ddim", "fig4.csv"), pd.DataFrame(rows))


def _seconds(loaded: LoadedRun, S: int, options: Timing, device: torch.device) -> float:
    start = time.perf_counter()
    draw(loaded, Cell(S, 0.0, "linear", 0, clip=False), range(options.n), device).cpu()
    return time.perf_counter() - start


def frontier(layout: Layout, device: torch.device) -> None:
    """Frechet distance of DDPM and of every cell of the sweeps at one n, beside the seconds an image that Figure 4's line gives.

    And where an eta was also sampled at S = T, the distance as a share of that: from the same latents, its error is much smaller.
    """
    options = options_of(layout).frontier
    assert options
    name, data = source(layout, options.samples)
    T = layout.preset.runs[name].process.T
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    each_step, _ = seconds_a_step(tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4"))
    sets = [options.ddpm, *options.samples]
    n = min(layout.preset.samples[name].n for name in sets)
    keys = [(cell.steps, "DDPM" if cell.eta == "ancestral" else str(cell.eta)) for cell in outline(layout, sets)]
    first = {key: keys.index(key) for key in keys}  # another seed of a key is left out

    def measured(part: tuple[Cell, NDArray[Any]]) -> tuple[float, NDArray[Any], int]:
        """The distance, its resamples, and how often a sample took the network."""
        cell, drawn = part
        features = measure(classifier, data.as_x(drawn[:n])).features
        taken = T if cell.eta == "ancestral" else len(SUBSEQUENCES[cell.tau](T, cell.steps))
        return frechet_distance(Statistics.of(features), reference), frechet_bootstrap(features, reference), taken

    parts = (part for k, part in enumerate(cells(layout, sets)) if k == first[keys[k]])
    found = dict(zip(first, each(measured, parts, len(first), "frontier", unit="cells"), strict=True))
    distances, shares = [], []
    for (S, eta), (distance, resampled, taken) in found.items():
        about = {"dataset": data.name, "run": name, "eta": eta, "steps": S}
        about |= {"seconds": taken * each_step, "features": options.features, "unit": "", "n": n}
        distances.append(about | {"metric": "FID", "value": distance, "sd": resampled.std(ddof=1)})
        if S < T and (T, eta) in found:
            whole, whole_resampled, _ = found[T, eta]
            share = {"value": distance / whole, "sd": (resampled / whole_resampled).std(ddof=1)}
            shares.append(about | {"metric": "share of that at S = T"} | share)
    tables.write(layout.artifact("ddim", "frontier.csv"), pd.DataFrame(distances + shares))
