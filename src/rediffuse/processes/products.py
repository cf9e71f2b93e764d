"""Multiplying a model by a second distribution r(x), kernel by kernel (Sohl-Dickstein et al. 2015, eq. 16-23, eq. 61, Table App.1).

Denoising, in-painting and every other conditioning is p(x) r(x) with another r. The paper multiplies each reverse kernel by r(x_t) and
renormalises it (eq. 22), with r the same at every t (eq. 23). The chain of those kernels does not sample p r: a shift of the mean by
variance * grad log r a step is a Langevin step along twice the score of r, so for data like the prior what comes out is nearly p r^2
(data N(0, 1) and r = N(2; x, 1): mean 1.333 and variance 0.334, where p r has 1 and 0.5), and for narrower data r counts more often
still. What r has to be at x_t is E_q[r(x_0) | x_t]. Recommended beside the paper's rule: `start_at` for denoising, which needs no r at
all and holds for any data; `expected_gaussian` for a Gaussian r, exact for data N(0, I); `noised_delta` for in-painting, with every step
repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rediffuse.processes.binomial import BinomialPrediction, BinomialProcess, BinomialReverse
from rediffuse.processes.denoiser import Prediction, Reverse
from rediffuse.processes.gaussian import GaussianProcess, at

R = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""(mean, variance of p(x_s | x_{s+1}), s) -> the mean and variance of its product with r at x_s, normalised; s is in 0..T-1."""

# --- one kernel ---


