"""The same U-Net twice, as rediffuse has it and as diffusers has it: what is timed of each, and at which settings."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor, nn

from rediffuse.config import Run

CONTENDERS = {"rediffuse": ("ours", "make"), "rediffuse, compiled": ("ours", "compiled"), "diffusers": ("theirs", "make")}
"""Name -> the module that makes it, which alone is imported for it, and its function."""
T, BETA, CLIP, LR, EMA = 1000, (1e-4, 0.02), 1.0, 2e-4, 0.9999


@dataclass(frozen=True)
class Setting:
    """A network and a batch. The defaults of the U-Net's options are the published CIFAR-10 ones."""

    name: str
    shape: tuple[int, int, int]
    batch: int
    network: dict[str, object]

    def run(self) -> Run:
        return Run.model_validate(
            {
                "dataset": "noise",
                "process": {"kind": "gaussian", "T": T, "schedule": {"kind": "linear", "beta_1": BETA[0], "beta_T": BETA[1]}},
                "network": {"kind": "unet"} | self.network,
                "predicts": "eps",
                "variance": "fixed-large",
                "objective": "simple",
                "training": {"steps": 100_000, "batch": self.batch, "lr": LR, "clip": CLIP, "ema_decay": EMA},
            }
        )


LARGE = Setting("CIFAR-10's U-Net", (3, 32, 32), 8, {})
SMALL = Setting(
    "the laptop preset's U-Net",
    (1, 8, 8),
    64,
    {"base_channels": 16, "multipliers": [1, 2], "res_blocks": 1, "attention": [4], "dropout": 0.0, "groups": 4},
)
TINY = Setting("a tiny U-Net", (1, 8, 8), 2, {"base_channels": 4, "multipliers": [1], "res_blocks": 1, "attention": [], "groups": 2})


@dataclass(frozen=True)
class Contender:
    """Each function returns seconds."""

    parameters: int
    train: Callable[[int], float]
    """So many steps."""
    evaluate: Callable[[int], float]
    """So many evaluations of the network alone, on one batch of noise."""
    ddim: Callable[[int], float]
    """So many steps of DDIM at eta = 0."""
    ddpm: Callable[[int], float]
    """The last so many steps of the chain."""


class Precise(nn.Module):
    """A network whose evaluations are in bfloat16 where autocast has it so, or in float32 alone; it puts out float32."""

    def __init__(self, network: nn.Module, bfloat16: bool):
        super().__init__()
        self.network, self.bfloat16 = network, bfloat16

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.network(x, t)
        return (output if isinstance(output, Tensor) else output.sample).float()


def make(name: str, setting: Setting, bfloat16: bool, device: torch.device) -> Contender:
    """One of CONTENDERS."""
    module, function = CONTENDERS[name]
    made: Contender = getattr(import_module(module), function)(setting, bfloat16, device)
    return made


def names(device: torch.device) -> list[str]:
    """Those that are compared on a device: nothing is compiled on a CPU (`rediffuse.device.compiled` says why)."""
    return [name for name in CONTENDERS if device.type == "cuda" or not name.endswith("compiled")]


def evaluating(network: nn.Module, x: Tensor, fast: Callable[..., object] | None = None) -> Callable[[int], float]:
    """fast: the network as it is called, if not by itself."""
    call = fast or network
    t = torch.full((len(x),), 500, device=x.device)

    def evaluate(times: int) -> float:
        network.eval()
        with torch.inference_mode():
            return timed(lambda: [call(x, t) for _ in range(times)], x.device)

    return evaluate


def timed(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
