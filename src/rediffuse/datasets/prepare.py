"""`rediffuse prepare`: a data set into plain arrays, once."""

from pathlib import Path

from rediffuse.config import Dataset, Digits, SwissRoll
from rediffuse.files import read_bytes, sha256, write_arrays, write_json


def prepare(name: str, options: Dataset, folder: Path) -> None:
    """Write folder/arrays.npz and folder/dataset.json. Raises UserError if the folder cannot be written."""
    levels = classes = None
    match options:
        case Digits():
            from rediffuse.datasets import digits

            arrays, title = digits.arrays(), "handwritten digits 8 x 8"
            shape, levels, classes = [1, 8, 8], digits.LEVELS, digits.CLASSES
        case SwissRoll():
            from rediffuse.datasets import swiss_roll

            roll = swiss_roll.SwissRoll(options.turns, options.noise)
            arrays, title = swiss_roll.arrays(roll, options.train, options.test, options.seed), "swiss roll"
            shape = [2]
    path = folder / "arrays.npz"
    write_arrays(path, arrays)
    about = {
        "name": name,
        "title": title,
        "options": options.model_dump(mode="json"),
        "shape": shape,
        "levels": levels,
        "classes": classes,
        # x = array * multiply + add: grey levels 0..levels-1 become -1..1; continuous data have variance 1 already.
        "scale": {"multiply": 2 / (levels - 1), "add": -1.0} if levels else {"multiply": 1.0, "add": 0.0},
        "splits": {split: {"n": len(arrays[f"x_{split}"])} for split in ("train", "test")},
        "files": {path.name: {"sha256": sha256(read_bytes(path, "rediffuse prepare"))}},
    }
    write_json(folder / "dataset.json", about)
