"""Figure 15: are samples copies of training images? The nearest of those, in pixels and in features."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from rediffuse.datasets.prepared import load
from rediffuse.files import write_arrays
from rediffuse.metrics.bits import mean_and_error, share_and_error
from rediffuse.metrics.features import measure
from rediffuse.papers.ddpm.common import drawn_of, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.runs import load_features

NEAR = 0.05
"""The share of test images that counts as near a training image."""


def fig15(layout: Layout, device: torch.device) -> None:
    """The distance of samples to their nearest training image, beside that of test images, which are no copies."""
    options = options_of(layout).fig15
    assert options
    run = layout.preset.samples[options.samples].run
    data = load(layout.dataset(layout.preset.runs[run].dataset))
    classifier = load_features(layout.weights(options.features), device, layout.preset.features[options.features])
    images = {"samples": data.as_x(drawn_of(layout, options.samples)), "train": data.x("train"), "test": data.x("test")}
    rows, arrays = [], {"samples": images["samples"][: options.rows]}
    for space in ("pixels", "features"):
        points = {name: _points(x) if space == "pixels" else measure(classifier, x).features for name, x in images.items()}
        index = NearestNeighbors().fit(points["train"])
        near = {name: index.kneighbors(points[name], n_neighbors=1)[0][:, 0].astype(np.float64) for name in ("samples", "test")}
        about = {"dataset": data.name, "run": run, "space": space, "features": options.features if space == "features" else ""}
        for name, distances in near.items():
            value, error = mean_and_error(distances)
            rows.append(about | {"metric": f"distance of {name}", "value": value, "sd": error, "n": len(distances)})
        copies = near["samples"] < np.quantile(near["test"], NEAR)
        share, error = share_and_error(copies)
        rows.append(about | {"metric": "samples as near as 5 % of test images", "value": share, "sd": error, "n": len(copies)})
        neighbours = index.kneighbors(points["samples"][: options.rows], n_neighbors=options.columns)[1]
        arrays[space] = images["train"][neighbours]
    write(layout.artifact("ddpm", "fig15.csv"), pd.DataFrame(rows))
    write_arrays(layout.artifact("ddpm", "fig15.npz"), arrays)


def _points(images: NDArray[np.float32]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1)
