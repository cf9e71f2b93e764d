"""Song et al. 2020 step by step, as docs/papers/ddim/derivation.md tells it: the family of processes, Theorem 1, and the equation of
section 4.3 where its answer is known. The chapter's worked numbers are held here.

Of one known x_0, or of Gaussian data, a chain is affine in the numbers that it draws: a mean is the chain without noise, a variance the
sum of the squared responses to each number.
"""

import math
from itertools import pairwise

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from rediffuse.processes import schedules
from rediffuse.processes.bounds import discretised_decoder, vlb_term
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ddim, solvers, steps
from rediffuse.samplers.slerp import slerp

T = 1000
PROCESS = GaussianProcess(schedules.linear(T))
BAR = PROCESS.alpha_bar
SIGMA = ((1 - BAR) / BAR).sqrt()
"""The noise-to-signal ratio sigma(t) of eq. 14, which is not the sigma_t of eq. 7."""
ETAS = [0.0, 0.2, 0.5, 1.0]
WORKED = GaussianProcess(torch.tensor([0, 0.36, 1 - 0.36 / 0.64], dtype=torch.float64))
"""The chapter's two steps: alpha_bar is 1, 0.64, 0.36."""


def one(value):
    return torch.tensor([[value]], dtype=torch.float64)


def known(x0, process=PROCESS):
    """A network that knows x_0."""
    return Denoiser(process, lambda x, t: torch.full_like(x, x0), "x0", "fixed-small")


def gaussian(c, m=0.0, time=lambda t: t):
    """The exact eps of x_0 ~ N(m, c^2): E[eps | x_t], if it is asked at the right time."""

    def network(x, t_minus_1):
        bar = BAR[time(t_minus_1 + 1)].view(-1, 1)
        return (1 - bar).sqrt() * (x - bar.sqrt() * m) / (bar * c**2 + 1 - bar)

    return Denoiser(PROCESS, network, "eps", "fixed-small")


def laws(denoiser, tau, eta, mean, deviation):
    """(s, mean, variance) of x_s after every step of a chain that begins at x_T ~ N(mean, deviation^2)."""
    numbers = len(tau)
    columns = iter(torch.cat([torch.zeros(1, numbers), torch.eye(numbers)]).double().T[..., None])
    seen = []
    ddim.sample(denoiser, mean + deviation * next(columns), tau, eta, columns.__next__, seen.append)
    return [(step.s, step.x[0].item(), (step.x[1:] - step.x[0]).square().sum().item()) for step in seen]


def deviation(c, S, eta, make=steps.linear):
    """Of samples where the data are N(0, c^2) and the network is exact."""
    _, _, variance = laws(gaussian(c), make(T, S), eta, 0.0, 1.0)[-1]
    return math.sqrt(variance)


# --- the family of section 3.1 ---


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize(("t", "s"), [(2, 1), (500, 499), (700, 200), (1000, 900)])
def test_a_step_at_a_known_x0_is_a_draw_from_equation_7(t, s, eta):
    x0, x_t, a_t, a_s = 0.7, -0.4, BAR[t].item(), BAR[s].item()
    sigma = eta * math.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))
    mean = math.sqrt(a_s) * x0 + math.sqrt(1 - a_s - sigma**2) * (x_t - math.sqrt(a_t) * x0) / math.sqrt(1 - a_t)
    (_, got, variance), _ = laws(known(x0), [s, t], eta, torch.full((1,), x_t, dtype=torch.float64), 0.0)
    assert got == pytest.approx(mean, rel=1e-10)
    assert variance == pytest.approx(sigma**2, rel=1e-10)


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize("tau", [steps.linear(T, 10), steps.quadratic(T, 30), [3, 400, 1000]])
def test_every_member_of_the_family_has_the_marginals_of_the_chain(tau, eta):
    """Lemma 1 of appendix B: x_s given x_0 is N(sqrt(alpha_s) x_0, 1 - alpha_s) for every sigma and every sub-sequence."""
    x0 = 0.7
    for s, mean, variance in laws(known(x0), tau, eta, BAR[T].sqrt() * x0, (1 - BAR[T]).sqrt()):
        assert mean == pytest.approx(BAR[s].sqrt().item() * x0, rel=1e-10)
        assert variance == pytest.approx(1 - BAR[s].item(), rel=1e-10)


