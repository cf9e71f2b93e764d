"""`rediffuse prepare`: a data set into plain arrays, once."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rediffuse.config import MNIST, Dataset, Heartbeat, Images
from rediffuse.datasets.kinds import Read, module
from rediffuse.files import read_bytes, sha256, write_arrays, write_json


def prepare(name: str, options: Dataset, folder: Path) -> None:
    """Write folder/arrays.npz and folder/dataset.json.

    Raises UserError if the folder cannot be written, if images of the user's own are not what they must be, or if what has to
    be downloaded, or put there, is neither there nor to be had.
    """
    read: Read = import_module(f"rediffuse.{module(options.kind)}").read(options)
    path = folder / "arrays.npz"
    write_arrays(path, read.arrays)
    about = {
        "name": name,
        "title": read.title,
        "options": options.model_dump(mode="json"),
        "source": read.source,
        "shape": list(read.arrays["x_train"].shape[1:]),
        "levels": read.levels,
        "classes": read.classes,
        **_scale(options, read),
        **({"border": options.pad} if isinstance(options, MNIST) else {}),
        "splits": {split: {"n": len(read.arrays[f"x_{split}"])} for split in ("train", "test")},
        "files": {path.name: {"sha256": sha256(read_bytes(path, "rediffuse prepare"))}},
    }
    write_json(folder / "dataset.json", about)


def _scale(options: Dataset, read: Read) -> dict[str, Any]:
    """How networks see the data: x = (array + noise) * multiply + add, the noise uniform over one grey level where there is any."""
    if read.levels is None or isinstance(options, Heartbeat):  # of variance 1 already, or bits
        return {"scale": {"multiply": 1.0, "add": 0.0}, "dequantisation": None}
    if isinstance(options, Images) and not options.standardise:
        return {"scale": {"multiply": 2 / (read.levels - 1), "add": -1.0}, "dequantisation": None}
    multiply, add = standardise(read.arrays["x_train"])
    # In the network's units. The code of Sohl-Dickstein et al. 2015 divides a grey level by the scale in the place of multiplying it,
    # which makes its noise 10 to 16 times too narrow and leaves the data on a comb.
    return {"scale": {"multiply": multiply, "add": add}, "dequantisation": {"width": multiply, "levels": 1}}


def standardise(x: Any) -> tuple[float, float]:
    """(multiply, add) that make the mean of integer grey levels plus noise uniform on [-1/2, 1/2] 0 and their variance 1."""
    scale = 1 / math.sqrt(np.var(x, dtype=np.float64) + 1 / 12)
    return scale, -float(np.mean(x, dtype=np.float64)) * scale
