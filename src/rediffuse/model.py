"""A trained run outside the pipeline: rediffuse.load("digits").sample(64, steps=50)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.device import pick
from rediffuse.errors import UserError
from rediffuse.paths import Layout
from rediffuse.presets import load_preset, preset_path
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.progress import track
from rediffuse.runs import LoadedRun, load_run
from rediffuse.samplers import ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.slerp import slerp
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import SOLVERS, Cell, draw

Images = NDArray[np.float32]
RULES = (ddim.SIGMA_HAT, *SOLVERS)


@dataclass(frozen=True)
class Model:
    """A run, its process Gaussian, on a device. Images are float32 of shape (n, C, R, R), or (n, D), as the network sees data."""

    loaded: LoadedRun
    device: torch.device
    batch: int = 100
    """Images at a time; it changes no sample, but for rounding."""

    def sample(self, n: int, steps: int = 50, eta: float | str = 0.0, seed: int = 0, tau: str = "linear") -> Images:
        """n samples along tau; sample i of a seed is the same for every n, and starts from the same latent for every eta and tau.

        eta: 0 (DDIM) to 1 (DDPM), "sigma-hat", or another solver: "probability-flow", "dpm-solver++". x0-hat is clipped for sigma-hat
        alone, as released. Raises UserError for an eta or steps that are not.
        """
        self._check(n=n, seed=seed)
        if eta not in RULES and not (isinstance(eta, float | int) and 0 <= eta <= 1):
            raise UserError(f"eta: found {eta!r}; expected 0 to 1, or one of {', '.join(RULES)}")
        self._tau(steps, tau)
        cell = Cell(steps, eta, tau, seed, clip=eta == ddim.SIGMA_HAT)
        starts = range(0, n, self.batch)
        parts = [
            draw(self.loaded, cell, range(start, min(start + self.batch, n)), self.device).float().cpu().numpy()
            for start in track(starts, len(starts), "sample", min(n, self.batch))
        ]
        return np.concatenate(parts)

    def encode(self, x: Images, steps: int = 50, tau: str = "linear") -> Images:
        """The latents x_T of images. Raises UserError for images of another shape, or steps that are not."""
        shape = self.loaded.about.shape
        if x.shape[1:] != shape or not len(x) or not np.isfinite(x).all():
            raise UserError(f"images: found shape {x.shape}; expected finite numbers of shape (n, {', '.join(map(str, shape))})")
        return self._in_batches(x, lambda part: ddim.encode(self._denoiser, part, self._tau(steps, tau)), "encode")

    def decode(self, x_T: Images, steps: int = 50, tau: str = "linear") -> Images:
        """The images of latents, by DDIM (eta = 0)."""
        no_noise = SampleNoise(0, [], self.loaded.about.shape)
        return self._in_batches(x_T, lambda part: ddim.sample(self._denoiser, part, self._tau(steps, tau), 0.0, no_noise), "decode")

    def interpolate(self, lines: int = 4, points: int = 11, steps: int = 50, seed: int = 0) -> Images:
        """Images along lines on the sphere between two latents each, shape (lines, points, ...): slerp, decoded by DDIM."""
        self._check(lines=lines, points=points - 1, seed=seed)
        shape = self.loaded.about.shape
        ends = SampleNoise(seed, range(2 * lines), shape)()
        latents = slerp(ends[::2], ends[1::2], [k / (points - 1) for k in range(points)]).transpose(0, 1).flatten(0, 1)
        return self.decode(latents.numpy(), steps).reshape(lines, points, *shape)

    @property
    def _denoiser(self) -> Any:
        return self.loaded.denoiser()

    def _in_batches(self, x: Images, function: Any, what: str) -> Images:
        parts: list[Tensor] = []
        starts = range(0, len(x), self.batch)
        for start in track(starts, len(starts), what, min(len(x), self.batch)):
            part = torch.from_numpy(np.ascontiguousarray(x[start : start + self.batch], dtype=np.float32)).to(self.device)
            parts.append(function(part).float().cpu())
        return torch.cat(parts).numpy()

    def _tau(self, steps: int, tau: str) -> list[int]:
        if tau not in SUBSEQUENCES:
            raise UserError(f"tau: found {tau!r}; expected one of {', '.join(SUBSEQUENCES)}")
        if not 1 <= steps <= self.loaded.T:
            raise UserError(f"steps: found {steps}; expected 1 to {self.loaded.T}, the steps of its chain")
        return SUBSEQUENCES[tau](self.loaded.T, steps)

    @staticmethod
    def _check(seed: int, **counts: int) -> None:
        for name, value in counts.items():
            if value < 1:
                raise UserError(f"{name}: found {value}; expected at least 1")
        if not 0 <= seed < 2**32:
            raise UserError(f"seed: found {seed}; expected 0 to {2**32 - 1}")


def load(run: str, preset: str = "laptop", device: str = "auto") -> Model:
    """A trained run of a preset, from results/ below the current folder. Raises UserError if it is not there, or no Gaussian diffusion."""
    path = preset_path(preset)
    layout = Layout(path.stem, load_preset(path))
    if run not in layout.preset.runs:
        raise UserError(f"run: found {run!r}; expected one of {', '.join(layout.preset.runs)}")
    where = pick(device)
    loaded = load_run(layout.weights(run), where, layout.preset.runs[run])
    if not isinstance(loaded.process, GaussianProcess):
        raise UserError(f"run: found {run!r}, a binomial diffusion; expected a Gaussian one")
    return Model(loaded, where)
