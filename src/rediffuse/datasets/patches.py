"""Random patches of pictures: those to train on from the left three quarters, those to test on from the right quarter."""

import numpy as np
from numpy.typing import NDArray

from rediffuse.files import Arrays

LEVELS = 256

Images = NDArray[np.uint8]


def shrunk(picture: Images, factor: int) -> Images:
    """A picture (height, width) whose pixels are the means of factor x factor pixels; what is left over at the right and below is cut."""
    height, width = (length // factor for length in picture.shape)
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def least(size: int) -> tuple[int, int]:
    """The (height, width) below which a picture has no patch of `size` pixels a side to test on."""
    return size, 4 * size


def arrays(pictures: Images, size: int, train: int, test: int, seed: int) -> Arrays:
    """x_train (train, 1, size, size) and x_test (test, 1, size, size), uint8, from pictures (k, height, width), each as often as another.

    held_out (k, 1, height, width / 4) are the whole parts that no training patch has seen, for figures larger than a patch.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    # Rounded so that the right part is never less than a quarter: `least` holds for it.
    cut = 3 * pictures.shape[2] // 4
    left, right = pictures[:, :, :cut], pictures[:, :, cut:]
    return {
        "x_train": _patches(left, size, train, generator),
        "x_test": _patches(right, size, test, generator),
        "held_out": right[:, None],
    }


def _patches(pictures: Images, size: int, n: int, generator: np.random.Generator) -> Images:
    k, height, width = pictures.shape
    picture, top, left = (generator.integers(high, size=n)[:, None, None] for high in (k, height - size + 1, width - size + 1))
    step = np.arange(size)
    return pictures[picture, top + step[:, None], left + step][:, None]
