"""Features and class probabilities of images, by the pipeline's own classifier or by Inception."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rediffuse.networks.classifier import Classifier
from rediffuse.networks.inception import Inception


@dataclass(frozen=True)
class Measured:
    features: NDArray[np.float32]
    """(n, D): the last convolution's; of Inception averaged over its pixels."""
    log_probabilities: NDArray[np.float32]
    """(n, classes)."""


@torch.inference_mode()
def measure(classifier: Classifier | Inception, x: NDArray[Any], batch: int | None = None) -> Measured:
    """Of images as networks see them: float32 of shape (n, C, R, R) on [-1, 1]. batch: of how many at a time, else by the network."""
    device = next(classifier.parameters()).device
    features, log_p = [], []
    for part in torch.from_numpy(x).split(batch or classifier.at_once):
        hidden = classifier.features(part.to(device))
        features.append(hidden.cpu().numpy())
        log_p.append(torch.log_softmax(classifier.head(hidden), dim=1).cpu().numpy())
    return Measured(np.concatenate(features), np.concatenate(log_p))
