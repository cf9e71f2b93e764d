"""Training objectives. Each takes (denoiser, x_0, t, eps) and returns the mean over the batch of one number an example."""

from torch import Tensor

from rediffuse.processes import binomial
from rediffuse.processes.bounds import Decoder, bits_per_dim, l_T, vlb_term
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


def bound_of_rates(denoiser: Denoiser, decoder: Decoder, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """As `bound`, with each term's share of L_T, which matters where beta is learned too (Sohl-Dickstein et al. 2015, section 2.4.1).

    The noise is frozen: x_t is made of eps, which does not depend on beta, so the gradient reaches every beta_s with s <= t. t: in 2..T.
    """
    share = l_T(denoiser.process, x0) / (denoiser.process.T - 1)
    return bits_per_dim(vlb_term(denoiser, decoder, x0, t, eps) + share, x0[0].numel()).mean()


def binomial_bound(denoiser: binomial.BinomialDenoiser, x0: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """As `bound`, of a binomial process; u is uniform on [0, 1)."""
    return bits_per_dim(binomial.vlb_term(denoiser, x0, t, u), x0[0].numel()).mean()
