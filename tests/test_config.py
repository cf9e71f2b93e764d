"""Presets: the shipped ones load, and a mistake in one is told in one line: the file, the key, what is there and what is wanted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tiny
from pydantic import ValidationError
from tiny import GONE

from rediffuse.config import Sohl2015, Training
from rediffuse.errors import UserError
from rediffuse.presets import SHIPPED, Preset, load_preset, preset_path, schema

RULES = "'sigma-hat', 'probability-flow' or 'dpm-solver++'"
PRESETS = sorted(SHIPPED.glob("*.yaml"))


def told(path: Path) -> str:
    """The line that a preset is refused with, without its file, which must stand first."""
    with pytest.raises(UserError) as error:
        load_preset(path)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


# --- what is shipped, and what a user brings ---


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_shipped_preset_loads_by_its_name(path: Path) -> None:
    assert preset_path(path.stem) == path
    preset = load_preset(path)
    assert preset.runs
    assert any(getattr(preset.papers, paper) for paper in type(preset.papers).model_fields)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_shipped_preset_names_its_schema_for_the_editor(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_default_preset_is_shipped() -> None:
    assert "laptop" in [path.stem for path in PRESETS]


def test_the_schema_is_that_of_the_models() -> None:
    kept = (SHIPPED / "schema.json").read_text(encoding="utf-8")
    assert kept == schema(), "config/schema.json is not that of config/: run `python -m rediffuse.presets > config/schema.json`"


def test_the_schema_describes_options_and_allows_no_others() -> None:
    models = json.loads(schema())["$defs"]
    assert models["Training"]["additionalProperties"] is False
    assert "learning rate" in models["Training"]["properties"]["warmup"]["description"]


def test_a_preset_of_ones_own_loads_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.write(tmp_path / "my_first-2.yaml", tiny.preset())
    assert preset_path(str(path)) == path
    assert load_preset(path).runs["digits"].process.T == 6
    monkeypatch.chdir(tmp_path)
    assert preset_path("my_first-2.yaml") == Path("my_first-2.yaml")


def test_a_shipped_preset_may_be_named_by_its_path() -> None:
    assert preset_path(str(SHIPPED / "laptop.yaml")) == SHIPPED / "laptop.yaml"


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3"])
def test_a_number_is_written_as_in_yaml_1_2(tmp_path: Path, text: str) -> None:
    path = tiny.write(tmp_path / "own.yaml", tiny.preset({"runs.digits.training.lr": "LR"}))
    path.write_text(path.read_text().replace("LR", text))
    assert load_preset(path).runs["digits"].training.lr == 1e-3


def test_words_that_yaml_1_1_took_for_truth_values_are_words(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("datasets:\n  on: {kind: digits}\n  no: {kind: digits}\nruns: {}\npapers: {}\n")
    assert list(load_preset(path).datasets) == ["on", "no"]


def test_a_whole_number_stands_for_a_real_one(tmp_path: Path) -> None:
    preset = load_preset(tiny.write(tmp_path / "own.yaml", tiny.preset({"runs.digits.training.lr": 1})))
    assert preset.runs["digits"].training.lr == 1.0


def test_options_are_not_changed_later() -> None:
    preset = Preset.model_validate(tiny.preset())
    with pytest.raises(ValueError, match="frozen"):
        preset.runs["digits"].training.steps = 5  # type: ignore[misc]


# --- mistakes ---

DATASETS = "bark, beat, digits, ink, leaves, roll"
GAUSSIANS, IMAGES = "bark, digits, ink, leaves, rates, roll", "bark, digits, ink, leaves"
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown block": ({"sample": {}}, "sample: unknown key; expected one of datasets, features, runs, samples, papers"),
    "an unknown key": (
        {"runs.digits.training.step": 20},
        "runs.digits.training.step: unknown key; expected one of steps, batch, lr, warmup, decay, ema_decay, clip, flip, keep, seed",
    ),
    "an unknown key of a kind": (
        {"datasets.roll.noize": 0.1},
        "datasets.roll.noize: unknown key; expected one of kind, train, test, turns, noise, seed",
    ),
    "no run": ({"runs": GONE}, "runs: not given; expected a value"),
    "no training": ({"runs.digits.training": GONE}, "runs.digits.training: not given; expected a value"),
    "no steps": ({"runs.digits.training.steps": GONE}, "runs.digits.training.steps: not given; expected a value"),
    "nothing where options belong": ({"runs.digits.training": None}, "runs.digits.training: found None; expected keys with values"),
    "a word where options belong": ({"runs.digits.network": "unet"}, "runs.digits.network: found 'unet'; expected keys with values"),
    "a list of runs": ({"runs": []}, "runs: found []; expected keys with values"),
    "a text for a number": ({"runs.digits.training.lr": "1e-3"}, "runs.digits.training.lr: found '1e-3'; expected a valid number"),
    "a text for an integer": ({"runs.digits.training.steps": "20"}, "runs.digits.training.steps: found '20'; expected a valid integer"),
    "a real for an integer": ({"runs.digits.training.steps": 20.0}, "runs.digits.training.steps: found 20.0; expected a valid integer"),
    "a truth value for an integer": ({"runs.digits.process.T": True}, "runs.digits.process.T: found True; expected a valid integer"),
    "a number for a list": ({"samples.sweep.steps": 2}, "samples.sweep.steps: found 2; expected a valid list"),
    "a text in a list of numbers": (
        {"runs.digits.network.multipliers": [1, "2"]},
        "runs.digits.network.multipliers.1: found '2'; expected a valid integer",
    ),
    "an empty list": ({"samples.sweep.steps": []}, "samples.sweep.steps: found []; expected at least 1 of them"),
    "a misspelt eta": (
        {"samples.sweep.eta": [0, "sigmahat"]},
        "samples.sweep.eta.1: found 'sigmahat'; expected a valid number or " + RULES,
    ),
    "an eta over 1": ({"samples.sweep.eta": [2]}, "samples.sweep.eta.0: found 2; expected less than or equal to 1 or " + RULES),
    "an eta twice": ({"samples.sweep.eta": [1, 1.0]}, "samples.sweep.eta: found [1.0, 1.0]; expected each value once"),
    "a number of steps twice": ({"samples.sweep.steps": [2, 2]}, "samples.sweep.steps: found [2, 2]; expected each value once"),
    "no steps at all": ({"runs.digits.training.steps": 0}, "runs.digits.training.steps: found 0; expected greater than or equal to 1"),
    "a chain of one step": ({"runs.roll.process.T": 1}, "runs.roll.process.T: found 1; expected greater than or equal to 2"),
    "a learning rate of 0": ({"runs.digits.training.lr": 0}, "runs.digits.training.lr: found 0; expected greater than 0"),
    "an infinite learning rate": (
        {"runs.digits.training.lr": float("inf")},
        "runs.digits.training.lr: found inf; expected a finite number",
    ),
    "no number at all": (
        {"runs.digits.training.ema_decay": float("nan")},
        "runs.digits.training.ema_decay: found nan; expected less than 1",
    ),
    "a beta over 1": (
        {"runs.digits.process.schedule.beta_T": 1.5},
        "runs.digits.process.schedule.beta_T: found 1.5; expected less than 1",
    ),
    "more noise than data": ({"datasets.roll.noise": 5.0}, "datasets.roll.noise: found 5.0; expected less than 1"),
    "a negative seed": ({"samples.plain.seed": -1}, "samples.plain.seed: found -1; expected greater than or equal to 0"),
    "a seed that no generator takes": (
        {"runs.digits.training.seed": 2**64},
        "runs.digits.training.seed: found 18446744073709551616; expected less than 4294967296",
    ),
    "more steps than there are floats": (
        {"runs.digits.training.steps": 10**400},
        f"runs.digits.training.steps: found {'1' + 56 * '0'}...; expected less than 2147483648",
    ),
    "a schedule that falls": (
        {"runs.roll.process.schedule": {"kind": "log-spaced", "ratio_1": 3.0, "ratio_T": 2.0}},
        "runs.roll.process.schedule.ratio_T: found 2.0; expected more than ratio_1 (3.0)",
    ),
    "an unknown kind": (
        {"runs.digits.network": {"kind": "resnet"}},
        "runs.digits.network.kind: found 'resnet'; expected 'unet', 'rbf', 'mlp', 'multi-scale'",
    ),
    "no kind": (
        {"runs.digits.network": {"units": 4}},
        "runs.digits.network.kind: not given; expected a kind (config/schema.json lists them)",
    ),
    "a key of another kind": (
        {"runs.roll.network": {"kind": "rbf", "groups": 4}},
        "runs.roll.network.groups: unknown key; expected one of kind, units",
    ),
    "an unknown word": (
        {"runs.digits.predicts": "noise"},
        "runs.digits.predicts: found 'noise'; expected 'eps', 'x0', 'mu', 'residual' or 'attractor'",
    ),
    "groups that do not divide": (
        {"runs.digits.network.groups": 3},
        "runs.digits.network.groups: found 3; expected a divisor of base_channels (4)",
    ),
    "an average longer than the run": (
        {"runs.digits.training.ema_decay": 0.9999},
        "runs.digits.training.ema_decay: found 0.9999; expected at most 0.7943: 100% of the average would be first weights after 20 steps",
    ),
    "an average longer than the classifier's training": (
        {"features.classifier.training.ema_decay": 0.9},
        "features.classifier.training.ema_decay: found 0.9; "
        "expected at most 0.7943: 12% of the average would be first weights after 20 steps",
    ),
    "a name with a space": (
        {"datasets.my digits": {"kind": "digits"}},
        "datasets.my digits: found 'my digits'; expected a name of letters, digits and dashes",
    ),
    "a name that climbs out of its folder": (
        {"samples": {"../../x": tiny.PRESET["samples"]["plain"]}},
        "samples.../../x: found '../../x'; expected a name of letters, digits and dashes",
    ),
    "a name that a run and features share": (
        {"features.digits": tiny.PRESET["features"]["classifier"]},
        "features.digits: found 'digits'; expected a name that no run has",
    ),
    "a run on no data set": ({"runs.digits.dataset": "mnist"}, f"runs.digits.dataset: found 'mnist'; expected one of {DATASETS}"),
    "published weights of no such network": (
        {"runs.roll.reuse": {"weights": "google/ddpm-cifar10-32"}},
        "runs.roll.reuse: found {'weights': 'google/ddpm-cifar10-32'}; expected none: the network is no unet that predicts eps, with a "
        "fixed variance",
    ),
    **{
        f"weights from {source!r}": (
            {"runs.digits.reuse": {"weights": source}},
            f"runs.digits.reuse.weights: found {source!r}; expected a file that ends in .safetensors or .bin, or a hub's owner/name or "
            "owner/name@revision",
        )
        for source in ("", "name", "owner/name/more", "../name", "owner/..", "owner/name@../x", "owner/name@", "file.pt", "https://a/b")
    },
    "a classifier that is called Inception": (
        {"features.inception": tiny.PRESET["features"]["classifier"]},
        "features.inception.kind: found 'classifier'; expected inception where the name is inception, and only there",
    ),
    "Inception by another name": (
        {"features.other": {"kind": "inception"}},
        "features.other.kind: found 'inception'; expected inception where the name is inception, and only there",
    ),
    "features of no kind": (
        {"features.other": {"kind": "vgg"}},
        "features.other.kind: found 'vgg'; expected 'classifier', 'inception'",
    ),
    "features that are no block": ({"features.other": 3}, "features.other: found 3; expected keys with values"),
    "options of a training for Inception": (
        {"features.inception": {"kind": "inception", "width": 8}},
        "features.inception.width: unknown key; expected one of kind",
    ),
    "features on no data set": (
        {"features.classifier.dataset": "mnist"},
        "features.classifier.dataset: found 'mnist'; expected one of digits, ink",
    ),
    "samples of no run": ({"samples.plain.run": "classifier"}, f"samples.plain.run: found 'classifier'; expected one of {IMAGES}"),
    "more shards than chunks": (
        {"samples.plain.shards": 4},
        "samples.plain.shards: found 4; expected at most n / chunk, rounded up (3)",
    ),
    "steps over T": ({"samples.sweep.steps": [2, 7]}, "samples.sweep.steps: found 7; expected at most T = 6 of runs.digits"),
    "timed steps over T": ({"papers.ddim.fig4.steps": [2, 7]}, "papers.ddim.fig4.steps: found 7; expected at most T = 6 of runs.digits"),
    "a figure of no run": ({"papers.ddim.fig4.run": "plain"}, f"papers.ddim.fig4.run: found 'plain'; expected one of {GAUSSIANS}"),
    "DDIM's time on bits": ({"papers.ddim.fig4.run": "beat"}, f"papers.ddim.fig4.run: found 'beat'; expected one of {GAUSSIANS}"),
    "a figure of steps that were not sampled": (
        {"papers.ddim.fig3.steps": [2, 5]},
        "papers.ddim.fig3.steps: found 5; expected one of 2, 3",
    ),
    "a table of samples of another kind": (
        {"papers.ddpm.table1.samples": ["sweep"]},
        "papers.ddpm.table1.samples: found 'sweep'; expected one of plain",
    ),
    "a sweep of another kind": (
        {"papers.ddim.table1.samples": ["plain"]},
        "papers.ddim.table1.samples: found 'plain'; expected one of released, sweep, whole",
    ),
    "samples of points": ({"samples.plain.run": "roll"}, f"samples.plain.run: found 'roll'; expected one of {IMAGES}"),
    "samples of bits": ({"samples.plain.run": "beat"}, f"samples.plain.run: found 'beat'; expected one of {IMAGES}"),
    "a variance that the objective does not train": (
        {"runs.digits.variance": "learned"},
        "runs.digits.variance: found 'learned'; expected a fixed one: the objective simple does not train it",
    ),
    "a run where features are wanted": (
        {"papers.ddpm.table1.features": "digits"},
        "papers.ddpm.table1.features: found 'digits'; expected one of classifier",
    ),
    "a flip of what has no left and right": (
        {"runs.roll.training.flip": True},
        "runs.roll.training.flip: found True; expected false: the data are vectors",
    ),
    "more images than MNIST has": (
        {"datasets.more": {"kind": "mnist", "train": 60001}},
        "datasets.more.train: found 60001; expected less than or equal to 60000",
    ),
    "a part of MNIST under its name": (
        {"datasets.MNIST": {"kind": "mnist", "train": 1000}},
        "datasets: found 'MNIST'; expected another name: MNIST is said only of the whole of it",
    ),
    "other data under a published name": (
        {"datasets.CIFAR-10": {"kind": "digits"}},
        "datasets: found 'CIFAR-10'; expected another name: CIFAR-10 is said only of the whole of it",
    ),
    "a padded MNIST that cannot be halved so often": (
        {"datasets.MNIST": {"kind": "mnist", "pad": 1}, "runs.digits.dataset": "MNIST", "runs.digits.network.multipliers": [1, 1, 1]},
        "runs.digits.network.multipliers: found [1, 1, 1]; expected fewer: 30 pixels cannot be divided by 4",
    ),
    "an attention where the network has no such side": (
        {"runs.digits.network.attention": [7]},
        "runs.digits.network.attention: found [7]; expected some of [8]: the images are 8 x 8",
    ),
    "a classifier of images that cannot be halved twice": (
        {"datasets.MNIST": {"kind": "mnist", "pad": 1}, "features.classifier.dataset": "MNIST"},
        "features.classifier.dataset: found 'MNIST'; expected images whose side can be divided by 4: these have 30",
    ),
    "more pictures than samples": (
        {"papers.ddpm.fig13.rows": 4},
        "papers.ddpm.fig13.rows: found 4; expected rows * columns at most n of samples.plain",
    ),
}


def test_the_largest_average_that_is_named_is_one_that_is_taken() -> None:
    for steps in [1, 2, 3, 20, 99, 100, 101, 4000, 12345, 800_000, 10**8]:
        given = {"steps": steps, "batch": 1, "lr": 1.0}
        with pytest.raises(ValidationError) as error:
            Training.model_validate(given | {"ema_decay": 1 - 1e-12})
        largest = float(re.findall(r"at most (\S+):", error.value.errors()[0]["ctx"]["expected"])[0])
        assert Training.model_validate(given | {"ema_decay": largest}).ema_decay ** steps == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(("changes", "line"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_by_its_key(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    assert told(tiny.write(tmp_path / "own.yaml", tiny.preset(changes))) == line


# --- mistakes in what the 2015 paper is made of ---

PAPER = "papers.sohl2015"
CONV = {"kind": "multi-scale", "scales": 2, "filters": 2, "conv_layers": 1, "dense_units": 2, "dense_layers": 1}

MISTAKES_2015: dict[str, tuple[dict[str, Any], str]] = {
    # the Parzen windows of Table 2
    "more training images than there are": (
        {f"{PAPER}.table2.centres": 1401},
        f"{PAPER}.table2.validation: found 100; expected at most 99: centres needs as many of 1500 images itself",
    ),
    "all training images as centres": (
        {f"{PAPER}.table2.centres": 1500},
        f"{PAPER}.table2.centres: found 1500; expected less than 1500, the images to train on: validation needs some of them, too",
    ),
    "fewer centres than kmeans makes": (
        {f"{PAPER}.table2.centres": 9},
        f"{PAPER}.table2.centres: found 9; expected at least kmeans (10), whose centres are made of them",
    ),
    "sweeps of different weights of one run in one table": (
        {"runs.digits.training.keep": [15], "samples.whole.step": 15},
        "papers.ddim.table1.samples: found ['sweep', 'whole']; expected sweeps of one step of its training",
    ),
    "DDPM's samples of other weights than DDIM's": (
        {"runs.digits.training.keep": [15], "samples.plain.step": 15},
        "papers.ddim.fig7.ddpm: found 'plain'; expected one of nothing: none is defined that fits",
    ),
    "samples of weights that are not kept": (
        {"samples.plain.step": 10},
        "samples.plain.step: found 10; expected one of runs.digits.training.keep (none)",
    ),
    "weights kept after the end": (
        {"runs.digits.training.keep": [5, 20]},
        "runs.digits.training.keep: found [5, 20]; expected rising steps before the last one (20)",
    ),
    "weights kept of runs that may diverge": (
        {"papers.ddpm.table2.training.keep": [5]},
        "papers.ddpm.table2.training.keep: found [5]; expected nothing: its runs may diverge before",
    ),
    "weights kept of a run that is not trained": (
        {"runs.digits.training.keep": [5], "runs.digits.reuse": {"weights": "some/unet"}},
        "runs.digits.training.keep: found [5]; expected nothing: the run is not trained, its weights are published (reuse)",
    ),
    "weights kept of features": (
        {"features.classifier.training.keep": [5]},
        "features.classifier.training.keep: found [5]; expected nothing: features are those of the last weights",
    ),
    "samples of a row again": (
        {f"{PAPER}.table2.also": ["inks"]},
        f"{PAPER}.table2.also: found ['inks', 'inks']; expected each value once",
    ),
    "digits of a sweep of many rows": (
        {f"{PAPER}.table2.digits": "sweep"},
        f"{PAPER}.table2.digits: found 'sweep'; expected one of inks, plain",
    ),
    "other images beside digits": (
        {f"{PAPER}.table2.also": ["leaves"]},
        f"{PAPER}.table2.also: found 'leaves'; expected one of inks, plain, released, sweep, whole",
    ),
    # processes
    "no kind of process": (
        {"runs.roll.process.kind": GONE},
        "runs.roll.process.kind: not given; expected a kind (config/schema.json lists them)",
    ),
    "an unknown kind of process": (
        {"runs.roll.process.kind": "poisson"},
        "runs.roll.process.kind: found 'poisson'; expected 'gaussian', 'binomial'",
    ),
    "a binomial process on points": (
        {"runs.beat.dataset": "roll"},
        "runs.beat.dataset: found 'roll'; expected binary data for the binomial process: one of beat",
    ),
    "a binomial process where there are no bits": (
        {"datasets.beat": {"kind": "digits"}},
        "runs.beat.dataset: found 'beat'; expected binary data for the binomial process: one of nothing: none is defined that fits",
    ),
    "a Gaussian process on bits": (
        {"runs.roll.dataset": "beat"},
        "runs.roll.dataset: found 'beat'; expected no binary data for a Gaussian one: one of bark, digits, ink, leaves, roll",
    ),
    "a base rate that leaves no choice": ({"runs.beat.process.rate": 1.0}, "runs.beat.process.rate: found 1.0; expected less than 1"),
    "a schedule for bits": (
        {"runs.beat.process.schedule": {"kind": "linear"}},
        "runs.beat.process.schedule: unknown key; expected one of kind, T, rate",
    ),
    "a variance of bits": (
        {"runs.beat.variance": "learned"},
        "runs.beat.variance: found 'learned'; expected none: a Bernoulli distribution's is given by its mean",
    ),
    "no variance of a Gaussian": (
        {"runs.roll.variance": GONE},
        "runs.roll.variance: found None; expected fixed-small, fixed-large, learned or learned-log: the process is Gaussian",
    ),
    "noise predicted of bits": (
        {"runs.beat.predicts": "eps"},
        "runs.beat.predicts: found 'eps'; expected x0 or mu: the process is binomial",
    ),
    "an unweighted error of bits": (
        {"runs.beat.objective": "simple"},
        "runs.beat.objective: found 'simple'; expected bound: the process is binomial",
    ),
    "another network on bits": (
        {"runs.beat.network": {"kind": "rbf"}},
        "runs.beat.network.kind: found 'rbf'; expected mlp: the process is binomial",
    ),
    "an attractor whose variance is fixed": (
        {"runs.leaves.variance": "fixed-small"},
        "runs.leaves.variance: found 'fixed-small'; expected learned: the mean of eq. 65 is made with it",
    ),
    "learned rates that nothing trains": (
        {"runs.rates.objective": "simple", "runs.rates.variance": "fixed-small"},
        "runs.rates.objective: found 'simple'; expected bound: the objective simple says nothing of the rates, which are learned here",
    ),
    "learned rates that start from learned ones": (
        {"runs.rates.process.schedule.start": {"kind": "learned"}},
        "runs.rates.process.schedule.start.kind: found 'learned'; expected 'linear', 'harmonic', 'log-spaced'",
    ),
    "learned rates that start from nothing": (
        {"runs.rates.process.schedule.start": GONE},
        "runs.rates.process.schedule.start: not given; expected a value",
    ),
    # networks and the sizes of what they see
    "neither pathway": (
        {"runs.ink.network.dense_units": 0},
        "runs.ink.network.dense_units: found 0; expected at least 1 where conv_layers is 0: one of the two pathways",
    ),
    "images that the coarsest scale does not divide": (
        {"datasets.leaves.size": 5},
        "datasets.leaves.size: found 5; expected a multiple of 2, one pixel of the coarsest of the network's 2 scales",
    ),
    "images smaller than the coarsest scale": (
        {"runs.leaves.network.scales": 4},
        "datasets.leaves.size: found 4; expected a multiple of 8, one pixel of the coarsest of the network's 4 scales",
    ),
    "digits smaller than the coarsest scale": (
        {"runs.ink.network.scales": 5},
        "runs.ink.network.scales: found 5; expected at most 4: the images are 8 x 8",
    ),
    "a picture that the coarsest scale does not divide": (
        {f"{PAPER}.fig4.size": 7},
        f"{PAPER}.fig4.size: found 7; expected a multiple of 2, one pixel of the coarsest of the network's 2 scales",
    ),
    "a hidden picture that the coarsest scale does not divide": (
        {f"{PAPER}.fig5.size": 7},
        f"{PAPER}.fig5.size: found 7; expected a multiple of 2, one pixel of the coarsest of the network's 2 scales",
    ),
    "a drawn network that its image does not fit": (
        {f"{PAPER}.fig_d1.resolution": 7},
        f"{PAPER}.fig_d1.resolution: found 7; expected a multiple of 2, one pixel of the coarsest of the network's 2 scales",
    ),
    "a picture larger than a dense network makes": (
        {"runs.leaves.network": CONV},
        f"{PAPER}.fig4.size: found 8; expected 4, the size of datasets.leaves: only a network without a dense pathway makes others",
    ),
    "a hidden picture larger than a dense network makes": (
        {"runs.bark.network": CONV},
        f"{PAPER}.fig5.size: found 8; expected 4, the size of datasets.bark: only a network without a dense pathway makes others",
    ),
    "a hole as large as the picture": (
        {f"{PAPER}.fig5.hole": 8},
        f"{PAPER}.fig5.hole: found 8; expected less than size (8): with nothing known r(x) says nothing",
    ),
    "a picture larger than what is held out": (
        {f"{PAPER}.fig5.size": 18},
        f"{PAPER}.fig5.size: found 18; expected at most 16, the width of the held-out quarter of a photograph",
    ),
    # data
    "radii that fall": ({"datasets.leaves.radius_max": 1.5}, "datasets.leaves.radius_max: found 1.5; expected at least radius_min (2.0)"),
    "radii that fall between the points": (
        {"datasets.leaves.radius_min": 0.4},
        "datasets.leaves.radius_min: found 0.4; expected greater than or equal to 0.5",
    ),
    "patches larger than what is held out": (
        {"datasets.bark.size": 17},
        "datasets.bark.size: found 17; expected at most 16, a quarter of the photographs' 512 pixels shrunk by 8",
    ),
    "an unknown photograph": (
        {"datasets.bark.images": ["bark"]},
        "datasets.bark.images.0: found 'bark'; expected 'brick', 'grass' or 'gravel'",
    ),
    "a sequence without a beat": (
        {"datasets.beat.length": 2},
        "datasets.beat.length: found 2; expected at least period (3): every sequence has a 1",
    ),
    "a folder without a name": ({"datasets.own": {"kind": "folder", "path": ""}}, "datasets.own.path: found ''; expected some text"),
    "no folder": ({"datasets.own": {"kind": "folder"}}, "datasets.own.path: not given; expected a value"),
    # tables and figures
    "an unknown figure": (
        {f"{PAPER}.fig6": {"run": "roll"}},
        f"{PAPER}.fig6: unknown key; expected one of {', '.join(Sohl2015.model_fields)}",
    ),
    "Table 2 without Table 1": (
        {f"{PAPER}.table1": GONE},
        f"{PAPER}.table1: found None; expected its options: table2 takes n, strata and seed from them",
    ),
    "more validation images than there are beside the k-means": (
        {f"{PAPER}.table2.validation": 1491},
        f"{PAPER}.table2.validation: found 1491; expected at most 1490: kmeans needs as many of 1500 images itself",
    ),
    "a run twice": ({f"{PAPER}.table1.runs": ["roll", "roll"]}, f"{PAPER}.table1.runs: found ['roll', 'roll']; expected each value once"),
    "more samples in a grid than were drawn": (
        {f"{PAPER}.fig_app1.rows": 5},
        f"{PAPER}.fig_app1.rows: found 5; expected rows * columns at most n of samples.inks",
    ),
    "an error bar of one image": ({f"{PAPER}.fig3.n": 1}, f"{PAPER}.fig3.n: found 1; expected greater than or equal to 2"),
    "a mean of one sample": ({f"{PAPER}.fig3.draws": 1}, f"{PAPER}.fig3.draws: found 1; expected greater than or equal to 2"),
    "an r(x) that is zero everywhere": (
        {f"{PAPER}.products.r": [{"bit": 0, "off": 1, "on": 2}, {"bit": 1, "off": 0, "on": 0}]},
        f"{PAPER}.products.r.1.on: found 0.0; expected more than 0 where off is 0: r(x) would be zero everywhere",
    ),
    "an r(x) below zero": (
        {f"{PAPER}.products.r": [{"bit": 0, "off": -1, "on": 2}]},
        f"{PAPER}.products.r.0.off: found -1; expected greater than or equal to 0",
    ),
    "an r(x) of a bit that no sequence has": (
        {f"{PAPER}.products.r": [{"bit": 6, "off": 1, "on": 2}]},
        f"{PAPER}.products.r.0.bit: found 6; expected at most 5, the last bit of runs.beat",
    ),
    "no r(x)": ({f"{PAPER}.products.r": []}, f"{PAPER}.products.r: found []; expected at least 1 of them"),
    # DDPM's and DDIM's grey levels on [-1, 1] are not the 2015 paper's dequantised ones
    "a likelihood of grey levels on dequantised ones": (
        {"papers.ddpm.table1.samples": ["inks"]},
        "papers.ddpm.table1.samples: found 'inks'; expected one of plain",
    ),
    "DDPM's figure of dequantised digits": (
        {"papers.ddpm.fig13.samples": "inks"},
        "papers.ddpm.fig13.samples: found 'inks'; expected one of plain",
    ),
    "a sweep over dequantised digits": ({"samples.sweep.run": "ink"}, "samples.sweep.run: found 'ink'; expected one of digits"),
}


@pytest.mark.parametrize(("changes", "line"), MISTAKES_2015.values(), ids=MISTAKES_2015.keys())
def test_a_mistake_of_the_2015_paper_is_named_by_its_key(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    assert told(tiny.write(tmp_path / "own.yaml", tiny.preset(changes))) == line


ALLOWED = {
    "table1.runs": ["bark", "beat", "ink", "leaves", "rates", "roll"],
    "table2.leaves": ["leaves"],
    "table2.digits": ["inks", "plain"],
    "fig1.run": ["rates", "roll"],
    "fig2.run": ["beat"],
    "fig3.run": ["bark", "ink", "leaves"],
    "fig4.run": ["leaves"],
    "fig5.run": ["bark"],
    "fig_app1.samples": ["inks", "plain"],
    "entropy.runs": ["beat", "rates", "roll"],
    "ablation.runs": ["beat", "rates", "roll"],
    "products.run": ["beat"],
}
"""What each block of the paper may name, of the tiny preset's runs and samples."""


