"""From a preset's options to the objects they name: processes, networks, decoders, objectives."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rediffuse.config import (
    Binomial,
    Features,
    Gaussian,
    Harmonic,
    InceptionFeatures,
    Learned,
    Linear,
    LogSpaced,
    MLPOptions,
    MultiScaleOptions,
    RBFOptions,
    Run,
    UNetOptions,
)
from rediffuse.errors import UserError
from rediffuse.networks.classifier import Classifier
from rediffuse.networks.inception import Inception
from rediffuse.networks.mlp import MLP
from rediffuse.networks.multiscale import MultiScale
from rediffuse.networks.rates import LearnedRates
from rediffuse.networks.rbf import NormalisedRBF
from rediffuse.networks.unet import UNet
from rediffuse.processes import losses, schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialProcess
from rediffuse.processes.bounds import Decoder, discretised_decoder, edge_decoder
from rediffuse.processes.denoiser import LEARNED, Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.training import Loss


@dataclass(frozen=True)
class About:
    """What a network must know of the data it is trained on; its weights file says so too."""

    name: str
    shape: tuple[int, ...]
    levels: int | None
    classes: int | None
    dequantise: float
    """Width of the uniform noise that makes grey levels continuous, in units of x; 0 where there is none."""

    @property
    def continuous(self) -> bool:
        return self.levels is None or self.dequantise > 0


def build_process(options: Gaussian) -> GaussianProcess:
    """The Gaussian process of some options, on the CPU; where its rates are learned, as they are at the start."""
    schedule = options.schedule.start if isinstance(options.schedule, Learned) else options.schedule
    match schedule:
        case Linear(beta_1=beta_1, beta_T=beta_T):
            beta = schedules.linear(options.T, beta_1, beta_T)
        case Harmonic(beta_1=beta_1, beta_T=beta_T):
            beta = schedules.harmonic(options.T, beta_1, beta_T)
        case LogSpaced(ratio_1=ratio_1, ratio_T=ratio_T):
            beta = schedules.log_spaced(options.T, ratio_1, ratio_T)
    return GaussianProcess(beta)


def build_binomial(options: Binomial) -> BinomialProcess:
    """The binomial process of some options, on the CPU."""
    return BinomialProcess(schedules.harmonic(options.T), options.rate)


def build_network(run: Run, shape: tuple[int, ...]) -> nn.Module:
    """The untrained network for data of a shape: (C, R, R) for images, (D,) for vectors; with the rates, where they are learned.

    Raises UserError if it does not fit.
    """
    outputs = shape[0] * (2 if run.variance in LEARNED else 1)
    network = _network(run, shape, outputs)
    if isinstance(run.process, Gaussian) and isinstance(run.process.schedule, Learned):
        return LearnedRates(network, build_process(run.process).beta)
    return network


def _network(run: Run, shape: tuple[int, ...], outputs: int) -> nn.Module:
    match run.network:
        case UNetOptions() as unet:
            _check_unet(unet, run.dataset, shape)
            return UNet(
                resolution=shape[1],
                in_channels=shape[0],
                out_channels=outputs,
                base_channels=unet.base_channels,
                multipliers=unet.multipliers,
                res_blocks=unet.res_blocks,
                attention=unet.attention,
                dropout=unet.dropout,
                groups=unet.groups,
            )
        case MultiScaleOptions() as options:
            if len(shape) != 3 or shape[1] != shape[2]:
                raise UserError(f"data set {run.dataset}: found shape {shape}; expected (C, R, R) for the multi-scale network")
            return build_multiscale(options, run.process.T, shape[1], shape[0], outputs, f"data set {run.dataset}")
        case RBFOptions(units=units):
            _check_vectors(run, shape)
            return NormalisedRBF(run.process.T, shape[0], outputs, units)
        case MLPOptions(layers=layers, units=units, shared_readout=shared):
            _check_vectors(run, shape)
            return MLP(run.process.T, shape[0], outputs, layers, units, shared)


def build_multiscale(options: MultiScaleOptions, T: int, resolution: int, channels: int, outputs: int, what: str) -> MultiScale:
    """The untrained multi-scale network. Raises UserError, which begins with `what`, for images that its coarsest scale does not fit."""
    coarsest = 2 ** (options.scales - 1)
    if resolution % coarsest:
        found = f"{resolution} x {resolution} pixels"
        raise UserError(
            f"{what}: found {found}; expected a multiple of {coarsest} a side, one pixel of the coarsest of {options.scales} scales"
        )
    return MultiScale(
        T=T,
        resolution=resolution,
        in_channels=channels,
        out_channels=outputs,
        **options.model_dump(exclude={"kind"}),
    )


def _check_unet(unet: UNetOptions, dataset: str, shape: tuple[int, ...]) -> None:
    halvings = 2 ** (len(unet.multipliers) - 1)
    resolutions = [shape[-1] // 2**level for level in range(len(unet.multipliers))]
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] % halvings:
        raise UserError(f"data set {dataset}: found shape {shape}; expected (C, R, R) with R divisible by {halvings} for this U-Net")
    if not set(unet.attention) <= set(resolutions):
        raise UserError(f"attention of the network on {dataset}: found {unet.attention}; expected some of {resolutions}")


def _check_vectors(run: Run, shape: tuple[int, ...]) -> None:
    if len(shape) != 1:
        raise UserError(f"data set {run.dataset}: found shape {shape}; expected (D,) for the {run.network.kind.upper()} network")


def build_classifier(features: Features, shape: tuple[int, ...], classes: int | None) -> Classifier:
    """The untrained classifier for labelled images of a shape (C, R, R). Raises UserError if the data are not that."""
    if len(shape) != 3 or shape[1] % 4 or classes is None:
        raise UserError(f"data set {features.dataset}: found shape {shape}, classes {classes}; expected labelled images, R divisible by 4")
    return Classifier(shape[1], shape[0], classes, features.width)


def build_features(options: Features | InceptionFeatures, about: About) -> Classifier | Inception:
    """The network whose features measure samples, untrained. Raises UserError as `build_classifier` does."""
    return Inception() if isinstance(options, InceptionFeatures) else build_classifier(options, about.shape, about.classes)


def decoder(process: GaussianProcess, about: About) -> Decoder:
    """The 2015 paper's edge for continuous or dequantised data, DDPM's discretised decoder for grey levels."""
    return edge_decoder(process) if about.continuous or about.levels is None else discretised_decoder(about.levels)


def diffusion_loss(run: Run, about: About, device: torch.device) -> Loss:
    """The run's objective at random times: 1..T, or 2..T where the decoder is the edge, in which nothing is learned.

    Dequantisation noise is drawn anew for every batch. All draws are the whole batch's, of which the loss takes its part.
    """
    if isinstance(run.process, Binomial):
        return _binomial_loss(run, run.process, device)
    fixed = build_process(run.process).to(device)
    learns_rates = isinstance(run.process.schedule, Learned)
    first = 2 if run.objective == "bound" and about.continuous else 1

    def loss(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, part: slice) -> Tensor:
        (x0,) = batch
        if about.dequantise:
            x0 = x0 + about.dequantise * (torch.rand(x0.shape, generator=generator, device=x0.device) - 0.5)
        t = torch.randint(first, run.process.T + 1, (len(x0),), generator=generator, device=x0.device)
        eps = torch.randn(x0.shape, generator=generator, device=x0.device)
        x0, t, eps = x0[part], t[part], eps[part]
        # By what the run says, not by the network's type: a compiled one has another, and hands attributes on.
        process = cast(LearnedRates, network).process() if learns_rates else fixed
        denoiser = gaussian_denoiser(run, process, network)
        if run.objective == "simple":
            return losses.simple(denoiser, x0, t, eps)
        objective = losses.bound_of_rates if learns_rates else losses.bound
        return objective(denoiser, decoder(process, about), x0, t, eps)

    return loss


def _binomial_loss(run: Run, options: Binomial, device: torch.device) -> Loss:
    process = build_binomial(options).to(device)

    def loss(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, part: slice) -> Tensor:
        (x0,) = batch
        t = torch.randint(2, process.T + 1, (len(x0),), generator=generator, device=x0.device)
        u = torch.rand(x0.shape, generator=generator, device=x0.device)
        return losses.binomial_bound(binomial_denoiser(run, process, network), x0[part], t[part], u[part])

    return loss


def gaussian_denoiser(run: Run, process: GaussianProcess, network: nn.Module, clip: bool = False) -> Denoiser:
    """The network read as the reverse of a Gaussian process, as the run says."""
    assert run.variance is not None
    return Denoiser(process, network, run.predicts, run.variance, clip)


def binomial_denoiser(run: Run, process: BinomialProcess, network: nn.Module) -> BinomialDenoiser:
    """The network read as the reverse of a binomial process, as the run says."""
    assert run.predicts in ("x0", "mu")
    return BinomialDenoiser(process, network, run.predicts)
