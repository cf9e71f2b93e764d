"""Noise that belongs to a sample's index: the same whatever batch, shard or device the sample is drawn in."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class SampleNoise:
    """A stream of standard normal tensors of shape (len(indices), *shape), each row from its own sample's generator.

    Row k depends on (seed, indices[k]) and on how many tensors were drawn before, and on nothing else. The first tensor is
    x_T by convention: every sampler that is given the same seed starts from the same latents.
    """

    def __init__(self, seed: int, indices: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"):
        self.generators = [np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(i,)))) for i in indices]
        self.shape = tuple(shape)
        self.device = device

    def __call__(self) -> Tensor:
        rows = np.empty((len(self.generators), *self.shape), dtype=np.float32)
        for row, generator in zip(rows, self.generators, strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(rows).to(self.device)

    def uniform(self) -> Tensor:
        """The same of numbers that are uniform on [0, 1), for binary data."""
        rows = np.empty((len(self.generators), *self.shape), dtype=np.float32)
        for row, generator in zip(rows, self.generators, strict=True):
            generator.random(dtype=np.float32, out=row)
        return torch.from_numpy(rows).to(self.device)
