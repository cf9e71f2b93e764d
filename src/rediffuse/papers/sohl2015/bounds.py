"""Table 1, the ablation of the swiss roll's gap, and the entropy bounds of eq. 24."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config import Binomial, Gaussian, Learned, MLPOptions, RBFOptions, Run
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.prepared import Prepared
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.errors import UserError
from rediffuse.metrics.bits import binomial_bound, mean_and_error, variational_bound
from rediffuse.papers.sohl2015.common import PerfectNetwork, generator_of, loaded, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import entropy as entropies
from rediffuse.processes.bounds import edge_decoder, l_T, log_prior, vlb_term
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.progress import track
from rediffuse.runs import LoadedRun

Array = NDArray[np.float64]
BIT = math.log(2)


def table1(layout: Layout, device: torch.device) -> None:
    """K and K - L_null of every run, and the exact log-likelihood that K bounds where the data's generator knows it."""
    options = options_of(layout).table1
    assert options
    rows = []
    for name in options.runs:
        run, data = loaded(layout, name, device)
        x = data.x("test")[: options.n]
        K, null = bound(run, x, options.strata, options.seed, device)
        values = {"K": K, "K - L_null": K - null}
        generator = generator_of(layout, name)
        if generator is not None:
            exact = log_likelihood(generator, x)
            # Differences datum by datum: their errors are smaller than those of their parts.
            values |= {"log-likelihood": exact, "log-likelihood - K": exact - K}
        about = {"dataset": data.name, "run": name, "T": run.T} | told(run.run)
        pixels, unit = per(data)
        rows += [about | {"metric": metric, "unit": unit, "n": len(x)} | _mean(value / pixels) for metric, value in values.items()]
    write(layout.measurements("sohl2015", "table1"), pd.DataFrame(rows))


def ablation(layout: Layout, device: torch.device) -> None:
    """What closes the swiss roll's gap: each run's, and the part of it that a perfect network would leave."""
    options = options_of(layout).ablation
    assert options
    rows = []
    for name in track(options.runs, len(options.runs), "ablation", unit="runs"):
        run, data = loaded(layout, name, device)
        roll, x = generator_of(layout, name), data.x("test")[: options.n]
        K, _ = bound(run, x, run.T - 1, options.seed, device)
        gap = log_likelihood(roll, x) - K
        best = perfect_gap(run.gaussian, roll, x[: options.n_perfect].astype(np.float64), options.seed)
        (value, error), (least, least_error) = mean_and_error(gap), mean_and_error(best)
        # Two samples of the same points with other noise: their errors are taken as independent, which is on the safe side.
        network = {"value": value - least, "sd": math.hypot(error, least_error), "n": len(best)}
        metrics = {
            "K": _mean(K) | {"n": len(x)},
            "log-likelihood - K": {"value": value, "sd": error, "n": len(x)},
            "gap of a perfect network": {"value": least, "sd": least_error, "n": len(best)},
            "gap of the network": network,
        }
        about = {"dataset": data.name, "run": name, "T": run.T} | told(run.run)
        rows += [about | {"metric": metric, "unit": "bits"} | numbers for metric, numbers in metrics.items()]
    write(layout.measurements("sohl2015", "ablation"), pd.DataFrame(rows))


def entropy(layout: Layout, device: torch.device) -> None:
    """The bounds on H_q(X^{t-1} | X^t), its exact value and the model's H_p at every t, in bits.

    Raises UserError for a heartbeat whose exact entropy is a sum of too many terms.
    """
    options = options_of(layout).entropy
    assert options
    frames = []
    for name in options.runs:
        run, data = loaded(layout, name, device)
        curves = _gaussian_entropies if isinstance(run.process, GaussianProcess) else _binomial_entropies
        x0 = torch.from_numpy(np.resize(data.x("test"), (options.n, *data.shape))).to(device)
        frame = curves(run, generator_of(layout, name), x0, options.seed)
        frames.append(frame.assign(dataset=data.name, run=name, n=options.n))
    columns = ["dataset", "run", "t", "lower", "exact", "upper", "model", "model_sd", "n"]
    write(layout.artifact("sohl2015", "entropy.csv"), pd.concat(frames)[columns])


def bound(run: LoadedRun, x: NDArray[Any], strata: int, seed: int, device: torch.device) -> tuple[Array, Array]:
    """K and L_null of each datum, in bits."""
    x0, strata = torch.from_numpy(x).to(device), min(strata, run.T - 1)
    if isinstance(run.process, GaussianProcess):
        K = -variational_bound(run.denoiser(), {"edge": edge_decoder(run.process)}, x0, strata, seed)["edge"].bits()
        null = log_prior(x0)
    else:
        K = -binomial_bound(run.binomial_denoiser(), x0, strata, seed).bits()
        null = run.process.log_prior(x0)
    return K, null.double().cpu().numpy() / BIT


