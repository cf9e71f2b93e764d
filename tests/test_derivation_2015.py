"""What docs/papers/sohl2015/derivation.md and code.md state beyond the ledger's equations: its formulas, and its numbers worked by hand."""

import itertools
import math

import numpy as np
import pytest
import torch

from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.papers.sohl2015.common import GaussianToy, PerfectBits, PerfectNetwork
from rediffuse.processes import schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialProcess
from rediffuse.processes.bounds import edge_decoder, kl_normal, l_T, vlb_term
from rediffuse.processes.denoiser import WithEdge
from rediffuse.processes.entropy import binary_entropy, binomial_bounds, gaussian_bounds
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.processes.products import Perturbed, PerturbedBinomial, expected_gaussian, smooth, times_bernoulli

BIT = math.log(2)
TWO = GaussianProcess(torch.tensor([0.0, 0.19, 0.19], dtype=torch.float64))
"""Two steps of beta = 0.19, whose square roots come out even: the chapter's example."""


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


def quadrature():
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    return tensor(nodes), tensor(weights / math.sqrt(2 * math.pi))


# --- the forward process ---


@pytest.mark.parametrize("beta", [0.01, 0.5, 1.0])
def test_the_prior_is_what_a_step_leaves_as_it_is(beta):
    """Eq. 1: N(0, 1) and B(r) go through a step unchanged; a variance of 4 and a mean of 0.5 do not."""
    rates, zero, one = tensor([0.0, beta]), tensor([0.0]), tensor([1.0])
    gaussian, bits = GaussianProcess(rates), BinomialProcess(rates, 0.2)
    for variance, after in ((1.0, 1.0), (4.0, 4.0 - 3 * beta)):
        close(variance * gaussian.q_sample(one, 1, zero) ** 2 + gaussian.q_sample(zero, 1, one) ** 2, [after])
    for mean, after in ((0.2, 0.2), (0.5, 0.5 - 0.3 * beta)):
        close(mean * bits.q_prob(one, 1) + (1 - mean) * bits.q_prob(zero, 1), [after])


def test_the_worked_numbers_of_the_forward_chain():
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    close(TWO.alpha_bar, [1, 0.81, 0.6561])
    close(TWO.q_sample(2 * one, 1, zero), [1.8])
    close(TWO.q_sample(2 * one, 2, zero), [1.62])
    close(TWO.q_sample(zero, 2, one).square(), [0.3439])
    close(schedules.harmonic(4)[1:], [1 / 4, 1 / 3, 1 / 2, 1])
    bits = BinomialProcess(schedules.harmonic(4), 0.2)
    close(bits.alpha_bar, [1, 3 / 4, 1 / 2, 1 / 4, 0])
    close(bits.q_prob(tensor([1.0, 0.0]), 2), [0.6, 0.1])


# --- the reverse process ---


def test_the_worked_numbers_of_the_posterior():
    x0, x_2 = tensor([2.0]), tensor([1.0])
    close(TWO.beta_tilde[2], 0.19 * 0.19 / 0.3439)
    close(TWO.posterior_on_x0[2], TWO.posterior_on_x_t[2])
    close(TWO.posterior_mean(x0, x_2, 2), [3 * 0.9 * 0.19 / 0.3439])
    assert TWO.posterior_mean(x0, x_2, 2).item() == pytest.approx(1.492, abs=5e-4)
    assert TWO.beta_tilde[2].item() == pytest.approx(0.105, abs=5e-4)


def two_lumps(x_t, beta, width=0.1):
    """q(x_{t-1} | x_t) of q(x_{t-1}) = N(-1, width^2) / 2 + N(1, width^2) / 2: the shares, means and the variance of its two Gaussians."""
    alpha, spread = 1 - beta, (1 - beta) * width**2 + beta
    logit = [-0.5 * (x_t - sign * math.sqrt(alpha)) ** 2 / spread for sign in (-1, 1)]
    share = torch.softmax(tensor(logit), 0)
    variance = 1 / (alpha / beta + 1 / width**2)
    return share, [variance * (math.sqrt(alpha) * x_t / beta + sign / width**2) for sign in (-1, 1)], variance


