"""From what a network puts out to what losses, bounds and samplers need, for all three papers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from rediffuse.processes.gaussian import GaussianProcess, at

Predicts = Literal["eps", "x0", "mu", "residual", "attractor"]
Variance = Literal["fixed-small", "fixed-large", "learned", "learned-log"]
LEARNED = ("learned", "learned-log")
"""Variances that the network puts out, in as many channels more as the data have."""


class Prediction(NamedTuple):
    """x0-hat and eps-hat at x_t, and the mean and variance of p(x_{t-1} | x_t); variance broadcasts against mean."""

    x0: Tensor
    eps: Tensor
    mean: Tensor
    variance: Tensor


class Reverse(Protocol):
    """The reverse process p(x_{t-1} | x_t) of a Gaussian process: a network's, or one that is known exactly."""

    @property
    def process(self) -> GaussianProcess: ...

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction: ...


@dataclass(frozen=True)
class Denoiser:
    """A network read as the reverse process p(x_{t-1} | x_t).

    network: (x_t of shape (N, C, ...), t - 1 of shape (N,)) -> (N, C, ...), or (N, 2 C, ...) where the variance is learned.
    predicts: what the network puts out:
      eps       the noise in x_t (Ho et al. 2020, eq. 11)
      x0        the clean x_0
      mu        the mean of p(x_{t-1} | x_t) itself (mu-tilde in Ho et al. 2020, Table 2)
      residual  z with mean sqrt(1 - beta_t) x_t + sqrt(beta_t) z: the forward kernel is z = 0 (the released code of 2015)
      attractor z with mean x_t + Sigma (z - x_t), Sigma being the learned variance: z = 0 is about the forward kernel
                (Sohl-Dickstein et al. 2015, eq. 65)
    variance: beta_tilde_t (fixed-small), beta_t (fixed-large), or per dimension from z, the second half of the network's
      channels: sigmoid(z + logit(beta_t)) (learned; Sohl-Dickstein et al. 2015, eq. 64), or exp(z) (learned-log; Ho et al.
      2020, Table 2, as its published code has it: the untrained variance is 1 at every t).
    clip: x0-hat to [-1, 1]; eps-hat and the mean are then those of the clipped x0-hat. Training and bounds of the 2015
      paper do not clip; DDPM's sampler and published likelihood do.
    """

    process: GaussianProcess
    network: Callable[[Tensor, Tensor], Tensor]
    predicts: Predicts
    variance: Variance
    clip: bool = False

    @cached_property
    def fixed_variance(self) -> Tensor:
        """The fixed variance of p(x_{t-1} | x_t) by t.

        At t = 1 both choices are beta_tilde_2, as published: fixed-small would be 0 there, and sqrt(beta_1) is needlessly
        wide for the decoder p(x_0 | x_1). So T is at least 2.
        """
        process = self.process
        variance = (process.beta_tilde if self.variance == "fixed-small" else process.beta).clone()
        variance[1] = process.beta_tilde[2]
        return variance

    @cached_property
    def logit_beta(self) -> Tensor:
        """What a learned variance is counted from (Sohl-Dickstein et al. 2015, eq. 64), by t."""
        return torch.logit(self.process.beta)

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction:
        """The prediction at x_t of shape (N, C, ...), for one time t or one per sample."""
        times = torch.full((len(x_t),), t, device=x_t.device) if isinstance(t, int) else t
        output = self.network(x_t, times - 1).to(x_t.dtype)
        if self.variance == "learned":
            output, z = output.chunk(2, dim=1)
            variance = torch.sigmoid(z + at(self.logit_beta, t, x_t))
        elif self.variance == "learned-log":
            output, z = output.chunk(2, dim=1)
            variance = z.exp()
        else:
            variance = at(self.fixed_variance, t, x_t)
        x0 = self._x0(output, variance, x_t, t)
        if self.clip:
            x0 = x0.clamp(-1, 1)
        eps = output if self.predicts == "eps" and not self.clip else self.process.eps_from_x0(x_t, t, x0)
        return Prediction(x0, eps, self.process.posterior_mean(x0, x_t, t), variance)

    def _x0(self, output: Tensor, variance: Tensor, x_t: Tensor, t: int | Tensor) -> Tensor:
        process = self.process
        match self.predicts:
            case "eps":
                return process.x0_from_eps(x_t, t, output)
            case "x0":
                return output
            case "mu":
                return process.x0_from_mean(x_t, t, output)
            case "residual":
                mean = at(process.alpha.sqrt(), t, x_t) * x_t + at(process.beta.sqrt(), t, x_t) * output
                return process.x0_from_mean(x_t, t, mean)
            case "attractor":
                return process.x0_from_mean(x_t, t, x_t + variance * (output - x_t))


@dataclass(frozen=True)
class WithEdge:
    """A reverse process whose last step is the forward kernel, p(x_0 | x_1) = N(sqrt(1 - beta_1) x_1, beta_1 I), whatever the
    network says there, which learned nothing of it (Sohl-Dickstein et al. 2015, eq. 44)."""

    denoiser: Reverse

    @property
    def process(self) -> GaussianProcess:
        return self.denoiser.process

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction:
        """At one time for all of x_t."""
        assert isinstance(t, int)
        if t > 1:
            return self.denoiser(x_t, t)
        mean = at(self.process.alpha.sqrt(), t, x_t) * x_t
        x0 = self.process.x0_from_mean(x_t, t, mean)
        return Prediction(x0, self.process.eps_from_x0(x_t, t, x0), mean, at(self.process.beta, t, x_t))
