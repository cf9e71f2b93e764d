"""A preset: a whole set of options, checked before anything starts. A mistake is one line: file, key, what was found, what is allowed."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails

from rediffuse.config import (
    DDIM,
    DDPM,
    AncestralSamples,
    Binomial,
    BoundTable,
    Dataset,
    Digits,
    Features,
    Heartbeat,
    InpaintingFigure,
    ModelTable,
    MultiScaleOptions,
    Name,
    Options,
    Papers,
    Run,
    Samples,
    Sohl2015,
    SweepSamples,
    Textures,
    wrong,
)
from rediffuse.errors import UserError

IMAGES = ("dead-leaves", "textures", "folder")
"""Kinds of data sets that are grey pictures of unit variance."""
SIDE, TRAIN = 8, 1500
"""Of the digits, as datasets/digits.py makes them."""
SHIPPED = Path(__file__).resolve().parents[2] / "config"


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
            if isinstance(run, Run):
                self._check_run(name, run)
            if name in self.runs and name in self.features:
                raise wrong(f"features.{name}", name, "a name that no run has")

    def _check_run(self, name: str, run: Run) -> None:
        kind = self._kind(run)
        if isinstance(run.process, Binomial) != (kind == "heartbeat"):
            binary = [name for name, data in self.datasets.items() if (data.kind == "heartbeat") == isinstance(run.process, Binomial)]
            expected = "binary data for the binomial process" if isinstance(run.process, Binomial) else "no binary data for a Gaussian one"
            raise wrong(
                f"runs.{name}.dataset", run.dataset, f"{expected}: one of {', '.join(binary) or 'nothing: none is defined that fits'}"
            )
        if isinstance(run.network, MultiScaleOptions) and kind in IMAGES:
            _coarsest(f"datasets.{run.dataset}.size", getattr(self.datasets[run.dataset], "size", 0), run.network)
        if isinstance(run.network, MultiScaleOptions) and kind == "digits" and SIDE % _side(run.network):
            raise wrong(f"runs.{name}.network.scales", run.network.scales, f"at most {SIDE.bit_length()}: the digits are {SIDE} x {SIDE}")

    def _check_samples(self) -> None:
        for name, samples in self.samples.items():
            key = f"samples.{name}"
            images = {name: run for name, run in self.runs.items() if self._kind(run) in ("digits", *IMAGES)}
            if isinstance(samples, SweepSamples):
                # x0-hat is clipped to [-1, 1] in some cells of a sweep, and continuous data lie beyond.
                images = {name: run for name, run in images.items() if not self._continuous(run)}
            _named(f"{key}.run", samples.run, images)
            chunks = -(-samples.n // samples.chunk)
            if samples.shards > chunks:
                raise wrong(f"{key}.shards", samples.shards, f"at most n / chunk, rounded up ({chunks})")
            if isinstance(samples, SweepSamples):
                self._check_steps(f"{key}.steps", samples.steps, samples.run)
                _distinct(f"{key}.steps", samples.steps)
                _distinct(f"{key}.eta", samples.eta)

    def _check_sohl2015(self, paper: Sohl2015) -> None:
        key = "papers.sohl2015"
        for block, known in (
            ("table1", self._scored()),
            ("ablation", self._of_kinds(["swiss-roll"])),
            ("entropy", self._of_kinds(["swiss-roll", "heartbeat"])),
        ):
            options = getattr(paper, block)
            for name in options.runs if options else []:
                _named(f"{key}.{block}.runs", name, known)
            _distinct(f"{key}.{block}.runs", options.runs if options else [])
        if paper.table2:
            self._check_table2(f"{key}.table2", paper.table2, paper.table1)
        for block in ("fig1", "fig2", "fig3", "products"):
            kinds = {"fig1": ["swiss-roll"], "fig2": ["heartbeat"], "products": ["heartbeat"]}.get(block, [])
            options = getattr(paper, block)
            if options:
                _named(f"{key}.{block}.run", options.run, self._of_kinds(kinds) if kinds else self._images())
        if paper.products:
            beat = self.datasets[self.runs[paper.products.run].dataset]
            for k, factor in enumerate(paper.products.r):
                if isinstance(beat, Heartbeat) and factor.bit >= beat.length:
                    raise wrong(
                        f"{key}.products.r.{k}.bit", factor.bit, f"at most {beat.length - 1}, the last bit of runs.{paper.products.run}"
                    )
        if paper.fig4:
            _named(f"{key}.fig4.run", paper.fig4.run, self._of_kinds(["dead-leaves"]))
            self._check_size(f"{key}.fig4.size", paper.fig4.size, paper.fig4.run)
        if paper.fig5:
            self._check_fig5(f"{key}.fig5", paper.fig5)
        if paper.fig_app1:
            grid = paper.fig_app1
            ancestral = {name: samples for name, samples in self.samples.items() if isinstance(samples, AncestralSamples)}
            _named(f"{key}.fig_app1.samples", grid.samples, ancestral)
            if grid.rows * grid.columns > ancestral[grid.samples].n:
                raise wrong(f"{key}.fig_app1.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")
        if paper.fig_d1:
            _coarsest(f"{key}.fig_d1.resolution", paper.fig_d1.resolution, paper.fig_d1.network)

    def _check_table2(self, key: str, table: ModelTable, table1: BoundTable | None) -> None:
        if table1 is None:
            raise wrong("papers.sohl2015.table1", None, "its options: table2 takes n, strata and seed from them")
        _named(f"{key}.leaves", table.leaves, self._of_kinds(["dead-leaves"]))
        fit = {
            name: samples
            for name, samples in self.samples.items()
            if isinstance(samples, AncestralSamples) and self._kind(self.runs[samples.run]) == "digits"
        }
        _named(f"{key}.digits", table.digits, fit)
        if table.validation + table.kmeans > TRAIN:
            raise wrong(
                f"{key}.validation", table.validation, f"at most {TRAIN - table.kmeans}: kmeans needs as many of {TRAIN} images itself"
            )

    def _check_fig5(self, key: str, figure: InpaintingFigure) -> None:
        _named(f"{key}.run", figure.run, self._of_kinds(["textures", "folder"]))
        self._check_size(f"{key}.size", figure.size, figure.run)
        if figure.hole >= figure.size:
            raise wrong(f"{key}.hole", figure.hole, f"less than size ({figure.size}): with nothing known r(x) says nothing")
        data = self.datasets[self.runs[figure.run].dataset]
        if isinstance(data, Textures) and figure.size > 512 // data.shrink // 4:
            raise wrong(f"{key}.size", figure.size, f"at most {512 // data.shrink // 4}, the width of the held-out quarter of a photograph")

    def _check_size(self, key: str, size: int, name: str) -> None:
        """That the network of a run makes pictures of a size."""
        network, data = self.runs[name].network, self.datasets[self.runs[name].dataset]
        own = getattr(data, "size", size)
        if isinstance(network, MultiScaleOptions):
            _coarsest(key, size, network)
        if size != own and not (isinstance(network, MultiScaleOptions) and not network.dense_units):
            raise wrong(
                key, size, f"{own}, the size of datasets.{self.runs[name].dataset}: only a network without a dense pathway makes others"
            )

    def _scored(self) -> dict[str, Run]:
        """Runs that K is computed for: of continuous or dequantised data, or binomial."""
        return {name: run for name, run in self.runs.items() if isinstance(run.process, Binomial) or self._continuous(run)}

    def _images(self) -> dict[str, Run]:
        return {name: run for name, run in self._scored().items() if self._kind(run) in ("digits", *IMAGES)}

    def _of_kinds(self, kinds: list[str]) -> dict[str, Run]:
        return {name: run for name, run in self._scored().items() if self._kind(run) in kinds}

    def _continuous(self, run: Run) -> bool:
        data = self.datasets[run.dataset]
        return data.standardise if isinstance(data, Digits) else data.kind != "heartbeat"

    def _check_ddpm(self, paper: DDPM) -> None:
        ancestral = {
            name: samples
            for name, samples in self.samples.items()
            if isinstance(samples, AncestralSamples) and not self._continuous(self.runs[samples.run])
        }
        for name in paper.table1.samples:
            _named("papers.ddpm.table1.samples", name, ancestral)
            run = self.samples[name].run
            self._check_features("papers.ddpm.table1.features", paper.table1.features, run)
            T = self.runs[run].process.T
            if paper.table1.strata >= T:
                raise wrong("papers.ddpm.table1.strata", paper.table1.strata, f"at most T - 1 = {T - 1} of runs.{run}")
        for figure, grid in (("fig1", paper.fig1), ("fig13", paper.fig13)):
            _named(f"papers.ddpm.{figure}.samples", grid.samples, ancestral)
            if grid.rows * grid.columns > self.samples[grid.samples].n:
                raise wrong(f"papers.ddpm.{figure}.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")

    def _check_ddim(self, paper: DDIM) -> None:
        sweeps = {name: samples for name, samples in self.samples.items() if isinstance(samples, SweepSamples)}
        for key, names in (("papers.ddim.table1.samples", paper.table1.samples), ("papers.ddim.fig3.samples", paper.fig3.samples)):
            for name in names:
                _named(key, name, sweeps)
            if len({sweeps[name].run for name in names}) > 1:
                raise wrong(key, names, "sweeps of one run")
            if any((sweeps[name].eta, sweeps[name].seed) != (sweeps[names[0]].eta, sweeps[names[0]].seed) for name in names):
                raise wrong(key, names, "sweeps of the same eta and seed")
            steps = [S for name in names for S in sweeps[name].steps]
            if len(set(steps)) < len(steps):
                raise wrong(key, names, "sweeps that share no number of steps")
        self._check_features("papers.ddim.table1.features", paper.table1.features, sweeps[paper.table1.samples[0]].run)
        for S in paper.fig3.steps:
            _named("papers.ddim.fig3.steps", S, dict.fromkeys(steps))
        least = min(sweeps[name].n for name in paper.fig3.samples)
        if paper.fig3.columns > least:
            raise wrong("papers.ddim.fig3.columns", paper.fig3.columns, f"at most {least}, the least n of its samples")
        _named(
            "papers.ddim.fig4.run", paper.fig4.run, {name: run for name, run in self.runs.items() if not isinstance(run.process, Binomial)}
        )
        self._check_steps("papers.ddim.fig4.steps", paper.fig4.steps, paper.fig4.run)

    def _kind(self, run: Run) -> str:
        return self.datasets[run.dataset].kind

    def _check_features(self, key: str, name: str, run: str) -> None:
        _named(key, name, {name: f for name, f in self.features.items() if f.dataset == self.runs[run].dataset})

    def _check_steps(self, key: str, steps: list[int], run: str) -> None:
        T = self.runs[run].process.T
        for S in steps:
            if S > T:
                raise wrong(key, S, f"at most T = {T} of runs.{run}")


def _named(key: str, name: object, known: dict[Any, Any]) -> None:
    if name not in known:
        raise wrong(key, name, f"one of {', '.join(map(str, known)) or 'nothing: none is defined that fits'}")


def _coarsest(key: str, size: int, network: MultiScaleOptions) -> None:
    if size % _side(network):
        raise wrong(key, size, f"a multiple of {_side(network)}, one pixel of the coarsest of the network's {network.scales} scales")


def _side(network: MultiScaleOptions) -> int:
    """Pixels of the image along one pixel of the coarsest scale."""
    return 2 ** (network.scales - 1)


def _distinct(key: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise wrong(key, values, "each value once")


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
        case "string_too_short":
            return key, found, "some text"
        case "too_short":
            return key, found, f"at least {context['min_length']} of them"
    return key, found, error["msg"].removeprefix("Input should ").removeprefix("be ")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def schema() -> str:
    """The JSON schema of a preset, as config/schema.json holds it: `python -m rediffuse.presets > config/schema.json`."""
    return json.dumps(Preset.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
