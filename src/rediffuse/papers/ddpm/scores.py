"""Table 1: inception score, Frechet distance and bits a dimension of each run."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config import Run
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.errors import DivergedError
from rediffuse.metrics.bits import mean_and_error, variational_bound
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.metrics.inception_score import inception_score
from rediffuse.networks.classifier import Classifier
from rediffuse.networks.inception import Inception
from rediffuse.papers.ddpm.common import cell_of, drawn_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import discretised_decoder, log_mass_tanh
from rediffuse.resume import each
from rediffuse.runs import load_features, load_run

ROWS = {
    ("simple", "eps", True): "Ours (L_simple)",
    ("bound", "eps", True): "Ours (L, fixed isotropic Sigma)",
}
"""(objective, what is predicted, whether the variance is fixed) -> the row of Table 1."""


def table1(layout: Layout, device: torch.device) -> None:
    """Inception score, Frechet distance and bits a dimension of every run that the table names, and of the cells that it shares.

    Samples of weights that were kept on the way have no likelihood. A run that diverged has no rows here; Table 2 tells of it.
    """
    paper = options_of(layout)
    assert paper.table1
    features = paper.table1.features
    classifier = load_features(layout.weights(features), device, layout.preset.features[features])

    @cache
    def references(dataset: str) -> dict[str, Statistics]:
        return references_of(classifier, load(layout.dataset(dataset)), ("train", "test"))

    def scores(name: str) -> list[dict[str, Any]]:
        samples = layout.preset.samples[name]
        run = layout.preset.runs[samples.run]
        data = load(layout.dataset(run.dataset))
        about: dict[str, Any] = {"dataset": run.dataset, "run": cell_of(layout, samples.run), "row": row_of(run)}
        about |= {"variance": run.variance, "seed": run.training.seed, "step": samples.step or run.training.steps}
        try:
            load_run(layout.weights(samples.run), device, run)
        except DivergedError:
            return []
        sampled = about | {"clip": True, "features": features}
        rows = [sampled | row for row in sample_scores(classifier, data.as_x(drawn_of(layout, name)), references(run.dataset))]
        if samples.step:
            return rows
        likelihoods = [row for split in ("test", "train") for row in likelihood(layout, samples.run, data, split, device)]
        return rows + [about | row for row in likelihoods]

    names = paper.scored()
    rows = [row for those in each(scores, names, len(names), "table 1", unit="runs") for row in those]
    about = ["dataset", "run", "row", "variance", "seed", "step", "split", "clip", "decoder", "features"]
    columns = [*about, "metric", "unit", "value", "sd", "n"]
    write(layout.measurements("ddpm", "table1"), pd.DataFrame(rows).reindex(columns=columns).fillna({"decoder": "", "features": ""}))


def row_of(run: Run) -> str:
    """The row of Table 1 that a run is; in words, where it is none."""
    fixed = run.variance in ("fixed-small", "fixed-large")
    return ROWS.get((run.objective, run.predicts, fixed), f"{run.objective}, {run.predicts}, {run.variance}")


def references_of(classifier: Classifier | Inception, data: Prepared, splits: Sequence[str]) -> dict[str, Statistics]:
    """Of splits of the data, what the distance to them needs."""
    return {split: Statistics.of(measure(classifier, data.x(split)).features) for split in splits}


def sample_scores(classifier: Classifier | Inception, x: NDArray[Any], references: Mapping[str, Statistics]) -> list[dict[str, Any]]:
    """Inception score, and Frechet distance to splits of the data, of samples as networks see them."""
    measured = measure(classifier, x)
    score, score_sd = inception_score(measured.log_probabilities)
    about = {"n": len(x), "unit": ""}
    rows = [about | {"split": "", "metric": "IS", "value": score, "sd": score_sd}]
    for split, reference in references.items():
        distance = frechet_distance(Statistics.of(measured.features), reference)
        sd = frechet_bootstrap(measured.features, reference).std(ddof=1)
        rows.append(about | {"split": split, "metric": "FID", "value": distance, "sd": sd})
    return rows


def likelihood(layout: Layout, name: str, data: Prepared, split: str, device: torch.device) -> list[dict[str, Any]]:
    """The negative bound in bits a dimension by the published protocol (x0-hat clipped, tanh decoder), with the exact decoder, and how
    much the published one adds, by the same draws."""
    options = options_of(layout).table1
    assert options and data.levels
    x0 = torch.from_numpy(data.x(split)[: options.n]).to(device)
    denoiser = load_run(layout.weights(name), device, layout.preset.runs[name]).denoiser(clip=True)
    decoders = {"tanh": discretised_decoder(data.levels, log_mass_tanh), "exact": discretised_decoder(data.levels)}
    bounds = variational_bound(denoiser, decoders, x0, min(options.strata, denoiser.process.T - 1), options.seed)
    bits = {decoder: bound.bits() / data.dims for decoder, bound in bounds.items()}
    values = {
        ("NLL", "tanh"): bits["tanh"],
        ("NLL, exact decoder", "exact"): bits["exact"],
        ("NLL, published less exact", "tanh less exact"): bits["tanh"] - bits["exact"],
    }
    rows = []
    for (metric, decoder), value in values.items():
        mean, error = mean_and_error(value)
        row = {"split": split, "clip": True, "decoder": decoder, "metric": metric, "unit": "bits/dim"}
        rows.append(row | {"value": mean, "sd": error, "n": len(x0)})
    return rows
