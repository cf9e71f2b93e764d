"""The baselines' densities: against SciPy's, as integrals, and fitted to data whose parameters are known."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from rediffuse.metrics.gaussians import FLOOR, FullGaussian, GaussianScaleMixture


def generator(seed=0):
    return np.random.default_rng(seed)


def correlated(n, dims, seed=0):
    """Gaussian, with a mean and a covariance of its own."""
    mix = generator(99).standard_normal((dims, dims))
    return 0.5 + generator(seed).standard_normal((n, dims)) @ mix.T


def scale_mixture(n, seed=0):
    """(x of shape (n, 4), mean, covariance of the mixture): scale 1 and 4 at 7 : 3, before the mixture's is made 1."""
    scale = np.where(generator(seed).uniform(size=n) < 0.7, 1.0, 4.0)
    root = np.tril(0.5 * np.ones((4, 4))) + 0.5 * np.eye(4)
    x = np.array([1.0, 0, -1, 2]) + scale[:, None] * generator(seed + 1).standard_normal((n, 4)) @ root.T
    return x, np.array([1.0, 0, -1, 2]), (0.7 + 0.3 * 16) * root @ root.T


def mixture_density(model, x):
    """The same density by SciPy, a component at a time."""
    parts = zip(model.weights, model.scales, strict=True)
    mean, covariance = model.shape.mean, model.shape.covariance
    return np.log(sum(w * scipy.stats.multivariate_normal(mean, s**2 * covariance).pdf(x) for w, s in parts))


