"""Table 4 and Figure 5: progressive coding. And the bound term by term."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from rediffuse.files import Arrays, write_arrays
from rediffuse.metrics.bits import mean_and_error
from rediffuse.metrics.coding import Coding, code
from rediffuse.papers.ddpm.common import denoiser_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import discretised_decoder, log_mass_tanh
from rediffuse.processes.denoiser import Denoiser

ROWS = 10
"""Rows of Table 4: at every tenth of T."""


def table4(layout: Layout, device: torch.device) -> None:
    """Rate and distortion of the first run on test images; of every run, each term of the bound."""
    options = options_of(layout).table4
    assert options
    rows: list[dict[str, Any]] = []
    curves: Arrays = {}
    for name in options.runs:
        denoiser, data = denoiser_of(layout, name, device)
        assert data.levels
        x0 = torch.from_numpy(data.x("test")[: options.n]).to(device)
        coded = code(denoiser, discretised_decoder(data.levels, log_mass_tanh), x0, options.seed, f"code with {name}")
        if not rows:
            about = {"dataset": data.name, "run": name, "T": denoiser.process.T, "n": len(x0)}
            rows = [about | row for row in rate_and_distortion(coded, data.dims)]
            curves["rate"], curves["rmse"] = coded.rate.mean(1) / data.dims, rmse(coded).mean(1)
        curves |= {f"terms of {name}": coded.terms.mean(1) / data.dims, f"weights of {name}": weights(denoiser)}
    write(layout.measurements("ddpm", "table4"), pd.DataFrame(rows))
    write_arrays(layout.artifact("ddpm", "table4.npz"), curves)


def rate_and_distortion(coded: Coding, dims: int) -> list[dict[str, Any]]:
    """Of each tenth of the reverse steps, T - t + 1 of T: what was received by then, and how far x0-hat is. And the parts of the code."""
    T = len(coded.terms)
    rows = []
    for steps in sorted({max(1, round(T * k / ROWS)) for k in range(1, ROWS + 1)}):
        t = T - steps + 1
        for metric, unit, values in (("rate", "bits/dim", coded.rate[t - 1] / dims), ("RMSE", "of 0..255", rmse(coded)[t - 1])):
            value, error = mean_and_error(values)
            rows.append({"steps": steps, "metric": metric, "unit": unit, "value": value, "sd": error})
    parts = {"L_T": coded.prior, "distortion L_0": coded.terms[0], "NLL": coded.bits}
    for metric, values in parts.items():
        value, error = mean_and_error(values / dims)
        rows.append({"steps": T, "metric": metric, "unit": "bits/dim", "value": value, "sd": error})
    value, error = mean_and_error(coded.terms[0] / coded.bits)
    rows.append({"steps": T, "metric": "share of L_0", "unit": "of the code", "value": value, "sd": error})
    return rows


def rmse(coded: Coding) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each image by t, on a scale of 0..255 (the paper does not say whether it averages before or after the root; after, here)."""
    root: np.ndarray[Any, np.dtype[np.float64]] = 127.5 * np.sqrt(coded.error)
    return root


def weights(denoiser: Denoiser) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The weight of |eps - eps-hat|^2 in L_{t-1}, t = 1..T: beta^2 / (2 sigma^2 alpha (1 - alpha_bar)), of eq. 12; L_simple has 1."""
    process = denoiser.process
    weight = process.beta**2 / (2 * denoiser.fixed_variance * process.alpha * (1 - process.alpha_bar))
    values: np.ndarray[Any, np.dtype[np.float64]] = weight[1:].double().cpu().numpy()
    return values
