"""A folder of the user's own images, in grey."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rediffuse.config import Folder
from rediffuse.datasets import patches
from rediffuse.datasets.kinds import Read
from rediffuse.errors import UserError
from rediffuse.files import sha256

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".pnm", ".gif", ".webp")


def read(options: Folder) -> Read:
    """Patches of the images, as `patches.arrays` has them. Raises UserError as `files` and `pictures` do."""
    found = pictures(options.path, options.shrink, options.size)
    arrays = patches.arrays(found, options.size, options.train, options.test, options.seed)
    title = f"{Path(options.path).resolve().name} {options.size} x {options.size}"
    source = {file.name: {"sha256": sha256(file.read_bytes())} for file in files(options.path)}
    return Read(arrays, title, patches.LEVELS, source=source)


def files(path: str | Path) -> list[Path]:
    """The images in a folder, by their names; what is not named as an image is left alone. Raises UserError if there are none."""
    folder = Path(path)
    try:
        found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError as error:
        raise UserError(f"{folder}: could not be read: {error.strerror}; expected a folder of images, as seen from {Path.cwd()}") from None
    if not found:
        raise UserError(f"{folder}: no image found in it; expected files named {', '.join('*' + suffix for suffix in SUFFIXES)}")
    return found


def pictures(path: str | Path, shrink: int, size: int) -> NDArray[np.uint8]:
    """The folder's images in grey, each side divided by `shrink`, from which patches of `size` pixels a side can be cut.

    Shape (images, height, width). Raises UserError if an image cannot be read, is of another size than the first, or is too small.
    """
    images = {file: _read(file) for file in files(path)}
    first, *others = images
    for file in others:
        if images[file].shape != images[first].shape:
            raise UserError(f"{file}: found {_size(images[file])} pixels; expected {_size(images[first])} as {first.name} has")
    found = np.stack([patches.shrunk(image, shrink) for image in images.values()])
    height, width = patches.least(size)
    if found.shape[1] < height or found.shape[2] < width:
        after = f" after shrinking by {shrink}" if shrink > 1 else ""
        raise UserError(
            f"{first}: found {_size(found[0])} pixels{after}; "
            f"expected at least {width} x {height}: patches of {size} x {size} to test on are cut from the right quarter"
        )
    return found


def _read(file: Path) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            mode = image.mode
            grey = np.asarray(image.convert("L"))
    except UnidentifiedImageError:
        raise UserError(f"{file}: found no image that Pillow can read; expected one, since its name ends in {file.suffix}") from None
    except Exception as error:  # each format has its own
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"{file}: could not be read ({reason}); expected a whole image") from None
    if mode[0] in "IF":  # integers of 16 or 32 bits, or floats: Pillow cuts them off at 255
        raise UserError(f"{file}: found pixels of Pillow's mode {mode}; expected 8 bits a colour")
    return grey


def _size(picture: NDArray[np.uint8]) -> str:
    height, width = picture.shape
    return f"{width} x {height}"
