"""Rates that are learned with the network: where they start, what stays, and the gradient of the bound on them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import tiny
import torch

from rediffuse.build import About, build_network, diffusion_loss
from rediffuse.networks.rates import LearnedRates
from rediffuse.papers.sohl2015.products import GaussianToy
from rediffuse.presets import Preset
from rediffuse.processes import losses, schedules
from rediffuse.processes.bounds import edge_decoder, l_T, vlb_term
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess

SCHEDULES = {
    "harmonic": schedules.harmonic(40, 3e-4, 0.99),
    "linear": schedules.linear(1000),
    "log-spaced": schedules.log_spaced(40, 3e-4, 4000),
}


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def half(x, t):
    """A network in the place of a trained one."""
    return 0.5 * x


@pytest.mark.parametrize("beta", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_rates_start_where_they_are_told(beta):
    process = LearnedRates(torch.nn.Identity(), beta).process()
    # They are kept as float32 logits: six digits of beta.
    torch.testing.assert_close(process.beta, beta, rtol=2e-6, atol=0)
    assert process.beta.dtype == torch.float64
    assert (process.beta[0], process.beta[1]) == (0, beta[1])
    assert len(process.beta) == len(beta)


class Sum(torch.nn.Module):
    def forward(self, x, t):
        return x + t[:, None]


def test_the_network_is_what_it_was():
    rates, x, t = LearnedRates(Sum(), SCHEDULES["harmonic"]), normal(4, 2), torch.arange(4)
    assert torch.equal(rates(x, t), x + t[:, None])
    assert list(dict(rates.named_parameters())) == ["logit_beta"]


def test_beta_1_stays_and_the_others_move_and_remain_rates():
    rates = LearnedRates(torch.nn.Identity(), SCHEDULES["harmonic"])
    before = rates.process().beta.detach()
    with torch.no_grad():
        rates.logit_beta += torch.linspace(-8, 8, 39)
    after = rates.process().beta.detach()
    assert torch.equal(after[:2], before[:2])
    assert (after[2:] != before[2:]).sum() == 38  # not the middle one, which is moved by 0
    assert ((after[1:] > 0) & (after[1:] < 1)).all()


@pytest.mark.parametrize("t", [2, 7, 12])
def test_the_gradient_reaches_every_rate_that_x_t_is_made_of_and_no_other(t):
    """With the noise frozen, x_t and both kernels of the step depend on beta_2..t; later rates come in by L_T alone."""
    rates = LearnedRates(torch.nn.Identity(), schedules.harmonic(12, 0.01, 0.9))
    process = rates.process()
    denoiser, decoder = Denoiser(process, half, "eps", "fixed-large"), edge_decoder(process)
    term = vlb_term(denoiser, decoder, normal(6, 2), torch.full((6,), t), normal(6, 2, seed=1))
    (gradient,) = torch.autograd.grad(term.sum(), rates.logit_beta)
    assert gradient[: t - 1].all()
    assert not gradient[t - 1 :].any()
    process = rates.process()
    (gradient,) = torch.autograd.grad(l_T(process, normal(6, 2)).sum(), rates.logit_beta)
    assert gradient.all()


def test_the_gradient_is_that_of_the_bound():
    """Central differences of the objective as a function of the rates themselves, times d beta / d logit."""
    beta, x0, eps, t = schedules.harmonic(12, 0.01, 0.9), normal(22, 2), normal(22, 2, seed=1), torch.arange(22) % 11 + 2

    def objective(process):
        return losses.bound_of_rates(Denoiser(process, half, "eps", "fixed-large"), edge_decoder(process), x0, t, eps)

    rates = LearnedRates(torch.nn.Identity(), beta).double()
    (gradient,) = torch.autograd.grad(objective(rates.process()), rates.logit_beta)
    start = rates.process().beta.detach()
    for k in range(2, 13):
        h = torch.zeros_like(start)
        h[k] = 1e-6 * start[k] * (1 - start[k])
        slope = (objective(GaussianProcess(start + h)) - objective(GaussianProcess(start - h))) / 2e-6
        assert gradient[k - 2].item() == pytest.approx(slope.item(), rel=1e-5, abs=1e-8)


def test_the_objective_of_rates_is_the_bound_with_its_share_of_L_T():
    """Over t = 2..T, each once: the mean is the whole bound less L_0, in bits a dimension, divided by T - 1."""
    process, x0, eps = GaussianProcess(schedules.harmonic(12, 0.01, 0.9)), normal(1, 2).expand(11, 2), normal(11, 2, seed=1)
    denoiser, decoder, t = Denoiser(process, half, "eps", "fixed-large"), edge_decoder(process), torch.arange(2, 13)
    fixed, learned = losses.bound(denoiser, decoder, x0, t, eps), losses.bound_of_rates(denoiser, decoder, x0, t, eps)
    assert (learned - fixed).item() == pytest.approx(l_T(process, x0)[0].item() / 11 / (2 * math.log(2)), rel=1e-12)
    whole = vlb_term(denoiser, decoder, x0, t, eps).sum() + l_T(process, x0)[0]
    assert learned.item() == pytest.approx(whole.item() / 11 / (2 * math.log(2)), rel=1e-12)


class AtOneTime:
    """The exact reverse process of data N(0, 1/4), asked with a tensor of equal times."""

    def __init__(self, process):
        self.process, self.toy = process, GaussianToy(process, torch.tensor([[0.25]]))

    def __call__(self, x_t, t):
        return self.toy(x_t, int(t[0]))


def test_learning_finds_better_rates():
    """With perfect kernels the bound exceeds the entropy by the two ends alone: what x_T still knows, and the last, fixed step.

    The whole bound, its expectations by Gauss-Hermite quadrature, so that nothing is left to chance.
    """
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.hermite_e.hermegauss(6))
    x0, eps = (values.reshape(-1, 1) for values in torch.meshgrid(0.5 * nodes, nodes, indexing="ij"))
    weight, entropy = (weights[:, None] * weights).flatten() / (2 * math.pi), 0.5 * math.log(2 * math.pi * math.e * 0.25)

    def excess(process):
        terms = sum(vlb_term(AtOneTime(process), edge_decoder(process), x0, torch.full((36,), t), eps) for t in range(1, 7))
        return (weight * (terms + l_T(process, x0))).sum() - entropy

    rates = LearnedRates(torch.nn.Identity(), schedules.linear(6, 0.01, 0.2))
    optimiser, seen = torch.optim.Adam(rates.parameters(), 0.1), []
    for _ in range(20):
        loss = excess(rates.process())
        seen.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(a > b > 0 for a, b in pairwise(seen))
    assert seen[-1] < 0.3 * seen[0]
    assert rates.process().beta[1] == 0.01


def test_a_compiled_network_learns_its_rates_too():
    """It is no LearnedRates, and hands on the attributes of one."""
    rates = {"kind": "learned", "start": {"kind": "harmonic", "beta_1": 3e-4, "beta_T": 0.99}}
    changes = {"runs.rates.process.schedule": rates}
    run = Preset.model_validate(tiny.preset(changes)).runs["rates"]
    about = About("roll", (2,), None, None, 0.0)
    torch.manual_seed(0)
    network = build_network(run, about.shape)
    fast = torch.compile(network, backend="eager")
    loss, (x0,) = diffusion_loss(run, about, torch.device("cpu")), (torch.randn(16, 2),)
    found = []
    for each in (network, fast):
        network.zero_grad()
        loss(each, (x0,), torch.Generator().manual_seed(1), slice(None)).backward()
        found.append(network.logit_beta.grad.clone())
    assert found[0].abs().max() > 0
    torch.testing.assert_close(found[1], found[0])
