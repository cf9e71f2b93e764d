"""The swiss roll's exact density: it is one, it is the samples', and its score gives the posterior mean."""

import math

import numpy as np
import pytest
import scipy.integrate

from rediffuse.datasets.swiss_roll import SwissRoll, arrays

DEFAULT = SwissRoll(turns=1.5, noise=0.036)
ROLLS = pytest.mark.parametrize("roll", [DEFAULT, SwissRoll(turns=0.7, noise=0.2)], ids=["default", "short"])


def generator(seed=0):
    return np.random.default_rng(seed)


def grid(step):
    axis = np.arange(-3, 3, step)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def log_density(roll, points, alpha_bar=1.0):
    """A part at a time, since each point is compared with every node of the curve."""
    return np.concatenate([roll.log_density(part, alpha_bar) for part in np.array_split(points, len(points) // 500)])


@ROLLS
def test_the_density_integrates_to_1_and_its_entropy_is_that_of_the_samples(roll):
    """-E log q(x) over samples, which shares no code with the density, against -sum q log q on a grid: within 4 standard errors."""
    step = 1.2 * roll.noise  # for a Gaussian's sum on a grid: wrong by 2 exp(-2 (pi / 1.2)^2) = 2e-6 at most
    log_q = log_density(roll, grid(step))
    assert np.exp(log_q).sum() * step**2 == pytest.approx(1, rel=0, abs=2e-6)
    entropy = -(np.exp(log_q) * log_q).sum() * step**2
    surprise = -log_density(roll, roll.sample(4000, generator()))
    assert abs(surprise.mean() - entropy) < 4 * surprise.std() / math.sqrt(len(surprise))


def test_the_diffused_density_integrates_to_1_and_is_that_of_diffused_samples():
    alpha_bar = 0.9
    axis = np.arange(-4, 4, 0.25)  # the narrowest part of it has a deviation of 0.32
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_q = log_density(DEFAULT, points, alpha_bar)
    assert np.exp(log_q).sum() * 0.25**2 == pytest.approx(1, rel=0, abs=1e-6)
    entropy = -(np.exp(log_q) * log_q).sum() * 0.25**2
    x = math.sqrt(alpha_bar) * DEFAULT.sample(4000, generator()) + math.sqrt(1 - alpha_bar) * generator(1).standard_normal((4000, 2))
    surprise = -log_density(DEFAULT, x, alpha_bar)
    assert abs(surprise.mean() - entropy) < 4 * surprise.std() / math.sqrt(len(surprise))


@ROLLS
def test_the_density_is_the_integral_over_the_curve(roll):
    """Adaptive quadrature over u in the place of fixed nodes, told where the curve passes nearest."""
    u = np.array([0.0, 0.13, 0.5, 0.98, 1.0])
    points = roll.curve(u) + np.array([[0, 0], [0.02, 0.01], [-0.05, 0.03], [0.01, -0.1], [0.05, 0.0]])

    def kernel(v, x):
        return math.exp(-0.5 * ((x - roll.curve(np.array([v]))[0]) ** 2).sum() / roll.noise**2) / (2 * math.pi * roll.noise**2)

    for x, near, got in zip(points, u, roll.log_density(points), strict=True):
        breaks = [v for v in (near - 0.02, near, near + 0.02) if 0 < v < 1]
        expected, _ = scipy.integrate.quad(kernel, 0, 1, args=(x,), points=breaks, limit=500, epsabs=0, epsrel=1e-8)
        # The 4,000 nodes are a midpoint rule: at an end of the curve it is wrong by (spacing / noise)^2 / 24 and no more.
        assert got == pytest.approx(math.log(expected), rel=0, abs=2e-4)


@ROLLS
def test_the_data_have_mean_0_and_mean_square_1(roll):
    u = (np.arange(10**6) + 0.5) / 10**6
    curve = roll.curve(u)
    np.testing.assert_allclose(curve.mean(0), 0, rtol=0, atol=1e-9)
    assert (curve**2).mean() + roll.noise**2 == pytest.approx(1, rel=1e-9)
    x = roll.sample(50_000, generator())
    assert (np.abs(x.mean(0)) < 4 * x.std(0) / math.sqrt(len(x))).all()
    square = (x**2).mean(1)
    assert abs(square.mean() - 1) < 4 * square.std() / math.sqrt(len(x))


@pytest.mark.parametrize("alpha_bar", [0.999, 0.9, 0.3, 1e-3])
def test_the_posterior_mean_is_tweedies_formula(alpha_bar):
    """E[x_0 | x_t] = (x_t + (1 - alpha_bar) grad log q(x_t)) / sqrt(alpha_bar), the gradient by central differences."""
    x = math.sqrt(alpha_bar) * DEFAULT.sample(20, generator()) + math.sqrt(1 - alpha_bar) * generator(1).standard_normal((20, 2))
    h = 1e-5
    rise = [DEFAULT.log_density(x + d, alpha_bar) - DEFAULT.log_density(x - d, alpha_bar) for d in h * np.eye(2)]
    gradient = np.stack(rise, axis=1) / (2 * h)
    expected = (x + (1 - alpha_bar) * gradient) / math.sqrt(alpha_bar)
    # Logarithms are rounded to 1e-15 of about 5; their difference is divided by 2 h and, at the smallest alpha_bar, by 0.03.
    np.testing.assert_allclose(DEFAULT.posterior_mean(x, alpha_bar), expected, rtol=0, atol=2e-7)


def test_the_posterior_mean_of_clean_data_is_the_data():
    x = DEFAULT.sample(20, generator())
    np.testing.assert_allclose(DEFAULT.posterior_mean(x, 1.0), x, rtol=0, atol=1e-12)


def test_the_arrays_are_the_same_for_a_seed_and_their_halves_are_not_one_another():
    first, again, other = (arrays(DEFAULT, 30, 20, seed) for seed in (0, 0, 1))
    assert {name: (x.shape, x.dtype.name) for name, x in first.items()} == {"x_train": ((30, 2), "float32"), "x_test": ((20, 2), "float32")}
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x_train"], other["x_train"])
    assert len(np.unique(np.concatenate(list(first.values())), axis=0)) == 50