def perfect_gap(process: GaussianProcess, roll: SwissRoll, x: Array, seed: int) -> Array:
    """log-likelihood - K of a perfect network, in bits, for each point: every term of the sum, one fresh noise a term."""
    network, x0 = PerfectNetwork(process, roll), torch.from_numpy(x)
    decoder, generator = edge_decoder(process), torch.Generator().manual_seed(seed)
    bits = l_T(process, x0)
    for t in range(1, process.T + 1):
        eps = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
        bits = bits + vlb_term(network, decoder, x0, torch.full((len(x0),), t), eps)
    return (roll.log_density(x) + bits.numpy()) / BIT


def log_likelihood(generator: SwissRoll | Heartbeat, x: NDArray[Any]) -> Array:
    """The exact log-likelihood of each datum in bits."""
    if isinstance(generator, SwissRoll):
        return generator.log_density(x.astype(np.float64)) / BIT
    return generator.log_probability(x) / BIT


def told(run: Run) -> dict[str, str]:
    """A run's process and network in words, for the tables."""
    match run.process:
        case Binomial(rate=rate):
            process, schedule = f"binomial, r = {rate:g}", "1/(T - t + 1)"
        case Gaussian(schedule=Learned(start=start)):
            process, schedule = "Gaussian", f"learned from {start.kind}"
        case Gaussian(schedule=start):
            process, schedule = "Gaussian", start.kind
    match run.network:
        case RBFOptions(units=units):
            network = f"{units} radial basis functions"
        case MLPOptions(layers=layers, units=units, shared_readout=shared):
            network = f"{layers} x {units} sigmoid, read-out {'shared + own' if shared else 'own'} per t"
        case other:
            network = other.kind
    return {"process": process, "schedule": schedule, "network": network, "predicts": run.predicts}


def per(data: Prepared) -> tuple[int, str]:
    """What bits are counted per: the number to divide by, and the unit."""
    if len(data.shape) == 3:
        return data.shape[1] * data.shape[2], "bits/pixel"
    return 1, "bits/sequence" if data.binary else "bits"


def _mean(values: Array) -> dict[str, float]:
    value, error = mean_and_error(values)
    return {"value": value, "sd": error}


@torch.inference_mode()
def _gaussian_entropies(run: LoadedRun, roll: SwissRoll, x0: torch.Tensor, seed: int) -> pd.DataFrame:
    process, denoiser, D = run.gaussian, run.reverse(), x0[0].numel()
    lower, upper = (bounds.cpu().numpy() * D / BIT for bounds in entropies.gaussian_bounds(process))
    h = np.array([roll.entropy(float(alpha_bar)) for alpha_bar in process.alpha_bar]) / BIT
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for t in range(1, process.T + 1):
        x_t = process.q_sample(x0, t, torch.randn(x0.shape, generator=generator).to(x0))
        variance = denoiser(x_t, t).variance.expand(x0.shape).double()
        model, error = mean_and_error((0.5 * torch.log(2 * math.pi * math.e * variance)).sum(1).cpu().numpy() / BIT)
        exact = upper[t] + h[t - 1] - h[t]
        rows.append({"t": t, "lower": lower[t], "exact": exact, "upper": upper[t], "model": model, "model_sd": error})
    return pd.DataFrame(rows)


@torch.inference_mode()
def _binomial_entropies(run: LoadedRun, heartbeat: Heartbeat, x0: torch.Tensor, seed: int) -> pd.DataFrame:
    denoiser = run.binomial_denoiser()
    process = denoiser.process
    mean = torch.from_numpy(heartbeat.sequences().mean(0)).double()
    lower, upper = (bounds.cpu().numpy() / BIT for bounds in entropies.binomial_bounds(process.to("cpu"), mean))
    try:
        h = np.array([heartbeat.entropy(float(alpha_bar), process.rate) for alpha_bar in process.alpha_bar]) / BIT
    except ValueError as problem:
        raise UserError(f"papers.sohl2015.entropy.runs: found a run on a heartbeat of {problem}") from None
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for t in range(1, process.T + 1):
        x_t = process.q_sample(x0, t, torch.rand(x0.shape, generator=generator).to(x0))
        model, error = mean_and_error(entropies.binary_entropy(denoiser(x_t, t).prob).sum(1).cpu().numpy() / BIT)
        exact = upper[t] + h[t - 1] - h[t]
        rows.append({"t": t, "lower": lower[t], "exact": exact, "upper": upper[t], "model": model, "model_sd": error})
    return pd.DataFrame(rows)
