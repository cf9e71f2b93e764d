"""Data sets that torchvision downloads to data/raw and checks: MNIST, CIFAR-10, CelebA."""

import hashlib
import io
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rediffuse.config import CIFAR10, LSUN, MNIST, CelebA
from rediffuse.errors import UserError
from rediffuse.files import Arrays, held, sha256
from rediffuse.progress import track

RAW = Path("data/raw")
LEVELS = 256
CLASSES = 10
UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""md5 of MNIST's unpacked files: torchvision checks those that it downloads, and takes unpacked ones as they are."""
PACKED = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""md5 of the same as they are published."""
CIFAR10_PACKED, CIFAR10_MD5 = "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"
FACE = (25, 57, 153, 185)
"""Left, upper, right and lower edge of the square that DDIM's released code cuts from CelebA's aligned images, 178 x 218."""

Options = MNIST | CIFAR10 | CelebA
Images = NDArray[np.uint8]


def title(options: Options | LSUN) -> str:
    """What the images are called: by their published name alone only where none is left out."""
    part = "" if options.is_whole else f" (first {options.train:,} training and {options.test:,} test images)"
    return f"{options.published}{part} {options.size} x {options.size}"


def arrays(options: Options) -> tuple[Arrays, dict[str, Any]]:
    """The arrays, and the sha256 of the files that they were read from, by their path in data/raw.

    x_train (train, C, size, size) and x_test, uint8 grey levels 0..255, and y_train, y_test, the labels, where there are any. Files that
    are there are used, others are downloaded. Raises UserError, with what to put where, if that fails or a file is damaged.
    """
    with held(RAW / f".{options.kind}.lock"):
        match options:
            case MNIST():
                return _mnist(options)
            case CIFAR10():
                return _cifar10(options)
            case CelebA():
                return _celeba(options)


def _mnist(options: MNIST) -> tuple[Arrays, dict[str, Any]]:
    expected = f"{', '.join(f'{name}.gz' for name in UNPACKED)}, packed or not"
    train, test = (_opened("MNIST", RAW / "MNIST/raw", expected, UNPACKED | PACKED, train=train) for train in (True, False))
    _check(RAW / "MNIST/raw", UNPACKED)
    border = ((0, 0), (0, 0), (options.pad, options.pad), (options.pad, options.pad))
    x_train, x_test = (np.pad(part.data.numpy()[:n, None], border) for part, n in ((train, options.train), (test, options.test)))
    return _labelled(x_train, x_test, train.targets.numpy(), test.targets.numpy()), _source(f"MNIST/raw/{name}" for name in UNPACKED)


def _cifar10(options: CIFAR10) -> tuple[Arrays, dict[str, Any]]:
    expected = "cifar-10-python.tar.gz, or the folder cifar-10-batches-py that is in it"
    train, test = (_opened("CIFAR10", RAW, expected, {CIFAR10_PACKED: CIFAR10_MD5}, train=train) for train in (True, False))
    x_train, x_test = (part.data[:n].transpose(0, 3, 1, 2) for part, n in ((train, options.train), (test, options.test)))
    files = [f"{train.base_folder}/{name}" for name, _ in train.train_list + train.test_list]
    return _labelled(x_train, x_test, train.targets, test.targets), _source(files)


def _celeba(options: CelebA) -> tuple[Arrays, dict[str, Any]]:
    expected = "img_align_celeba.zip unpacked, and the five lists .txt that come with it"
    train, test = (_opened("CelebA", RAW / "celeba", expected, {}, split=split) for split in ("train", "test"))
    folder = RAW / "celeba/img_align_celeba"
    x_train, x_test = (
        np.stack([*_faces([folder / name for name in part.filename[:n]])]) for part, n in ((train, options.train), (test, options.test))
    )
    return {"x_train": x_train, "x_test": x_test}, _source(["celeba/list_eval_partition.txt"])


def _faces(files: list[Path]) -> Iterator[Images]:
    """Faces of shape (3, 64, 64)."""
    from PIL import Image

    for file in track(files, len(files), "cut faces"):
        try:
            with Image.open(file) as image:
                face = image.convert("RGB").crop(FACE).resize((CelebA.size, CelebA.size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise UserError(f"{file}: could not be read ({error}); expected a whole image of CelebA") from None
        yield np.asarray(face).transpose(2, 0, 1)


def _opened(name: str, folder: Path, expected: str, files: dict[str, str], **split: Any) -> Any:
    """One of torchvision's data sets, downloaded if it is not there.

    files: those that it may be read from, and their md5: a damaged one is the reason where it could be neither read nor downloaded.
    """
    from torchvision import datasets

    try:
        with redirect_stdout(io.StringIO()):  # what it prints of its mirrors
            return getattr(datasets, name)(RAW, download=True, **split)
    except Exception as error:  # of networks, archives, pickles and files: torchvision lets them all pass
        _check(folder, files)
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise UserError(f"{folder}: found no whole {name}, and could download none ({reason}); expected in it {expected}") from None


def _check(folder: Path, files: dict[str, str]) -> None:
    """Raises UserError if one that is there has another md5."""
    for path, md5 in ((folder / name, md5) for name, md5 in files.items() if (folder / name).is_file()):
        if (found := hashlib.md5(path.read_bytes()).hexdigest()) != md5:
            raise UserError(f"{path}: found md5 {found}; expected {md5}: remove it, and it is unpacked or downloaded anew")


def _labelled(x_train: Images, x_test: Images, y_train: Any, y_test: Any) -> Arrays:
    y_train, y_test = (np.array(y, np.uint8)[: len(x)] for x, y in ((x_train, y_train), (x_test, y_test)))
    return {"x_train": np.ascontiguousarray(x_train), "x_test": np.ascontiguousarray(x_test), "y_train": y_train, "y_test": y_test}


def _source(files: Any) -> dict[str, Any]:
    return {name: {"sha256": sha256((RAW / name).read_bytes())} for name in files}
