"""Inception's weights as torch-fidelity publishes them, taken in the place of a training: from data/raw, or downloaded to there."""

import io
import textwrap
from pathlib import Path
from typing import Any

import torch

from rediffuse.build import About
from rediffuse.config import InceptionFeatures
from rediffuse.errors import UserError
from rediffuse.files import held, sha256, write_text
from rediffuse.networks.inception import Inception
from rediffuse.paths import RAW
from rediffuse.runs import write_weights
from rediffuse.training import Trained

NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""The file as torch-fidelity and as pytorch-fid call it; by the first name it is downloaded."""
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
DATA = About("ImageNet", (3, 299, 299), 256, 1008, 0.0)
"""What it was trained on."""


def take(options: InceptionFeatures, folder: Path) -> int:
    """Write the published weights to a folder as those of a trained network, with an empty history; the number of parameters.

    Raises UserError, with what to put where, if the file is not there and cannot be downloaded, or is another.
    """
    with held(RAW / ".inception.lock"):
        path = _file()
    content = path.read_bytes()
    if (found := sha256(content)) != SHA256:
        raise UserError(f"{path}: found sha256 {found[:12]}...; expected {SHA256[:12]}...: remove it, and it is downloaded anew")
    network = Inception()
    tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    network.load_state_dict({f"network.{name}": tensor for name, tensor in tensors.items()})
    about: dict[str, Any] = {"kind": type(options).__name__, "options": options.model_dump(mode="json")}
    about |= {"data": vars(DATA) | {"shape": list(DATA.shape)}, "imported": {"file": path.name, "sha256": SHA256}}
    write_text(folder / "history.csv", Trained(network, [], 0.0).history_csv())
    write_weights(folder / "weights.safetensors", {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, about)
    return sum(p.numel() for p in network.parameters())


def _file() -> Path:
    """The file in data/raw, downloaded if there is none."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    for path in (RAW / name for name in NAMES):
        if path.is_file():
            return path
    path = RAW / NAMES[0]
    try:
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=SHA256, progress=False)
    except Exception as error:  # of networks, certificates, files and its checksum
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise UserError(
            f"{path}: not found, and could not be downloaded ({reason}); expected there the file at {URL_INCEPTION_V3}, sha256 {SHA256}"
        ) from None
    return path
