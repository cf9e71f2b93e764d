"""The images' network (Sohl-Dickstein et al. 2015, appendix D.2.1): multi-scale convolution, a dense pathway, temporal bumps."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stage(NamedTuple):
    """A stage of the network for a reader, or for a drawing of it: shape is that of its output for one image."""

    name: str
    description: str
    shape: tuple[int, ...]


def bumps(T: int, J: int) -> Tensor:
    """g_j(t) of eq. 63, shape (T, J), rows t = 1..T: Gaussian bumps, normalised at each t to add up to 1.

    The centres tau_j = (j - 1/2) T / J lie evenly in (0, T); the width w is their spacing (the published code: half of it).
    """
    spacing = T / J
    centres = spacing * (torch.arange(J) + 0.5)
    distance = torch.arange(1, T + 1)[:, None] - centres
    return torch.softmax(-0.5 * (distance / spacing) ** 2, dim=1)


class MultiScaleConv(nn.Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W): a 3x3 convolution at each scale, upsampled, added up, then softplus.

    Scale s is the image's mean over blocks of 2^s x 2^s pixels; H and W are multiples of 2^(scales - 1).
    """

    def __init__(self, in_channels: int, out_channels: int, scales: int):
        super().__init__()
        self.out_channels = out_channels
        self.scales = nn.ModuleList()
        for s in range(scales):
            conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=s == 0)  # the scales are added up: one bias is enough
            # The slope of softplus at 0 is 1/2: twice the usual deviation keeps the signal's. The coarse scales start weak: of equal
            # scales, the detail that only the finest one carries would lose a share in every layer, and deep networks learn none of it.
            nn.init.normal_(conv.weight, std=(0.5 if s else 2) / math.sqrt(9 * in_channels))
            self.scales.append(conv)

    def forward(self, x: Tensor) -> Tensor:
        images = [x]
        for _ in self.scales[1:]:
            images.append(F.avg_pool2d(images[-1], 2))
        *finer, coarsest = zip(self.scales, images, strict=True)
        total: Tensor = coarsest[0](coarsest[1])
        for conv, image in reversed(finer):
            total = conv(image) + F.interpolate(total, scale_factor=2.0, mode="nearest")
        # Minus its value at 0, which is a matter of the next bias: the zeros that pad the next layer are then an average signal.
        return F.softplus(total) - math.log(2)


class TemporalReadout(nn.Module):
    """(features of shape (N, channels, H, W), t of shape (N,) in 0..T-1) -> (N, out_channels, H, W).

    A linear read-out of J coefficients y_j for each pixel and output channel, and z = sum_j y_j g_j(t) (eq. 62). It starts at 0.
    """

    g: Tensor

    def __init__(self, channels: int, out_channels: int, T: int, J: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(J, out_channels, channels))
        self.bias = nn.Parameter(torch.zeros(J, out_channels, 1))
        self.register_buffer("g", bumps(T, J), persistent=False)

    def forward(self, features: Tensor, t: Tensor) -> Tensor:
        # All is linear: the sum over j is taken of the weights, not of the J times as many y_j.
        g = self.g[t]
        weight, bias = torch.tensordot(g, self.weight, 1), torch.tensordot(g, self.bias, 1)
        return torch.baddbmm(bias, weight, features.flatten(2)).unflatten(2, features.shape[2:])


