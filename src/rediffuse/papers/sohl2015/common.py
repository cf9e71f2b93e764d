"""What several measurements of Sohl-Dickstein et al. 2015 share."""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse import config
from rediffuse.config import Sohl2015
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.metrics.bits import Array, mean_and_error
from rediffuse.paths import Layout
from rediffuse.processes.binomial import BinomialPrediction, BinomialProcess
from rediffuse.processes.denoiser import Prediction
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.runs import LoadedRun, load_run
from rediffuse.sampling import gather


def options_of(layout: Layout) -> Sohl2015:
    assert layout.preset.papers.sohl2015
    return layout.preset.papers.sohl2015


def loaded(layout: Layout, run: str, device: torch.device) -> tuple[LoadedRun, Prepared]:
    """A trained run, and the data that it was trained on."""
    return load_run(layout.weights(run), device, layout.preset.runs[run]), load(layout.dataset(layout.preset.runs[run].dataset))


def mean(values: Array) -> dict[str, float]:
    """The columns of a measurement: its value, its standard error and n."""
    value, error = mean_and_error(values)
    return {"value": value, "sd": error, "n": len(values)}


def generator_of(layout: Layout, run: str) -> Any:
    """The exact generator of a run's data: a SwissRoll, a Heartbeat, or None where the density is not known."""
    match layout.preset.datasets[layout.preset.runs[run].dataset]:
        case config.SwissRoll(turns=turns, noise=noise):
            return SwissRoll(turns, noise)
        case config.Heartbeat(length=length, period=period):
            return Heartbeat(length, period)
    return None


def drawn_of(layout: Layout, name: str) -> tuple[NDArray[Any], Prepared]:
    """A set of ancestral samples as it was stored, in the order of their indices, and the data of its run."""
    samples = layout.preset.samples[name]
    run = layout.preset.runs[samples.run]
    data = load(layout.dataset(run.dataset))
    ((_, drawn),) = gather(samples, layout.shards(name), run.process.T, data.shape)
    return drawn, data


@dataclass(frozen=True)
class PerfectNetwork:
    """The best that any network could do on the swiss roll: the mean and the variance of q(x_{t-1} | x_t), coordinate by coordinate.

    Both are the generator's own, by quadrature over the curve. What K still lacks is the kernel's, which is a diagonal Gaussian.
    """

    process: GaussianProcess
    roll: SwissRoll

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction:
        """At one time for all points: t is an int, or a tensor whose entries are all equal."""
        time = t if isinstance(t, int) else int(t[0])
        process, x = self.process, x_t.double()
        mean_x0, variance_x0 = (
            torch.from_numpy(moment).to(x) for moment in self.roll.posterior_moments(x.cpu().numpy(), float(process.alpha_bar[time]))
        )
        mean = process.posterior_mean(mean_x0, x, time)
        variance = process.beta_tilde[time] + process.posterior_on_x0[time] ** 2 * variance_x0
        return Prediction(mean_x0, process.eps_from_x0(x, time, mean_x0), mean, variance)


@dataclass(frozen=True)
class PerfectBits:
    """The same on the heartbeat: f_b of the exact P(x_0 = 1 | x_t). What K still lacks is that bits of a kernel are independent."""

    process: BinomialProcess
    heartbeat: Heartbeat

    def __call__(self, x_t: Tensor, t: int | Tensor) -> BinomialPrediction:
        """At one time for all sequences: t is an int, or a tensor whose entries are all equal."""
        time = t if isinstance(t, int) else int(t[0])
        p0 = torch.from_numpy(self.heartbeat.posterior(x_t.cpu().numpy(), float(self.process.alpha_bar[time]), self.process.rate)).to(
            x_t.device
        )
        bits = x_t.double()
        return BinomialPrediction(self.process.q_prob(bits, 1) if time == 1 else self.process.prob_from_p0(p0, bits, time), p0)


class GaussianToy:
    """The exact reverse process of data N(0, covariance), covariance of shape (D, D): q(x_{t-1} | x_t) is Gaussian.

    Its kernels are diagonal where the covariance is; elsewhere the variance is that of each coordinate given x_t, and what the
    coordinates share given x_t, which is of the order of beta_t^2, is left out, as the paper's diagonal kernels leave it out.
    """

    def __init__(self, process: GaussianProcess, covariance: Tensor):
        self.process, self.covariance = process, covariance.double()

    def __call__(self, x_t: Tensor, t: int | Tensor) -> Prediction:
        assert isinstance(t, int)
        process, eye = self.process, torch.eye(len(self.covariance), dtype=torch.float64)
        alpha_bar = process.alpha_bar[t]
        # E[x_0 | x_t] = gain x_t and Cov[x_0 | x_t], by the formula of linear-Gaussian observations.
        gain = alpha_bar.sqrt() * self.covariance @ torch.linalg.inv(alpha_bar * self.covariance + (1 - alpha_bar) * eye)
        left = self.covariance - alpha_bar.sqrt() * gain @ self.covariance
        x0 = x_t @ gain.T
        variance = process.beta_tilde[t] + process.posterior_on_x0[t] ** 2 * left.diagonal()
        return Prediction(x0, process.eps_from_x0(x_t, t, x0), process.posterior_mean(x0, x_t, t), variance.expand_as(x_t))
