"""What data sets have in common that torchvision downloads to data/raw and checks."""

import hashlib
import io
import textwrap
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rediffuse.errors import UserError
from rediffuse.files import Arrays, sha256
from rediffuse.paths import RAW

LEVELS = 256

Images = NDArray[np.uint8]


def opened(name: str, folder: Path, expected: str, files: dict[str, str], **split: Any) -> Any:
    """One of torchvision's data sets, downloaded if it is not there.

    files: those that it may be read from, and their md5. Raises UserError, with what to put where, if it is neither there nor to be had,
    or one of these files is damaged.
    """
    from torchvision import datasets

    try:
        with redirect_stdout(io.StringIO()):  # what it prints of its mirrors
            return getattr(datasets, name)(RAW, download=True, **split)
    except Exception as error:  # of networks, archives, pickles and files: torchvision lets them all pass
        check(folder, files)
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise UserError(f"{folder}: found no whole {name}, and could download none ({reason}); expected in it {expected}") from None


def check(folder: Path, files: dict[str, str]) -> None:
    """Raises UserError if one that is there has another md5."""
    for path, md5 in ((folder / name, md5) for name, md5 in files.items() if (folder / name).is_file()):
        if (found := hashlib.md5(path.read_bytes()).hexdigest()) != md5:
            raise UserError(f"{path}: found md5 {found}; expected {md5}: remove it, and it is unpacked or downloaded anew")


def labelled(x_train: Images, x_test: Images, y_train: Any, y_test: Any) -> Arrays:
    """The arrays of images and of the labels of the first so many."""
    y_train, y_test = (np.array(y, np.uint8)[: len(x)] for x, y in ((x_train, y_train), (x_test, y_test)))
    return {"x_train": np.ascontiguousarray(x_train), "x_test": np.ascontiguousarray(x_test), "y_train": y_train, "y_test": y_test}


def source(files: Iterable[str]) -> dict[str, Any]:
    """The sha256 of files by their path in data/raw."""
    return {name: {"sha256": sha256((RAW / name).read_bytes())} for name in files}
