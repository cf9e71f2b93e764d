"""DDIM's encoder, other solvers of its equation, and slerp: against known solutions, their own papers' formulas and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import geometric_slerp

from rediffuse.processes import schedules
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ddim, solvers, steps
from rediffuse.samplers.slerp import grid, slerp

T = 1000
PROCESS = GaussianProcess(schedules.linear(T))
BAR = PROCESS.alpha_bar
CURVED = Denoiser(PROCESS, lambda x, t: torch.sin(2 * x) + 0.3 * torch.cos(t.double() / 300).view(-1, 1), "eps", "fixed-small")
"""A network that is no model of anything, in float64."""


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian_toy(c, m=0.0):
    """The exact eps of x_0 ~ N(m, c^2): E[eps | x_t]."""

    def network(x, t):
        bar = BAR[t + 1].view(-1, 1)
        return (1 - bar).sqrt() * (x - bar.sqrt() * m) / (bar * c**2 + 1 - bar)

    return Denoiser(PROCESS, network, "eps", "fixed-small")


def flow(x0, c, m=0.0):
    """Where the equation carries x_0 by time T, exactly: it keeps the number of standard deviations."""
    return BAR[T].sqrt() * m + (BAR[T] * c**2 + 1 - BAR[T]).sqrt() * (x0 - m) / c


# --- the encoder ---


def test_the_root_error_on_a_gaussian_falls_as_1_over_S():
    c, m = 0.5, 0.2
    x0 = m + c * normal(500, 1)
    denoiser, exact = gaussian_toy(c, m), flow(x0, c, m)
    encoded, there_and_back = [], []
    for S in (50, 100, 200, 500, 1000):
        tau = steps.linear(T, S)
        x_T = ddim.encode(denoiser, x0, tau)
        encoded.append((x_T - exact).square().mean().sqrt().item() * S)
        back = ddim.sample(denoiser, x_T, tau, 0.0, lambda: pytest.fail("no noise is drawn at eta = 0"))
        there_and_back.append((back - x0).square().mean().sqrt().item() * S)
    for products in (encoded, there_and_back):
        assert max(products) < 1.35 * min(products), products  # S times the error tends to a constant
        assert abs(products[-1] / products[-2] - 1) < 0.12, products


def test_the_squared_error_there_and_back_falls_as_1_over_S_squared():
    x0 = 0.5 * normal(500, 1)
    errors = []
    for S in (100, 1000):
        tau = steps.linear(T, S)
        x_T = ddim.encode(gaussian_toy(0.5), x0, tau)
        errors.append((ddim.sample(gaussian_toy(0.5), x_T, tau, 0.0, None) - x0).square().mean().item())
    assert 60 < errors[0] / errors[1] < 170


def test_the_decoder_alone_tends_to_the_known_solution_too():
    x0 = 0.5 * normal(500, 1)
    errors = [
        (ddim.sample(gaussian_toy(0.5), flow(x0, 0.5), steps.linear(T, S), 0.0, None) - x0).square().mean().sqrt().item()
        for S in (100, 200, 400)
    ]
    assert errors[0] > 1.7 * errors[1] > 2.9 * errors[2]


@pytest.mark.parametrize("tau", [steps.linear(T, 7), steps.quadratic(T, 20), [1, 2, 500, 1000], [1000], steps.linear(T, T)])
def test_encoded_latents_are_those_of_equation_13(tau):
    """x / sqrt(alpha_bar) moves by eps times the change of sqrt((1 - alpha_bar) / alpha_bar); written without the sampler's functions."""
    beta = [1e-4 + (0.02 - 1e-4) * k / (T - 1) for k in range(T)]
    bar = np.concatenate([[1.0], np.cumprod(1 - np.array(beta))])
    sigma = np.sqrt((1 - bar) / bar)
    x0 = normal(5, 3)
    y, t = x0.numpy() / math.sqrt(bar[0]), 0
    for s in tau:
        index = torch.full((5,), max(t, 1) - 1)
        eps = CURVED.network(torch.from_numpy(y * math.sqrt(bar[t])), index).numpy()
        y, t = y + (sigma[s] - sigma[t]) * eps, s
    torch.testing.assert_close(ddim.encode(CURVED, x0, tau), torch.from_numpy(y * math.sqrt(bar[tau[-1]])), rtol=1e-9, atol=1e-9)


def test_a_callback_sees_every_step_up():
    seen = []
    end = ddim.encode(CURVED, normal(2, 3), [10, 400, 1000], seen.append)
    assert [(step.t, step.s) for step in seen] == [(0, 10), (10, 400), (400, 1000)]
    assert torch.equal(seen[-1].x, end) and torch.equal(seen[0].x0, normal(2, 3))


