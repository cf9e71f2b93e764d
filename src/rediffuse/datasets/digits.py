"""scikit-learn's handwritten digits: 1,797 real images of 8 x 8 pixels in 17 grey levels."""

import numpy as np

from rediffuse.config import Digits
from rediffuse.datasets.kinds import Read

LEVELS = 17
CLASSES = 10


def read(options: Digits) -> Read:
    """x_train (1500, 1, 8, 8) and x_test (297, 1, 8, 8), uint8 in 0..16, and y_train, y_test, the digits.

    The split is one fixed permutation: in the set's own order, writers follow one another.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(digits.target))
    x = digits.images[order, None].astype(np.uint8)
    y = digits.target[order].astype(np.uint8)
    n = options.train
    arrays = {"x_train": x[:n], "x_test": x[n:], "y_train": y[:n], "y_test": y[n:]}
    return Read(arrays, "handwritten digits 8 x 8", LEVELS, CLASSES)
