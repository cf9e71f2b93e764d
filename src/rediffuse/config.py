"""The blocks of options that a preset is made of: every option, its type, its range and its default."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(gt=0, lt=1)]


class Options(BaseModel):
    """A block of options: nothing unknown, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        for key in value if isinstance(value, dict) else ():
            if key not in cls.model_fields:
                raise PydanticCustomError("unknown_key", "{key}", {"key": str(key), "expected": "one of " + ", ".join(cls.model_fields)})
        return value


def wrong(key: str, found: object, expected: str) -> PydanticCustomError:
    """The error of one option: its key below the block that is checked, what was found, what is allowed."""
    return PydanticCustomError("wrong", "{key}", {"key": key, "found": repr(found), "expected": expected})


# --- data sets ---


class Digits(Options):
    """Real handwritten digits, 8 x 8, 17 grey levels (scikit-learn's), 1,500 to train on and 297 to test on."""

    kind: Literal["digits"]


class SwissRoll(Options):
    """The 2-d swiss roll: a spiral with Gaussian noise, whose exact density can be evaluated."""

    kind: Literal["swiss-roll"]
    train: Count = 20000
    """Points to train on."""
    test: Count = 5000
    """Points to test on."""
    turns: Positive = 1.5
    """Turns of the spiral."""
    noise: Annotated[float, Field(ge=1e-3, lt=1)] = 0.036
    """Standard deviation of the noise, in units of the data's scale (the data have variance 1)."""
    seed: Seed = 0


Dataset = Annotated[Digits | SwissRoll, Field(discriminator="kind")]

# --- runs: one trained network each ---


class Linear(Options):
    """beta_t from beta_1 to beta_T in even steps (DDPM)."""

    kind: Literal["linear"]
    beta_1: Beta = 1e-4
    beta_T: Beta = 0.02


class Harmonic(Options):
    """beta_t = 1 / (T - t + 1), its ends set (Sohl-Dickstein et al. 2015)."""

    kind: Literal["harmonic"]
    beta_1: Beta
    beta_T: Beta


class LogSpaced(Options):
    """The noise-to-signal variance log-spaced from ratio_1 to ratio_T."""

    kind: Literal["log-spaced"]
    ratio_1: Positive
    ratio_T: Positive

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.ratio_T <= self.ratio_1:
            raise wrong("ratio_T", self.ratio_T, f"more than ratio_1 ({self.ratio_1})")
        return self


class Process(Options):
    T: Annotated[int, Field(ge=2, lt=2**31)]
    """Steps of the chain."""
    schedule: Annotated[Linear | Harmonic | LogSpaced, Field(discriminator="kind")]


class UNetOptions(Options):
    """DDPM's U-Net; the defaults are its CIFAR-10 setting."""

    kind: Literal["unet"]
    base_channels: Annotated[int, Field(ge=4, multiple_of=2)] = 128
    multipliers: Annotated[list[Count], Field(min_length=1)] = [1, 2, 2, 2]
    res_blocks: Count = 2
    attention: list[Count] = [16]
    """Resolutions at which every residual block is followed by attention."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    groups: Count = 32
    """Groups of the group normalisation; must divide base_channels."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.base_channels % self.groups:
            raise wrong("groups", self.groups, f"a divisor of base_channels ({self.base_channels})")
        return self


class RBFOptions(Options):
    """The 2015 paper's normalised radial-basis network for the swiss roll."""

    kind: Literal["rbf"]
    units: Count = 16


class Training(Options):
    """One run of Adam."""

    steps: Count
    batch: Count
    lr: Positive
    warmup: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises linearly from 0."""
    decay: Literal["none", "cosine"] = "none"
    """What the learning rate does after the warm-up: stays, or falls to 0 by a half cosine."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Decay a step of the averaged weights, which are the ones that are kept."""
    clip: Positive = 1.0
    """Largest global norm of the gradient."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _average_fits(self) -> Self:
        share = self.ema_decay**self.steps
        if share > 0.01:
            largest = 0.01 ** (1 / self.steps)
            raise wrong(
                "ema_decay",
                self.ema_decay,
                f"at most {largest:.4g}: {share:.0%} of the average would be first weights after {self.steps} steps",
            )
        return self


class Run(Options):
    """A data set, a process, a network and its training."""

    dataset: Name
    process: Process
    network: Annotated[UNetOptions | RBFOptions, Field(discriminator="kind")]
    predicts: Literal["eps", "x0", "mu", "residual"]
    """What the network puts out."""
    variance: Literal["fixed-small", "fixed-large", "learned"]
    """The variance of p(x_{t-1} | x_t)."""
    objective: Literal["simple", "bound"]
    """The unweighted squared error (L_simple), or the variational bound (L)."""
    training: Training

    @model_validator(mode="after")
    def _variance_is_trained(self) -> Self:
        if self.objective == "simple" and self.variance == "learned":
            raise wrong("variance", self.variance, "a fixed one: the objective simple does not train it")
        return self


class Features(Options):
    """A small classifier, trained by the pipeline, on whose features Frechet distance and inception score are computed."""

    dataset: Name
    width: Count = 32
    training: Training


# --- samples ---


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

# --- papers ---


class SwissRollFigure(Options):
    run: Name
    n: Count = 2000
    """Points drawn in each panel."""
    seed: Seed = 0


class BoundTable(Options):
    runs: Annotated[list[Name], Field(min_length=1)]
    n: Annotated[int, Field(ge=2)]
    """Test points on which the bound is averaged."""
    seed: Seed = 0


class Sohl2015(Options):
    fig1: SwissRollFigure
    table1: BoundTable


class LikelihoodTable(Options):
    samples: Annotated[list[Name], Field(min_length=1)]
    """Ancestral samples, one row each: the row is the run that they come from."""
    features: Name
    n: Annotated[int, Field(ge=2)]
    """Images of either split on which the likelihood is averaged (all, if there are fewer)."""
    strata: Count
    """Times at which each image's bound is evaluated, one drawn from each of as many strata of 2..T; T - 1 is the full sum."""
    seed: Seed = 0


class SampleGrid(Options):
    samples: Name
    rows: Count
    columns: Count


class DDPM(Options):
    table1: LikelihoodTable
    fig1: SampleGrid
    fig13: SampleGrid


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
