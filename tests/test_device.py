"""Precision and compilation, which one place chooses by device and network."""

import pytest
import torch
from torch import nn

from rediffuse import device
from rediffuse.config import UNetOptions
from rediffuse.networks.unet import UNet

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
WITH, WITHOUT = {"avx512_bf16": True, "amx_bf16": False}, {"avx512_bf16": False, "amx_bf16": False}


def unet(base: int) -> UNet:
    options = UNetOptions(kind="unet", base_channels=base, multipliers=[1, 2], res_blocks=1, attention=[], groups=4)
    return UNet(8, 1, 1, **options.model_dump(exclude={"kind"})).eval()


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    device._bfloat16_of_cpu.cache_clear()


@pytest.mark.parametrize(("base", "capabilities", "expected"), [(24, WITH, True), (16, WITH, False), (24, WITHOUT, False)])
def test_a_cpu_trains_wide_convolutions_in_bfloat16_where_it_has_it(
    monkeypatch: pytest.MonkeyPatch, base: int, capabilities: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    network = unet(base)
    assert device.widest(network) == 2 * base
    with device.autocast(network, CPU):
        assert torch.is_autocast_enabled("cpu") is expected
        output = network(torch.zeros(2, 1, 8, 8), torch.zeros(2))
    assert output.dtype is (torch.bfloat16 if expected else torch.float32)


def test_a_network_without_convolutions_is_float32_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: WITH, raising=False)
    with device.autocast(nn.Linear(500, 500), CPU):
        assert not torch.is_autocast_enabled("cpu")


def test_a_torch_that_cannot_tell_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not device._bfloat16_of_cpu()


def test_bfloat16_is_close_to_float32() -> None:
    """eps-hat and the gradient to some hundredths of their size: bfloat16 has 8 bits."""
    torch.manual_seed(0)
    network = unet(24)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)  # some begin at 0
    x, eps, t = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8), torch.tensor([0.0, 10, 500, 999])
    found = []
    for bfloat16 in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = network(x, t)
        nn.functional.mse_loss(output.float(), eps).backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        found.append((output.detach().float(), gradient))
    for exact, fast in zip(*found, strict=True):
        assert 1e-4 < (fast - exact).norm() / exact.norm() < 0.05


def test_long_trainings_are_compiled_on_a_gpu_where_there_is_a_compiler_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network, there = unet(8), object()
    monkeypatch.setattr(device, "find_spec", lambda name: there if name == "triton" else None)
    monkeypatch.setattr(device, "which", lambda name: name if name == "gcc" else None)
    long = int(device.COMPILED_FROM)
    assert device.compiled(network, CPU, long) is network
    assert device.compiled(network, CUDA, long - 1) is network
    fast = device.compiled(network, CUDA, long)
    assert fast is not network and [*fast.parameters()] == [*network.parameters()]
    monkeypatch.setattr(device, "which", lambda name: None)
    assert device.compiled(network, CUDA, long) is network
    monkeypatch.setattr(device, "which", lambda name: name)
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    assert device.compiled(network, CUDA, long) is network
