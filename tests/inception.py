"""Inception with made-up weights, in a file as torch-fidelity publishes the real ones."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from rediffuse import inception_weights
from rediffuse.files import sha256
from rediffuse.networks.inception import Inception
from rediffuse.paths import RAW


def made_up(monkeypatch: pytest.MonkeyPatch, name: str = inception_weights.NAMES[0]) -> Path:
    """The file, in data/raw; from now on it is the one that is expected."""
    network = Inception().network
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):  # so wide that what is small does not vanish on 94 layers
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.05, generator=generator)
            nn.init.normal_(module.bias, generator=generator)
    path = RAW / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)  # as files of 2020 are
    monkeypatch.setattr(inception_weights, "SHA256", sha256(path.read_bytes()))
    return path


def narrow(monkeypatch: pytest.MonkeyPatch, features: int = 16, size: int = 75) -> None:
    """The first few of its features, of smaller images: a distance of 2048 takes seconds."""
    of = Inception.features
    monkeypatch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", size)
    monkeypatch.setattr(Inception, "features", lambda self, x: of(self, x)[:, :features])
    monkeypatch.setattr(Inception, "head", lambda self, hidden: hidden.mm(self.network.fc.weight[:, :features].T))