def test_a_small_step_is_reversed_by_a_gaussian_and_a_large_one_is_not():
    """From x_t = 0.05: at beta = 0.5 two lumps, of which the left has 0.46; at beta = 0.001 from x_t = 0.95 one."""
    share, means, variance = two_lumps(0.05, 0.5)
    assert share[0].item() == pytest.approx(0.465, abs=1e-3)
    assert means[1] - means[0] > 15 * math.sqrt(variance)
    share, _, _ = two_lumps(0.95, 0.001)
    assert share[0] < 1e-12


# --- the bound ---


def short_model():
    """Two bits through three steps, and a network that was never trained."""
    process = BinomialProcess(schedules.linear(3, 0.2, 0.6), 0.3)
    return BinomialDenoiser(process, lambda x, t: torch.sin(3 * x + t[:, None]) + x.flip(1), "mu")


def paths(denoiser):
    """Every path x_0..x_T of two bits: log p(x_{0..T}) and log q(x_{1..T} | x_0), shape (4^(T + 1),), and the number of its x_0."""
    process, states = denoiser.process, tensor(list(itertools.product((0.0, 1.0), repeat=2)))
    index = torch.tensor(list(itertools.product(range(4), repeat=process.T + 1)))
    x = states[index]
    log_p, log_q = process.log_prior(x[:, -1]), torch.zeros(len(x), dtype=torch.float64)
    for t in range(1, process.T + 1):
        back, forth = denoiser(x[:, t], t).prob, process.alpha[t] * x[:, t - 1] + process.beta[t] * process.rate
        log_p = log_p + torch.where(x[:, t - 1] == 1, back, 1 - back).log().sum(1)
        log_q = log_q + torch.where(x[:, t] == 1, forth, 1 - forth).log().sum(1)
    return log_p, log_q, index[:, 0]


def test_the_likelihood_is_the_mean_weight_of_forward_paths():
    """Eq. 6 = eq. 9: summed over all paths, p(x_0) is E_q[p(x_{0..T}) / q(x_{1..T} | x_0)]; and log p(x_0) less its bound is the divergence
    of the two processes' paths (quasi-static: 0)."""
    log_p, log_q, start = paths(short_model())
    total = 0.0
    for k in range(4):
        p, q = log_p[start == k], log_q[start == k]
        likelihood = p.exp().sum()
        close(q.exp().sum(), 1)
        close((q.exp() * (p - q).exp()).sum(), likelihood)
        bound = (q.exp() * (p - q)).sum()
        close(likelihood.log() - bound, (q.exp() * (q - (p - likelihood.log()))).sum(), rtol=1e-9)
        assert bound < likelihood.log() - 1e-3
        total += likelihood
    close(total, 1)


def terms_of(process, variance, t):
    """(E of the bound's term at t, ...) of data N(0, variance) and their own reverse process, by quadrature, in nats."""
    nodes, weights = quadrature()
    x0, eps = (grid.reshape(-1, 1) for grid in torch.meshgrid(math.sqrt(variance) * nodes, nodes, indexing="ij"))
    weight, toy = torch.outer(weights, weights).flatten(), GaussianToy(process, tensor([[variance]]))

    class AtOneTime:
        def __init__(self):
            self.process = process

        def __call__(self, x_t, t):
            return toy(x_t, int(t[0]))

    term = (weight * vlb_term(AtOneTime(), edge_decoder(process), x0, torch.full((len(x0),), t), eps)).sum()
    return term, weight, x0


def test_a_perfect_model_still_pays_in_every_term_and_the_entropies_pay_it_back():
    """Data N(0, 1), two steps: KL_2 = log(beta / beta_tilde) / 2 = 0.297 nats, and K = L = -1.419 nats."""
    kl, weight, x0 = terms_of(TWO, 1.0, 2)
    close(kl, 0.5 * math.log(0.3439 / 0.19), rtol=1e-10)
    assert kl.item() == pytest.approx(0.297, abs=5e-4)
    normal = lambda variance: 0.5 * math.log(2 * math.pi * math.e * variance)  # noqa: E731
    K = -kl + normal(0.3439) - normal(0.19) - normal(1)
    close(K, -normal(1), rtol=1e-10)
    assert K.item() == pytest.approx(-1.419, abs=5e-4)
    # The general form, which needs nothing of the data, is the same here.
    first, _, _ = terms_of(TWO, 1.0, 1)
    close(-(first + kl + (weight * l_T(TWO, x0)).sum()), K, rtol=1e-10)


