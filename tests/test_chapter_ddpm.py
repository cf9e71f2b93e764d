"""The derivation of Ho et al. 2020 as docs/papers/ddpm tells it: identities that no other test holds, and the chapters' worked numbers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from rediffuse.papers.ddpm.coding import weights
from rediffuse.papers.ddpm.latents import interpolate
from rediffuse.processes import losses, schedules
from rediffuse.processes.bounds import bits_per_dim, discretised_decoder, l_T, log_mass_exact, log_mass_tanh, vlb_term
from rediffuse.processes.denoiser import Denoiser, Prediction
from rediffuse.processes.entropy import gaussian_bounds
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ancestral

ONE_STEP = GaussianProcess(torch.tensor([0.0, 0.2, 0.25], dtype=torch.float64))
"""The worked step of the chapters: alpha_bar is 0.8, then 0.6."""


def number(x: float) -> Tensor:
    return torch.tensor([[x]], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a: object, b: object, rtol: float = 1e-10, atol: float = 0.0) -> None:
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


def hermite(n: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights of E f(z), z standard normal: exact for polynomials of degree 2 n - 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())


# --- forward process and posterior ---


@pytest.mark.parametrize("t", [2, 3, 50, 500, 1000])
def test_the_posterior_is_the_joint_normal_distribution_conditioned(ddpm: GaussianProcess, t: int) -> None:
    """Eq. 6 and 7 by another way than Bayes: x_{t-1} and x_t are jointly normal given x_0, and a normal vector is conditioned by
    regression, mean + (cov / var) (x_t - its mean), var - cov^2 / var."""
    x0, x_t, alpha = normal(4, 3), normal(4, 3, seed=1), 1 - ddpm.beta[t]
    before, now = ddpm.alpha_bar[t - 1], ddpm.alpha_bar[t]
    covariance = alpha.sqrt() * (1 - before)
    mean = before.sqrt() * x0 + covariance / (1 - now) * (x_t - now.sqrt() * x0)
    close(ddpm.posterior_mean(x0, x_t, t), mean, rtol=1e-9, atol=1e-11)
    close(ddpm.beta_tilde[t], (1 - before) - covariance**2 / (1 - now), rtol=1e-8)


def test_the_worked_step() -> None:
    """alpha_bar 0.8, then 0.6; x_0 = 1, x_t = 0.2."""
    p = ONE_STEP
    close([p.alpha_bar[1], p.alpha_bar[2], p.beta_tilde[2]], [0.8, 0.6, 0.125])
    close([p.posterior_on_x0[2], p.posterior_on_x_t[2]], [0.559, 0.433], rtol=0, atol=5e-4)
    close(p.posterior_mean(number(1), number(0.2), 2), number(0.6456), rtol=0, atol=5e-5)
    eps = p.eps_from_x0(number(0.2), 2, number(1))
    close(eps, number(-0.9085), rtol=0, atol=5e-5)
    close((0.2 - 0.25 / math.sqrt(0.4) * eps) / math.sqrt(0.75), number(0.6456), rtol=0, atol=5e-5)
    close(weights(Denoiser(p, linear_network, "eps", "fixed-large"))[1], 0.4167, rtol=0, atol=5e-5)


@pytest.mark.parametrize("t", [1, 2, 50, 500, 1000])
def test_the_posterior_mean_in_eps_is_equation_10(ddpm: GaussianProcess, t: int) -> None:
    """Eq. 9 puts x_0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar) into eq. 7; what is left is eq. 10's mean."""
    x0, eps = normal(4, 3), normal(4, 3, seed=1)
    x_t = ddpm.q_sample(x0, t, eps)
    close(ddpm.x0_from_eps(x_t, t, eps), x0, rtol=1e-9, atol=1e-10)
    mean = (x_t - ddpm.beta[t] / (1 - ddpm.alpha_bar[t]).sqrt() * eps) / (1 - ddpm.beta[t]).sqrt()
    close(ddpm.posterior_mean(x0, x_t, t), mean, rtol=1e-9, atol=1e-11)


def test_float32_loses_digits_of_the_first_noise(ddpm: GaussianProcess) -> None:
    """1 - alpha_bar_1 is beta_1; by a schedule in float32 it is wrong in the fourth digit, while alpha_bar itself is not."""
    alpha_bar = torch.cumprod(1 - ddpm.beta.float(), 0)
    assert (1 - ddpm.alpha_bar[1]).item() == pytest.approx(1e-4, rel=1e-11)
    assert abs((1 - alpha_bar[1]).item() / 1e-4 - 1) == pytest.approx(1.7e-4, abs=0.1e-4)
    assert ((alpha_bar.double() / ddpm.alpha_bar) - 1).abs().max() < 7e-7


