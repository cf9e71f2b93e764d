"""In-painting by a chain whose known values are always as noisy as the rest of it (Lugmayr et al. 2022, "RePaint")."""

from collections.abc import Callable

import torch
from torch import Tensor

from rediffuse.processes.denoiser import Reverse
from rediffuse.processes.gaussian import at
from rediffuse.processes.products import noised_delta


@torch.inference_mode()
def sample(denoiser: Reverse, x_T: Tensor, known: Tensor, mask: Tensor, noise: Callable[[], Tensor], rounds: int) -> Tensor:
    """x_0 that agrees with `known` exactly where mask is True, from x_T through all T steps, each of them made `rounds` times.

    Every round makes x_{t-1} of x_t, the known values being a draw of q(x_{t-1} | known), and then diffuses all of it back to x_t. One
    round is not enough: the rest has then seen each draw of the known values once, and follows them too weakly (two values of correlation
    0.8, one known to be 1.5: the other's mean is 0.75, with ten rounds 1.15, and p r has 1.2). As the rounds grow the chain samples p(x_0 |
    known values): at small t the known values are hardly noisy, and the rounds are a Markov chain in the rest of x.
    """
    process, r = denoiser.process, noised_delta(denoiser.process, known, mask, noise)
    x = torch.where(mask, process.q_sample(known, process.T, noise()), x_T)
    for t in range(process.T, 0, -1):
        for again in range(rounds - 1 if t > 1 else 0, -1, -1):
            prediction = denoiser(x, t)
            mean, variance = r(prediction.mean, prediction.variance, t - 1)
            before = mean + variance.sqrt() * noise() if t > 1 else mean
            x = at(process.alpha.sqrt(), t, x) * before + at(process.beta.sqrt(), t, x) * noise() if again else before
    return x
