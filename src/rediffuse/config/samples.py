"""Sets of samples drawn from runs."""

from typing import Annotated, Literal

from pydantic import Field

from rediffuse.config.base import Count, Name, Options, Seed

Number = Annotated[float, Field(ge=0, le=1)]
"""A value of eta."""
Rule = Literal["sigma-hat", "probability-flow", "dpm-solver++"]
"""Rows of DDIM's Table 1 that are no value of eta."""


class SampleOptions(Options):
    run: Name
    step: Count | None = None
    """Of the weights that the run kept after so many steps of its training; without, of its last ones."""
    n: Annotated[int, Field(ge=10)]
    """Samples a cell; at least one for each of the inception score's 10 splits."""
    chunk: Count = 100
    """Samples drawn at a time; shards are cut at multiples of it."""
    shards: Count = 1
    """Jobs that the samples are drawn in."""


class AncestralSamples(SampleOptions):
    """All T steps with the run's own variance, x0-hat clipped (DDPM)."""

    kind: Literal["ancestral"]
    seed: Seed = 0


class SweepSamples(SampleOptions):
    """Every row at every number of steps (DDIM, Table 1); sigma-hat is clipped and the rest is not, as released."""

    kind: Literal["ddim"]
    steps: Annotated[list[Count], Field(min_length=1)]
    eta: Annotated[list[Number | Rule], Field(min_length=1)]
    """A number, sigma-hat, or another solver of the equation of eta 0."""
    tau: Literal["linear", "quadratic", "released-uniform", "released-quadratic"]
    """The sub-sequence of 1..T that the steps run on."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    """Each cell is drawn with each of them, n samples every time."""


Samples = Annotated[AncestralSamples | SweepSamples, Field(discriminator="kind")]


class SampleGrid(Options):
    samples: Name
    rows: Count
    columns: Count
