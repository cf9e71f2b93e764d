"""Device and precision, in one place."""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from shutil import which
from typing import cast

import torch
from torch import nn

from rediffuse import gpus, parallel
from rediffuse.errors import UserError

WIDE = 48
"""Channels from which on bfloat16 is faster on a CPU: measured at 32 (slower), 48 (1.2 times) and 256 (2.2 times as fast)."""
COMPILED_FROM: float = 10_000
"""Steps of training that are taken to repay a compilation; no GPU was at hand to measure it."""


def pick(name: str = "auto") -> torch.device:
    """The named device; "auto" is a GPU that no other job holds, for the life of this process, where there are GPUs.

    Waits for one while all are held; of several processes of one training each gets its own. Raises UserError if there is none of that
    name, or there are fewer than processes. Convolutions in float32 are float32 on every device: TF32 would part a GPU's samples from a
    CPU's.
    """
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        return _leased()
    try:
        device = torch.device(name)
        if device.type == "cuda" and parallel.size() > 1:
            device = _of_several(device)
        torch.zeros(1, device=device).item()
    except UserError:
        raise
    except Exception:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"--device: found {name!r}; expected auto, cpu, or cuda where torch has it")
    return device


@cache
def _leased() -> torch.device:
    """The GPU that this process holds from now on; the CPU where there is none that it may use."""
    number, here = parallel.here()
    devices = gpus.visible() if torch.backends.cuda.is_built() else []
    mine = parallel.from_first_here(gpus.lease(devices, here) if devices and number == 0 else [])
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
    if devices == [] or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", number) if here > 1 else torch.device("cuda")


def _of_several(device: torch.device) -> torch.device:
    if device.index is not None:
        raise UserError(f"--device: found {device} for {parallel.size()} processes; expected auto, cuda or cpu: each has its own GPU")
    return torch.device("cuda", parallel.here()[0])


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on its device, laid out channels_last: convolutions are 10 to 25 % faster so on a CPU with AVX-512."""
    return network.to(device).to(memory_format=torch.channels_last)


def autocast(network: nn.Module, device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 for a network's products in training, where that is faster (`bfloat16`); else nothing. Samples and bounds are float32."""
    return torch.autocast(device.type, torch.bfloat16) if bfloat16(network, device) else nullcontext()


def bfloat16(network: nn.Module, device: torch.device) -> bool:
    """Whether a network trains in it: on GPUs that have it (from Ampere on); on CPUs that have it, with WIDE channels and more."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _bfloat16_of_cpu() and widest(network) >= WIDE


def compiled(network: nn.Module, device: torch.device, steps: int) -> nn.Module:
    """The same network, compiled where so many steps of training repay it: on a GPU, where triton and a C compiler are there.

    On a CPU it would be a tenth faster, for two and a half minutes of compiling and a C++ compiler (the U-Net of 35.7 M parameters).
    """
    compilers = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    if device.type != "cuda" or steps < COMPILED_FROM or find_spec("triton") is None or not any(map(which, compilers)):
        return network
    return cast(nn.Module, torch.compile(network, dynamic=False))


def widest(network: nn.Module) -> int:
    """Channels that the widest convolution puts out; 0 where there is none."""
    return max((layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)), default=0)


@cache
def _bfloat16_of_cpu() -> bool:
    """Whether there are instructions for it; torch emulates it elsewhere, slower than float32."""
    has = getattr(torch.cpu, "get_capabilities", dict[str, bool])()
    return any(has.get(name) for name in ("amx_bf16", "avx512_bf16"))
