"""A denoiser gives the same reverse step whatever its network puts out."""

import math

import pytest
import torch

from rediffuse.processes import losses, schedules
from rediffuse.processes.denoiser import Denoiser, WithEdge
from rediffuse.processes.gaussian import GaussianProcess

PROCESS = GaussianProcess(schedules.linear(1000))
PREDICTS = ["eps", "x0", "mu", "residual"]


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def equivalent_output(predicts, x_t, t, eps):
    """What a network of each kind must put out to mean the noise eps at x_t, from the papers' equations alone."""
    beta, bar = PROCESS.beta[t].item(), PROCESS.alpha_bar[t].item()
    mu = (x_t - beta / math.sqrt(1 - bar) * eps) / math.sqrt(1 - beta)  # Ho et al. 2020, eq. 11
    x0 = (x_t - math.sqrt(1 - bar) * eps) / math.sqrt(bar)  # eq. 15
    return {"eps": eps, "x0": x0, "mu": mu, "residual": (mu - math.sqrt(1 - beta) * x_t) / math.sqrt(beta)}[predicts]


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("t", [1, 2, 500, 1000])
@pytest.mark.parametrize("predicts", PREDICTS)
def test_equivalent_outputs_give_the_same_prediction(predicts, t, clip):
    x_t, eps = normal(5, 3), normal(5, 3, seed=1)
    output = equivalent_output(predicts, x_t, t, eps)
    got = Denoiser(PROCESS, lambda x, t: output, predicts, "fixed-large", clip)(x_t, t)
    x0 = equivalent_output("x0", x_t, t, eps)
    if clip:
        assert (x0.abs() > 1).any()
        x0 = x0.clamp(-1, 1)
    bar = PROCESS.alpha_bar[t]
    eps = (x_t - bar.sqrt() * x0) / (1 - bar).sqrt()
    # 1 - alpha_bar_1 = 1e-4 keeps 12 digits, and eps divides by its root once more; a mean holds x_0 times 1.3e-4 at t = 1000.
    torch.testing.assert_close(got.x0, x0, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(got.eps, eps, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(got.mean, equivalent_output("mu", x_t, t, eps), rtol=1e-10, atol=1e-12)
    assert got.variance == Denoiser(PROCESS, None, "eps", "fixed-large").fixed_variance[t]


@pytest.mark.parametrize("predicts", PREDICTS)
def test_clip_leaves_what_lies_inside_alone(predicts):
    x_t, x0 = normal(5, 3), normal(5, 3, seed=1).tanh()
    bar = PROCESS.alpha_bar[300]
    output = equivalent_output(predicts, x_t, 300, (x_t - bar.sqrt() * x0) / (1 - bar).sqrt())
    free, clipped = (Denoiser(PROCESS, lambda x, t: output, predicts, "fixed-small", clip)(x_t, 300) for clip in (False, True))
    for a, b in zip(free, clipped, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("variance", ["fixed-small", "fixed-large"])
def test_fixed_variance_is_beta_tilde_or_beta_and_beta_tilde_2_at_t_1(variance):
    got = Denoiser(PROCESS, None, "eps", variance).fixed_variance
    rule = PROCESS.beta_tilde if variance == "fixed-small" else PROCESS.beta
    assert torch.equal(got[2:], rule[2:])
    assert got[1].item() == pytest.approx(5.453187661e-05, rel=0, abs=5e-15)


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 2, 2)])
def test_learned_variance_is_sigmoid_of_z_plus_logit_beta_in_the_second_half_of_the_channels(shape):
    t, x_t, z = torch.tensor([1, 2, 500, 1000]), normal(*shape), normal(*shape, seed=1)
    got = Denoiser(PROCESS, lambda x, t: torch.cat([x, z], 1), "eps", "learned")(x_t, t)
    beta = PROCESS.beta[t].view(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(got.variance, 1 / (1 + (1 / beta - 1) * torch.exp(-z)), rtol=1e-12, atol=0)
    assert torch.equal(got.eps, x_t)


def attractor(x_t, t, z, z_variance):
    """A network that puts out z for the mean and z_variance for the variance, read as the images' of the 2015 paper are."""
    return Denoiser(PROCESS, lambda x, t: torch.cat([z, z_variance], 1), "attractor", "learned")(x_t, t)


@pytest.mark.parametrize("t", [1, 2, 500, 1000])
def test_an_attractor_is_equations_64_and_65(t):
    x_t, z, z_variance = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    variance = torch.sigmoid(z_variance + torch.logit(PROCESS.beta[t]))
    got = attractor(x_t, t, z, z_variance)
    # The mean goes through x0-hat and back: at t = 1000 x0-hat is 1e3 times as large, at t = 1 they are one.
    torch.testing.assert_close(got.mean, (x_t - z) * (1 - variance) + z, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(got.variance, variance, rtol=1e-12, atol=0)


@pytest.mark.parametrize("t", [2, 500, 1000])
def test_an_attractor_of_an_untrained_network_is_nearly_the_forward_kernel(t):
    """z = 0: the mean is x (1 - Sigma) where the forward kernel has x sqrt(1 - beta), and Sigma is beta."""
    x_t, zero = normal(4, 3), torch.zeros(4, 3, dtype=torch.float64)
    got = attractor(x_t, t, zero, zero)
    torch.testing.assert_close(got.mean, x_t * (1 - PROCESS.beta[t]), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(got.variance, PROCESS.beta[t].expand(4, 3), rtol=1e-12, atol=0)


def test_the_last_step_with_an_edge_is_the_forward_kernel_whatever_the_network_says():
    """Eq. 44: its mean and variance, and an x0-hat and eps-hat that agree with x_1 and with the mean; every other step is the network's."""
    x = normal(5, 3)
    denoiser = Denoiser(PROCESS, lambda x, t: torch.sin(3 * x), "eps", "fixed-large")
    edge = WithEdge(denoiser)
    assert edge.process is PROCESS
    for t in (2, 500, 1000):
        assert all(torch.equal(a, b) for a, b in zip(edge(x, t), denoiser(x, t), strict=True))
    got, beta, bar = edge(x, 1), PROCESS.beta[1], PROCESS.alpha_bar[1]
    torch.testing.assert_close(got.mean, (1 - beta).sqrt() * x, rtol=1e-12, atol=1e-14)
    assert got.variance == beta
    torch.testing.assert_close(PROCESS.posterior_mean(got.x0, x, 1), got.mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(bar.sqrt() * got.x0 + (1 - bar).sqrt() * got.eps, x, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(got.mean, denoiser(x, 1).mean)


@pytest.mark.parametrize("t", [1, 1000, torch.tensor([1, 1000])])
def test_the_network_receives_t_minus_1_for_every_sample(t):
    seen = []
    Denoiser(PROCESS, lambda x, times: seen.append(times) or x, "eps", "fixed-small")(normal(2, 3), t)
    assert seen[0].tolist() == ([0, 999] if isinstance(t, torch.Tensor) else [t - 1, t - 1])


@pytest.mark.parametrize("predicts", PREDICTS)
def test_one_time_for_all_is_the_same_time_for_each(predicts):
    denoiser = Denoiser(PROCESS, lambda x, t: torch.sin(x + t.view(-1, 1)), predicts, "fixed-small", clip=True)
    x_t, each = normal(3, 2), torch.tensor([1, 40, 1000])
    batch = denoiser(x_t, each)
    for k, t in enumerate(each.tolist()):
        for a, b in zip(batch, denoiser(x_t, t), strict=True):
            assert torch.equal(a[k], b[k] if b.ndim else b.view(1))


def test_a_prediction_has_the_dtype_of_x_and_not_of_the_network():
    got = Denoiser(PROCESS, lambda x, t: x.bfloat16(), "eps", "fixed-small", clip=True)(torch.ones(2, 3), 500)
    assert {part.dtype for part in got} == {torch.float32}


# --- the training objective that reads it ---


def test_simple_loss_is_the_error_of_what_the_network_predicts():
    t, x0, eps, output = torch.tensor([3, 900]), normal(2, 3), normal(2, 3, seed=1), normal(2, 3, seed=2)
    beta, bar, before = (values[t][:, None] for values in (PROCESS.beta, PROCESS.alpha_bar, PROCESS.alpha_bar.roll(1)))
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * eps
    mu = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)  # Ho et al. 2020, eq. 7
    targets = {"eps": eps, "x0": x0, "mu": mu}
    for predicts, target in targets.items():
        loss = losses.simple(Denoiser(PROCESS, lambda x, t: output, predicts, "fixed-small"), x0, t, eps)
        assert loss.item() == pytest.approx((target - output).square().mean().item(), rel=1e-12)
