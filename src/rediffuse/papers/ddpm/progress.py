"""Figure 10: the quality of x0-hat on the way from x_T to x_0. Figures 6 and 14 are its looks."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.files import write_arrays
from rediffuse.metrics.bits import mean_and_error
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.metrics.inception_score import inception_score
from rediffuse.metrics.spectrum import band_errors, settled_after
from rediffuse.papers.ddpm.common import denoiser_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_features
from rediffuse.samplers import ancestral
from rediffuse.samplers.ddim import Step
from rediffuse.samplers.noise import SampleNoise

CHUNK = 100
"""Chains at a time: their noise is their own, so it changes nothing but the memory."""


def fig10(layout: Layout, device: torch.device) -> None:
    """Frechet distance and inception score of x0-hat against the number of reverse steps; and when each spatial frequency is settled.

    Of the first chains x_t is kept beside x0-hat, and the schedule, for the picture that moves.
    """
    options = options_of(layout).fig10
    assert options
    denoiser, data = denoiser_of(layout, options.run, device)
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    T = denoiser.process.T
    times = sorted({round(t) for t in np.linspace(1, T, options.times)}, reverse=True)

    def chains(first: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """x0-hat at the times, and x_t of those chains that are drawn: both of shape (times, chains, *shape)."""
        noise = SampleNoise(options.seed, range(first, min(first + CHUNK, options.n)), data.shape, device)
        drawn = max(options.rows - first, 0)
        x_T = noise()
        kept: dict[int, NDArray[np.float32]] = {}
        on_way = {T: x_T[:drawn].cpu().numpy()}

        def keep(step: Step) -> None:
            if step.t in times:
                kept[step.t] = step.x0.cpu().numpy()
            if step.s in times:
                on_way[step.s] = step.x[:drawn].cpu().numpy()

        ancestral.sample(denoiser, x_T, noise, keep)
        return np.stack([kept[t] for t in times]), np.stack([on_way[t] for t in times])

    parts = each(chains, range(0, options.n, CHUNK), -(-options.n // CHUNK), "figure 10", CHUNK)
    x0, x_t = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    reference = Statistics.of(measure(classifier, data.x("train")).features)
    rows = []
    unsettled: dict[str, list[NDArray[np.float64]]] = {}
    for t, images in zip(times, x0, strict=True):
        measured = measure(classifier, images)
        score, score_sd = inception_score(measured.log_probabilities)
        distance = frechet_distance(Statistics.of(measured.features), reference)
        sd = float(frechet_bootstrap(measured.features, reference).std(ddof=1))
        about = {"dataset": data.name, "run": options.run, "features": options.features, "t": t, "steps": T - t + 1, "n": options.n}
        rows += [about | {"metric": "IS", "value": score, "sd": score_sd}, about | {"metric": "FID", "value": distance, "sd": sd}]
        for band, errors in band_errors(images, x0[-1]).items():
            value, error = mean_and_error(errors)
            rows.append(about | {"metric": f"unsettled, {band}", "value": value, "sd": error})
            unsettled.setdefault(band, []).append(errors)
    after = {band: settled_after(np.stack(errors), T + 1 - np.array(times)) for band, errors in unsettled.items()}
    after["detail less large scale"] = after["detail"] - after["large scale"]
    for band, values in after.items():
        value, error = mean_and_error(values)
        about = {"dataset": data.name, "run": options.run, "steps": T, "n": options.n}
        rows.append(about | {"metric": f"settled after, {band}", "value": value, "sd": error})
    write(layout.artifact("ddpm", "fig10.csv"), pd.DataFrame(rows))
    images = {"times": np.array(times), "x0": x0[:, : options.rows], "x_t": x_t, "beta": denoiser.process.beta.cpu().numpy()}
    write_arrays(layout.artifact("ddpm", "fig10.npz"), images)
