"""CelebA, by torchvision: 202,599 photographs of faces, as DDIM's code cuts them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rediffuse.config import CelebA
from rediffuse.datasets import downloads
from rediffuse.datasets.kinds import Read
from rediffuse.datasets.published import title
from rediffuse.errors import UserError
from rediffuse.files import held
from rediffuse.paths import RAW
from rediffuse.progress import track

FACE = (25, 57, 153, 185)
"""Left, upper, right and lower edge of the square that DDIM's released code cuts from the aligned images, 178 x 218."""


def read(options: CelebA) -> Read:
    """x_train (train, 3, 64, 64) and x_test, uint8 grey levels 0..255.

    Files that are in data/raw are used, others are downloaded. Raises UserError, with what to put where, if that fails or one is damaged.
    """
    expected = "img_align_celeba.zip unpacked, and the five lists .txt that come with it"
    folder = RAW / "celeba/img_align_celeba"
    with held(RAW / ".celeba.lock"):
        train, test = (downloads.opened("CelebA", RAW / "celeba", expected, {}, split=split) for split in ("train", "test"))
        x_train, x_test = (
            np.stack([*_faces([folder / name for name in part.filename[:n]])]) for part, n in ((train, options.train), (test, options.test))
        )
        source = downloads.source(["celeba/list_eval_partition.txt"])
    return Read({"x_train": x_train, "x_test": x_test}, title(options), downloads.LEVELS, source=source)


def _faces(files: list[Path]) -> Iterator[downloads.Images]:
    """Faces of shape (3, 64, 64)."""
    from PIL import Image

    for file in track(files, len(files), "cut faces"):
        try:
            with Image.open(file) as image:
                face = image.convert("RGB").crop(FACE).resize((CelebA.size, CelebA.size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise UserError(f"{file}: could not be read ({error}); expected a whole image of CelebA") from None
        yield np.asarray(face).transpose(2, 0, 1)
