"""`rediffuse prepare`: a data set into plain arrays, once."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from rediffuse.config import CIFAR10, LSUN, MNIST, NPZ, CelebA, Dataset, DeadLeaves, Digits, Folder, Heartbeat, Images, SwissRoll, Textures
from rediffuse.files import Arrays, read_bytes, sha256, write_arrays, write_json


def prepare(name: str, options: Dataset, folder: Path) -> None:
    """Write folder/arrays.npz and folder/dataset.json.

    Raises UserError if the folder cannot be written, if images of the user's own are not what they must be, or if what has to
    be downloaded, or put there, is neither there nor to be had.
    """
    levels = classes = source = None
    match options:
        case Digits():
            from rediffuse.datasets import digits

            arrays, title = digits.arrays(), "handwritten digits 8 x 8"
            levels, classes = digits.LEVELS, digits.CLASSES
        case MNIST() | CIFAR10() | CelebA():
            from rediffuse.datasets import downloads

            arrays, source = downloads.arrays(options)
            title, levels, classes = downloads.title(options), downloads.LEVELS, downloads.CLASSES if options.labelled else None
        case LSUN():
            from rediffuse.datasets import downloads, lsun

            arrays, source = lsun.arrays(options)
            title, levels = downloads.title(options), downloads.LEVELS
        case NPZ():
            from rediffuse.datasets import npz

            arrays, classes = npz.arrays(options.path, options.size)
            title, levels = f"{Path(options.path).stem} {options.size} x {options.size}", npz.LEVELS
            source = {Path(options.path).name: {"sha256": sha256(npz.file(options.path).read_bytes())}}
        case SwissRoll():
            from rediffuse.datasets import swiss_roll

            roll = swiss_roll.SwissRoll(options.turns, options.noise)
            arrays, title = swiss_roll.arrays(roll, options.train, options.test, options.seed), "swiss roll"
        case Heartbeat():
            from rediffuse.datasets import heartbeat

            beat = heartbeat.Heartbeat(options.length, options.period)
            arrays, title = heartbeat.arrays(beat, options.train, options.test, options.seed), "heartbeat"
            levels = heartbeat.LEVELS
        case DeadLeaves():
            from rediffuse.datasets import dead_leaves

            drawn = options.size, options.radius_min, options.radius_max, options.exponent, options.train, options.test, options.seed
            arrays, title = dead_leaves.arrays(*drawn), f"dead leaves {options.size} x {options.size}"
            levels = dead_leaves.LEVELS
        case Textures() | Folder():
            from rediffuse.datasets import patches

            if isinstance(options, Textures):
                from rediffuse.datasets import textures

                pictures, title = textures.photographs(options.images, options.shrink), "textures"
            else:
                from rediffuse.datasets import folder as user

                pictures, title = user.pictures(options.path, options.shrink, options.size), Path(options.path).resolve().name
                source = {file.name: {"sha256": sha256(file.read_bytes())} for file in user.files(options.path)}
            arrays = patches.arrays(pictures, options.size, options.train, options.test, options.seed)
            title, levels = f"{title} {options.size} x {options.size}", patches.LEVELS
    path = folder / "arrays.npz"
    write_arrays(path, arrays)
    about = {
        "name": name,
        "title": title,
        "options": options.model_dump(mode="json"),
        "source": source,
        "shape": list(arrays["x_train"].shape[1:]),
        "levels": levels,
        "classes": classes,
        **_scale(options, arrays, levels),
        **({"border": options.pad} if isinstance(options, MNIST) else {}),
        "splits": {split: {"n": len(arrays[f"x_{split}"])} for split in ("train", "test")},
        "files": {path.name: {"sha256": sha256(read_bytes(path, "rediffuse prepare"))}},
    }
    write_json(folder / "dataset.json", about)


def _scale(options: Dataset, arrays: Arrays, levels: int | None) -> dict[str, Any]:
    """How networks see the data: x = (array + noise) * multiply + add, the noise uniform over one grey level where there is any."""
    if levels is None or isinstance(options, Heartbeat):  # of variance 1 already, or bits
        return {"scale": {"multiply": 1.0, "add": 0.0}, "dequantisation": None}
    if isinstance(options, Images) and not options.standardise:
        return {"scale": {"multiply": 2 / (levels - 1), "add": -1.0}, "dequantisation": None}
    multiply, add = standardise(arrays["x_train"])
    # In the network's units. The code of Sohl-Dickstein et al. 2015 divides a grey level by the scale in the place of multiplying it,
    # which makes its noise 10 to 16 times too narrow and leaves the data on a comb.
    return {"scale": {"multiply": multiply, "add": add}, "dequantisation": {"width": multiply, "levels": 1}}


def standardise(x: Any) -> tuple[float, float]:
    """(multiply, add) that make the mean of integer grey levels plus noise uniform on [-1/2, 1/2] 0 and their variance 1."""
    scale = 1 / math.sqrt(np.var(x, dtype=np.float64) + 1 / 12)
    return scale, -float(np.mean(x, dtype=np.float64)) * scale
