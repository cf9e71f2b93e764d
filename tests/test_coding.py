"""Progressive coding: each term of the bound against a second implementation, written from the paper's equations alone, in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from rediffuse.metrics.bits import variational_bound
from rediffuse.metrics.coding import Coding, code
from rediffuse.metrics.spectrum import band_errors, settled_after
from rediffuse.papers.ddpm.coding import rate_and_distortion, weights
from rediffuse.papers.ddpm.latents import interpolate
from rediffuse.processes import schedules
from rediffuse.processes.bounds import cdf_tanh, discretised_decoder, log_mass_tanh
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ancestral
from rediffuse.samplers.noise import SampleNoise

T, N, DIMS = 40, 3, 16
X0 = (torch.randint(0, 256, (N, 1, 4, 4), generator=torch.Generator().manual_seed(1)) / 127.5 - 1).float()


def network(x: Tensor, t: Tensor) -> Tensor:
    """Something that is no constant in x or t."""
    return torch.tanh(0.7 * x + 0.1 * x.flip(-1)) * (1 + 0.01 * t.view(-1, 1, 1, 1))


def denoiser(clip: bool = True, variance: str = "fixed-large") -> Denoiser:
    return Denoiser(GaussianProcess(schedules.linear(T, 1e-4, 0.02)), network, "eps", variance, clip)  # type: ignore[arg-type]


def by_the_paper(variance: str, cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """L_0 .. L_{T-1} and L_T in bits/dim from equations 4 to 13, one noise a t in the order of the times; arrays of numpy, float64."""
    beta = np.linspace(1e-4, 0.02, T)
    alpha = 1 - beta
    alpha_bar = np.cumprod(alpha)
    generator = torch.Generator().manual_seed(0)
    x0 = X0.double().numpy()
    terms = []
    for t in range(1, T + 1):
        eps = torch.randn(X0.shape, generator=generator).double().numpy()
        a, b = alpha_bar[t - 1], alpha_bar[t - 2] if t > 1 else 1.0
        x_t = np.sqrt(a) * x0 + np.sqrt(1 - a) * eps  # eq. 4
        eps_hat = network(torch.from_numpy(x_t).float(), torch.full((N,), t - 1)).double().numpy()
        x0_hat = np.clip((x_t - np.sqrt(1 - a) * eps_hat) / np.sqrt(a), -1, 1)  # eq. 15

        def mean(x: NDArray[np.float64], a: float = a, b: float = b, x_t: NDArray[np.float64] = x_t, t: int = t) -> NDArray[np.float64]:
            return np.sqrt(b) * beta[t - 1] / (1 - a) * x + np.sqrt(alpha[t - 1]) * (1 - b) / (1 - a) * x_t  # eq. 7

        tilde = (1 - b) / (1 - a) * beta[t - 1]
        sigma2 = beta[t - 1] if variance == "fixed-large" else tilde
        if t > 1:  # KL of two normal distributions
            kl = 0.5 * (np.log(sigma2 / tilde) + (tilde + (mean(x0) - mean(x0_hat)) ** 2) / sigma2 - 1)
        else:  # eq. 13, with beta-tilde_2 as the variance
            sigma = np.sqrt((1 - alpha_bar[0]) / (1 - alpha_bar[1]) * beta[1])
            upper = np.where(x0 > 0.999, 1.0, cdf((x0 + 1 / 255 - mean(x0_hat)) / sigma))
            lower = np.where(x0 < -0.999, 0.0, cdf((x0 - 1 / 255 - mean(x0_hat)) / sigma))
            kl = -np.log(np.maximum(upper - lower, 1e-12))
        terms.append(kl.reshape(N, -1).sum(1))
    a = alpha_bar[-1]
    terms.append(0.5 * (-np.log(1 - a) + (1 - a) + a * x0**2 - 1).reshape(N, -1).sum(1))
    return np.array(terms) / (DIMS * math.log(2))


@pytest.mark.parametrize("variance", ["fixed-large", "fixed-small"])
def test_every_term_is_that_of_the_papers_equations_to_1e_5_bits_a_dimension(variance: str) -> None:
    coded = code(denoiser(variance=variance), discretised_decoder(256, log_mass_tanh), X0, 0, "")

    def tanh(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return cdf_tanh(torch.from_numpy(x)).numpy()

    expected = by_the_paper(variance, tanh)
    np.testing.assert_allclose(coded.terms / DIMS, expected[:T], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(coded.prior / DIMS, expected[T], atol=1e-5)


def test_the_exact_decoder_is_the_normal_distribution_function() -> None:
    coded = code(denoiser(), discretised_decoder(256), X0, 0, "")
    mine = coded.terms[0] / DIMS
    theirs = by_the_paper("fixed-large", norm.cdf)[0]
    np.testing.assert_allclose(mine[theirs < 20], theirs[theirs < 20], atol=1e-5)


@given(mean=st.floats(-3, 3), log_sd=st.floats(-6, 2), levels=st.sampled_from([2, 17, 256]))
def test_the_exact_masses_of_all_levels_add_up_to_1(mean: float, log_sd: float, levels: int) -> None:
    """For any mean and variance; the tanh form's distance from them is that of two values of its distribution function."""
    x = torch.linspace(-1, 1, levels, dtype=torch.float64)
    process = GaussianProcess(schedules.linear(2, 1e-4, 0.02))
    prediction = (
        denoiser()
        .__call__(torch.zeros(levels, 1, 1, 1), 1)
        ._replace(mean=torch.full((levels,), mean, dtype=torch.float64), variance=torch.tensor(math.exp(2 * log_sd), dtype=torch.float64))
    )
    assert process.T == 2
    exact = discretised_decoder(levels)(x, x, prediction).exp()
    assert float(exact.sum()) == pytest.approx(1, abs=1e-9)
    tanh = discretised_decoder(levels, log_mass_tanh)(x, x, prediction).exp()
    assert float((tanh - exact).abs().max()) <= 2 * 1.8e-4 + 1e-12


