"""Table 2: what the network predicts, and what it is trained on."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config.ddpm import CELLS, Cell
from rediffuse.datasets.prepared import load
from rediffuse.errors import DivergedError
from rediffuse.files import Arrays, write_arrays
from rediffuse.papers.ddpm.common import drawn_of, options_of
from rediffuse.papers.ddpm.scores import references_of, sample_scores
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_features, load_run

SHOWN = 8
"""Samples of a cell that are drawn."""
NOISE = "no nearer to the data than noise"


def table2(layout: Layout, device: torch.device) -> None:
    """Inception score and Frechet distance of every seed of every cell, and of noise; a run that diverged has no numbers, but a row.

    A run whose samples are no nearer to the training set than standard normal noise is marked unstable like one that diverged: the
    paper tells of "poor samples with out-of-range scores".
    """
    options = options_of(layout).table2
    assert options
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    data = load(layout.dataset(options.dataset))
    about = {"dataset": options.dataset, "features": options.features}
    noise = data.to_levels(np.random.Generator(np.random.PCG64(0)).standard_normal((options.n, *data.shape)).astype(np.float32))
    references = references_of(classifier, data, ["train"])
    floor = sample_scores(classifier, data.as_x(noise), references)
    rows: list[dict[str, Any]] = [about | {"target": "noise", "objective": "none", "seed": "", "unstable": ""} | row for row in floor]
    farthest = next(row["value"] for row in floor if row["metric"] == "FID")
    shown: Arrays = {"data": data.x("train")[:SHOWN], "noise": data.as_x(noise[:SHOWN])}

    def measured(part: tuple[Cell, int]) -> tuple[list[dict[str, Any]], NDArray[np.float32] | None]:
        """The rows of a seed of a cell, and its first samples if it has any."""
        cell, seed = part
        run = f"{cell.name}-{seed}"
        row = about | {"target": cell.predicts, "objective": objective(cell), "run": cell.name, "seed": seed}
        try:
            load_run(layout.weights(run), device, layout.preset.runs[run])
        except DivergedError as error:
            why = f"diverged by step {error.step}"
            return [row | {"metric": metric, "unit": "", "n": 0, "unstable": why} for metric in ("IS", "FID")], None
        x = data.as_x(drawn_of(layout, run))
        scores = sample_scores(classifier, x, references)
        unstable = next(score["value"] for score in scores if score["metric"] == "FID") >= farthest
        return [row | score | {"unstable": NOISE if unstable else ""} for score in scores], x[:SHOWN]

    parts = [(cell, seed) for cell in CELLS for seed in options.seeds]
    for (cell, _), (those, first) in zip(parts, each(measured, parts, len(parts), "table 2", unit="runs"), strict=True):
        rows += those
        if first is not None:
            shown.setdefault(cell.name, first)
    columns = ["dataset", "run", "target", "objective", "seed", "features", "unstable", "metric", "unit", "value", "sd", "n"]
    write(layout.measurements("ddpm", "table2"), pd.DataFrame(rows).reindex(columns=columns))
    write_arrays(layout.artifact("ddpm", "table2.npz"), shown)


def objective(cell: Cell) -> str:
    """As Table 2 words it."""
    return "unweighted MSE" if cell.objective == "simple" else f"L, {'learned' if cell.learned else 'fixed'} Sigma"