def test_the_worked_step_of_the_chapter():
    """From alpha 0.36 to 0.64, x_0 = 1 and eps = -0.5: (the mean of x_s, sigma_t, the deviation of x_s given x_0)."""
    x_t = WORKED.q_sample(one(1.0), 2, one(-0.5))
    assert x_t.item() == pytest.approx(0.2)
    told = {0.0: (0.5, 0.0, 0.6), 0.5: (0.5268, 0.2480, 0.6), 1.0: (0.6312, 0.4961, 0.6), "sigma-hat": (0.6312, 0.6614, 0.7426)}
    for eta, (mean, sigma, spread) in told.items():
        (_, got, variance), _ = laws(known(1.0, WORKED), [1, 2], eta, x_t[0], 0.0)
        (_, _, whole), _ = laws(known(1.0, WORKED), [1, 2], eta, torch.tensor([0.6]).double(), 0.8)
        assert [got, math.sqrt(variance), math.sqrt(whole)] == pytest.approx([mean, sigma, spread], abs=6e-5)


@pytest.mark.parametrize(("S", "last"), [(10, 2.93), (20, 3.10), (50, 2.90), (100, 2.62), (1000, 1.85)])
def test_sigma_hat_has_more_noise_than_its_network_was_trained_on(S, last):
    """The variance of x_s given x_0, over 1 - alpha_s: above 1 and rising, to this at the last step's start."""
    chain = laws(known(0.7), steps.linear(T, S), "sigma-hat", BAR[T].sqrt() * 0.7, (1 - BAR[T]).sqrt())
    excess = [variance / (1 - BAR[s].item()) for s, _, variance in chain[:-1]]
    assert all(1 < a < b for a, b in pairwise(excess))
    assert excess[-1] == pytest.approx(last, abs=0.006)


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize(("t", "s"), [(2, 1), (500, 499), (700, 200)])
def test_the_forward_process_is_markov_at_eta_1_alone(t, s, eta):
    """Eq. 8 by conditioning of the joint Gaussian of (x_s, x_t) given x_0: what x_0 still adds to the mean of x_t once x_s is known."""
    a_t, a_s = BAR[t], BAR[s]
    sigma, _ = ddim.noise_scales(BAR, t, s, eta)
    covariance = (1 - a_s - sigma**2).sqrt() * (1 - a_t).sqrt()
    slope = covariance / (1 - a_s)
    on_x0, variance = a_t.sqrt() - slope * a_s.sqrt(), 1 - a_t - slope * covariance
    assert (abs(on_x0.item()) < 1e-9) == (eta == 1)
    if eta == 1:
        assert slope.item() == pytest.approx((a_t / a_s).sqrt().item(), rel=1e-9)  # eq. 3
        assert variance.item() == pytest.approx(1 - (a_t / a_s).item(), rel=1e-9)
    if eta == 0:
        assert variance.item() == pytest.approx(0, abs=1e-12)  # x_t is a function of x_s and x_0


# --- Theorem 1 ---


def weight(process, t, s, eta):
    """gamma_t: what the divergence of eq. 7 at x_0 from eq. 7 at x0-hat is in units of |eps - eps_hat|^2."""
    a_t, a_s = process.alpha_bar[t], process.alpha_bar[s]
    sigma, _ = ddim.noise_scales(process.alpha_bar, t, s, eta)
    return (((a_s * (1 - a_t) / a_t).sqrt() - (1 - a_s - sigma**2).sqrt()) ** 2 / (2 * sigma**2)).item()


@pytest.mark.parametrize("eta", [0.2, 0.5, 1.0])
@pytest.mark.parametrize(("t", "s"), [(2, 1), (500, 499), (700, 200)])
def test_a_term_of_J_is_gamma_times_the_error_of_eps(t, s, eta):
    """Eq. 11: with the sampler's own means, and torch's divergence."""
    x_t = PROCESS.q_sample(one(0.7), t, one(0.3))
    kernels = []
    for x0 in (0.7, PROCESS.x0_from_eps(x_t, t, one(-0.6)).item()):
        (_, mean, variance), _ = laws(known(x0), [s, t], eta, x_t[0], 0.0)
        kernels.append(Normal(one(mean), one(variance).sqrt()))
    assert kl_divergence(*kernels).item() == pytest.approx(weight(PROCESS, t, s, eta) * 0.9**2, rel=1e-7)


@pytest.mark.parametrize("t", [2, 3, 50, 500, 1000])
def test_J_at_eta_1_is_the_bound_of_ddpm(t):
    x0, eps, eps_hat = one(0.7), one(0.3), one(-0.6)
    denoiser = Denoiser(PROCESS, lambda x, _: eps_hat, "eps", "fixed-small")
    term = vlb_term(denoiser, discretised_decoder(256), x0, torch.tensor([t]), eps)
    assert term.item() == pytest.approx(weight(PROCESS, t, t - 1, 1.0) * 0.9**2, rel=1e-7)


