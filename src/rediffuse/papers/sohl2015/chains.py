"""Figures 1 and 2: the chains of the swiss roll and of the heartbeat."""

import numpy as np
import pandas as pd
import torch

from rediffuse.datasets.swiss_roll import Array
from rediffuse.files import Arrays, write_arrays
from rediffuse.metrics.bits import share_and_error
from rediffuse.papers.sohl2015.common import generator_of, loaded, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.gaussian import at
from rediffuse.samplers import ancestral, binomial
from rediffuse.samplers.ddim import Step
from rediffuse.samplers.noise import SampleNoise

GRID = np.linspace(-2.2, 2.2, 23)
"""Points of the drift field along each axis: a little more than the paper's axes show."""
ANIMATED = 1500
"""Most points of the chains that are kept at every t."""


def fig1(layout: Layout, device: torch.device) -> None:
    """The forward chain and the reverse chain at t = 0, T/2, T, and the drift f_mu(x, t) - x, learned and exact, on a grid.

    The drift is drawn at t = 2, T/2 and T: the step from t = 1 is fixed to the forward kernel (eq. 44), and nothing in it is learned.
    For the picture that moves both chains and the drift are kept at every t, row t - 1 of `drift_*` being the step from t; a forward chain
    is one walk from x_0 to x_T (eq. 2), where the panels draw q(x_t | x_0) at once.
    """
    options = options_of(layout).fig1
    assert options
    run, data = loaded(layout, options.run, device)
    roll = generator_of(layout, options.run)
    process, denoiser, T = run.gaussian, run.reverse(), run.T

    noise = SampleNoise(options.seed, range(options.n), data.shape, device)
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
    forward = [x0]
    for t in range(1, T + 1):
        forward.append(at(process.alpha.sqrt(), t, x0) * forward[-1] + at(process.beta.sqrt(), t, x0) * noise())
    arrays["forward"] = np.stack([x[:ANIMATED].cpu().numpy() for x in forward])
    arrays["reverse"] = np.stack([reverse[t][:ANIMATED].cpu().numpy() for t in range(T + 1)])
    arrays["beta"] = process.beta.cpu().numpy()

    def drift(points: Array, t: int) -> tuple[Array, Array]:
        """f_mu(x, t) - x at points of shape (n, 2): the network's, and that of the exact E[x_{t-1} | x_t]."""
        x = torch.from_numpy(points).to(device)
        with torch.inference_mode():
            learned = denoiser(x.float(), t).mean.double() - x
        mean = torch.from_numpy(roll.posterior_mean(points, float(process.alpha_bar[t]))).to(device)
        return learned.cpu().numpy(), (process.posterior_mean(mean, x, t) - x).cpu().numpy()

    grid = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    fields = [(*drift(grid, t), roll.log_density(grid, float(process.alpha_bar[t]))) for t in range(1, T + 1)]
    rms = []
    for t in range(1, T + 1):
        learned, exact = drift(process.q_sample(x0, t, eps).double().cpu().numpy(), t)
        rms.append([np.sqrt(((learned - exact) ** 2).sum(1).mean()), np.sqrt((exact**2).sum(1).mean())])
    for name, field in zip(("learned", "exact", "log_density"), zip(*fields, strict=True), strict=True):
        arrays[f"drift_{name}"] = np.stack(field).astype(np.float32)
    arrays["drift_rms"] = np.array(rms)
    errors = []
    for t in arrays["drift_t"].tolist():
        arrays[f"learned_{t}"], arrays[f"exact_{t}"], arrays[f"log_density_{t}"] = fields[t - 1]
        arrays[f"rms_{t}"] = arrays["drift_rms"][t - 1]
        for metric, value in zip(("rms error of the drift", "rms of the exact drift"), arrays[f"rms_{t}"], strict=True):
            errors.append({"dataset": data.name, "run": options.run, "t": t, "metric": metric, "unit": "", "value": value, "n": options.n})
    write_arrays(layout.artifact("sohl2015", "fig1.npz"), arrays)
    write(layout.artifact("sohl2015", "fig1.csv"), pd.DataFrame(errors))


def fig2(layout: Layout, device: torch.device) -> None:
    """The heartbeat's reverse chain from Bernoulli(r) noise, and how many of n generated sequences are heartbeats."""
    options = options_of(layout).fig2
    assert options
    run, data = loaded(layout, options.run, device)
    heartbeat, denoiser = generator_of(layout, options.run), run.binomial_denoiser()
    noise = SampleNoise(options.seed, range(options.n), data.shape, device)
    x_T = (noise.uniform() < denoiser.process.rate).float()
    kept = {run.T: x_T}

    def keep(t: int, x: torch.Tensor) -> None:
        if t in (0, run.T // 2):
            kept[t] = x

    x_0 = binomial.sample(denoiser, x_T, noise.uniform, keep).cpu().numpy()
    valid = heartbeat.valid(x_0)
    hits = {"valid sequences": valid}
    hits |= {f"sequences of phase {k}": (x_0 == sequence).all(1) for k, sequence in enumerate(heartbeat.sequences())}
    rows = []
    for metric, which in hits.items():
        share, error = share_and_error(which)
        rows.append({"metric": metric, "value": share, "sd": error})
    about = {"dataset": data.name, "run": options.run, "T": run.T, "unit": "share", "n": options.n}
    write(layout.artifact("sohl2015", "fig2.csv"), pd.DataFrame([about | row for row in rows]))
    arrays = {f"reverse_{t}": kept[t][: options.rows].cpu().numpy().astype(np.uint8) for t in (0, run.T // 2, run.T)}
    write_arrays(layout.artifact("sohl2015", "fig2.npz"), arrays | {"T": np.array(run.T), "valid": valid[: options.rows]})
