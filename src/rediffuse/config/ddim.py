"""What is made of Song et al. 2020: a block an artifact."""

from typing import Annotated

from pydantic import Field

from rediffuse.config.base import Count, Name, Options


class SweepTable(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    """Sweeps of one run; each may have its own n, since the distance is only compared within one number of steps."""
    features: Name


class SweepGrid(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    steps: Annotated[list[Count], Field(min_length=1)]
    columns: Count


class Timing(Options):
    run: Name
    steps: Annotated[list[Count], Field(min_length=2)]
    n: Count
    """Images drawn at a time."""
    repeats: Count
    """Times that each number of steps is timed; the median is reported."""


class DDIM(Options):
    table1: SweepTable
    fig3: SweepGrid
    fig4: Timing
