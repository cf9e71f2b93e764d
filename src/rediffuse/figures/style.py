"""One look for every figure: sizes, fonts, colours with a meaning, and how a file is written."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from einops import rearrange
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from rediffuse.figures import chinese
from rediffuse.files import write_bytes
from rediffuse.paths import CHINESE, VECTOR

WIDE, NARROW = 7.2, 4.4
"""Inches: a figure as wide as a page's text, and one that leaves room beside it. At these widths no letter is smaller than NOTE."""
NOTE = 7.5
"""Points: what a figure says below itself."""


class Ink(NamedTuple):
    """By what a curve or a point is told from the others: colour, and where there is none marker and line."""

    color: str
    marker: str
    linestyle: str

    @property
    def curve(self) -> dict[str, Any]:
        """As the keywords of a line without markers."""
        return {"color": self.color, "linestyle": self.linestyle}

    @property
    def points(self) -> dict[str, Any]:
        """As the keywords of markers without a line."""
        return {"color": self.color, "marker": self.marker, "linestyle": "none"}

    @property
    def joined(self) -> dict[str, Any]:
        """As the keywords of markers that a line joins."""
        return self._asdict()


# Darker to lighter in steps that are left in grey, and apart for the colour-blind: tests/test_figures.py holds them to both.
FORWARD = Ink("#262626", ".", "-")
"""The data, and the forward process that makes noise of them."""
OURS = Ink("#00529b", "o", "-")
"""What this pipeline learned or measured."""
PUBLISHED = Ink("#c0470a", "D", "-.")
"""The papers' numbers."""
EXACT = Ink("#00a07a", "s", "--")
"""Known without a network: a closed form, a quadrature, a law."""
BASELINE = Ink("#e8b03a", "^", ":")
"""What ours is held against: another method, or noise."""
FAINT = "#d4d7db"
"""Background: bands, guides, what is not looked at."""
MARKERS, LINES = "osv<^DPX*.", ("-", "--", "-.", ":")

sns.set_theme(
    context="paper",
    style="ticks",
    rc={
        "figure.dpi": 150,
        "savefig.dpi": 150,
        "figure.constrained_layout.use": True,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # matplotlib's own: the same on every machine
        "font.size": 8.5,
        "figure.titlesize": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 8.5,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "lines.linewidth": 1.2,
        "lines.markersize": 4.5,
        "errorbar.capsize": 2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "rediffuse",
    },
)


def shades(ink: Ink, n: int, towards: str) -> list[Ink]:
    """n inks of one meaning, which what they stand for puts in an order: from its own colour most of the way to another."""
    start, end = np.array(to_rgb(ink.color)), np.array(to_rgb(towards))
    mixed = [to_hex(start + 0.6 * k / max(1, n - 1) * (end - start)) for k in range(n)]
    marker, line = MARKERS.index(ink.marker), LINES.index(ink.linestyle)
    return [Ink(color, MARKERS[(marker + k) % len(MARKERS)], LINES[(line + k) % len(LINES)]) for k, color in enumerate(mixed)]


def side_by_side(n: int, height: float) -> tuple[Figure, NDArray[Any]]:
    """A wide figure of n panels of pictures in a row, so far apart that none is taken for a part of the next; height in inches."""
    figure, panels = plt.subplots(1, n, figsize=(WIDE, height + 0.3), squeeze=False, layout=ConstrainedLayoutEngine(wspace=0.08))
    return figure, panels[0]


def note(figure: Figure, text: str) -> None:
    """Below a figure: what its error bars are, over how many of what, and what else is to be known to read it."""
    figure.supxlabel(text, fontsize=NOTE)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG and beside it its twins, the same as SVG and with Chinese words; the same figure gives the same bytes.

    The Chinese one has the English words where no font for others is installed, and is byte for byte the same then.
    """
    pictures = {path: _drawn(figure, "png"), path.with_suffix(VECTOR): _drawn(figure, "svg")}
    with chinese.words(figure):
        pictures[path.with_suffix(CHINESE)] = _drawn(figure, "png")
    plt.close(figure)
    for file, picture in pictures.items():
        write_bytes(file, picture)


def _drawn(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Creator": None, "Date": None}}[kind]
    figure.savefig(buffer, format=kind, bbox_inches="tight", pad_inches=0.08, metadata=metadata)
    return buffer.getvalue()


def frame(figure: Figure) -> Image.Image:
    """The figure as a picture of an animation."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return Image.open(buffer).convert("P", palette=Image.Palette.ADAPTIVE, colors=32)


def save_animation(frames: list[Image.Image], milliseconds: int, last: int, path: Path) -> None:
    """Write a GIF that runs for ever, `milliseconds` a frame and the last one for `last`."""
    buffer = io.BytesIO()
    times = [milliseconds] * (len(frames) - 1) + [last]
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    write_bytes(path, buffer.getvalue())


def tile(images: NDArray[Any], rows: int, columns: int, gap: int = 1) -> NDArray[Any]:
    """Images of shape (rows * columns, C, R, R) on [-1, 1] as one picture on [0, 1], a gap of white between them."""
    framed = np.pad((images.clip(-1, 1) + 1) / 2, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=1)
    picture = rearrange(framed, "(r c) ch h w -> (r h) (c w) ch", r=rows, c=columns)[:-gap, :-gap]
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def save_images(images: NDArray[Any], columns: int | None, path: Path) -> None:
    """Write images of shape (n, C, R, R) on [-1, 1] as one PNG, enlarged until it is some 600 pixels wide; near a square by default."""
    columns = columns or max(1, round(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    blank = np.ones((rows * columns - len(images), *images.shape[1:]), dtype=images.dtype)
    picture = (tile(np.concatenate([images, blank]), rows, columns) * 255).round().astype(np.uint8)
    scale = max(1, 600 // picture.shape[1])
    buffer = io.BytesIO()
    Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1)).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())


def show(axes: Any, picture: NDArray[Any], title: str = "") -> None:
    """A picture on axes, its pixels sharp at any size, no ticks."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axes.set(xticks=[], yticks=[], title=title)
    sns.despine(ax=axes, left=True, bottom=True)