def test_every_block_that_names_a_run_or_samples_is_tried() -> None:
    blocks = {key: block for key, block in tiny.PRESET["papers"]["sohl2015"].items() if key != "fig_d1"}
    options = ("run", "runs", "samples", "leaves", "digits")
    naming = {f"{key}.{option}" for key, block in blocks.items() for option in options if option in block}
    assert naming == set(ALLOWED)


@pytest.mark.parametrize("key", ALLOWED)
def test_a_block_takes_runs_and_samples_of_its_own_kind_alone(key: str) -> None:
    """Runs on points, on bits, on grey levels, on dequantised ones, on leaves and on textures; samples in the place of runs, and sweeps."""
    for name in [*tiny.PRESET["runs"], *tiny.PRESET["samples"], "nobody"]:
        options = tiny.preset({f"{PAPER}.{key}": [name] if key.endswith("runs") else name})
        if name in ALLOWED[key]:
            Preset.model_validate(options)
            continue
        with pytest.raises(ValidationError) as error:
            Preset.model_validate(options)
        (only,) = error.value.errors()
        expected = f"one of {', '.join(each for each in [*options['runs'], *options['samples']] if each in ALLOWED[key])}"
        assert only["ctx"] == {"key": f"{PAPER}.{key}", "found": repr(name), "expected": expected}


