"""The Frechet distance between two sets of features (Heusel et al. 2017), from statistics that add up over shards."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rediffuse.errors import UserError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """n, the sum of f, and the sum of f f^T over feature vectors f of shape (D,), in float64."""

    n: int
    total: Array
    outer: Array

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> "Statistics":
        """Of features of shape (n, D)."""
        f = features.astype(np.float64)
        return cls(len(f), f.sum(0), f.T @ f)

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(self.n + other.n, self.total + other.total, self.outer + other.outer)

    @property
    def mean(self) -> Array:
        return self.total / self.n

    @property
    def covariance(self) -> Array:
        """Unbiased (n - 1), shape (D, D)."""
        return (self.outer - np.outer(self.total, self.mean)) / (self.n - 1)

    @cached_property
    def root(self) -> Array:
        """The symmetric square root of the covariance; kept, since many sets are held against one reference."""
        values, vectors = np.linalg.eigh(self.covariance)
        return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), in squared units of the features.

    Biased upwards at finite n, more so for small n: compare only at equal n. Where many sets are held against one, b is that one. Raises
    UserError for fewer than two features a side.
    """
    _enough(a.n, b.n)
    # tr((C_a C_b)^1/2) = tr((R C_a R)^1/2) with R = C_b^1/2: symmetric, so that no complex eigenvalue can arise.
    cross = np.sqrt(np.linalg.eigvalsh(b.root @ a.covariance @ b.root).clip(0)).sum()
    return float(((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)


def frechet_bootstrap(features: NDArray[np.floating], reference: Statistics, resamples: int = 20, seed: int = 0) -> Array:
    """The distance over bootstrap resamples of the features, shape (resamples,): how it varies because only n samples were drawn.

    Sets of equal n are resampled alike, so that a difference of two that share their latents has its own, smaller, deviation. The
    reference set's error is left out, and the training's, which a second seed of training would show. Raises UserError as the distance
    does.
    """
    _enough(len(features), reference.n)
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = generator.integers(len(features), size=(resamples, len(features)))
    if len(features) > len(reference.total):
        return np.array([frechet_distance(Statistics.of(features[row]), reference) for row in rows])
    f = features.astype(np.float64)
    rooted = f @ reference.root
    return np.array([_of_few(f[row], rooted[row], reference) for row in rows])


def _of_few(f: Array, rooted: Array, b: Statistics) -> float:
    """`frechet_distance` from b of features f (n, D), given f C_b^(1/2), where n <= D: many times as fast, and no less exact.

    With A the centred rows of the latter, C_b^(1/2) C_a C_b^(1/2) is A^T A / (n - 1), whose eigenvalues but for zeros are those of A A^T.
    """
    mean, centred = f.mean(0), rooted - rooted.mean(0)
    spread = ((f - mean) ** 2).sum() / (len(f) - 1)
    cross = np.sqrt(np.linalg.eigvalsh(centred @ centred.T / (len(f) - 1)).clip(0)).sum()
    return float(((mean - b.mean) ** 2).sum() + spread + np.trace(b.covariance) - 2 * cross)


def _enough(*n: int) -> None:
    if min(n) < 2:
        raise UserError(f"Frechet distance: found {min(n)} samples; expected at least 2 on either side")
