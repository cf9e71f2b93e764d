"""Table 1: the bound K, and the exact log-likelihood beside it where the data's generator knows it."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rediffuse.config import Binomial, Gaussian, Harmonic, Learned, LogSpaced, MLPOptions, RBFOptions, Run
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.prepared import Prepared
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.metrics.bits import BIT, Array, binomial_bound, variational_bound
from rediffuse.papers.sohl2015.common import generator_of, loaded, mean, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import edge_decoder, log_prior
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.runs import LoadedRun


def table1(layout: Layout, device: torch.device) -> None:
    """K and K - L_null of every run, and the exact log-likelihood that K bounds where it is known."""
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
        rows += [about | {"metric": metric, "unit": unit} | mean(value / pixels) for metric, value in values.items()]
    write(layout.measurements("sohl2015", "table1"), pd.DataFrame(rows))


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


def log_likelihood(generator: SwissRoll | Heartbeat, x: NDArray[Any]) -> Array:
    """The exact log-likelihood of each datum in bits."""
    if isinstance(generator, SwissRoll):
        return generator.log_density(x.astype(np.float64)) / BIT
    return generator.log_probability(x) / BIT


def told(run: Run) -> dict[str, str]:
    """A run's process, network and budget in words, for the tables."""
    match run.process:
        case Binomial(rate=rate):
            process, schedule = f"binomial, r = {rate:g}", "1/(T - t + 1)"
        case Gaussian(schedule=Learned(start=start)):
            process, schedule = "Gaussian", f"learned from {_ends(start)}"
        case Gaussian(schedule=start):
            process, schedule = "Gaussian", _ends(start)
    match run.network:
        case RBFOptions(units=units):
            network = f"{units} radial basis functions"
        case MLPOptions(layers=layers, units=units, shared_readout=shared):
            network = f"{layers} x {units} sigmoid, read-out {'shared + own' if shared else 'own'} per t"
        case other:
            network = other.kind
    budget = f"{run.training.steps} steps of {run.training.batch}"
    return {"process": process, "schedule": schedule, "network": network, "predicts": run.predicts, "budget": budget}


def _ends(schedule: Any) -> str:
    match schedule:
        case LogSpaced(ratio_1=first, ratio_T=last):
            return f"log-spaced ratio {first:g} to {last:g}"
        case Harmonic(beta_1=first, beta_T=last):
            return f"1/(T - t + 1), beta_1 = {first:g}, beta_T = {last:g}"
    return f"linear, beta {schedule.beta_1:g} to {schedule.beta_T:g}"


def per(data: Prepared) -> tuple[int, str]:
    """What bits are counted per: the number to divide by, and the unit."""
    if len(data.shape) == 3:
        return data.shape[1] * data.shape[2], "bits/pixel"
    return 1, "bits/sequence" if data.binary else "bits"
