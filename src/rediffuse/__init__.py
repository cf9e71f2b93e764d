"""Diffusion papers, reproduced. In Python: rediffuse.load("digits").sample(64, steps=50), of a run that the pipeline trained."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rediffuse.model import Model


def load(run: str, preset: str = "laptop", device: str = "auto") -> "Model":
    """A trained run: see rediffuse.model.load. torch is imported here, not with the package."""
    from rediffuse.model import load

    return load(run, preset, device)