def test_the_worked_weights_grow_without_bound_as_eta_falls():
    assert [weight(WORKED, 2, 1, eta) for eta in (1.0, 0.5, 0.1)] == pytest.approx([1.080, 2.200, 44.64], rel=5e-4)


# --- the equation of section 4.3, where its answer is known ---


@pytest.mark.parametrize("S", [1, 2, 10, 100])
def test_the_deviation_of_samples_on_a_gaussian_is_a_product_over_steps(S):
    """Data N(0, c^2): Euler's step in sigma multiplies x / sqrt(alpha) by (c^2 + sigma_s sigma_t) / (c^2 + sigma_t^2), that in sigma^2
    (eq. 15) by (c^2 + (sigma_s^2 + sigma_t^2) / 2) / (c^2 + sigma_t^2), and the exact flow by the root of (c^2 + sigma_s^2) / (c^2 +
    sigma_t^2)."""
    c, tau = 0.5, steps.linear(T, S)
    pairs = [(SIGMA[t], SIGMA[s]) for t, s in pairwise([*reversed(tau), 0])]
    euler = math.prod(((c**2 + b * a) / (c**2 + a**2)).item() for a, b in pairs) / BAR[T].sqrt().item()
    flow = math.prod(((c**2 + (a**2 + b**2) / 2) / (c**2 + a**2)).item() for a, b in pairs) / BAR[T].sqrt().item()
    assert ddim.sample(gaussian(c), one(1.0), tau, 0.0, None).item() == pytest.approx(euler, rel=1e-9)
    assert solvers.probability_flow(gaussian(c), one(1.0), tau).item() == pytest.approx(flow, rel=1e-9)


TOLD = {
    1: (0.0016, 0.0016, 0.0016, 78.7),
    2: (0.0715, 0.0715, 0.0745, 40.2),
    5: (0.2625, 0.2483, 0.3599, 9.286),
    10: (0.3700, 0.3335, 0.4939, 2.885),
    20: (0.4314, 0.3915, 0.5168, 1.272),
    50: (0.4714, 0.4441, 0.5117, 0.7320),
    100: (0.4854, 0.4682, 0.5067, 0.6053),
    1000: (0.4985, 0.4961, 0.5008, 0.5097),
}
"""The chapter's table: data N(0, 0.5^2), tau linear, the deviation of samples at eta 0, at eta 1, by sigma-hat, by eq. 15."""


@pytest.mark.parametrize("S", TOLD)
def test_the_table_of_deviations_of_the_chapter(S):
    got = [deviation(0.5, S, eta) for eta in (0.0, 1.0, "sigma-hat")]
    got.append(solvers.probability_flow(gaussian(0.5), one(1.0), steps.linear(T, S)).item())
    assert got == pytest.approx(TOLD[S], rel=5e-4, abs=6e-5)


@pytest.mark.parametrize(("S", "quadratic"), [(5, 0.3576), (10, 0.4232), (20, 0.4599), (50, 0.4835), (100, 0.4917)])
def test_steps_that_are_finer_near_the_data_are_nearer(S, quadratic):
    assert deviation(0.5, S, 0.0, steps.quadratic) == pytest.approx(quadratic, abs=6e-5)
    assert 0.5 - quadratic < 0.6 * (0.5 - deviation(0.5, S, 0.0))


@pytest.mark.parametrize(
    ("tau", "S", "mean", "spread"),
    [
        ("linear", 10, 0.9976, 0.3700),
        ("quadratic", 10, 0.9973, 0.4232),
        ("released-quadratic", 10, 0.9835, 0.4245),
        ("released-uniform", 10, 0.9938, 0.3741),
        ("quadratic", 50, 0.9969, 0.4835),
        ("released-quadratic", 50, 0.9812, 0.4853),
    ],
)
def test_what_a_tau_that_ends_short_of_T_costs(tau, S, mean, spread):
    """Data N(1, 0.5^2): the chain begins with N(0, 1) at tau's end, where the data's mean has not quite gone, and the samples' mean falls
    short of 1; the steps that are left are finer."""
    _, got, variance = laws(gaussian(0.5, 1.0), steps.SUBSEQUENCES[tau](T, S), 0.0, 0.0, 1.0)[-1]
    assert [got, math.sqrt(variance)] == pytest.approx([mean, spread], abs=6e-5)


