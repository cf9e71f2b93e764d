"""What is made of Song et al. 2020: a block an artifact."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rediffuse.config.base import Count, Name, Options, Seed, Several
from rediffuse.config.samples import Number

Steps = Annotated[list[Count], Field(min_length=2)]


class SweepTable(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    """Sweeps of one run; each may have its own n, since the distance is only compared within one number of steps."""
    features: Name


class Reconstruction(Options):
    """Table 2: test images to x_T and back."""

    run: Name
    steps: Steps
    n: Several
    """Test images (all, if there are fewer)."""
    tau: Literal["linear", "quadratic"] = "linear"


class SweepGrid(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    steps: Annotated[list[Count], Field(min_length=1)]
    columns: Count


class Timing(Options):
    run: Name
    steps: Steps
    n: Count
    """Images drawn at a time."""
    repeats: Count
    """Rounds: in each the largest number of steps is timed once, a much smaller one five times; the median is reported."""


class Consistency(Options):
    """Figure 5: what one x_T becomes at several numbers of steps."""

    run: Name
    steps: Steps
    """The last is what the others are compared with."""
    features: Name
    n: Several
    """Latents whose images are compared."""
    columns: Count = 8
    """Latents drawn."""
    seed: Seed = 0


class Interpolation(Options):
    """Figures 6 and 11: spherical interpolation of latents, along lines and between four corners."""

    run: Name
    steps: Count
    lines: Count = 4
    seed: Seed = 0


class ThreeSamplers(Options):
    """Figure 7: samples of DDPM, and of DDIM at two numbers of steps."""

    ddpm: Name
    """Ancestral samples."""
    samples: Annotated[list[Name], Field(min_length=1)]
    """Sweeps that have eta 0 at these steps."""
    steps: Annotated[list[Count], Field(min_length=2, max_length=2)]
    rows: Count = 6
    columns: Count = 6


class LatentGrid(Options):
    """What each of some latents becomes at every number of steps and every eta."""

    run: Name
    steps: Steps
    """In rising order: images are compared with those of the first eta at the last of them."""
    eta: Annotated[list[Number | Literal["sigma-hat"]], Field(min_length=2)]
    """sigma-hat is clipped and the rest is not, as released."""
    columns: Count = 10
    """Latents."""
    seed: Seed = 0


class Frontier(Options):
    """Quality against seconds, of every sampler at one n."""

    ddpm: Name
    """Ancestral samples of the same run."""
    samples: Annotated[list[Name], Field(min_length=1)]
    features: Name


class DDIM(Options):
    """Tables and figures of Song et al. 2020; one that is left out is not made."""

    table1: SweepTable | None = None
    table1_released: SweepTable | None = None
    table2: Reconstruction | None = None
    fig3: SweepGrid | None = None
    fig4: Timing | None = None
    fig5: Consistency | None = None
    fig6: Interpolation | None = None
    fig7: ThreeSamplers | None = None
    grid: LatentGrid | None = None
    frontier: Frontier | None = None

    of: ClassVar[dict[str, str]] = {"fig11": "fig6"}
    """Figures that are drawn from what was measured for another artifact."""
