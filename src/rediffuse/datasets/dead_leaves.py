"""Dead leaves: discs of power-law sizes that hide one another until nothing is left bare.

Sohl-Dickstein et al. 2015 score the images of Theis et al. 2012, whose radii, sizes and noise they do not give; these are made here, of
parameters that the preset states. The discs come from the front to the back until all is covered: that is exact simulation of the model's
stationary law (Kendall and Thonnes 1999), where piling discs up from the back stops at an arbitrary time. A pixel is the mean of 2 x 2
points of it, as a camera's would be: the smallest discs stay round, and edges are not stairs.
"""

from itertools import count

import numpy as np
from numpy.typing import NDArray

from rediffuse.config import DeadLeaves
from rediffuse.datasets.kinds import Read

LEVELS = 256
SIDE = 2
"""Points along a pixel's side."""
TILE = 16
"""Pixels along the side of the squares that an image is made in, since a disc reaches few of them."""
BLOCK = 64
"""Discs that reach a square at a time, about; an image depends on it, as more discs are drawn than are seen."""

Array = NDArray[np.float64]
Images = NDArray[np.uint8]


def images(first: int, n: int, size: int, radius_min: float, radius_max: float, exponent: float, seed: int) -> Images:
    """Images first..first + n - 1 of the endless sequence that a seed has, shape (n, 1, size, size), grey levels 0..255.

    Radii are in pixels and have a density ~ r^-exponent on [radius_min, radius_max]; each disc is of one grey level, uniform on all.
    """
    out = np.empty((n, 1, size, size), np.uint8)
    for i in range(n):
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(first + i,))))
        out[i, 0] = _image(generator, size, radius_min, radius_max, exponent)
    return out


def radii(u: Array, radius_min: float, radius_max: float, exponent: float) -> Array:
    """Radii of density ~ r^-exponent on [radius_min, radius_max], from u uniform on [0, 1): the inverse of the distribution function."""
    rate, width = 1 - exponent, np.log(radius_max / radius_min)
    return radius_min * np.exp(np.log1p(u * np.expm1(rate * width)) / rate if rate else u * width)


def read(options: DeadLeaves) -> Read:
    """x_train (train, 1, size, size) and x_test, the images that follow: uint8 grey levels 0..255."""
    law = options.size, options.radius_min, options.radius_max, options.exponent, options.seed
    split = {"x_train": (0, options.train), "x_test": (options.train, options.test)}
    arrays = {name: images(first, n, *law) for name, (first, n) in split.items()}
    return Read(arrays, f"dead leaves {options.size} x {options.size}", LEVELS)


def _image(generator: np.random.Generator, size: int, radius_min: float, radius_max: float, exponent: float) -> Images:
    # Centres reach radius_max beyond the image, whatever the disc's own radius: all points are then covered equally often.
    span = size + 2 * radius_max
    block = int(np.ceil(BLOCK * (span / (min(size, TILE) + radius_max)) ** 2))
    blocks: list[Array] = []
    out = np.empty((size, size), np.uint8)
    for top in range(0, size, TILE):
        for left in range(0, size, TILE):
            height, width = (min(TILE, size - start) for start in (top, left))
            y, x = (start + (np.arange(length * SIDE) + 0.5) / SIDE for start, length in ((top, height), (left, width)))
            grey = np.empty(len(y) * len(x))
            bare = np.arange(len(grey))
            for k in count():
                if k == len(blocks):
                    u = generator.random((4, block))
                    blocks.append(np.stack([radii(u[0], radius_min, radius_max, exponent), *(u[1:3] * span - radius_max), u[3]]))
                bare = _cover(grey, bare, y, x, blocks[k])
                if not len(bare):
                    break
            pixels = grey.reshape(height, SIDE, width, SIDE).mean(axis=(1, 3))
            out[top : top + height, left : left + width] = pixels * LEVELS
    return out


def _cover(grey: Array, bare: NDArray[np.intp], y: Array, x: Array, discs: Array) -> NDArray[np.intp]:
    """Colour the bare points (indices into the grid y by x) that discs cover, the first disc in front; returns those still bare."""
    radius, down, across, _ = discs
    reach = (down > y[0] - radius) & (down < y[-1] + radius) & (across > x[0] - radius) & (across < x[-1] + radius)
    radius, down, across, level = discs[:, reach]
    if not len(level):
        return bare
    row, column = np.divmod(bare, len(x))
    covers = ((y[:, None] - down) ** 2)[row] < (radius**2 - (x[:, None] - across) ** 2)[column]
    front = covers.argmax(axis=1)
    covered = covers[np.arange(len(bare)), front]
    grey[bare[covered]] = level[front[covered]]
    return bare[~covered]