@pytest.mark.parametrize("S", [1, 2, 10, 100])
def test_eulers_step_in_sigma_alone_is_exact_for_one_point_of_data(S):
    tau, x_T = steps.linear(T, S), one(-1.3)
    assert ddim.sample(known(0.7), x_T, tau, 0.0, None).item() == pytest.approx(0.7, abs=1e-12)
    left = math.prod((0.5 * (1 + (SIGMA[s] / SIGMA[t]) ** 2)).item() for t, s in pairwise([*reversed(tau), 0]))
    noise = (x_T / BAR[T].sqrt() - 0.7).item()
    assert solvers.probability_flow(known(0.7), x_T, tau).item() - 0.7 == pytest.approx(left * noise, rel=1e-9)


@pytest.mark.parametrize(("S", "left"), [(10, 1.27), (20, 0.313), (50, 0.0806), (100, 0.0371), (1000, 0.0062)])
def test_what_equation_15_leaves_of_the_noise_of_one_point_of_data(S, left):
    responses = solvers.probability_flow(known(0.0), one(1.0), steps.linear(T, S))
    assert responses.item() == pytest.approx(left, rel=5e-3)


def test_sigma_hat_is_exact_where_the_data_are_noise():
    """N(0, 1): every x_s has variance 1, however few the steps; only the last one, which adds no noise, is short."""
    *chain, (_, _, last) = laws(gaussian(1.0), steps.linear(T, 10), "sigma-hat", 0.0, 1.0)
    assert all(variance == pytest.approx(1, rel=1e-9) for _, _, variance in chain)
    assert last == pytest.approx(BAR[100].item(), rel=1e-9)


def two_points():
    """The exact eps of x_0 = 1 or -1, each half of the time."""

    def network(x, t_minus_1):
        bar = BAR[t_minus_1 + 1].view(-1, 1)
        return (x - bar.sqrt() * torch.tanh(bar.sqrt() * x / (1 - bar))) / (1 - bar).sqrt()

    return Denoiser(PROCESS, network, "eps", "fixed-small")


def test_the_sign_of_a_latent_chooses_between_two_points():
    x_T = torch.linspace(-2, 2, 8, dtype=torch.float64)[:, None]
    for S in (10, 100):
        torch.testing.assert_close(ddim.sample(two_points(), x_T, steps.linear(T, S), 0.0, None), x_T.sign(), rtol=0, atol=1e-3)


def test_the_latent_of_a_point_that_half_the_data_are_is_a_quartile():
    """The flow keeps the distribution function: 1 is the middle of the upper half, 0.75. So latents of grey levels are not N(0, 1)."""
    x_T = ddim.encode(two_points(), torch.tensor([[1.0], [-1.0]], dtype=torch.float64), steps.linear(T, T))
    quartile = Normal(0.0, 1.0).icdf(torch.tensor(0.75)).item()
    assert x_T.flatten().tolist() == pytest.approx([quartile, -quartile], abs=3e-3)


@pytest.mark.parametrize(("S", "ours", "theirs"), [(10, 0.555, 0.724), (50, 0.892, 0.946), (1000, 0.994, 0.997)])
def test_what_comes_back_of_a_gaussian_by_either_time_at_which_an_encoder_asks(S, ours, theirs):
    """x_0 = c = 0.5 there and back, over c: eps asked at the time that a step starts from, and at the time that it goes to, which the
    decoder will ask at."""
    tau = steps.linear(T, S)
    before = dict(zip([1, *tau[:-1]], tau, strict=True))  # the first step asks at max(0, 1)
    goes_to = gaussian(0.5, time=lambda t: torch.tensor([before[int(k)] for k in t]))
    for encoder, back in ((gaussian(0.5), ours), (goes_to, theirs)):
        x_T = ddim.encode(encoder, one(0.5), tau)
        assert ddim.sample(gaussian(0.5), x_T, tau, 0.0, None).item() / 0.5 == pytest.approx(back, abs=6e-4)


# --- latents ---


def test_half_way_between_two_latents_a_straight_line_is_too_near_to_the_centre():
    """Its radius is sqrt(1/2) of a latent's, which none of 1,000 latents has; slerp keeps it."""
    a, b = torch.randn(2, 1000, 3072, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = lambda x: x.norm(dim=1) / math.sqrt(3072)  # noqa: E731
    assert radius((a + b) / 2).mean().item() == pytest.approx(math.sqrt(0.5), abs=0.001)
    assert radius((a + b) / 2).max() < 0.75 < 0.95 < radius(a).min()
    assert radius(slerp(a, b, [0.5])[0]).mean().item() == pytest.approx(1, abs=0.001)
