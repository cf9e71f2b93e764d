"""The Parzen-window score of Table 2 of Sohl-Dickstein et al. 2015, on pixels in [0, 1], by the protocol of Goodfellow et al. 2014.

A model is judged by a sample of its images alone: the log-likelihood of test images under Gaussians about the samples (the centres), whose
common width was chosen on a validation set. Values are nats an image; log 2 nats are a bit. Densities, so they depend on the pixels' scale
and number, and compare only at equal images and equally many centres.

The mean over test images comes with its standard error, the deviation over test images by sqrt(n). It is that for this very set of
centres and width: how the score varies with the draw of the samples, or with training, is not in it.

What the measure rewards is a wide and even cover of the space by few centres, not good images: the centres of a k-means clustering, blurred
averages all, score higher than as many real images (Theis et al. 2016). `kmeans_centres` and `blurred` make such rivals.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.cluster import MiniBatchKMeans

Array = NDArray[np.float64]

BLOCK = 1_000_000
"""Most entries of one (images, centres) matrix."""
SMALLEST = 1e-3
"""Where a bandwidth's search ends, as a share of the smallest given one."""


def log_likelihood(x: Array, centres: Array, sigma: float) -> Array:
    """log mean_k N(x; c_k, sigma^2 I) in nats, shape (n,), for x of shape (n, ...) and centres (K, ...). ValueError: sigma <= 0."""
    return _log_likelihoods(x, centres, np.array([sigma]))[0]


def bandwidth(validation: Array, centres: Array, sigmas: Array) -> float:
    """The sigma under which the validation images, (n, ...), have the largest mean log-likelihood, to within a few percent.

    sigmas: where to look first, three or more, increasing. While the best is the first or the last of them the search moves on by as many;
    then it is repeated with as many between the best one's neighbours. Raises ValueError for other sigmas, and where the likelihood grows
    without end as sigma falls: every validation image is one of the centres.
    """
    if len(sigmas) < 3 or sigmas[0] <= 0 or (np.diff(sigmas) <= 0).any():
        raise ValueError(f"bandwidths: found {sigmas}; expected three or more, increasing from above 0")
    grid = sigmas
    while (best := _best(validation, centres, grid)) in (0, len(grid) - 1):
        # The end that was best comes second in the new grid, so that a fall to either side of it is seen.
        grid = grid * (grid[0] / grid[-2] if best == 0 else grid[-1] / grid[1])
        if grid[0] < SMALLEST * sigmas[0]:
            raise ValueError(f"bandwidth: the likelihood still grows at {grid[-2]:g}; expected validation images that are not the centres")
    finer = np.geomspace(grid[best - 1], grid[best + 1], len(grid))
    return float(finer[_best(validation, centres, finer)])


def kmeans_centres(x_train: Array, k: int, seed: int) -> Array:
    """k centres of a k-means clustering of images of shape (n, ...), in their shape: not one of them a sample of anything."""
    clusters = MiniBatchKMeans(k, n_init=1, random_state=seed, batch_size=4096, max_iter=100).fit(x_train.reshape(len(x_train), -1))
    return clusters.cluster_centers_.astype(np.float64).reshape(k, *x_train.shape[1:])


def blurred(x_train: Array, sigma: float) -> Array:
    """Images of shape (n, ..., height, width), each convolved with a Gaussian of sigma pixels; edges are mirrored."""
    return gaussian_filter(x_train, sigma, axes=(-2, -1))


def _best(validation: Array, centres: Array, sigmas: Array) -> int:
    return int(_log_likelihoods(validation, centres, sigmas).mean(1).argmax())


def _log_likelihoods(x: Array, centres: Array, sigmas: Array) -> Array:
    """`log_likelihood` for each of the sigmas, (len(sigmas), n): the distances, which cost most, are computed once."""
    if (sigmas <= 0).any():
        raise ValueError(f"bandwidth: found {sigmas.min():g}; expected more than 0")
    x, centres = x.reshape(len(x), -1).astype(np.float64), centres.reshape(len(centres), -1).astype(np.float64)
    of_centre, dims, blocks = (centres**2).sum(1), x.shape[1], []
    for part in np.array_split(x, max(1, len(x) * len(centres) // BLOCK)):
        square = part @ (-2 * centres.T) + of_centre + (part**2).sum(1)[:, None]
        nearest = square.min(1)
        square -= nearest[:, None]
        blocks.append([np.log(np.exp(-0.5 / s**2 * square).mean(1)) - 0.5 / s**2 * nearest for s in sigmas])
    return np.concatenate(blocks, axis=1) - 0.5 * dims * np.log(2 * np.pi * sigmas[:, None] ** 2)
