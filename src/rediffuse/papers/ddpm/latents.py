"""Figures 7, 8 and 9: images that share an x_t, and interpolations in it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.files import write_arrays
from rediffuse.papers.ddpm.common import denoiser_of, options_of
from rediffuse.paths import Layout
from rediffuse.processes.denoiser import Reverse
from rediffuse.resume import each
from rediffuse.samplers import ancestral
from rediffuse.samplers.ddim import Step
from rediffuse.samplers.noise import SampleNoise

SHARING = 8
"""Images that share an x_t."""
LAMBDAS = [k / 10 for k in range(11)]


def fig7(layout: Layout, device: torch.device) -> None:
    """One chain is followed from x_T to each t, and from its x_t on continued with as many streams of noise as there are columns."""
    options = options_of(layout).fig7
    assert options
    denoiser, data = denoiser_of(layout, options.run, device)
    noise = SampleNoise(options.seed, [0], data.shape, device)
    chain = {denoiser.process.T: noise()}

    def keep(step: Step) -> None:
        chain[step.s] = step.x

    ancestral.sample(denoiser, chain[denoiser.process.T], noise, keep)
    shared = torch.cat([chain[t] for t in options.t])

    def continued(t: int) -> NDArray[np.float32]:
        own = SampleNoise(options.seed, range(1, SHARING + 1), data.shape, device)
        return ancestral.sample(denoiser, chain[t].expand(SHARING, *data.shape), own, start=t).cpu().numpy()

    ends = each(continued, options.t, len(options.t), "figure 7", SHARING)
    arrays = {"t": np.array(options.t), "shared": shared.cpu().numpy(), "ends": np.stack(ends)}
    write_arrays(layout.artifact("ddpm", "fig7.npz"), arrays)


def fig8(layout: Layout, device: torch.device) -> None:
    """Pairs of test images: diffused to x_t, mixed in tenths, decoded."""
    options = options_of(layout).fig8
    assert options
    denoiser, data = denoiser_of(layout, options.run, device)
    x = torch.from_numpy(data.x("test")[: 2 * options.pairs]).to(device)

    def mixed(k: int) -> NDArray[np.float32]:
        return interpolate(denoiser, x[2 * k], x[2 * k + 1], options.t, LAMBDAS, options.seed + k).cpu().numpy()

    pairs = each(mixed, range(len(x) // 2), len(x) // 2, "figure 8", len(LAMBDAS))
    arrays = {"source": x.cpu().numpy().reshape(-1, 2, *data.shape), "mixed": np.stack(pairs)}
    write_arrays(layout.artifact("ddpm", "fig8.npz"), arrays)


def fig9(layout: Layout, device: torch.device) -> None:
    """One pair at several t: the more steps, the coarser what is mixed."""
    options = options_of(layout).fig9
    assert options
    denoiser, data = denoiser_of(layout, options.run, device)
    x = torch.from_numpy(data.x("test")[:2]).to(device)

    def mixed(t: int) -> NDArray[np.float32]:
        return interpolate(denoiser, x[0], x[1], t, LAMBDAS, options.seed).cpu().numpy()

    arrays = {
        "t": np.array(options.t),
        "source": x.cpu().numpy(),
        "mixed": np.stack(each(mixed, options.t, len(options.t), "figure 9", len(LAMBDAS))),
    }
    write_arrays(layout.artifact("ddpm", "fig9.npz"), arrays)


def interpolate(denoiser: Reverse, a: Tensor, b: Tensor, t: int, lambdas: Sequence[float], seed: int) -> Tensor:
    """x_0 ~ p(x_0 | (1 - lambda) x_t + lambda x'_t) of each lambda, x_t ~ q(x_t | a) and x'_t ~ q(x'_t | b): (lambdas, C, R, R).

    The noise, of the diffusion and of the decoding, is the same for every lambda (Ho et al. 2020, section 4.4, which prints the mixed
    latent with the symbols of x_0).
    """
    noise = SampleNoise(seed, [0] * len(lambdas), a.shape, a.device)
    eps = noise()[:1]
    x_a, x_b = (denoiser.process.q_sample(x[None], t, eps) for x in (a, b))
    mixed = torch.cat([(1 - share) * x_a + share * x_b for share in lambdas])
    return ancestral.sample(denoiser, mixed, noise, start=t)