def test_a_latent_of_gaussian_data_is_standard_normal():
    x_T = ddim.encode(gaussian_toy(0.5), 0.5 * normal(20000, 1), steps.linear(T, 1000))
    assert abs(x_T.mean()) < 0.03
    assert x_T.var().item() == pytest.approx(1, abs=0.04)


# --- other solvers of the same equation ---


@pytest.mark.parametrize("solver", [solvers.probability_flow, solvers.dpm_solver_pp])
def test_every_solver_tends_to_the_known_solution(solver):
    """Of a chain whose first step is so small that where it begins does not matter."""
    c = 0.7
    x0 = c * normal(300, 1)
    errors = [(solver(gaussian_toy(c), flow(x0, c), steps.linear(T, S)) - x0).square().mean().sqrt().item() for S in (100, 1000)]
    assert errors[1] < 0.02  # Euler in sigma^2 ends half of sigma_1 = 0.01 short of where it goes
    assert errors[1] < errors[0] / 3


def test_the_second_order_solver_is_nearer_at_few_steps():
    x0 = 0.5 * normal(300, 1)
    tau = steps.quadratic(T, 20)
    error = lambda x: (x - x0).square().mean().sqrt().item()  # noqa: E731
    euler = error(ddim.sample(gaussian_toy(0.5), flow(x0, 0.5), tau, 0.0, None))
    assert error(solvers.dpm_solver_pp(gaussian_toy(0.5), flow(x0, 0.5), tau)) < euler / 3


@pytest.mark.parametrize("S", [1, 2])
def test_the_first_and_the_last_step_of_the_second_order_solver_are_ddims(S):
    tau, x_T = steps.linear(T, S), normal(4, 3)
    torch.testing.assert_close(solvers.dpm_solver_pp(CURVED, x_T, tau), ddim.sample(CURVED, x_T, tau, 0.0, None), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tau", [steps.linear(T, 7), [3, 1000], steps.quadratic(T, 30)])
def test_the_probability_flow_is_equation_15(tau):
    x = x_T = normal(4, 3)
    for t, s in zip(reversed(tau), [*reversed(tau[:-1]), 0], strict=True):
        eps = CURVED.network(x, torch.full((4,), t - 1))
        a_t, a_s = BAR[t], BAR[s]
        change = 0.5 * ((1 - a_s) / a_s - (1 - a_t) / a_t) * (a_t / (1 - a_t)).sqrt()
        x = (x / a_t.sqrt() + change * eps) * a_s.sqrt()
    torch.testing.assert_close(solvers.probability_flow(CURVED, x_T, tau), x, rtol=1e-11, atol=1e-11)


# --- slerp ---


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_slerp_keeps_the_norm_and_is_scipys(seed, share):
    a, b = (x / x.norm() for x in normal(2, 6, seed=seed))
    got = slerp(a[None], b[None], [share])[0, 0]
    assert got.norm().item() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(got, geometric_slerp(a.numpy(), b.numpy(), share), atol=1e-9)


def test_each_sample_has_its_own_angle():
    a, b = normal(3, 2, 4), normal(3, 2, 4, seed=1)
    together = slerp(a, b, [0.0, 0.3, 1.0])
    for k in range(3):
        torch.testing.assert_close(together[:, k], slerp(a[k : k + 1], b[k : k + 1], [0.0, 0.3, 1.0])[:, 0])
    torch.testing.assert_close(together[0], a)
    torch.testing.assert_close(together[2], b)


def test_latents_that_point_one_way_are_mixed_straight_and_opposite_ones_are_refused():
    a = normal(1, 5)
    torch.testing.assert_close(slerp(a, a, [0.4])[0], a)
    torch.testing.assert_close(slerp(a, a * (1 + 1e-9), [0.4])[0], a)
    with pytest.raises(ValueError, match="opposite"):
        slerp(a, -2 * a, [0.5])


def test_a_grid_has_its_corners_and_slerps_between_them():
    corners = normal(4, 1, 3, 3)
    latents = grid(corners, 3, 5)
    assert latents.shape == (3, 5, 1, 3, 3)
    for got, corner in zip((latents[0, 0], latents[0, -1], latents[-1, 0], latents[-1, -1]), corners, strict=True):
        torch.testing.assert_close(got, corner)
    torch.testing.assert_close(latents[0, 2], slerp(corners[:1], corners[1:2], [0.5])[0, 0])
    torch.testing.assert_close(latents[1, 0], slerp(corners[:1], corners[2:3], [0.5])[0, 0])
