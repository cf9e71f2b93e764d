"""The forward process and its posterior, against Bayes' rule and the published coefficients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rediffuse.processes import schedules
from rediffuse.processes.gaussian import GaussianProcess, at

PROCESSES = {
    "linear": GaussianProcess(schedules.linear(1000)),
    "harmonic": GaussianProcess(schedules.harmonic(40, 1e-3, 0.9)),
    "log-spaced": GaussianProcess(schedules.log_spaced(10, 1e-3, 1e2)),
}


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_beta_tilde_is_the_published_one(ddpm):
    assert ddpm.beta_tilde[1] == 0
    assert ddpm.beta_tilde[2].item() == pytest.approx(5.453187661e-05, rel=0, abs=5e-15)  # the golden number's last digit


def test_posterior_at_t_1_is_x0_itself(ddpm):
    """1 - alpha_bar_1 and beta_1 are the same number but for a rounding of 1e-16, 1e-12 of either."""
    assert ddpm.posterior_on_x0[1].item() == pytest.approx(1, rel=0, abs=2e-12)
    assert ddpm.posterior_on_x_t[1] == 0


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_posterior_is_bayes_rule(process):
    """q(x_{t-1} | x_t, x_0) as the product of N(sqrt(abar_{t-1}) x_0, 1 - abar_{t-1}) and q(x_t | x_{t-1}) read in x_{t-1}."""
    alpha, beta, bar = process.alpha[2:], process.beta[2:], process.alpha_bar[1:-1]
    variance = 1 / (alpha / beta + 1 / (1 - bar))
    # 1 - alpha_bar loses up to 1e-4 of its digits to cancellation on either side.
    close(process.beta_tilde[2:], variance, rtol=1e-11)
    close(process.posterior_on_x0[2:], variance * bar.sqrt() / (1 - bar), rtol=1e-11)
    close(process.posterior_on_x_t[2:], variance * alpha.sqrt() / beta, rtol=1e-11)


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_one_step_kernels_compose_to_the_marginal(process):
    """Mean and variance of x_t given x_0, step by step, are those by which q_sample draws at once."""
    scale, variance = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    for t in range(1, process.T + 1):
        scale, variance = (1 - process.beta[t]).sqrt() * scale, (1 - process.beta[t]) * variance + process.beta[t]
        close(process.q_sample(one, t, zero).squeeze(), scale, rtol=1e-11)
        close(process.q_sample(zero, t, one).squeeze() ** 2, variance, rtol=1e-11)


@given(t=st.integers(1, 1000), seed=st.integers(0, 10**6))
def test_eps_to_x0_and_back(t, seed):
    process = PROCESSES["linear"]
    x_t, eps = normal(4, 3, seed=seed), normal(4, 3, seed=seed + 1)
    # sqrt(1 - alpha_bar_1) = 0.01: one more factor 100 of rounding.
    close(process.eps_from_x0(x_t, t, process.x0_from_eps(x_t, t, eps)), eps, rtol=0, atol=1e-12)


@given(t=st.integers(1, 1000), seed=st.integers(0, 10**6))
def test_x0_to_x_t_and_back(t, seed):
    process = PROCESSES["linear"]
    x0, eps = normal(4, 3, seed=seed), normal(4, 3, seed=seed + 1)
    x_t = process.q_sample(x0, t, eps)
    # x_0 is multiplied by sqrt(alpha_bar_T) = 1/157 on the way, and its posterior's mean by 1e-4.
    close(process.x0_from_eps(x_t, t, eps), x0, rtol=0, atol=1e-12)
    close(process.x0_from_mean(x_t, t, process.posterior_mean(x0, x_t, t)), x0, rtol=0, atol=1e-10)


def test_one_time_for_all_is_the_same_time_for_each(ddpm):
    x0, eps = normal(3, 2, 4, 4), normal(3, 2, 4, 4, seed=1)
    each = torch.tensor([1, 500, 1000])
    x_t = ddpm.q_sample(x0, each, eps)
    for k, t in enumerate(each.tolist()):
        assert torch.equal(x_t[k], ddpm.q_sample(x0, t, eps)[k])
        assert torch.equal(ddpm.posterior_mean(x0, x_t, each)[k], ddpm.posterior_mean(x0, x_t, t)[k])


def test_results_have_the_dtype_of_x_and_coefficients_are_rounded_once(ddpm):
    x = torch.ones(2, 3)
    assert ddpm.q_sample(x, 1, x).dtype == torch.float32
    t = torch.tensor([7, 8])
    assert torch.equal(at((1 - ddpm.alpha_bar).sqrt(), t, x), (1 - ddpm.alpha_bar).sqrt()[t].float()[:, None])
