"""The binomial diffusion of Sohl-Dickstein et al. 2015 (Table App.1, right-hand column) and its bound K; every bit diffuses by itself.

A bit is kept with probability 1 - beta_t and otherwise drawn afresh from B(r), so everything is exact. Bounds are in nats, summed over
the bits of one example. Between a network's logits and a bound everything is float64, whatever the network's own type: a term of K at
T = 2000 is a few 1e-5 nats a bit, left over from probabilities that differ from 1 by 1e-7.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from rediffuse.processes.gaussian import at

MAX_LOGIT = 36.0
"""Of a network: float64 has no probability between 1 / (1 + exp(-37)) and 1, and -log(1 - p) must stay finite."""


@dataclass(frozen=True)
class BinomialProcess:
    """q(x_t = 1 | x_{t-1}) = (1 - beta_t) x_{t-1} + beta_t r per bit, for t = 1..T.

    `beta` has shape (T + 1,) and dtype float64, with beta[0] = 0; beta_T may be 1, as in the paper's 1 / (T - t + 1), and then x_T is
    a draw of the prior B(r) that has forgotten x_0. `rate` is r, between 0 and 1. Table App.1 prints 0.5; the published heartbeat was
    run with 0.2 (appendix D.1.2 says so, and 20 bits of entropy H(0.2) are the 14.44 bits of -L_null in Table 1, where r = 0.5
    would give 20). It is also the mean of the heartbeat, which the entropy bounds need.

    x_0 and x_t hold 0 and 1 alone (see `check`) and have the shape (N, ...); a time t is an int or an integer tensor of shape (N,);
    and every method returns the dtype of the x that it is given.
    """

    beta: Tensor
    rate: float

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"the base rate of a binomial process lies between 0 and 1, both excluded: got {self.rate}")

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
    def posterior(self) -> Tensor:
        """q(x_{t-1} = 1 | x_t, x_0) by Bayes' rule over the two states of x_{t-1}; indexed [t, x_t, x_0], of shape (T + 1, 2, 2)."""
        alpha, beta, bar, r = self.alpha[1:], self.beta[1:], self.alpha_bar[:-1], self.rate
        # No state's probability is one minus the other's, so that neither loses its digits where it is tiny.
        x_t_if_on = torch.stack([beta * (1 - r), alpha + beta * r], 1)
        x_t_if_off = torch.stack([alpha + beta * (1 - r), beta * r], 1)
        on_if_x0 = torch.stack([(1 - bar) * r, bar + (1 - bar) * r], 1)
        off_if_x0 = torch.stack([bar + (1 - bar) * (1 - r), (1 - bar) * (1 - r)], 1)
        on, off = x_t_if_on[:, :, None] * on_if_x0[:, None], x_t_if_off[:, :, None] * off_if_x0[:, None]
        return torch.cat([torch.full_like(on[:1], torch.nan), on / (on + off)])

    def to(self, device: torch.device | str) -> "BinomialProcess":
        """The same process with its coefficients on a device."""
        return BinomialProcess(self.beta.to(device), self.rate)

    def check(self, x: Tensor) -> None:
        """ValueError, in one line, unless x holds 0 and 1 alone."""
        wrong = x[(x != 0) & (x != 1)]
        if len(wrong):
            found = f"found {len(wrong)} of {x.numel()} values from {x.min():g} to {x.max():g}, such as {wrong[0].item():g}"
            raise ValueError(f"{found}; expected 0 and 1 alone for a binomial process")

    def q_prob(self, x0: Tensor, t: int | Tensor) -> Tensor:
        """q(x_t = 1 | x_0) = alpha_bar_t x_0 + (1 - alpha_bar_t) r."""
        return at(self.alpha_bar, t, x0) * x0 + at((1 - self.alpha_bar) * self.rate, t, x0)

    def q_sample(self, x0: Tensor, t: int | Tensor, u: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0), from the given u, uniform on [0, 1)."""
        return (u < self.q_prob(x0, t)).to(x0.dtype)

    def posterior_prob(self, x0: Tensor, x_t: Tensor, t: int | Tensor) -> Tensor:
        """q(x_{t-1} = 1 | x_t, x_0); at t = 1 that is x_0."""
        return torch.where(x0 == 1, self._posterior(1, x_t, t), self._posterior(0, x_t, t))

    def prob_from_p0(self, p0: Tensor, x_t: Tensor, t: int | Tensor) -> Tensor:
        """f_b = P(x_{t-1} = 1 | x_t) from p0 = P(x_0 = 1 | x_t) of the same bit.

        Exact, not an approximation: given x_0 the bits of the forward chain are independent, so bit i of x_{t-1} depends on the whole
        x_t through bit i of x_t and P(x_0i = 1 | x_t) alone.
        """
        return p0 * self._posterior(1, x_t, t) + (1 - p0) * self._posterior(0, x_t, t)

    def log_prior(self, x: Tensor) -> Tensor:
        """log pi(x) under B(r) per example, shape (N,), in nats: L_null (K - L_null is what was learned)."""
        on = torch.tensor(self.rate, dtype=torch.float64, device=x.device)
        return torch.where(x == 1, on.log(), (1 - on).log()).flatten(1).sum(1).to(x.dtype)

    def log_edge(self, x0: Tensor, x_1: Tensor) -> Tensor:
        """log p(x_0 | x_1) of the last reverse step per example, shape (N,), in nats.

        The step is the forward kernel, T_pi(x_0 | x_1; beta_1) (eq. 44). It is q(x_1 | x_0) pi(x_0) / pi(x_1), a chain of two states
        being reversible with respect to B(r).
        """
        on = self.q_prob(x_1.double(), 1)
        return torch.where(x0 == 1, on, 1 - on).log().flatten(1).sum(1).to(x0.dtype)

    def _posterior(self, x0: int, x_t: Tensor, t: int | Tensor) -> Tensor:
        """q(x_{t-1} = 1 | x_t, x_0) where x_0 is the same bit everywhere."""
        table = self.posterior[:, :, x0]
        return torch.where(x_t == 1, at(table[:, 1], t, x_t), at(table[:, 0], t, x_t))


class BinomialPrediction(NamedTuple):
    """At x_t, float64, in the shape of x_t: prob = f_b = P(x_{t-1} = 1 | x_t), and P(x_0 = 1 | x_t) where the network gives that."""

    prob: Tensor
    p0: Tensor | None


class BinomialReverse(Protocol):
    """A reverse process p(x_{t-1} | x_t) of independent bits, its last step p(x_0 | x_1) included."""

    @property
    def process(self) -> BinomialProcess: ...

    def __call__(self, x_t: Tensor, t: int | Tensor) -> BinomialPrediction: ...


@dataclass(frozen=True)
class BinomialDenoiser:
    """A network read as the reverse process p(x_{t-1} | x_t) = B(f_b(x_t, t)); at t = 1 it is the edge kernel of eq. 44, not the network.

    network: (x_t of shape (N, D), t - 1 of shape (N,)) -> logits of shape (N, D).
    predicts: what sigmoid(logits) is:
      mu   f_b itself, the mean of the kernel (the paper's form)
      x0   P(x_0 = 1 | x_t), from which f_b follows exactly; at the start of training it is already right where x_t says most
    """

    process: BinomialProcess
    network: Callable[[Tensor, Tensor], Tensor]
    predicts: Literal["x0", "mu"]

    def __call__(self, x_t: Tensor, t: int | Tensor) -> BinomialPrediction:
        """The prediction at x_t, for one time t or one per sample."""
        times = torch.full((len(x_t),), t, device=x_t.device) if isinstance(t, int) else t
        output = torch.sigmoid(self.network(x_t, times - 1).double().clamp(-MAX_LOGIT, MAX_LOGIT))
        bits = x_t.double()
        prob = self.process.prob_from_p0(output, bits, t) if self.predicts == "x0" else output
        # T_pi(x_0 | x_1; beta_1) is the forward kernel, and so is q(x_1 | x_0).
        edge = self.process.q_prob(bits, 1)
        prob = torch.where((times == 1).view(-1, *[1] * (x_t.ndim - 1)), edge, prob)
        return BinomialPrediction(prob, output if self.predicts == "x0" else None)


def kl_bernoulli(q: Tensor, p: Tensor) -> Tensor:
    """KL(B(q) || B(p)) per element, in nats; a state that q does not take costs nothing, whatever p."""
    return _share(q, p) + _share(1 - q, 1 - p)


def _share(q: Tensor, p: Tensor) -> Tensor:
    """q log(q / p), which is 0 at q = 0, with a finite gradient there for p = 0 too."""
    some = q > 0
    q, p = torch.where(some, q, 1.0), torch.where(some, p, 1.0)
    return q * (q / p).log()


def l_T(process: BinomialProcess, x0: Tensor) -> Tensor:
    """KL(q(x_T | x_0) || B(r)) per example, shape (N,), in nats: exactly 0 where beta_T = 1. Nothing in it is learned."""
    q = process.q_prob(x0.double(), process.T)
    return kl_bernoulli(q, torch.full_like(q, process.rate)).flatten(1).sum(1).to(x0.dtype)


def vlb_term(denoiser: BinomialReverse, x0: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """One term of the bound per example at x_t made of u: KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), shape (N,), in nats.

    x0 and u (uniform on [0, 1)) have the shape (N, D), t is (N,) in 1..T. At t = 1 the posterior is x_0 itself and the divergence is
    -log p(x_0 | x_1), which no network changes. K = -(l_T + sum_t vlb_term) (eq. 14): its H_q(X^T | X^0) - H_p(X^T) is -l_T, and its
    -H_q(X^1 | X^0) the term at t = 1, both on the condition that E_q[log pi(x_t)] does not change with t; this form needs none.
    """
    x_t = denoiser.process.q_sample(x0, t, u)
    q = denoiser.process.posterior_prob(x0.double(), x_t.double(), t)
    return kl_bernoulli(q, denoiser(x_t, t).prob).flatten(1).sum(1).to(x0.dtype)
