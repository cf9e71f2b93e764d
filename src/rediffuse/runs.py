"""A run: one network trained on one data set. `rediffuse train` makes it; sampling and measuring read it back from its weights alone."""

import json
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from rediffuse import device as devices
from rediffuse import parallel
from rediffuse.build import (
    About,
    binomial_denoiser,
    build_binomial,
    build_classifier,
    build_features,
    build_network,
    build_process,
    diffusion_loss,
    gaussian_denoiser,
)
from rediffuse.config import Binomial, Features, InceptionFeatures, Run
from rediffuse.datasets.prepared import Prepared
from rediffuse.errors import DivergedError, UserError
from rediffuse.files import held, read_bytes, safetensors_digest, safetensors_header, sha256, write_bytes, write_text
from rediffuse.networks.classifier import Classifier
from rediffuse.networks.inception import Inception
from rediffuse.networks.rates import LearnedRates
from rediffuse.processes.binomial import BinomialDenoiser, BinomialProcess
from rediffuse.processes.denoiser import Denoiser, Reverse, WithEdge
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.provenance import code
from rediffuse.training import Loss, Seen, Trained, TrainingDivergedError, as_they_are, train

MADE_BY = "rediffuse train"
Kind = TypeVar("Kind", Run, Features | InceptionFeatures)


# --- training ---


def train_run(run: Run, data: Prepared, device: torch.device, folder: Path, name: str) -> Trained:
    """Train a run; of several processes the first writes its weights and history to a folder.

    Raises UserError if the data are not what its process is for.
    """
    if isinstance(run.process, Binomial):
        try:
            build_binomial(run.process).check(torch.from_numpy(data.as_x(data.arrays["x_train"])))
        except ValueError as error:
            raise UserError(f"data set {data.name}: {error} (runs.{name})") from None
    torch.manual_seed(run.training.seed)  # the first weights, and dropout
    network = devices.place(build_network(run, data.shape), device)
    x, seen = _stored(data, device)
    return _train(network, diffusion_loss(run, describe(data), device), (x,), seen, run, data, folder, name)


def train_features(features: Features, data: Prepared, device: torch.device, folder: Path, name: str) -> Trained:
    """Train the classifier whose features measure samples."""
    torch.manual_seed(features.training.seed)
    network = devices.place(build_classifier(features, data.shape, data.classes), device)
    # Of dequantised data with the noise that is always the same.
    x, seen = (torch.from_numpy(data.x("train")).to(device), as_they_are) if data.dequantise else _stored(data, device)
    y = torch.from_numpy(data.arrays["y_train"]).long().to(device)

    def loss(network: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, part: slice) -> Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(network(images[part]), labels[part])

    return _train(network, loss, (x, y), seen, features, data, folder, name)


def _stored(data: Prepared, device: torch.device) -> tuple[Tensor, Seen]:
    """x_train as it is stored, on a device, and what networks see of it: grey levels take a quarter of the memory that floats would."""
    x = data.arrays["x_train"]
    if data.levels is None:
        return torch.from_numpy(data.as_x(x)).to(device), as_they_are
    value = torch.from_numpy(data.as_x(np.arange(data.levels))).to(device)
    # Of indices into a tensor index_select takes a third of the time that value[rows.long()] does (128 x 3 x 32 x 32 on a core: 1.4 ms).
    return torch.from_numpy(x).to(device), lambda rows: value.index_select(0, rows.reshape(-1).int()).view(rows.shape)


def _train(
    network: nn.Module,
    loss: Loss,
    tensors: tuple[Tensor, ...],
    seen: Seen,
    options: Run | Features,
    data: Prepared,
    folder: Path,
    name: str,
) -> Trained:
    about: dict[str, Any] = {"kind": type(options).__name__, "options": options.model_dump(mode="json"), "data": asdict(describe(data))}
    device = tensors[0].device
    told = [about, data.sha256, code(__name__), device.type, devices.bfloat16(network, device)]
    key = sha256(json.dumps(told, sort_keys=True).encode())
    states = folder.parents[1] / ".state"
    state, kept = states / f"{name}.pt", {step: states / f"{name}-{step}.safetensors" for step in options.training.keep}

    def keep(step: int, network: nn.Module) -> None:
        if parallel.rank() == 0:
            write_weights(kept[step], _tensors(network, f"{step}/"), about)

    with held(state.with_name(f"{state.name}.lock")) if parallel.rank() == 0 else nullcontext():
        parallel.gather(0)  # none reads the state that another training may still be writing
        try:
            trained = train(network, loss, tensors, options.training, f"train {name}", state, key, keep, seen)
            weights = _tensors(trained.network)
        except TrainingDivergedError as end:
            if isinstance(options, Features) or not options.may_diverge:
                raise
            trained, weights, about = end.trained, {}, about | {"diverged": end.step}
        if parallel.rank() == 0:
            write_text(folder / "history.csv", trained.history_csv())
            write_weights(folder / "weights.safetensors", weights, about)
            if kept:  # from where nothing that a stopped training was to leave is removed
                every = [load_tensors(read_bytes(path, MADE_BY)) for path in kept.values()]
                write_weights(folder / "kept.safetensors", {key: tensor for those in every for key, tensor in those.items()}, about)
            for path in (state, *kept.values()):
                path.unlink(missing_ok=True)
    return trained


