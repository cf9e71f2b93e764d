"""Where each kind of data set is read: in a module of its own that has `read(options) -> Read` and imports no other kind's.

So an edit of one prepares no other anew. That is dear: Snakemake trains on whatever it prepared again, though the bytes be the same.
"""

from dataclasses import dataclass
from typing import Any

from rediffuse.files import Arrays


@dataclass(frozen=True)
class Read:
    """Arrays x_train and x_test, y_train and y_test where images are labelled, what else figures show; and what they are called.

    levels of grey, 0..levels - 1, or 2 for bits, None for reals; classes of labels; of files that are none of the package's, their sha256.
    """

    arrays: Arrays
    title: str
    levels: int | None = None
    classes: int | None = None
    source: dict[str, Any] | None = None


def module(kind: str) -> str:
    """The module that reads a kind, below `rediffuse`."""
    return f"datasets.{kind.replace('-', '_')}"