def test_what_a_perfect_model_pays_is_what_x0_tells_of_the_step():
    """E KL = I(X_{t-1}; X_0 | X_t) + E KL(q(x_{t-1} | x_t) || p): of Gaussians the first is the difference of the bounds of eq. 24."""
    process = GaussianProcess(schedules.harmonic(10, 0.05, 0.9))
    lower, upper = gaussian_bounds(process)
    for t in range(2, 11):
        close(terms_of(process, 1.0, t)[0], upper[t] - lower[t], rtol=1e-9)


def test_eq_14_is_no_bound_where_the_cross_entropy_to_the_prior_changes_with_t():
    """Data N(0, v): eq. 14 exceeds the bound by (v - 1) (alpha_bar_T + beta_1) / 2: 0.375 nats for v = 4, T = 4, 1 / (T - t + 1)."""
    process, v = GaussianProcess(schedules.harmonic(4, None, 1 - 1e-9)), 4.0
    normal = lambda variance: 0.5 * math.log(2 * math.pi * math.e * variance)  # noqa: E731
    kls = sum(terms_of(process, v, t)[0] for t in (2, 3, 4))
    eq14 = -kls + normal(1 - process.alpha_bar[4]) - normal(process.beta[1]) - normal(1)
    first, weight, x0 = terms_of(process, v, 1)
    bound = -(kls + first + (weight * l_T(process, x0)).sum())
    close(eq14 - bound, 0.5 * (v - 1) * (process.alpha_bar[4] + process.beta[1]), rtol=1e-8)
    assert (eq14 - bound).item() == pytest.approx(0.375, abs=1e-6)
    assert bound <= -normal(v) < eq14, "above the log-likelihood that it should bound"


def test_the_last_step_is_what_K_can_be_at_most():
    """K <= -H_q(X^1 | X^0): the divergences are at least 0, and H_q(X^T | X^0) at most H_p(X^T). The released code's beta_1 = 0.002 allows
    2.44 bits a dimension, 7.31 a pixel of three colours: less than the 11.895 that were withdrawn."""
    bits = -0.5 * math.log2(2 * math.pi * math.e * 0.002)
    assert bits == pytest.approx(2.44, abs=5e-3)
    assert 3 * bits == pytest.approx(7.31, abs=5e-3)
    assert 2 ** (-2 * 11.895 / 3) / (2 * math.pi * math.e) == pytest.approx(2.4e-4, abs=5e-6)


def test_the_heartbeats_last_step_has_a_25th_of_a_bit_of_entropy():
    """H_q(X^1 | X^0) at T = 2000: 4 bits that are 1 and 16 that are 0, each redrawn with probability 1 / 2000."""
    beta = 1 / 2000
    on, off = (float(binary_entropy(tensor(p))) / BIT for p in (0.8 * beta, 0.2 * beta))
    assert (4 * on, 16 * off, 4 * on + 16 * off) == pytest.approx((0.0204, 0.0236, 0.0439), abs=5e-5)


# --- the entropy bounds ---


def test_the_worked_numbers_of_the_failing_upper_bound():
    """One bit, r = 0.2, mean 0.5, T = 5: x_5 knows nothing, so the reverse step has the entropy of x_4, H(0.26)."""
    process = BinomialProcess(schedules.harmonic(5), 0.2)
    before = process.alpha_bar[4] * 0.5 + (1 - process.alpha_bar[4]) * 0.2
    close(before, 0.26)
    assert float(binary_entropy(before)) / BIT == pytest.approx(0.827, abs=5e-4)
    _, upper = binomial_bounds(process, tensor([0.5]))
    assert float(upper[5]) / BIT == pytest.approx(0.722, abs=5e-4)


@pytest.mark.parametrize("t", [1, 3, 6])
def test_the_entropy_of_a_reverse_step_is_that_of_the_forward_step_and_of_both_ends(t):
    """Appendix A: H(X^{t-1} | X^t) = H(X^t | X^{t-1}) + H(X^{t-1}) - H(X^t), against the joint of four bits, state by state."""
    beat, process = Heartbeat(4, 2), BinomialProcess(schedules.harmonic(6), 0.5)
    one = lambda keep: tensor([[(1 + keep) / 2, (1 - keep) / 2], [(1 - keep) / 2, (1 + keep) / 2]])  # noqa: E731
    kernel = lambda keep: torch.kron(torch.kron(one(keep), one(keep)), torch.kron(one(keep), one(keep)))  # noqa: E731
    rows = torch.tensor([int("".join(map(str, sequence)), 2) for sequence in beat.sequences().tolist()])
    before = kernel(process.alpha_bar[t - 1])[rows].mean(0)
    joint = before[:, None] * kernel(process.alpha[t])
    exact = torch.special.entr(joint).sum() - torch.special.entr(joint.sum(0)).sum()
    _, forward = binomial_bounds(process, tensor(beat.sequences().mean(0)))
    ends = [beat.entropy(float(process.alpha_bar[s]), 0.5) for s in (t - 1, t)]
    close(forward[t] + ends[0] - ends[1], exact, rtol=1e-9)


