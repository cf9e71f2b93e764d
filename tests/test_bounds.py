"""The variational bound: each term against an independent form, and the whole against a chain whose bound is known in closed form."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from rediffuse.metrics.bits import Bound, binomial_bound, mean_and_error, stratified, variational_bound
from rediffuse.processes import binomial, losses, schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialProcess
from rediffuse.processes.bounds import (
    bits_per_dim,
    cdf_tanh,
    discretised_decoder,
    edge_decoder,
    kl_normal,
    l_T,
    log_mass_exact,
    log_mass_tanh,
    log_prior,
    vlb_term,
)
from rediffuse.processes.denoiser import Denoiser, Prediction
from rediffuse.processes.gaussian import GaussianProcess, at


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


def quadrature():
    """Nodes and weights of E f(z), z standard normal; three nodes are exact for polynomials up to degree 5."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())


# --- L_T, L_{t-1} ---


def test_kl_normal_is_torchs():
    means, variances = normal(2, 100), normal(2, 100, seed=1).exp()
    q, p = (Normal(mean, variance.sqrt()) for mean, variance in zip(means, variances, strict=True))
    close(kl_normal(q.mean, q.variance, p.mean, p.variance), kl_divergence(q, p), rtol=1e-11)
    assert (kl_normal(q.mean, q.variance, q.mean, q.variance) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_l_T_is_the_published_7e_6_to_8e_6_bits_per_dim(ddpm, dtype):
    """At the mean squares 0.25 to 0.28 of CIFAR-10. float32 rounds numbers near 1 to 6e-8, which is 1 % of it."""
    x0 = torch.tensor([0.25, 0.28], dtype=dtype).sqrt()[:, None].expand(2, 3072)
    expected = torch.tensor([7.3e-6, 8.2e-6], dtype=torch.float64)
    close(bits_per_dim(l_T(ddpm, x0), 3072), expected, atol=0.5e-7 if dtype == torch.float64 else 2e-7)


def test_l_T_is_the_kl_from_the_prior_summed_over_the_dimensions_of_an_example(ddpm):
    x0 = normal(3, 2, 4, 4)
    q = Normal(ddpm.alpha_bar[-1].sqrt() * x0, (1 - ddpm.alpha_bar[-1]).sqrt())
    close(l_T(ddpm, x0), kl_divergence(q, Normal(0.0, 1.0)).sum((1, 2, 3)), rtol=1e-9)  # a difference of numbers near 1, about 1e-5


@pytest.mark.parametrize(("variance", "rule"), [("fixed-small", "beta_tilde"), ("fixed-large", "beta")])
def test_between_terms_are_the_weighted_error_on_eps(ddpm, variance, rule):
    """Ho et al. 2020, eq. 12: beta_t^2 / (2 sigma_t^2 alpha_t (1 - alpha_bar_t)) |eps - eps_hat|^2, and the KL of the variances."""
    t = torch.tensor([2, 3, 50, 500, 1000])
    x0, eps, eps_hat = normal(5, 3), normal(5, 3, seed=1), normal(5, 3, seed=2)
    got = vlb_term(Denoiser(ddpm, lambda x, t: eps_hat, "eps", variance), discretised_decoder(256), x0, t, eps)
    sigma2, ratio = getattr(ddpm, rule)[t], ddpm.beta_tilde[t] / getattr(ddpm, rule)[t]
    weight = ddpm.beta[t] ** 2 / (2 * sigma2 * ddpm.alpha[t] * (1 - ddpm.alpha_bar[t]))
    close(got, weight * (eps - eps_hat).square().sum(1) + 3 / 2 * (ratio - 1 - ratio.log()), rtol=1e-10)


def test_each_example_of_a_batch_has_the_term_of_its_own_time(ddpm):
    denoiser = Denoiser(ddpm, lambda x, t: torch.sin(x + t.view(-1, 1)), "eps", "fixed-large", clip=True)
    x0, t, eps = normal(4, 3).tanh(), torch.tensor([1, 2, 700, 1]), normal(4, 3, seed=1)
    together = vlb_term(denoiser, discretised_decoder(256), x0, t, eps)
    for k in range(4):
        alone = vlb_term(denoiser, discretised_decoder(256), x0[k : k + 1], t[k : k + 1], eps[k : k + 1])
        close(together[k : k + 1], alone, rtol=1e-14)


def test_the_bound_as_a_loss_is_bits_per_dim_without_a_factor_T(ddpm):
    denoiser = Denoiser(ddpm, lambda x, t: 0.9 * x, "eps", "fixed-small")
    x0, t, eps = normal(3, 2), torch.tensor([1, 400, 1000]), normal(3, 2, seed=1)
    nats = vlb_term(denoiser, edge_decoder(ddpm), x0, t, eps)
    close(losses.bound(denoiser, edge_decoder(ddpm), x0, t, eps), nats.mean() / (2 * math.log(2)))


# In float32, as in training. A preset's T is at least 2.
@pytest.mark.parametrize("variance", ["fixed-small", "fixed-large", "learned"])
@pytest.mark.parametrize("log_mass", [log_mass_exact, log_mass_tanh])
@pytest.mark.parametrize("T", [2, 1000])
def test_the_bounds_gradient_is_finite_at_every_t(T, log_mass, variance):
    parameter = torch.zeros((), requires_grad=True)
    channels = 2 if variance == "learned" else 1
    denoiser = Denoiser(GaussianProcess(schedules.linear(T)), lambda x, t: torch.cat([x * 0 + parameter] * channels, 1), "eps", variance)
    x0 = torch.tensor([-1.0, -1 / 255, 1.0]).repeat(T, 1)
    eps = torch.randn(T, 3, generator=torch.Generator().manual_seed(0))
    terms = vlb_term(denoiser, discretised_decoder(256, log_mass), x0, torch.arange(1, T + 1), eps)
    terms.sum().backward()
    assert torch.isfinite(terms).all()
    assert torch.isfinite(parameter.grad)


# --- the whole bound ---


def exact_denoiser(process, m, s, predicts):
    """The true reverse process of data N(m, s^2): E[x_{t-1} | x_t] and Var[x_{t-1} | x_t], through the learned variance."""
    bar = process.alpha_bar
    v = bar * s**2 + 1 - bar  # the variance of x_t
    variance = torch.cat([torch.full((1,), 0.5, dtype=torch.float64), process.beta[1:] * v[:-1] / v[1:]])
    z = torch.logit(variance) - torch.logit(process.beta)

    def network(x, t_minus_1):
        t = t_minus_1 + 1
        centred = x - at(bar.sqrt(), t, x) * m
        x0 = m + at(bar.sqrt() * s**2 / v, t, x) * centred
        before = at(bar.roll(1).sqrt(), t, x) * m + at((1 - process.beta).sqrt() * v.roll(1) / v, t, x) * centred
        residual = (before - at((1 - process.beta).sqrt(), t, x) * x) / at(process.beta.sqrt(), t, x)
        output = {"x0": x0, "mu": before, "residual": residual}[predicts]
        return torch.cat([output, at(z, t, x).expand_as(x)], 1)

    return Denoiser(process, network, predicts, "learned")


def gaussian_decoder(x0, x_1, prediction):
    return Normal(prediction.mean, prediction.variance.sqrt()).log_prob(x0)


@pytest.mark.parametrize("predicts", ["x0", "mu", "residual"])
@pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (0.7, 0.3), (-2.0, 1.5)])
@pytest.mark.parametrize(
    "beta",
    [
        schedules.linear(2, 0.5, 0.5),
        schedules.linear(10, 0.02, 0.4),
        schedules.linear(1000),
        schedules.harmonic(40, 1e-3, 0.5),
        schedules.log_spaced(10, 1e-2, 10.0),
    ],
    ids=["T2", "linear10", "linear1000", "harmonic40", "log-spaced10"],
)
def test_the_bound_of_the_exact_reverse_process_is_the_entropy_and_the_kl_at_T(beta, m, s, predicts):
    """-E log p(x_0) <= H(data) + KL(q(x_T) || N(0, 1)), with equality in the bound where p is the true reverse process.

    Every term is a polynomial of degree 2 in (x_0, eps), so the quadrature is exact and only roundings are left.
    """
    process, (nodes, weights) = GaussianProcess(beta), quadrature()
    x0, eps = (grid.flatten() for grid in torch.meshgrid(m + s * nodes, nodes, indexing="ij"))
    weight = torch.outer(weights, weights).flatten()
    t = torch.arange(1, process.T + 1).repeat_interleave(len(x0))
    repeat = lambda x: x.repeat(process.T)[:, None]  # noqa: E731
    terms = vlb_term(exact_denoiser(process, m, s, predicts), gaussian_decoder, repeat(x0), t, repeat(eps))
    bound = (terms.view(process.T, -1) @ weight).sum() + l_T(process, x0[:, None]) @ weight
    bar = process.alpha_bar[-1]
    end = Normal(bar.sqrt() * m, (bar * s**2 + 1 - bar).sqrt())
    entropy = 0.5 * math.log(2 * math.pi * math.e * s**2)
    close(bound, entropy + kl_divergence(end, Normal(0.0, 1.0)), atol=1e-9)  # a thousand terms that each cancel to 1e-12


