"""Table 2: test images to x_T and back by DDIM's equation; and whether the latents are Gaussian."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rediffuse.datasets.prepared import load
from rediffuse.metrics.bits import mean_and_error
from rediffuse.papers.ddim.common import options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_run
from rediffuse.samplers import ddim
from rediffuse.samplers.steps import SUBSEQUENCES


def table2(layout: Layout, device: torch.device) -> None:
    """Squared error a dimension on [0, 1] after S steps up and S down, by S; and of the latents at the most steps their moments."""
    options = options_of(layout).table2
    assert options
    run = layout.preset.runs[options.run]
    loaded, data = load_run(layout.weights(options.run), device, run), load(layout.dataset(run.dataset))
    x0 = torch.from_numpy(data.x("test")[: options.n]).to(device)
    denoiser = loaded.denoiser()
    about = {"dataset": run.dataset, "run": options.run, "tau": options.tau, "n": len(x0)}

    def there_and_back(S: int) -> list[dict[str, Any]]:
        tau = SUBSEQUENCES[options.tau](loaded.T, S)
        x_T = ddim.encode(denoiser, x0, tau)
        back = ddim.sample(denoiser, x_T, tau, 0.0, _no_noise)
        value, error = mean_and_error(((back - x0) / 2).square().flatten(1).mean(1).double().cpu().numpy())
        rows = [{"metric": "reconstruction error", "unit": "squared, on [0, 1]", "value": value, "sd": error}]
        return [about | {"steps": S} | row for row in rows + (moments(x_T) if max(options.steps) == S else [])]

    found = each(there_and_back, options.steps, len(options.steps), "encode and decode", unit="numbers of steps")
    rows = [row for those in found for row in those]
    columns = ["dataset", "run", "steps", "tau", "metric", "unit", "value", "sd", "n"]
    write(layout.measurements("ddim", "table2"), pd.DataFrame(rows)[columns])


def moments(x_T: Tensor) -> list[dict[str, Any]]:
    """Of latents (N, ...): mean, mean square, fourth moment and the deviation of the radius from sqrt(D), with N(0, I)'s in the unit.

    Each is a mean over the dimensions of a latent first, so that the error is over latents.
    """
    x = x_T.double().flatten(1).cpu().numpy()
    D = x.shape[1]
    radius = np.sqrt((x**2).sum(1) / D)
    known = {
        "latent mean": (x.mean(1), "N(0, I): 0"),
        "latent mean square": ((x**2).mean(1), "N(0, I): 1"),
        "latent fourth moment": ((x**4).mean(1), "N(0, I): 3"),
        "latent radius / sqrt(D)": (radius, f"N(0, I): {1 - 1 / (4 * D):.3f}"),
    }
    rows = []
    for metric, (values, unit) in known.items():
        value, error = mean_and_error(values)
        rows.append({"metric": metric, "unit": unit, "value": value, "sd": error})
    rows.append(
        {
            "metric": "latent radius, deviation",
            "unit": f"N(0, I): {(2 * D) ** -0.5:.3f}",
            "value": float(radius.std(ddof=1)),
            "sd": float("nan"),
        }
    )
    return rows


def _no_noise() -> Tensor:
    raise AssertionError("eta = 0 draws no noise")
