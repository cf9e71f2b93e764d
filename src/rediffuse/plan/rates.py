"""How long a network takes on this machine: a few steps of the real training, samplers and bound, on random data."""

import contextlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rediffuse import device as devices
from rediffuse.build import About, build_binomial, build_features, build_network, build_process, decoder, diffusion_loss
from rediffuse.config import Binomial, Features, InceptionFeatures, Run
from rediffuse.metrics.bits import binomial_bound, variational_bound
from rediffuse.metrics.features import measure
from rediffuse.networks.classifier import Classifier
from rediffuse.networks.inception import Inception
from rediffuse.networks.rates import LearnedRates
from rediffuse.plan.work import Kind
from rediffuse.runs import LoadedRun
from rediffuse.samplers import ancestral, ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.steps import linear
from rediffuse.training import Loss, train

Options = Run | Features | InceptionFeatures
ENOUGH = 0.3
"""Seconds that a network's largest batch is measured for; and of one call, those above which no larger batch is tried."""
BRIEFLY = 0.03
"""The same of smaller batches."""
MOST = 50
"""Repeats of what is short."""


@dataclass(frozen=True)
class Size:
    """What a network is, on any machine."""

    parameters: int
    flops: int
    """Of one evaluation of one image: matrix products and convolutions, two a multiply-add. None is counted of what is elementwise."""


@dataclass(frozen=True)
class Curve:
    """Seconds of one call against the images in it, which rise from the one image that the first point is of."""

    points: list[tuple[int, float]]

    def seconds(self, batch: float) -> float:
        """Between two points on their line; beyond the last one images take as long as those of its."""
        sizes, seconds = zip(*self.points, strict=True)
        return float(np.interp(batch, sizes, seconds)) * max(1.0, batch / sizes[-1])


def build(options: Options, about: About, device: torch.device) -> nn.Module:
    """The untrained network on its device. Raises UserError if it does not fit the data."""
    network = build_network(options, about.shape) if isinstance(options, Run) else build_features(options, about)
    return devices.place(network, device)


def size_of(network: nn.Module, shape: tuple[int, ...], device: torch.device) -> Size:
    """Its parameters, and the FLOPs of one evaluation at one image, counted as it is made."""
    inputs = [torch.zeros(1, *shape, device=device)]
    if not isinstance(network, Classifier | Inception):
        inputs.append(torch.zeros(1, dtype=torch.long, device=device))
    # Of attention the counter knows the products that it is made of, and not every fused one.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        network(*inputs)
    return Size(sum(p.numel() for p in network.parameters()), int(counter.get_total_flops()))


def key(options: Options, about: About) -> str:
    """The same for networks that take equally long."""
    if isinstance(options, InceptionFeatures):
        return options.name
    training = options.training.model_copy(update={"steps": 1, "seed": 0, "lr": 1.0, "ema_decay": 0.0, "warmup": 0})
    alike = options.model_copy(update={"training": training})
    return json.dumps([alike.model_dump(mode="json"), about.shape, about.levels, about.dequantise > 0], sort_keys=True)


def curve(options: Options, about: About, network: nn.Module, kind: Kind, batch: int, device: torch.device) -> Curve:
    """Of a network on its device, up to a batch. What the work prints of itself is not shown."""
    if isinstance(network, Inception):
        work = _features(about, network.eval())
    elif kind == "train":
        assert not isinstance(options, InceptionFeatures)
        work = _training(options, about, network, device)
    else:
        assert isinstance(options, Run)
        work = {"chain": _chain, "flow": _flow, "term": _term}[kind](_loaded(options, about, network, device), device)
    with contextlib.redirect_stderr(io.StringIO()):
        return measured(work, batch)


def measured(work: Callable[[int, int], float], batch: int) -> Curve:
    """Of work(images, repeats), which says how many seconds one repeat took: at 1, 4, 16, ... images and the whole batch.

    It ends early where a call takes longer than ENOUGH: on a CPU such calls take as long as their images do one after the other.
    """
    points = list[tuple[int, float]]()
    sizes = [*takewhile(lambda n: n < batch, (4**k for k in count())), batch]
    for images in sizes:
        work(images, 1)
        once = work(images, 1)
        last = images == batch or once > ENOUGH
        repeats = max(1, min(MOST, int((ENOUGH if last else BRIEFLY) / once)))
        points.append((images, work(images, repeats)))
        if once > ENOUGH:
            break
    return Curve(points)


