"""K of the 2015 paper and DDPM's L are one bound: both on one model and the same images, part by part. (Ours; no paper has this table.)"""

import math

import pandas as pd
import torch
from torch import Tensor

from rediffuse.metrics.bits import BIT, Array, Bound, mean_and_error, variational_bound
from rediffuse.papers.ddpm.common import denoiser_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes.bounds import discretised_decoder, edge_decoder, log_prior
from rediffuse.processes.gaussian import GaussianProcess


def bounds(layout: Layout, device: torch.device) -> None:
    """The parts of -L on test images with both papers' decoders, K by its own equation, and what is between them."""
    options = options_of(layout).bounds
    assert options
    denoiser, data = denoiser_of(layout, options.run, device)
    assert data.levels
    x0 = torch.from_numpy(data.x("test")[: options.n]).to(device)
    process = denoiser.process
    decoders = {"edge": edge_decoder(process), "discretised": discretised_decoder(data.levels)}
    both = variational_bound(denoiser, decoders, x0, min(options.strata, process.T - 1), options.seed)
    about = {"dataset": data.name, "run": options.run, "T": process.T, "n": len(x0), "unit": "bits/dim"}
    rows = []
    for metric, bits in parts(both["edge"], both["discretised"], process, x0).items():
        value, error = mean_and_error(bits / data.dims)
        rows.append(about | {"metric": metric, "value": value, "sd": error})
    write(layout.measurements("ddpm", "bounds"), pd.DataFrame(rows))


def parts(edge: Bound, discretised: Bound, process: GaussianProcess, x0: Tensor) -> dict[str, Array]:
    """Every part of the two bounds for each example, in bits."""
    K = k_of_2015(edge.between, process, x0)
    moment = mean_square(process, x0)
    return {
        "L_T": edge.l_T / BIT,
        "L_1 + ... + L_{T-1}": edge.between / BIT,
        "L_0, forward kernel as decoder (2015)": edge.l_0 / BIT,
        "L_0, discretised decoder (DDPM)": discretised.l_0 / BIT,
        "-L, forward kernel as decoder": -edge.bits(),
        "-L, discretised decoder": -discretised.bits(),
        "K (2015, eq. 14)": K,
        "-L less K": -edge.bits() - K,
        "mean square": moment,
        "-L less K less mean square": -edge.bits() - K - moment,
    }


def k_of_2015(between: Array, process: GaussianProcess, x0: Tensor) -> Array:
    """K = -sum_{t=2..T} KL + H_q(X^T | X^0) - H_q(X^1 | X^0) - H_p(X^T) of each example, in bits (Sohl-Dickstein et al. 2015, eq. 14).

    between: the sum of the divergences, in nats.
    """
    D = x0[0].numel()
    at_T, at_1 = float(1 - process.alpha_bar[-1]), float(process.beta[1])
    entropies = [D / 2 * math.log(2 * math.pi * math.e * variance) for variance in (at_T, at_1, 1.0)]
    K: Array = (entropies[0] - entropies[1] - entropies[2] - between) / BIT
    return K


def mean_square(process: GaussianProcess, x0: Tensor) -> Array:
    """What eq. 14 leaves out in bits: it takes the cross entropies to N(0, I) at t = 0, 1 and T for that of noise, which they are where
    the mean of x_0^2 is 1.

    Exact for each example: E log pi(x_T) + H_p(X^T) + log pi(x_0) - E log pi(x_1).
    """
    D, squares = x0[0].numel(), x0.double().square().flatten(1).sum(1)

    def cross(t: int) -> Tensor:
        bar = process.alpha_bar[t]
        return -0.5 * (bar * squares + (1 - bar) * D + D * math.log(2 * math.pi))

    noise = D / 2 * math.log(2 * math.pi * math.e)
    nats = cross(process.T) + noise + log_prior(x0.double()) - cross(1)
    bits: Array = nats.cpu().numpy() / BIT
    return bits