def _tensors(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: tensor.contiguous() for name, tensor in network.state_dict().items()}


def write_weights(path: Path, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Weights with what they are of, `kind`, `options` and `data` (see `load_run`), and a checksum of all that."""
    plain = save_tensors(weights)
    about = about | {"sha256": safetensors_digest(safetensors_header(path, plain), plain, about)}
    # One key of metadata: with several, safetensors writes them in no fixed order, and the same weights would not be the same bytes.
    write_bytes(path, save_tensors(weights, {"rediffuse": json.dumps(about, sort_keys=True)}))


def describe(data: Prepared) -> About:
    return About(data.name, data.shape, data.levels, data.classes, data.dequantise)


# --- reading back ---


@dataclass(frozen=True)
class LoadedRun:
    """A trained run, on its device, ready to sample and to measure."""

    run: Run
    about: About
    process: GaussianProcess | BinomialProcess
    network: nn.Module

    @property
    def T(self) -> int:
        return self.run.process.T

    @property
    def gaussian(self) -> GaussianProcess:
        assert isinstance(self.process, GaussianProcess)
        return self.process

    def denoiser(self, clip: bool = False) -> Denoiser:
        """Of a Gaussian process. A run that predicts mu is not clipped: its mean is the network's own, as DDPM's published code has it."""
        return gaussian_denoiser(self.run, self.gaussian, self.network, clip and self.run.predicts != "mu")

    def reverse(self, clip: bool = False) -> Reverse:
        """The reverse process that is sampled; of continuous data its last step is the edge, which is not learned."""
        return WithEdge(self.denoiser()) if self.about.continuous else self.denoiser(clip)

    def binomial_denoiser(self) -> BinomialDenoiser:
        """Of a binomial process."""
        assert isinstance(self.process, BinomialProcess)
        return binomial_denoiser(self.run, self.process, self.network)


def load_run(path: Path, device: torch.device, expected: Run, step: int | None = None) -> LoadedRun:
    """The run in a weights file; step: as it was then, in a file of weights that were kept on the way.

    Raises UserError if the file is absent, damaged, of another kind, or trained with other options; DivergedError if its training diverged.
    """
    run, about, tensors = _read(path, expected)
    if step:
        tensors = {name.partition("/")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{step}/")}
    network = _fill(build_network(run, about.shape), tensors, path).eval()
    process: GaussianProcess | BinomialProcess
    if isinstance(run.process, Binomial):
        process = build_binomial(run.process)
    elif isinstance(network, LearnedRates):
        with torch.no_grad():
            process = network.process()
    else:
        process = build_process(run.process)
    return LoadedRun(run, about, process.to(device), devices.place(network, device))


def load_features(path: Path, device: torch.device, expected: Features | InceptionFeatures) -> Classifier | Inception:
    """The classifier, or Inception, in a weights file. Raises UserError as `load_run` does."""
    features, about, tensors = _read(path, expected)
    network = build_features(features, about)
    _fill(network, tensors, path)
    devices.place(network, device).eval()
    return network


def _read(path: Path, expected: Kind) -> tuple[Kind, About, dict[str, Tensor]]:
    """The options, the data's description and the tensors of a weights file."""
    kind = type(expected)
    content = read_bytes(path, MADE_BY)
    header = safetensors_header(path, content)
    try:
        about = json.loads(header.get("__metadata__", {}).get("rediffuse", "{}"))
        checksum = about.pop("sha256", None)  # files of before there was one have none
        if checksum is not None and checksum != (digest := safetensors_digest(header, content, about)):
            raise ValueError(f"sha256 {digest[:12]}... of its tensors, {str(checksum)[:12]}... by its header")
        found = about.get("kind", "no configuration")
        if found == kind.__name__:
            data = about["data"]
            levels, classes = (data[key] and int(data[key]) for key in ("levels", "classes"))
            told = About(str(data["name"]), tuple(map(int, data["shape"])), levels, classes, float(data["dequantise"]))
            options, tensors = kind.model_validate(about["options"]), load_tensors(content)
    except Exception as error:  # json, pydantic and safetensors each have their own
        raise UserError(f"{path}: damaged ({repr(error).splitlines()[0]}); expected weights by `{MADE_BY}`") from None
    if found != kind.__name__:
        raise UserError(f"{path}: found {found} in it; expected {kind.__name__} by `{MADE_BY}`")
    for key in [key for key in kind.model_fields if key != "reuse"]:  # which says where weights were taken from, not what they are
        ours, theirs = getattr(options, key), getattr(expected, key)
        if ours != theirs:
            raise UserError(f"{path}: found weights trained with {key} {ours}; expected {theirs} by the preset: run `{MADE_BY}` anew")
    if "diverged" in about:
        step = int(about["diverged"])
        raise DivergedError(f"{path}: found a training that diverged by step {step}; expected weights", step)
    return options, told, tensors


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
