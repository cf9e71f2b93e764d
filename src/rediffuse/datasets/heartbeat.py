"""The binary heartbeat of Sohl-Dickstein et al. 2015 (App. D.1.2), and its forward chain in closed form.

A 1 stands in every `period`-th bin, the first one equally likely in any of the first `period` bins: `period` sequences in all. Diffused to
alpha_bar at a base rate, a bit is 1 with probability alpha_bar x_0 + (1 - alpha_bar) rate, independently given x_0: q(x_t) is a mixture of
`period` products of Bernoullis. In each of them all bins of one phase, i % period, have the same probability, so that how many of them
are 1 says all.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

from rediffuse.config import Heartbeat as HeartbeatOptions
from rediffuse.datasets.kinds import Read

LEVELS = 2
MOST = 5_000_000
"""Most (counts, phase) pairs that `entropy` enumerates."""

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Heartbeat:
    """Bins of a sequence, and bins from one 1 to the next: length >= period."""

    length: int
    period: int

    def sequences(self) -> Bits:
        """All of them, shape (period, length); row k has its first 1 in bin k."""
        return (np.arange(self.length) % self.period == np.arange(self.period)[:, None]).astype(np.uint8)

    def sample(self, n: int, generator: np.random.Generator) -> Bits:
        """n sequences, shape (n, length)."""
        return self.sequences()[generator.integers(self.period, size=n)]

    def valid(self, x: Any) -> NDArray[np.bool_]:
        """Whether each of the rows (n, length) is one of the sequences."""
        return (np.asarray(x)[:, None] == self.sequences()).all(axis=2).any(axis=1)

    def log_probability(self, x: Any) -> Array:
        """log q(x_0) in nats of rows (n, length); -inf of a row that is none of the sequences."""
        return np.where(self.valid(x), -math.log(self.period), -np.inf)

    def entropy(self, alpha_bar: float, rate: float) -> float:
        """H_q(X_t) in nats, exact: a sum over the counts of 1s in every phase, prod(bins of the phase + 1) terms.

        Raises ValueError if they are too many, as those of long sequences are.
        """
        terms = math.prod(int(size) + 1 for size in self._sizes)
        if terms * self.period > MOST:
            raise ValueError(f"length {self.length}, period {self.period}: the entropy is a sum of {terms} terms; expected fewer")
        counts = np.stack(np.meshgrid(*(np.arange(size + 1) for size in self._sizes), indexing="ij"), axis=-1).reshape(-1, self.period)
        # ways: how many x_t have these counts
        ways = (gammaln(self._sizes + 1) - gammaln(counts + 1) - gammaln(self._sizes - counts + 1)).sum(axis=1)
        log_q = logsumexp(self._log_joint(counts, alpha_bar, rate), axis=1)
        possible = log_q > -np.inf
        return float(-(np.exp(ways + log_q)[possible] * log_q[possible]).sum())

    def posterior(self, x_t: Any, alpha_bar: float, rate: float) -> Array:
        """P(x_0 = 1 | x_t) of every bit, exact: (n, length) of (n, length). Raises ValueError if a row of x_t cannot come about."""
        log_joint = self._log_joint(np.asarray(x_t) @ self.sequences().T.astype(np.float64), alpha_bar, rate)
        log_q = logsumexp(log_joint, axis=1, keepdims=True)
        if (log_q == -np.inf).any():
            raise ValueError(f"x_t: a row of probability 0 at alpha_bar {alpha_bar}, rate {rate}; expected rows that the chain can reach")
        return np.exp(log_joint - log_q)[:, np.arange(self.length) % self.period]

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        """Bins of every phase."""
        return np.bincount(np.arange(self.length) % self.period)

    def _log_joint(self, counts: Any, alpha_bar: float, rate: float) -> Array:
        """log q(x_t, phase k) of an x_t that has counts (n, period) of 1s in the bins of every phase: shape (n, period)."""

        def log_likelihood(p: float) -> Array:
            return xlogy(counts, p) + xlog1py(self._sizes - counts, -p)

        # Of phase k at its own probability, of the others at that of a 0. At alpha_bar = 1 a phase can be impossible: no differences.
        own, other = log_likelihood(alpha_bar + (1 - alpha_bar) * rate), log_likelihood((1 - alpha_bar) * rate)
        joint = [np.where(np.arange(self.period) == k, own, other).sum(axis=1) for k in range(self.period)]
        return np.stack(joint, axis=1) - math.log(self.period)


def read(options: HeartbeatOptions) -> Read:
    """x_train (train, length) and x_test (test, length), uint8, 0 or 1."""
    generator = np.random.Generator(np.random.PCG64(options.seed))
    x = Heartbeat(options.length, options.period).sample(options.train + options.test, generator)
    return Read({"x_train": x[: options.train], "x_test": x[options.train :]}, "heartbeat", LEVELS)
