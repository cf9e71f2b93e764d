"""What the sampler's loop costs beside its network's calls: python benchmarks/sampler_overhead.py [run of the laptop preset]

Both are timed in turn, pair by pair, on one batch of 64, and the median of the pairs' ratios is told: a slow minute hits both alike.
"""

import statistics
import sys
import time

import torch

import rediffuse
from rediffuse.samplers import ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.steps import linear

PAIRS, BATCH, STEPS = 60, 64, 50


def main() -> None:
    model = rediffuse.load(sys.argv[1] if len(sys.argv) > 1 else "digits")
    loaded, denoiser = model.loaded, model.loaded.denoiser()
    shape, tau = loaded.about.shape, linear(loaded.T, STEPS)
    x_T = SampleNoise(0, range(BATCH), shape, model.device)()

    @torch.inference_mode()
    def bare() -> None:
        for t in reversed(tau):
            loaded.network(x_T, torch.full((BATCH,), t - 1, device=model.device))

    for eta in (0.0, 1.0):

        def whole(eta: float = eta) -> None:
            ddim.sample(denoiser, x_T, tau, eta, SampleNoise(0, range(BATCH), shape, model.device))

        whole(), bare()
        pairs = [(_seconds(whole, model.device), _seconds(bare, model.device)) for _ in range(PAIRS)]
        ratios = sorted(a / b for a, b in pairs)
        network = statistics.median(b for _, b in pairs) / STEPS
        print(
            f"eta = {eta:g}: the loop takes {statistics.median(ratios) - 1:+.2%} of the bare calls' time "
            f"(quartiles {ratios[PAIRS // 4] - 1:+.2%} to {ratios[3 * PAIRS // 4] - 1:+.2%}, {PAIRS} pairs; "
            f"{network * 1e3:.2f} ms a call of {BATCH}, {torch.get_num_threads()} threads, {model.device})"
        )


def _seconds(function, device) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
