"""The swiss roll's exact density: it is one, it is the samples', and its score gives the posterior mean."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special

from rediffuse.config import SwissRoll as SwissRollOptions
from rediffuse.datasets.swiss_roll import SwissRoll, read

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
        # Against 20 nodes on each of 1,500 pieces the density's own quadrature was wrong by 6e-9 at most.
        assert got == pytest.approx(math.log(expected), rel=0, abs=1e-7)


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


@pytest.mark.parametrize("alpha_bar", [0.999, 0.9, 0.3, 1e-3])
def test_the_posterior_variance_is_tweedies_formula_of_second_order(alpha_bar):
    """Var[x_0 | x_t] = (1 - alpha_bar) / sqrt(alpha_bar) dE[x_0 | x_t] / dx_t, coordinate by coordinate, by central differences."""
    x = math.sqrt(alpha_bar) * DEFAULT.sample(20, generator()) + math.sqrt(1 - alpha_bar) * generator(1).standard_normal((20, 2))
    h = 1e-4 * math.sqrt(1 - alpha_bar)
    rise = [
        (DEFAULT.posterior_mean(x + d, alpha_bar) - DEFAULT.posterior_mean(x - d, alpha_bar))[:, i] for i, d in enumerate(h * np.eye(2))
    ]
    expected = (1 - alpha_bar) / math.sqrt(alpha_bar) * np.stack(rise, axis=1) / (2 * h)
    # Means are rounded to 1e-15 or so; the quotient is that by 2 h, and at the smallest alpha_bar by 0.03.
    np.testing.assert_allclose(DEFAULT.posterior_moments(x, alpha_bar)[1], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha_bar", [0.99, 0.3])
def test_the_posterior_variance_is_the_error_of_the_posterior_mean(alpha_bar):
    """E (x_0 - E[x_0 | x_t])^2 = E Var[x_0 | x_t], over 4,000 draws of both: within 4 standard errors."""
    x0 = DEFAULT.sample(4000, generator())
    x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * generator(1).standard_normal(x0.shape)
    mean, variance = DEFAULT.posterior_moments(x, alpha_bar)
    difference = (x0 - mean) ** 2 - variance
    assert (np.abs(difference.mean(0)) < 4 * difference.std(0) / math.sqrt(len(x))).all()


def test_the_posterior_of_clean_data_is_the_data_and_of_noise_is_the_prior():
    x = DEFAULT.sample(20, generator())
    mean, variance = DEFAULT.posterior_moments(x, 1.0)
    np.testing.assert_allclose(mean, x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(variance, 0, rtol=0, atol=1e-12)
    mean, variance = DEFAULT.posterior_moments(x, 0.0)
    np.testing.assert_allclose(mean, 0, rtol=0, atol=1e-8)
    assert variance.mean(1) == pytest.approx(1, rel=1e-8)


@ROLLS
@pytest.mark.parametrize("alpha_bar", [1.0, 0.999, 0.5])
def test_the_entropy_is_the_mean_surprise_of_samples(roll, alpha_bar):
    """-E log q(x_t) over 10,000 samples: within 4 standard errors."""
    x0 = roll.sample(10_000, generator())
    x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * generator(1).standard_normal(x0.shape)
    surprise = -roll.log_density(x, alpha_bar)
    assert abs(surprise.mean() - roll.entropy(alpha_bar)) < 4 * surprise.std() / math.sqrt(len(x))


def test_the_entropy_grows_to_that_of_standard_noise():
    """log(2 pi e) in two dimensions, and never more: x_t has mean 0 and mean square 1, of which the Gaussian has the most entropy."""
    entropy = [DEFAULT.entropy(alpha_bar) for alpha_bar in (0.99, 0.5, 0.1, 3e-3, 0.0)]
    noise = math.log(2 * math.pi * math.e)
    assert (np.diff(entropy) > 0).all()
    assert entropy[-1] == pytest.approx(noise, rel=0, abs=1e-8)
    # Its first departure is that of a Gaussian with the covariance of x_t, I + alpha_bar (C - I): 5e-8. The next is of order alpha_bar^3.
    covariance = np.cov(DEFAULT.curve((np.arange(10**5) + 0.5) / 10**5).T, ddof=0) + DEFAULT.noise**2 * np.eye(2)
    gaussian = -0.5 * np.linalg.slogdet(np.eye(2) + 3e-3 * (covariance - np.eye(2)))[1]
    assert entropy[-1] - entropy[-2] == pytest.approx(gaussian, rel=0.02)


def test_the_entropy_of_a_straight_tube_is_closed():
    """Of a roll almost without turns: log length + 0.5 log(2 pi e noise^2), and at each end, where the density fades as the normal
    distribution function Phi, noise / length times the integral of -Phi log Phi.
    """
    roll = SwissRoll(turns=1e-4, noise=0.02)
    length = np.linalg.norm(np.diff(roll.curve(np.array([0.0, 1.0])), axis=0))
    fading = -scipy.integrate.quad(lambda z: scipy.special.ndtr(z) * scipy.special.log_ndtr(z), -30, 30)[0]
    expected = math.log(length) + 0.5 * math.log(2 * math.pi * math.e * 0.02**2) + 2 * fading * 0.02 / length
    # The curve turns by 6e-4 in all, by whose square / 24 its length differs from the chord's: 2e-8.
    assert roll.entropy() == pytest.approx(expected, rel=0, abs=1e-7)


def test_the_arrays_are_the_same_for_a_seed_and_their_halves_are_not_one_another():
    options = SwissRollOptions(kind="swiss-roll", train=30, test=20)
    first, again, other = (read(options.model_copy(update={"seed": seed})).arrays for seed in (0, 0, 1))
    assert {name: (x.shape, x.dtype.name) for name, x in first.items()} == {"x_train": ((30, 2), "float32"), "x_test": ((20, 2), "float32")}
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x_train"], other["x_train"])
    assert len(np.unique(np.concatenate(list(first.values())), axis=0)) == 50