def test_the_gaussian_is_scipys_with_the_samples_moments():
    x = correlated(500, 6)
    model = FullGaussian.fit(x.reshape(500, 1, 2, 3))
    np.testing.assert_allclose(model.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(model.covariance, np.cov(x.T, ddof=0), rtol=1e-10, atol=1e-12)
    y = correlated(50, 6, seed=1)
    expected = scipy.stats.multivariate_normal(x.mean(0), np.cov(x.T, ddof=0)).logpdf(y)
    np.testing.assert_allclose(model.log_likelihood(y.reshape(50, 1, 2, 3)), expected, rtol=1e-10)


def test_the_gaussian_is_the_maximum_of_the_likelihood():
    x = correlated(500, 4)
    best = FullGaussian.fit(x)
    for other in (FullGaussian(best.mean + 0.01, best.covariance), FullGaussian(best.mean, 1.01 * best.covariance)):
        assert best.log_likelihood(x).mean() > other.log_likelihood(x).mean()


def test_a_direction_without_variance_is_given_the_floor():
    """A pixel that never changes, and one that is another's copy: finite, and by the floor's variance."""
    x = correlated(500, 3)
    x = np.stack([x[:, 0], x[:, 1], x[:, 1], np.full(500, 2.0)], axis=1)
    model = FullGaussian.fit(x)
    values = np.linalg.eigvalsh(model.covariance)
    np.testing.assert_allclose(values[:2], FLOOR * np.cov(x.T, ddof=0).trace() / 4, rtol=1e-6)
    assert np.isfinite(model.log_likelihood(x)).all()
    assert np.isfinite(GaussianScaleMixture.fit(x, scales=2, steps=3).log_likelihood(x)).all()


def test_fewer_images_than_pixels_are_refused():
    with pytest.raises(ValueError, match="found 6 images of 6 pixels; expected more images than pixels"):
        FullGaussian.fit(correlated(6, 6))


def test_the_mixtures_density_is_scipys():
    x, _, _ = scale_mixture(2000)
    model = GaussianScaleMixture.fit(x.reshape(-1, 1, 2, 2), scales=3, steps=2)
    y, _, _ = scale_mixture(50, seed=5)
    np.testing.assert_allclose(model.log_likelihood(y.reshape(-1, 1, 2, 2)), mixture_density(model, y), rtol=1e-10)


def test_the_mixture_integrates_to_1_in_two_dimensions():
    shape = FullGaussian(np.array([0.2, -0.1]), np.array([[1.0, 0.6], [0.6, 0.8]]))
    model = GaussianScaleMixture(shape, np.array([0.3, 0.7]), np.array([0.5, 1.15]))
    axis = np.arange(-12, 12, 0.15)  # under half of the narrowest component's deviation along its minor axis
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(model.log_likelihood(points)).sum() * 0.15**2 == pytest.approx(1, abs=1e-6)


def test_the_mixture_integrates_to_1_in_one_dimension():
    model = GaussianScaleMixture(FullGaussian(np.array([0.3]), np.array([[2.0]])), np.array([0.5, 0.5]), np.array([0.1, 1.4]))
    total, _ = scipy.integrate.quad(lambda v: math.exp(model.log_likelihood(np.array([[v]]))[0]), -20, 20, points=[0, 0.3, 0.6], limit=200)
    assert total == pytest.approx(1, abs=1e-8)


def test_a_mixture_of_one_scale_is_the_gaussian():
    x, _, _ = scale_mixture(500)
    one, gaussian = GaussianScaleMixture.fit(x, scales=1, steps=3), FullGaussian.fit(x)
    np.testing.assert_allclose(one.scales, 1, rtol=1e-12)
    np.testing.assert_allclose(one.log_likelihood(x), gaussian.log_likelihood(x), rtol=1e-10)


def test_no_step_lowers_the_likelihood_and_the_scales_keep_their_unit():
    x, _, _ = scale_mixture(1000)
    models = [GaussianScaleMixture.fit(x, scales=4, steps=0)]
    for _ in range(15):
        models.append(models[-1].improved(x))
    likelihood = [m.log_likelihood(x).mean() for m in models]
    assert np.diff(likelihood).min() > -1e-12
    assert likelihood[-1] > likelihood[0] + 0.01
    for m in models:
        assert m.weights.sum() == pytest.approx(1, rel=1e-12)
        assert m.weights @ m.scales**2 == pytest.approx(1, rel=1e-12)


def test_a_step_does_not_depend_on_which_of_scales_and_covariance_has_the_unit():
    """5 times the scales and a 25th of the covariance are the same density, and so are they a step on."""
    x, _, _ = scale_mixture(500)
    model = GaussianScaleMixture.fit(x, scales=3, steps=1)
    same = GaussianScaleMixture(FullGaussian(model.shape.mean, model.shape.covariance / 25), model.weights, 5 * model.scales)
    np.testing.assert_allclose(same.log_likelihood(x), model.log_likelihood(x), rtol=1e-10)
    np.testing.assert_allclose(same.improved(x).log_likelihood(x), model.improved(x).log_likelihood(x), rtol=1e-10)


def test_samples_have_the_mixtures_moments():
    """Mean, covariance and E m^4 = D (D + 2) sum_k w_k s_k^4 of the distance m: within 5 standard errors over 20,000."""
    root = np.tril(0.5 * np.ones((4, 4))) + 0.5 * np.eye(4)
    shape = FullGaussian(np.array([1.0, 0, -1, 2]), root @ root.T)
    model = GaussianScaleMixture(shape, np.array([0.8, 0.2]), np.array([0.5, 2.0]))
    x = model.sample(20_000, generator())
    centred = x - shape.mean
    products = centred[:, :, None] * centred[:, None, :]
    for values, expected in (
        (x, shape.mean),
        (products, shape.covariance),  # 0.8 / 4 + 0.2 * 4 = 1
        (shape.square(x) ** 2, 24 * (0.8 * 0.5**4 + 0.2 * 2.0**4)),
    ):
        assert (np.abs(values.mean(0) - expected) < 5 * values.std(0) / math.sqrt(len(x))).all()


def test_a_mixtures_parameters_are_found_again():
    """20,000 points, 4 dimensions: weights to 4 deviations of their count, 0.013; the rest to 3 %, of which a deviation is about 0.7 %."""
    x, mean, covariance = scale_mixture(20_000)
    model = GaussianScaleMixture.fit(x, scales=2)
    unit = math.sqrt(0.7 + 0.3 * 16)
    order = np.argsort(model.scales)
    np.testing.assert_allclose(model.weights[order], [0.7, 0.3], rtol=0, atol=0.02)
    np.testing.assert_allclose(model.scales[order], [1 / unit, 4 / unit], rtol=0.03)
    np.testing.assert_allclose(model.shape.mean, mean, rtol=0, atol=0.05)
    np.testing.assert_allclose(model.shape.covariance, covariance, rtol=0, atol=0.03 * covariance.max())


def test_the_mixture_is_better_than_the_gaussian_on_new_data_of_several_scales():
    x, _, _ = scale_mixture(3000)
    y, _, _ = scale_mixture(3000, seed=7)
    gain = GaussianScaleMixture.fit(x, scales=4).log_likelihood(y) - FullGaussian.fit(x).log_likelihood(y)
    assert gain.mean() > 10 * gain.std(ddof=1) / math.sqrt(len(y))
