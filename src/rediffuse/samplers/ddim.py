"""The generalised sampler of Song et al. 2020: DDIM at eta = 0, DDPM at eta = 1, the sigma-hat of their Table 1; and DDIM's encoder."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rediffuse.processes.denoiser import Denoiser

SIGMA_HAT: Literal["sigma-hat"] = "sigma-hat"
Eta = float | Literal["sigma-hat"]


class Step(NamedTuple):
    """What a callback sees after each step: x is now x_s; x0 and eps were predicted at x_t."""

    t: int
    s: int
    x: Tensor
    x0: Tensor
    eps: Tensor


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    x_T: Tensor,
    tau: Sequence[int],
    eta: Eta,
    noise: Callable[[], Tensor],
    callback: Callable[[Step], None] | None = None,
) -> Tensor:
    """x_0 from x_T along tau, an increasing sub-sequence of 1..T (eq. 12).

    eta scales the noise of eq. 16; "sigma-hat" keeps the mean of eta = 1 and widens only the noise (appendix D.3), except on the
    step to x_0, as released. noise() gives standard normal tensors of x_T's shape, and is called only where noise is added.
    """
    x = x_T
    for t, s in zip(reversed(tau), [*reversed(tau[:-1]), 0], strict=True):
        x0, eps, _, _ = denoiser(x, t)
        sigma, sigma_noise = noise_scales(denoiser.process.alpha_bar, t, s, eta)
        alpha_bar_s = denoiser.process.alpha_bar[s]
        x = alpha_bar_s.sqrt() * x0 + (1 - alpha_bar_s - sigma**2).clamp(min=0).sqrt() * eps
        if s > 0 and eta != 0:
            x = x + sigma_noise * noise()
        if callback:
            callback(Step(t, s, x, x0, eps))
    return x


@torch.inference_mode()
def encode(denoiser: Denoiser, x0: Tensor, tau: Sequence[int], callback: Callable[[Step], None] | None = None) -> Tensor:
    """x_T of x_0: DDIM's ordinary differential equation (eq. 13 and 14) the other way, from 0 along tau, by as many steps.

    Each step from t to s > t takes eps at where it starts, as the decoder does at its own; at t = 0, which no network was trained on, it
    is eps(x_0, 1). x_0 is never thrown away: eq. 9 gives it back exactly at t = 0, where alpha_bar is 1. There is no noise to draw: the
    sampler with eta > 0 has no inverse.
    """
    x, process = x0, denoiser.process
    for t, s in zip([0, *tau[:-1]], tau, strict=True):
        eps = denoiser(x, max(t, 1)).eps
        x0_hat = process.x0_from_eps(x, t, eps)
        x = process.q_sample(x0_hat, s, eps)
        if callback:
            callback(Step(t, s, x, x0_hat, eps))
    return x


def noise_scales(alpha_bar: Tensor, t: int, s: int, eta: Eta) -> tuple[Tensor, Tensor]:
    """(sigma of the direction term, sigma of the noise) of the step from t to s < t, as 0-d tensors.

    They differ for sigma-hat alone. sigma: eq. 16; sigma-hat = sqrt(1 - alpha_bar_t / alpha_bar_s): appendix D.3.
    """
    sigma_hat = (1 - alpha_bar[t] / alpha_bar[s]).sqrt()
    sigma_1 = ((1 - alpha_bar[s]) / (1 - alpha_bar[t])).sqrt() * sigma_hat
    if eta == SIGMA_HAT:
        return sigma_1, sigma_hat
    return float(eta) * sigma_1, float(eta) * sigma_1
