"""Prepared data: plain arrays, and a JSON beside them that says what they are."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rediffuse.errors import UserError
from rediffuse.files import Arrays, read_arrays, read_bytes, read_json, sha256

MADE_BY = "rediffuse prepare"
SPLITS = ("train", "test")
BLOCK = 1 << 20
"""Values that are scaled at a time."""


@dataclass(frozen=True)
class Prepared:
    """A prepared data set. Networks see `array * multiply + add`; `levels` is None where the arrays hold no grey levels (or bits).

    Where `dequantise`, the width of one grey level as networks see it, is not 0, noise uniform on so much has been added. `border` pixels
    at each side are no part of the published images.
    """

    name: str
    shape: tuple[int, ...]
    levels: int | None
    multiply: float
    add: float
    dequantise: float
    classes: int | None
    sha256: str
    arrays: Arrays
    border: int = 0

    def x(self, split: str) -> Any:
        """The split as networks see it: float32, shape (n, *shape). Its noise, where it has any, is always the same."""
        array = self.arrays[f"x_{split}"]
        if not self.dequantise:
            return self.as_x(array)
        generator, width = np.random.Generator(np.random.PCG64(SPLITS.index(split))), self.dequantise / self.multiply
        return self._float32(array, noisy=lambda part: part + (generator.random(part.shape) - 0.5) * width)

    def as_x(self, array: Any) -> Any:
        """A stored array as networks see it, without noise: float32."""
        return self._float32(array, noisy=lambda part: part)

    def _float32(self, array: Any, noisy: Callable[[Any], Any]) -> Any:
        """What networks see of the array: float64 a block at a time, which whole would take twelve times the memory of grey levels."""
        flat = np.reshape(array, -1)
        x = np.empty(len(flat), np.float32)
        for start in range(0, len(flat), BLOCK):
            x[start : start + BLOCK] = noisy(flat[start : start + BLOCK]) * self.multiply + self.add
        return x.reshape(np.shape(array))

    def to_levels(self, x: Any) -> Any:
        """Samples as grey levels: clipped and rounded to the data's own grid (uint8); what has no grey levels stays as it is."""
        return x if self.levels is None else np.rint(np.clip((x - self.add) / self.multiply, 0, self.levels - 1)).astype(np.uint8)

    def inside(self, images: Any) -> Any:
        """Stored images (..., size, size) without the border."""
        return images[..., self.border : images.shape[-2] - self.border, self.border : images.shape[-1] - self.border]

    @property
    def binary(self) -> bool:
        """Whether networks see bits, 0 and 1."""
        return self.levels == 2 and (self.multiply, self.add) == (1, 0)

    @property
    def continuous(self) -> bool:
        """Whether what networks see has a density."""
        return self.levels is None or self.dequantise > 0

    @property
    def dims(self) -> int:
        return math.prod(self.shape)


def load(folder: Path) -> Prepared:
    """The data set that `rediffuse prepare` left in a folder. Raises UserError if a file is absent, damaged or does not fit its JSON."""
    path, about_path = folder / "arrays.npz", folder / "dataset.json"
    about = read_json(about_path, MADE_BY)
    try:
        expected = str(about["files"]["arrays.npz"]["sha256"])
        shape, splits = tuple(map(int, about["shape"])), {split: int(about["splits"][split]["n"]) for split in SPLITS}
        multiply, add = float(about["scale"]["multiply"]), float(about["scale"]["add"])
        dequantise = 0.0 if about["dequantisation"] is None else float(about["dequantisation"]["width"])
        levels, classes = (about[key] and int(about[key]) for key in ("levels", "classes"))
        if not (0 < multiply < math.inf and math.isfinite(add) and 0 <= dequantise < math.inf):
            raise ValueError(f"scale.multiply {multiply}, scale.add {add}, dequantisation.width {dequantise}")
        name, border = str(about["name"]), int(about.get("border", 0))
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
    return Prepared(name, shape, levels, multiply, add, dequantise, classes, found, arrays, border)
