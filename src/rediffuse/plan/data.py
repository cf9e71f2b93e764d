"""What a network must know of data that may not be prepared yet."""

from dataclasses import dataclass

from rediffuse.build import About
from rediffuse.config import Digits, Heartbeat, SwissRoll
from rediffuse.config.data import CIFAR10, LSUN, CelebA, Images
from rediffuse.datasets.prepared import MADE_BY
from rediffuse.files import read_json
from rediffuse.paths import Layout

DIGITS = 1797
"""Images of scikit-learn's digits."""
LEVELS = 256
"""Grey levels of images; of how many there are no time depends."""

CLASSES = 10
"""Of labelled images."""
COLOURS = 3
"""Of published photographs. Those of a user's arrays are known once they are prepared; until then they are taken to be grey."""


@dataclass(frozen=True)
class Data:
    """A data set as far as costs depend on it."""

    about: About
    test: int | None
    """Test data; None where only preparing tells."""
    train: int | None
    """To train on; None likewise."""

    def tested(self, n: int) -> int:
        """Of how many test data a measurement on at most n is."""
        return n if self.test is None else min(n, self.test)


def data_of(layout: Layout, name: str) -> Data:
    """Of a data set of the preset: by its dataset.json if it is prepared, else by its options."""
    options, path = layout.preset.datasets[name], layout.dataset(name) / "dataset.json"
    if path.is_file():
        found = read_json(path, MADE_BY)
        noise = found["dequantisation"]
        about = About(name, tuple(found["shape"]), found["levels"], found["classes"], noise["width"] if noise else 0.0)
        return Data(about, *(int(found["splits"][split]["n"]) for split in ("test", "train")))
    test = DIGITS - Digits.train if isinstance(options, Digits) else getattr(options, "test", None)
    train = getattr(options, "train", None)
    match options:
        case SwissRoll():
            return Data(About(name, (2,), None, None, 0.0), test, train)
        case Heartbeat(length=length):
            return Data(About(name, (length,), 2, None, 0.0), test, train)
    dequantised = not isinstance(options, Images) or options.standardise
    shape = (COLOURS if isinstance(options, CIFAR10 | CelebA | LSUN) else 1, options.size, options.size)
    return Data(About(name, shape, LEVELS, CLASSES, dequantised / LEVELS), test, train)
