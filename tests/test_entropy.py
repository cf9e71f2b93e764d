"""The entropy bounds of eq. 24 against exact entropies: by enumeration for bits, in closed form for linear-Gaussian chains."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from rediffuse.processes import schedules
from rediffuse.processes.binomial import BinomialProcess
from rediffuse.processes.entropy import binary_entropy, binomial_bounds, gaussian_bounds
from rediffuse.processes.gaussian import GaussianProcess

BIT = math.log(2)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


def harmonic(T, rate):
    """beta_t = 1/(T - t + 1) throughout, as the paper has it for bits."""
    return BinomialProcess(schedules.harmonic(T, 1 / T, 1.0), rate)


def test_binary_entropy_is_scipys_and_0_where_nothing_is_open():
    p = torch.rand(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    close(binary_entropy(p), scipy.stats.bernoulli(p.numpy()).entropy(), rtol=1e-12)
    assert (binary_entropy(tensor([0.0, 1.0])) == 0).all()
    close(binary_entropy(tensor(0.5)), BIT)


# --- bits ---


def kernel(bits, keep, rate):
    """q(column | row) over the 2^bits states of independent bits."""
    one = tensor([[keep + (1 - keep) * (1 - rate), (1 - keep) * rate], [(1 - keep) * (1 - rate), keep + (1 - keep) * rate]])
    all_ = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(bits):
        all_ = torch.kron(all_, one)
    return all_


def exact_entropy(process, q0):
    """H_q(X^{t-1}|X^t) for t = 1..T by enumeration, in nats, where q0 holds the chances of all states of x_0."""
    bits, entropies = int(math.log2(len(q0))), []
    for t in range(1, process.T + 1):
        before = q0 @ kernel(bits, process.alpha_bar[t - 1].item(), process.rate)
        joint = before[:, None] * kernel(bits, process.alpha[t].item(), process.rate)
        entropies.append(torch.special.entr(joint).sum() - torch.special.entr(joint.sum(0)).sum())
    return torch.stack(entropies)


def bit_means(q0):
    """E x_0 of each bit, the first one being the slowest to change over the states."""
    bits = int(math.log2(len(q0)))
    return torch.stack([q0[(torch.arange(len(q0)) >> (bits - 1 - i)) & 1 == 1].sum() for i in range(bits)])


def correlated(seed, rate=None, bits=4):
    """Any distribution over all states; with a rate tilted until the mean over all bits is that, and bits still differ."""
    q0 = torch.softmax(2 * torch.randn(2**bits, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), 0)
    if rate is None:
        return q0
    ones = torch.tensor([bin(k).count("1") for k in range(2**bits)], dtype=torch.float64)
    low, high = -50.0, 50.0
    for _ in range(200):
        tilt = (low + high) / 2
        tilted = torch.softmax(q0.log() + tilt * ones, 0)
        low, high = (tilt, high) if tilted @ ones < rate * bits else (low, tilt)
    return tilted


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("T", [1, 5, 30])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bounds_enclose_where_the_datas_mean_is_the_base_rate(rate, T, seed):
    """The mean over all bits: those of single bits are up to 0.5 apart, and the bits are correlated."""
    process, q0 = harmonic(T, rate), correlated(seed, rate)
    means = bit_means(q0)
    close(means.mean(), rate)
    assert (means - rate).abs().max() > 0.05
    lower, upper = binomial_bounds(process, means)
    exact = exact_entropy(process, q0)
    assert (lower[1:] <= exact + 1e-12).all() and (exact <= upper[1:] + 1e-12).all()
    assert (upper - lower)[1:].max() > 0.1  # there was something to enclose


@given(seed=st.integers(0, 10**6), rate=st.floats(0.02, 0.98), T=st.integers(1, 6))
def test_the_lower_bound_holds_whatever_the_mean_and_both_do_at_rate_a_half(seed, rate, T):
    q0 = correlated(seed, bits=3)
    lower, _ = binomial_bounds(harmonic(T, rate), bit_means(q0))
    assert (lower[1:] <= exact_entropy(harmonic(T, rate), q0) + 1e-12).all()
    _, upper = binomial_bounds(harmonic(T, 0.5), bit_means(q0))
    assert (exact_entropy(harmonic(T, 0.5), q0) <= upper[1:] + 1e-12).all()


def test_the_papers_always_fails_where_the_mean_is_not_the_base_rate():
    """One bit, r = 0.2, P(x_0 = 1) = 0.5, T = 5: at t = 5 the entropy is 0.827 bits and the upper bound 0.722."""
    process, mean = harmonic(5, 0.2), 0.5
    exact = exact_entropy(process, tensor([1 - mean, mean])) / BIT
    _, upper = binomial_bounds(process, tensor([mean]))
    assert exact[4].item() == pytest.approx(0.827, rel=0, abs=5e-4)
    assert upper[5].item() / BIT == pytest.approx(0.722, rel=0, abs=5e-4)


@pytest.mark.parametrize("mean", [0.1, 0.2, 0.7])
def test_the_bounds_are_their_definition(mean):
    """H(X^t|X^{t-1}) and H(X^t|X^0) by enumeration; both bounds add up over the bits."""
    process, q0 = harmonic(6, 0.2), tensor([1 - mean, mean])
    lower, upper = binomial_bounds(process, tensor([mean]))
    assert lower[0].isnan() and upper[0].isnan()
    given_x0 = [(q0[:, None] * torch.special.entr(kernel(1, process.alpha_bar[t].item(), 0.2))).sum() for t in range(7)]
    for t in range(1, 7):
        before = q0 @ kernel(1, process.alpha_bar[t - 1].item(), 0.2)
        forward = (before[:, None] * torch.special.entr(kernel(1, process.alpha[t].item(), 0.2))).sum()
        close(upper[t], forward)
        close(lower[t], forward + given_x0[t - 1] - given_x0[t], atol=1e-15)
    three, one = binomial_bounds(process, tensor([mean, 0.3, 0.9])), [binomial_bounds(process, tensor([m])) for m in (mean, 0.3, 0.9)]
    close(three[0][1:], sum(bounds[0][1:] for bounds in one))
    close(three[1][1:], sum(bounds[1][1:] for bounds in one))


def test_the_lower_bound_is_exact_where_x_0_is_known():
    """A clean bit that never varies: H(X^{t-1}|X^t) is that of the posterior."""
    process = harmonic(6, 0.2)
    for x0 in (0.0, 1.0):
        lower, _ = binomial_bounds(process, tensor([x0]))
        close(lower[1:], exact_entropy(process, tensor([1 - x0, x0])), rtol=1e-9, atol=1e-14)


# --- Gaussians ---


def exact_normal_entropy(process, variance):
    """H_q(X^{t-1}|X^t) for t = 1..T of data N(any mean, diag(variance)), per dimension."""
    diffused = process.alpha_bar[:, None] * variance + 1 - process.alpha_bar[:, None]
    conditional = process.beta[1:, None] * diffused[:-1] / diffused[1:]
    return (0.5 * torch.log(2 * math.pi * math.e * conditional)).mean(1)


SCHEDULES = pytest.mark.parametrize(
    "beta",
    [schedules.linear(1000), schedules.harmonic(40, 1e-3, 0.9), schedules.log_spaced(10, 1e-2, 10.0)],
    ids=["linear", "harmonic", "log-spaced"],
)


@SCHEDULES
@pytest.mark.parametrize(
    "second_moments", [([0.0, 0.0], [1.0, 1.0]), ([0.0, 0.0], [0.1, 1.9]), ([1.0, -0.5], [0.5, 0.25]), ([1.0], [1e-6])]
)
def test_the_bounds_enclose_where_the_mean_square_is_1(beta, second_moments):
    """Given as means and variances; what counts is E|x|^2 = D, a mean of 0 or not."""
    mean, variance = (tensor(moments) for moments in second_moments)
    assert (mean**2 + variance).mean() == pytest.approx(1, rel=1e-5)
    process = GaussianProcess(beta)
    (lower, upper), exact = gaussian_bounds(process), exact_normal_entropy(process, variance)
    assert (lower[1:] <= exact + 1e-12).all() and (exact <= upper[1:] + 1e-12).all()


@SCHEDULES
def test_the_upper_bound_fails_for_data_wider_than_the_prior_and_the_lower_one_does_not(beta):
    process = GaussianProcess(beta)
    (lower, upper), exact = gaussian_bounds(process), exact_normal_entropy(process, tensor([4.0]))
    assert (exact > upper[1:] + 1e-6).all()
    assert (lower[1:] <= exact).all()


@SCHEDULES
def test_the_gaussian_bounds_are_their_definition(beta):
    process = GaussianProcess(beta)
    lower, upper = gaussian_bounds(process)
    assert lower[0].isnan() and upper[0].isnan() and lower[1] == -math.inf
    forward = scipy.stats.norm(scale=process.beta[1:].sqrt().numpy()).entropy()
    given_x0 = scipy.stats.norm(scale=(1 - process.alpha_bar[1:]).sqrt().numpy()).entropy()
    close(upper[1:], forward, rtol=1e-10)
    close(lower[2:], forward[1:] + given_x0[:-1] - given_x0[1:], rtol=1e-10)


def test_data_that_are_the_prior_attain_the_upper_bound_and_in_small_steps_the_two_are_near(ddpm):
    lower, upper = gaussian_bounds(ddpm)
    close(exact_normal_entropy(ddpm, tensor([1.0])), upper[1:])
    assert (upper - lower)[500:].max() < 0.001
