"""A preset: every option of a whole run, typed and checked before anything starts. config/schema.json is generated from here."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

SPLITS = 10
"""Parts of a set of samples whose inception scores are averaged, as the field does."""

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
    noise: Annotated[float, Field(gt=0, lt=1)] = 0.036
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
            raise _wrong("ratio_T", self.ratio_T, f"more than ratio_1 ({self.ratio_1})")
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
            raise _wrong("groups", self.groups, f"a divisor of base_channels ({self.base_channels})")
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
            raise _wrong(
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


class Features(Options):
    """A small classifier, trained by the pipeline, on whose features Frechet distance and inception score are computed."""

    dataset: Name
    width: Count = 32
    training: Training


# --- samples ---


class SampleOptions(Options):
    run: Name
    n: Annotated[int, Field(ge=2)]
    """Samples a cell."""
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


class Preset(Options):
    """A whole set of budgets: what is trained, drawn and measured, and how much of it."""

    datasets: dict[Name, Dataset]
    features: dict[Name, Features] = {}
    """Networks for Frechet distance and inception score."""
    runs: dict[Name, Run]
    """Trained networks."""
    samples: dict[Name, Samples] = {}
    papers: Papers

    @model_validator(mode="after")
    def _references(self) -> Self:
        """Every name names something, and what it names fits."""
        self._check_runs()
        self._check_samples()
        if self.papers.sohl2015:
            self._check_sohl2015(self.papers.sohl2015)
        if self.papers.ddpm:
            self._check_ddpm(self.papers.ddpm)
        if self.papers.ddim:
            self._check_ddim(self.papers.ddim)
        return self

    def _check_runs(self) -> None:
        for name, run in (self.runs | self.features).items():
            block = "runs" if name in self.runs else "features"
            _named(f"{block}.{name}.dataset", run.dataset, self.datasets)
            if name in self.runs and name in self.features:
                raise _wrong(f"features.{name}", name, "a name that no run has")

    def _check_samples(self) -> None:
        for name, samples in self.samples.items():
            key = f"samples.{name}"
            _named(f"{key}.run", samples.run, self.runs)
            chunks = -(-samples.n // samples.chunk)
            if samples.shards > chunks:
                raise _wrong(f"{key}.shards", samples.shards, f"at most n / chunk, rounded up ({chunks})")
            if isinstance(samples, SweepSamples):
                self._check_steps(f"{key}.steps", samples.steps, samples.run)
                _distinct(f"{key}.steps", samples.steps)
                _distinct(f"{key}.eta", samples.eta)

    def _check_sohl2015(self, paper: Sohl2015) -> None:
        rolls = {name: run for name, run in self.runs.items() if self.datasets[run.dataset].kind == "swiss-roll"}
        _named("papers.sohl2015.fig1.run", paper.fig1.run, rolls)
        for name in paper.table1.runs:
            _named("papers.sohl2015.table1.runs", name, rolls)

    def _check_ddpm(self, paper: DDPM) -> None:
        ancestral = {name: samples for name, samples in self._image_samples().items() if isinstance(samples, AncestralSamples)}
        for name in paper.table1.samples:
            _named("papers.ddpm.table1.samples", name, ancestral)
            run, n = self.samples[name].run, self.samples[name].n
            if n < SPLITS:
                raise _wrong(f"samples.{name}.n", n, f"at least {SPLITS}, the splits of the inception score in papers.ddpm.table1")
            self._check_features("papers.ddpm.table1.features", paper.table1.features, run)
            T = self.runs[run].process.T
            if paper.table1.strata >= T:
                raise _wrong("papers.ddpm.table1.strata", paper.table1.strata, f"at most T - 1 = {T - 1} of runs.{run}")
        for figure, grid in (("fig1", paper.fig1), ("fig13", paper.fig13)):
            _named(f"papers.ddpm.{figure}.samples", grid.samples, ancestral)
            if grid.rows * grid.columns > self.samples[grid.samples].n:
                raise _wrong(f"papers.ddpm.{figure}.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")

    def _check_ddim(self, paper: DDIM) -> None:
        sweeps = {name: samples for name, samples in self._image_samples().items() if isinstance(samples, SweepSamples)}
        for key, names in (("papers.ddim.table1.samples", paper.table1.samples), ("papers.ddim.fig3.samples", paper.fig3.samples)):
            for name in names:
                _named(key, name, sweeps)
            if len({sweeps[name].run for name in names}) > 1:
                raise _wrong(key, names, "sweeps of one run")
            steps = [S for name in names for S in sweeps[name].steps]
            if len(set(steps)) < len(steps):
                raise _wrong(key, names, "sweeps that share no number of steps")
        self._check_features("papers.ddim.table1.features", paper.table1.features, sweeps[paper.table1.samples[0]].run)
        for S in paper.fig3.steps:
            _named("papers.ddim.fig3.steps", S, dict.fromkeys(steps))
        least = min(sweeps[name].n for name in paper.fig3.samples)
        if paper.fig3.columns > least:
            raise _wrong("papers.ddim.fig3.columns", paper.fig3.columns, f"at most {least}, the least n of its samples")
        _named("papers.ddim.fig4.run", paper.fig4.run, self.runs)
        self._check_steps("papers.ddim.fig4.steps", paper.fig4.steps, paper.fig4.run)

    def _image_samples(self) -> dict[str, AncestralSamples | SweepSamples]:
        return {name: s for name, s in self.samples.items() if self.datasets[self.runs[s.run].dataset].kind != "swiss-roll"}

    def _check_features(self, key: str, name: str, run: str) -> None:
        _named(key, name, {name: f for name, f in self.features.items() if f.dataset == self.runs[run].dataset})

    def _check_steps(self, key: str, steps: list[int], run: str) -> None:
        T = self.runs[run].process.T
        for S in steps:
            if S > T:
                raise _wrong(key, S, f"at most T = {T} of runs.{run}")


def _wrong(key: str, found: object, expected: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{key}", {"key": key, "found": repr(found), "expected": expected})


def _named(key: str, name: object, known: dict[Any, Any]) -> None:
    if name not in known:
        raise _wrong(key, name, f"one of {', '.join(map(str, known)) or 'nothing: none is defined that fits'}")


def _distinct(key: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise _wrong(key, values, "each value once")
