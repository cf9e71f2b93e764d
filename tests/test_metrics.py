"""Frechet distance and inception score, against closed forms and against torch-fidelity."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric

from rediffuse.errors import UserError
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_bootstrap, frechet_distance
from rediffuse.metrics.inception_score import inception_score
from rediffuse.networks.classifier import Classifier


def features(n, D, seed, scale=1.0, shift=0.0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, D)) @ generator.standard_normal((D, D)) * scale + shift


def statistics(mean, covariance, n=1000):
    """Statistics of a set whose mean and unbiased covariance are exactly these."""
    mean = np.asarray(mean, dtype=float)
    return Statistics(n, n * mean, (n - 1) * np.asarray(covariance, dtype=float) + n * np.outer(mean, mean))


def log_softmax(logits):
    return torch.log_softmax(torch.from_numpy(logits), 1).numpy()


# --- Frechet distance ---


@given(
    means=st.tuples(*[st.lists(st.floats(-3, 3), min_size=3, max_size=3)] * 2),
    sds=st.tuples(*[st.lists(st.floats(0, 3), min_size=3, max_size=3)] * 2),
)
def test_the_distance_of_two_diagonal_gaussians_is_that_of_their_means_and_deviations(means, sds):
    """sum (m_a - m_b)^2 + (s_a - s_b)^2, a deviation of 0 included."""
    a, b = (statistics(m, np.diag(np.square(s))) for m, s in zip(means, sds, strict=True))
    expected = sum((p - q) ** 2 for pair in (means, sds) for p, q in zip(*pair, strict=True))
    # A variance of 0 comes out of n and the sums as about 1e-15, whose root is 3e-8, times a deviation of 3.
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_distance_of_two_gaussians_that_do_not_commute():
    """In two dimensions tr((A B)^1/2) = sqrt(tr(A B) + 2 sqrt(det A det B))."""
    A, B = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    cross = math.sqrt(np.trace(A @ B) + 2 * math.sqrt(np.linalg.det(A) * np.linalg.det(B)))
    expected = 5 + np.trace(A) + np.trace(B) - 2 * cross
    assert frechet_distance(statistics([1, 2], A), statistics([0, 0], B)) == pytest.approx(expected, rel=1e-12)


# 3 features in 8 dimensions: six eigenvalues are 0 but for roundings, whose roots are 1e-8 of the largest eigenvalue, here about 20.
@pytest.mark.parametrize(("n", "tolerance"), [(3, 5e-6), (500, 1e-11)])
def test_a_set_has_no_distance_to_itself(n, tolerance):
    a = Statistics.of(features(n, 8, 0))
    assert frechet_distance(a, a) == pytest.approx(0, abs=tolerance)


def test_the_distance_is_the_same_from_either_side():
    a, b = Statistics.of(features(100, 8, 0)), Statistics.of(features(90, 8, 1, shift=0.5))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


@pytest.mark.parametrize(("n", "relative"), [(2, 1e-6), (5, 1e-6), (300, 1e-10)])
def test_the_distance_is_torch_fidelitys(n, relative):
    """Also where there are fewer features than dimensions: a covariance that is singular."""
    a, b = features(n, 12, 0), features(400, 12, 1, scale=0.7, shift=0.3)
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(torch.from_numpy(f)) for f in (a, b)), verbose=False)
    ours = frechet_distance(Statistics.of(a), Statistics.of(b))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=relative)


@given(cuts=st.lists(st.integers(0, 200), max_size=5))
def test_statistics_add_up_over_shards(cuts):
    f = features(200, 6, 0, shift=2.0).astype(np.float32)
    whole, edges = Statistics.of(f), [0, *sorted(cuts), 200]
    total = Statistics.of(f[:0])
    for low, high in pairwise(edges):
        total = total + Statistics.of(f[low:high])
    assert total.n == whole.n == 200
    np.testing.assert_allclose(total.mean, whole.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(total.covariance, whole.covariance, rtol=0, atol=1e-9)


def test_statistics_of_float32_features_are_summed_in_float64():
    """A mean of 1000 and a deviation of 0.01: float32 sums would leave nothing of the covariance."""
    f = (1000 + 0.01 * np.random.default_rng(0).standard_normal((500, 3))).astype(np.float32)
    np.testing.assert_allclose(Statistics.of(f).covariance, np.cov(f.astype(np.float64), rowvar=False), rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize(("n", "found"), [((0, 5), 0), ((5, 1), 1), ((1, 1), 1)])
def test_fewer_than_two_samples_are_refused(n, found):
    a, b = (Statistics.of(features(k, 3, 0)) for k in n)
    with pytest.raises(UserError, match=f"found {found} samples; expected at least 2"):
        frechet_distance(a, b)


@pytest.mark.parametrize("n", [5, 300])
def test_the_bootstrap_is_the_distance_of_resampled_features(n):
    """Of fewer features than dimensions, and of more."""
    reference, f = Statistics.of(features(40, 12, 0)), features(n, 12, 1, shift=0.3)
    rows = np.random.Generator(np.random.PCG64(7)).integers(n, size=(4, n))
    distances = [frechet_distance(Statistics.of(f[row]), reference) for row in rows]
    # The direct way takes the roots of eigenvalues that are zero but for rounding.
    np.testing.assert_allclose(frechet_bootstrap(f, reference, resamples=4, seed=7), distances, rtol=1e-6)
    with pytest.raises(UserError, match="found 1 samples; expected at least 2"):
        frechet_bootstrap(f[:1], reference)


def test_the_bootstraps_deviation_is_that_of_fresh_sets():
    """Against 200 sets drawn anew: both deviations have a relative error of about 10 %, and the bootstrap a bias as large."""
    reference = Statistics.of(features(20_000, 1, 0, shift=1.0))
    draw = lambda seed: np.random.default_rng(seed).standard_normal((400, 1))  # noqa: E731
    fresh = np.std([frechet_distance(Statistics.of(draw(seed)), reference) for seed in range(200)], ddof=1)
    assert frechet_bootstrap(draw(1000), reference, resamples=200).std(ddof=1) == pytest.approx(fresh, rel=0.3)


# --- inception score ---


@pytest.mark.parametrize("splits", [1, 10])
def test_the_inception_score_is_torch_fidelitys(splits):
    """On the same shuffle (seed 2020); n must be a multiple of the splits, since the two cut a remainder differently."""
    logits = 3 * np.random.default_rng(0).standard_normal((500, 10))
    theirs = isc_features_to_metric(torch.from_numpy(logits), splits=splits, shuffle=True, rng_seed=2020)
    mean, sd = inception_score(log_softmax(logits), splits)
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert sd == pytest.approx(theirs["inception_score_std"], rel=1e-9, abs=1e-12)


def test_the_inception_score_is_the_number_of_classes_at_best_and_1_at_worst():
    sure = log_softmax(200.0 * np.eye(5)[np.arange(1000) % 5])
    assert inception_score(sure, splits=1)[0] == pytest.approx(5, rel=1e-12)
    same = np.tile(log_softmax(np.random.default_rng(0).standard_normal((1, 5))), (1000, 1))
    assert inception_score(same) == pytest.approx((1, 0), abs=1e-12)


def test_a_class_that_never_occurs_does_not_break_the_inception_score():
    """float32 probabilities of exactly 0 have the logarithm -1000 here."""
    log_p = np.full((20, 3), -1000.0, dtype=np.float32)
    log_p[np.arange(20), np.arange(20) % 2] = 0
    assert inception_score(log_p, splits=1)[0] == pytest.approx(2, rel=1e-12)


# --- features ---


def test_features_do_not_depend_on_the_batch():
    torch.manual_seed(0)
    classifier, x = Classifier(8, 1, 10, 4).eval(), np.random.default_rng(0).standard_normal((7, 1, 8, 8)).astype(np.float32)
    whole, parts = measure(classifier, x), measure(classifier, x, batch=3)
    np.testing.assert_allclose(parts.features, whole.features, rtol=0, atol=1e-6)
    np.testing.assert_allclose(parts.log_probabilities, whole.log_probabilities, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.exp(whole.log_probabilities).sum(1), 1, rtol=0, atol=1e-6)


def test_a_difference_of_sets_that_go_together_has_a_smaller_deviation_than_they_have():
    base, reference = features(400, 3, 0, shift=1.0), Statistics.of(features(400, 3, 1))
    moved = base + 0.01 * np.random.default_rng(2).standard_normal(base.shape)
    first, second = frechet_bootstrap(base, reference), frechet_bootstrap(moved, reference)
    assert (second - first).std() < 0.1 * first.std()