def test_samples_of_pictures_are_no_digits(tmp_path: Path) -> None:
    samples = {"kind": "ancestral", "run": "leaves", "n": 12}
    for key in ("sohl2015.table2.digits", "ddpm.fig13.samples"):
        path = tiny.write(tmp_path / "own.yaml", tiny.preset({"samples.leafage": samples, f"papers.{key}": "leafage"}))
        assert told(path).startswith(f"papers.{key}: found 'leafage'; expected one of ")


def test_a_network_without_a_dense_pathway_makes_pictures_of_other_sizes(tmp_path: Path) -> None:
    tiny_preset = tiny.preset({f"{PAPER}.fig4.size": 12, f"{PAPER}.fig5.size": 16})
    assert load_preset(tiny.write(tmp_path / "own.yaml", tiny_preset)).papers.sohl2015


def test_every_block_may_be_left_out() -> None:
    for key in tiny.PRESET["papers"]["sohl2015"]:
        changes = {f"{PAPER}.{key}": GONE} | ({f"{PAPER}.table2": GONE} if key == "table1" else {})
        assert getattr(Preset.model_validate(tiny.preset(changes)).papers.sohl2015, key) is None


# --- how a mistake is told ---


def test_more_columns_than_samples_are_refused(tmp_path: Path) -> None:
    line = told(tiny.write(tmp_path / "own.yaml", tiny.preset({"papers.ddim.fig3.columns": 13})))
    assert line.startswith("papers.ddim.fig3.columns: found 13; expected at most 12")


