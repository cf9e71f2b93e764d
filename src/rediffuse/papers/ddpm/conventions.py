"""What the conventions change that the published code has and the paper does not say. (Ours; no paper has this table.)

The bound is evaluated on the same images, times and noise, the samples are drawn with the same noise, so that differences have errors of
their own.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.metrics.bits import Array, mean_and_error, variational_bound
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.papers.ddpm.common import denoiser_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import discretised_decoder
from rediffuse.processes.denoiser import Variance
from rediffuse.resume import each
from rediffuse.runs import load_features
from rediffuse.samplers import ancestral
from rediffuse.samplers.noise import SampleNoise

CHUNK = 500
"""Samples drawn at a time."""
PUBLISHED, NO_CLIP, OTHER, TRUNCATED = "as published", "x0-hat not clipped", "the other fixed variance", "samples truncated"


def conventions(layout: Layout, device: torch.device) -> None:
    """Bits a dimension and Frechet distance of one run: as published, with x0-hat left as it is, with the other fixed variance, and of the
    samples truncated to grey levels."""
    options = options_of(layout).conventions
    assert options
    published, data = denoiser_of(layout, options.run, device)
    levels = data.levels
    assert levels
    other: Variance = "fixed-small" if published.variance == "fixed-large" else "fixed-large"
    denoisers = {PUBLISHED: published, NO_CLIP: replace(published, clip=False), OTHER: replace(published, variance=other)}
    x0 = torch.from_numpy(data.x("test")[: options.n]).to(device)
    decoders = {"exact": discretised_decoder(levels)}
    strata = min(options.strata, published.process.T - 1)

    def bits(convention: str) -> Array:
        return variational_bound(denoisers[convention], decoders, x0, strata, options.seed)["exact"].bits() / data.dims

    def samples(part: tuple[str, int]) -> dict[str, NDArray[np.uint8]]:
        """A convention's samples from one index on, as grey levels: the published one's truncated, too."""
        convention, first = part
        noise = SampleNoise(options.seed, range(first, min(first + CHUNK, options.draws)), data.shape, device)
        x = ancestral.sample(denoisers[convention], noise(), noise).cpu().numpy()
        cut = {TRUNCATED: truncated(x, data.multiply, data.add, levels)} if convention == PUBLISHED else {}
        return {convention: data.to_levels(x)} | cut

    found = dict(zip(denoisers, each(bits, denoisers, len(denoisers), "bits", len(x0)), strict=True))
    rows: list[dict[str, Any]] = []
    for convention, bound in found.items():
        scores = {"NLL": bound} | ({} if convention == PUBLISHED else {"NLL less as published": bound - found[PUBLISHED]})
        for metric, values in scores.items():
            value, error = mean_and_error(values)
            rows.append({"row": convention, "metric": metric, "unit": "bits/dim", "value": value, "sd": error, "n": len(x0)})

    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    parts = [(convention, first) for convention in denoisers for first in range(0, options.draws, CHUNK)]
    drawn = each(samples, parts, len(parts), "conventions", min(CHUNK, options.draws))
    for convention in (*denoisers, TRUNCATED):
        grey = np.concatenate([part[convention] for part in drawn if convention in part])
        features = measure(classifier, data.as_x(grey)).features
        distance, sd = frechet_distance(Statistics.of(features), reference), frechet_bootstrap(features, reference).std(ddof=1)
        rows.append({"row": convention, "metric": "FID", "unit": "", "value": distance, "sd": sd, "n": len(grey)})
    about = {"dataset": data.name, "run": options.run, "variance": published.variance, "features": options.features}
    write(layout.measurements("ddpm", "conventions"), pd.DataFrame([about | row for row in rows]))


def truncated(x: NDArray[Any], multiply: float, add: float, levels: int) -> NDArray[np.uint8]:
    """Samples as grey levels as the published code stores them: clipped, and cut off below the point."""
    return np.floor(np.clip((x - add) / multiply, 0, levels - 1)).astype(np.uint8)
