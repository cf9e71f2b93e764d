"""Table 2: dead leaves beside Gaussian baselines, and digits by a Parzen window."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.datasets.prepared import Prepared, load
from rediffuse.metrics import parzen
from rediffuse.metrics.bits import BIT, Array
from rediffuse.metrics.gaussians import FullGaussian, GaussianScaleMixture
from rediffuse.papers.sohl2015.bounds import bound
from rediffuse.papers.sohl2015.common import loaded, mean, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.sampling import Cell, gather

SIGMAS = np.geomspace(0.02, 0.5, 9)
"""Bandwidths from which the search begins, on pixels in [0, 1]."""
PERFECT = '"perfect model"'


def table2(layout: Layout, device: torch.device) -> None:
    """Every row of both halves, and the difference of each to its half's reference: the mixture, and the perfect model."""
    rows = [*_leaves(layout, device), *_digits(layout)]
    write(layout.measurements("sohl2015", "table2"), pd.DataFrame(rows))


def _leaves(layout: Layout, device: torch.device) -> list[dict[str, Any]]:
    """bits/pixel of the same dequantised test images: two Gaussian densities, and K of the diffusion model, a lower bound."""
    options = options_of(layout)
    assert options.table2
    if options.table2.leaves is None:
        return []
    assert options.table1
    run, data = loaded(layout, options.table2.leaves, device)
    x = data.x("test")[: options.table1.n]
    K, _ = bound(run, x, options.table1.strata, options.table1.seed, device)
    train, test = (images.reshape(len(images), -1).astype(np.float64) for images in (data.x("train"), x))
    models = {
        "full-covariance Gaussian": FullGaussian.fit(train).log_likelihood(test) / BIT,
        "Gaussian scale mixture": GaussianScaleMixture.fit(train, options.table2.scales).log_likelihood(test) / BIT,
        "diffusion": K,
    }
    about = {"dataset": data.name, "run": options.table2.leaves, "unit": "bits/pixel", "n": len(x)}
    rows = []
    for model, bits in models.items():
        metrics = {"log-likelihood": bits, "diffusion - model": K - bits}
        rows += [about | {"model": model, "metric": metric} | mean(values / data.dims) for metric, values in metrics.items()]
    return rows


def _digits(layout: Layout) -> list[dict[str, Any]]:
    """The Parzen-window score of test images under samples, and under sets that are no model at all, in nats and in bits an image.

    Sets are as large as the perfect model's, where they can be; k-means centres have as many training images beside them. Each set's own
    bandwidth is chosen on the same validation images, which no model was scored on.
    """
    options = options_of(layout).table2
    assert options
    drawn, run_of, data = {}, {}, None
    for name in (options.digits, *options.also):
        samples = layout.preset.samples[name]
        data_of_run = load(layout.dataset(layout.preset.runs[samples.run].dataset))
        data = data or data_of_run
        for cell, images in gather(samples, layout.shards(name), layout.preset.runs[samples.run].process.T, data_of_run.shape):
            model = "diffusion" if name == options.digits else _words(name, cell)
            drawn[model], run_of[model] = (images, data_of_run), samples.run
    assert data
    x_train = data.inside(data.arrays["x_train"])
    shape = x_train.shape[1:]
    train, test = pixels(data, x_train), pixels(data, data.inside(data.arrays["x_test"]))
    centres, validation = train[: -options.validation][: options.centres], train[-options.validation :]
    models = {
        PERFECT: centres,
        **{model: pixels(its, its.inside(images))[: len(centres)] for model, (images, its) in drawn.items()},
        f"{options.kmeans} training images": centres[: options.kmeans],
        f"{options.kmeans} k-means centres": parzen.kmeans_centres(centres, options.kmeans, 0),
        f"training images, blurred by {options.blur:g} pixels": parzen.blurred(centres.reshape(-1, *shape), options.blur).reshape(
            len(centres), -1
        ),
    }

    def score(those: Array) -> tuple[float, Array]:
        sigma = parzen.bandwidth(validation, those, SIGMAS)
        return sigma, parzen.log_likelihood(test, those, sigma)

    scored = dict(zip(models, each(score, models.values(), len(models), "Parzen windows", unit="sets"), strict=True))
    rows = []
    for model, (sigma, scores) in scored.items():
        about: dict[str, Any] = {
            "dataset": data.name,
            "run": run_of.get(model, ""),
            "model": model,
        }
        about |= {"n": len(test), "centres": len(models[model]), "bandwidth": round(sigma, 4)}
        numbers = {("log-likelihood in nats", "nats"): scores, ("log-likelihood", "bits"): scores / BIT}
        numbers[("model - perfect", "bits")] = (scores - scored[PERFECT][1]) / BIT
        rows += [about | {"metric": metric, "unit": unit} | mean(values) for (metric, unit), values in numbers.items()]
    return rows


def _words(samples: str, cell: Cell) -> str:
    """What a row of other samples is called; of a sweep, how they were drawn as well."""
    return f"samples {samples}" if cell.eta == "ancestral" else f"samples {samples}, S = {cell.steps}, eta = {cell.eta}"


def pixels(data: Prepared, levels: NDArray[Any]) -> Array:
    """Grey levels as numbers in [0, 1], shape (n, pixels)."""
    assert data.levels
    return levels.reshape(len(levels), -1).astype(np.float64) / (data.levels - 1)
