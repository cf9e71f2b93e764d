"""Two densities of images that need no network: a Gaussian with a full covariance, and a mixture of such at several scales.

Baselines of dead leaves beside the diffusion's bound and the published MCGSM (Sohl-Dickstein et al. 2015, Table 2). Images of shape
(n, ...) are flattened; log-likelihoods are nats an image, of densities in the units of x.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR = 1e-6
"""Smallest variance in any direction, as a share of the mean variance of a pixel: below what the noise of 8-bit grey levels adds."""
INNER = 10
"""Steps for scales and weights, which cost next to nothing, to one for mean and covariance."""


@dataclass(frozen=True)
class FullGaussian:
    """N(mean, covariance): shapes (D,) and (D, D), positive definite."""

    mean: Array
    covariance: Array

    @classmethod
    def fit(cls, x_train: Array) -> "FullGaussian":
        """The maximum of the likelihood of images (n, ...), every direction's variance being at least FLOOR.

        Raises ValueError for n <= D: some direction would have no variance at all.
        """
        x = _flat(x_train)
        if len(x) <= x.shape[1]:
            raise ValueError(f"Gaussian: found {len(x)} images of {x.shape[1]} pixels; expected more images than pixels")
        return cls._weighted(x, np.ones(len(x)))

    @classmethod
    def _weighted(cls, x: Array, weight: Array) -> "FullGaussian":
        """Of x (n, D): the mean by these weights, (n,), and the sum of weighted squares about it divided by n."""
        mean = weight @ x / weight.sum()
        centred = (x - mean) * np.sqrt(weight)[:, None]
        values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
        return cls(mean, (vectors * values.clip(min=FLOOR * values.mean())) @ vectors.T)

    def square(self, x: Array) -> Array:
        """The squared Mahalanobis distance of images (n, ...) from the mean, shape (n,)."""
        return (((_flat(x) - self.mean) @ self._whitening.T) ** 2).sum(1)

    @cached_property
    def log_normaliser(self) -> float:
        """log((2 pi)^(D/2) |C|^(1/2))."""
        return float(0.5 * len(self.mean) * np.log(2 * np.pi) - np.log(np.diag(self._whitening)).sum())

    def log_likelihood(self, x: Array) -> Array:
        """Of images (n, ...), in nats, shape (n,)."""
        return -0.5 * self.square(x) - self.log_normaliser

    @cached_property
    def _root(self) -> Array:
        """L, lower triangular, where C = L L^T."""
        return np.linalg.cholesky(self.covariance).astype(np.float64)

    @cached_property
    def _whitening(self) -> Array:
        return np.linalg.inv(self._root).astype(np.float64)


@dataclass(frozen=True)
class GaussianScaleMixture:
    """sum_k weights_k N(mean, scales_k^2 C), with sum_k weights_k scales_k^2 = 1: C, the `shape`'s covariance, is the mixture's own.

    What a Gaussian lacks of natural images, whose contrast varies from one to the next (Wainwright and Simoncelli 2000), in the fewest
    parameters. weights and scales: shape (K,).
    """

    shape: FullGaussian
    weights: Array
    scales: Array

    @classmethod
    def fit(cls, x_train: Array, scales: int = 8, steps: int = 10) -> "GaussianScaleMixture":
        """By `steps` steps of `improved` for images (n, ...), from the Gaussian's own covariance and equally many images to a scale."""
        x = _flat(x_train)
        shape = FullGaussian.fit(x)
        squares = np.quantile(shape.square(x), (np.arange(scales) + 0.5) / scales) / x.shape[1]
        mixture = cls(shape, np.full(scales, 1 / scales), np.sqrt(squares / squares.mean()))
        for _ in range(steps):
            mixture = mixture.improved(x)
        return mixture

    def improved(self, x: Array) -> "GaussianScaleMixture":
        """After one step of EM for mean and C, and INNER for weights and scales: the likelihood of x (n, D) does not fall.

        ECM (Meng and Rubin 1993): scales and covariance have no joint maximum in closed form, but each has one given the other.
        """
        square, mixture = self.shape.square(x), self
        for _ in range(INNER):
            share, _ = mixture._shares(square)
            images = share.sum(0)
            mixture = replace(mixture, weights=images / len(x), scales=np.sqrt(square @ share / (images * x.shape[1])))
        share, _ = mixture._shares(square)
        shape = FullGaussian._weighted(x, share @ mixture.scales**-2)
        unit = mixture.weights @ mixture.scales**2
        return GaussianScaleMixture(FullGaussian(shape.mean, unit * shape.covariance), mixture.weights, mixture.scales / np.sqrt(unit))

    def log_likelihood(self, x: Array) -> Array:
        """Of images (n, ...), in nats, shape (n,)."""
        return self._shares(self.shape.square(x))[1]

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """n images, flat: shape (n, D)."""
        scale = generator.choice(self.scales, size=n, p=self.weights / self.weights.sum())
        return self.shape.mean + scale[:, None] * (generator.standard_normal((n, len(self.shape.mean))) @ self.shape._root.T)

    def _shares(self, square: Array) -> tuple[Array, Array]:
        """The probability of each scale, (n, K), and the log-likelihood, (n,), at these squared distances by the shape's covariance."""
        log_joint = np.log(self.weights) - len(self.shape.mean) * np.log(self.scales) - 0.5 * square[:, None] / self.scales**2
        log_sum = np.logaddexp.reduce(log_joint, axis=1)
        return np.exp(log_joint - log_sum[:, None]), log_sum - self.shape.log_normaliser


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1).astype(np.float64)