# --- multiplying with r ---


def chain(process, v, r):
    """(mean, variance) of what the exact chain of data N(0, v) samples when each of its kernels is multiplied by r."""
    perturbed, mean, variance = Perturbed(GaussianToy(process, tensor([[v]])), r), tensor(0.0), tensor(1.0)
    for t in range(process.T, 0, -1):
        kernel = perturbed(tensor([[0.0], [1.0]]), t)
        gain = kernel.mean[1, 0] - kernel.mean[0, 0]
        mean, variance = gain * mean + kernel.mean[0, 0], gain**2 * variance + kernel.variance.max()
    return float(mean), float(variance)


def tilt(v):
    """How many times r = exp(lambda x) comes to count when it is the same at every t: 2 artanh(sqrt(1 - v)) / sqrt(1 - v)."""
    root = np.emath.sqrt(1 - v)
    return 2.0 if v == 1 else float((2 * np.arctanh(root) / root).real)


@pytest.mark.parametrize(("v", "times"), [(1.0, 2.0), (0.25, 3.04), (0.01, 6.02), (4.0, 1.21)])
def test_a_tilt_that_is_constant_in_t_counts_twice_where_the_data_are_the_prior_and_more_where_they_are_narrower(v, times):
    """p r shifts the mean of N(0, v) by lambda v; the chain by `tilt` times as much. Its variance is that of p, as p r has it."""
    assert tilt(v) == pytest.approx(times, abs=5e-3)
    process = GaussianProcess(schedules.log_spaced(4000, 1e-6, 1e8))
    mean, variance = chain(process, v, smooth(lambda x: torch.full_like(x, 0.1)))
    assert mean / (0.1 * v) == pytest.approx(tilt(v), rel=0.01)
    assert variance == pytest.approx(v, rel=0.01)


@pytest.mark.parametrize("v", [1.0, 0.25, 0.01, 4.0])
def test_a_tilt_weighed_by_what_a_push_is_still_worth_counts_once(v):
    """grad log E[exp(lambda x_0) | x_t] = lambda sqrt(alpha_bar_t) v / (alpha_bar_t v + 1 - alpha_bar_t)."""
    process = GaussianProcess(schedules.log_spaced(4000, 1e-6, 1e8))
    bar = process.alpha_bar
    worth = bar.sqrt() * v / (bar * v + 1 - bar)
    rule = lambda mean, variance, s: (mean + variance * 0.1 * worth[s], variance)  # noqa: E731
    assert chain(process, v, rule)[0] == pytest.approx(0.1 * v, rel=0.01)


def test_the_papers_fading_tilt_counts_two_thirds():
    process = GaussianProcess(schedules.harmonic(4000, 1e-4, 0.9999))
    rule = lambda mean, variance, s: (mean + variance * 0.1 * (1 - s / 4000), variance)  # noqa: E731
    assert chain(process, 1.0, rule)[0] == pytest.approx(0.1 * 2 / 3, rel=0.01)


def test_a_shift_by_hand_settles_at_4_thirds_and_a_third():
    """x -> (1 - 3 beta / 2) x + 2 beta + noise of variance beta: its fixed point, as beta goes to 0, is N(4/3, 1/3) = p r^2."""
    beta, mean, variance = 1e-4, 0.0, 1.0
    for _ in range(200_000):
        mean, variance = (1 - 1.5 * beta) * mean + 2 * beta, (1 - 1.5 * beta) ** 2 * variance + beta
    assert (mean, variance) == pytest.approx((4 / 3, 1 / 3), rel=1e-3)


