"""Figures 5, 6 and 11: what one latent becomes at several numbers of steps, and what lies between latents."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.files import write_arrays
from rediffuse.metrics.bits import mean_and_error
from rediffuse.metrics.features import measure
from rediffuse.papers.ddim.common import options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_features, load_run
from rediffuse.samplers import ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.slerp import grid, slerp
from rediffuse.samplers.steps import linear
from rediffuse.sampling import Cell, draw

SHARES = [k / 10 for k in range(11)]
SIDE = 7
"""Images along a side of Figure 11's grid."""


def fig5(layout: Layout, device: torch.device) -> None:
    """The same latents at several numbers of steps, and how far their images' features are apart: from those at the most steps, and, for
    comparison, of two latents at those."""
    options = options_of(layout).fig5
    assert options
    run = layout.preset.runs[options.run]
    loaded = load_run(layout.weights(options.run), device, run)
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])

    def decoded(S: int) -> NDArray[np.float32]:
        return draw(loaded, Cell(S, 0.0, "linear", options.seed, clip=False), range(options.n), device).float().cpu().numpy()

    drawn = each(decoded, options.steps, len(options.steps), "figure 5", unit="numbers of steps")
    images = dict(zip(options.steps, drawn, strict=True))
    features = {S: measure(classifier, x).features.astype(np.float64) for S, x in images.items()}
    most = options.steps[-1]
    others = ((features[most] - np.roll(features[most], 1, axis=0)) ** 2).sum(1)
    about = {"dataset": run.dataset, "run": options.run, "features": options.features, "unit": "squared", "n": options.n}
    rows: list[dict[str, Any]] = []
    for S in options.steps[:-1]:
        apart = ((features[S] - features[most]) ** 2).sum(1)
        value, error = mean_and_error(apart)
        rows.append(about | {"steps": S, "metric": "feature distance, same latent", "value": value, "sd": error})
        share, share_error = ratio(apart, others)
        rows.append(about | {"steps": S, "metric": "of that of two latents", "unit": "", "value": share, "sd": share_error})
    value, error = mean_and_error(others)
    rows.append(about | {"steps": most, "metric": "feature distance, two latents", "value": value, "sd": error})
    write(layout.artifact("ddim", "fig5.csv"), pd.DataFrame(rows))
    write_arrays(layout.artifact("ddim", "fig5.npz"), {f"S{S}": x[: options.columns] for S, x in images.items()})


def ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """mean(a) / mean(b) and its standard error, by the delta method, of values that come in pairs."""
    share = a.mean() / b.mean()
    return float(share), float((a - share * b).std(ddof=1) / (b.mean() * len(a) ** 0.5))


def fig6(layout: Layout, device: torch.device) -> None:
    """Images of latents on lines between two (Figure 6), and on a grid between four (Figure 11)."""
    options = options_of(layout).fig6
    assert options
    run = layout.preset.runs[options.run]
    loaded = load_run(layout.weights(options.run), device, run)
    denoiser, shape = loaded.denoiser(), loaded.about.shape
    tau = linear(loaded.T, options.steps)
    ends = SampleNoise(options.seed, range(2 * options.lines), shape, device)()
    corners = SampleNoise(options.seed, range(2 * options.lines, 2 * options.lines + 4), shape, device)()
    lines = slerp(ends[::2], ends[1::2], SHARES).transpose(0, 1)
    latents = torch.cat([lines.flatten(0, 1), grid(corners, SIDE, SIDE).flatten(0, 1)])
    x = ddim.sample(denoiser, latents, tau, 0.0, SampleNoise(0, [], shape)).cpu().numpy()
    n = options.lines * len(SHARES)
    write_arrays(
        layout.artifact("ddim", "fig6.npz"),
        {"lines": x[:n].reshape(options.lines, len(SHARES), *shape), "grid": x[n:].reshape(SIDE, SIDE, *shape)},
    )
