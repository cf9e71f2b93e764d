"""Bounds on the entropy of a reverse step, known without a network (Sohl-Dickstein et al. 2015, eq. 24 = eq. 36). In nats.

    H_q(X^t|X^{t-1}) + H_q(X^{t-1}|X^0) - H_q(X^t|X^0)  <=  H_q(X^{t-1}|X^t)  <=  H_q(X^t|X^{t-1})

By Bayes H_q(X^{t-1}|X^t) = H_q(X^t|X^{t-1}) + H_q(X^{t-1}) - H_q(X^t). The lower bound says that X^t knows no more of X^0 than X^{t-1}
does, and always holds. The upper bound says that the entropy of X^t does not fall with t. The divergence of q(x_t) from pi never grows,
so that is sure where E_q[log pi(x_t)] is constant in t, and not otherwise: for the binomial process the data's mean has to be the base
rate r, for the Gaussian one E|x|^2 = D, after one scalar mean is subtracted and one scalar deviation divided out. The paper calls the
binomial bound "always" true, which holds for r = 1/2; bits with r = 0.2 and a mean of 0.5 break it (tests/test_entropy.py).
"""

import math

import torch
from torch import Tensor

from rediffuse.processes.binomial import BinomialProcess
from rediffuse.processes.gaussian import GaussianProcess


def gaussian_bounds(process: GaussianProcess) -> tuple[Tensor, Tensor]:
    """(lower, upper) of H_q(X^{t-1}|X^t) per dimension by t, each of shape (T + 1,), nan at t = 0 and a lower bound of -inf at t = 1.

    They are the entropies of the two fixed variances of Ho et al. 2020: 0.5 log(2 pi e beta_tilde_t) and 0.5 log(2 pi e beta_t).
    """
    return _nan_at_0(_normal_entropy(process.beta_tilde)), _nan_at_0(_normal_entropy(process.beta))


def binomial_bounds(process: BinomialProcess, mean: Tensor) -> tuple[Tensor, Tensor]:
    """(lower, upper) of H_q(X^{t-1}|X^t) by t, summed over the bits, each of shape (T + 1,), nan at t = 0.

    mean, of shape (D,), is E x_0 of each bit: the bounds need nothing else of the data, and the upper one is sure where its average
    over the bits is r.
    """
    mean = mean.double()
    before = process.alpha_bar[:-1, None] * mean + (1 - process.alpha_bar[:-1, None]) * process.rate
    if_off, if_on = (binary_entropy(process.alpha[1:] * x + process.beta[1:] * process.rate) for x in (0, 1))
    forward = (before * if_on[:, None] + (1 - before) * if_off[:, None]).sum(1)
    if_off, if_on = (binary_entropy(process.alpha_bar * x + (1 - process.alpha_bar) * process.rate) for x in (0, 1))
    given_x0 = (mean * if_on[:, None] + (1 - mean) * if_off[:, None]).sum(1)
    upper = torch.cat([forward[:1], forward])
    return _nan_at_0(upper + given_x0.roll(1) - given_x0), _nan_at_0(upper)


def binary_entropy(p: Tensor) -> Tensor:
    """The entropy of B(p) per element, in nats; 0 at p = 0 and p = 1."""
    return -torch.xlogy(p, p) - torch.xlogy(1 - p, 1 - p)


def _normal_entropy(variance: Tensor) -> Tensor:
    return 0.5 * torch.log(2 * math.pi * math.e * variance)


def _nan_at_0(values: Tensor) -> Tensor:
    """No step leads to t = 0."""
    return torch.cat([torch.full_like(values[:1], torch.nan), values[1:]])
