"""What this machine reaches at all: matrix products, and 3 x 3 convolutions as wide as the network's."""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def limits(device: torch.device, quick: bool) -> list[dict[str, object]]:
    """GFLOP/s of each product in each precision: the median of some repeats, and their range."""
    n, (batch, width, side) = (64, (2, 8, 8)) if quick else (4096 if device.type == "cuda" else 2048, (8, 256, 16))
    rows = []
    for precision, dtype in PRECISIONS.items():
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        x = torch.randn(batch, width, side, side, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.randn(width, width, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        products: dict[str, tuple[float, Callable[[], object]]] = {
            f"GEMM, {n} x {n} x {n}": (2 * n**3, lambda a=a, b=b: a @ b),
            f"3 x 3 convolution, {width} to {width} channels, {batch} x {side} x {side}": (
                2 * 9 * width**2 * batch * side**2,
                lambda x=x, weight=weight: F.conv2d(x, weight, padding=1),
            ),
        }
        for name, (flops, product) in products.items():
            rates = [flops / 1e9 / _seconds(product, device, quick) for _ in range(1 if quick else 7)]
            about = {"product": name, "precision": precision, "median": statistics.median(rates)}
            rows.append(about | {"low": min(rates), "high": max(rates)})
    return rows


def _seconds(product: Callable[[], object], device: torch.device, quick: bool) -> float:
    """Of one product, by as many as take a fifth of a second."""
    product()
    done, start = 0, time.perf_counter()
    with torch.inference_mode():
        while True:
            for _ in range(10):
                product()
            if device.type == "cuda":
                torch.cuda.synchronize()
            done += 10
            if quick or time.perf_counter() - start > 0.2:
                return (time.perf_counter() - start) / done
