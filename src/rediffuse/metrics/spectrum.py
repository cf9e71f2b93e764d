"""How far images are from their final form, by spatial frequency."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

Array = NDArray[np.float64]


def settled_after(errors: Array, steps: NDArray[np.integer]) -> Array:
    """The number of steps after which an error stays at one half or less, for errors of shape (times, n); shape (n,).

    steps: how many were taken at each of the times, rising. The last error must be at most one half, as that of the final form is.
    """
    late = errors > 0.5
    last = np.where(late.any(0), len(steps) - late[::-1].argmax(0), 0)
    return steps[last].astype(np.float64)


def band_errors(images: NDArray[np.floating], final: NDArray[np.floating]) -> dict[str, Array]:
    """The power of images - final in a band of frequencies, over the mean power of final in it: 0 is settled, 1 or more is not begun.

    Both have the shape (n, C, R, R); the result is one number an image, shape (n,), for the lowest frequencies (half an oscillation an
    image at most, the mean left out), the middle, and the highest half. Frequencies are those of the two-dimensional cosine transform.
    """
    R = final.shape[-1]
    difference = dctn(images.astype(np.float64) - final, axes=(-2, -1), norm="ortho")
    whole = dctn(final.astype(np.float64), axes=(-2, -1), norm="ortho")
    u = np.arange(R)
    frequency = np.maximum(u[:, None], u[None, :])
    bands = {
        "large scale": (frequency >= 1) & (frequency <= 1),
        "middle": (frequency > 1) & (frequency < R / 2),
        "detail": frequency >= R / 2,
    }
    power = {band: (whole**2)[..., where].sum((1, 2)).mean() for band, where in bands.items()}
    return {band: (difference**2)[..., where].sum((1, 2)) / power[band] for band, where in bands.items()}
