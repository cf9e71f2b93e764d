"""LSUN: photographs of one category, from the lmdb of its authors that the user puts into data/raw/lsun."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rediffuse.config import LSUN
from rediffuse.datasets.kinds import Read
from rediffuse.datasets.published import title
from rediffuse.errors import UserError
from rediffuse.paths import RAW
from rediffuse.progress import track

FOLDER = RAW / "lsun"
LEVELS = 256

Images = NDArray[np.uint8]


def read(options: LSUN) -> Read:
    """x_train (train, 3, size, size) and x_test, uint8 grey levels 0..255.

    Of each lmdb the source says how many images were read, and the sha256 of their files one after the other. The first images are
    those with the least keys, hashes that say nothing of what is shown. Raises UserError, with what to put where, if an lmdb is absent,
    damaged or has too few images, if the package that reads it is not installed, or if memory does not hold the images.
    """
    category, train, test = options.category, options.train, options.test
    wanted = {f"{category}_train_lmdb": train, f"{category}_val_lmdb": test} if options.split else {category: train + test}
    for name in wanted:
        if not (file := FOLDER / name / "data.mdb").is_file():
            where = f"unpack {name}.zip, of LSUN's authors, in {FOLDER}"
            raise UserError(f"{file}: not found; expected it of LSUN, which is not downloaded: {where}")
    if find_spec("lmdb") is None:
        raise UserError("lmdb: not installed; expected it, which LSUN is read with: pip install lmdb")
    found = {name: _read(FOLDER / name, n, options.size) for name, n in wanted.items()}
    x = [images for images, _ in found.values()]
    x_train, x_test = x if options.split else (x[0][:train], x[0][train:])
    source = {f"lsun/{name}": about for name, (_, about) in found.items()}
    return Read({"x_train": x_train, "x_test": x_test}, title(options), LEVELS, source=source)


def _read(folder: Path, n: int, size: int) -> tuple[Images, dict[str, Any]]:
    """The first n images of an lmdb, (n, 3, size, size), and what was read."""
    try:
        images, digest = np.empty((n, 3, size, size), np.uint8), hashlib.sha256()
    except MemoryError:
        gb = n * 3 * size**2 / 1e9
        raise UserError(f"{folder}: found no memory for {n} images of {size} x {size}, {gb:.0f} GB; expected fewer: lower train") from None
    with _entries(folder, n) as entries:
        for image, (key, file) in zip(images, track(entries, n, f"read {folder.name}"), strict=True):
            digest.update(file)
            try:
                image[:] = _square(file, size)
            except OSError:
                name = key.decode(errors="replace")
                raise UserError(f"{folder}: {name}: found no whole image; expected one that Pillow reads, JPEG or WebP") from None
    return images, {"images": n, "sha256": digest.hexdigest()}


@contextmanager
def _entries(folder: Path, n: int) -> Iterator[Iterator[tuple[bytes, bytes]]]:
    """The first n keys and values of an lmdb, into whose folder nothing is written."""
    import lmdb

    try:
        with lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as database, database.begin() as transaction:
            # A page that is missing from a mapped file would end the process, not raise.
            found, expected = (folder / "data.mdb").stat().st_size, (database.info()["last_pgno"] + 1) * database.stat()["psize"]
            if found < expected:
                raise UserError(f"{folder}/data.mdb: found {found} bytes; expected {expected} by its own header: unpack it anew")
            if (there := database.stat()["entries"]) < n:
                raise UserError(f"{folder}: found {there} images; expected at least the {n} that are asked for")
            yield islice(transaction.cursor(), n)
    except lmdb.Error as error:
        raise UserError(f"{folder}: could not be read ({error}); expected a whole lmdb of LSUN") from None


def _square(file: bytes, size: int) -> Images:
    """An image (3, size, size), cut and scaled as the tool does that made DDPM's data (StyleGAN2's): by Lanczos's filter.

    DDIM's code scales with a bilinear one. At 256 nothing is scaled by either where the shorter side is 256, as it is published.
    """
    from PIL import Image

    with Image.open(io.BytesIO(file)) as image:
        side = min(image.size)
        left, upper = ((length - side) // 2 for length in image.size)
        square = image.convert("RGB").crop((left, upper, left + side, upper + side))
        return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