# --- the bound ---


def linear_network(x: Tensor, t: Tensor) -> Tensor:
    """An eps-hat that is linear in x, so that every term of the bound is a polynomial of degree 2."""
    return 0.6 * x + 0.1 * t.to(x.dtype).view(-1, 1)


@pytest.mark.parametrize("variance", ["fixed-small", "fixed-large"])
def test_equation_3_is_equation_5(variance: str) -> None:
    """-log of the model's joint density over the forward process's, averaged over whole chains step by step, is L_T + sum L_{t-1} + L_0.

    Both are integrated exactly. The first draws x_1, x_2, x_3 one from the other (eq. 2), the second each x_t from x_0 (eq. 4).
    """
    process = GaussianProcess(schedules.linear(3, 0.1, 0.4))
    denoiser = Denoiser(process, linear_network, "eps", variance)  # type: ignore[arg-type]
    nodes, shares = hermite(3)

    def log_density(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return Normal(mean, variance.sqrt().expand_as(mean)).log_prob(x).squeeze(1)

    def decoder(x0: Tensor, x_1: Tensor, prediction: Prediction) -> Tensor:
        return Normal(prediction.mean, prediction.variance.sqrt()).log_prob(x0)

    draws = torch.cartesian_prod(nodes, nodes, nodes, nodes)
    weight = torch.cartesian_prod(shares, shares, shares, shares).prod(1)
    x = 0.7 + 0.5 * draws[:, :1]  # data N(0.7, 0.5^2)
    x0, L = x, torch.zeros(len(draws), dtype=torch.float64)
    for t in (1, 2, 3):
        mean = (1 - process.beta[t]).sqrt() * x
        after = mean + process.beta[t].sqrt() * draws[:, t : t + 1]
        reverse = denoiser(after, t)
        L -= log_density(x, reverse.mean, reverse.variance) - log_density(after, mean, process.beta[t])
        x = after
    L -= log_density(x, torch.zeros_like(x), torch.ones((), dtype=torch.float64))

    x0, eps = (grid.reshape(-1, 1) for grid in torch.meshgrid(0.7 + 0.5 * nodes, nodes, indexing="ij"))
    terms = [vlb_term(denoiser, decoder, x0, torch.full((len(x0),), t), eps) for t in (1, 2, 3)]
    divergences = (sum(terms) + l_T(process, x0)) @ torch.outer(shares, shares).flatten()
    close(L @ weight, divergences, rtol=1e-12)


@pytest.mark.parametrize("t", [2, 50, 1000])
def test_terms_differ_by_the_error_of_the_mean_over_twice_the_variance(ddpm: GaussianProcess, t: int) -> None:
    """Eq. 8: L_{t-1} = |mu-tilde - mu|^2 / (2 sigma^2) + C. C depends on sigma and t alone: the network that is right has it."""
    x0, eps, times = normal(4, 3), normal(4, 3, seed=1), torch.full((4,), t)
    x_t = ddpm.q_sample(x0, times, eps)
    right, wrong = ddpm.posterior_mean(x0, x_t, t), normal(4, 3, seed=2)
    term, C = (
        vlb_term(Denoiser(ddpm, lambda x, t, mean=mean: mean, "mu", "fixed-large"), discretised_decoder(256), x0, times, eps)
        for mean in (wrong, right)
    )
    close(term - C, (right - wrong).square().sum(1) / (2 * ddpm.beta[t]), rtol=1e-7)
    ratio = ddpm.beta_tilde[t] / ddpm.beta[t]
    close(C, (3 / 2 * (ratio - 1 - ratio.log())).expand(4), rtol=1e-5, atol=1e-12)


def test_the_constant_of_equation_8_is_half_a_bit_a_dimension_for_fixed_large(ddpm: GaussianProcess) -> None:
    """What sigma^2 = beta costs on the published chain however good the network is; sigma^2 = beta-tilde has C = 0."""
    ratio = ddpm.beta_tilde[2:] / ddpm.beta[2:]
    nats = 0.5 * (ratio - 1 - ratio.log())
    assert bits_per_dim(nats.sum(), 1).item() == pytest.approx(0.486, abs=5e-4)
    assert bits_per_dim(nats[:9].sum(), 1).item() > 0.8 * 0.486, "nearly all of it at t = 2 .. 10"


@pytest.mark.parametrize(("s", "rule"), [(1.0, "fixed-large"), (0.0, "fixed-small")])
def test_the_two_variances_are_exact_for_noise_and_for_a_point(ddpm: GaussianProcess, s: float, rule: str) -> None:
    """Section 3.2. Data N(m, s^2): Var[x_{t-1} | x_t] = beta_t v_{t-1} / v_t with v_t = alpha_bar_t s^2 + 1 - alpha_bar_t."""
    v = ddpm.alpha_bar * s**2 + 1 - ddpm.alpha_bar
    exact = ddpm.beta[2:] * v[1:-1] / v[2:]
    close(Denoiser(ddpm, linear_network, "eps", rule).fixed_variance[2:], exact, rtol=1e-9)  # type: ignore[arg-type]
    lower, upper = gaussian_bounds(ddpm)
    close(0.5 * torch.log(2 * math.pi * math.e * exact), (upper if s else lower)[2:], rtol=1e-9)


def test_the_optimum_of_L_simple_says_minus_the_score(ddpm: GaussianProcess) -> None:
    """Data -1 or 1: the best eps-hat is E[eps | x_t] = -sqrt(1 - alpha_bar) d/dx log q(x_t). And no other eps-hat has a smaller error."""
    t, x = 500, torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None].requires_grad_()
    root, variance = ddpm.alpha_bar[t].sqrt(), 1 - ddpm.alpha_bar[t]

    def best(x_t: Tensor, _: Tensor | int) -> Tensor:
        return ddpm.eps_from_x0(x_t, t, torch.tanh(root * x_t / variance))

    log_q = torch.logsumexp(torch.stack([Normal(root * side, variance.sqrt()).log_prob(x) for side in (-1.0, 1.0)]), 0)
    (score,) = torch.autograd.grad(log_q.sum(), x)
    close(best(x.detach(), 0), -variance.sqrt() * score, rtol=1e-10, atol=1e-12)
    close([best(number(0.5), 0).item(), -best(number(0.5), 0).item() / variance.sqrt().item()], [0.4768, -0.4967], rtol=0, atol=5e-5)

    nodes, shares = hermite(60)
    x0, eps = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat_interleave(60)[:, None], nodes.repeat(2)[:, None]
    weight = (120 * shares.repeat(2) / 2)[:, None]

    def error(network: Callable[[Tensor, Tensor], Tensor]) -> float:
        """E |eps - eps-hat|^2: L_simple of the nodes, each scaled by the root of its weight."""
        weighted = Denoiser(ddpm, lambda x, _: eps - weight.sqrt() * (eps - network(x, _)), "eps", "fixed-small")
        return losses.simple(weighted, x0, torch.full((120,), t), eps).item()

    least = error(best)
    assert all(error(lambda x, t, k=k: best(x, t) + k * torch.sin(x)) > least for k in (-0.1, -0.01, 0.01, 0.1))


