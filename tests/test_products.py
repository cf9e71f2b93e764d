"""Products with r(x): each kernel against the numerically normalised product, each chain against its own linear-Gaussian recursion."""

import math

import numpy as np
import pytest
import torch

from rediffuse.processes import schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialPrediction, BinomialProcess
from rediffuse.processes.denoiser import Prediction
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.processes.products import (
    Perturbed,
    PerturbedBinomial,
    constant_delta,
    constant_gaussian,
    expected_gaussian,
    fading_gaussian,
    noised_delta,
    smooth,
    start_at,
    times_bernoulli,
    times_delta,
    times_gaussian,
    times_smooth,
)
from rediffuse.samplers import ancestral
from rediffuse.samplers import binomial as binomial_sampler


def tensor(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


def on_a_grid(mean, variance, log_r):
    """(mean, variance) of N(mean, variance) r(x), normalised on a grid; the rule is exact to rounding for what is smooth and decays."""
    x = mean + math.sqrt(variance) * np.linspace(-12, 12, 801)
    weight = np.exp(-0.5 * (x - mean) ** 2 / variance + log_r(x))
    weight /= weight.sum()
    centre = (weight * x).sum()
    return centre, (weight * (x - centre) ** 2).sum()


# --- one Gaussian kernel ---

KERNELS = [(0.3, 0.5), (-1.0, 1e-3), (2.0, 4.0)]


@pytest.mark.parametrize(("mean", "variance"), KERNELS)
@pytest.mark.parametrize(("centre", "r_variance"), [(0.0, 1.0), (2.0, 0.3), (-0.5, 50.0)])
def test_times_gaussian_is_the_normalised_product(mean, variance, centre, r_variance):
    expected = on_a_grid(mean, variance, lambda x: -0.5 * (x - centre) ** 2 / r_variance)
    got = times_gaussian(tensor(mean), tensor(variance), tensor(centre), r_variance)
    close(torch.stack(got), tensor(expected), rtol=1e-10)


def test_an_r_of_infinite_variance_changes_nothing_and_one_of_variance_0_is_a_delta():
    mean, variance = tensor([[0.1, 0.2, 0.3]]), tensor(0.7)
    got = times_gaussian(mean, variance, tensor([5.0, 5.0, 5.0]), tensor([math.inf, 0.0, 1e300]))
    close(got[0], [[0.1, 5.0, 0.3]])
    close(got[1].expand(1, 3), [[0.7, 0.0, 0.7]])
    known = times_gaussian(mean, tensor(0.0), tensor(5.0), 1.0)  # a kernel of variance 0 has nowhere to go
    close(known[0], mean)
    close(known[1], 0.0)


@pytest.mark.parametrize(("mean", "variance"), KERNELS)
def test_times_smooth_is_the_exact_product_to_first_order_in_the_variance(mean, variance):
    """Against a Gaussian r: mean + v g against mean + v g / (1 + v / w), so halving v leaves a quarter of the error."""
    centre, width, errors = 1.3, 0.8, []
    for v in (1e-3 * variance, 5e-4 * variance):
        exact, _ = times_gaussian(tensor(mean), tensor(v), tensor(centre), width)
        errors.append((times_smooth(tensor(mean), tensor(v), lambda x: (centre - x) / width) - exact).item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)
    assert abs(errors[0]) < 1.1 * (1e-3 * variance / width) ** 2 * abs(centre - mean)


def test_times_smooth_shifts_as_the_normalised_product_does_for_any_smooth_r():
    """A logistic r, whose gradient changes along x; the error is of second order in the variance."""
    for mean in (-2.0, 0.4, 1.0):
        for variance, tolerance in ((1e-2, 2e-2), (1e-4, 2e-4)):
            expected, _ = on_a_grid(mean, variance, lambda x: -np.log1p(np.exp(-3 * x)))
            shift = times_smooth(tensor(mean), tensor(variance), lambda x: 3 * torch.sigmoid(-3 * x)) - mean
            assert shift.item() == pytest.approx(expected - mean, rel=5 * tolerance)


def test_times_delta_is_the_limit_of_the_gaussian_product():
    mean, variance = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), tensor(0.4)
    known, mask = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.tensor([[True, False, False], [True, True, False]])
    got_mean, got_variance = times_delta(mean, variance, known, mask)
    narrow = times_gaussian(mean, variance, known, torch.where(mask, 1e-14, math.inf))
    close(got_mean, narrow[0], atol=1e-12)
    close(got_variance.expand_as(mean), narrow[1].expand_as(mean), atol=1e-12)
    assert torch.equal(got_mean[:, mask], known[mask].expand(5, -1))
    assert torch.equal(got_mean[:, ~mask], mean[:, ~mask])


