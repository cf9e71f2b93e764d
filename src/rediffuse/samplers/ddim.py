"""The generalised sampler of Song et al. 2020: DDIM at eta = 0, DDPM at eta = 1, and the sigma-hat of their Table 1."""

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


def noise_scales(alpha_bar: Tensor, t: int, s: int, eta: Eta) -> tuple[Tensor, Tensor]:
    """(sigma of the direction term, sigma of the noise) of the step from t to s < t, as 0-d tensors.

    They differ for sigma-hat alone. sigma: eq. 16; sigma-hat = sqrt(1 - alpha_bar_t / alpha_bar_s): appendix D.3.
    """
    sigma_hat = (1 - alpha_bar[t] / alpha_bar[s]).sqrt()
    sigma_1 = ((1 - alpha_bar[s]) / (1 - alpha_bar[t])).sqrt() * sigma_hat
    if eta == SIGMA_HAT:
        return sigma_1, sigma_hat
    return float(eta) * sigma_1, float(eta) * sigma_1
