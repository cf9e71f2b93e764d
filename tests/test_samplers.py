"""Samplers against a second implementation of the papers' equations, against each other, and against an ODE solved in closed form."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from rediffuse.papers.sohl2015.products import GaussianToy
from rediffuse.processes import schedules
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ancestral, ddim, inpaint, steps
from rediffuse.samplers.noise import SampleNoise

T = 60
PROCESS = GaussianProcess(schedules.linear(T, 1e-3, 0.2))


def toy(x, t_minus_1):
    """A nonlinear eps(x, t) for arrays and tensors alike."""
    return x / (1 + x * x) + 0.4 * x + 0.2 - 0.3 * t_minus_1 / T


def network(x, t):
    return toy(x, t.to(x.dtype).view(-1, 1))


def close(a, b, atol=1e-10):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=atol)


# --- a second implementation, from the equations alone ---


def coefficients():
    beta = np.linspace(1e-3, 0.2, T)
    return np.concatenate([[0], beta]), np.concatenate([[1], np.cumprod(1 - beta)])


def predict(x, t, clip):
    """x0-hat (Ho et al. 2020, eq. 15; clipped or not) and the eps that belongs to it."""
    bar = coefficients()[1][t]
    x0 = (x - math.sqrt(1 - bar) * toy(x, t - 1)) / math.sqrt(bar)
    x0 = np.clip(x0, -1, 1) if clip else x0
    return x0, (x - math.sqrt(bar) * x0) / math.sqrt(1 - bar)


def ddpm_by_hand(x, variance, clip, noise):
    """Ho et al. 2020, algorithm 2 with the mean of eq. 7."""
    beta, bar = coefficients()
    for t in range(T, 0, -1):
        x0, _ = predict(x, t, clip)
        mean = (math.sqrt(bar[t - 1]) * beta[t] * x0 + math.sqrt(1 - beta[t]) * (1 - bar[t - 1]) * x) / (1 - bar[t])
        tilde = beta[t] * (1 - bar[t - 1]) / (1 - bar[t])
        x = mean + math.sqrt({"fixed-small": tilde, "fixed-large": beta[t]}[variance]) * noise() if t > 1 else mean
    return x


def ddim_by_hand(x, tau, eta, clip, noise):
    """Song et al. 2020, eq. 12 with sigma of eq. 16, or sigma-hat of appendix D.3 in the noise alone, none on the step to x_0."""
    _, bar = coefficients()
    for t, s in zip(tau[::-1], [*tau[-2::-1], 0], strict=True):
        x0, eps = predict(x, t, clip)
        sigma = (1.0 if eta == "sigma-hat" else eta) * math.sqrt((1 - bar[s]) / (1 - bar[t])) * math.sqrt(1 - bar[t] / bar[s])
        wide = math.sqrt(1 - bar[t] / bar[s]) if eta == "sigma-hat" else sigma
        x = math.sqrt(bar[s]) * x0 + math.sqrt(1 - bar[s] - sigma**2) * eps
        if s > 0 and eta != 0:
            x = x + wide * noise()
    return x


def as_arrays(draw):
    return lambda: draw().numpy()


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("variance", ["fixed-small", "fixed-large"])
def test_ancestral_sampling_is_algorithm_2(tape, variance, clip):
    x_T = tape((5, 2), seed=1)()
    got = ancestral.sample(Denoiser(PROCESS, network, "eps", variance, clip), x_T, tape((5, 2)))
    close(got, ddpm_by_hand(x_T.numpy(), variance, clip, as_arrays(tape((5, 2)))))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("eta", [0, 0.0, 0.2, 0.5, 1.0, "sigma-hat"])
@pytest.mark.parametrize("tau", [steps.linear(T, 7), steps.quadratic(T, 10), steps.released_uniform(T, 6), [T], [1], steps.linear(T, T)])
def test_ddim_is_equations_12_and_16(tape, tau, eta, clip):
    x_T = tape((5, 2), seed=1)()
    got = ddim.sample(Denoiser(PROCESS, network, "eps", "fixed-small", clip), x_T, tau, eta, tape((5, 2)))
    close(got, ddim_by_hand(x_T.numpy(), tau, eta, clip, as_arrays(tape((5, 2)))))


def test_the_toy_is_clipped_where_it_should_be(tape):
    """Otherwise the tests with and without clipping would be one test."""
    x_T = tape((5, 2), seed=1)()
    free, clipped = (ddim_by_hand(x_T.numpy(), steps.linear(T, 7), 0, clip, None) for clip in (False, True))
    assert np.abs(free - clipped).max() > 0.1


# --- samplers against each other ---


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(("eta", "variance"), [(1.0, "fixed-small"), ("sigma-hat", "fixed-large")])
def test_ddim_on_the_whole_chain_is_ancestral_sampling(ddpm, tape, eta, variance, clip):
    """eta = 1 is DDPM with beta-tilde, sigma-hat is DDPM with beta."""
    x_T = tape((5, 2), seed=1)()
    denoiser = Denoiser(ddpm, lambda x, t: toy(x, t.double().view(-1, 1) * T / 1000), "eps", variance, clip)
    expected = ancestral.sample(denoiser, x_T, tape((5, 2)))
    close(ddim.sample(denoiser, x_T, steps.linear(1000, 1000), eta, tape((5, 2))), expected)


def test_sigma_hat_leaves_the_direction_term_of_eta_1_alone():
    bar = PROCESS.alpha_bar
    at_1, hat = (ddim.noise_scales(bar, 50, 20, eta) for eta in (1.0, "sigma-hat"))
    assert hat[0] == at_1[0] == at_1[1]
    assert hat[1].item() == pytest.approx(math.sqrt(1 - bar[50] / bar[20]), rel=1e-14)


# Published indices t and s (from 0) are t + 1 and s + 1 here; eight digits are given.
@pytest.mark.parametrize(
    ("t", "s", "variance"), [(420, 400, 0.14771951), (980, 960, 0.32460524), (487, 486, 0.00979157), (999, 998, 0.01999998)]
)
def test_the_variance_at_eta_1_is_the_published_one(ddpm, t, s, variance):
    sigma, sigma_noise = ddim.noise_scales(ddpm.alpha_bar, t + 1, s + 1, 1.0)
    assert sigma == sigma_noise
    assert (sigma**2).item() == pytest.approx(variance, rel=0, abs=5e-9)


@given(eta=st.floats(0, 1))
def test_eta_multiplies_sigma_and_the_step_to_x0_has_none(eta):
    full, part = (ddim.noise_scales(PROCESS.alpha_bar, 40, 20, e)[0].item() for e in (1.0, eta))
    assert part == pytest.approx(eta * full, rel=1e-15)
    assert ddim.noise_scales(PROCESS.alpha_bar, 40, 0, eta)[0] == 0


# --- how samplers use their arguments ---


@pytest.mark.parametrize(("eta", "draws"), [(0, 0), (0.0, 0), (0.5, 5), (1.0, 5), ("sigma-hat", 5)])
def test_ddim_draws_noise_only_where_it_is_added(tape, eta, draws):
    noise = tape((3, 2))
    ddim.sample(Denoiser(PROCESS, network, "eps", "fixed-small"), noise(), steps.linear(T, 6), eta, noise)
    assert noise.calls - 1 == draws


def test_ancestral_sampling_adds_no_noise_on_the_step_to_x0(tape):
    noise = tape((3, 2))
    ancestral.sample(Denoiser(PROCESS, network, "eps", "fixed-large"), noise(), noise)
    assert noise.calls - 1 == T - 1


@pytest.mark.parametrize("start", [1, 2, T // 2, T])
def test_ancestral_sampling_from_a_later_start_is_the_rest_of_the_whole(tape, start):
    denoiser, noise, seen = Denoiser(PROCESS, network, "eps", "fixed-large"), tape((3, 2)), []
    x_T = noise()
    whole = ancestral.sample(denoiser, x_T, noise, seen.append)
    noise = tape((3, 2))
    for _ in range(1 + T - start):
        noise()
    before = noise.calls
    rest = ancestral.sample(denoiser, [x_T, *(step.x for step in seen)][T - start], noise, start=start)
    assert torch.equal(rest, whole)
    assert noise.calls - before == start - 1


def test_callbacks_see_every_step_and_what_was_predicted(tape):
    denoiser, x_T, tau = Denoiser(PROCESS, network, "eps", "fixed-small", clip=True), tape((3, 2))(), [5, 20, T]
    for sample, seen, times in (
        (lambda callback: ddim.sample(denoiser, x_T, tau, 1.0, tape((3, 2)), callback), [], [(T, 20), (20, 5), (5, 0)]),
        (lambda callback: ancestral.sample(denoiser, x_T, tape((3, 2)), callback), [], [(t, t - 1) for t in range(T, 0, -1)]),
    ):
        result = sample(seen.append)
        assert [(step.t, step.s) for step in seen] == times
        assert torch.equal(seen[-1].x, result)
        before = [x_T, *(step.x for step in seen)]
        for x, step in zip(before, seen, strict=False):
            assert torch.equal(step.x0, denoiser(x, step.t).x0) and torch.equal(step.eps, denoiser(x, step.t).eps)


# --- in-painting ---


def in_painted(T, rounds):
    """The exact law of the sampler on two coordinates of correlation 0.8, the first known to be 1.5.

    Mean (2,) and variance of the second: the toy is linear, so the mean is the chain without noise and the variance the sum of the
    squared responses to each number that it draws.
    """
    toy = GaussianToy(GaussianProcess(schedules.harmonic(T, 1e-3, 0.99)), torch.tensor([[1, 0.8], [0.8, 1]]))
    known, mask, calls = torch.tensor([[1.5, 0.0]], dtype=torch.float64), torch.tensor([True, False]), []

    def none():
        calls.append(1)
        return torch.zeros(1, 2, dtype=torch.float64)

    (mean,) = inpaint.sample(toy, none(), known, mask, none, rounds)
    numbers = 2 * len(calls)
    units = iter(torch.eye(numbers, dtype=torch.float64).unflatten(1, (-1, 2)).unbind(1))
    responses = inpaint.sample(toy, next(units), 0 * known, mask, units.__next__, rounds)
    assert next(units, None) is None
    assert not responses[:, 0].any(), "the known value does not answer to any draw"
    return mean, responses[:, 1].square().sum().item()


def test_in_painting_in_rounds_approaches_the_conditional():
    """p(x_2 | x_1 = 1.5) is N(1.2, 0.36). One round follows the known value too weakly; more rounds and more steps come nearer."""
    laws = [in_painted(40, rounds) for rounds in (1, 2, 5, 10)]
    assert all(mean[0] == 1.5 for mean, _ in laws)
    means, variances = [mean[1].item() for mean, _ in laws], [variance for _, variance in laws]
    assert means[0] < 0.8 and variances[0] > 0.45
    assert all(a < b < 1.2 for a, b in pairwise(means))
    assert all(a > b > 0.36 for a, b in pairwise(variances))
    assert means[-1] > 1.12 and variances[-1] < 0.39
    longer, _ = in_painted(80, 10)
    assert means[-1] < longer[1].item() < 1.2


@pytest.mark.parametrize("rounds", [1, 3])
def test_in_painting_leaves_known_pixels_exactly_as_they_were(rounds):
    noise = SampleNoise(0, range(4), (1, 5, 5))
    known, mask = noise(), torch.ones(5, 5, dtype=torch.bool)
    mask[1:3, 2:4] = False
    denoiser = Denoiser(PROCESS, lambda x, t: toy(x, t.to(x.dtype).view(-1, 1, 1, 1)), "eps", "fixed-large")
    x_0 = inpaint.sample(denoiser, noise(), known, mask, noise, rounds)
    assert torch.equal(x_0[..., mask], known[..., mask])
    assert not torch.isclose(x_0, known)[..., ~mask].any()
    assert x_0.dtype == torch.float32


def test_samples_have_the_dtype_of_x_T():
    denoiser, noise = Denoiser(PROCESS, network, "eps", "fixed-small"), SampleNoise(0, range(2), (3,))
    assert ancestral.sample(denoiser, noise(), noise).dtype == torch.float32
    assert ddim.sample(denoiser, noise(), steps.linear(T, 3), "sigma-hat", noise).dtype == torch.float32


def test_ddims_error_against_the_exact_ode_falls_as_1_over_S(ddpm):
    """Data N(m, s^2): the ODE carries (x - sqrt(abar) m) / sqrt(Var x_t) along unchanged, so x_0 is known for every x_T."""
    m, s, bar = 0.5, 0.4, ddpm.alpha_bar

    def eps(x, t_minus_1):
        a = bar[t_minus_1 + 1].view(-1, 1)
        return (1 - a).sqrt() * (x - a.sqrt() * m) / (a * s**2 + 1 - a)

    x_T = torch.tensor([[-2.0], [0.3], [1.5]], dtype=torch.float64)
    exact = m + s * (x_T - bar[-1].sqrt() * m) / (bar[-1] * s**2 + 1 - bar[-1]).sqrt()
    denoiser = Denoiser(ddpm, eps, "eps", "fixed-small")
    errors = torch.stack(
        [(ddim.sample(denoiser, x_T, steps.linear(1000, S), 0.0, None) - exact).abs().squeeze(1) for S in (125, 250, 500, 1000)]
    )
    ratios = errors[:-1] / errors[1:]
    assert (errors[-1] < 5e-3).all()
    assert ((ratios > 1.9) & (ratios < 2.1)).all(), ratios


# --- sub-sequences ---

LENGTHS = st.integers(1, 1200).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length)))


@pytest.mark.parametrize("make", [steps.linear, steps.quadratic])
@given(lengths=LENGTHS)
def test_tau_has_S_rising_steps_of_which_the_last_is_T(make, lengths):
    length, S = lengths
    tau = make(length, S)
    assert len(tau) == S
    assert tau[0] >= 1 and tau[-1] == length
    assert all(a < b for a, b in pairwise(tau))


@pytest.mark.parametrize("make", [steps.linear, steps.quadratic])
@given(length=st.integers(1, 1200))
def test_tau_is_the_whole_chain_at_S_equal_T(make, length):
    assert make(length, length) == list(range(1, length + 1))


@pytest.mark.parametrize(("make", "power"), [(steps.linear, 1), (steps.quadratic, 2)])
@given(lengths=LENGTHS)
def test_tau_is_the_papers_floor_of_c_i_or_c_i_squared(make, power, lengths):
    """c = T / S or T / S^2, wherever the paper's formula does not fall below i."""
    length, S = lengths
    for i, t in enumerate(make(length, S), 1):
        assert t == max(i, math.floor(length * i**power / S**power + 1e-9))


