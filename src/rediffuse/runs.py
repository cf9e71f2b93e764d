"""A run: one network trained on one data set. `rediffuse train` makes it; sampling and measuring read it back from its weights alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from rediffuse import device as devices
from rediffuse.config import Features, Harmonic, Linear, LogSpaced, Process, RBFOptions, Run, UNetOptions
from rediffuse.datasets.prepared import Prepared
from rediffuse.errors import UserError
from rediffuse.files import read_bytes, safetensors_header, sha256, write_bytes, write_text
from rediffuse.networks.classifier import Classifier
from rediffuse.networks.rbf import NormalisedRBF
from rediffuse.networks.unet import UNet
from rediffuse.processes import losses, schedules
from rediffuse.processes.bounds import Decoder, discretised_decoder, edge_decoder
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.provenance import code_hash
from rediffuse.training import Loss, Trained, train

MADE_BY = "rediffuse train"
Kind = TypeVar("Kind", Run, Features)


# --- from options to objects ---


def build_process(options: Process) -> GaussianProcess:
    """The process of some options, on the CPU."""
    match options.schedule:
        case Linear(beta_1=beta_1, beta_T=beta_T):
            beta = schedules.linear(options.T, beta_1, beta_T)
        case Harmonic(beta_1=beta_1, beta_T=beta_T):
            beta = schedules.harmonic(options.T, beta_1, beta_T)
        case LogSpaced(ratio_1=ratio_1, ratio_T=ratio_T):
            beta = schedules.log_spaced(options.T, ratio_1, ratio_T)
    return GaussianProcess(beta)


def build_network(run: Run, shape: tuple[int, ...]) -> nn.Module:
    """The untrained network for data of a shape: (C, R, R) for the U-Net, (D,) for the RBF network. Raises UserError if it does not fit."""
    outputs = shape[0] * (2 if run.variance == "learned" else 1)
    match run.network:
        case UNetOptions() as unet:
            halvings = 2 ** (len(unet.multipliers) - 1)
            resolutions = [shape[-1] // 2**level for level in range(len(unet.multipliers))]
            if len(shape) != 3 or shape[1] != shape[2] or shape[1] % halvings:
                raise UserError(
                    f"data set {run.dataset}: found shape {shape}; expected (C, R, R) with R divisible by {halvings} for this U-Net"
                )
            if not set(unet.attention) <= set(resolutions):
                raise UserError(f"attention of the network on {run.dataset}: found {unet.attention}; expected some of {resolutions}")
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
        case RBFOptions(units=units):
            if len(shape) != 1:
                raise UserError(f"data set {run.dataset}: found shape {shape}; expected (D,) for the RBF network")
            return NormalisedRBF(run.process.T, shape[0], outputs, units)


def build_classifier(features: Features, shape: tuple[int, ...], classes: int | None) -> Classifier:
    """The untrained classifier for labelled images of a shape (C, R, R). Raises UserError if the data are not that."""
    if len(shape) != 3 or shape[1] % 4 or classes is None:
        raise UserError(f"data set {features.dataset}: found shape {shape}, classes {classes}; expected labelled images, R divisible by 4")
    return Classifier(shape[1], shape[0], classes, features.width)


def decoder(process: GaussianProcess, levels: int | None) -> Decoder:
    """DDPM's discretised decoder for grey levels, the 2015 paper's edge for continuous data."""
    return edge_decoder(process) if levels is None else discretised_decoder(levels)


def diffusion_loss(run: Run, process: GaussianProcess, levels: int | None) -> Loss:
    """The run's objective at uniformly random times: 1..T, or 2..T where the decoder is the edge, in which nothing is learned."""
    first = 2 if run.objective == "bound" and levels is None else 1
    likelihood = decoder(process, levels)

    def loss(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        (x0,) = batch
        t = torch.randint(first, process.T + 1, (len(x0),), generator=generator, device=x0.device)
        eps = torch.randn(x0.shape, generator=generator, device=x0.device)
        denoiser = Denoiser(process, network, run.predicts, run.variance)
        return losses.simple(denoiser, x0, t, eps) if run.objective == "simple" else losses.bound(denoiser, likelihood, x0, t, eps)

    return loss


# --- training ---


def train_run(run: Run, data: Prepared, device: torch.device, folder: Path, name: str) -> Trained:
    """Train a run and write its weights and history to a folder."""
    torch.manual_seed(run.training.seed)  # the first weights, and dropout
    network = devices.place(build_network(run, data.shape), device)
    process = build_process(run.process).to(device)
    x = torch.from_numpy(data.x("train")).to(device)
    loss = diffusion_loss(run, process, data.levels)
    return _train(network, loss, (x,), run, data, folder, name)


def train_features(features: Features, data: Prepared, device: torch.device, folder: Path, name: str) -> Trained:
    """Train the classifier whose features measure samples."""
    torch.manual_seed(features.training.seed)
    network = devices.place(build_classifier(features, data.shape, data.classes), device)
    x = torch.from_numpy(data.x("train")).to(device)
    y = torch.from_numpy(data.arrays["y_train"]).long().to(device)

    def loss(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(network(images), labels)

    return _train(network, loss, (x, y), features, data, folder, name)


def _train(
    network: nn.Module, loss: Loss, tensors: tuple[Tensor, ...], options: Run | Features, data: Prepared, folder: Path, name: str
) -> Trained:
    about = {"kind": type(options).__name__, "options": options.model_dump(mode="json"), "data": describe(data)}
    key = sha256(json.dumps([about, data.sha256, code_hash(__name__), tensors[0].device.type], sort_keys=True).encode())
    state = folder.parents[1] / ".state" / f"{name}.pt"
    trained = train(network, loss, tensors, options.training, f"train {name}", state, key)
    weights = {key: tensor.contiguous() for key, tensor in trained.network.state_dict().items()}
    write_text(folder / "history.csv", trained.history_csv())
    # One key of metadata: with several, safetensors writes them in no fixed order, and the same weights would not be the same bytes.
    write_bytes(folder / "weights.safetensors", save_tensors(weights, {"rediffuse": json.dumps(about, sort_keys=True)}))
    if state.is_file():
        state.unlink()
    return trained


def describe(data: Prepared) -> dict[str, Any]:
    """What a network must know of the data it was trained on."""
    return {"name": data.name, "shape": data.shape, "levels": data.levels, "classes": data.classes}


# --- reading back ---


@dataclass(frozen=True)
class LoadedRun:
    """A trained run, on its device, ready to sample and to measure."""

    run: Run
    shape: tuple[int, ...]
    levels: int | None
    process: GaussianProcess
    network: nn.Module

    def denoiser(self, clip: bool) -> Denoiser:
        return Denoiser(self.process, self.network, self.run.predicts, self.run.variance, clip)


def load_run(path: Path, device: torch.device, expected: Run) -> LoadedRun:
    """The run in a weights file. Raises UserError if the file is absent, damaged, of another kind, or trained with other options."""
    run, data, tensors = _read(path, expected)
    network = devices.place(_fill(build_network(run, data["shape"]), tensors, path), device).eval()
    return LoadedRun(run, data["shape"], data["levels"], build_process(run.process).to(device), network)


def load_features(path: Path, device: torch.device, expected: Features) -> Classifier:
    """The classifier in a weights file. Raises UserError as `load_run` does."""
    features, data, tensors = _read(path, expected)
    network = build_classifier(features, data["shape"], data["classes"])
    _fill(network, tensors, path)
    devices.place(network, device).eval()
    return network


def _read(path: Path, expected: Kind) -> tuple[Kind, dict[str, Any], dict[str, Tensor]]:
    """The options, the data's description and the tensors of a weights file."""
    kind = type(expected)
    content = read_bytes(path, MADE_BY)
    header = safetensors_header(path, content)
    try:
        about = json.loads(header.get("__metadata__", {}).get("rediffuse", "{}"))
        found = about.get("kind", "no configuration")
        if found == kind.__name__:
            data = {key: about["data"][key] and int(about["data"][key]) for key in ("levels", "classes")}
            data |= {"shape": tuple(map(int, about["data"]["shape"]))}
            options, tensors = kind.model_validate(about["options"]), load_tensors(content)
    except Exception as error:  # json, pydantic and safetensors each have their own
        raise UserError(f"{path}: damaged ({repr(error).splitlines()[0]}); expected weights by `{MADE_BY}`") from None
    if found != kind.__name__:
        raise UserError(f"{path}: found {found} in it; expected {kind.__name__} by `{MADE_BY}`")
    for key in kind.model_fields:
        ours, theirs = getattr(options, key), getattr(expected, key)
        if ours != theirs:
            raise UserError(f"{path}: found weights trained with {key} {ours}; expected {theirs} by the preset: run `{MADE_BY}` anew")
    return options, data, tensors


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> nn.Module:
    expected = {name: f"{tensor.dtype} {tuple(tensor.shape)}" for name, tensor in network.state_dict().items()}
    found = {name: f"{tensor.dtype} {tuple(tensor.shape)}" for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise UserError(
                f"{path}: {name}: found {found.get(name, 'no such tensor')}; expected {expected.get(name, 'none')} by its own options"
            )
        if not tensors[name].isfinite().all():
            raise UserError(f"{path}: {name}: found values that are not finite; expected numbers: run `{MADE_BY}` anew")
    network.load_state_dict(tensors)
    return network
