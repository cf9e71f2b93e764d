"""What closes the gap between K and the exact log-likelihood of the swiss roll, and of the heartbeat what a perfect network would leave."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.config import Gaussian, Learned, Run
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.metrics.bits import BIT, Array, mean_and_error
from rediffuse.papers.sohl2015.bounds import bound, log_likelihood, told
from rediffuse.papers.sohl2015.common import PerfectBits, PerfectNetwork, generator_of, loaded, mean, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import binomial
from rediffuse.processes.binomial import BinomialProcess
from rediffuse.processes.bounds import edge_decoder, l_T, vlb_term
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.progress import track
from rediffuse.resume import fold


def ablation(layout: Layout, device: torch.device) -> None:
    """Each run's gap, the part of it that a perfect network would leave, and what learned rates are worth, point by point."""
    options = options_of(layout).ablation
    assert options
    rows, bounds = [], {}
    for name in track(options.runs, len(options.runs), "ablation", unit="runs"):
        run, data = loaded(layout, name, device)
        generator, x = generator_of(layout, name), data.x("test")[: options.n]
        bounds[name], _ = bound(run, x, options.strata, options.seed, device)
        gap = log_likelihood(generator, x) - bounds[name]
        best = perfect_gap(run.process.to("cpu"), generator, x[: options.n_perfect], options.seed)
        (value, error), (least, least_error) = mean_and_error(gap), mean_and_error(best)
        # The same data with other noise: their errors are taken as independent, which is on the safe side.
        network = {"value": value - least, "sd": math.hypot(error, least_error), "n": len(best)}
        metrics: dict[str, dict[str, Any]] = {
            "K": mean(bounds[name]),
            "log-likelihood - K": mean(gap),
            "gap of a perfect network": mean(best),
            "gap of the network": network,
        }
        for fixed in options.runs[: options.runs.index(name)]:
            if same_but_learned(layout.preset.runs[name], layout.preset.runs[fixed]):
                # The same points and the same noise: known better than either.
                metrics[f"K - K of {fixed}"] = mean(bounds[name] - bounds[fixed])
        about = {"dataset": data.name, "run": name, "T": run.T} | told(run.run)
        rows += [about | {"metric": metric, "unit": "bits"} | numbers for metric, numbers in metrics.items()]
    write(layout.measurements("sohl2015", "ablation"), pd.DataFrame(rows))


def same_but_learned(learned: Run, fixed: Run) -> bool:
    """Whether a run learns its rates from those that another one keeps, all else being equal."""
    process = learned.process
    if not isinstance(process, Gaussian) or not isinstance(process.schedule, Learned):
        return False
    kept = process.model_copy(update={"schedule": process.schedule.start})
    return learned.model_copy(update={"process": kept}) == fixed


def perfect_gap(process: GaussianProcess | BinomialProcess, generator: SwissRoll | Heartbeat, x: NDArray[Any], seed: int) -> Array:
    """log-likelihood - K of a perfect network, in bits, for each datum: every term of the sum, one fresh noise a term. On the CPU."""
    x0, draws = torch.from_numpy(x.astype(np.float64)), torch.Generator().manual_seed(seed)
    if isinstance(process, GaussianProcess):
        assert isinstance(generator, SwissRoll)
        network, decoder = PerfectNetwork(process, generator), edge_decoder(process)
        prior = l_T(process, x0)

        def term(t: int) -> Tensor:
            eps = torch.randn(x0.shape, generator=draws, dtype=torch.float64)
            return vlb_term(network, decoder, x0, torch.full((len(x0),), t), eps)
    else:
        assert isinstance(generator, Heartbeat)
        bits = PerfectBits(process, generator)
        prior = binomial.l_T(process, x0)

        def term(t: int) -> Tensor:
            u = torch.rand(x0.shape, generator=draws, dtype=torch.float64)
            return binomial.vlb_term(bits, x0, torch.full((len(x0),), t), u)

    def add(nats: Array, t: int) -> Array:
        return nats + term(t).numpy()

    nats = fold(add, prior.numpy(), range(1, process.T + 1), process.T, "a perfect network", unit="steps", draws=draws)
    return log_likelihood(generator, x) + nats / BIT
