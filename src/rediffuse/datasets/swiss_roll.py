"""The 2-d swiss roll of Sohl-Dickstein et al. 2015, from a generator whose exact density can be evaluated.

The paper gives neither turns nor noise nor size. Here a point is c(u) + noise * z with u uniform on [0, 1], z standard normal, and c(u) an
Archimedean spiral of `turns` turns, standardised in closed form: the mean of both coordinates is 0 and their mean square is 1, as the
paper's scores want it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rediffuse.files import Arrays

FIRST_ANGLE = 1.5 * np.pi
BLOCK = 8_000_000
"""Most entries of one (points, nodes) matrix."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SwissRoll:
    """turns of the spiral, and the noise's standard deviation in units of the (standardised) data."""

    turns: float
    noise: float

    def curve(self, u: Array) -> Array:
        """c(u) for u in [0, 1]: shape (len(u), 2), in the data's units."""
        centre, scale = self._standard
        return (self._spiral(u) - centre) * scale

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """n points, shape (n, 2)."""
        return self.curve(generator.uniform(size=n)) + self.noise * generator.standard_normal((n, 2))

    def log_density(self, x: Array, alpha_bar: float = 1.0) -> Array:
        """log q(x_t) in nats at points of shape (n, 2), where x_t has been diffused to alpha_bar; alpha_bar = 1: the data."""
        total = [np.logaddexp.reduce(log_weight, axis=1) for _, log_weight in self._mixture(x, alpha_bar)]
        return np.concatenate(total) - np.log(2 * np.pi * self._variance(alpha_bar) * len(self._nodes))

    def posterior_mean(self, x: Array, alpha_bar: float) -> Array:
        """E[x_0 | x_t = x], shape (n, 2): by Tweedie's formula the score of q(x_t), alpha_bar being its signal."""
        gain = np.sqrt(alpha_bar) * self.noise**2 / self._variance(alpha_bar)
        means = []
        for points, log_weight in self._mixture(x, alpha_bar):
            weight = np.exp(log_weight - np.logaddexp.reduce(log_weight, axis=1, keepdims=True))
            on_curve = weight @ self._nodes
            means.append(on_curve + gain * (points - np.sqrt(alpha_bar) * on_curve))
        return np.concatenate(means)

    def _variance(self, alpha_bar: float) -> float:
        """Of a component of q(x_t), the mixture of Gaussians about the curve's nodes."""
        return alpha_bar * self.noise**2 + 1 - alpha_bar

    def _mixture(self, x: Array, alpha_bar: float) -> Iterator[tuple[Array, Array]]:
        """Blocks of points, and the exponents of the mixture's components there, (points, nodes)."""
        nodes = np.sqrt(alpha_bar) * self._nodes
        for points in np.array_split(x, -(-len(x) * len(nodes) // BLOCK)):
            square = (points**2).sum(1)[:, None] - 2 * points @ nodes.T + (nodes**2).sum(1)
            yield points, -0.5 * square / self._variance(alpha_bar)

    @cached_property
    def _nodes(self) -> Array:
        """The quadrature over u: sixteen nodes to a standard deviation of the noise, on average along the curve."""
        ends = self.curve(np.linspace(0, 1, 10_000))
        length = np.linalg.norm(np.diff(ends, axis=0), axis=1).sum()
        n = int(np.ceil(16 * length / self.noise))
        return self.curve((np.arange(n) + 0.5) / n)

    @cached_property
    def _standard(self) -> tuple[Array, float]:
        """(centre, scale) that make the mean 0 and the mean square of a coordinate, noise included, 1."""
        spiral = self._spiral((np.arange(100_000) + 0.5) / 100_000)
        centre = spiral.mean(0)
        return centre, float(np.sqrt((1 - self.noise**2) / ((spiral - centre) ** 2).mean()))

    def _spiral(self, u: Array) -> Array:
        angle = FIRST_ANGLE + 2 * np.pi * self.turns * u
        return angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def arrays(roll: SwissRoll, train: int, test: int, seed: int) -> Arrays:
    """x_train (train, 2) and x_test (test, 2), float32, of variance 1."""
    points = roll.sample(train + test, np.random.Generator(np.random.PCG64(seed))).astype(np.float32)
    return {"x_train": points[:train], "x_test": points[train:]}
