"""A preset smaller than any that is shipped, and the command line called inside this process."""

import copy
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rediffuse.cli import main
from rediffuse.papers.makes import MAKES
from rediffuse.presets import Preset

TRAINING = {"steps": 20, "batch": 8, "lr": 1e-3, "ema_decay": 0.7}
CONV = {"kind": "multi-scale", "scales": 2, "filters": 2, "conv_layers": 1, "upper_units": 2, "upper_layers": 1, "bumps": 2}
UNET = {"kind": "unet", "base_channels": 4, "multipliers": [1], "res_blocks": 1, "attention": [], "dropout": 0.0, "groups": 2}
LOG_SPACED = {"kind": "gaussian", "T": 6, "schedule": {"kind": "log-spaced", "ratio_1": 1e-3, "ratio_T": 100.0}}
PRESET: dict[str, Any] = {
    "datasets": {
        "digits": {"kind": "digits"},
        "roll": {"kind": "swiss-roll", "train": 200, "test": 50},
        "beat": {"kind": "heartbeat", "length": 6, "period": 3, "train": 50, "test": 20},
        "leaves": {"kind": "dead-leaves", "size": 4, "radius_max": 4.0, "train": 40, "test": 6},
        "bark": {"kind": "textures", "images": ["brick"], "size": 4, "shrink": 8, "train": 40, "test": 6},
        "ink": {"kind": "digits", "standardise": True},
    },
    "features": {"classifier": {"dataset": "digits", "width": 4, "training": dict(TRAINING)}},
    "runs": {
        "roll": {
            "dataset": "roll",
            "process": {"kind": "gaussian", "T": 6, "schedule": {"kind": "harmonic", "beta_1": 3e-4, "beta_T": 0.99}},
            "network": {"kind": "rbf", "units": 4},
            "predicts": "residual",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "rates": {
            "dataset": "roll",
            "process": {
                "kind": "gaussian",
                "T": 6,
                "schedule": {"kind": "learned", "start": {"kind": "harmonic", "beta_1": 3e-4, "beta_T": 0.99}},
            },
            "network": {"kind": "rbf", "units": 4},
            "predicts": "residual",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "beat": {
            "dataset": "beat",
            "process": {"kind": "binomial", "T": 6, "rate": 0.3},
            "network": {"kind": "mlp", "layers": 2, "units": 4, "shared_readout": True},
            "predicts": "x0",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "leaves": {
            "dataset": "leaves",
            "process": dict(LOG_SPACED),
            "network": dict(CONV),
            "predicts": "attractor",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "bark": {
            "dataset": "bark",
            "process": dict(LOG_SPACED),
            "network": dict(CONV),
            "predicts": "residual",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "ink": {
            "dataset": "ink",
            "process": dict(LOG_SPACED),
            "network": {"kind": "multi-scale", "conv_layers": 0, "dense_units": 4, "dense_layers": 1, "bumps": 2},
            "predicts": "eps",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "digits": {
            "dataset": "digits",
            "process": {"kind": "gaussian", "T": 6, "schedule": {"kind": "linear"}},
            "network": dict(UNET),
            "predicts": "eps",
            "variance": "fixed-large",
            "objective": "simple",
            "training": dict(TRAINING),
        },
    },
    "samples": {
        "inks": {"kind": "ancestral", "run": "ink", "n": 12, "chunk": 12},
        "plain": {"kind": "ancestral", "run": "digits", "n": 12, "chunk": 4, "shards": 2},
        "sweep": {"kind": "ddim", "run": "digits", "steps": [2, 3], "eta": [0, "sigma-hat"], "tau": "linear", "n": 12, "chunk": 6},
        "whole": {
            "kind": "ddim",
            "run": "digits",
            "steps": [6],
            "eta": [0, 1, "probability-flow", "dpm-solver++"],
            "tau": "linear",
            "seeds": [0, 5],
            "n": 12,
            "chunk": 12,
        },
        "released": {"kind": "ddim", "run": "digits", "steps": [2, 3], "eta": [0], "tau": "released-quadratic", "n": 12, "chunk": 12},
    },
    "papers": {
        "sohl2015": {
            "table1": {"runs": ["roll", "rates", "beat", "leaves"], "n": 6, "strata": 3},
            "table2": {"leaves": "leaves", "digits": "inks", "validation": 100, "kmeans": 10, "blur": 0.5, "scales": 2},
            "fig1": {"run": "roll", "n": 20},
            "fig2": {"run": "beat", "n": 20, "rows": 4},
            "fig3": {"run": "leaves", "n": 4, "draws": 2, "columns": 3},
            "fig4": {"run": "leaves", "size": 8, "n": 1},
            "fig5": {"run": "bark", "size": 8, "hole": 2, "pictures": 2, "rounds": 2, "draws": 2},
            "fig_app1": {"samples": "inks", "rows": 2, "columns": 3},
            "fig_d1": {
                "network": {"kind": "multi-scale", "scales": 2, "filters": 4, "conv_layers": 1, "dense_units": 4, "dense_layers": 1},
                "resolution": 8,
                "channels": 3,
            },
            "entropy": {"runs": ["roll", "beat"], "n": 6},
            "ablation": {"runs": ["roll", "rates"], "n": 6, "strata": 3, "n_perfect": 4},
            "products": {"run": "beat", "n": 100, "T": 10, "r": [{"bit": 0, "off": 1, "on": 4}]},
        },
        "ddpm": {
            "table1": {"samples": ["plain"], "features": "classifier", "n": 10, "strata": 2},
            "table2": {
                "dataset": "digits",
                "process": {"kind": "gaussian", "T": 6, "schedule": {"kind": "linear"}},
                "network": {
                    "kind": "unet",
                    "base_channels": 4,
                    "multipliers": [1],
                    "res_blocks": 1,
                    "attention": [],
                    "dropout": 0.0,
                    "groups": 2,
                },
                "training": dict(TRAINING),
                "seeds": [0, 1],
                "n": 12,
                "features": "classifier",
            },
            "bounds": {"run": "digits", "n": 10, "strata": 2},
            "conventions": {"run": "digits", "features": "classifier", "n": 10, "strata": 2, "draws": 10},
            "fig1": {"samples": "plain", "rows": 2, "columns": 2},
            "fig13": {"samples": "plain", "rows": 3, "columns": 4},
            "table4": {"runs": ["digits"], "n": 4},
            "fig7": {"run": "digits", "t": [6, 3]},
            "fig8": {"run": "digits", "t": 3, "pairs": 2},
            "fig9": {"run": "digits", "t": [2, 6]},
            "fig10": {"run": "digits", "features": "classifier", "n": 10, "times": 4, "rows": 3},
            "fig15": {"samples": "plain", "features": "classifier", "rows": 3, "columns": 2},
        },
        "ddim": {
            "table1": {"samples": ["sweep", "whole"], "features": "classifier"},
            "table1_released": {"samples": ["released"], "features": "classifier"},
            "table2": {"run": "digits", "steps": [2, 3, 6], "n": 6},
            "fig3": {"samples": ["sweep"], "steps": [2, 3], "columns": 3},
            "fig4": {"run": "digits", "steps": [2, 3], "n": 2, "repeats": 1},
            "fig5": {"run": "digits", "steps": [2, 6], "features": "classifier", "n": 6, "columns": 3},
            "fig6": {"run": "digits", "steps": 2, "lines": 2},
            "fig7": {"ddpm": "plain", "samples": ["sweep", "whole"], "steps": [6, 2], "rows": 2, "columns": 3},
            "grid": {"run": "digits", "steps": [2, 6], "eta": [0, 1, "sigma-hat"], "columns": 3},
            "frontier": {"ddpm": "plain", "samples": ["sweep", "whole"], "features": "classifier"},
        },
    },
}
GONE = object()
"""As a value: the key is left out."""


def preset(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The tiny preset with the values at some dotted key paths replaced."""
    return changed(copy.deepcopy(PRESET), changes or {})


def changed(options: Any, changes: dict[str, Any]) -> Any:
    """The options with the values at dotted key paths replaced, in place."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        block = options
        for key in parents:
            block = block[key]
        if value is GONE:
            del block[last]
        else:
            block[last] = value
    return options


def without(*papers: str) -> dict[str, Any]:
    """Changes that leave papers out, and of the rest what only 2015 uses, where it is among them."""
    changes: dict[str, Any] = {f"papers.{paper}": GONE for paper in papers}
    if "sohl2015" in papers:
        changes |= {"samples.inks": GONE}
        changes |= {f"runs.{name}": GONE for name in ("roll", "rates", "beat", "leaves", "bark", "ink")}
        changes |= {f"datasets.{name}": GONE for name in ("roll", "beat", "leaves", "bark", "ink")}
    if "ddim" in papers:
        changes |= {f"samples.{name}": GONE for name in ("sweep", "whole", "released")}
    return changes


def make(folder: Path, paper: str, changes: dict[str, Any]) -> Path:
    """Make everything of one paper in a folder, from data to claims, by the commands that the rules call."""
    content = Preset.model_validate(preset(changes))
    write(folder / "tiny.yaml", preset(changes))
    commands = [f"prepare {name}" for name in content.datasets] + [f"train {name}" for name in content.runs | content.features]
    commands += [f"sample {name} --shard {k + 1}" for name, samples in content.samples.items() for k in range(samples.shards)]
    for artifact, makes in MAKES[paper].items():
        commands += [f"measure {paper} {artifact}"] * bool(makes.measured) + [f"table {paper} {artifact}"] * makes.is_table
    commands += [f"figure {paper} {artifact}" for artifact, makes in MAKES[paper].items() if makes.drawn]
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in [*commands, f"claims {paper}", "report"]:
            assert rediffuse(*command.split(), "--preset", "tiny.yaml") == 0, command
    finally:
        os.chdir(before)
    return folder


def write(path: Path, options: Any) -> Path:
    """A YAML file."""
    yaml = YAML(typ="safe", pure=True)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(options, file)
    return path


def rediffuse(*arguments: str) -> int:
    """The exit status of a command. What no command catches is raised: a user would see its traceback."""
    before, sys.argv = sys.argv, ["rediffuse", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path; but for what jobs tell `rediffuse status` of themselves."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.match(".state/status/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, after_work: bool = False) -> str:
    """The line with which a command refuses what it was given: alone on standard error, with status 2, and no file touched.

    after_work: the command may have told its progress before.
    """
    before = files(Path())
    capsys.readouterr()
    status = rediffuse(*arguments)
    out, err = capsys.readouterr()
    *told, line = err.splitlines()
    assert status == 2
    assert line.startswith("rediffuse: "), err
    assert all(after_work and "images/s" in each for each in told), err
    assert not out
    assert files(Path()) == before, "a command that failed has changed files"
    return line.removeprefix("rediffuse: ")


@contextmanager
def no_file_over(largest: int) -> Iterator[None]:
    """No file may grow over this many bytes: the kernel refuses the rest of a write, as a full disk does.

    Only while the block runs: pytest's own output may be a file, too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
