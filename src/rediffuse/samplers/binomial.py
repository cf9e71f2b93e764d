"""Ancestral sampling of the binomial diffusion: one draw of B(f_b) for every t (Sohl-Dickstein et al. 2015, Table App.1)."""

from collections.abc import Callable

import torch
from torch import Tensor

from rediffuse.processes.binomial import BinomialReverse


@torch.inference_mode()
def sample(
    denoiser: BinomialReverse,
    x_T: Tensor,
    uniform: Callable[[], Tensor],
    callback: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """x_0 from x_T through all T steps; the step to x_0 is a draw as well, since its kernel is a random one (eq. 44).

    uniform() gives tensors of x_T's shape, uniform on [0, 1); callback(t - 1, x_{t-1}) is called after each step.
    """
    x = x_T
    for t in range(denoiser.process.T, 0, -1):
        x = (uniform() < denoiser(x, t).prob).to(x_T.dtype)
        if callback:
            callback(t - 1, x)
    return x
