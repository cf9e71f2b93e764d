"""What is made of Sohl-Dickstein et al. 2015: a block an artifact."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from rediffuse.config.base import Count, Name, NotNegative, Options, Positive, Seed, Several, wrong
from rediffuse.config.runs import MultiScaleOptions
from rediffuse.config.samples import SampleGrid


class SwissRollFigure(Options):
    run: Name
    n: Count = 2000
    """Points drawn in each panel."""
    seed: Seed = 0


class BoundTable(Options):
    runs: Annotated[list[Name], Field(min_length=1)]
    n: Several
    """Test data on which the bound is averaged (all, if there are fewer)."""
    strata: Count
    """Times at which each datum's bound is evaluated, one drawn from each of as many strata of 2..T; from T - 1 on it is the full sum."""
    seed: Seed = 0


class Ablation(Options):
    """What closes the gap of the swiss roll, or the heartbeat: runs, each beside the perfect network of its process."""

    runs: Annotated[list[Name], Field(min_length=1)]
    n: Several
    """Test data of the trained networks."""
    strata: Count
    """As for table1."""
    n_perfect: Several
    """Test data of the perfect network, whose posterior is exact at every datum and step."""
    seed: Seed = 0


class Entropies(Options):
    """The bounds of eq. 24 at every t."""

    runs: Annotated[list[Name], Field(min_length=1)]
    n: Several
    """Data on which the model's own entropy is averaged at each t."""
    seed: Seed = 0


class BitFactor(Options):
    """An r(x) that speaks of one bit: r(x) = off where it is 0 and on where it is 1."""

    bit: Annotated[int, Field(ge=0)]
    """Counted from 0."""
    off: NotNegative
    on: NotNegative

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.off == self.on == 0:
            raise wrong("on", self.on, "more than 0 where off is 0: r(x) would be zero everywhere")
        return self


class Products(Options):
    """What multiplying by r(x) samples, where the answer is known."""

    run: Name
    """A run on the heartbeat."""
    n: Annotated[int, Field(ge=100)]
    """Samples of each rule."""
    r: Annotated[list[BitFactor], Field(min_length=1)]
    """What the heartbeat is multiplied by, one after the other."""
    T: Annotated[int, Field(ge=2, le=10000)] = 1000
    """Steps of the Gaussian toy's chain."""
    seed: Seed = 0


class ModelTable(Options):
    """Table 2: dead leaves beside Gaussian baselines, digits by a Parzen window."""

    leaves: Name | None = None
    """A run on dead leaves; n, strata and seed are table1's. Without, this half of the table is not made."""
    digits: Name
    """Ancestral samples of images of digits."""
    also: list[Name] = []
    """More samples of the same digits, of this or of other runs: a row each, of a sweep a row for each of its cells."""
    centres: Count | None = None
    """Training images, the first so many, that are the perfect model's samples; without, all but those for validation."""
    validation: Count
    """Training images, the last so many, that are no centres of the perfect model, on which the windows' widths are chosen; the network has
    seen them."""
    kmeans: Count
    """Centres of the row that shows what the measure rewards."""
    blur: Positive
    """Deviation in pixels of the blurred training images of another such row."""
    scales: Annotated[int, Field(ge=2)] = 8
    """Of the Gaussian scale mixture."""


class ChainFigure(Options):
    run: Name
    n: Count
    """Sequences generated and counted."""
    rows: Count = 20
    """Sequences drawn."""
    seed: Seed = 0


class DenoisingFigure(Options):
    run: Name
    n: Several
    """Test images made noisy and denoised."""
    noise_variance: Positive = 1.0
    """Of the noise, on data of variance 1; 1 is the paper's."""
    draws: Several
    """Samples of each posterior, whose mean is the better estimate."""
    columns: Count = 8
    """Images drawn."""
    seed: Seed = 0


class GenerationFigure(Options):
    run: Name
    size: Count
    """Pixels a side of the generated pictures; a network without a dense pathway makes them of any size."""
    n: Count
    seed: Seed = 0


class InpaintingFigure(Options):
    run: Name
    size: Count
    """Pixels a side of the picture."""
    hole: Count
    """Pixels a side of the hidden square in its middle."""
    pictures: Several
    rounds: Count
    """Times that the recommended rule makes each step: with one, the hole follows the known pixels too weakly."""
    draws: Several
    """Samples of one hole."""
    seed: Seed = 0


class ArchitectureFigure(Options):
    network: MultiScaleOptions
    resolution: Count
    channels: Count


class Sohl2015(Options):
    """Tables and figures of Sohl-Dickstein et al. 2015; one that is left out is not made."""

    table1: BoundTable | None = None
    table2: ModelTable | None = None
    fig1: SwissRollFigure | None = None
    fig2: ChainFigure | None = None
    fig3: DenoisingFigure | None = None
    fig4: GenerationFigure | None = None
    fig5: InpaintingFigure | None = None
    fig_app1: SampleGrid | None = None
    fig_d1: ArchitectureFigure | None = None
    entropy: Entropies | None = None
    ablation: Ablation | None = None
    products: Products | None = None
