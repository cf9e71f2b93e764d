"""The 2-d swiss roll of Sohl-Dickstein et al. 2015, from a generator whose exact density can be evaluated.

The paper gives neither turns nor noise nor size. Here a point is c(u) + noise * z with u uniform on [0, 1], z standard normal, and c(u) an
Archimedean spiral of `turns` turns, standardised in closed form: the mean of both coordinates is 0 and their mean square is 1, as the
paper's scores want it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rediffuse.files import Arrays

NODES = 4000
"""Points of the quadrature over u: they lie 0.002 apart on the curve, an eighteenth of the default noise."""
FIRST_ANGLE = 1.5 * np.pi

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
        log_weight, variance = self._responsibility(x, alpha_bar)
        return np.logaddexp.reduce(log_weight, axis=1) - np.log(2 * np.pi * variance * NODES)

    def posterior_mean(self, x: Array, alpha_bar: float) -> Array:
        """E[x_0 | x_t = x], shape (n, 2): by Tweedie's formula the score of q(x_t), alpha_bar being its signal."""
        log_weight, variance = self._responsibility(x, alpha_bar)
        weight = np.exp(log_weight - np.logaddexp.reduce(log_weight, axis=1, keepdims=True))
        on_curve = weight @ self._nodes
        gain = np.sqrt(alpha_bar) * self.noise**2 / variance
        return on_curve + gain * (x - np.sqrt(alpha_bar) * on_curve)

    def _responsibility(self, x: Array, alpha_bar: float) -> tuple[Array, float]:
        """The exponents of the mixture over the curve's nodes, (n, NODES), and the variance of its components at x_t."""
        variance = alpha_bar * self.noise**2 + 1 - alpha_bar
        nodes = np.sqrt(alpha_bar) * self._nodes
        square = (x**2).sum(1)[:, None] - 2 * x @ nodes.T + (nodes**2).sum(1)
        return -0.5 * square / variance, variance

    @cached_property
    def _nodes(self) -> Array:
        return self.curve((np.arange(NODES) + 0.5) / NODES)

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
