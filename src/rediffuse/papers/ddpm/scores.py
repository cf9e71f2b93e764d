"""Table 1: inception score, Frechet distance and bits a dimension of each run."""

from typing import Any

import pandas as pd
import torch

from rediffuse.datasets.prepared import Prepared, load
from rediffuse.metrics.bits import mean_and_error, variational_bound
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.metrics.inception_score import inception_score
from rediffuse.papers.ddpm.common import drawn_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import discretised_decoder, log_mass_tanh
from rediffuse.runs import load_features, load_run

ROWS = {
    ("simple", "eps", True): "Ours (L_simple)",
    ("bound", "eps", True): "Ours (L, fixed isotropic Sigma)",
}
"""(objective, what is predicted, whether the variance is fixed) -> the row of Table 1."""


def table1(layout: Layout, device: torch.device) -> None:
    """Inception score, Frechet distance and bits a dimension of every run that the table names."""
    options = options_of(layout).table1
    assert options
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    rows: list[dict[str, Any]] = []
    for name in options.samples:
        samples = layout.preset.samples[name]
        run = layout.preset.runs[samples.run]
        data = load(layout.dataset(run.dataset))
        about = {
            "dataset": run.dataset,
            "run": samples.run,
            "row": ROWS.get((run.objective, run.predicts, run.variance != "learned"), f"{run.objective}, {run.predicts}, {run.variance}"),
            "variance": run.variance,
        }
        drawn = drawn_of(layout, name)
        measured = measure(classifier, data.as_x(drawn))
        score, score_sd = inception_score(measured.log_probabilities)
        sampled = about | {"clip": True, "features": options.features, "n": samples.n, "unit": ""}
        rows.append(sampled | {"split": "", "metric": "IS", "value": score, "sd": score_sd})
        for split in ("train", "test"):
            reference = Statistics.of(measure(classifier, data.x(split)).features)
            distance = frechet_distance(Statistics.of(measured.features), reference)
            sd = frechet_bootstrap(measured.features, reference).std(ddof=1)
            rows.append(sampled | {"split": split, "metric": "FID", "value": distance, "sd": sd})
        for split in ("test", "train"):
            rows += [about | row for row in likelihood(layout, samples.run, data, split, device)]
    columns = ["dataset", "run", "row", "variance", "split", "clip", "decoder", "features", "metric", "unit", "value", "sd", "n"]
    write(layout.measurements("ddpm", "table1"), pd.DataFrame(rows).reindex(columns=columns).fillna({"decoder": "", "features": ""}))


def likelihood(layout: Layout, name: str, data: Prepared, split: str, device: torch.device) -> list[dict[str, Any]]:
    """The negative bound in bits a dimension by the published protocol (x0-hat clipped, tanh decoder) and with the exact decoder."""
    options = options_of(layout).table1
    assert options and data.levels
    x0 = torch.from_numpy(data.x(split)[: options.n]).to(device)
    denoiser = load_run(layout.weights(name), device, layout.preset.runs[name]).denoiser(clip=True)
    decoders = {"tanh": discretised_decoder(data.levels, log_mass_tanh), "exact": discretised_decoder(data.levels)}
    bounds = variational_bound(denoiser, decoders, x0, min(options.strata, denoiser.process.T - 1), options.seed)
    rows = []
    for decoder, bound in bounds.items():
        value, error = mean_and_error(bound.bits() / data.dims)
        row = {"split": split, "clip": True, "decoder": decoder, "unit": "bits/dim", "value": value, "sd": error, "n": len(x0)}
        rows.append(row | {"metric": "NLL" if decoder == "tanh" else "NLL, exact decoder"})
    return rows
