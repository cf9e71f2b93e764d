"""Figures 3, 4, 5 and D.1: images denoised, generated and in-painted, and the network that does it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rediffuse.build import build_multiscale
from rediffuse.config import DeadLeaves
from rediffuse.datasets import dead_leaves
from rediffuse.datasets.prepared import Prepared
from rediffuse.errors import UserError
from rediffuse.files import write_arrays, write_json
from rediffuse.metrics.bits import mean_and_error
from rediffuse.metrics.gaussians import GaussianScaleMixture
from rediffuse.metrics.restoration import psnr, wiener
from rediffuse.papers.sohl2015.common import drawn_of, loaded, mean, options_of
from rediffuse.papers.tables import write
from rediffuse.paths import Layout
from rediffuse.processes import products
from rediffuse.processes.denoiser import Reverse
from rediffuse.resume import each
from rediffuse.samplers import ancestral, inpaint
from rediffuse.samplers.noise import SampleNoise

Images = NDArray[np.float32]


def fig3(layout: Layout, device: torch.device) -> None:
    """Held-out images, made noisy, and denoised by a Wiener filter and by the model times r(x); and generated ones.

    The model's estimates are samples of the posterior, one a picture, and their mean, which no single sample beats in squared error.
    """
    options = options_of(layout).fig3
    assert options
    run, data = loaded(layout, options.run, device)
    x = data.x("test")[: options.n]
    n, v = len(x), options.noise_variance
    alpha_bar = float(run.gaussian.alpha_bar[products.start_at(run.gaussian, v)])
    if not 0.8 < (1 - alpha_bar) / alpha_bar / v < 1.25:
        found = f"the nearest noise of the run's chain has a variance of {(1 - alpha_bar) / alpha_bar:.3g}"
        raise UserError(f"papers.sohl2015.fig3.noise_variance: found {v:g}; expected one that x_t has at some t: {found}")
    y = x + np.float32(np.sqrt(v)) * SampleNoise(options.seed, range(n), data.shape)().numpy()
    train = data.x("train").reshape(-1, data.dims).astype(np.float64)
    filtered = wiener(y.reshape(n, -1).astype(np.float64), train.mean(0), np.cov(train.T), v).reshape(y.shape)
    draws = {rule: _denoise(run.reverse(), rule, y, v, options.draws, options.seed + 1, device) for rule in ("constant r", "start at y")}

    white = (data.levels - 1) * data.multiply if data.levels else float(x.max() - x.min())
    estimates = {"noisy": y, "Wiener filter": filtered}
    for rule, samples in draws.items():
        estimates |= {f"{rule}: one sample": samples[0], f"{rule}: mean of {len(samples)}": samples.mean(0)}
    scores = {name: psnr(estimate, x, white) for name, estimate in estimates.items()}
    about = {"dataset": data.name, "run": options.run, "unit": "dB", "n": n}
    rows = []
    for name, values in scores.items():
        # The same images and the same noise: a difference to the filter is known better than either.
        for metric, numbers in {"PSNR": values, "PSNR - Wiener": values - scores["Wiener filter"]}.items():
            value, error = mean_and_error(numbers)
            rows.append(about | {"estimate": name, "metric": metric, "value": value, "sd": error})
    write(layout.artifact("sohl2015", "fig3.csv"), pd.DataFrame(rows))

    noise = SampleNoise(options.seed + 2, range(options.columns), data.shape, device)
    generated = ancestral.sample(run.reverse(), noise(), noise).cpu().numpy()
    shown = {"hold-out": x, "noisy": y, "Wiener filter": filtered, "constant r": draws["constant r"][0]}
    shown |= {"start at y": draws["start at y"][0], "mean of start at y": draws["start at y"].mean(0), "generated": generated}
    arrays = {name: grey(data, images[: options.columns]) for name, images in shown.items()}
    write_arrays(layout.artifact("sohl2015", "fig3.npz"), arrays | {"levels": np.array(data.levels)})


def _denoise(reverse: Reverse, rule: str, y: Images, v: float, draws: int, seed: int, device: torch.device) -> Images:
    """Samples of p(x_0) N(y; x_0, v), shape (draws, n, ...): by the paper's r, constant in t, or from the x_t that y is."""
    n = len(y)

    def sample(k: int) -> Images:
        noise = SampleNoise(seed, range(k * n, (k + 1) * n), y.shape[1:], device)
        observed = torch.from_numpy(y).to(device)
        if rule == "constant r":
            r = products.constant_gaussian(observed, v)
            mean, variance = products.times_gaussian(torch.zeros_like(observed), torch.ones_like(observed), observed, v)
            x = ancestral.sample(products.Perturbed(reverse, r), mean + variance.sqrt() * noise(), noise)
        else:
            t = products.start_at(reverse.process, v)
            x = ancestral.sample(reverse, reverse.process.alpha_bar[t].sqrt().float() * observed, noise, start=t)
        return x.cpu().numpy()

    return np.stack(each(sample, range(draws), draws, f"denoise, {rule}", n))


