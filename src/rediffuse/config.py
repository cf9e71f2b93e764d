"""A preset: every option of a whole run, typed and checked before anything starts. config/schema.json is generated from here."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from rediffuse.errors import UserError

SHIPPED = Path(__file__).resolve().parents[2] / "config"

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
        for name, run in (self.runs | self.features).items():
            block = "runs" if name in self.runs else "features"
            _named(f"{block}.{name}.dataset", run.dataset, self.datasets)
            if name in self.runs and name in self.features:
                raise _wrong(f"features.{name}", name, "a name that no run has")
        for name, samples in self.samples.items():
            _named(f"samples.{name}.run", samples.run, self.runs)
            if samples.shards * samples.chunk > samples.n + samples.chunk - 1:
                raise _wrong(f"samples.{name}.shards", samples.shards, f"at most n / chunk, rounded up ({-(-samples.n // samples.chunk)})")
            if isinstance(samples, SweepSamples):
                self._steps(f"samples.{name}.steps", samples.steps, samples.run)
                _distinct(f"samples.{name}.steps", samples.steps)
                _distinct(f"samples.{name}.eta", samples.eta)
        papers = self.papers
        if papers.sohl2015:
            _named("papers.sohl2015.fig1.run", papers.sohl2015.fig1.run, self._runs_on("swiss-roll"))
            for name in papers.sohl2015.table1.runs:
                _named("papers.sohl2015.table1.runs", name, self._runs_on("swiss-roll"))
        images = {name: s for name, s in self.samples.items() if s.run not in self._runs_on("swiss-roll")}
        ancestral = {name: s for name, s in images.items() if isinstance(s, AncestralSamples)}
        if papers.ddpm:
            for name in papers.ddpm.table1.samples:
                _named("papers.ddpm.table1.samples", name, ancestral)
            self._features("papers.ddpm.table1", papers.ddpm.table1)
            for figure, grid in (("fig1", papers.ddpm.fig1), ("fig13", papers.ddpm.fig13)):
                _named(f"papers.ddpm.{figure}.samples", grid.samples, ancestral)
                if grid.rows * grid.columns > self.samples[grid.samples].n:
                    raise _wrong(f"papers.ddpm.{figure}.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")
        sweeps = {name: s for name, s in images.items() if isinstance(s, SweepSamples)}
        if papers.ddim:
            self._features("papers.ddim.table1", papers.ddim.table1)
            for key, names in (("table1", papers.ddim.table1.samples), ("fig3", papers.ddim.fig3.samples)):
                for name in names:
                    _named(f"papers.ddim.{key}.samples", name, sweeps)
                if len({sweeps[name].run for name in names}) > 1:
                    raise _wrong(f"papers.ddim.{key}.samples", names, "sweeps of one run")
            fig3 = papers.ddim.fig3
            for S in fig3.steps:
                _named("papers.ddim.fig3.steps", S, {S: name for name in fig3.samples for S in sweeps[name].steps})
            least = min(sweeps[name].n for name in fig3.samples)
            if fig3.columns > least:
                raise _wrong("papers.ddim.fig3.columns", fig3.columns, f"at most {least}, the least n of its samples")
            _named("papers.ddim.fig4.run", papers.ddim.fig4.run, self.runs)
            self._steps("papers.ddim.fig4.steps", papers.ddim.fig4.steps, papers.ddim.fig4.run)
        return self

    def _runs_on(self, kind: str) -> dict[str, Run]:
        return {name: run for name, run in self.runs.items() if self.datasets[run.dataset].kind == kind}

    def _features(self, key: str, table: LikelihoodTable | SweepTable) -> None:
        _named(f"{key}.features", table.features, self.features)

    def _steps(self, key: str, steps: list[int], run: str) -> None:
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


# --- reading ---


def preset_path(preset: str) -> Path:
    """The file of a shipped preset's name, or of a path that ends in .yaml. Raises UserError."""
    shipped = sorted(SHIPPED.glob("*.yaml"))
    names = [path.stem for path in shipped]
    if not preset.endswith((".yaml", ".yml")):
        if preset not in names:
            raise UserError(f"preset: found {preset!r}; expected one of {', '.join(names)}, or a path that ends in .yaml")
        return SHIPPED / f"{preset}.yaml"
    path = Path(preset)
    if path.stem in names and path.resolve() != SHIPPED / f"{path.stem}.yaml":
        raise UserError(f"{path}: its name is a shipped preset's, whose results it would replace; expected another name than {path.stem}")
    if not re.fullmatch(r"[\w.-]+", path.stem, re.ASCII):
        raise UserError(f"{path}: found the name {path.stem!r}; expected letters, digits, dashes and dots: the results' folder takes it")
    return path


def load_preset(path: Path) -> Preset:
    """The preset in a YAML file. Raises UserError: one line with the file, the key's path, what was found and what is allowed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: could not be read: {error.strerror}; expected a preset (see config/laptop.yaml)") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text; expected a preset in YAML (see config/laptop.yaml)") from None
    except (YAMLError, ValueError, RecursionError) as error:  # the last two of a value that does not fit its tag, and of endless nesting
        where = f"line {error.problem_mark.line + 1}: " if isinstance(error, MarkedYAMLError) and error.problem_mark else ""
        problem = getattr(error, "problem", None) or error
        raise UserError(f"{path}: {where}{' '.join(str(problem).split())}; expected YAML") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: found {_short(raw)}; expected the keys {', '.join(Preset.model_fields)}")
    try:
        return Preset.model_validate(raw, strict=True)
    except ValidationError as error:
        told = [_told(details, raw) for details in error.errors(include_url=False)]
        key, found, _ = told[0]
        expected = " or ".join(dict.fromkeys(each for where, _, each in told if where == key))  # a union has an error a member
        more = len({where for where, _, _ in told}) - 1
        raise UserError(f"{path}: {key}: {found}; expected {expected}{f' (and {more} more)' if more else ''}") from None


def _told(error: ErrorDetails, raw: Any) -> tuple[str, str, str]:
    """The key's path, what was found and what was expected, of one of pydantic's errors."""
    context = error.get("ctx", {})
    keys: list[str] = []
    for part in error["loc"]:  # a union's tag stands in the path, but is no key of the file
        if isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            keys, raw = [*keys, str(part)], raw[part]
        elif isinstance(raw, dict) and (part in raw or (error["type"] == "missing" and part == error["loc"][-1])):
            keys, raw = [*keys, str(part)], raw.get(part)
    key, found = ".".join(keys), f"found {_short(error['input'])}"
    match error["type"]:
        case "unknown_key":
            return ".".join([*keys, context["key"]]), "unknown key", context["expected"]
        case "wrong":
            return ".".join([*keys, context["key"]]), f"found {context['found']}", context["expected"]
        case "missing":
            return key, "not given", "a value"
        case "union_tag_not_found":
            return f"{key}.kind", "not given", "a kind (config/schema.json lists them)"
        case "union_tag_invalid":
            return f"{key}.kind", f"found {_short(raw['kind'])}", context["expected_tags"]
        case "model_type" | "model_attributes_type" | "dict_type":
            return key, found, "keys with values"
        case "string_pattern_mismatch":
            return key, found, "a name of letters, digits and dashes"
        case "too_short":
            return key, found, f"at least {context['min_length']} of them"
    return key, found, error["msg"].removeprefix("Input should ").removeprefix("be ")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def schema() -> str:
    """The JSON schema of a preset, as config/schema.json holds it: `python -m rediffuse.config > config/schema.json`."""
    return json.dumps(Preset.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