@pytest.mark.parametrize("beta", [schedules.linear(1000), schedules.harmonic(40, 1e-3, 0.9)], ids=["linear", "harmonic"])
@pytest.mark.parametrize("D", [1, 2])
def test_minus_the_bound_is_K_of_the_2015_paper_where_the_mean_square_is_1(beta, D):
    """K = -sum_{t=2..T} KL + H_q(X^T | X^0) - H_q(X^1 | X^0) - H_p(X^T) (its eq. 14), with p(x_0 | x_1) the forward kernel."""
    process, (nodes, weights) = GaussianProcess(beta), quadrature()
    T, bar = process.T, process.alpha_bar
    x0 = torch.tensor([[0.6, -math.sqrt(1.64)], [-1.0, 1.0]], dtype=torch.float64)[:, :D]
    x0 = x0 * math.sqrt(D) / x0.square().sum(1, keepdim=True).sqrt()
    eps = torch.cartesian_prod(*[nodes] * D).view(-1, D)
    weight = torch.cartesian_prod(*[weights] * D).view(-1, D).prod(1) / 2
    x0, eps, weight = x0.repeat_interleave(len(eps), 0), eps.repeat(2, 1), weight.repeat(2)

    def network(x, t):
        return torch.cat([torch.sin(3 * x) + t.view(-1, 1) / T, torch.cos(x)], 1)

    denoiser = Denoiser(process, network, "residual", "learned")
    t = torch.arange(1, T + 1).repeat_interleave(len(x0))
    terms = vlb_term(denoiser, edge_decoder(process), x0.repeat(T, 1), t, eps.repeat(T, 1)).view(T, -1) @ weight

    kl = torch.zeros((), dtype=torch.float64)
    for k in range(2, T + 1):
        x = bar[k].sqrt() * x0 + (1 - bar[k]).sqrt() * eps
        mean_q = (bar[k - 1].sqrt() * process.beta[k] * x0 + (1 - process.beta[k]).sqrt() * (1 - bar[k - 1]) * x) / (1 - bar[k])
        sd_q = (process.beta[k] * (1 - bar[k - 1]) / (1 - bar[k])).sqrt()
        out, z = network(x, torch.full((len(x),), k - 1)).chunk(2, 1)
        p = Normal((1 - process.beta[k]).sqrt() * x + process.beta[k].sqrt() * out, torch.sigmoid(z + torch.logit(process.beta[k])).sqrt())
        kl += kl_divergence(Normal(mean_q, sd_q), p).sum(1) @ weight
    entropy = lambda variance: D / 2 * math.log(2 * math.pi * math.e * variance)  # noqa: E731
    K = -kl + entropy(1 - bar[T]) - entropy(process.beta[1]) - entropy(1)
    close(l_T(process, x0) @ weight + terms.sum(), -K, rtol=1e-12)