def test_eq_21_is_normalised_where_r_is_the_expectation_of_the_next_one():
    """Doob: with h_t(x_t) = E[r(x_0) | x_t], p(x_{t-1} | x_t) h_{t-1}(x_{t-1}) / h_t(x_t) sums to 1 for every x_t and the chain samples
    p r, for any reverse chain; with r in the place of h it does not. Two bits, by enumeration."""
    denoiser, states = short_model(), tensor(list(itertools.product((0.0, 1.0), repeat=2)))
    r = tensor([1.0, 4.0, 0.5, 2.0])
    kernels = [None] + [
        torch.where(states[None] == 1, denoiser(states, t).prob[:, None], 1 - denoiser(states, t).prob[:, None]).prod(2) for t in (1, 2, 3)
    ]
    h = [r]
    for t in (1, 2, 3):
        h.append(kernels[t] @ h[-1])
    end = p = denoiser.process.log_prior(states).exp()
    tilted = end * h[3] / (end @ h[3])
    for t in (3, 2, 1):
        doob = kernels[t] * h[t - 1] / h[t][:, None]
        close(doob.sum(1), torch.ones(4))
        assert ((kernels[t] * r / r[:, None]).sum(1) - 1).abs().max() > 0.1
        p, tilted = p @ kernels[t], tilted @ doob
    close(tilted, p * r / (p @ r))


def test_eq_21_and_eq_22_are_one_for_the_expected_r():
    """Data N(0, 1), r = N(2; x, 1): the normalised product is p(x_{t-1} | x_t) h_{t-1}(x_{t-1}) / h_t(x_t), h_t = E[r(x_0) | x_t]."""
    process = GaussianProcess(schedules.harmonic(10, 0.05, 0.9))
    normal = lambda x, mean, variance: -0.5 * ((x - mean) ** 2 / variance + torch.log(2 * math.pi * torch.as_tensor(variance)))  # noqa: E731
    log_h = lambda x, t: normal(tensor(2.0), process.alpha_bar[t].sqrt() * x, 2 - process.alpha_bar[t])  # noqa: E731
    x, x_t = tensor([[-1.0], [0.3], [2.0]]), tensor([[0.7]])
    for t in range(1, 11):
        plain = GaussianToy(process, torch.eye(1))(x_t, t)
        mean, variance = expected_gaussian(process, tensor(2.0), 1.0)(plain.mean, plain.variance, t - 1)
        eq21 = normal(x, plain.mean, plain.variance) + log_h(x, t - 1) - log_h(x_t, t)
        close(normal(x, mean, variance), eq21, rtol=1e-9)


@pytest.mark.parametrize(("T", "on"), [(10, 0.7226), (1000, 0.7983)])
def test_a_bit_whose_r_is_constant_in_t_tends_to_p_r_squared_too(T, on):
    """One bit of mean r = 0.2 times (1, 4): p r has P(1) = 1/2, p r^2 has 4/5. The rate of 0 -> 1 is 4 times as large, that of 1 -> 0 a
    quarter."""
    process = BinomialProcess(schedules.harmonic(T), 0.2)
    plain = BinomialDenoiser(process, lambda x, t: _posterior_logit(process, x, t + 1), "x0")
    perturbed, states = PerturbedBinomial(plain, tensor([4.0]), tensor([1.0])), tensor([[0.0], [1.0]])
    p = times_bernoulli(tensor([0.2]), tensor([4.0]), tensor([1.0]))
    for t in range(T, 0, -1):
        prob = perturbed(states, t).prob
        p = p * prob[1] + (1 - p) * prob[0]
    assert p.item() == pytest.approx(on, abs=5e-5)


def _posterior_logit(process, x, t):
    """Of P(x_0 = 1 | x_t) for one bit of mean r."""
    bar, r = process.alpha_bar[t][:, None], process.rate
    on, off = bar + (1 - bar) * r, (1 - bar) * r
    return torch.log(r / (1 - r) * torch.where(x == 1, on / off, (1 - on) / (1 - off)))


# --- the drift ---

ROLL = SwissRoll(1.5, 0.036)


def score(x, alpha_bar, h=1e-5):
    """grad log q(x_t) by central differences of the exact density."""
    return np.stack([(ROLL.log_density(x + d, alpha_bar) - ROLL.log_density(x - d, alpha_bar)) / (2 * h) for d in h * np.eye(2)], 1)


def points(alpha_bar, n=200):
    generator = np.random.default_rng(0)
    return math.sqrt(alpha_bar) * ROLL.sample(n, generator) + math.sqrt(1 - alpha_bar) * generator.standard_normal((n, 2))


