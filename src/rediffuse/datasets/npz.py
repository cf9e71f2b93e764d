"""Images of the user's own, as arrays in an .npz file."""

from pathlib import Path

import numpy as np

from rediffuse.config import NPZ
from rediffuse.datasets.kinds import Read
from rediffuse.errors import UserError
from rediffuse.files import Arrays, read_arrays, sha256

LEVELS = 256
MADE_BY = "numpy.savez"
LEAST = 2
"""Images that a split has."""


def file(path: str) -> Path:
    """The file at a path. Raises UserError if there is none."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; expected the .npz file of a data set, as seen from {Path.cwd()}")
    return Path(path)


def read(options: NPZ) -> Read:
    """x_train and x_test (n, C, size, size), uint8 grey levels, with y_train and y_test where there are labels.

    Whatever else is in the file is left alone. Raises UserError if an array is absent or is not that.
    """
    path, size = options.path, options.size
    found = read_arrays(file(path), MADE_BY)
    labelled = "y_train" in found or "y_test" in found
    out: Arrays = {}
    for split in ("train", "test"):
        x = out[f"x_{split}"] = _array(found, path, f"x_{split}")
        if x.ndim != 4 or not len(x) or x.shape[1] not in (1, 3) or x.shape[2:] != (size, size):
            raise UserError(f"{path}: x_{split}: found shape {x.shape}; expected (n, 1 or 3, {size}, {size})")
        if len(x) < LEAST:
            raise UserError(f"{path}: x_{split}: found {len(x)} image; expected at least {LEAST}, between which something can be compared")
        if x.shape[1] != out["x_train"].shape[1]:
            raise UserError(f"{path}: x_test: found {x.shape[1]} colours; expected {out['x_train'].shape[1]} as x_train has")
        if labelled:
            y = out[f"y_{split}"] = _array(found, path, f"y_{split}")
            if y.shape != (len(x),):
                raise UserError(f"{path}: y_{split}: found shape {y.shape}; expected ({len(x)},), a label for each image")
    classes = int(out["y_train"].max()) + 1 if labelled else None
    source = {Path(path).name: {"sha256": sha256(file(path).read_bytes())}}
    return Read(out, f"{Path(path).stem} {size} x {size}", LEVELS, classes, source)


def _array(found: Arrays, path: str, name: str) -> np.ndarray:
    array = found.get(name)
    if array is None or array.dtype != np.uint8:
        raise UserError(f"{path}: {name}: found {'nothing' if array is None else array.dtype}; expected uint8")
    return array