def test_the_products_keep_float32():
    mean, variance = torch.zeros(2, 3), torch.tensor(0.5)
    for got in (
        times_gaussian(mean, variance, torch.ones(3), 2.0),
        times_gaussian(mean, variance, torch.ones(3), torch.tensor([1.0, math.inf, 2.0])),
        times_delta(mean, variance, torch.ones(3), torch.tensor([True, False, True])),
    ):
        assert got[0].dtype == got[1].dtype == torch.float32


ZERO = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: times_gaussian(ZERO, ZERO + 1, ZERO, -1.0), "at least 0: got -1"),
        (lambda: times_gaussian(ZERO, ZERO + 1, ZERO, torch.tensor([1.0, math.nan, 2.0])), "got nan"),
        (lambda: times_gaussian(ZERO, ZERO, ZERO, 0.0), "variance 0"),
        (lambda: times_delta(ZERO, ZERO, ZERO, ZERO), "boolean: got torch.float32"),
        (lambda: times_delta(ZERO, ZERO, ZERO, torch.ones(4, 3, dtype=torch.bool)), r"mask has the shape \(4, 3\)"),
        (lambda: times_delta(ZERO, ZERO, torch.zeros(2), torch.ones(2, 3, dtype=torch.bool)), r"known has the shape \(2,\)"),
        (lambda: times_delta(ZERO, ZERO, torch.zeros(5, 2, 3), torch.ones(3, dtype=torch.bool)), r"known has the shape \(5, 2, 3\)"),
        (lambda: times_bernoulli(ZERO + 0.5, ZERO, ZERO), "zero everywhere"),
        (lambda: times_bernoulli(ZERO + 0.5, torch.tensor([0.5, 0.0, 1.0]), torch.tensor([0.5, 0.0, 0.0])), "zero everywhere"),
        (lambda: times_bernoulli(ZERO, ZERO + 1), "only state that the kernel takes"),
        (lambda: times_bernoulli(ZERO + 1, ZERO), "only state that the kernel takes"),
        (lambda: times_bernoulli(ZERO + 0.5, ZERO + 1.5), "at least 0: got -0.5"),
        (lambda: times_bernoulli(ZERO + 0.5, ZERO + math.nan), "got nan"),
        (lambda: start_at(GaussianProcess(schedules.linear(10)), math.nan), "got nan"),
        (lambda: start_at(GaussianProcess(schedules.linear(10)), -1.0), "got -1"),
        (lambda: start_at(GaussianProcess(schedules.linear(10)), math.inf), "got inf"),
        (lambda: Perturbed(None, smooth(lambda x: x))(ZERO, torch.tensor([1, 2])), "one time"),
    ],
)
def test_wrong_input_is_one_clear_line(call, found):
    with pytest.raises(ValueError, match=found) as error:
        call()
    assert "\n" not in str(error.value)


# --- one kernel of bits ---


