"""MNIST, by torchvision: 70,000 handwritten digits of 28 x 28 pixels."""

import numpy as np

from rediffuse.config import MNIST
from rediffuse.datasets import downloads
from rediffuse.datasets.kinds import Read
from rediffuse.datasets.published import title
from rediffuse.files import held
from rediffuse.paths import RAW

CLASSES = 10
UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""md5 of the unpacked files: torchvision checks those that it downloads, and takes unpacked ones as they are."""
PACKED = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""md5 of the same as they are published."""


def read(options: MNIST) -> Read:
    """x_train (train, 1, size, size) and x_test, uint8 grey levels 0..255 in a black border, and the digits.

    Files that are in data/raw are used, others are downloaded. Raises UserError, with what to put where, if that fails or one is damaged.
    """
    folder, expected = RAW / "MNIST/raw", f"{', '.join(f'{name}.gz' for name in UNPACKED)}, packed or not"
    with held(RAW / ".mnist.lock"):
        train, test = (downloads.opened("MNIST", folder, expected, UNPACKED | PACKED, train=train) for train in (True, False))
        downloads.check(folder, UNPACKED)
        source = downloads.source(f"MNIST/raw/{name}" for name in UNPACKED)
    border = ((0, 0), (0, 0), (options.pad, options.pad), (options.pad, options.pad))
    x_train, x_test = (np.pad(part.data.numpy()[:n, None], border) for part, n in ((train, options.train), (test, options.test)))
    arrays = downloads.labelled(x_train, x_test, train.targets.numpy(), test.targets.numpy())
    return Read(arrays, title(options), downloads.LEVELS, CLASSES, source)