@pytest.mark.parametrize(
    ("S", "last", "number"), [(10, 901, 10), (20, 951, 20), (50, 981, 50), (100, 991, 100), (1000, 1000, 1000), (30, 991, 31)]
)
def test_released_uniform_is_the_published_range_from_1(S, last, number):
    tau = steps.released_uniform(1000, S)
    assert tau == [t + 1 for t in range(0, 1000, 1000 // S)]
    assert (tau[-1], len(tau)) == (last, number)


@pytest.mark.parametrize(("S", "distinct"), [(10, 10), (20, 20), (50, 49), (100, 96), (1000, 688)])
def test_released_quadratic_is_the_published_list_from_1_without_repeats(S, distinct):
    published = [int(point) for point in np.linspace(0, np.sqrt(1000 * 0.8), S) ** 2]
    tau = steps.released_quadratic(1000, S)
    assert tau == sorted({t + 1 for t in published})
    assert (tau[-1], len(tau)) == (801, distinct)


@given(lengths=LENGTHS)
def test_released_quadratic_is_the_published_list_for_any_T_and_S(lengths):
    length, S = lengths
    published = np.linspace(0, np.sqrt(length * 0.8), S) ** 2
    assert steps.released_quadratic(length, S) == sorted({int(point) + 1 for point in published})


@pytest.mark.parametrize("make", steps.SUBSEQUENCES.values(), ids=steps.SUBSEQUENCES)
@pytest.mark.parametrize("S", [-1, 0, 1001])
def test_steps_outside_1_to_T_are_refused(make, S):
    with pytest.raises(ValueError, match=f"S = {S} .* T = 1000"):
        make(1000, S)


# --- noise that belongs to a sample ---


def rows(indices, seed=3, draws=2):
    noise = SampleNoise(seed, indices, (2, 3))
    return torch.stack([noise() for _ in range(draws)], dim=1)


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_noise_of_a_sample_is_the_same_in_every_batch(batch):
    whole = rows(range(20))
    assert torch.equal(torch.cat([rows(range(start, min(start + batch, 20))) for start in range(0, 20, batch)]), whole)
    assert torch.equal(rows([11, 4]), whole[[11, 4]])


def test_uniform_noise_belongs_to_its_sample_too():
    def uniform(indices, seed=3):
        noise = SampleNoise(seed, indices, (2, 3))
        noise()
        return torch.cat([noise.uniform(), noise.uniform()], 1)

    whole = uniform(range(4000))
    assert torch.equal(uniform([11, 4]), whole[[11, 4]])
    assert len(torch.unique(torch.cat([whole[:50].flatten(), uniform(range(50), 4).flatten()]))) > 1190  # of 1,200 numbers of 24 bits
    assert whole.min() >= 0 and whole.max() < 1
    assert scipy.stats.kstest(whole.flatten().numpy(), "uniform").pvalue > 0.01


def test_noise_of_other_indices_seeds_and_draws_is_other_noise():
    """Seed and index exchanged among them."""
    streams = [(3, 0), (3, 1), (0, 3), (1, 3), (0, 0), (3, 10**6)]
    drawn = torch.cat([rows([index], seed).flatten(0, 1) for seed, index in streams])
    assert len(torch.unique(drawn)) == drawn.numel()


def test_the_first_draws_are_standard_normal_and_independent_of_their_neighbours():
    """Kolmogorov-Smirnov on 48,000 numbers, and correlations of neighbouring indices, seeds and draws within 4 standard errors."""
    first = rows(range(4000))
    assert scipy.stats.kstest(first.flatten().numpy(), "norm").pvalue > 0.01
    pairs = {"index": (first[:-1], first[1:]), "seed": (first, rows(range(4000), seed=4)), "draw": (first[:, 0], first[:, 1])}
    for name, (a, b) in pairs.items():
        assert abs((a * b).mean().item()) < 4 / math.sqrt(a.numel()), name
