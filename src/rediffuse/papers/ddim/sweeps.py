"""Table 1, with both conventions of tau; and looks at the same samples, Figures 3 and 7."""

from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config.ddim import SweepTable
from rediffuse.files import write_arrays
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.papers.ddim.common import cells, options_of, outline, source
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_features
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import Cell


def table1(layout: Layout, device: torch.device) -> None:
    """With the tau of the paper's formula."""
    options = options_of(layout).table1
    assert options
    write(layout.measurements("ddim", "table1"), distances(layout, options, device))


def table1_released(layout: Layout, device: torch.device) -> None:
    """With the tau of the released code, which ends at 0.8 T where it is quadratic."""
    options = options_of(layout).table1_released
    assert options
    write(layout.measurements("ddim", "table1_released"), distances(layout, options, device))


def distances(layout: Layout, options: SweepTable, device: torch.device) -> pd.DataFrame:
    """Frechet distance to the training set of every cell, and its rise from the row before, which starts from the same latents."""
    name, data = source(layout, options.samples)
    run = layout.preset.runs[name]
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    reference = Statistics.of(measure(classifier, data.x("train")).features)

    def measured(part: tuple[Cell, NDArray[Any]]) -> tuple[dict[str, Any], float, NDArray[Any]]:
        cell, drawn = part
        features = measure(classifier, data.as_x(drawn)).features
        about = {"dataset": run.dataset, "run": name, "steps": cell.steps, "eta": str(cell.eta), "tau": cell.tau, "seed": cell.seed}
        about |= {"distinct": len(SUBSEQUENCES[cell.tau](run.process.T, cell.steps)), "clip": cell.clip, "features": options.features}
        about |= {"unit": "", "n": len(drawn)}
        return about, frechet_distance(Statistics.of(features), reference), frechet_bootstrap(features, reference)

    rows: list[dict[str, Any]] = []
    before: dict[tuple[int, int], tuple[float, NDArray[Any]]] = {}
    n = len(outline(layout, options.samples))
    for about, distance, resampled in each(measured, cells(layout, options.samples), n, "distances", unit="cells"):
        rows.append(about | {"metric": "FID", "value": distance, "sd": resampled.std(ddof=1)})
        key = about["steps"], about["seed"]
        if key in before:
            # Both start from the same latents: their difference is known better than either.
            lower, lower_resampled = before[key]
            rows.append(about | {"metric": "FID rise", "value": distance - lower, "sd": (resampled - lower_resampled).std(ddof=1)})
        before[key] = distance, resampled
    columns = ["dataset", "run", "steps", "eta", "tau", "distinct", "clip", "seed", "features", "metric", "unit", "value", "sd", "n"]
    return pd.DataFrame(rows)[columns]


def fig3(layout: Layout, device: torch.device) -> None:
    """The first samples of every row at the steps asked for: the same column is the same latent x_T."""
    options = options_of(layout).fig3
    assert options
    _, data = source(layout, options.samples)
    images: dict[str, Any] = {}
    for cell, drawn in cells(layout, options.samples):
        if cell.steps in options.steps:
            images.setdefault(f"S{cell.steps}-{cell.eta}", data.as_x(drawn[: options.columns]))
    write_arrays(layout.artifact("ddim", "fig3.npz"), images)


def fig7(layout: Layout, device: torch.device) -> None:
    """Samples of DDPM, and of DDIM at two numbers of steps, from the first latents of each."""
    options = options_of(layout).fig7
    assert options
    _, data = source(layout, [options.ddpm])
    n = options.rows * options.columns
    ((ancestral, drawn),) = cells(layout, [options.ddpm])
    images = {f"DDPM, {ancestral.steps} steps": data.as_x(drawn[:n])}
    of = {cell.steps: drawn for cell, drawn in cells(layout, options.samples) if cell.eta == 0}
    images |= {f"DDIM, {S} steps": data.as_x(of[S][:n]) for S in options.steps}
    write_arrays(layout.artifact("ddim", "fig7.npz"), images)
