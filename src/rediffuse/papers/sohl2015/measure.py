"""Sohl-Dickstein et al. 2015: what is measured for its tables and figures."""

import math

import numpy as np
import pandas as pd
import torch

from rediffuse.config import SwissRoll as SwissRollOptions
from rediffuse.datasets.prepared import load
from rediffuse.datasets.swiss_roll import Array, SwissRoll
from rediffuse.files import Arrays, write_arrays
from rediffuse.metrics.bits import mean_and_error, variational_bound
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import edge_decoder, log_prior
from rediffuse.runs import load_run
from rediffuse.samplers import ancestral
from rediffuse.samplers.ddim import Step
from rediffuse.samplers.noise import SampleNoise

GRID = np.linspace(-2.2, 2.2, 23)
"""Points of the drift field along each axis: a little more than the paper's axes show."""


def table1(layout: Layout, device: torch.device) -> None:
    """K and K - L_null in bits, and the exact log-likelihood that K bounds, which the swiss roll's generator knows."""
    assert layout.preset.papers.sohl2015
    options = layout.preset.papers.sohl2015.table1
    rows = []
    for name in options.runs:
        loaded = load_run(layout.weights(name), device, layout.preset.runs[name])
        data = load(layout.dataset(loaded.run.dataset))
        points = data.x("test")[: options.n]
        x0 = torch.from_numpy(points).to(device)
        decoders = {"edge": edge_decoder(loaded.process)}
        K = -variational_bound(loaded.denoiser(clip=False), decoders, x0, loaded.process.T - 1, options.seed)["edge"].bits()
        exact = _roll(layout, name).log_density(points.astype(np.float64)) / math.log(2)
        null = (log_prior(x0).double() / math.log(2)).cpu().numpy()
        # Differences point by point: their errors are smaller than those of their parts.
        for metric, values in {"K": K, "K - L_null": K - null, "log-likelihood": exact, "log-likelihood - K": exact - K}.items():
            value, error = mean_and_error(values)
            row = {"dataset": loaded.run.dataset, "run": name, "T": loaded.process.T, "metric": metric}
            rows.append(row | {"unit": "bits", "value": value, "sd": error, "n": len(points)})
    write(layout.measurements("sohl2015", "table1"), pd.DataFrame(rows))


def fig1(layout: Layout, device: torch.device) -> None:
    """The forward chain and the reverse chain at t = 0, T/2, T, and the drift f_mu(x, t) - x, learned and exact, on a grid.

    The drift is drawn at t = 2, T/2 and T: the step from t = 1 is fixed to the forward kernel (eq. 44), and nothing in it is learned.
    """
    assert layout.preset.papers.sohl2015
    options = layout.preset.papers.sohl2015.fig1
    loaded, roll = load_run(layout.weights(options.run), device, layout.preset.runs[options.run]), _roll(layout, options.run)
    process, denoiser, T = loaded.process, loaded.denoiser(clip=False), loaded.process.T
    data = load(layout.dataset(loaded.run.dataset))

    noise = SampleNoise(options.seed, range(options.n), loaded.shape, device)
    x_T, eps = noise(), noise()
    x0 = torch.from_numpy(np.resize(data.x("test"), (options.n, *data.shape))).to(device)
    arrays: Arrays = {"T": np.array(T), "drift_t": np.array([2, T // 2, T]), "axis": GRID}
    reverse = {T: x_T}

    def keep(step: Step) -> None:
        reverse[step.s] = step.x

    ancestral.sample(denoiser, x_T, noise, keep)
    for t in (0, T // 2, T):
        arrays[f"forward_{t}"] = process.q_sample(x0, t, eps).cpu().numpy()
        arrays[f"reverse_{t}"] = reverse[t].cpu().numpy()

    def drift(points: Array, t: int) -> tuple[Array, Array]:
        """f_mu(x, t) - x at points of shape (n, 2): the network's, and that of the exact E[x_{t-1} | x_t]."""
        x = torch.from_numpy(points).to(device)
        with torch.inference_mode():
            learned = denoiser(x.float(), t).mean.double() - x
        mean = torch.from_numpy(roll.posterior_mean(points, float(process.alpha_bar[t]))).to(device)
        return learned.cpu().numpy(), (process.posterior_mean(mean, x, t) - x).cpu().numpy()

    grid = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    for t in arrays["drift_t"].tolist():
        arrays[f"learned_{t}"], arrays[f"exact_{t}"] = drift(grid, t)
        arrays[f"log_density_{t}"] = roll.log_density(grid, float(process.alpha_bar[t]))
        x_t = process.q_sample(x0, t, eps).double().cpu().numpy()
        learned, exact = drift(x_t, t)
        arrays[f"rms_{t}"] = np.array([np.sqrt(((learned - exact) ** 2).sum(1).mean()), np.sqrt((exact**2).sum(1).mean())])
    write_arrays(layout.artifact("sohl2015", "fig1.npz"), arrays)


def _roll(layout: Layout, run: str) -> SwissRoll:
    options = layout.preset.datasets[layout.preset.runs[run].dataset]
    assert isinstance(options, SwissRollOptions)
    return SwissRoll(options.turns, options.noise)


MEASURES = {"table1": table1, "fig1": fig1}
