"""`rediffuse sample`: one shard of a set of samples. A shard is a job; samples do not depend on how they are cut into shards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rediffuse.config import AncestralSamples, Samples, SweepSamples
from rediffuse.errors import UserError
from rediffuse.files import read_arrays, write_arrays
from rediffuse.processes.denoiser import Denoiser
from rediffuse.resume import each
from rediffuse.runs import LoadedRun
from rediffuse.samplers import ancestral, ddim, solvers
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.steps import SUBSEQUENCES

MADE_BY = "rediffuse sample"
SOLVERS: dict[str, Callable[[Denoiser, torch.Tensor, Sequence[int]], torch.Tensor]] = {
    "probability-flow": solvers.probability_flow,
    "dpm-solver++": solvers.dpm_solver_pp,
}


@dataclass(frozen=True)
class Cell:
    """One way to sample: a column of steps and a row of eta in DDIM's Table 1, or DDPM's ancestral sampling."""

    steps: int
    eta: float | str
    """A number, "sigma-hat", the name of a solver, or "ancestral"."""
    tau: str
    seed: int
    clip: bool
    """Whether x0-hat is clipped to [-1, 1]; never of continuous data, which lie beyond."""

    @property
    def key(self) -> str:
        return f"S{self.steps}-{self.eta}-{self.seed}"


def cells(samples: Samples, T: int) -> list[Cell]:
    """The cells of a set of samples."""
    match samples:
        case AncestralSamples(seed=seed):
            return [Cell(T, "ancestral", "linear", seed, clip=True)]
        case SweepSamples(steps=steps, eta=etas, tau=tau, seeds=seeds):
            return [Cell(S, eta, tau, seed, clip=eta == ddim.SIGMA_HAT) for S in steps for eta in etas for seed in seeds]


def chunks(samples: Samples, shard: int) -> list[range]:
    """The indices of a shard's samples, a range a chunk: chunks are dealt to shards in turn, and the last one may be short."""
    starts = range(0, samples.n, samples.chunk)
    return [range(start, min(start + samples.chunk, samples.n)) for start in starts[shard :: samples.shards]]


def draw(loaded: LoadedRun, cell: Cell, indices: Sequence[int], device: torch.device) -> torch.Tensor:
    """The samples of a cell with these indices, shape (len(indices), *shape), as the network sees data."""
    noise = SampleNoise(cell.seed, indices, loaded.about.shape, device)
    x_T = noise()
    if cell.eta == "ancestral":
        return ancestral.sample(loaded.reverse(cell.clip), x_T, noise)
    denoiser, tau = loaded.denoiser(cell.clip), SUBSEQUENCES[cell.tau](loaded.T, cell.steps)
    if cell.eta in SOLVERS:
        return SOLVERS[str(cell.eta)](denoiser, x_T, tau)
    eta: Any = cell.eta
    return ddim.sample(denoiser, x_T, tau, eta, noise)


def sample(samples: Samples, loaded: LoadedRun, shard: int, device: torch.device, path: Path, to_levels: Any, what: str) -> None:
    """Draw a shard of every cell and write it to an .npz file: cell key -> (n, *shape), grey levels where the data have them."""

    def one(part: tuple[Cell, range]) -> NDArray[Any]:
        levels: NDArray[Any] = to_levels(draw(loaded, *part, device).float().cpu().numpy())
        return levels

    parts = [(cell, indices) for cell in cells(samples, loaded.T) for indices in chunks(samples, shard)]
    drawn: dict[str, list[NDArray[Any]]] = {}
    for (cell, _), x in zip(parts, each(one, parts, len(parts), what, samples.chunk), strict=True):
        drawn.setdefault(cell.key, []).append(x)
    write_arrays(path, {key: np.concatenate(those) for key, those in drawn.items()})


def nothing(path: Path) -> None:
    """The shard of a run that diverged: no samples, so that what waits for them can say so."""
    write_arrays(path, {})


def gather(samples: Samples, paths: list[Path], T: int, shape: tuple[int, ...]) -> Iterator[tuple[Cell, NDArray[Any]]]:
    """Every cell with its samples in the order of their indices, from the shards' files. Raises UserError if one does not fit."""
    shards = [read_arrays(path, MADE_BY) for path in paths]
    parts = [chunks(samples, k) for k in range(samples.shards)]
    order = np.argsort([i for part in parts for indices in part for i in indices])
    for cell in cells(samples, T):
        for path, arrays, part in zip(paths, shards, parts, strict=True):
            expected = (sum(map(len, part)), *shape)
            if cell.key not in arrays or arrays[cell.key].shape != expected:
                found = f"shape {arrays[cell.key].shape}" if cell.key in arrays else "nothing"
                raise UserError(f"{path}: {cell.key}: found {found}; expected shape {expected}: run `{MADE_BY}` anew")
        yield cell, np.concatenate([arrays[cell.key] for arrays in shards])[order]