# --- decoders ---


@given(
    levels=st.sampled_from([17, 256]),
    mean=st.floats(-3, 3),
    log_variance=st.floats(-12, 3),
    log_mass=st.sampled_from([log_mass_exact, log_mass_tanh]),
)
def test_the_discretised_decoder_sums_to_1_over_the_grey_levels(levels, mean, log_variance, log_mass):
    x0 = torch.linspace(-1, 1, levels, dtype=torch.float64)
    mean, variance = torch.tensor(mean, dtype=torch.float64), torch.tensor(log_variance, dtype=torch.float64).exp()
    total = discretised_decoder(levels, log_mass)(x0, x0, Prediction(mean, mean, mean, variance)).exp().sum()
    # The tanh form lifts every empty bin to 1e-12.
    assert total.item() == pytest.approx(1, rel=0, abs=1e-12 + (levels * 1e-12 if log_mass is log_mass_tanh else 0))


@pytest.mark.parametrize("levels", [17, 256])
def test_a_bin_reaches_half_a_level_to_each_side(levels):
    """The published bins are x +- 1/255 for 256 levels."""
    x0, half = torch.linspace(-1, 1, levels, dtype=torch.float64)[1:-1], 1 / (levels - 1)
    p = Normal(torch.tensor(0.1, dtype=torch.float64), 0.2)
    got = discretised_decoder(levels)(x0, x0, Prediction(p.mean, p.mean, p.mean, p.variance))
    close(got.exp(), p.cdf(x0 + half) - p.cdf(x0 - half), rtol=0, atol=1e-15)


