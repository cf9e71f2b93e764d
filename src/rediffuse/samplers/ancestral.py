"""DDPM's sampler: one draw from p(x_{t-1} | x_t) for every t (Ho et al. 2020, algorithm 2)."""

from collections.abc import Callable

import torch
from torch import Tensor

from rediffuse.processes.denoiser import Reverse
from rediffuse.samplers.ddim import Step


@torch.inference_mode()
def sample(
    denoiser: Reverse, x_T: Tensor, noise: Callable[[], Tensor], callback: Callable[[Step], None] | None = None, start: int | None = None
) -> Tensor:
    """x_0 from x_T through all T steps, with the denoiser's own variance; no noise is added on the step to x_0.

    noise() gives standard normal tensors of x_T's shape. start: the time of the first tensor, where it is not T.
    """
    x = x_T
    for t in range(denoiser.process.T if start is None else start, 0, -1):
        x0, eps, mean, variance = denoiser(x, t)
        x = mean + variance.sqrt() * noise() if t > 1 else mean
        if callback:
            callback(Step(t, t - 1, x, x0, eps))
    return x
