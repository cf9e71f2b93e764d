"""One look for every figure: sizes, fonts, colours, and how a file is written."""

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from einops import rearrange
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from rediffuse.files import write_bytes

OURS, EXACT, FORWARD, FAINT = "#0072b2", "#d55e00", "#3a3a3a", "#c9ccd1"

sns.set_theme(
    context="paper",
    style="ticks",
    rc={
        "figure.dpi": 150,
        "savefig.dpi": 150,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "font.size": 9,
        "figure.constrained_layout.use": True,
    },
)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    plt.close(figure)
    write_bytes(path, buffer.getvalue())


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
    """A picture on axes, its pixels sharp, no ticks."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[], title=title)
    sns.despine(ax=axes, left=True, bottom=True)
