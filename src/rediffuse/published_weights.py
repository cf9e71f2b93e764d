"""`rediffuse import-weights`: a DDPM U-Net in the layout of diffusers, as a run of ours."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor, nn

from rediffuse import hub
from rediffuse.build import About, build_network
from rediffuse.config import Gaussian, Linear, Reuse, Run, Training, UNetOptions
from rediffuse.errors import UserError
from rediffuse.files import sha256, write_text
from rediffuse.runs import write_weights
from rediffuse.training import Trained

CIFAR10 = Run(
    dataset="cifar10",
    process=Gaussian(kind="gaussian", T=1000, schedule=Linear(kind="linear")),
    network=UNetOptions(kind="unet"),
    predicts="eps",
    variance="fixed-large",
    objective="simple",
    training=Training(steps=790_000, batch=128, lr=2e-4, warmup=5000, ema_decay=0.9999),
)
"""What the published CIFAR-10 weights are of: Ho et al. 2020, appendix B; the number of steps as its ports name their checkpoint."""
CIFAR10_DATA = About("cifar10", (3, 32, 32), 256, 10, 0.0)

TOP = {
    "embed.0": "time_embedding.linear_1",
    "embed.2": "time_embedding.linear_2",
    "conv_in": "conv_in",
    "norm_out": "conv_norm_out",
    "conv_out": "conv_out",
}
RESNET = {"norm1": "norm1", "conv1": "conv1", "time": "time_emb_proj", "norm2": "norm2", "conv2": "conv2", "shortcut": "conv_shortcut"}
ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "project": "to_out.0"}
RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""An attention's layers as diffusers named them until 2023, and as the published file on the hub still does."""


class Imported(NamedTuple):
    """What was imported."""

    file: Path
    sha256: str
    parameters: int


def import_weights(source: Reuse, run: Run, data: About, folder: Path) -> Imported:
    """Read weights in diffusers' layout from a file or a hub and write them to a run's folder, with an empty history.

    Raises UserError, before anything is written, if the file is absent or not whole, or a tensor is missing, unknown, of another shape,
    not of floats or not finite: one line that names them.
    """
    if not run.in_diffusers_layout:
        found = f"a {run.network.kind} that predicts {run.predicts}, variance {run.variance}"
        raise UserError(f"{source.weights}: found {found} as the run; expected a unet that predicts eps, with a fixed variance")
    assert isinstance(run.network, UNetOptions)
    path = source.file or hub.weights(source.weights)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: not found; expected a U-Net's weights in diffusers' layout") from None
    except OSError as error:
        raise UserError(f"{path}: could not be read: {error.strerror}; expected a {path.suffix} file") from None
    tensors = {_today(name): tensor for name, tensor in _tensors(path, content).items()}
    network = build_network(run, data.shape)
    names = names_in_diffusers(network.state_dict(), len(run.network.multipliers), run.network.res_blocks)
    weights = _converted(path, tensors, network, names)
    # Without where they were taken from: the same weights are the same bytes, and a file that was moved makes nothing anew that follows.
    options = run.model_dump(mode="json", exclude={"reuse"})
    about: dict[str, Any] = {"kind": "Run", "options": options, "data": vars(data) | {"shape": list(data.shape)}}
    imported = Imported(path, sha256(content), sum(tensor.numel() for tensor in weights.values()))
    write_text(folder / "history.csv", Trained(network, [], 0.0).history_csv())
    write_weights(folder / "weights.safetensors", weights, about | {"imported": {"file": path.name, "sha256": imported.sha256}})
    return imported


def _tensors(path: Path, content: bytes) -> dict[str, Tensor]:
    """What is in a safetensors file, or in the pickle of nothing but tensors that diffusers wrote before."""
    try:
        if path.suffix != ".bin":
            return load(content)
        tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
            raise ValueError("something else than tensors by name")
    except Exception as error:  # safetensors, torch, zipfile and pickle each have their own
        what, why = f"not a whole {path.suffix.removeprefix('.')} file", (str(error) or repr(error)).splitlines()[0]
        raise UserError(f"{path}: {what} ({why}); expected a U-Net's weights in diffusers' layout") from None
    return tensors


def names_in_diffusers(ours: Iterable[str], levels: int, res_blocks: int) -> dict[str, str]:
    """Our U-Net's tensors -> their names in diffusers' UNet2DModel, which counts blocks a level, and on the way up from the coarsest."""
    layers, k = dict(TOP), 0
    for level in range(levels):
        for j in range(res_blocks):
            layers |= _block(f"down.{k}", f"down_blocks.{level}", j)
            k += 1
        layers[f"down.{k}.conv"] = f"down_blocks.{level}.downsamplers.0.conv"
        k += level < levels - 1
    for j in range(2):
        layers |= _block(f"middle.{j}", "mid_block", j)
    k = 0
    for level in range(levels):
        for j in range(res_blocks + 1):
            layers |= _block(f"up.{k}", f"up_blocks.{level}", j)
            k += 1
        layers[f"up.{k}.conv"] = f"up_blocks.{level}.upsamplers.0.conv"
        k += level < levels - 1
    return {name: f"{layers[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}" for name in ours}


def _block(ours: str, theirs: str, j: int) -> dict[str, str]:
    resnet = {f"{ours}.{name}": f"{theirs}.resnets.{j}.{other}" for name, other in RESNET.items()}
    attention = {f"{ours}.attention.{name}": f"{theirs}.attentions.{j}.{other}" for name, other in ATTENTION.items()}
    return resnet | attention


def _today(name: str) -> str:
    *layers, leaf = name.split(".")
    return ".".join([*layers[:-1], RENAMED.get(layers[-1], layers[-1]), leaf]) if layers else name


def _converted(path: Path, tensors: dict[str, Tensor], network: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    """The tensors under our names and in our shapes: diffusers' attention has matrices where ours has convolutions of one pixel."""
    expected = network.state_dict()
    theirs = {names[name]: tuple(tensor.shape[:2] if ".attention." in name else tensor.shape) for name, tensor in expected.items()}
    wrong = {
        "missing": [name for name in theirs if name not in tensors],
        "unknown": sorted(name for name in tensors if name not in theirs),
        "misshapen": [
            f"{name}: {tuple(tensors[name].shape)}, expected {shape}"
            for name, shape in theirs.items()
            if name in tensors and tuple(tensors[name].shape) != shape
        ],
        "not of finite floats": [
            name for name in theirs if name in tensors and not (tensors[name].is_floating_point() and tensors[name].isfinite().all())
        ],
    }
    if any(wrong.values()):
        found = "; ".join(f"{len(each)} {what} ({_few(each)})" for what, each in wrong.items() if each)
        raise UserError(f"{path}: found {found}; expected the {len(theirs)} tensors of this U-Net in diffusers' layout")
    return {name: tensors[names[name]].to(tensor.dtype).reshape(tensor.shape).contiguous() for name, tensor in expected.items()}


def _few(names: list[str], most: int = 5) -> str:
    rest = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