@pytest.mark.parametrize("centre", [-60.0, -8.0, -1.0, 0.0, 0.3, 5.0, 8.5, 60.0])
@pytest.mark.parametrize("width", [1e-2, 1.0, 20.0, math.inf])
def test_log_mass_is_exact_in_both_tails(centre, width):
    limits = [(centre - width / 2, centre + width / 2)] if width < math.inf else [(centre, math.inf), (-math.inf, centre)]
    for lower, upper in limits:
        with mpmath.workdps(900):  # 1 - Phi(60) is about 1e-784
            expected = float(mpmath.log(mpmath.ncdf(upper) - mpmath.ncdf(lower)))
        got = log_mass_exact(torch.tensor(lower, dtype=torch.float64), torch.tensor(upper, dtype=torch.float64))
        # log of a mass: an absolute error is a relative one of the mass. Bins 0.01 wide lose two digits to the difference.
        assert got.item() == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_log_mass_of_the_whole_line_is_0():
    assert log_mass_exact(torch.tensor(-math.inf), torch.tensor(math.inf)) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exact_decoders_gradients_are_finite_far_from_the_data(dtype):
    """A mean that is wrong by the whole range at the smallest variance of the published chain: 270 standard deviations."""
    x0 = torch.linspace(-1, 1, 256, dtype=dtype)
    mean = torch.tensor([[-1.0], [0.0], [1.0]], dtype=dtype, requires_grad=True)
    log_variance = torch.tensor(math.log(5.453e-5), dtype=dtype, requires_grad=True)
    variance = log_variance.exp()
    log_p = discretised_decoder(256)(x0, x0, Prediction(mean, mean, mean, variance))
    log_p.sum().backward()
    assert torch.isfinite(log_p).all()
    assert torch.isfinite(mean.grad).all() and torch.isfinite(log_variance.grad)


def test_the_tanh_form_is_at_most_1_79e_4_from_the_normal_distribution_function():
    x = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    assert (cdf_tanh(x) - torch.special.ndtr(x)).abs().max().item() == pytest.approx(1.79e-4, rel=0, abs=5e-7)


@pytest.mark.parametrize(("wrong_by", "difference"), [(0, 0.009), (1, 0.009), (2, 0.009), (3, 0.06)])
def test_the_tanh_decoder_is_near_the_exact_one_where_the_mean_is_near(wrong_by, difference):
    """The largest difference in bits at the published decoder's variance, by how many grey levels the mean is wrong; closed bins."""
    x0 = torch.linspace(-1, 1, 256, dtype=torch.float64)
    mean, variance = x0 + wrong_by * 2 / 255, torch.tensor(5.453187661e-05, dtype=torch.float64)
    prediction = Prediction(mean, mean, mean, variance)
    exact, tanh = (discretised_decoder(256, form)(x0, x0, prediction) / math.log(2) for form in (log_mass_exact, log_mass_tanh))
    assert (exact - tanh)[1:-1].abs().max() <= difference