def test_the_full_sum_and_its_stratified_estimate_are_of_one_number() -> None:
    x0 = X0.repeat(200, 1, 1, 1)
    coded = code(denoiser(), discretised_decoder(256), x0, 0, "").bits
    estimate = variational_bound(denoiser(), {"exact": discretised_decoder(256)}, x0, 10, 1)["exact"].bits()
    difference = (coded - estimate).reshape(200, N).mean(1)
    assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(200)


def coding(rng: np.random.Generator) -> Coding:
    return Coding(rng.random(N), rng.random((T, N)), rng.random((T, N)))


def test_the_rate_is_what_is_received_by_then() -> None:
    coded = coding(np.random.default_rng(0))
    np.testing.assert_allclose(coded.rate[-1], coded.prior, rtol=1e-12)
    np.testing.assert_allclose(coded.rate[0], coded.prior + coded.terms[1:].sum(0), rtol=1e-12)
    np.testing.assert_allclose(coded.rate[4] - coded.rate[5], coded.terms[5], rtol=1e-9)
    np.testing.assert_allclose(coded.bits, coded.prior + coded.terms.sum(0), rtol=1e-12)


def test_the_rows_of_table_4_are_tenths_of_T() -> None:
    coded = coding(np.random.default_rng(1))
    rows = rate_and_distortion(coded, DIMS)
    assert [row["steps"] for row in rows if row["metric"] == "RMSE"] == list(range(4, 41, 4))
    values = {(row["metric"], row["steps"]): row["value"] for row in rows}
    assert values["rate", 40] == pytest.approx(coded.rate[0].mean() / DIMS)
    assert values["rate", 4] == pytest.approx(coded.rate[36].mean() / DIMS)
    assert values["RMSE", 40] == pytest.approx(127.5 * np.sqrt(coded.error[0]).mean())
    assert values["NLL", 40] == pytest.approx(values["rate", 40] + values["distortion L_0", 40])


def test_the_weights_of_equation_12() -> None:
    """Of the published schedule, as computed by hand."""
    process = GaussianProcess(schedules.linear(1000, 1e-4, 0.02))
    found = weights(Denoiser(process, network, "eps", "fixed-large"))
    for t, value in ((2, 0.273), (10, 0.0737), (100, 0.0101), (500, 0.0055), (1000, 0.0102)):
        assert found[t - 1] == pytest.approx(value, rel=0.01)


# --- frequencies, and interpolation ---


def test_what_is_settled_and_what_is_not_begun() -> None:
    final = np.random.default_rng(0).standard_normal((50, 1, 8, 8))
    assert all((errors == 0).all() for errors in band_errors(final, final).values())
    for errors in band_errors(np.zeros_like(final), final).values():
        assert errors.mean() == pytest.approx(1)


@pytest.mark.parametrize(("u", "band"), [(1, "large scale"), (2, "middle"), (4, "detail"), (7, "detail")])
def test_a_wave_is_in_one_band(u: int, band: str) -> None:
    final = np.random.default_rng(0).standard_normal((5, 1, 8, 8))
    wave = np.cos(math.pi * u * (np.arange(8) + 0.5) / 8)[None, :] * np.ones((8, 1))
    found = {name for name, errors in band_errors(final + wave, final).items() if (errors > 1e-9).all()}
    assert found == {band}


def test_an_image_is_settled_when_its_error_stays_small() -> None:
    errors = np.array([[2.0, 0.1, 0.4, 0.6], [0.4, 0.1, 0.9, 0.6], [0.1, 0.1, 0.2, 0.6], [0.0, 0.0, 0.0, 0.0]])
    assert settled_after(errors, np.array([1, 10, 20, 30])).tolist() == [10, 1, 20, 30]


def test_the_mean_of_an_image_is_in_no_band() -> None:
    final = np.random.default_rng(0).standard_normal((5, 1, 8, 8))
    assert all((errors < 1e-20).all() for errors in band_errors(final + 3, final).values())


def test_an_interpolation_ends_at_its_sources_and_shares_its_noise() -> None:
    a, b = X0[0], X0[1]
    mixed = interpolate(denoiser(), a, b, 20, [0, 0.5, 1], seed=3)
    same = interpolate(denoiser(), a, a, 20, [0, 0.5, 1], seed=3)
    assert torch.allclose(same[0], same[1], atol=1e-5) and torch.allclose(same[0], same[2], atol=1e-5)
    assert torch.allclose(mixed[0], same[0], atol=1e-6), "lambda = 0 is the first alone"
    assert not torch.allclose(mixed[1], mixed[0], atol=1e-2)
    noise = SampleNoise(3, [0], a.shape)
    x_t = denoiser().process.q_sample(b[None], 20, noise())
    assert torch.allclose(ancestral.sample(denoiser(), x_t, noise, start=20), mixed[2:], atol=1e-5), "lambda = 1 the second"


def test_an_interpolation_at_t_1_hardly_changes_what_it_mixes() -> None:
    near = Denoiser(denoiser().process, lambda x, t: torch.zeros_like(x), "eps", "fixed-large", True)
    mixed = interpolate(near, X0[0], X0[1], 1, [0, 1], seed=0)
    assert (mixed - X0[:2]).abs().max() < 0.06
