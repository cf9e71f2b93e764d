"""The variational bound of a trained run on data, by an unbiased estimate that is stratified over t."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.processes.bounds import Decoder, l_T, vlb_term
from rediffuse.processes.denoiser import Denoiser

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """The parts of the bound on -log p(x_0), one entry an example, in nats."""

    l_T: Array
    between: Array
    """The sum over t = 2..T of L_{t-1}: an unbiased estimate."""
    l_0: Array

    def bits(self) -> Array:
        """The bound of each example, in bits."""
        return (self.l_T + self.between + self.l_0) / math.log(2)


def mean_and_error(values: Array) -> tuple[float, float]:
    """The mean over examples and its standard error; for estimates that of the draws of t and noise is in it."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def variational_bound(denoiser: Denoiser, decoders: Mapping[str, Decoder], x0: Tensor, strata: int, seed: int) -> dict[str, Bound]:
    """The bound for each example of x0, shape (N, ...), one fresh noise a term, for each decoder on the same draws.

    t = 2..T is cut into `strata` runs whose ends grow quadratically, as the terms are largest and vary most where t is small; each
    example is evaluated at one uniformly drawn t of each run, weighted by the run's length. Unbiased, and the full sum of DDPM's
    published protocol at strata = T - 1. L_0 (at t = 1) is always evaluated, L_T in closed form.
    """
    T, N = denoiser.process.T, len(x0)
    edges = [2 + max(k, (T - 1) * k**2 // strata**2) for k in range(strata + 1)]
    generator = torch.Generator().manual_seed(seed)
    first = next(iter(decoders.values()))
    between = np.zeros(N)
    for low, high in pairwise(edges):
        times = torch.randint(low, high, (N,), generator=generator)
        between += (high - low) * _terms(denoiser, first, x0, times, torch.randn(x0.shape, generator=generator))
    last, eps = torch.ones(N, dtype=torch.long), torch.randn(x0.shape, generator=generator)
    constant = l_T(denoiser.process, x0).double().cpu().numpy()
    return {name: Bound(constant, between, _terms(denoiser, decoder, x0, last, eps)) for name, decoder in decoders.items()}


@torch.inference_mode()
def _terms(denoiser: Denoiser, decoder: Decoder, x0: Tensor, t: Tensor, eps: Tensor, batch: int = 1024) -> Array:
    parts = zip(x0.split(batch), t.to(x0.device).split(batch), eps.to(x0.device).split(batch), strict=True)
    return torch.cat([vlb_term(denoiser, decoder, *part) for part in parts]).double().cpu().numpy()