def test_the_tanh_decoder_gives_no_value_more_than_39_86_bits():
    zero = torch.zeros(1, dtype=torch.float64)
    far = Prediction(zero, zero, zero + 0.5, zero + 5.453e-5)
    assert -discretised_decoder(256, log_mass_tanh)(zero, zero, far).item() / math.log(2) == pytest.approx(39.86, rel=0, abs=0.005)
    assert -discretised_decoder(256)(zero, zero, far).item() / math.log(2) > 1000


def test_the_edge_decoder_is_the_forward_kernel_whatever_the_network_says(ddpm):
    x0, x_1 = normal(5, 3), normal(5, 3, seed=1)
    expected = Normal((1 - ddpm.beta[1]).sqrt() * x_1, ddpm.beta[1].sqrt()).log_prob(x0)
    close(edge_decoder(ddpm)(x0, x_1, Prediction(x0, x0, x0, x0)), expected, rtol=1e-11)


def test_log_prior_is_that_of_the_unit_gaussian_summed_over_dimensions():
    x0 = normal(4, 3, 2)
    close(log_prior(x0), Normal(0.0, 1.0).log_prob(x0).sum((1, 2)))


# --- its estimate on data ---


@pytest.fixture(scope="module")
def short_chain():
    """T = 12, and a denoiser that always says 0.3: its L_{t-1} depend on x_0 alone, so they are known without a draw."""
    process = GaussianProcess(schedules.linear(12, 1e-3, 0.3))
    return Denoiser(process, lambda x, t: torch.full_like(x, 0.3), "x0", "fixed-large")


def between(denoiser, x0):
    """The L_{t-1} of the denoiser above, shape (T - 1, N)."""
    process = denoiser.process
    return torch.stack(
        [
            kl_divergence(
                Normal(process.posterior_on_x0[t] * x0, process.beta_tilde[t].sqrt()),
                Normal(process.posterior_on_x0[t] * torch.full_like(x0, 0.3), process.beta[t].sqrt()),
            ).sum(1)
            for t in range(2, process.T + 1)
        ]
    )


def test_the_estimate_with_a_stratum_for_each_t_is_the_full_sum(short_chain):
    x0 = normal(7, 3)
    got = variational_bound(short_chain, {"edge": edge_decoder(short_chain.process)}, x0, strata=11, seed=0)["edge"]
    close(got.between, between(short_chain, x0).sum(0), rtol=1e-10)
    close(got.l_T, l_T(short_chain.process, x0))


@pytest.mark.parametrize("T", [2, 3, 12, 2000])
def test_a_stratum_for_each_t_sums_every_term_once(T):
    """Of terms without noise it is then the sum itself, for each example."""
    terms, n = torch.arange(T + 1, dtype=torch.float64).square() + 1, 3
    got = stratified(lambda t: terms[t].numpy(), T, n, T - 1, torch.Generator().manual_seed(0))
    close(got, terms[2:].sum().expand(n), rtol=1e-12)


@pytest.mark.parametrize(("T", "strata"), [(2, 1), (12, 1), (12, 4), (12, 11), (1000, 60), (2000, 200)])
def test_strata_cover_2_to_T_without_gap_or_overlap(T, strata):
    """Terms that are all 1 add up to their number, whichever times are drawn; and over many examples every time is drawn, none outside."""
    seen = []
    ones = stratified(lambda t: seen.append(t) or np.ones(len(t)), T, 5 * T, strata, torch.Generator().manual_seed(0))
    assert np.array_equal(ones, np.full(5 * T, T - 1.0))
    assert len(seen) == strata
    edges = sorted((int(t.min()), int(t.max())) for t in seen)
    assert edges[0][0] == 2 and edges[-1][1] == T
    assert all(low > before for (_, before), (low, _) in pairwise(edges))


