"""A preset smaller than any that is shipped, and the command line called inside this process."""

import copy
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rediffuse.cli import main

TRAINING = {"steps": 20, "batch": 8, "lr": 1e-3, "ema_decay": 0.7}
PRESET: dict[str, Any] = {
    "datasets": {"digits": {"kind": "digits"}, "roll": {"kind": "swiss-roll", "train": 200, "test": 50}},
    "features": {"classifier": {"dataset": "digits", "width": 4, "training": dict(TRAINING)}},
    "runs": {
        "roll": {
            "dataset": "roll",
            "process": {"T": 6, "schedule": {"kind": "harmonic", "beta_1": 3e-4, "beta_T": 0.99}},
            "network": {"kind": "rbf", "units": 4},
            "predicts": "residual",
            "variance": "learned",
            "objective": "bound",
            "training": dict(TRAINING),
        },
        "digits": {
            "dataset": "digits",
            "process": {"T": 6, "schedule": {"kind": "linear"}},
            "network": {
                "kind": "unet",
                "base_channels": 4,
                "multipliers": [1],
                "res_blocks": 1,
                "attention": [],
                "dropout": 0.0,
                "groups": 2,
            },
            "predicts": "eps",
            "variance": "fixed-large",
            "objective": "simple",
            "training": dict(TRAINING),
        },
    },
    "samples": {
        "plain": {"kind": "ancestral", "run": "digits", "n": 12, "chunk": 4, "shards": 2},
        "sweep": {"kind": "ddim", "run": "digits", "steps": [2, 3], "eta": [0, "sigma-hat"], "tau": "linear", "n": 12, "chunk": 6},
    },
    "papers": {
        "sohl2015": {"fig1": {"run": "roll", "n": 20}, "table1": {"runs": ["roll"], "n": 20}},
        "ddpm": {
            "table1": {"samples": ["plain"], "features": "classifier", "n": 10, "strata": 2},
            "fig1": {"samples": "plain", "rows": 2, "columns": 2},
            "fig13": {"samples": "plain", "rows": 3, "columns": 4},
        },
        "ddim": {
            "table1": {"samples": ["sweep"], "features": "classifier"},
            "fig3": {"samples": ["sweep"], "steps": [2, 3], "columns": 3},
            "fig4": {"run": "digits", "steps": [2, 3], "n": 2, "repeats": 1},
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
    """Every file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


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
