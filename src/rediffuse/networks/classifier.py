"""The small classifier whose features stand in for Inception's where the data are too small for it, or there is no download."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """(N, in_channels, R, R) -> logits of shape (N, classes); `features` gives the last convolution's, (N, 2 * width * (R / 4)^2).

    Three convolutions, each but the first halving the resolution, and a linear head; R must be divisible by 4. The features lie right
    below the head, as Inception's do for FID. (A dense layer between them makes the distance noisier: the proportions of the classes
    among the samples, which are chance, then outweigh the images.)
    """

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
        self.head = nn.Linear(2 * width * (resolution // 4) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits
