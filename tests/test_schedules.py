"""The three noise schedules: golden numbers, and what each one is chosen for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rediffuse.processes import schedules
from rediffuse.processes.gaussian import GaussianProcess

SCHEDULES = {
    "linear": lambda T: schedules.linear(T),
    "harmonic": lambda T: schedules.harmonic(T, 1e-4, 0.99),
    "log-spaced": lambda T: schedules.log_spaced(T, 1e-4, 1e4),
}


@pytest.mark.parametrize("name", SCHEDULES)
@given(T=st.integers(1, 1500))
def test_time_runs_from_0_clean_to_T(name, T):
    process = GaussianProcess(SCHEDULES[name](T))
    assert process.T == T
    assert process.beta.dtype == torch.float64
    assert process.beta[0] == 0
    assert process.alpha_bar[0] == 1


@pytest.mark.parametrize("name", SCHEDULES)
@given(T=st.integers(1, 1500))
def test_every_beta_lies_between_0_and_1(name, T):
    beta = SCHEDULES[name](T)[1:]
    assert ((beta > 0) & (beta < 1)).all()


# Published index t (from 0) is t + 1 here. Each tolerance is half a unit of the golden number's last digit.
@pytest.mark.parametrize(
    ("published_t", "alpha_bar", "tolerance"), [(999, 4.035829765e-05, 5e-15), (950, 1.06042e-04, 5e-10), (800, 1.50752e-03, 5e-9)]
)
def test_linear_alpha_bar_is_the_published_one(ddpm, published_t, alpha_bar, tolerance):
    assert ddpm.alpha_bar[published_t + 1].item() == pytest.approx(alpha_bar, rel=0, abs=tolerance)


def test_linear_beta_rises_evenly_between_its_ends():
    beta = schedules.linear(5, 0.1, 0.5)
    torch.testing.assert_close(beta, torch.tensor([0, 0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("T", [2, 3, 40, 1000])
def test_harmonic_removes_one_Tth_of_the_signal_a_step(T):
    """alpha_bar_t = (T - t) / T where both ends follow the rule beta_t = 1 / (T - t + 1)."""
    process = GaussianProcess(schedules.harmonic(T, 1 / T, 1.0))
    expected = torch.arange(T, -1, -1, dtype=torch.float64) / T
    torch.testing.assert_close(process.alpha_bar, expected, rtol=1e-12, atol=0)


def test_harmonic_ends_are_the_given_ones():
    beta = schedules.harmonic(10, 0.003, 0.9)
    assert (beta[1], beta[-1]) == (0.003, 0.9)


@pytest.mark.parametrize("T", [2, 10, 1000])
def test_log_spaced_multiplies_the_noise_ratio_by_a_constant(T):
    alpha_bar = GaussianProcess(schedules.log_spaced(T, 1e-4, 1e3)).alpha_bar[1:]
    ratio = (1 - alpha_bar) / alpha_bar
    # 1 - alpha_bar_1 is about 1e-4, so that a rounding of alpha_bar is 1e-12 of it; cumprod collects T of them.
    torch.testing.assert_close(ratio[[0, -1]], torch.tensor([1e-4, 1e3], dtype=torch.float64), rtol=1e-10, atol=0)
    torch.testing.assert_close(ratio[1:] / ratio[:-1], torch.full((T - 1,), 1e7 ** (1 / (T - 1)), dtype=torch.float64), rtol=1e-10, atol=0)
