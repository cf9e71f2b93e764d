"""Training objectives. Each takes (denoiser, x_0, t, eps) and returns the mean over the batch of one number an example."""

from torch import Tensor

from rediffuse.processes.bounds import Decoder, bits_per_dim, vlb_term
from rediffuse.processes.denoiser import Denoiser


def simple(denoiser: Denoiser, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """L_simple: the unweighted squared error of what the network predicts, mean over dimensions (Ho et al. 2020, eq. 14).

    For `mu` it is the unweighted error on mu-tilde of Table 2. x0 and eps: (N, C, ...); t: (N,) in 1..T.
    """
    process = denoiser.process
    x_t = process.q_sample(x0, t, eps)
    prediction = denoiser(x_t, t)
    match denoiser.predicts:
        case "eps":
            error = eps - prediction.eps
        case "x0":
            error = x0 - prediction.x0
        case _:
            error = process.posterior_mean(x0, x_t, t) - prediction.mean
    return error.square().mean()


def bound(denoiser: Denoiser, decoder: Decoder, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """L: one term of the variational bound an example, bits a dimension (Ho et al. 2020, eq. 5; no factor T, as published)."""
    return bits_per_dim(vlb_term(denoiser, decoder, x0, t, eps), x0[0].numel()).mean()