def test_the_first_mistake_is_told_and_the_rest_are_counted(tmp_path: Path) -> None:
    changes = {"runs.digits.training.lr": 0, "runs.digits.training.batch": 0, "samples.sweep.eta": ["x"]}
    line = told(tiny.write(tmp_path / "own.yaml", tiny.preset(changes)))
    assert line == "runs.digits.training.batch: found 0; expected greater than or equal to 1 (and 2 more)"


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    line = told(tiny.write(tmp_path / "own.yaml", tiny.preset({"runs.digits.training.lr": "fast " * 1000})))
    assert len(line) < 140
    assert line.endswith("...; expected a valid number")


KEYS = "expected the keys datasets, features, runs, samples, papers"
TEXTS: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", f"found None; {KEYS}"),
    "comments alone": ("# nothing\n", f"found None; {KEYS}"),
    "a list": ("- datasets\n- runs\n", f"found ['datasets', 'runs']; {KEYS}"),
    "a word": ("laptop\n", f"found 'laptop'; {KEYS}"),
    "a bracket left open": ("runs: {}\nsamples: [1,\n", "line 3: expected the node content, but found '<stream end>'; expected YAML"),
    "two colons": ("runs: x: y\n", "line 1: mapping values are not allowed here; expected YAML"),
    "a tab": ("runs:\n\tdigits: {}\n", "line 2: found character '\\t' that cannot start any token; expected YAML"),
    "a key twice": (
        "datasets: {}\nruns: {}\ndatasets: {}\n",
        'line 3: found duplicate key "datasets" with value "{}" (original value: "{}"); expected YAML',
    ),
    "two documents": ("runs: {}\n---\nruns: {}\n", "line 2: but found another document; expected YAML"),
    "a tag that would run code": (
        "runs: !!python/object/apply:os.system [ls]\n",
        "line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'; expected YAML",
    ),
    "a number that is none": ("runs: !!int many\n", "invalid literal for int() with base 10: 'many'; expected YAML"),
    "a date that is none": ("runs: 2020-13-01\n", "month must be in 1..12; expected YAML"),
    "endless nesting": ("[" * 2000, "maximum recursion depth exceeded; expected YAML"),
    "a number for a key": ("1: {}\n", "1: unknown key; expected one of datasets, features, runs, samples, papers"),
    "nothing for a key": ("~: {}\n", "None: unknown key; expected one of datasets, features, runs, samples, papers"),
    "a list for a key": ("? [a]\n: {}\n", "('a',): unknown key; expected one of datasets, features, runs, samples, papers"),
    "a number for a name": ("datasets: {8: {kind: digits}}\nruns: {}\npapers: {}\n", "datasets.8: found 8; expected a valid string"),
    "an alias of nothing": ("runs: *rbf\n", "line 1: found undefined alias 'rbf'; expected YAML"),
    "no text": (b"\xff\xfe\x00\x01", "not text; expected a preset in YAML (see config/laptop.yaml)"),
}


