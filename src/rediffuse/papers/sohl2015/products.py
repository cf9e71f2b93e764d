"""What multiplying a model by r(x) samples, where the answer is known: a Gaussian, two correlated ones, and the heartbeat.

The paper keeps r the same at every t (eq. 23). Then the chain does not sample p r, and for data like the prior nearly p r^2: the finding
that this table states, with the rules that do sample p r beside it.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rediffuse.config import Products
from rediffuse.metrics.bits import share_and_error
from rediffuse.papers.sohl2015.common import GaussianToy, generator_of, loaded, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import schedules
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.processes.products import (
    Perturbed,
    PerturbedBinomial,
    constant_delta,
    constant_gaussian,
    expected_gaussian,
    fading_gaussian,
    smooth,
    start_at,
    times_bernoulli,
    times_gaussian,
)
from rediffuse.samplers import ancestral, binomial, inpaint

CENTRE, WIDTH = 2.0, 1.0
"""r(x) = N(2; x, 1) of the toy, whose data are N(0, 1)."""
CORRELATION, KNOWN = 0.8, 1.5
"""Of the two coordinates of the in-painting toy, and the value of the first, which is known."""

ROUNDS = 20
"""Of in-painting, a step."""


def products(layout: Layout, device: torch.device) -> None:
    """Mean and variance of what each rule samples, by running its chain, and the exact values of p r and of p r^2."""
    options = options_of(layout).products
    assert options
    rows = [*_gaussian(options), *_correlated(options), *_heartbeat(layout, options, device)]
    write(layout.measurements("sohl2015", "products"), pd.DataFrame(rows))


def _gaussian(options: Products) -> list[dict[str, Any]]:
    """Data N(0, 1) times r(x) = N(2; x, 1)."""
    process = GaussianProcess(schedules.harmonic(options.T, 1e-4, 0.99))
    toy, centre = GaussianToy(process, torch.eye(1)), torch.tensor(CENTRE, dtype=torch.float64)
    rules = {
        "r constant in t (the paper's, eq. 23)": constant_gaussian(centre, WIDTH),
        "r constant in t, by the gradient shift (eq. 61)": smooth(lambda x: (centre - x) / WIDTH),
        "r^((T-t)/T) (the paper's alternative)": fading_gaussian(options.T, centre, WIDTH),
        "E[r(x_0) | x_t] (recommended)": expected_gaussian(process, centre, WIDTH),
    }
    sampled: dict[str, Tensor] = {}
    for name, r in rules.items():
        noise = _noise(options, 1)
        zero = torch.zeros(options.n, 1, dtype=torch.float64)
        # p(x_T) r(x_T); at t = T the paper's alternative is 1, and the shift is for narrow kernels alone.
        starts = "alternative" not in name and "shift" not in name
        mean, variance = r(zero, torch.ones_like(zero), options.T) if starts else (zero, torch.ones_like(zero))
        sampled[name] = ancestral.sample(Perturbed(toy, r), mean + variance.sqrt() * noise(), noise)
    t, noise = start_at(process, WIDTH), _noise(options, 1)
    x_t = (process.alpha_bar[t].sqrt() * centre).expand(options.n, 1)
    sampled["start at the x_t that y is (recommended for denoising)"] = ancestral.sample(toy, x_t, noise, start=t)
    one = torch.ones(1, dtype=torch.float64)
    exact = {name: times_gaussian(0 * one, one, centre, WIDTH / power) for name, power in (("p r", 1), ("p r^2", 2))}
    rows = []
    for name, (mean, variance) in exact.items():
        rows += _moments("Gaussian", f"exact {name}", float(mean), float(variance), None)
    for name, x in sampled.items():
        rows += _moments("Gaussian", name, float(x.mean()), float(x.var()), options.n)
    return rows


def _correlated(options: Products) -> list[dict[str, Any]]:
    """Two coordinates of variance 1 and a correlation, the first of which is known: the second given it, by in-painting."""
    process = GaussianProcess(schedules.harmonic(min(options.T, 200), 1e-4, 0.99))  # rounds make up for steps
    covariance = torch.tensor([[1, CORRELATION], [CORRELATION, 1]])
    toy, mask = GaussianToy(process, covariance), torch.tensor([True, False])
    known = torch.tensor([KNOWN, 0.0], dtype=torch.float64).expand(options.n, 2)
    rows = _moments("in-painting", "exact p r", CORRELATION * KNOWN, 1 - CORRELATION**2, None)
    noise = _noise(options, 2)
    x_T = torch.where(mask, known, noise())
    clean = ancestral.sample(Perturbed(toy, constant_delta(known, mask)), x_T, noise)
    sampled = {"known value clean at every t (the paper's)": clean}
    for rounds in (1, ROUNDS):
        noise = _noise(options, 2)
        name = f"known value as noisy as x_t, {rounds} round{'s' * (rounds > 1)} a step{' (recommended)' * (rounds > 1)}"
        sampled[name] = inpaint.sample(toy, noise(), known, mask, noise, rounds)
    for name, x in sampled.items():
        rows += _moments("in-painting", name, float(x[:, 1].mean()), float(x[:, 1].var()), options.n)
    return rows


def _heartbeat(layout: Layout, options: Products, device: torch.device) -> list[dict[str, Any]]:
    """The heartbeat's model times an r that speaks of one bit: how often that bit is 1, beside p r and p r^2 over the true sequences."""
    run, data = loaded(layout, options.run, device)
    heartbeat, denoiser = generator_of(layout, options.run), run.binomial_denoiser()
    sequences, rows = heartbeat.sequences(), []
    for factor in options.r:
        r1, r0 = (torch.ones(data.shape, dtype=torch.float64, device=device) for _ in range(2))
        r1[factor.bit], r0[factor.bit] = factor.on, factor.off
        generator = torch.Generator(device).manual_seed(options.seed)

        def uniform(generator: torch.Generator = generator) -> Tensor:
            return torch.rand((options.n, *data.shape), generator=generator, device=device)

        prior = times_bernoulli(torch.full(data.shape, denoiser.process.rate, dtype=torch.float64, device=device), r1, r0)
        x = binomial.sample(PerturbedBinomial(denoiser, r1, r0), (uniform() < prior).float(), uniform).cpu().numpy()
        about: dict[str, Any] = {"toy": "heartbeat", "unit": "share"}
        rule = f"r = {factor.off:g}, {factor.on:g} for bit {factor.bit} = 0, 1"
        for name, power in (("p r", 1), ("p r^2", 2)):
            weight = np.where(sequences[:, factor.bit] == 1, factor.on, factor.off) ** power
            exact = float(weight[sequences[:, factor.bit] == 1].sum() / weight.sum())
            rows.append(about | {"rule": f"{rule}: exact {name}", "metric": "P(bit = 1)", "value": exact})
        about |= {"rule": f"{rule}: constant in t (the paper's)", "n": options.n}
        for metric, hits in {"P(bit = 1)": x[:, factor.bit] == 1, "P(heartbeat)": heartbeat.valid(x)}.items():
            share, error = share_and_error(hits)
            rows.append(about | {"metric": metric, "value": share, "sd": error})
    return rows


def _moments(toy: str, rule: str, mean: float, variance: float, n: int | None) -> list[dict[str, Any]]:
    """Rows of a mean and a variance, with their standard errors if they are of n samples."""
    errors = (math.sqrt(variance / n), variance * math.sqrt(2 / (n - 1))) if n else (math.nan, math.nan)
    about = {"toy": toy, "rule": rule, "unit": "", "n": n}
    pairs = zip(("mean", "variance"), (mean, variance), errors, strict=True)
    return [about | {"metric": metric, "value": value, "sd": error} for metric, value, error in pairs]


def _noise(options: Products, dims: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(options.seed)
    return lambda: torch.randn(options.n, dims, generator=generator, dtype=torch.float64)