def times_smooth(mean: Tensor, variance: Tensor, grad_log_r: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean of N(mean, variance) times a smooth r: mean + variance * grad log r, taken at the mean (eq. 61). First order in variance."""
    return mean + variance * grad_log_r(mean)


def times_gaussian(mean: Tensor, variance: Tensor, centre: Tensor, r_variance: Tensor | float) -> tuple[Tensor, Tensor]:
    """(mean, variance) of N(mean, variance) times r(x) = N(centre; x, r_variance), exactly; an r_variance of inf is an r that is constant.

    All broadcast. ValueError where r_variance is negative or nan, or where it and variance are both 0.
    """
    r_variance = torch.as_tensor(r_variance, dtype=mean.dtype, device=mean.device)
    if not (r_variance >= 0).all():
        raise ValueError(f"the variance of r(x) is at least 0: got {r_variance[~(r_variance >= 0)][0]:g}")
    if ((variance == 0) & (r_variance == 0)).any():
        raise ValueError("the product of a kernel of variance 0 and an r(x) of variance 0 is no distribution")
    gain = variance / (variance + r_variance)
    return mean + gain * (centre - mean), 1 / (1 / variance + 1 / r_variance)


def times_delta(mean: Tensor, variance: Tensor, known: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, variance) of N(mean, variance) times a delta at `known` where mask is True: known and 0 there, unchanged elsewhere.

    ValueError unless mask is boolean and known and mask broadcast to the shape of mean, such as (C, H, W) to (N, C, H, W).
    """
    if mask.dtype != torch.bool:
        raise ValueError(f"the mask of known values is boolean: got {mask.dtype}")
    for name, tensor in (("known", known), ("mask", mask)):
        if not _broadcasts(tensor, mean):
            raise ValueError(f"{name} has the shape {tuple(tensor.shape)}, which does not broadcast to that of x, {tuple(mean.shape)}")
    return torch.where(mask, known, mean), torch.where(mask, 0.0, variance)


def times_bernoulli(prob: Tensor, r1: Tensor, r0: Tensor | None = None) -> Tensor:
    """The probability of 1 in B(prob) times r, with r1 = r(x_i = 1) and r0 = r(x_i = 0), exactly (Table App.1, last row).

    c r1 / (c r1 + (1 - c) r0); r0 is 1 - r1 where not given, the paper's c d / (c d + (1 - c)(1 - d)). All broadcast. ValueError where r is
    negative or nan, where it is 0 in both states, and where it is 0 in the only state that the kernel takes.
    """
    r0 = 1 - r1 if r0 is None else r0
    if not ((r1 >= 0).all() and (r0 >= 0).all()):
        raise ValueError(f"r(x) is at least 0: got {min(r1.min().item(), r0.min().item()):g}")
    if ((r1 == 0) & (r0 == 0)).any():
        raise ValueError("r(x) is 0 in both states of a bit, so it is zero everywhere and there is no product with it")
    on, off = prob * r1, (1 - prob) * r0
    if (on + off == 0).any():
        raise ValueError("r(x) is 0 in the only state that the kernel takes, so their product is zero everywhere")
    return on / (on + off)


def _broadcasts(tensor: Tensor, to: Tensor) -> bool:
    if tensor.ndim > to.ndim:
        return False
    return all(a in (1, b) for a, b in zip(reversed(tensor.shape), reversed(to.shape), strict=False))


# --- a whole chain ---


@dataclass(frozen=True)
class Perturbed:
    """A reverse process each of whose kernels is multiplied by r; x0-hat and eps-hat stay those of the process itself."""

    denoiser: Reverse
    r: R

    @property
    def process(self) -> GaussianProcess:
        return self.denoiser.process

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction:
        """At one time t for all of x_t, since r is told one; ValueError for a tensor of times."""
        if not isinstance(t, int):
            raise ValueError("a product with r(x) is taken at one time t for all samples: got a tensor of times")
        prediction = self.denoiser(x_t, t)
        mean, variance = self.r(prediction.mean, prediction.variance, t - 1)
        return prediction._replace(mean=mean, variance=variance)


@dataclass(frozen=True)
class PerturbedBinomial:
    """A reverse process of bits each of whose kernels, the last one included, is multiplied by an r that is constant in t (eq. 23)."""

    denoiser: BinomialReverse
    r1: Tensor
    r0: Tensor | None = None

    @property
    def process(self) -> BinomialProcess:
        return self.denoiser.process

    def __call__(self, x_t: Tensor, t: int | Tensor) -> BinomialPrediction:
        prediction = self.denoiser(x_t, t)
        return prediction._replace(prob=times_bernoulli(prediction.prob, self.r1, self.r0))


# --- what r is at x_s ---


def smooth(grad_log_r: Callable[[Tensor], Tensor]) -> R:
    """The paper's rule for any smooth r, constant in t (eq. 23 with eq. 61)."""
    return lambda mean, variance, s: (times_smooth(mean, variance, grad_log_r), variance)


def constant_gaussian(centre: Tensor, r_variance: Tensor | float) -> R:
    """The paper's rule, r(x) = N(centre; x, r_variance) at every t (eq. 23). For data like N(0, I) the chain samples nearly p r^2."""
    return lambda mean, variance, s: times_gaussian(mean, variance, centre, r_variance)


def fading_gaussian(T: int, centre: Tensor, r_variance: Tensor | float) -> R:
    """The paper's alternative, r(x)^((T - t) / T) at x_t: r_variance * T / (T - t), growing to inf at t = T."""
    return lambda mean, variance, s: times_gaussian(mean, variance, centre, r_variance * (T / (T - s)))


def expected_gaussian(process: GaussianProcess, centre: Tensor, r_variance: Tensor | float) -> R:
    """Recommended for r(x) = N(centre; x, r_variance): E_q[r(x_0) | x_t] for data N(0, I), of which the chain samples p r.

    Multiplying each kernel by h_t(x_t) = E[r(x_0) | x_t] is Doob's h-transform, whose chain has the law p(x_{0..T}) r(x_0). For data
    N(0, I) x_0 given x_t is N(sqrt(alpha_bar_t) x_t, 1 - alpha_bar_t), so h_t is N(centre; sqrt(alpha_bar_t) x_t, 1 - alpha_bar_t +
    r_variance): as a function of x_t a Gaussian about centre / sqrt(alpha_bar_t). Exact for such data, and at t = 0 it is r for any data.
    """

    def r(mean: Tensor, variance: Tensor, s: int) -> tuple[Tensor, Tensor]:
        alpha_bar = at(process.alpha_bar, s, mean)
        return times_gaussian(mean, variance, centre / alpha_bar.sqrt(), (1 - alpha_bar + r_variance) / alpha_bar)

    return r


def constant_delta(known: Tensor, mask: Tensor) -> R:
    """The paper's in-painting: known values, clean, at every t (eq. 23)."""
    return lambda mean, variance, s: times_delta(mean, variance, known, mask)


def noised_delta(process: GaussianProcess, known: Tensor, mask: Tensor, noise: Callable[[], Tensor]) -> R:
    """Recommended for in-painting: known values as noisy as x_s is, a draw of q(x_s | known), and exactly `known` at s = 0.

    The network then sees what it was trained on. One pass still does not sample p r, since what was filled in at x_t was not chosen to
    suit the known values of x_{t-1}: x_1 known to be 1.5, correlation 0.8, gives x_2 a mean of 0.75 (`constant_delta` 0.91) where p r has
    1.2. Repeating every step, x_t drawn anew from q(x_t | x_{t-1}) in between, lets the two settle at each noise level and tends to
    p r: mean 0.95, 1.10, 1.15, 1.18 with 2, 5, 10, 20 repeats (rediffuse.samplers.inpaint).

    noise() gives standard normal tensors of the shape of x, one call a step and none at s = 0.
    """

    def r(mean: Tensor, variance: Tensor, s: int) -> tuple[Tensor, Tensor]:
        return times_delta(mean, variance, process.q_sample(known, s, noise()) if s else known, mask)

    return r


def start_at(process: GaussianProcess, r_variance: float) -> int:
    """Recommended for denoising: the t from which the unperturbed chain, begun at sqrt(alpha_bar_t) y, samples p(x_0 | y), for any data.

    Here y = x_0 + N(0, r_variance) is an observation, so that p(x_0 | y) is p r with r(x) = N(y; x, r_variance). And sqrt(alpha_bar_t) y is
    sqrt(alpha_bar_t) x_0 + N(0, alpha_bar_t r_variance), a draw of q(x_t | x_0) where alpha_bar_t r_variance = 1 - alpha_bar_t: it is a
    diffused state itself, and p(x_0 | x_t) is what the reverse chain samples from there on. The t returned, in 0..T, has
    (1 - alpha_bar_t) / alpha_bar_t nearest to r_variance: the noise level is met up to the spacing of t, and not where y is noisier than
    x_T. ValueError unless r_variance is finite and at least 0.
    """
    if not 0 <= r_variance < float("inf"):
        raise ValueError(f"the variance of an observation's noise is finite and at least 0: got {r_variance:g}")
    return int(((1 - process.alpha_bar) / process.alpha_bar - r_variance).abs().argmin())
