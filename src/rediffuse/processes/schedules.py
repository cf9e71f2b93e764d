"""Noise schedules beta_1..T as float64 tensors indexed 0..T, with beta_0 = 0 so that alpha_bar_0 = 1."""

import torch
from torch import Tensor


def linear(T: int, beta_1: float = 1e-4, beta_T: float = 0.02) -> Tensor:
    """beta rising linearly from beta_1 to beta_T (Ho et al. 2020, section 4). Shape (T + 1,)."""
    return _with_zero(torch.linspace(beta_1, beta_T, T, dtype=torch.float64))


def harmonic(T: int, beta_1: float | None = None, beta_T: float | None = None) -> Tensor:
    """beta_t = 1 / (T - t + 1), which removes 1/T of the signal a step (Sohl-Dickstein et al. 2015, section 2.4.1).

    The rule itself ends at beta_T = 1: a binomial chain has then forgotten everything, but for a Gaussian one the reverse variance
    logit(beta_T) is infinite; so there both ends are set: beta_1 small, against over-fitting, and beta_T < 1. Shape (T + 1,).
    """
    beta = 1 / torch.arange(T, 0, -1, dtype=torch.float64)
    beta[0] = beta[0] if beta_1 is None else beta_1
    beta[-1] = beta[-1] if beta_T is None else beta_T
    return _with_zero(beta)


def log_spaced(T: int, ratio_1: float, ratio_T: float) -> Tensor:
    """The noise ratio (1 - alpha_bar_t) / alpha_bar_t log-spaced from ratio_1 to ratio_T. Shape (T + 1,).

    Every step multiplies the noise-to-signal variance by the same factor, so no step is much harder than another:
    of the three schedules the one that loses least when T is small.
    """
    ratio = torch.logspace(0, 1, T, base=ratio_T / ratio_1, dtype=torch.float64) * ratio_1
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), 1 / (1 + ratio)])
    return _with_zero(1 - alpha_bar[1:] / alpha_bar[:-1])


def _with_zero(beta: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.float64), beta])