def fig4(layout: Layout, device: torch.device) -> None:
    """Dead leaves: pictures of the generator, of a Gaussian scale mixture, patch by patch, and of the diffusion model."""
    options = options_of(layout).fig4
    assert options
    run, data = loaded(layout, options.run, device)
    shape = (data.shape[0], options.size, options.size)
    leaves = layout.preset.datasets[data.name]
    assert isinstance(leaves, DeadLeaves)
    law = leaves.radius_min, leaves.radius_max, leaves.exponent, leaves.seed
    real = dead_leaves.images(leaves.train + leaves.test, options.n, options.size, *law)
    noise = SampleNoise(options.seed, range(options.n), shape, device)
    generated = ancestral.sample(run.reverse(), noise(), noise).cpu().numpy()

    table2 = options_of(layout).table2
    mixture = GaussianScaleMixture.fit(data.x("train").reshape(-1, data.dims).astype(np.float64), *[table2.scales] if table2 else [])
    side = -(-options.size // data.shape[-1])
    patches = mixture.sample(options.n * side * side, np.random.default_rng(options.seed)).reshape(options.n, side, side, *data.shape[1:])
    tiled = patches.transpose(0, 1, 3, 2, 4).reshape(options.n, 1, side * data.shape[1], side * data.shape[2])[
        ..., : options.size, : options.size
    ]
    arrays = {"training": real, "mixture": grey(data, tiled.astype(np.float32)), "generated": grey(data, generated)}
    write_arrays(layout.artifact("sohl2015", "fig4.npz"), arrays)


def fig5(layout: Layout, device: torch.device) -> None:
    """A hidden square of held-out pictures, in-painted: several samples, by the paper's rule and by the recommended one.

    Raises UserError if the held-out parts are smaller than the figure wants them: those of a folder of the user's are known only here.
    """
    options = options_of(layout).fig5
    assert options
    run, data = loaded(layout, options.run, device)
    height, width = data.arrays["held_out"].shape[2:]
    if options.size > min(height, width):
        raise UserError(
            f"papers.sohl2015.fig5.size: found {options.size}; "
            f"expected at most {min(height, width)}: the held-out parts of the data set {data.name} are {width} x {height} pixels"
        )
    true = _crops(data.arrays["held_out"], options.size, options.pictures)
    x = torch.from_numpy(data.as_x(true)).to(device)
    start = (options.size - options.hole) // 2
    known = torch.ones(options.size, options.size, dtype=torch.bool, device=device)
    known[start : start + options.hole, start : start + options.hole] = False

    arrays, rows = {"true": true, "known": known.cpu().numpy()}, []
    about = {"dataset": data.name, "run": options.run}
    reverse = run.reverse()

    def constant(noise: SampleNoise) -> Tensor:
        r = products.constant_delta(x, known)
        return ancestral.sample(products.Perturbed(reverse, r), torch.where(known, x, noise()), noise)

    def noised(noise: SampleNoise) -> Tensor:
        return inpaint.sample(reverse, noise(), x, known, noise, options.rounds)

    for rule, fill in {"constant delta": constant, "noised, in rounds": noised}.items():

        def filled(k: int, fill: Callable[[SampleNoise], Tensor] = fill) -> Images:
            return fill(SampleNoise(options.seed, range(k * len(x), (k + 1) * len(x)), tuple(x.shape[1:]), device)).cpu().numpy()

        drawn = each(filled, range(options.draws), options.draws, f"in-paint, {rule}", options.pictures)
        samples = torch.from_numpy(np.stack(drawn)).to(device)
        difference = (samples - x) / data.multiply  # (draws, pictures, 1, size, size)
        hidden = difference[..., ~known].double().square()
        values = {
            "largest change of a known pixel": difference[..., known].abs().amax((0, 2, 3)),
            "rms difference in the hole, one sample": hidden.mean((0, 2, 3)).sqrt(),
            f"rms difference in the hole, mean of {options.draws}": difference.mean(0)[..., ~known].double().square().mean((1, 2)).sqrt(),
        }
        for metric, of_picture in values.items():
            rows.append(about | {"rule": rule, "metric": metric, "unit": "grey levels"} | mean(of_picture.double().cpu().numpy()))
        seam = torch.stack([_seam(picture, known) for picture in samples.transpose(0, 1)]) / torch.stack(
            [_seam(picture, known) for picture in x]
        )
        metric = "step across the hole's edge, samples / true"
        rows.append(about | {"rule": rule, "metric": metric, "unit": "ratio"} | mean(seam.double().cpu().numpy()))
        arrays[rule] = grey(data, samples.cpu().numpy())
    write(layout.artifact("sohl2015", "fig5.csv"), pd.DataFrame(rows))
    write_arrays(layout.artifact("sohl2015", "fig5.npz"), arrays)


def _crops(held_out: NDArray[np.uint8], size: int, n: int) -> NDArray[np.uint8]:
    """n squares of held-out parts (k, 1, height, width), taken from the pictures in turn, each further down than the last."""
    k, _, height, _ = held_out.shape
    rounds = -(-n // k)
    tops = [(height - size) * r // max(rounds - 1, 1) for r in range(rounds)]
    return np.stack([held_out[i % k, :, tops[i // k] : tops[i // k] + size, :size] for i in range(n)])


def _seam(x: Tensor, known: Tensor) -> Tensor:
    """The rms step of images (..., size, size) from a pixel to its neighbour where one of the two is hidden and the other is not."""
    across = (x[..., 1:] - x[..., :-1])[..., known[:, 1:] != known[:, :-1]]
    down = (x[..., 1:, :] - x[..., :-1, :])[..., known[1:] != known[:-1]]
    return torch.cat([across.flatten(), down.flatten()]).square().mean().sqrt()


def fig_app1(layout: Layout, device: torch.device) -> None:
    """Samples of the dense network, with as many images of the test set to compare them with."""
    options = options_of(layout).fig_app1
    assert options
    drawn, data = drawn_of(layout, options.samples)
    n = options.rows * options.columns
    real = np.resize(data.arrays["x_test"], (n, *data.shape))
    white = float((data.levels or 2) - 1)
    write_arrays(layout.artifact("sohl2015", "fig_app1.npz"), {"samples": drawn[:n] / white, "test": real / white})


def fig_d1(layout: Layout, device: torch.device) -> None:
    """The stages of the network as it is built: their names, what they do, the shape of what they put out."""
    options = options_of(layout).fig_d1
    assert options
    outputs, T = 2 * options.channels, 1000
    network = build_multiscale(options.network, T, options.resolution, options.channels, outputs, "papers.sohl2015.fig_d1.resolution")
    stages = [stage._asdict() for stage in network.structure()]
    about = {
        "parameters": sum(p.numel() for p in network.parameters()),
        "input": [options.channels, options.resolution, options.resolution],
    }
    write_json(layout.artifact("sohl2015", "fig_d1.stages.json"), about | {"stages": stages})


def grey(data: Prepared, x: Any) -> NDArray[np.uint8]:
    """Images as grey levels."""
    levels: NDArray[np.uint8] = data.to_levels(x)
    return levels
