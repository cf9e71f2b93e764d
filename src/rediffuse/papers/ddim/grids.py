"""What each of some latents becomes at every number of steps and every eta: not in the paper, which shows two of them (Figures 3 and 5)."""

import numpy as np
import torch
from numpy.typing import NDArray

from rediffuse.files import write_arrays
from rediffuse.papers.ddim.common import options_of
from rediffuse.paths import Layout
from rediffuse.resume import each
from rediffuse.runs import load_run
from rediffuse.samplers.ddim import SIGMA_HAT
from rediffuse.samplers.noise import SampleNoise
from rediffuse.sampling import Cell, draw


def grid(layout: Layout, device: torch.device) -> None:
    """`images` of shape (steps, etas, latents, C, R, R), the same latent and, at one S, the same noise throughout; `latents`, the x_T."""
    options = options_of(layout).grid
    assert options
    loaded = load_run(layout.weights(options.run), device, layout.preset.runs[options.run])

    def drawn(cell: Cell) -> NDArray[np.float32]:
        return draw(loaded, cell, range(options.columns), device).float().cpu().numpy()

    cells = [Cell(S, eta, "linear", options.seed, clip=eta == SIGMA_HAT) for S in options.steps for eta in options.eta]
    images = np.stack(each(drawn, cells, len(cells), "grid", options.columns))
    latents = SampleNoise(options.seed, range(options.columns), loaded.about.shape)().numpy()
    write_arrays(
        layout.artifact("ddim", "grid.npz"),
        {
            "steps": np.array(options.steps),
            "eta": np.array([str(eta) for eta in options.eta]),
            "latents": latents,
            "images": images.reshape(len(options.steps), len(options.eta), *latents.shape),
        },
    )
