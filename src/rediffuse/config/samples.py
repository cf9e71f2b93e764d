"""Sets of samples drawn from runs."""

from typing import Annotated, Literal

from pydantic import Field

from rediffuse.config.base import Count, Name, Options, Seed


class SampleOptions(Options):
    run: Name
    n: Annotated[int, Field(ge=10)]
    """Samples a cell; at least one for each of the inception score's 10 splits."""
    chunk: Count = 100
    """Samples drawn at a time; shards are cut at multiples of it."""
    shards: Count = 1
    """Jobs that the samples are drawn in."""
    seed: Seed = 0


class AncestralSamples(SampleOptions):
    """All T steps with the run's own variance, x0-hat clipped (DDPM)."""

    kind: Literal["ancestral"]


class SweepSamples(SampleOptions):
    """Every eta at every number of steps (DDIM, Table 1); sigma-hat is clipped and the rest is not, as released."""

    kind: Literal["ddim"]
    steps: Annotated[list[Count], Field(min_length=1)]
    eta: Annotated[list[Annotated[float, Field(ge=0, le=1)] | Literal["sigma-hat"]], Field(min_length=1)]
    tau: Literal["linear", "quadratic", "released-uniform", "released-quadratic"]
    """The sub-sequence of 1..T that the steps run on."""


Samples = Annotated[AncestralSamples | SweepSamples, Field(discriminator="kind")]


class SampleGrid(Options):
    samples: Name
    rows: Count
    columns: Count
