"""What is made of each paper: a block an artifact."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from rediffuse.config.base import Count, Name, NotNegative, Options, Positive, Seed, Several, wrong
from rediffuse.config.runs import MultiScaleOptions


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

    leaves: Name
    """A run on dead leaves, or other images; n, strata and seed are table1's."""
    digits: Name
    """Ancestral samples of images."""
    validation: Count
    """Training images that are no centres of the perfect model, on which the windows' widths are chosen; the network has seen them."""
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


class SampleGrid(Options):
    samples: Name
    rows: Count
    columns: Count


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


class LikelihoodTable(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    """Ancestral samples, one row each: the row is the run that they come from."""
    features: Name
    n: Several
    """Images of either split on which the likelihood is averaged (all, if there are fewer)."""
    strata: Count
    """Times at which each image's bound is evaluated, one drawn from each of as many strata of 2..T; T - 1 is the full sum."""
    seed: Seed = 0


class CodingTable(Options):
    """Rate and distortion at every t (Table 4 and Figure 5), and the bound term by term."""

    runs: Annotated[list[Name], Field(min_length=1)]
    """The first is the one whose code is tabulated; the terms of all are drawn."""
    n: Several
    """Test images (all, if there are fewer)."""
    seed: Seed = 0


class ProgressFigure(Options):
    """x0-hat on the way from x_T to x_0: its quality (Figure 10) and its looks (Figures 6 and 14)."""

    run: Name
    features: Name
    n: Annotated[int, Field(ge=10)]
    """Chains; at least one for each of the inception score's 10 splits."""
    times: Annotated[int, Field(ge=2)] = 21
    """Times at which x0-hat is kept, evenly spaced."""
    rows: Count = 12
    """Chains in Figure 14; Figure 6 has the first few of them."""
    seed: Seed = 0


class LatentFigure(Options):
    """Figure 7: images that share x_t. Figure 9: interpolations of two test images at several t."""

    run: Name
    t: Annotated[list[Count], Field(min_length=1)]
    """Times at which x_t is shared, or interpolated; each of 1..T."""
    seed: Seed = 0


class InterpolationFigure(Options):
    """Figure 8: two test images diffused to x_t, mixed there, and decoded."""

    run: Name
    t: Count
    pairs: Count = 4
    seed: Seed = 0


class NeighbourFigure(Options):
    """The training images nearest to samples, in pixels and in features (Figure 15, and 12)."""

    samples: Name
    features: Name
    rows: Count = 8
    """Samples drawn with their neighbours; all are measured."""
    columns: Count = 8


class DDPM(Options):
    """Tables and figures of Ho et al. 2020; one that is left out is not made."""

    table1: LikelihoodTable | None = None
    table4: CodingTable | None = None
    fig1: SampleGrid | None = None
    fig7: LatentFigure | None = None
    fig8: InterpolationFigure | None = None
    fig9: LatentFigure | None = None
    fig10: ProgressFigure | None = None
    fig13: SampleGrid | None = None
    fig15: NeighbourFigure | None = None

    of: ClassVar[dict[str, str]] = {"fig5": "table4", "terms": "table4", "fig6": "fig10", "fig14": "fig10"}
    """Figures that are drawn from what was measured for another artifact."""


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


class Papers(Options):
    """Papers to reproduce; one that is left out is not made."""

    sohl2015: Sohl2015 | None = None
    ddpm: DDPM | None = None
    ddim: DDIM | None = None