def test_a_step_of_algorithm_2_is_a_step_along_the_score(ddpm: GaussianProcess) -> None:
    """Its mean is (x_t + beta_t s(x_t)) / sqrt(alpha_t), with s = -eps / sqrt(1 - alpha_bar_t)."""
    x, t = normal(5, 3), 300
    denoiser = Denoiser(ddpm, lambda x, t: torch.sin(x), "eps", "fixed-large")
    score = -torch.sin(x) / (1 - ddpm.alpha_bar[t]).sqrt()
    close(denoiser(x, t).mean, (x + ddpm.beta[t] * score) / ddpm.alpha[t].sqrt(), rtol=1e-9, atol=1e-11)


# --- the decoder, in the chapters' numbers ---


@pytest.mark.parametrize(("wrong_by", "bits"), [(0, 1.31), (1, 2.05), (2, 4.28)])
def test_what_a_grey_level_costs_by_how_far_the_mean_is_off(ddpm: GaussianProcess, wrong_by: int, bits: float) -> None:
    x0, mean = number(0.0), number(wrong_by * 2 / 255)
    cost = -discretised_decoder(256)(x0, x0, Prediction(mean, mean, mean, ddpm.beta_tilde[2])) / math.log(2)
    close(cost, number(bits), rtol=0, atol=5e-3)