@pytest.mark.parametrize(("text", "line"), TEXTS.values(), ids=TEXTS.keys())
def test_a_broken_file_is_named(tmp_path: Path, text: str | bytes, line: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert told(path) == line


def test_a_preset_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert told(tmp_path / "none.yaml") == "could not be read: No such file or directory; expected a preset (see config/laptop.yaml)"


def test_a_folder_is_no_preset(tmp_path: Path) -> None:
    assert told(tmp_path) == "could not be read: Is a directory; expected a preset (see config/laptop.yaml)"


def named(preset: str) -> str:
    with pytest.raises(UserError) as error:
        preset_path(preset)
    return str(error.value)


NAMES = ", ".join(path.stem for path in PRESETS)


@pytest.mark.parametrize("preset", ["desktop", "", ".", "config/laptop", "LAPTOP"])
def test_an_unknown_preset_is_told_the_known_ones(preset: str) -> None:
    assert named(preset) == f"preset: found {preset!r}; expected one of {NAMES}, or a path that ends in .yaml"


@pytest.mark.parametrize("name", ["laptop.yaml", "laptop.yml"])
def test_a_preset_of_ones_own_may_not_take_a_shipped_name(tmp_path: Path, name: str) -> None:
    path = tiny.write(tmp_path / name, tiny.preset())
    line = f"{path}: its name is a shipped preset's, whose results it would replace; expected another name than laptop"
    assert named(str(path)) == line


@pytest.mark.parametrize("name", ["my preset", "a{run}", "x;ls", "ü"])
def test_a_presets_name_must_do_for_a_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.yaml"
    assert named(str(path)).startswith(f"{path}: found the name {name!r}; expected letters, digits")
