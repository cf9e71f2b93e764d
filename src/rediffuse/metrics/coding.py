"""Progressive coding: the bits that each step of the bound costs, and how far x0-hat still is from x_0 (Ho et al. 2020, section 4.3)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.metrics.bits import BIT
from rediffuse.processes.bounds import Decoder, l_T, term_of
from rediffuse.processes.denoiser import Reverse
from rediffuse.resume import each

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coding:
    """Of N examples and every t: bits an example, and squared errors of x0-hat a dimension, in the units of x."""

    prior: Array
    """L_T, shape (N,)."""
    terms: Array
    """Row t - 1 is L_{t-1}, shape (T, N): the first is L_0, what the decoder p(x_0 | x_1) costs."""
    error: Array
    """Row t - 1 is |x_0 - x0-hat(x_t)|^2 / D, shape (T, N)."""

    @property
    def rate(self) -> Array:
        """Row t - 1: the bits of each example that are received when x_t is, L_T + L_{T-1} + ... + L_t; L_T alone at t = T."""
        rest = np.vstack([np.zeros_like(self.prior), self.terms[:0:-1].cumsum(0)])[::-1]
        received: Array = self.prior + rest
        return received

    @property
    def bits(self) -> Array:
        """The whole bound of each example: what is received at t = 1, and L_0."""
        return self.rate[0] + self.terms[0]


@torch.inference_mode()
def code(denoiser: Reverse, decoder: Decoder, x0: Tensor, seed: int, what: str) -> Coding:
    """All terms of the bound on x0 of shape (N, C, ...), one fresh noise each, as DDPM's published code evaluates them."""
    generator = torch.Generator().manual_seed(seed)
    process = denoiser.process

    def at(t: int) -> tuple[Array, Array]:
        eps = torch.randn(x0.shape, generator=generator).to(x0.device)
        times = torch.full((len(x0),), t, device=x0.device)
        x_t = process.q_sample(x0, t, eps)
        prediction = denoiser(x_t, times)
        term = term_of(prediction, process, decoder, x0, x_t, times).double().cpu().numpy() / BIT
        return term, (x0 - prediction.x0).square().flatten(1).mean(1).double().cpu().numpy()

    rows = each(at, range(1, process.T + 1), process.T, what, unit="steps", draws=generator)
    terms, error = (np.stack(row) for row in zip(*rows, strict=True))
    return Coding(l_T(process, x0).double().cpu().numpy() / BIT, terms, error)
