"""Table App.1: the key equations, each with the function here that is it, and the error of a check that it has just passed.

A check is run on a small case whose answer is known without the function: an identity, an enumeration, an integral.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.networks.rates import LearnedRates
from rediffuse.papers.sohl2015.common import GaussianToy
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import binomial, bounds, losses, products, schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialProcess
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ancestral
from rediffuse.samplers import binomial as binomial_sampler

T = 20
GAUSSIAN = GaussianProcess(schedules.harmonic(T, 0.01, 0.9))
BINOMIAL = BinomialProcess(schedules.harmonic(T), 0.2)
BITS = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)


class Check(NamedTuple):
    """A cell of the table: the function that is the equation, what it is checked against, the check, and the error that passes."""

    function: Callable[..., Any]
    against: str
    error: Callable[[], float]
    passes: float


def prior_gaussian() -> float:
    x = torch.arange(-10, 10, 0.01, dtype=torch.float64)[:, None]
    return abs(float(bounds.log_prior(x).exp().sum()) * 0.01 - 1)


def prior_binomial() -> float:
    return abs(float(BINOMIAL.log_prior(BITS).exp().sum()) - 1)


def forward_gaussian() -> float:
    mean, variance, error = 1.0, 0.0, 0.0
    one = torch.ones(1, dtype=torch.float64)
    for t in range(1, T + 1):
        beta = float(GAUSSIAN.beta[t])
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        at_0, at_1 = (float(GAUSSIAN.q_sample(one, t, eps * one)) for eps in (0, 1))
        error = max(error, abs(at_0 - mean), abs((at_1 - at_0) ** 2 - variance))
    return error


def forward_binomial() -> float:
    prob, error, x0 = torch.tensor([0.0, 1.0], dtype=torch.float64), 0.0, torch.tensor([0.0, 1.0], dtype=torch.float64)
    for t in range(1, T + 1):
        prob = prob * (1 - BINOMIAL.beta[t]) + BINOMIAL.rate * BINOMIAL.beta[t]
        error = max(error, float((BINOMIAL.q_prob(x0, t) - prob).abs().max()))
    return error


def reverse_gaussian() -> float:
    """The kernel at a known x_0 is Bayes' rule: N(x_{t-1}; ., 1 - alpha_bar_{t-1}) times the likelihood of x_t."""
    x0, x_t, error = torch.full((1, 1), 0.7, dtype=torch.float64), torch.full((1, 1), -1.2, dtype=torch.float64), 0.0
    denoiser = Denoiser(GAUSSIAN, lambda x, t: x0, "x0", "fixed-small")
    for t in range(2, T + 1):
        alpha, before = GAUSSIAN.alpha[t], GAUSSIAN.alpha_bar[t - 1]
        mean, variance = products.times_gaussian(before.sqrt() * x0, 1 - before, x_t / alpha.sqrt(), GAUSSIAN.beta[t] / alpha)
        found = denoiser(x_t, t)
        error = max(error, abs(float(found.mean - mean)), abs(float(found.variance - variance)))
    return error


def reverse_binomial() -> float:
    error = 0.0
    for t, x0, x_t in itertools.product(range(2, T + 1), (0.0, 1.0), (0.0, 1.0)):
        state = torch.tensor([0.0, 1.0], dtype=torch.float64)
        before = float(BINOMIAL.q_prob(torch.tensor([x0], dtype=torch.float64), t - 1))
        on = state * (1 - BINOMIAL.beta[t]) + BINOMIAL.rate * BINOMIAL.beta[t]
        weight = (on if x_t else 1 - on) * torch.tensor([1 - before, before], dtype=torch.float64)
        bit = torch.full((1, 1), x0, dtype=torch.float64)
        found = BINOMIAL.prob_from_p0(bit, torch.tensor([[x_t]], dtype=torch.float64), t)
        error = max(error, abs(float(found) - float(weight[1] / weight.sum())))
    return error


def targets_gaussian() -> float:
    """The gradient of the bound on a rate, by differences."""
    torch.manual_seed(0)
    rates = LearnedRates(torch.nn.Identity(), GAUSSIAN.beta).double()
    x0, eps, t = torch.randn(64, 2, dtype=torch.float64), torch.randn(64, 2, dtype=torch.float64), torch.arange(64) % (T - 1) + 2

    def loss() -> Tensor:
        process = rates.process()
        denoiser = Denoiser(process, lambda x, t: 0.3 * x, "eps", "fixed-large")
        return losses.bound_of_rates(denoiser, bounds.edge_decoder(process), x0, t, eps)

    return _gradient_error(loss, rates.logit_beta)


def targets_binomial() -> float:
    torch.manual_seed(0)
    logits = torch.nn.Parameter(torch.randn(3, dtype=torch.float64))
    x0, u, t = BITS.repeat(8, 1), torch.rand(64, 3, dtype=torch.float64), torch.arange(64) % (T - 1) + 2
    return _gradient_error(lambda: losses.binomial_bound(BinomialDenoiser(BINOMIAL, lambda x, t: logits + 0 * x, "mu"), x0, t, u), logits)


def _gradient_error(loss: Callable[[], Tensor], parameter: torch.nn.Parameter) -> float:
    """The largest relative difference of a gradient from central differences."""
    (gradient,) = torch.autograd.grad(loss(), parameter)
    error, h = 0.0, 1e-5
    for k in range(len(parameter)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[k] += sign * h
                values.append(float(loss()))
                parameter[k] -= sign * h
        error = max(error, abs((values[0] - values[1]) / (2 * h) - float(gradient[k])) / float(gradient.abs().max()))
    return error


def joint_gaussian() -> float:
    """q(x_{t-1}|x_t,x_0) q(x_t|x_0) = q(x_t|x_{t-1}) q(x_{t-1}|x_0), as log-densities."""
    x0, before, now = (torch.tensor([value], dtype=torch.float64) for value in (0.7, 0.2, -0.4))
    error = 0.0
    for t in range(2, T + 1):
        bar, bar_before, alpha = GAUSSIAN.alpha_bar[t], GAUSSIAN.alpha_bar[t - 1], GAUSSIAN.alpha[t]
        left = _log_normal(before, GAUSSIAN.posterior_mean(x0, now, t), GAUSSIAN.beta_tilde[t]) + _log_normal(now, bar.sqrt() * x0, 1 - bar)
        right = _log_normal(now, alpha.sqrt() * before, 1 - alpha) + _log_normal(before, bar_before.sqrt() * x0, 1 - bar_before)
        error = max(error, abs(float(left - right)))
    return error


def _log_normal(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return -0.5 * ((x - mean) ** 2 / variance + torch.log(2 * math.pi * variance))


def joint_binomial() -> float:
    """q(x_{t-1}|x_t,x_0), summed over x_t with its probability, is q(x_{t-1}|x_0)."""
    error = 0.0
    for t, x0 in itertools.product(range(2, T + 1), (0.0, 1.0)):
        bit, states = torch.full((2,), x0, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
        on = BINOMIAL.q_prob(bit, t)
        total = (BINOMIAL.posterior_prob(bit, states, t) * torch.where(states == 1, on, 1 - on)).sum()
        error = max(error, abs(float(total - BINOMIAL.q_prob(bit, t - 1)[0])))
    return error


def chain_gaussian() -> float:
    """The sampler of a linear toy is linear in its noise: its variance by unit responses, against the recursion over kernels."""
    toy = GaussianToy(GAUSSIAN, torch.tensor([[0.5]]))
    unit, calls = torch.eye(T, dtype=torch.float64)[:, :, None], iter(range(1, T))
    x = ancestral.sample(toy, unit[0], lambda: unit[next(calls)])
    variance = torch.ones(1, dtype=torch.float64)
    for t in range(T, 0, -1):
        gain = float(toy(torch.ones(1, 1, dtype=torch.float64), t).mean)
        added = toy(torch.ones(1, 1, dtype=torch.float64), t).variance[0] if t > 1 else 0.0
        variance = gain**2 * variance + added
    return abs(float(x.square().sum() - variance))


def chain_binomial() -> float:
    """One bit through two steps, on a grid of uniform numbers, against the product of the kernels."""
    process, grid = BinomialProcess(schedules.harmonic(2), 0.2), (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    denoiser = BinomialDenoiser(process, lambda x, t: 0.8 * x - 0.3, "x0")
    u = [pair[..., None] for pair in torch.stack(torch.meshgrid(grid, grid, indexing="ij")).flatten(1)]
    one = torch.ones(1, 1, dtype=torch.float64)
    error = 0.0
    for start in (0.0, 1.0):
        calls = iter(u)
        x_0 = binomial_sampler.sample(denoiser, torch.full_like(u[0], start), calls.__next__)
        on = float(denoiser(start * one, 2).prob)
        exact = on * float(denoiser(one, 1).prob) + (1 - on) * float(denoiser(0 * one, 1).prob)
        error = max(error, abs(float(x_0.mean()) - exact))
    return error


def likelihood_gaussian() -> float:
    roll, step = SwissRoll(1.0, 0.2), 0.2
    axis = np.arange(-4, 4, step)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return abs(float(np.exp(roll.log_density(grid)).sum()) * step**2 - 1)


def likelihood_binomial() -> float:
    every = np.array(list(itertools.product((0, 1), repeat=8)))
    return abs(float(np.exp(Heartbeat(8, 3).log_probability(every)).sum()) - 1)


def bound_gaussian() -> float:
    """Data N(0, 1) and its exact kernels: K is the log-likelihood. Expectations are exact by Gauss-Hermite quadrature."""
    toy, decoder = GaussianToy(GAUSSIAN, torch.eye(1)), bounds.edge_decoder(GAUSSIAN)
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.hermite_e.hermegauss(8))
    x0, eps = (values.reshape(-1, 1) for values in torch.meshgrid(nodes, nodes, indexing="ij"))
    weight = (weights[:, None] * weights).flatten() / (2 * math.pi)
    K = -(weight * bounds.l_T(GAUSSIAN, x0)).sum()
    for t in range(1, T + 1):
        K -= (weight * bounds.vlb_term(_AtOneTime(toy), decoder, x0, torch.full((len(x0),), t), eps)).sum()
    return abs(float(K) + 0.5 * math.log(2 * math.pi * math.e))


class _AtOneTime:
    """A toy that is asked with a tensor of equal times."""

    def __init__(self, toy: GaussianToy):
        self.toy, self.process = toy, toy.process

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Any:
        return self.toy(x_t, int(t if isinstance(t, int) else t[0]))


def bound_binomial() -> float:
    """A bit whose mean is r, with the exact P(x_0 = 1 | x_t): K is the log-likelihood, by enumeration of x_0 and x_t."""
    r = BINOMIAL.rate

    def network(x: Tensor, t: Tensor) -> Tensor:
        bar = BINOMIAL.alpha_bar[t + 1][:, None]
        on, off = bar + (1 - bar) * r, (1 - bar) * r
        likelihood = torch.where(x == 1, on / off, (1 - on) / (1 - off))
        return torch.log(r / (1 - r) * likelihood)

    denoiser, K = BinomialDenoiser(BINOMIAL, network, "x0"), 0.0
    for x0, weight in ((0.0, 1 - r), (1.0, r)):
        bit = torch.full((1, 1), x0, dtype=torch.float64)
        K -= weight * float(binomial.l_T(BINOMIAL, bit))
        for t in range(1, T + 1):
            on = float(BINOMIAL.q_prob(bit, t))
            for u, share in ((0.0, on), (1.0, 1 - on)):  # u = 0 makes x_t 1, u = 1 makes it 0
                K -= weight * share * float(binomial.vlb_term(denoiser, bit, torch.tensor([t]), torch.full_like(bit, u)))
    return abs(K - (r * math.log(r) + (1 - r) * math.log(1 - r)))


def perturbed_gaussian() -> float:
    """Against the product of densities, normalised on a grid; the shift of eq. 61 is its first order in the variance, here 1e-4."""
    mean, variance, centre, width = (torch.tensor([value], dtype=torch.float64) for value in (0.3, 1e-4, 1.0, 0.5))
    x = torch.linspace(0.2, 0.4, 20001, dtype=torch.float64)
    weight = torch.exp(-((x - mean) ** 2) / (2 * variance) - (x - centre) ** 2 / (2 * width))
    exact = float((weight * x).sum() / weight.sum())
    return abs(float(products.times_smooth(mean, variance, lambda y: (centre - y) / width)) - exact)


def perturbed_binomial() -> float:
    """Three bits at once: p(x) r(x) over all eight states, normalised, and the probability of 1 in each bit of it."""
    c, d = (torch.tensor(values, dtype=torch.float64) for values in ([0.3, 0.9, 0.5], [0.6, 0.2, 0.1]))
    joint = torch.where(BITS == 1, c * d, (1 - c) * (1 - d)).prod(1)
    return float((products.times_bernoulli(c, d) - joint @ BITS / joint.sum()).abs().max())


ROWS: dict[str, tuple[Check, Check]] = {
    "well-behaved distribution pi": (
        Check(bounds.log_prior, "the integral of pi is 1", prior_gaussian, 1e-12),
        Check(BinomialProcess.log_prior, "pi summed over all states of 3 bits is 1", prior_binomial, 1e-12),
    ),
    "forward kernel q(x^t | x^(t-1))": (
        Check(GaussianProcess.q_sample, "the kernel, iterated", forward_gaussian, 1e-12),
        Check(BinomialProcess.q_prob, "the kernel, iterated", forward_binomial, 1e-12),
    ),
    "reverse kernel p(x^(t-1) | x^t)": (
        Check(Denoiser.__call__, "Bayes' rule at a known x^0", reverse_gaussian, 1e-12),
        Check(BinomialProcess.prob_from_p0, "Bayes' rule over two states", reverse_binomial, 1e-12),
    ),
    "training targets": (
        Check(losses.bound_of_rates, "the gradient on beta_2..T, by differences", targets_gaussian, 1e-6),
        Check(losses.binomial_bound, "the gradient on f_b, by differences", targets_binomial, 1e-6),
    ),
    "forward distribution q(x^(0..T))": (
        Check(GaussianProcess.posterior_mean, "both factorisations of q(x^(t-1), x^t | x^0)", joint_gaussian, 1e-10),
        Check(BinomialProcess.posterior_prob, "its sum over x^t is q(x^(t-1) | x^0)", joint_binomial, 1e-12),
    ),
    "reverse distribution p(x^(0..T))": (
        Check(ancestral.sample, "the variance of a linear chain, by unit responses", chain_gaussian, 1e-12),
        Check(binomial_sampler.sample, "the product of two kernels, on a grid of 1/400", chain_binomial, 1 / 400),
    ),
    "log likelihood L": (
        Check(SwissRoll.log_density, "the integral of the density is 1", likelihood_gaussian, 1e-6),
        Check(Heartbeat.log_probability, "the sum over all sequences is 1", likelihood_binomial, 1e-12),
    ),
    "lower bound K": (
        Check(bounds.vlb_term, "K = L for data N(0, 1) and exact kernels", bound_gaussian, 1e-10),
        Check(binomial.vlb_term, "K = L for one bit of mean r and exact kernels", bound_binomial, 1e-10),
    ),
    "perturbed reverse kernel": (
        Check(products.times_smooth, "the normalised product, at a variance of 1e-4", perturbed_gaussian, 1e-7),
        Check(products.times_bernoulli, "the normalised product", perturbed_binomial, 1e-12),
    ),
}


def table_app1(layout: Layout, device: torch.device) -> None:
    """Run every check, and write what it found beside what passes."""
    rows = []
    for row, checks in ROWS.items():
        for diffusion, check in zip(("Gaussian", "binomial"), checks, strict=True):
            function = f"{check.function.__module__.removeprefix('rediffuse.')}.{check.function.__qualname__}"
            rows.append({"row": row, "diffusion": diffusion, "function": function, "check": check.against, "error": check.error()})
            rows[-1]["passes"] = check.passes
    write(layout.measurements("sohl2015", "table_app1"), pd.DataFrame(rows))
