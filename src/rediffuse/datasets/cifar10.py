"""CIFAR-10, by torchvision: 60,000 photographs of 32 x 32 pixels."""

from rediffuse.config import CIFAR10
from rediffuse.datasets import downloads
from rediffuse.datasets.kinds import Read
from rediffuse.datasets.published import title
from rediffuse.files import held
from rediffuse.paths import RAW

CLASSES = 10
PACKED = {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"}
"""md5 of the archive as it is published."""


def read(options: CIFAR10) -> Read:
    """x_train (train, 3, 32, 32) and x_test, uint8 grey levels 0..255, and their classes.

    Files that are in data/raw are used, others are downloaded. Raises UserError, with what to put where, if that fails or one is damaged.
    """
    expected = "cifar-10-python.tar.gz, or the folder cifar-10-batches-py that is in it"
    with held(RAW / ".cifar10.lock"):
        train, test = (downloads.opened("CIFAR10", RAW, expected, PACKED, train=train) for train in (True, False))
        source = downloads.source(f"{train.base_folder}/{name}" for name, _ in train.train_list + train.test_list)
    x_train, x_test = (part.data[:n].transpose(0, 3, 1, 2) for part, n in ((train, options.train), (test, options.test)))
    arrays = downloads.labelled(x_train, x_test, train.targets, test.targets)
    return Read(arrays, title(options), downloads.LEVELS, CLASSES, source)
