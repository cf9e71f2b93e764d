"""What several test modules share: one thread, fixed seeds, the published chain, and a tape of noise."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pipeline
import pytest
import tiny
import torch
from hypothesis import settings
from torch import Tensor

from rediffuse.processes import schedules
from rediffuse.processes.gaussian import GaussianProcess

torch.set_num_threads(1)
settings.register_profile("fixed", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def ddpm() -> GaussianProcess:
    """The published chain: T = 1000, beta from 1e-4 to 0.02."""
    return GaussianProcess(schedules.linear(1000))


@pytest.fixture(scope="session")
def smoke_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of the sources in which the smoke preset was run, once for all slow tests: they copy it (`pipeline.copied`).

    Snakemake's own words of that run lie beside it, in `run.log`.
    """
    folder = pipeline.sources(tmp_path_factory.mktemp("smoke") / "rediffuse")
    (folder.parent / "run.log").write_text(pipeline.snakemake(folder), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder in which the tiny preset's part of a paper was made, whole, once for all tests that read it."""
    return cache(lambda paper: tiny.make(tmp_path_factory.mktemp(paper), paper, tiny.ALONE[paper]))


class Tape:
    """Standard normal float64 draws that a second sampler can be given again; `calls` counts them."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0):
        self.shape, self.calls = shape, 0
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self) -> Tensor:
        self.calls += 1
        return torch.randn(self.shape, generator=self.generator, dtype=torch.float64)


@pytest.fixture
def tape() -> Callable[..., Tape]:
    return Tape
