"""Signal-to-noise ratios in closed form, and the Wiener filter: the best there is for Gaussian data."""

import math

import numpy as np
import pytest
import scipy.signal
from skimage.metrics import peak_signal_noise_ratio

from rediffuse.metrics.restoration import psnr, wiener


def generator(seed=0):
    return np.random.default_rng(seed)


def test_psnr_is_that_of_the_mean_square_error_of_each_image():
    x = generator().uniform(size=(3, 1, 4, 5))
    y = x + np.array([0.1, -0.01, 1.0])[:, None, None, None]
    np.testing.assert_allclose(psnr(y, x, 1.0), [20, 40, 0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(psnr(y, x, 2.0), np.array([20, 40, 0]) + 20 * math.log10(2), rtol=0, atol=1e-9)


def test_psnr_is_scikit_images():
    x, y = generator().uniform(size=(2, 4, 1, 6, 6))
    expected = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(y, x, strict=True)]
    np.testing.assert_allclose(psnr(x, y, 1.0), expected, rtol=1e-12)


def test_psnr_of_integers_does_not_wrap_round_and_of_the_reference_is_infinite():
    black, white = np.zeros((1, 1, 2, 2), np.uint8), np.full((1, 1, 2, 2), 255, np.uint8)
    assert psnr(black, white, 255)[0] == psnr(white, black, 255)[0] == 0
    assert psnr(white, white, 255)[0] == math.inf


def test_images_of_other_shapes_have_no_psnr():
    with pytest.raises(ValueError, match=r"found images of shape \(2, 3\) and originals of shape \(1, 3\)"):
        psnr(np.zeros((2, 3)), np.zeros((1, 3)), 1.0)


NOISE = 0.5


@pytest.fixture(scope="module")
def gaussian_images():
    """Smooth Gaussian images of 8 x 8 pixels, (n, 1, 8, 8), with the mean and the covariance that they were drawn from."""
    row = np.exp(-0.5 * ((np.arange(8)[:, None] - np.arange(8)) / 2) ** 2)
    covariance, mean = np.kron(row, row), np.linspace(-1, 1, 64)
    values, vectors = np.linalg.eigh(covariance)
    x = mean + (generator().standard_normal((3000, 64)) * np.sqrt(values.clip(0))) @ vectors.T
    return x.reshape(-1, 1, 8, 8), mean, covariance


def noisy(x):
    return x + math.sqrt(NOISE) * generator(1).standard_normal(x.shape)


def test_the_error_of_the_wiener_filter_is_the_trace_formula(gaussian_images):
    """E |x - x-hat|^2 = tr(C - C (C + v I)^-1 C), within 4 standard errors."""
    x, mean, covariance = gaussian_images
    error = ((wiener(noisy(x), mean, covariance, NOISE) - x) ** 2).reshape(len(x), -1).sum(1)
    values = np.linalg.eigvalsh(covariance)
    expected = (values * NOISE / (values + NOISE)).sum()
    assert abs(error.mean() - expected) < 4 * error.std(ddof=1) / math.sqrt(len(x))


def test_the_wiener_filter_is_better_than_the_noisy_image_and_than_a_local_filter(gaussian_images):
    """By dB over images, each by more than 10 standard errors; the local filter is given the noise's variance and its best window."""
    x, mean, covariance = gaussian_images
    x = x[:500]
    y = noisy(x)
    ours = psnr(wiener(y, mean, covariance, NOISE), x, 1.0)
    windows = (3, 5, 7)
    local = max((psnr(np.stack([[scipy.signal.wiener(i[0], w, NOISE)] for i in y]), x, 1.0) for w in windows), key=np.mean)
    for other in (psnr(y, x, 1.0), local):
        gain = ours - other
        assert gain.mean() > 10 * gain.std(ddof=1) / math.sqrt(len(x))


def test_the_wiener_filter_is_the_mean_of_the_posterior_in_one_dimension():
    y = np.array([[3.0], [-1.0]])
    np.testing.assert_allclose(wiener(y, np.array([1.0]), np.array([[4.0]]), 1.0), [[1 + 0.8 * 2], [1 - 0.8 * 2]], rtol=1e-14)


def test_the_wiener_filter_leaves_nothing_where_the_data_have_no_variance_and_all_where_there_is_no_noise():
    covariance = np.array([[1.0, 1.0], [1.0, 1.0]])  # singular: both pixels are one
    got = wiener(np.array([[2.0, 0.0]]), np.zeros(2), covariance, 1e-9)
    np.testing.assert_allclose(got, [[1.0, 1.0]], rtol=0, atol=1e-8)


@pytest.mark.parametrize("variance", [0.0, -1.0])
def test_a_wiener_filter_without_noise_is_refused(variance):
    with pytest.raises(ValueError, match="expected more than 0"):
        wiener(np.zeros((1, 2)), np.zeros(2), np.eye(2), variance)
