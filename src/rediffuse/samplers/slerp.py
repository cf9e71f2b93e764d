"""Spherical interpolation of latents (Song et al. 2020, appendix D.5)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def slerp(a: Tensor, b: Tensor, shares: Sequence[float]) -> Tensor:
    """sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b for each share s, theta being the angle between a and b.

    a and b: (N, ...), each sample with its own angle, in float64; returns (len(shares), N, ...) in their dtype. A latent's norm is near
    sqrt(D), and a straight mix of two would be too small. Where the two point the same way it is the straight mix, to which it tends;
    opposite ones have no shortest way between them: ValueError.
    """
    p, q = (x.double().flatten(1) for x in (a, b))
    cosine = (p * q).sum(1) / (p.norm(dim=1) * q.norm(dim=1))
    if (cosine < -1 + 1e-9).any():
        raise ValueError("two latents are opposite: expected ones with an angle of less than 180 degrees between them")
    theta = torch.arccos(cosine.clamp(-1, 1)).view(-1, *[1] * (a.ndim - 1))
    near = theta < 1e-6
    angle = torch.where(near, torch.ones_like(theta), theta)
    mixed = []
    for share in shares:
        on_a = torch.where(near, torch.full_like(theta, 1 - share), torch.sin((1 - share) * angle) / torch.sin(angle))
        on_b = torch.where(near, torch.full_like(theta, share), torch.sin(share * angle) / torch.sin(angle))
        mixed.append((on_a * a.double() + on_b * b.double()).to(a.dtype))
    return torch.stack(mixed)


def grid(corners: Tensor, rows: int, columns: int) -> Tensor:
    """Latents between four corners of shape (4, ...), upper left, upper right, lower left, lower right: (rows, columns, ...).

    slerp in each of the two pairs, then between what that gives.
    """
    down = [k / (rows - 1) for k in range(rows)]
    across = [k / (columns - 1) for k in range(columns)]
    upper, lower = (slerp(pair[:1], pair[1:], across)[:, 0] for pair in (corners[:2], corners[2:]))
    return slerp(upper, lower, down)
