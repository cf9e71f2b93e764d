"""The small classifier whose features stand in for Inception's where the data are too small for it, or there is no download."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """(N, in_channels, R, R) -> logits of shape (N, classes); `features` gives the last convolution's, (N, 2 * width * (R / 4)^2).

    Three convolutions, each but the first halving the resolution, then a dense layer of 64 and the head; R must be divisible by 4.

    The features are taken below the dense layer on purpose. Right below the head they are spread out by class, and the Frechet distance
    between two sets is then mostly the difference of their classes' proportions, which at a few thousand samples is chance.
    """

    at_once = 500
    """Images that fit into memory on every device."""

    def __init__(self, resolution: int, in_channels: int, classes: int, width: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(2 * width * (resolution // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits
