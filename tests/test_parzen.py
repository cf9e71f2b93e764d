"""The Parzen-window score: the density that it says, its best bandwidth, and what it rewards."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.stats
import tiny
import torch

from rediffuse.config import Digits
from rediffuse.datasets import digits
from rediffuse.datasets.prepared import Prepared
from rediffuse.metrics import parzen
from rediffuse.metrics.parzen import bandwidth, blurred, kmeans_centres, log_likelihood
from rediffuse.papers.sohl2015 import likelihoods
from rediffuse.paths import Layout
from rediffuse.presets import Preset
from rediffuse.sampling import cells

SIGMAS = np.geomspace(0.1, 1, 10)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture(scope="module")
def images():
    """Centres, validation and test images of scikit-learn's digits, (n, 1, 8, 8) on [0, 1]."""
    arrays = digits.read(Digits(kind="digits")).arrays
    train, test = arrays["x_train"] / 16, arrays["x_test"] / 16
    return train[:1200], train[1200:], test


def test_it_is_the_log_of_the_mean_density(monkeypatch):
    """Against SciPy's normal density a centre at a time; in blocks of a few images, too."""
    x, centres, sigma = normal(11, 1, 2, 2), normal(7, 1, 2, 2, seed=1), 0.7
    densities = [scipy.stats.multivariate_normal(c.ravel(), sigma**2).pdf(x.reshape(11, 4)) for c in centres]
    expected = np.log(np.mean(densities, axis=0))
    np.testing.assert_allclose(log_likelihood(x, centres, sigma), expected, rtol=1e-12)
    monkeypatch.setattr(parzen, "BLOCK", 20)
    np.testing.assert_allclose(log_likelihood(x, centres, sigma), expected, rtol=1e-12)


def test_the_density_integrates_to_1():
    total, _ = scipy.integrate.quad(
        lambda v: math.exp(log_likelihood(np.array([[v]]), np.array([[0.0], [3.0]]), 0.4)[0]), -4, 7, points=[0, 3]
    )
    assert total == pytest.approx(1, abs=1e-9)


def test_far_from_every_centre_and_on_one_it_is_finite():
    """Where each density underflows the nearest centre decides; on a centre it is that one's alone."""
    centres = 1 / 3 + normal(3, 64) / 10
    far = log_likelihood(centres[:1] + 100, centres, 0.01)
    nearest = ((centres[0] + 100 - centres) ** 2).sum(1).min()
    assert far[0] == pytest.approx(-0.5 * nearest / 0.01**2 - math.log(3) - 32 * math.log(2 * math.pi * 0.01**2), rel=1e-9)
    at = log_likelihood(centres, centres, 1e-4)
    # A distance of 0 is rounded to 1e-14 of the squares of about 8, and divided by 2e-8.
    np.testing.assert_allclose(at, -math.log(3) - 32 * math.log(2 * math.pi * 1e-8), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "sigmas", [SIGMAS, SIGMAS / 50, SIGMAS * 50, np.array([0.5, 0.6, 0.7])], ids=["around", "below", "above", "beside"]
)
def test_the_bandwidth_is_the_best_wherever_the_search_starts(sigmas):
    """One centre: the best sigma^2 is the mean square distance from it, in closed form. A step of the finer grid is 6 %, or less."""
    x = 0.3 * normal(200, 6)
    expected = math.sqrt((x**2).mean())
    found = bandwidth(x, np.zeros((1, 6)), sigmas)
    assert found == pytest.approx(expected, rel=0.09)  # three sigmas to a grid: a step is half of the largest ratio, 1.2
    scores = [log_likelihood(x, np.zeros((1, 6)), s).mean() for s in (found / 1.2, found, found * 1.2)]
    assert scores[1] == max(scores)


def test_a_bandwidth_without_a_maximum_is_refused():
    """Every validation image is a centre: the narrower, the likelier."""
    with pytest.raises(ValueError, match=r"still grows at .*; expected validation images that are not the centres"):
        bandwidth(normal(5, 3), normal(5, 3), SIGMAS)


@pytest.mark.parametrize("sigmas", [SIGMAS[:2], SIGMAS[::-1], SIGMAS - 0.1], ids=["two", "falling", "zero"])
def test_wrong_bandwidths_are_refused(sigmas):
    with pytest.raises(ValueError, match="three or more, increasing from above 0"):
        bandwidth(normal(5, 3), normal(4, 3, seed=1), sigmas)


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_window_without_width_is_refused(sigma):
    with pytest.raises(ValueError, match="expected more than 0"):
        log_likelihood(normal(5, 3), normal(4, 3), sigma)


