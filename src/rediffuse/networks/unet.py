"""DDPM's U-Net (Ho et al. 2020, appendix B, and the published code): 35,746,307 parameters at the CIFAR-10 setting."""

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class UNet(nn.Module):
    """(x of shape (N, in_channels, R, R), t of shape (N,) in 0..T-1) -> (N, out_channels, R, R).

    R must be divisible by 2^(len(multipliers) - 1). Attention follows every residual block at the resolutions named, and stands in
    the middle. The last convolution, the second one of every residual block and every attention's projection start at about 0, so that
    the untrained network puts out 0 and L_simple starts at 1. `groups` must divide every width; the published networks have 32.
    """

    def __init__(
        self,
        resolution: int,
        in_channels: int,
        out_channels: int,
        base_channels: int,
        multipliers: Sequence[int],
        res_blocks: int,
        attention: Sequence[int],
        dropout: float,
        groups: int,
    ):
        super().__init__()
        self.base_channels = base_channels
        embedding = 4 * base_channels
        self.embed = nn.Sequential(dense(base_channels, embedding), nn.SiLU(), dense(embedding, embedding))
        self.conv_in = conv(in_channels, base_channels)

        def block(in_width: int, width: int) -> Block:
            return Block(in_width, width, embedding, dropout, groups, attend=resolution in attention)

        widths = [base_channels * m for m in multipliers]
        width, skips = base_channels, [base_channels]
        self.down = nn.ModuleList()
        for level, level_width in enumerate(widths):
            for _ in range(res_blocks):
                self.down.append(block(width, level_width))
                width = level_width
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Downsample(width))
                skips.append(width)
                resolution //= 2
        self.middle = nn.ModuleList(
            [
                Block(width, width, embedding, dropout, groups, attend=True),
                Block(width, width, embedding, dropout, groups, attend=False),
            ]
        )
        self.up = nn.ModuleList()
        for level, level_width in reversed(list(enumerate(widths))):
            for _ in range(res_blocks + 1):
                self.up.append(block(width + skips.pop(), level_width))
                width = level_width
            if level > 0:
                self.up.append(Upsample(width))
                resolution *= 2
        self.norm_out = norm(width, groups)
        self.conv_out = conv(width, out_channels, zero=True)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = F.silu(self.embed(sinusoidal(t, self.base_channels).to(x.dtype)))
        h = self.conv_in(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, emb) if isinstance(layer, Block) else layer(h)
            skips.append(h)
        for layer in self.middle:
            h = layer(h, emb)
        for layer in self.up:
            h = layer(torch.cat([h, skips.pop()], dim=1), emb) if isinstance(layer, Block) else layer(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class Block(nn.Module):
    """A residual block, with self-attention behind it where `attend`."""

    def __init__(self, in_width: int, width: int, embedding: int, dropout: float, groups: int, attend: bool):
        super().__init__()
        self.norm1, self.conv1 = norm(in_width, groups), conv(in_width, width)
        self.time = dense(embedding, width)
        self.norm2, self.conv2 = norm(width, groups), conv(width, width, zero=True)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = conv(in_width, width, kernel=1) if in_width != width else nn.Identity()
        self.attention = Attention(width, groups) if attend else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(emb)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.attention(self.shortcut(x) + h)


class Attention(nn.Module):
    """Single-head self-attention over all positions, scaled by width^-0.5."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.norm = norm(width, groups)
        self.q, self.k, self.v = conv(width, width, kernel=1), conv(width, width, kernel=1), conv(width, width, kernel=1)
        self.project = conv(width, width, kernel=1, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.project(h.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Module):
    """Stride-2 convolution, padded to the right and below only (TensorFlow's SAME), as the published weights expect."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = conv(width, width, stride=2, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def sinusoidal(t: Tensor, dim: int) -> Tensor:
    """[sin, cos] of t at dim / 2 frequencies from 1 to 1/10000, shape (N, dim). Divides by dim / 2 - 1, as published."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, dtype=torch.float32, device=t.device))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def norm(width: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, width, eps=1e-6)  # TensorFlow's default, not torch's 1e-5


def conv(in_width: int, width: int, kernel: int = 3, stride: int = 1, padding: int | None = None, zero: bool = False) -> nn.Conv2d:
    return initialise(nn.Conv2d(in_width, width, kernel, stride, kernel // 2 if padding is None else padding), zero)


def dense(in_width: int, width: int) -> nn.Linear:
    return initialise(nn.Linear(in_width, width))


LayerT = TypeVar("LayerT", nn.Conv2d, nn.Linear)


def initialise(layer: LayerT, zero: bool = False) -> LayerT:
    """Xavier-uniform weights and no bias; "zero" is 1e-5 of that, the published code's variance scale of 1e-10."""
    nn.init.xavier_uniform_(layer.weight, gain=1e-5 if zero else 1.0)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
