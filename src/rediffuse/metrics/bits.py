"""The variational bound of a trained run on data, by an unbiased estimate that is stratified over t."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.processes import binomial
from rediffuse.processes.bounds import Decoder, l_T, vlb_term
from rediffuse.processes.denoiser import Reverse
from rediffuse.resume import fold

Array = NDArray[np.float64]
BIT = math.log(2)
"""Nats in a bit."""


@dataclass(frozen=True)
class Bound:
    """The parts of the bound on -log p(x_0), one entry an example, in nats."""

    l_T: Array
    between: Array
    """The sum over t = 2..T of L_{t-1}: an unbiased estimate."""
    l_0: Array

    def bits(self) -> Array:
        """The bound of each example, in bits."""
        return (self.l_T + self.between + self.l_0) / BIT


def mean_and_error(values: Array) -> tuple[float, float]:
    """The mean over examples and its standard error; for estimates that of the draws of t and noise is in it."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def share_and_error(hits: NDArray[np.bool_]) -> tuple[float, float]:
    """How large a part of them is True, and its standard error by Agresti and Coull, which is not 0 where all of them are."""
    n = len(hits)
    near = (hits.sum() + 2) / (n + 4)
    return float(hits.mean()), math.sqrt(near * (1 - near) / (n + 4))


def variational_bound(denoiser: Reverse, decoders: Mapping[str, Decoder], x0: Tensor, strata: int, seed: int) -> dict[str, Bound]:
    """The bound for each example of x0, shape (N, ...), one fresh noise a term, for each decoder on the same draws.

    The sum over t is `stratified`. L_0 (at t = 1) is always evaluated, L_T in closed form.
    """
    generator = torch.Generator().manual_seed(seed)
    first = next(iter(decoders.values()))

    def terms(decoder: Decoder, t: Tensor) -> Array:
        eps = torch.randn(x0.shape, generator=generator)
        return _batched(lambda *part: vlb_term(denoiser, decoder, *part), x0, t, eps)

    between = stratified(lambda t: terms(first, t), denoiser.process.T, len(x0), strata, generator)
    last, eps = torch.ones(len(x0), dtype=torch.long), torch.randn(x0.shape, generator=generator)
    constant = l_T(denoiser.process, x0).double().cpu().numpy()
    l_0 = {name: _batched(lambda *part, d=decoder: vlb_term(denoiser, d, *part), x0, last, eps) for name, decoder in decoders.items()}
    return {name: Bound(constant, between, value) for name, value in l_0.items()}


def binomial_bound(denoiser: binomial.BinomialDenoiser, x0: Tensor, strata: int, seed: int) -> Bound:
    """The bound of a binomial process for each example of x0, shape (N, D), 0 or 1; each term's divergence is exact given its x_t."""
    generator = torch.Generator().manual_seed(seed)

    def terms(t: Tensor) -> Array:
        u = torch.rand(x0.shape, generator=generator)
        return _batched(lambda *part: binomial.vlb_term(denoiser, *part), x0, t, u)

    between = stratified(terms, denoiser.process.T, len(x0), strata, generator)
    l_0 = terms(torch.ones(len(x0), dtype=torch.long))
    return Bound(binomial.l_T(denoiser.process, x0).double().cpu().numpy(), between, l_0)


def stratified(terms: Callable[[Tensor], Array], T: int, n: int, strata: int, generator: torch.Generator) -> Array:
    """An unbiased estimate of the sum over t = 2..T of terms(t), for each of n examples; terms is given one time an example.

    2..T is cut into `strata` runs whose ends grow quadratically, as the terms are largest and vary most where t is small; each example
    is evaluated at one uniformly drawn t of each run, weighted by the run's length. The full sum of DDPM's published protocol where
    strata = T - 1.
    """
    edges = [2 + max(k, (T - 1) * k**2 // strata**2) for k in range(strata + 1)]

    def add(total: Array, ends: tuple[int, int]) -> Array:
        low, high = ends
        return total + (high - low) * terms(torch.randint(low, high, (n,), generator=generator))

    return fold(add, np.zeros(n), pairwise(edges), strata, "bound", n, "terms", generator)


@torch.inference_mode()
def _batched(term: Callable[..., Tensor], x0: Tensor, t: Tensor, noise: Tensor, batch: int = 1024) -> Array:
    parts = zip(x0.split(batch), t.to(x0.device).split(batch), noise.to(x0.device).split(batch), strict=True)
    return torch.cat([term(*part) for part in parts]).double().cpu().numpy()