def test_the_centres_of_clusters_are_their_means_and_the_same_for_a_seed():
    """Four clumps of points, each tighter than the clumps are apart."""
    clumps = 10 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    x = (clumps[:, None] + 0.1 * normal(4, 50, 2)).reshape(200, 1, 1, 2)
    centres = kmeans_centres(x, 4, seed=0)
    assert centres.shape == (4, 1, 1, 2)
    expected = x.reshape(4, 50, 2).mean(1)
    order = np.lexsort(centres.reshape(4, 2).round().T[::-1])
    np.testing.assert_allclose(centres.reshape(4, 2)[order], expected[[0, 2, 1, 3]], atol=0.02)  # mini-batches: near the means
    assert np.array_equal(centres, kmeans_centres(x, 4, seed=0))


def test_blurring_is_a_convolution_of_each_image_by_itself():
    x = np.zeros((2, 1, 21, 21))
    x[1, 0, 10, 10] = 1
    y = blurred(x, 1.5)
    assert not y[0].any()
    i = np.arange(21) - 10
    kernel = np.exp(-0.5 * (i / 1.5) ** 2)
    # SciPy cuts the kernel at 4 deviations: 6e-5 of its mass.
    np.testing.assert_allclose(y[1, 0], np.outer(kernel, kernel) / kernel.sum() ** 2, atol=1e-5)


def test_it_rewards_what_is_no_better_than_the_data(images):
    """On real digits: 200 cluster centres against 200 real images, and blurred images against the same images in focus, both by much.

    By paired differences over the test images, of which each is more than 4 standard errors.
    """
    train, validation, test = images

    def score(centres):
        return log_likelihood(test, centres, bandwidth(validation, centres, SIGMAS))

    real = score(train)
    for rival, reference in ((score(kmeans_centres(train, 200, seed=0)), score(train[:200])), (score(blurred(train, 0.4)), real)):
        difference = rival - reference
        assert difference.mean() > 4 * difference.std(ddof=1) / math.sqrt(len(test))


# --- as Table 2 has it ---


def test_table_2_scores_several_samples_without_the_border(monkeypatch):
    """What lies in the border changes nothing, in samples, training and test images; each set of samples is a row, each cell of a sweep."""
    generator = np.random.default_rng(0)

    def framed(n):
        return generator.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)

    arrays = {"x_train": framed(60), "x_test": framed(15)}
    data = Prepared("few", (1, 8, 8), 256, 1.0, 0.0, 0.0, 10, "", arrays, border=2)
    drawn = {"inks": framed(30), "plain": framed(25), "quick": framed(20)}

    def gather(samples, paths, T, shape):
        name = next(name for name, those in layout.preset.samples.items() if those == samples)
        return [(cell, drawn[name]) for cell in cells(samples, T)]

    monkeypatch.setattr(likelihoods, "load", lambda folder: data)
    monkeypatch.setattr(likelihoods, "gather", gather)
    table = {"digits": "inks", "also": ["plain", "quick"], "centres": 20, "validation": 30, "kmeans": 5, "blur": 0.5}
    quick = {"kind": "ddim", "run": "digits", "steps": [3], "eta": [0], "tau": "linear", "n": 20}
    layout = Layout("tiny", Preset.model_validate(tiny.preset({"samples.quick": quick, "papers.sohl2015.table2": table})))
    assert likelihoods._leaves(layout, torch.device("cpu")) == []
    rows = pd.DataFrame(likelihoods._digits(layout))
    rows = rows[rows["metric"] == "log-likelihood in nats"].set_index("model")
    models = {'"perfect model"': arrays["x_train"], "diffusion": drawn["inks"], "samples plain": drawn["plain"]}
    models["samples quick, S = 3, eta = 0.0"] = drawn["quick"]
    assert list(rows.index[:4]) == list(models)
    assert list(rows["centres"]) == [20, 20, 20, 20, 5, 5, 20]
    assert list(rows["run"][:4]) == ["", "ink", "digits", "digits"]

    def inside(images):
        return images[:, 0, 2:6, 2:6].reshape(len(images), -1) / 255

    validation, test = inside(arrays["x_train"][-30:]), inside(arrays["x_test"])
    for model, images in models.items():
        centres = inside(images[:20])
        sigma = bandwidth(validation, centres, likelihoods.SIGMAS)
        assert rows["value"][model] == pytest.approx(log_likelihood(test, centres, sigma).mean(), rel=1e-12)
