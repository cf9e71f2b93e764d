"""Figure 4, the time to sample; and quality against seconds, which the paper lacks."""

import statistics
import time
from typing import Any

import pandas as pd
import torch

from rediffuse.config import Timing
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.papers import tables
from rediffuse.papers.ddim.common import cells, options_of, source
from rediffuse.papers.ddim.tables import seconds_a_step
from rediffuse.paths import Layout
from rediffuse.progress import track
from rediffuse.runs import LoadedRun, load_features, load_run
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import Cell, draw


def fig4(layout: Layout, device: torch.device) -> None:
    """Seconds an image against the number of steps: the median of the repeats, after one warm-up."""
    options = options_of(layout).fig4
    assert options
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
    tables.write(layout.artifact("ddim", "fig4.csv"), pd.DataFrame(rows))


def _seconds(loaded: LoadedRun, S: int, options: Timing, device: torch.device) -> float:
    start = time.perf_counter()
    draw(loaded, Cell(S, 0.0, "linear", 0, clip=False), range(options.n), device).cpu()
    return time.perf_counter() - start


def frontier(layout: Layout, device: torch.device) -> None:
    """Frechet distance of DDPM and of every cell of the sweeps at one n, beside the seconds an image that Figure 4's line gives."""
    options = options_of(layout).frontier
    assert options
    name, data = source(layout, options.samples)
    T = layout.preset.runs[name].process.T
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    each, _ = seconds_a_step(tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4"))
    sets = [options.ddpm, *options.samples]
    n = min(layout.preset.samples[name].n for name in sets)
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, str]] = set()
    for cell, drawn in cells(layout, sets):
        if (cell.steps, str(cell.eta)) in seen:  # another seed
            continue
        seen.add((cell.steps, str(cell.eta)))
        features = measure(classifier, data.as_x(drawn[:n])).features
        distance, sd = frechet_distance(Statistics.of(features), reference), frechet_bootstrap(features, reference).std(ddof=1)
        taken = T if cell.eta == "ancestral" else len(SUBSEQUENCES[cell.tau](T, cell.steps))
        about = {"dataset": data.name, "run": name, "eta": "DDPM" if cell.eta == "ancestral" else str(cell.eta), "steps": cell.steps}
        about |= {"seconds": taken * each, "features": options.features, "metric": "FID", "unit": "", "n": n}
        rows.append(about | {"value": distance, "sd": sd})
    tables.write(layout.artifact("ddim", "frontier.csv"), pd.DataFrame(rows))
