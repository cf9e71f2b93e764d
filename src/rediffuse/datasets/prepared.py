"""Prepared data: plain arrays, and a JSON beside them that says what they are."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rediffuse.errors import UserError
from rediffuse.files import Arrays, read_arrays, read_bytes, read_json, sha256

MADE_BY = "rediffuse prepare"


@dataclass(frozen=True)
class Prepared:
    """A prepared data set. Networks see `array * multiply + add`; `levels` is None where the data are continuous."""

    name: str
    shape: tuple[int, ...]
    levels: int | None
    multiply: float
    add: float
    classes: int | None
    sha256: str
    arrays: Arrays

    def x(self, split: str) -> Any:
        """The split as networks see it: float32, shape (n, *shape)."""
        return self.as_x(self.arrays[f"x_{split}"])

    def as_x(self, array: Any) -> Any:
        """A stored array as networks see it: grey levels run from -1 to 1."""
        return (array * self.multiply + self.add).astype(np.float32)

    def to_levels(self, x: Any) -> Any:
        """Samples as grey levels: clipped and rounded to the data's own grid (uint8); continuous data stay as they are."""
        return x if self.levels is None else np.rint((np.clip(x, -1, 1) - self.add) / self.multiply).astype(np.uint8)

    @property
    def dims(self) -> int:
        return math.prod(self.shape)


def load(folder: Path) -> Prepared:
    """The data set that `rediffuse prepare` left in a folder. Raises UserError if a file is absent, damaged or does not fit its JSON."""
    path, about_path = folder / "arrays.npz", folder / "dataset.json"
    about = read_json(about_path, MADE_BY)
    try:
        expected = str(about["files"]["arrays.npz"]["sha256"])
        shape, splits = tuple(map(int, about["shape"])), {split: int(about["splits"][split]["n"]) for split in ("train", "test")}
        multiply, add = float(about["scale"]["multiply"]), float(about["scale"]["add"])
        levels, classes = (about[key] and int(about[key]) for key in ("levels", "classes"))
        name = str(about["name"])
    except KeyError as error:
        raise UserError(f"{about_path}: key {error} not found; expected the file that `{MADE_BY}` makes") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{about_path}: damaged ({error}); expected the file that `{MADE_BY}` makes") from None
    found = sha256(read_bytes(path, MADE_BY))
    arrays = read_arrays(path, MADE_BY)
    for split, n in splits.items():
        x = arrays.get(f"x_{split}")
        if x is None or x.shape != (n, *shape):
            raise UserError(f"{path}: x_{split}: found {'nothing' if x is None else f'shape {x.shape}'}; expected shape {(n, *shape)}")
    if found != expected:
        raise UserError(f"{path}: found sha256 {found[:12]}...; expected {expected[:12]}... by dataset.json: changed since `{MADE_BY}`")
    return Prepared(name, shape, levels, multiply, add, classes, found, arrays)
