"""Photographs of textures that ship with scikit-image, in the place of the bark that Sohl-Dickstein et al. 2015 train on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rediffuse.config import Textures
from rediffuse.datasets import patches
from rediffuse.datasets.kinds import Read


def read(options: Textures) -> Read:
    """Patches of the photographs, as `patches.arrays` has them."""
    arrays = patches.arrays(photographs(options.images, options.shrink), options.size, options.train, options.test, options.seed)
    return Read(arrays, f"textures {options.size} x {options.size}", patches.LEVELS)


def photographs(names: Sequence[str], shrink: int) -> NDArray[np.uint8]:
    """The named photographs, 512 x 512 in grey, each side divided by `shrink`: shape (len(names), height, width)."""
    from skimage import data

    return np.stack([patches.shrunk(getattr(data, name)(), shrink) for name in names])
