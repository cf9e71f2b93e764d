"""Denoising and in-painting against the original: the peak signal-to-noise ratio, and the best linear filter as the baseline."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def psnr(x: Array, reference: Array, data_range: float) -> Array:
    """10 log10(data_range^2 / mean square error) of each image, in dB, shape (n,): larger is better, infinite for the reference itself.

    x and reference: (n, ...). data_range: the largest minus the smallest value that a pixel can have, in the units of x. ValueError where
    shapes differ.
    """
    if x.shape != reference.shape:
        raise ValueError(f"PSNR: found images of shape {x.shape} and originals of shape {reference.shape}; expected equal shapes")
    error = ((x.astype(np.float64) - reference) ** 2).reshape(len(x), -1).mean(1)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / error)


def wiener(y: Array, mean: Array, covariance: Array, noise_variance: float) -> Array:
    """The Wiener filter: E[x | y] of the Gaussian with this mean and covariance, where y is x plus white noise; the shape of y.

    mean + C (C + v I)^-1 (y - mean) over the pixels of an image together: of all filters that are linear in y it has the least mean square
    error whatever the data's distribution, if mean (D,) and covariance (D, D) are the data's. So with the training set's it is the baseline
    to beat; filters with a local variance (`scipy.signal.wiener`) know far less. ValueError: noise_variance <= 0.
    """
    if noise_variance <= 0:
        raise ValueError(f"Wiener filter: found a noise variance of {noise_variance}; expected more than 0")
    # C and (C + v I)^-1 commute, so that this is the transposed gain as well.
    gain = np.linalg.solve(covariance + noise_variance * np.eye(len(mean)), covariance)
    return (mean + (y.reshape(len(y), -1) - mean) @ gain).reshape(y.shape)