def test_times_bernoulli_is_the_normalised_product():
    generator = torch.Generator().manual_seed(0)
    c, r1, r0 = (torch.rand(100, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    both = torch.stack([(1 - c) * r0, c * r1])  # the product at 0 and at 1
    close(times_bernoulli(c, r1, r0), (both / both.sum(0))[1])
    close(times_bernoulli(c, 7 * r1, 7 * r0), times_bernoulli(c, r1, r0))
    close(times_bernoulli(c, r1), c * r1 / (c * r1 + (1 - c) * (1 - r1)))  # Table App.1, as printed


def test_a_delta_on_a_bit_fixes_it_and_a_constant_r_changes_nothing():
    c = tensor([[0.2, 0.9, 0.4], [1e-300, 1 - 1e-16, 0.0]])
    got = times_bernoulli(c, tensor([1.0, 0.0, 1.0]), tensor([0.0, 1.0, 1.0]))
    assert torch.equal(got, torch.stack([tensor([1.0, 0.0, 0.4]), tensor([1.0, 0.0, 0.0])]))


# --- what r is at x_s ---


def kernel_of(r, s, mean=0.4, variance=0.3):
    return torch.cat([moment.flatten() for moment in r(tensor([[mean]]), tensor(variance), s)])


def test_every_builder_is_the_product_that_it_says():
    """At s = 0..T-1, by quadrature: r itself, r^((T - s) / T), and E[r(x_0) | x_s] integrated over x_0."""
    T, centre, width = 8, 1.5, 0.6
    process = GaussianProcess(schedules.linear(T, 0.05, 0.5))
    x0 = np.linspace(-12, 12, 401)

    def log_r(x):
        return -0.5 * (x - centre) ** 2 / width

    for s in range(T):
        bar = process.alpha_bar[s].item()

        def log_expected(x, bar=bar):
            """log of the integral of q(x_0 | x_s) r(x_0), data N(0, 1), at each x."""
            if bar == 1:
                return log_r(x)
            nodes = math.sqrt(bar) * x[:, None] + math.sqrt(1 - bar) * x0
            return np.log((np.exp(-0.5 * x0**2) * np.exp(log_r(nodes))).sum(1) * (x0[1] - x0[0]))

        for r, exponent in (
            (constant_gaussian(tensor(centre), width), log_r),
            (fading_gaussian(T, tensor(centre), width), lambda x, s=s: (T - s) / T * log_r(x)),
            (expected_gaussian(process, tensor(centre), width), log_expected),
        ):
            close(kernel_of(r, s), tensor(on_a_grid(0.4, 0.3, exponent)), rtol=1e-8)
        shifted = kernel_of(smooth(lambda x: centre - x), s)
        close(shifted, [0.4 + 0.3 * (centre - 0.4), 0.3])


def test_known_values_are_as_noisy_as_x_s_and_clean_at_the_end():
    """100,000 draws at each s: mean and variance of q(x_s | known), within 4 standard errors; elsewhere nothing changes."""
    process, n = GaussianProcess(schedules.linear(8, 0.05, 0.5)), 100_000
    generator = torch.Generator().manual_seed(0)
    calls = []

    def noise():
        calls.append(1)
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)

    known, mask = tensor([1.5, 9.0]), torch.tensor([True, False])
    r, mean, variance = noised_delta(process, known, mask, noise), torch.zeros(n, 2, dtype=torch.float64) + 0.3, tensor(0.2)
    for s in (7, 3, 1):
        got, spread = r(mean, variance, s)
        bar = process.alpha_bar[s]
        assert abs(got[:, 0].mean() - bar.sqrt() * 1.5) < 4 * ((1 - bar) / n).sqrt()
        assert abs(got[:, 0].var() / (1 - bar) - 1) < 4 * math.sqrt(2 / n)
        assert (got[:, 1] == 0.3).all() and torch.equal(spread, tensor([0.0, 0.2]))
    assert len(calls) == 3
    assert (r(mean, variance, 0)[0][:, 0] == 1.5).all()
    assert len(calls) == 3


# --- whole chains ---


class TrueReverse:
    """The exact reverse process of data N(m, variance) in one dimension."""

    def __init__(self, process, m=0.0, variance=1.0):
        v = process.alpha_bar * variance + 1 - process.alpha_bar
        self.process, self.mean = process, process.alpha_bar.sqrt() * m
        self.gain, self.variance = process.alpha.sqrt() * v.roll(1) / v, process.beta * v.roll(1) / v

    def __call__(self, x_t, t):
        return Prediction(x_t, x_t, self.mean[t - 1] + self.gain[t] * (x_t - self.mean[t]), self.variance[t])


def recursion(denoiser, mean, variance, start, last_noise=True):
    """(mean, variance) of x_0 from those of x_start: every kernel of these chains is N(a x_t + b, c), and a and b are read off it."""
    for t in range(start, 0, -1):
        kernel = denoiser(tensor([[0.0], [1.0]]), t)
        b, c = kernel.mean[0, 0], kernel.variance.max() if t > 1 or last_noise else 0.0
        a = kernel.mean[1, 0] - b
        mean, variance = a * mean + b, a**2 * variance + c
    return float(mean), float(variance)


LINEAR = GaussianProcess(schedules.linear(1000))
R = (tensor(2.0), 1.0)
"""r(x) = N(2; x, 1), which makes N(0, 1) into N(1, 1/2)."""


def of_prior(r, process=LINEAR):
    return recursion(Perturbed(TrueReverse(process), r), 0.0, 1.0, process.T)


def test_with_r_constant_in_t_the_chain_samples_p_r_squared():
    """The finding: mean 1.333 and variance 0.334, where p r has 1 and 0.5. N(0, 1) times N(2; x, 1/2) is N(4/3, 1/3)."""
    mean, variance = of_prior(constant_gaussian(*R))
    assert (round(mean, 3), round(variance, 3)) == (1.333, 0.334)
    assert of_prior(smooth(lambda x: 2.0 - x)) == pytest.approx((4 / 3, 1 / 3), rel=0, abs=0.002)  # the gradient shift is no better
    for T in (100, 3000):  # not an effect of few steps
        process = GaussianProcess(schedules.harmonic(T, 1 / T, 0.9))
        assert of_prior(constant_gaussian(*R), process) == pytest.approx((4 / 3, 1 / 3), rel=0, abs=0.6 / T**0.5)


def test_the_papers_fading_r_does_not_sample_p_r_either():
    mean, variance = of_prior(fading_gaussian(1000, *R))
    assert (round(mean, 2), round(variance, 2)) == (1.19, 0.38)


@pytest.mark.parametrize("beta", [schedules.linear(1000), schedules.harmonic(40, 1e-3, 0.9), schedules.log_spaced(5, 1e-2, 1e6)])
def test_the_expected_r_samples_p_r(beta):
    """Data N(0, 1): exact for any schedule and few steps, but for what x_T still has of x_0 (of the order of alpha_bar_T)."""
    process = GaussianProcess(beta)
    bar = process.alpha_bar[-1].item()
    assert of_prior(expected_gaussian(process, *R), process) == pytest.approx((1.0, 0.5), rel=0, abs=bar)
    # Begun at N(0, 1) times E[r(x_0) | x_T] it is exact.
    x_T = times_gaussian(tensor(0.0), tensor(1.0), R[0] / math.sqrt(bar), (1 - bar + R[1]) / bar)
    close(recursion(Perturbed(TrueReverse(process), expected_gaussian(process, *R)), *x_T, process.T), [1.0, 0.5], rtol=1e-9)


@pytest.mark.parametrize(("m", "variance"), [(0.0, 1.0), (0.7, 0.09), (-1.0, 4.0)])
def test_a_noisy_observation_begun_at_its_own_level_samples_p_r_for_any_data(m, variance):
    """y = 2 seen with variance 1. On the harmonic schedule t = T / 2 has that level exactly; the linear one misses it by 1e-3."""
    posterior = 1 / (1 / variance + 1)
    expected = (posterior * (m / variance + 2), posterior)
    for process, tolerance in ((GaussianProcess(schedules.harmonic(1000, 1e-3, 0.9)), 1e-9), (LINEAR, 1e-3)):
        t = start_at(process, 1.0)
        y = process.alpha_bar[t].sqrt() * 2
        assert recursion(TrueReverse(process, m, variance), y, 0.0, t) == pytest.approx(expected, rel=tolerance)


def test_start_at_is_the_nearest_noise_level():
    process = GaussianProcess(schedules.log_spaced(4, 1e-2, 10.0))  # noise to signal 0.01, 0.1, 1, 10 at t = 1..4
    asked = {0.0: 0, 0.004: 0, 0.006: 1, 0.01: 1, 0.1: 2, 0.5: 2, 0.6: 3, 1.0: 3, 5.4: 3, 5.6: 4, 1e6: 4}
    assert {level: start_at(process, level) for level in asked} == asked
    assert start_at(GaussianProcess(schedules.harmonic(10, 0.1, 1.0)), 1e9) == 9  # x_T has no signal at all


def moments_agree(x, mean, variance):
    n = len(x)
    assert abs(x.mean() - mean) < 4 * math.sqrt(variance / n)
    assert abs(x.var() / variance - 1) < 4 * math.sqrt(2 / n)


@pytest.mark.parametrize("rule", ["constant", "fading", "expected", "smooth"])
def test_the_sampler_draws_what_the_recursion_says(rule):
    """ancestral.sample on the perturbed process as it stands, 5,000 samples of T = 50, within 4 standard errors."""
    process, n = GaussianProcess(schedules.harmonic(50, 0.02, 0.9)), 5000
    r = {
        "constant": constant_gaussian(*R),
        "fading": fading_gaussian(50, *R),
        "expected": expected_gaussian(process, *R),
        "smooth": smooth(lambda x: 2 - x),
    }[rule]
    perturbed = Perturbed(TrueReverse(process), r)
    generator = torch.Generator().manual_seed(0)
    noise = lambda: torch.randn(n, 1, generator=generator, dtype=torch.float64)  # noqa: E731
    assert perturbed.process is process
    moments_agree(ancestral.sample(perturbed, noise(), noise), *recursion(perturbed, 0.0, 1.0, 50, last_noise=False))


class TwoPoints:
    """The reverse process of data that are N(-1, 0.04) or N(1, 0.04), with its exact mean and the variance of small steps."""

    def __init__(self, process):
        self.process = process

    def __call__(self, x_t, t):
        process, bar = self.process, self.process.alpha_bar[t]
        v = 0.04 * bar + 1 - bar
        to_the_right = torch.sigmoid(2 * bar.sqrt() * x_t / v)
        x0 = sum(w * (c + bar.sqrt() * 0.04 / v * (x_t - bar.sqrt() * c)) for w, c in ((to_the_right, 1.0), (1 - to_the_right, -1.0)))
        return Prediction(x0, x_t, process.posterior_mean(x0, x_t, t), process.beta_tilde[t])


def test_the_same_with_data_of_two_modes():
    """y = 0.3 seen with variance 1: the share of samples on the right, within 4 standard errors of P(right | y) = 0.64.

    p r^2 would have 0.75.
    """
    process, n, y = GaussianProcess(schedules.harmonic(400, 1 / 400, 0.99)), 4000, 0.3
    generator = torch.Generator().manual_seed(0)
    x, denoiser = torch.full((n, 1), math.sqrt(0.5) * y, dtype=torch.float64), TwoPoints(process)
    for t in range(start_at(process, 1.0), 0, -1):
        kernel = denoiser(x, t)
        x = kernel.mean + kernel.variance.sqrt() * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    right = 1 / (1 + math.exp(-2 * y / 1.04))
    assert abs((x > 0).double().mean() - right) < 4 * math.sqrt(right * (1 - right) / n)
    assert abs(x.abs().mean() - 1) < 0.05


# --- in-painting ---


class Correlated:
    """The exact reverse process of two unit Gaussians of some correlation, up to the (tiny) correlation within a step."""

    def __init__(self, process, correlation):
        self.process = process
        self.covariance = tensor([[1.0, correlation], [correlation, 1.0]])

    def __call__(self, x_t, t):
        now, before = (bar * self.covariance + (1 - bar) * torch.eye(2, dtype=torch.float64) for bar in self.process.alpha_bar[[t, t - 1]])
        gain = self.process.alpha[t].sqrt() * before @ torch.linalg.inv(now)
        variance = torch.diagonal(before - self.process.alpha[t].sqrt() * gain @ before)
        return Prediction(x_t, x_t, x_t @ gain.T, variance)


def filled_in(process, known, repeats, noised):
    """(mean, variance) of x_2 with x_1 known, correlation 0.8: a recursion for x_2 alone, since x_1 is drawn afresh each time."""
    denoiser, mean, variance = Correlated(process, 0.8), 0.0, 1.0
    first = (0.0, 1.0)
    for t in range(process.T, 0, -1):
        kernel = denoiser(torch.eye(2, dtype=torch.float64), t)
        (on_x_1, on_x_2), added = kernel.mean[:, 1].tolist(), kernel.variance[1].item() if t > 1 else 0.0
        alpha, bar = process.alpha[t].item(), process.alpha_bar[t].item() if noised else 1.0
        for repeat in range(repeats if t > 1 else 1):
            if repeat:
                mean, variance = math.sqrt(alpha) * mean, alpha * variance + 1 - alpha
            if repeat or t < process.T:
                first = (math.sqrt(bar) * known, 1 - bar)
            mean, variance = on_x_1 * first[0] + on_x_2 * mean, on_x_1**2 * first[1] + on_x_2**2 * variance + added
    return mean, variance


@pytest.mark.parametrize("rule", ["constant", "noised"])
def test_in_painting_leaves_known_values_as_they_were_and_fills_in_what_the_recursion_says(rule):
    """4,000 samples of T = 50, two values of which the first is known; bit for bit, and within 4 standard errors."""
    process, n = GaussianProcess(schedules.linear(50, 1e-3, 0.3)), 4000
    generator = torch.Generator().manual_seed(0)
    noise = lambda: torch.randn(n, 2, generator=generator, dtype=torch.float64)  # noqa: E731
    known, mask = tensor([1.5, 0.0]), torch.tensor([True, False])
    r = noised_delta(process, known, mask, noise) if rule == "noised" else constant_delta(known, mask)
    x = ancestral.sample(Perturbed(Correlated(process, 0.8), r), noise(), noise)
    assert (x[:, 0] == 1.5).all()
    moments_agree(x[:, 1], *filled_in(process, 1.5, 1, rule == "noised"))


def test_one_pass_of_in_painting_falls_short_of_p_r_and_repeats_approach_it():
    """The finding: x_1 = 1.5 and correlation 0.8 make x_2 N(1.2, 0.36)."""
    constant = filled_in(LINEAR, 1.5, 1, noised=False)
    noised = [filled_in(LINEAR, 1.5, repeats, noised=True) for repeats in (1, 2, 5, 10, 20, 100)]
    assert round(constant[0], 2) == 0.91
    assert [round(mean, 2) for mean, _ in noised] == [0.75, 0.95, 1.1, 1.15, 1.18, 1.2]
    assert [round(variance, 2) for _, variance in noised] == [0.5, 0.43, 0.39, 0.37, 0.37, 0.36]


# --- bits, whole chains ---


def test_known_bits_stay_as_they_are_through_the_last_step():
    """The last step is a draw too: the delta is on its kernel as well. Free bits keep the chain's own chances."""
    process, n = BinomialProcess(schedules.harmonic(20, 1 / 20, 1.0), 0.3), 4000
    generator = torch.Generator().manual_seed(0)
    uniform = lambda: torch.rand(n, 3, generator=generator)  # noqa: E731
    denoiser = BinomialDenoiser(process, lambda x, t: torch.zeros_like(x) - 1.0, "mu")
    known, mask = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([True, True, False])
    perturbed = PerturbedBinomial(denoiser, torch.where(mask, known, 1.0), torch.where(mask, 1 - known, 1.0))
    assert perturbed.process is process
    x = binomial_sampler.sample(perturbed, (uniform() < 0.3).float(), uniform)
    assert (x[:, 0] == 1).all() and (x[:, 1] == 0).all()
    free = 0.95 * torch.sigmoid(torch.tensor(-1.0)).item() + 0.05 * 0.3
    assert abs(x[:, 2].mean() - free) < 4 * math.sqrt(free * (1 - free) / n)


def test_every_kernel_of_bits_is_multiplied_by_r():
    prob, r1, r0 = tensor([[0.2, 0.7], [0.5, 0.1]]), tensor([0.9, 0.3]), tensor([0.2, 0.4])

    class Fixed:
        process = BinomialProcess(schedules.harmonic(4, 0.25, 1.0), 0.5)

        def __call__(self, x_t, t):
            return BinomialPrediction(prob, x_t)

    x_t = torch.zeros(2, 2)
    for t in (1, 4):
        got = PerturbedBinomial(Fixed(), r1, r0)(x_t, t)
        close(got.prob, prob * r1 / (prob * r1 + (1 - prob) * r0))
        assert got.p0 is x_t
    close(PerturbedBinomial(Fixed(), r1)(x_t, 2).prob, times_bernoulli(prob, r1))