@pytest.mark.parametrize("strata", [1, 3, 5])
def test_the_binomial_estimate_is_unbiased_and_whole_with_a_stratum_for_each_t(strata):
    """Against every term averaged over draws of x_t; within 4 standard errors."""
    process = BinomialProcess(schedules.harmonic(6), 0.3)
    denoiser = BinomialDenoiser(process, lambda x, t: 0.5 * x - 0.2 * t[:, None], "x0")
    x0, n = torch.tensor([[0.0, 1.0, 1.0]]), 20_000
    got = binomial_bound(denoiser, x0.expand(n, 3), strata, seed=0)
    u = torch.rand((n, 3), generator=torch.Generator().manual_seed(1))
    exact = {t: binomial.vlb_term(denoiser, x0.expand(n, 3), torch.full((n,), t), u).double() for t in range(1, 7)}
    for part, times in ((got.between, range(2, 7)), (got.l_0, [1])):
        draws = sum(exact[t] for t in times)
        error = math.sqrt((part.var() + draws.var().item()) / n)
        assert abs(part.mean() - draws.mean().item()) < 4 * error
    close(got.l_T, binomial.l_T(process, x0.expand(n, 3)))


@pytest.mark.parametrize("strata", [1, 3, 4])
def test_the_stratified_estimate_is_unbiased(short_chain, strata):
    """Mean over 20,000 draws of the times of one example, within 4 standard errors; 11 terms do not divide by 3 or 4."""
    x0 = normal(1, 3).expand(20_000, 3)
    got = variational_bound(short_chain, {"edge": edge_decoder(short_chain.process)}, x0, strata, seed=0)["edge"].between
    exact = between(short_chain, x0[:1]).sum().item()
    assert got.std() > 0.05 * exact
    assert abs(got.mean() - exact) < 4 * got.std() / math.sqrt(len(got))


def test_l_0_is_the_decoder_at_a_fresh_x_1(short_chain):
    """With the edge: E[-log p(x_0 | x_1)] = (beta_1 x_0^2 + 1 - beta_1 + log(2 pi beta_1)) / 2 a dimension, within 4 standard errors."""
    x0, beta = normal(1, 3).expand(20_000, 3), short_chain.process.beta[1]
    got = variational_bound(short_chain, {"edge": edge_decoder(short_chain.process)}, x0, 1, seed=0)["edge"].l_0
    exact = 0.5 * (beta * x0[0] ** 2 + 1 - beta + torch.log(2 * math.pi * beta)).sum().item()
    assert abs(got.mean() - exact) < 4 * got.std() / math.sqrt(len(got))


def test_every_decoder_is_measured_on_the_same_draws(short_chain):
    x0 = normal(50, 3).tanh()
    exact, tanh = discretised_decoder(256), discretised_decoder(256, log_mass_tanh)
    both = variational_bound(short_chain, {"exact": exact, "tanh": tanh, "again": exact}, x0, 3, seed=1)
    alone = variational_bound(short_chain, {"tanh": tanh}, x0, 3, seed=1)["tanh"]
    for part in ("l_T", "between", "l_0"):
        assert np.array_equal(getattr(both["again"], part), getattr(both["exact"], part))
        assert np.array_equal(getattr(both["tanh"], part), getattr(alone, part))
    assert not np.array_equal(both["tanh"].l_0, both["exact"].l_0)


def test_the_estimate_is_the_same_for_a_seed_and_another_for_another(short_chain):
    x0, decoders = normal(5, 3), {"edge": edge_decoder(short_chain.process)}
    first, same, other = (variational_bound(short_chain, decoders, x0, 3, seed)["edge"].between for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_bits_are_the_mean_of_the_sum_and_its_standard_error():
    bound = Bound(l_T=np.array([1.0, 1.0]), between=np.array([2.0, 4.0]), l_0=np.array([3.0, 5.0]))
    mean, error = mean_and_error(bound.bits() / 4)
    assert mean == pytest.approx(8 / (4 * math.log(2)))
    assert error == pytest.approx(2 / (4 * math.log(2)))  # the entries are 6 and 10: sd sqrt(8), by sqrt(2)