@pytest.mark.parametrize("t", [2, 20, 40])
def test_the_drift_is_the_score_by_tweedies_formula(t):
    """E[x_{t-1} | x_t] - x_t = ((1 - sqrt(1 - beta)) x_t + beta grad log q(x_t)) / sqrt(1 - beta), exactly, for any step."""
    process = GaussianProcess(schedules.harmonic(40, 3e-4, 0.99))
    beta, bar = float(process.beta[t]), float(process.alpha_bar[t])
    x = points(bar)
    drift = PerfectNetwork(process, ROLL)(tensor(x), t).mean.numpy() - x
    root = math.sqrt(1 - beta)
    np.testing.assert_allclose(drift, ((1 - root) * x + beta * score(x, bar)) / root, rtol=0, atol=1e-6)


def test_for_a_small_step_the_drift_is_half_beta_x_plus_beta_times_the_score():
    """The error is of the order of beta^2: a hundredth for a tenth of the step."""
    errors = []
    for beta in (1e-2, 1e-3):
        process = GaussianProcess(tensor([0.0, 0.5, beta]))
        x = points(float(process.alpha_bar[2]))
        drift = PerfectNetwork(process, ROLL)(tensor(x), 2).mean.numpy() - x
        errors.append(np.abs(drift - beta * (x / 2 + score(x, float(process.alpha_bar[2])))).max())
    assert errors[1] / errors[0] == pytest.approx(0.01, rel=0.2)


def test_the_drift_at_T_is_a_shrinking_of_x_whatever_the_data():
    """Where alpha_bar_T is nearly 0 the score is -x: the drift is (sqrt(1 - beta_T) - 1) x, here -0.9 x, and knows nothing of the data."""
    process = GaussianProcess(schedules.harmonic(40, 3e-4, 0.99))
    x = points(float(process.alpha_bar[40]))
    drift = PerfectNetwork(process, ROLL)(tensor(x), 40).mean.numpy() - x
    np.testing.assert_allclose(drift, -0.9 * x, rtol=0, atol=0.02)


def test_the_drift_is_the_score_of_ddpms_eps():
    """E[eps | x_t] = -sqrt(1 - alpha_bar) grad log q(x_t), of which Ho et al. 2020 make the mean in their eq. 11."""
    process, t = GaussianProcess(schedules.harmonic(40, 3e-4, 0.99)), 10
    bar = float(process.alpha_bar[t])
    x = points(bar)
    np.testing.assert_allclose(
        PerfectNetwork(process, ROLL)(tensor(x), t).eps.numpy(), -math.sqrt(1 - bar) * score(x, bar), rtol=0, atol=1e-6
    )


def test_the_worked_numbers_of_the_drift():
    """Data N(0, 1) and N(0, 0.01), x = 1 and x = 0.2, beta = 0.01."""
    one = GaussianProcess(tensor([0.0, 0.5, 0.01]))
    close(GaussianToy(one, torch.eye(1))(tensor([[1.0]]), 2).mean - 1, [[math.sqrt(0.99) - 1]], rtol=1e-9)
    assert math.sqrt(0.99) - 1 == pytest.approx(-0.005, abs=5e-5)
    # A ridge 0.1 wide, seen at alpha_bar = 0.99: v = 0.99 * 0.01 + 0.01 = 0.0199, so the score at 0.2 is about -10.
    ridge = GaussianProcess(tensor([0.0, 1e-12, 0.01]))
    v = 0.99 * 0.01 + 0.01
    drift = float(GaussianToy(ridge, tensor([[0.01]]))(tensor([[0.2]]), 2).mean) - 0.2
    assert drift == pytest.approx((0.2 - 0.01 * 0.2 / v) / math.sqrt(0.99) - 0.2, abs=1e-9)
    assert (0.2 / v, drift) == pytest.approx((10.05, -0.1), abs=5e-3)