def residual(rms: float, variance: Tensor, log_mass: Callable[[Tensor, Tensor], Tensor] = log_mass_exact) -> float:
    """Bits a dimension that eq. 13 costs for 256 levels where x_0 less the mean is normal, of that root mean square in grey levels."""
    nodes, shares = hermite(200)
    x0 = torch.zeros(200, dtype=torch.float64)
    mean = rms * 2 / 255 * nodes
    return -(discretised_decoder(256, log_mass)(x0, x0, Prediction(mean, mean, mean, variance)) @ shares).item() / math.log(2)


def test_the_first_steps_variance_is_worth_a_tenth_of_a_bit(ddpm: GaussianProcess) -> None:
    """At the published RMSE of 0.95: beta-tilde_2 gives the published L_0 of 1.97 bits/dim, beta_1 would give 2.09."""
    assert residual(0.95, ddpm.beta_tilde[2]) == pytest.approx(1.97, abs=0.01)
    assert residual(0.95, ddpm.beta[1]) == pytest.approx(2.09, abs=0.01)
    best = min((residual(0.95, variance), variance.item()) for variance in torch.logspace(-5, -3, 200, dtype=torch.float64))
    assert residual(0.95, ddpm.beta_tilde[2]) - best[0] < 0.005, "beta-tilde_2 is nearly the best variance for it"


def test_the_tanh_form_changes_nothing_at_the_published_residual(ddpm: GaussianProcess) -> None:
    """On average; it matters where the mean is off by several levels."""
    variance = ddpm.beta_tilde[2]
    at = {rms: residual(rms, variance, log_mass_tanh) - residual(rms, variance) for rms in (0.95, 1.5)}
    assert abs(at[0.95]) < 1e-4
    assert at[1.5] == pytest.approx(0.016, abs=1e-3)


def test_17_levels_make_the_decoder_free(ddpm: GaussianProcess) -> None:
    """A bin of the digits reaches 8.5 standard deviations of the last step to each side."""
    assert 1 / 16 / ddpm.beta_tilde[2].sqrt().item() == pytest.approx(8.46, abs=0.005)
    x0 = number(0.0)
    assert -discretised_decoder(17)(x0, x0, Prediction(x0, x0, x0, ddpm.beta_tilde[2])).item() < 1e-15


# --- what the released code does otherwise ---


def test_clipping_changes_a_step_only_where_x0_hat_leaves_the_cube(ddpm: GaussianProcess) -> None:
    """Algorithm 2 is the released sampler without its clip; with it, the error that x0-hat can do to a step is bounded."""
    x, times = 3 * normal(50, 3), (10, 300, 1000)
    for t in times:
        free, clipped = (Denoiser(ddpm, lambda x, t: 0.5 * x, "eps", "fixed-large", clip)(x, t) for clip in (False, True))
        inside = free.x0.abs() <= 1
        assert inside.any() or t == 1000
        close(free.mean[inside], clipped.mean[inside], rtol=1e-9, atol=1e-11)
        assert ((free.mean - clipped.mean).abs() > 1e-6)[~inside & (free.x0.abs() > 1.1)].all()
    # eps-hat wrong by 1 % is x0-hat wrong by 1.57 at t = T: nothing that a picture could be.
    close(0.01 * ((1 - ddpm.alpha_bar[1000]) / ddpm.alpha_bar[1000]).sqrt(), 1.574, rtol=0, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_one_noise_for_both_ends_leaves_a_mixture_the_noise_of_its_time(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """The mixture of x_t and x'_t that share eps is what q makes of the mixed x_0. Two independent noises would leave it
    (1 - lambda)^2 + lambda^2 of the variance: one half in the middle."""
    process, t = GaussianProcess(schedules.linear(20, 0.01, 0.3)), 12
    started: list[Tensor] = []
    monkeypatch.setattr(ancestral, "sample", lambda denoiser, x_T, noise, start: started.append(x_T) or x_T)
    a, b = torch.full((1, 100, 100), -1.0), torch.full((1, 100, 100), 0.5)
    interpolate(Denoiser(process, linear_network, "eps", "fixed-small"), a, b, t, [share], seed=0)
    noise = started[0] - process.alpha_bar[t].sqrt().float() * ((1 - share) * a + share * b)
    assert noise.var().item() == pytest.approx(1 - process.alpha_bar[t].item(), rel=0.05)  # 10,000 draws: 3.5 standard errors
    assert noise.mean().item() == pytest.approx(0, abs=0.04)