class MultiScale(nn.Module):
    """(x of shape (N, in_channels, R, R), t of shape (N,) in 0..T-1) -> (N, out_channels, R, R).

    Two pathways see the image, and their outputs go, beside the image itself, through 1x1 convolutions to the read-out:
      conv   `conv_layers` multi-scale convolutions of `filters` (0: no such pathway, as for the paper's MNIST)
      dense  the image as a vector through `dense_layers` layers of `dense_units`, then `dense_outputs` values for each pixel
             (dense_units = 0: no such pathway; images of any size then go through, not only those of `resolution`)
      upper  `upper_layers` 1x1 convolutions of `upper_units` tanh units, then the read-out of `bumps` coefficients
    None of them sees t: it enters through the bumps alone. The first half of out_channels is for the mean and the second for the
    variance. An untrained network puts out 0, the forward kernel of eq. 64 and 65.

    Raises ValueError, at construction and for each batch, where the image's side is not a multiple of 2^(scales - 1).
    """

    def __init__(
        self,
        T: int,
        resolution: int,
        in_channels: int,
        out_channels: int,
        scales: int,
        filters: int,
        conv_layers: int,
        dense_units: int,
        dense_layers: int,
        dense_outputs: int,
        upper_units: int,
        upper_layers: int,
        bumps: int,
    ):
        super().__init__()
        self.resolution, self.in_channels, self.coarsest = resolution, in_channels, 2 ** (scales - 1)
        self.conv = nn.ModuleList([MultiScaleConv(in_channels if k == 0 else filters, filters, scales) for k in range(conv_layers)])
        channels = in_channels + (filters if conv_layers else 0)
        self.dense = nn.ModuleList()
        if dense_units:
            sizes = [in_channels * resolution**2] + [dense_units] * dense_layers + [dense_outputs * resolution**2]
            for inputs, outputs in pairwise(sizes):
                self.dense.append(nn.Linear(inputs, outputs))
            channels += dense_outputs
        self.upper = nn.ModuleList([nn.Conv2d(channels if k == 0 else upper_units, upper_units, 1) for k in range(upper_layers)])
        self.readout = TemporalReadout(upper_units if upper_layers else channels, out_channels, T, bumps)
        self._check(resolution, resolution)
        self.to(memory_format=torch.channels_last)  # on CPUs a step is then up to twice as fast

    def _check(self, height: int, width: int) -> None:
        if min(height, width) < self.coarsest or height % self.coarsest or width % self.coarsest:
            raise ValueError(f"an image of {height}x{width} pixels; expected multiples of {self.coarsest}, the coarsest scale")
        if len(self.dense) and (height, width) != (self.resolution, self.resolution):
            raise ValueError(f"an image of {height}x{width} pixels; the dense pathway expects {self.resolution}x{self.resolution}")

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self._check(*x.shape[2:])
        features = [x]
        if len(self.conv):
            seen = x
            for layer in self.conv:
                seen = layer(seen)
            features.append(seen)
        if len(self.dense):
            vector = x.flatten(1)
            for layer in self.dense[:-1]:
                vector = torch.tanh(layer(vector))
            features.append(self.dense[-1](vector).unflatten(1, (-1, *x.shape[2:])))
        both = torch.cat(features, 1)
        for layer in self.upper:
            both = torch.tanh(layer(both))
        return self.readout(both, t)

    def structure(self) -> list[Stage]:
        """The stages in the order of the data, read off the modules: what figure D.1 is drawn from."""
        size = (self.resolution, self.resolution)
        stages = [Stage("image", "x_t", (self.in_channels, *size))]
        for k, layer in enumerate(self.conv, 1):
            assert isinstance(layer, MultiScaleConv)
            sides = ", ".join(str(self.resolution // 2**s) for s in range(len(layer.scales)))
            stages.append(Stage(f"conv {k}", f"3x3 convolutions at {sides} pixels, added up, softplus", (layer.out_channels, *size)))
        for k, layer in enumerate(self.dense, 1):
            assert isinstance(layer, nn.Linear)
            last = k == len(self.dense)
            shape = (layer.out_features // self.resolution**2, *size) if last else (layer.out_features,)
            stages.append(Stage(f"dense {k}", "linear" if last else "dense, tanh", shape))
        J, out_channels, channels = self.readout.weight.shape
        if len(self.upper):
            assert isinstance(self.upper[0], nn.Conv2d)
            channels = self.upper[0].in_channels
        stages.append(Stage("joined", "the pathways and the image", (channels, *size)))
        for k, layer in enumerate(self.upper, 1):
            assert isinstance(layer, nn.Conv2d)
            stages.append(Stage(f"upper {k}", "1x1 convolution, tanh", (layer.out_channels, *size)))
        stages.append(Stage("coefficients", f"y_j of {J} bumps, linear", (J * out_channels, *size)))
        stages.append(Stage("read-out", f"sum over j of y_j g_j(t), t = 1..{len(self.readout.g)}", (out_channels, *size)))
        return stages
