"""The variational bound, term by term: L_T, L_{t-1} and L_0 of Ho et al. 2020 (eq. 5), K of Sohl-Dickstein et al. 2015 (eq. 14).

The two papers' bounds are one: K = -(L_T + sum_{t=2..T} L_{t-1} + L_0), and only the decoder p(x_0 | x_1) of L_0 differs. Everything here
is in nats, summed over the dimensions of one example; `bits_per_dim` converts.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rediffuse.processes.denoiser import Prediction, Reverse
from rediffuse.processes.gaussian import GaussianProcess, at

Decoder = Callable[[Tensor, Tensor, Prediction], Tensor]
"""(x_0, x_1, prediction at x_1) -> log p(x_0 | x_1) per element, in nats."""


def kl_normal(mean_q: Tensor, variance_q: Tensor, mean_p: Tensor, variance_p: Tensor) -> Tensor:
    """KL(N(mean_q, variance_q) || N(mean_p, variance_p)) per element, in nats."""
    return 0.5 * ((variance_p / variance_q).log() + (variance_q + (mean_q - mean_p) ** 2) / variance_p - 1)


def l_T(process: GaussianProcess, x0: Tensor) -> Tensor:
    """L_T = KL(q(x_T | x_0) || N(0, I)) per example, shape (N,), in nats. Nothing in it is learned."""
    alpha_bar = process.alpha_bar[-1].to(x0.dtype)
    one = torch.ones_like(alpha_bar)
    return kl_normal(alpha_bar.sqrt() * x0, 1 - alpha_bar, torch.zeros_like(x0), one).flatten(1).sum(1)


def vlb_term(denoiser: Reverse, decoder: Decoder, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """One term of the bound per example at x_t made of eps: L_{t-1} where t > 1, L_0 = -log p(x_0 | x_1) where t = 1.

    x0 and eps have the shape (N, C, ...), t is (N,) in 1..T; returns (N,), in nats (Ho et al. 2020, eq. 5).
    """
    x_t = denoiser.process.q_sample(x0, t, eps)
    return term_of(denoiser(x_t, t), denoiser.process, decoder, x0, x_t, t)


def term_of(prediction: Prediction, process: GaussianProcess, decoder: Decoder, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """As `vlb_term`, of what was predicted at x_t."""
    # beta_tilde_1 = 0 belongs to the decoder; any positive number keeps the unused branch's gradient finite.
    variance_q = at(process.beta_tilde, t.clamp(min=2), x0)
    between = kl_normal(process.posterior_mean(x0, x_t, t), variance_q, prediction.mean, prediction.variance)
    last = -decoder(x0, x_t, prediction)
    return torch.where((t == 1).view(-1, *[1] * (x0.ndim - 1)), last, between).flatten(1).sum(1)


def discretised_decoder(levels: int, log_mass: Callable[[Tensor, Tensor], Tensor] | None = None) -> Decoder:
    """Ho et al. 2020, eq. 13: the mass that N(mean, variance) puts on the bin of x_0, for data of `levels` grey levels on [-1, 1].

    A bin reaches half a level to each side, 1 / (levels - 1); the first and the last one are open, so the masses add up to 1.
    log_mass(lower, upper) is log(Phi(upper) - Phi(lower)): exact by default, `log_mass_tanh` as the published code has it.
    """
    log_mass_ = log_mass or log_mass_exact
    half = 1 / (levels - 1)

    def log_likelihood(x0: Tensor, x_1: Tensor, prediction: Prediction) -> Tensor:
        centred, inverse_sd = x0 - prediction.mean, prediction.variance.rsqrt()
        infinity = torch.full_like(centred, math.inf)
        lower = torch.where(x0 < -1 + half, -infinity, inverse_sd * (centred - half))
        upper = torch.where(x0 > 1 - half, infinity, inverse_sd * (centred + half))
        return log_mass_(lower, upper)

    return log_likelihood


def edge_decoder(process: GaussianProcess) -> Decoder:
    """Sohl-Dickstein et al. 2015, eq. 44: the last reverse step is the forward kernel, p(x_0 | x_1) = N(sqrt(1 - beta_1) x_1, beta_1 I).

    A density on continuous x_0, so the bound is one on the log-density.
    """

    def log_likelihood(x0: Tensor, x_1: Tensor, prediction: Prediction) -> Tensor:
        beta = process.beta[1].to(x0.dtype)
        return -0.5 * ((x0 - (1 - beta).sqrt() * x_1) ** 2 / beta + torch.log(2 * math.pi * beta))

    return log_likelihood


def log_mass_exact(lower: Tensor, upper: Tensor) -> Tensor:
    """log(Phi(upper) - Phi(lower)) without cancellation, any finite or infinite lower < upper."""
    # Both tails are equal by symmetry, and log_ndtr is accurate on the left one only: reflect intervals that lie right of 0.
    # Both limits infinite means the whole line (lower + upper is nan): not reflected, and log 1 = 0 either way.
    right = lower + upper > 0
    a, b = torch.where(right, -upper, lower), torch.where(right, -lower, upper)
    log_a, log_b = torch.special.log_ndtr(a), torch.special.log_ndtr(b)
    return log_b + torch.log1p(-torch.exp(log_a - log_b))


def cdf_tanh(x: Tensor) -> Tensor:
    """The normal distribution function as DDPM's published code approximates it; at most 1.8e-4 from the exact one."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def log_mass_tanh(lower: Tensor, upper: Tensor) -> Tensor:
    """log(Phi(upper) - Phi(lower)) as DDPM's published code computes it: tanh form, no bin under 1e-12 (39.86 bits)."""
    return (cdf_tanh(upper) - cdf_tanh(lower)).clamp(min=1e-12).log()


def bits_per_dim(nats: Tensor, dims: int) -> Tensor:
    """Nats an example into bits a dimension."""
    return nats / (dims * math.log(2))


def log_prior(x0: Tensor) -> Tensor:
    """log pi(x_0) under N(0, I) per example, in nats: L_null of Sohl-Dickstein et al. 2015 (K - L_null is what was learned)."""
    return (-0.5 * (x0**2 + math.log(2 * math.pi))).flatten(1).sum(1)