# --- what is repeated ---


def _training(options: Run | Features, about: About, network: nn.Module, device: torch.device) -> Callable[[int, int], float]:
    """Steps of the loop by which all networks are trained, at a rate at which nothing is learned."""
    loss: Loss = diffusion_loss(options, about, device) if isinstance(options, Run) else _classified

    def work(batch: int, repeats: int) -> float:
        training = options.training.model_copy(update={"steps": repeats, "batch": batch, "lr": 1e-12})
        data: tuple[Tensor, ...] = (_data(options, about, batch, device),)
        if isinstance(options, Features):
            data += (torch.zeros(batch, dtype=torch.long, device=device),)
        return train(network, loss, data, training).seconds / repeats

    return work


def _classified(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, part: slice) -> Tensor:
    images, labels = batch
    return nn.functional.cross_entropy(network(images[part]), labels[part])


def _data(options: Run | Features, about: About, n: int, device: torch.device) -> Tensor:
    """Noise, or bits."""
    x = torch.randn(n, *about.shape, generator=torch.Generator().manual_seed(0)).to(device)
    return (x > 0).float() if isinstance(options, Run) and isinstance(options.process, Binomial) else x


def _loaded(run: Run, about: About, network: nn.Module, device: torch.device) -> LoadedRun:
    if isinstance(run.process, Binomial):
        return LoadedRun(run, about, build_binomial(run.process).to(device), network.eval())
    with torch.no_grad():
        process = network.process() if isinstance(network, LearnedRates) else build_process(run.process)
    return LoadedRun(run, about, process.to(device), network.eval())


def _chain(run: LoadedRun, device: torch.device) -> Callable[[int, int], float]:
    """Steps of ancestral sampling, begun where only so many are left; of a binomial process by hand, whose sampler has no start."""

    def work(batch: int, repeats: int) -> float:
        noise, repeats = SampleNoise(0, range(batch), run.about.shape, device), min(repeats, run.T)
        x, start = noise(), time.perf_counter()
        if isinstance(run.run.process, Binomial):
            x, denoiser = (x > 0).float(), run.binomial_denoiser()
            with torch.inference_mode():
                for t in range(repeats, 0, -1):
                    x = (noise.uniform() < denoiser(x, t).prob).float()
        else:
            # One step more where the last one asks no network.
            edge = run.about.continuous
            x = ancestral.sample(run.reverse(clip=True), x, noise, start=min(repeats + edge, run.T))
        return _since(start, x) / repeats

    return work


def _flow(run: LoadedRun, device: torch.device) -> Callable[[int, int], float]:
    """Steps of DDIM without noise."""

    def work(batch: int, repeats: int) -> float:
        noise, repeats = SampleNoise(0, range(batch), run.about.shape, device), min(repeats, run.T)
        x, start = noise(), time.perf_counter()
        return _since(start, ddim.sample(run.denoiser(), x, linear(run.T, repeats), 0.0, noise)) / repeats

    return work


def _term(run: LoadedRun, device: torch.device) -> Callable[[int, int], float]:
    """Terms of the bound."""

    def work(batch: int, repeats: int) -> float:
        x0, strata = _data(run.run, run.about, batch, device), min(repeats, run.T - 1)
        start = time.perf_counter()
        if isinstance(run.run.process, Binomial):
            binomial_bound(run.binomial_denoiser(), x0, strata, 0)
        else:
            variational_bound(run.denoiser(), {"": decoder(run.gaussian, run.about)}, x0, strata, 0)
        return (time.perf_counter() - start) / (strata + 1)

    return work


def _features(about: About, network: Inception) -> Callable[[int, int], float]:
    """Features and logits of images, as they are measured."""

    def work(batch: int, repeats: int) -> float:
        x, start = np.zeros((batch, *about.shape), dtype=np.float32), time.perf_counter()
        for _ in range(repeats):
            measure(network, x, batch)
        return (time.perf_counter() - start) / repeats

    return work


def _since(start: float, x: Tensor) -> float:
    """Seconds, once x is there."""
    x.cpu()
    return time.perf_counter() - start
