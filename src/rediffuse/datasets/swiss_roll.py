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
from scipy.spatial import KDTree

from rediffuse.config import SwissRoll as SwissRollOptions
from rediffuse.datasets.kinds import Read

FIRST_ANGLE = 1.5 * np.pi
MIN_PIECES = 20
BLOCK = 1_000_000
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
        mixture = self._mixture(x, *self._quadrature(alpha_bar), alpha_bar)
        return np.concatenate([log_sum for _, _, log_sum in mixture]) - np.log(2 * np.pi * self._variance(alpha_bar))

    def posterior_mean(self, x: Array, alpha_bar: float) -> Array:
        """E[x_0 | x_t = x], shape (n, 2): by Tweedie's formula the score of q(x_t), alpha_bar being its signal."""
        return self.posterior_moments(x, alpha_bar)[0]

    def posterior_moments(self, x: Array, alpha_bar: float) -> tuple[Array, Array]:
        """E[x_0 | x_t = x] and, for each coordinate by itself, Var[x_0 | x_t = x]: both of shape (n, 2).

        Given the point of the curve, x_0 and x_t are jointly Gaussian: what is left of x_0's variance is that of this Gaussian plus what
        not knowing the point adds.
        """
        (nodes, share), variance = self._quadrature(alpha_bar), self._variance(alpha_bar)
        gain, kept = np.sqrt(alpha_bar) * self.noise**2 / variance, (1 - alpha_bar) / variance
        means, variances = [], []
        for points, weight, _ in self._mixture(x, nodes, share, alpha_bar):
            on_curve, square = weight @ nodes, weight @ nodes**2
            means.append(kept * on_curve + gain * points)
            variances.append(kept * self.noise**2 + kept**2 * (square - on_curve**2))
        return np.concatenate(means), np.concatenate(variances)

    def entropy(self, alpha_bar: float = 1.0) -> float:
        """H(X_t) in nats: the sum of -q log q over a grid whose step is 0.8 standard deviations of a component.

        Half the step changes it by 2e-6 at most. Points further than 7 deviations from every node are left out: less than
        exp(-7^2 / 2) = 2e-11 of the mass lies there.
        """
        deviation = np.sqrt(self._variance(alpha_bar))
        step, reach, curve = 0.8 * deviation, 7 * deviation, np.sqrt(alpha_bar) * self._quadrature(alpha_bar)[0]
        axes = [np.arange(low - reach, high + reach + step, step) for low, high in zip(curve.min(0), curve.max(0), strict=True)]
        grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        log_q = self.log_density(grid[KDTree(curve).query(grid)[0] < reach], alpha_bar)
        return float(-(np.exp(log_q) * log_q).sum() * step**2)

    def _variance(self, alpha_bar: float) -> float:
        """Of a component of q(x_t), the mixture of Gaussians about the curve's points."""
        return alpha_bar * self.noise**2 + 1 - alpha_bar

    def _mixture(self, x: Array, nodes: Array, share: Array, alpha_bar: float) -> Iterator[tuple[Array, Array, Array]]:
        """Blocks of points, the probability of each node given the point, (points, nodes), and the log of the components' sum, (points,).

        Without the components' common factor 1 / (2 pi variance).
        """
        centres, half_precision = np.sqrt(alpha_bar) * nodes, -0.5 / self._variance(alpha_bar)
        of_node = half_precision * (centres**2).sum(1) + np.log(share)
        for points in np.array_split(x, -(-len(x) * len(nodes) // BLOCK)):
            exponent = points @ (-2 * half_precision * centres.T)
            exponent += of_node
            peak = exponent.max(1)
            exponent -= peak[:, None]
            weight = np.exp(exponent, out=exponent)
            total = weight.sum(1)
            weight /= total[:, None]
            yield points, weight, half_precision * (points**2).sum(1) + peak + np.log(total)

    def _quadrature(self, alpha_bar: float) -> tuple[Array, Array]:
        """Nodes on the curve, (K, 2), and the share of each, (K,), for integrals over u against a component of q(x_t).

        Gauss-Legendre of 8 nodes on equal pieces of [0, 1], on average two standard deviations of a component long: the curve's fastest
        piece is 1.5 times that. MIN_PIECES resolves the curve itself where a component is wider.
        """
        pieces = max(MIN_PIECES, int(np.ceil(np.sqrt(alpha_bar / self._variance(alpha_bar)) * self._length / 2)))
        place, share = np.polynomial.legendre.leggauss(8)
        u = (np.arange(pieces)[:, None] + 0.5 + 0.5 * place) / pieces
        return self.curve(u.ravel()), np.tile(share / (2 * pieces), pieces)

    @cached_property
    def _length(self) -> float:
        ends = self.curve(np.linspace(0, 1, 10_000))
        return float(np.linalg.norm(np.diff(ends, axis=0), axis=1).sum())

    @cached_property
    def _standard(self) -> tuple[Array, float]:
        """(centre, scale) that make the mean 0 and the mean square of a coordinate, noise included, 1."""
        spiral = self._spiral((np.arange(100_000) + 0.5) / 100_000)
        centre = spiral.mean(0)
        return centre, float(np.sqrt((1 - self.noise**2) / ((spiral - centre) ** 2).mean()))

    def _spiral(self, u: Array) -> Array:
        angle = FIRST_ANGLE + 2 * np.pi * self.turns * u
        return angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def read(options: SwissRollOptions) -> Read:
    """x_train (train, 2) and x_test (test, 2), float32, of variance 1."""
    generator = np.random.Generator(np.random.PCG64(options.seed))
    points = SwissRoll(options.turns, options.noise).sample(options.train + options.test, generator).astype(np.float32)
    return Read({"x_train": points[: options.train], "x_test": points[options.train :]}, "swiss roll")
