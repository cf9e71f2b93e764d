"""Inception-v3 of 2015-12-05, on whose features the published Frechet distances and inception scores are: torch-fidelity's port."""

import io
from typing import Any

import torch
from torch import Tensor, nn


class Inception(nn.Module):
    """Images on [-1, 1], (N, 1 or 3, R, R) -> features of shape (N, 2048), and of those by `head` logits of shape (N, 1008).

    As torch-fidelity measures: images are made 8 bits, rounded, and resized to 299 x 299 as TensorFlow 1 does; the logits have no bias.
    Grey images are given to all three colours.
    """

    at_once = 50
    """Images that fit into memory on every device."""

    def __init__(self) -> None:
        super().__init__()
        self.network = _untrained()

    def features(self, x: Tensor) -> Tensor:
        return self.network(levels(x))[0]

    def head(self, features: Tensor) -> Tensor:
        return features.mm(self.network.fc.weight.T)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def levels(x: Tensor) -> Tensor:
    """Images on [-1, 1] as 8 bits of three colours, rounded: of 256 grey levels each comes back as it was."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)


def _untrained() -> Any:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):  # type: ignore[misc]
        """Without the weights that its constructor loads."""

        def load_state_dict(self, *_: Any) -> None:
            pass

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    return Untrained("inception", ["2048"], feature_extractor_weights_path=nothing)