def test_the_drift_of_bits_is_a_ratio_of_probabilities():
    """P(x_{t-1} differs in bit i | x_t = x) is q(x^i) / q(x) times beta times the chance of drawing x_i, to first order in beta: where the
    Gaussian has the gradient of log q, bits have its differences."""
    beat, t = Heartbeat(6, 3), 300
    process = BinomialProcess(schedules.harmonic(1000), 1 / 3)
    bar, beta = float(process.alpha_bar[t]), float(process.beta[t])
    x = tensor([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])

    def q(state):
        p = bar * tensor(beat.sequences().astype(float)) + (1 - bar) / 3
        return float(torch.where(state == 1, p, 1 - p).prod(1).mean())

    prob = PerfectBits(process, beat)(x, t).prob
    for i in range(6):
        flipped = x.clone()
        flipped[0, i] = 1 - x[0, i]
        expected = q(flipped) / q(x) * beta * (1 / 3 if x[0, i] else 2 / 3)
        assert float((prob - x).abs()[0, i]) == pytest.approx(expected, rel=0.01)


# --- the published code ---


@pytest.mark.parametrize(("times", "bits"), [(1, 0.0), (10.5, 3.39), (15.8, 3.98)])
def test_a_grey_level_that_is_too_narrow_is_worth_the_log_of_how_much_too_narrow(times, bits):
    """Grey levels of any probabilities plus noise uniform on 1 / times of a level: the mean log-likelihood that a model can reach is
    log2(times) bits a value higher. Integrated over a grid."""
    levels, step = np.random.default_rng(0).dirichlet(np.ones(8)), 1e-4
    place = np.arange(0, 8, step) + step / 2
    inside = np.abs(place % 1 - 0.5) < 0.5 / times
    density = np.where(inside, times * levels[place.astype(int)], 0.0)
    reached = (density * np.log2(density, where=inside, out=np.zeros_like(density))).sum() * step
    assert reached - (levels * np.log2(levels)).sum() == pytest.approx(bits, abs=0.01)


def test_the_released_schedule_ends_at_a_half_and_leaves_a_thousandth_of_the_signals_variance():
    beta = 1 / np.linspace(1000, 2, 1000)
    assert beta[-1] == 0.5
    assert np.prod(1 - beta) == pytest.approx(1e-3, rel=0.02)


def test_nats_printed_as_bits():
    """Of Table 2's older version: 220 and 225 nats are 317.4 and 324.6 bits; and of Table 1 -L_null is 20 H(0.2), not 20 H(1/2)."""
    for nats, bits in ((220, 317.4), (225, 324.6)):
        assert nats / BIT == pytest.approx(bits, abs=0.05)
    assert 20 * float(binary_entropy(tensor(0.2))) / BIT == pytest.approx(2.414 + 12.024, abs=1e-3)


def test_one_t_for_a_whole_batch_leaves_the_spread_between_times():
    """The mean over n examples at one t each has a variance of (within + between) / n; at one t for all of them between stays whole."""
    generator, n, T = np.random.default_rng(0), 64, 40
    level = 1 / np.arange(1, T + 1)
    each = np.array([level[generator.integers(T, size=n)].mean() for _ in range(4000)])
    shared = level[generator.integers(T, size=4000)]
    assert shared.var() / each.var() == pytest.approx(n, rel=0.2)


def test_the_weight_T_counts_the_divergences_once_too_often():
    """T times the mean of T - 1 terms is T / (T - 1) of their sum: of data N(0, 1), whose sum is log(1 / beta_1) / 2, 0.0045 bits."""
    assert 0.5 * math.log2(1 / 0.002) / 999 == pytest.approx(0.0045, abs=5e-5)


@pytest.mark.parametrize(("beta_1", "bits"), [(1 / 40, 2.15), (0.036**2 / 4, 0.16), (3e-4, 0.15)])
def test_the_edge_loses_what_a_narrow_ridge_is_narrower_than_beta_1(beta_1, bits):
    """K lacks KL(q(x_0 | x_1) || T_pi(x_0 | x_1; beta_1)): data N(0, v) across a ridge of v = 0.036^2, and nothing where v = 1."""
    process, (nodes, weights) = GaussianProcess(tensor([0.0, beta_1])), quadrature()
    for v, expected in ((0.036**2, bits), (1.0, 0.0)):
        total = (1 - beta_1) * v + beta_1
        x_1 = math.sqrt(total) * nodes[:, None]
        exact, edge = GaussianToy(process, tensor([[v]]))(x_1, 1), WithEdge(GaussianToy(process, tensor([[v]])))(x_1, 1)
        lost = weights @ kl_normal(exact.mean, exact.variance, edge.mean, edge.variance)[:, 0]
        assert float(lost) / BIT == pytest.approx(expected, abs=5e-3)
