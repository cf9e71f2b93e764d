"""The Gaussian forward process and its posteriors. Time runs from 0 (clean) to T (noise)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class GaussianProcess:
    """q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I) for t = 1..T (Ho et al. 2020, eq. 2).

    `beta` has shape (T + 1,) and dtype float64, with beta[0] = 0. A time t is an int or an integer tensor of shape (N,),
    and every method returns the dtype of the x that it is given: coefficients are rounded once, where they are used.
    """

    beta: Tensor

    @property
    def T(self) -> int:
        return len(self.beta) - 1

    @cached_property
    def alpha(self) -> Tensor:
        return 1 - self.beta

    @cached_property
    def alpha_bar(self) -> Tensor:
        return torch.cumprod(self.alpha, 0)

    @cached_property
    def beta_tilde(self) -> Tensor:
        """The posterior variance of eq. 7; 0 at t = 1, where x_0 is given."""
        tilde = torch.zeros_like(self.beta)
        tilde[1:] = (1 - self.alpha_bar[:-1]) / (1 - self.alpha_bar[1:]) * self.beta[1:]
        return tilde

    @cached_property
    def posterior_on_x0(self) -> Tensor:
        """The coefficient of x_0 in the posterior mean of eq. 7."""
        return self._posterior(self.alpha_bar[:-1].sqrt() * self.beta[1:])

    @cached_property
    def posterior_on_x_t(self) -> Tensor:
        """The coefficient of x_t in the posterior mean of eq. 7."""
        return self._posterior(self.alpha[1:].sqrt() * (1 - self.alpha_bar[:-1]))

    def _posterior(self, numerator: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(self.beta[:1]), numerator / (1 - self.alpha_bar[1:])])

    def to(self, device: torch.device | str) -> "GaussianProcess":
        """The same process with its coefficients on a device."""
        return GaussianProcess(self.beta.to(device))

    def q_sample(self, x0: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0), from the given standard normal eps (eq. 4)."""
        return at(self.alpha_bar.sqrt(), t, x0) * x0 + at((1 - self.alpha_bar).sqrt(), t, x0) * eps

    def posterior_mean(self, x0: Tensor, x_t: Tensor, t: int | Tensor) -> Tensor:
        """The mean of q(x_{t-1} | x_t, x_0) (eq. 7); its variance is beta_tilde."""
        return at(self.posterior_on_x0, t, x_t) * x0 + at(self.posterior_on_x_t, t, x_t) * x_t

    def x0_from_eps(self, x_t: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
        """Eq. 15; eq. 9 of Song et al. 2020."""
        return (x_t - at((1 - self.alpha_bar).sqrt(), t, x_t) * eps) / at(self.alpha_bar.sqrt(), t, x_t)

    def eps_from_x0(self, x_t: Tensor, t: int | Tensor, x0: Tensor) -> Tensor:
        """The eps that makes x_t of x_0 (eq. 4 solved for it)."""
        return (x_t - at(self.alpha_bar.sqrt(), t, x_t) * x0) / at((1 - self.alpha_bar).sqrt(), t, x_t)

    def x0_from_mean(self, x_t: Tensor, t: int | Tensor, mean: Tensor) -> Tensor:
        """The x_0 whose posterior mean (eq. 7) is the given mean."""
        return (mean - at(self.posterior_on_x_t, t, x_t) * x_t) / at(self.posterior_on_x0, t, x_t)


def at(values: Tensor, t: int | Tensor, x: Tensor) -> Tensor:
    """values[t] in the dtype of x, shaped to be multiplied with x of shape (N, ...)."""
    value = values[t].to(x.dtype)
    return value.view(-1, *[1] * (x.ndim - 1)) if value.ndim else value
