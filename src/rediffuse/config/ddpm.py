"""What is made of Ho et al. 2020: a block an artifact."""

from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from rediffuse.config.base import Count, Name, Options, Seed, Several, wrong
from rediffuse.config.runs import Gaussian, Learned, Run, Training, UNetOptions
from rediffuse.config.samples import AncestralSamples, SampleGrid


class LikelihoodTable(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    """Ancestral samples, one row each: the row is the run that they come from. Table 2's two rows on eps stand there by themselves."""
    features: Name
    n: Several
    """Images of either split on which the likelihood is averaged (all, if there are fewer)."""
    strata: Count
    """Times at which each image's bound is evaluated, one drawn from each of as many strata of 2..T; T - 1 is the full sum."""
    seed: Seed = 0


CELL = "table2-"
"""What the names of Table 2's runs begin with."""


class Cell(NamedTuple):
    """A row of Table 2."""

    predicts: Literal["mu", "eps"]
    objective: Literal["bound", "simple"]
    learned: bool
    """Whether the variance is."""

    @property
    def name(self) -> str:
        parts = {"simple": "simple", "bound": "L-learned" if self.learned else "L-fixed"}
        return f"{CELL}{self.predicts}-{parts[self.objective]}"


CELLS = [Cell(predicts, *trained) for predicts in ("mu", "eps") for trained in (("bound", True), ("bound", False), ("simple", False))]
"""Table 2, in its order."""
TABLE1 = [Cell("eps", "bound", False), Cell("eps", "simple", False)]
"""The two of them that are rows of Table 1 as well."""


class ParametrisationTable(Options):
    """Table 2: what the network predicts and what it is trained on, six cells, each trained with every seed on one budget.

    Its runs and samples are the preset's like any others; those of a cell are named after it and the seed, as table2-eps-simple-0.
    """

    dataset: Name
    process: Gaussian
    network: UNetOptions
    fixed: Literal["fixed-small", "fixed-large"] = "fixed-large"
    """The fixed variance; which one the published rows on L had is not stated."""
    training: Training
    """Of every run, but for the seed."""
    seeds: Annotated[list[Seed], Field(min_length=2)]
    n: Annotated[int, Field(ge=10)]
    """Samples of every run; at least one for each of the inception score's 10 splits."""
    features: Name

    @model_validator(mode="after")
    def _cells_are_runs(self) -> Self:
        if isinstance(self.process.schedule, Learned):
            raise wrong("process.schedule.kind", "learned", "a fixed schedule: the unweighted error says nothing of the rates")
        if "seed" in self.training.model_fields_set:
            raise wrong("training.seed", self.training.seed, "none: seeds lists them")
        if self.training.keep:
            raise wrong("training.keep", self.training.keep, "nothing: its runs may diverge before")
        if len(set(self.seeds)) < len(self.seeds):
            raise wrong("seeds", self.seeds, "each value once")
        return self

    def trained(self) -> dict[str, Run]:
        """The runs of all cells, by name."""
        return {
            f"{cell.name}-{seed}": Run(
                dataset=self.dataset,
                process=self.process,
                network=self.network,
                predicts=cell.predicts,
                variance="learned-log" if cell.learned else self.fixed,
                objective=cell.objective,
                training=self.training.model_copy(update={"seed": seed}),
                may_diverge=True,
            )
            for cell in CELLS
            for seed in self.seeds
        }

    def drawn(self) -> dict[str, AncestralSamples]:
        """The samples of every run, by its name."""
        return {name: AncestralSamples(kind="ancestral", run=name, n=self.n, chunk=self.n) for name in self.trained()}

    @property
    def samples(self) -> list[str]:
        """What the table is measured on."""
        return [*self.drawn()]


class CodingTable(Options):
    """Rate and distortion at every t (Table 4 and Figure 5), and the bound term by term."""

    runs: Annotated[list[Name], Field(min_length=1)]
    """The first is the one whose code is tabulated; the terms of all are drawn."""
    n: Several
    """Test images (all, if there are fewer)."""
    seed: Seed = 0


class BoundParts(Options):
    """That K of 2015 and DDPM's L are one bound: both on one model and the same test images."""

    run: Name
    n: Several
    """Test images (all, if there are fewer)."""
    strata: Count
    """As for table1."""
    seed: Seed = 0


class ConventionsTable(Options):
    """What clipping, the choice of the fixed variance and truncated grey levels change in bits and in samples of one run."""

    run: Name
    features: Name
    n: Several
    """Test images (all, if there are fewer)."""
    strata: Count
    """As for table1."""
    draws: Several
    """Samples with each."""
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
    table2: ParametrisationTable | None = None
    table4: CodingTable | None = None
    fig1: SampleGrid | None = None
    fig7: LatentFigure | None = None
    fig8: InterpolationFigure | None = None
    fig9: LatentFigure | None = None
    fig10: ProgressFigure | None = None
    fig13: SampleGrid | None = None
    fig15: NeighbourFigure | None = None
    bounds: BoundParts | None = None
    conventions: ConventionsTable | None = None

    of: ClassVar[dict[str, str]] = {"fig5": "table4", "terms": "table4", "fig6": "fig10", "fig14": "fig10"}
    """Figures that are drawn from what was measured for another artifact."""

    def scored(self) -> list[str]:
        """The samples whose runs are rows of Table 1: those of the cells that it shares with Table 2, and its own."""
        shared = [f"{cell.name}-{seed}" for cell in TABLE1 for seed in self.table2.seeds] if self.table2 else []
        return [*shared, *(self.table1.samples if self.table1 else [])]
