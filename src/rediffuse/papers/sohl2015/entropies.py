"""The entropy bounds of eq. 24 at every t, with the exact entropy of the reverse step and the model's own."""

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rediffuse.metrics.bits import BIT, mean_and_error
from rediffuse.papers.sohl2015.common import generator_of, loaded, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import entropy as entropies
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.resume import each
from rediffuse.runs import LoadedRun


@torch.inference_mode()
def entropy(layout: Layout, device: torch.device) -> None:
    """The bounds on H_q(X^{t-1} | X^t), its exact value and the model's H_p at every t, in bits.

    `condition` says whether E_q[log pi] is constant in t, without which the upper bound is none. How far the exact value lies from each
    bound stands in columns of its own: where the bounds are close, six digits of the three do not tell.
    """
    options = options_of(layout).entropy
    assert options
    frames = []
    for name in options.runs:
        run, data = loaded(layout, name, device)
        generator, process = generator_of(layout, name), run.process
        x0 = torch.from_numpy(np.resize(data.x("test"), (options.n, *data.shape))).to(device)
        alpha_bar = process.alpha_bar.tolist()
        if isinstance(process, GaussianProcess):
            lower, upper = (bounds.cpu().numpy() * data.dims for bounds in entropies.gaussian_bounds(process))
            h = np.array([generator.entropy(a) for a in alpha_bar])
            condition = True  # the swiss roll is scaled to E|x|^2 = D
        else:
            mean = torch.from_numpy(generator.sequences().mean(0))
            lower, upper = (bounds.cpu().numpy() for bounds in entropies.binomial_bounds(process.to("cpu"), mean))
            h = np.array([generator.entropy(a, process.rate) for a in alpha_bar])
            condition = abs(float(mean.mean()) - process.rate) < 1e-9
        rows = []
        for t, (model, error) in enumerate(_own(run, x0, options.seed, f"entropies of {name}"), 1):
            exact = upper[t] + h[t - 1] - h[t]
            bits = {
                "lower": lower[t],
                "exact": exact,
                "upper": upper[t],
                "exact - lower": exact - lower[t],
                "upper - exact": upper[t] - exact,
            }
            rows.append({"t": t} | {key: value / BIT for key, value in bits.items()} | {"model": model, "model_sd": error})
        frames.append(pd.DataFrame(rows).assign(dataset=data.name, run=name, condition=condition, n=options.n))
    table = pd.concat(frames)
    write(layout.artifact("sohl2015", "entropy.csv"), table[["dataset", "run", "condition", *[c for c in table if c in rows[0]], "n"]])


def _own(run: LoadedRun, x0: Tensor, seed: int, what: str) -> list[tuple[float, float]]:
    """The mean entropy of the model's step from x_t, in bits, and its standard error, at t = 1..T."""
    process, draws = run.process, torch.Generator().manual_seed(seed)

    def at(t: int) -> tuple[float, float]:
        if isinstance(process, GaussianProcess):
            x_t = process.q_sample(x0, t, torch.randn(x0.shape, generator=draws).to(x0))
            own = _normal(run.reverse()(x_t, t).variance.expand(x0.shape))
        else:
            x_t = process.q_sample(x0, t, torch.rand(x0.shape, generator=draws).to(x0))
            own = entropies.binary_entropy(run.binomial_denoiser()(x_t, t).prob)
        return mean_and_error(own.sum(1).cpu().numpy() / BIT)

    return each(at, range(1, run.T + 1), run.T, what, unit="steps", draws=draws)


def _normal(variance: Tensor) -> Tensor:
    """The entropy of a normal distribution per element, in nats."""
    return 0.5 * torch.log(2 * math.pi * math.e * variance.double())
