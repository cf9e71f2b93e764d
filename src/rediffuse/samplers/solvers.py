"""Other solvers of DDIM's ordinary differential equation, from x_T along the same tau: what came beside and after it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rediffuse.processes.denoiser import Denoiser
from rediffuse.samplers.ddim import Step


@torch.inference_mode()
def probability_flow(denoiser: Denoiser, x_T: Tensor, tau: Sequence[int], callback: Callable[[Step], None] | None = None) -> Tensor:
    """x_0 by Euler steps of the probability-flow equation of Song et al. 2021 (eq. 15 of Song et al. 2020).

    With sigma^2 = (1 - alpha_bar) / alpha_bar it moves x / sqrt(alpha_bar) by half the change of sigma^2 over sigma, where DDIM moves it
    by the change of sigma: the same equation in other steps. The last step, to sigma = 0, is therefore half of DDIM's.
    """
    process, x = denoiser.process, x_T
    variance = (1 - process.alpha_bar) / process.alpha_bar
    for t, s in pairwise([*reversed(tau), 0]):
        x0, eps, _, _ = denoiser(x, t)
        change = 0.5 * (variance[s] - variance[t]) / variance[t].sqrt()
        x = process.alpha_bar[s].sqrt() * (x / process.alpha_bar[t].sqrt() + change * eps)
        if callback:
            callback(Step(t, s, x, x0, eps))
    return x


@torch.inference_mode()
def dpm_solver_pp(denoiser: Denoiser, x_T: Tensor, tau: Sequence[int], callback: Callable[[Step], None] | None = None) -> Tensor:
    """x_0 by the second-order multistep DPM-Solver++ (Lu et al. 2022, algorithm 2), which extrapolates x0-hat in lambda.

    lambda = log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)). Its first step, and the last one, to lambda = infinity, are of first order: DDIM's.
    """
    process, x = denoiser.process, x_T
    alpha, sigma = process.alpha_bar.sqrt(), (1 - process.alpha_bar).sqrt()
    lambda_ = alpha.log() - sigma.log()
    before: tuple[Tensor, Tensor] | None = None  # the x0-hat of the step before, and its h
    for t, s in pairwise([*reversed(tau), 0]):
        x0, eps, _, _ = denoiser(x, t)
        h = lambda_[s] - lambda_[t]
        D = x0
        if before is not None and s > 0:
            x0_before, h_before = before
            D = x0 + 0.5 * h / h_before * (x0 - x0_before)
        x = sigma[s] / sigma[t] * x - alpha[s] * torch.expm1(-h) * D
        before = x0, h
        if callback:
            callback(Step(t, s, x, x0, eps))
    return x
