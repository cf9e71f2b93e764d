"""One loop for every network of every paper: Adam, warm-up, gradient clipping, averaged weights, and a state to go on from."""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rediffuse.config import Training
from rediffuse.device import autocast
from rediffuse.errors import DivergedError
from rediffuse.files import read_state, write_state
from rediffuse.progress import track

Loss = Callable[[nn.Module, tuple[Tensor, ...], torch.Generator], Tensor]
"""(network, batch, generator on the data's device) -> a scalar."""

SAVE_EVERY = 60.0
"""Seconds of work that a kill may cost."""
HISTORY_ROWS = 400


@dataclass
class Trained:
    """The averaged network, and one row (step, images, loss, learning rate) for every so many steps, the loss their mean."""

    network: nn.Module
    history: list[dict[str, float]]
    seconds: float

    def history_csv(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, ["step", "images", "loss", "lr"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        return text.getvalue()


class TrainingDivergedError(DivergedError):
    """A training that ended in a loss or weights that are not finite, and what there was of it."""

    def __init__(self, problem: str, trained: Trained, step: int):
        super().__init__(problem, step)
        self.trained = trained


def train(
    network: nn.Module,
    loss: Loss,
    data: tuple[Tensor, ...],
    options: Training,
    what: str = "train",
    state: Path | None = None,
    key: str = "",
) -> Trained:
    """Train a network that lies on its device with its data: tensors of equal length, from which batches are drawn with replacement.

    state: a file outside the declared outputs. It is written every minute, and read back if it is there with the same key (of options,
    data and code): a killed training goes on where it was and, on a CPU, ends in the same bits. The caller removes it once the weights
    are safe.
    Raises TrainingDivergedError, which holds what was trained until then, if the loss or a weight is not finite.
    """
    device = data[0].device
    generator = torch.Generator(device).manual_seed(options.seed)
    optimiser = torch.optim.Adam(network.parameters(), options.lr, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, options))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(options.ema_decay))
    done = Progress(network, averaged, optimiser, schedule, generator, [], 0.0)
    first = done.restore(state, key) if state else 0

    network.train()
    every = max(1, options.steps // HISTORY_ROWS)
    recent = torch.zeros((), device=device)  # summed on the device, so that only every so many steps wait for it
    last_loss, saved, clock = 0.0, time.monotonic(), time.monotonic() - done.seconds
    note = lambda: f"loss {last_loss:.4f}"  # noqa: E731
    for step in track(range(first, options.steps), options.steps, what, options.batch, note=note, first=first):
        rows = torch.randint(len(data[0]), (options.batch,), generator=generator, device=device)
        with autocast(device):
            value = loss(network, tuple(tensor[rows] for tensor in data), generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        clip_grad_norm_(network.parameters(), options.clip)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        recent += value.detach()
        if (step + 1) % every == 0:
            last_loss = recent.item() / every
            recent.zero_()
            if not math.isfinite(last_loss):
                break
            lr = options.lr * rate(step, options)
            done.history.append({"step": step + 1, "images": (step + 1) * options.batch, "loss": last_loss, "lr": lr})
            if state and time.monotonic() - saved > SAVE_EVERY:
                done.seconds, saved = time.monotonic() - clock, time.monotonic()
                done.save(state, key, step + 1)
    last_loss += recent.item()  # of the steps since the last row, if any
    trained = Trained(averaged.module.eval(), done.history, time.monotonic() - clock)
    if not math.isfinite(last_loss):
        problem = f"{what}: found loss {last_loss} at step {step + 1}; expected a finite one: lower training.lr"
        raise TrainingDivergedError(problem, trained, step + 1)
    if not all(value.isfinite().all() for value in trained.network.state_dict().values()):
        problem = f"{what}: found weights that are not finite after the last step; expected finite ones: lower training.lr"
        raise TrainingDivergedError(problem, trained, options.steps)
    return trained


def rate(step: int, options: Training) -> float:
    """The learning rate at a step (from 0), as a share of options.lr."""
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    return warm * 0.5 * (1 + math.cos(math.pi * step / options.steps)) if options.decay == "cosine" else warm


@dataclass
class Progress:
    """All that a training needs to go on: it is saved and restored whole."""

    network: nn.Module
    averaged: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    history: list[dict[str, float]]
    seconds: float

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]:
        return {"network": self.network, "averaged": self.averaged, "optimiser": self.optimiser, "schedule": self.schedule}

    def save(self, path: Path, key: str, step: int) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"generator": self.generator.get_state(), "dropout": torch.get_rng_state(), "history": self.history}
        if self.generator.device.type == "cuda":
            state["dropout_cuda"] = torch.cuda.get_rng_state(self.generator.device)
        buffer = io.BytesIO()
        torch.save(state | {"step": step, "seconds": self.seconds, "key": key}, buffer)
        write_state(path, buffer.getvalue())

    def restore(self, path: Path, key: str) -> int:
        """The step to go on from: 0, and nothing changed, where there is no whole state, or it is another training's."""
        content = read_state(path)
        if content is None:
            return 0
        state = torch.load(io.BytesIO(content), map_location=self.generator.device, weights_only=True)
        if state["key"] != key:
            return 0
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["dropout"].cpu())
        if "dropout_cuda" in state:
            torch.cuda.set_rng_state(state["dropout_cuda"].cpu(), self.generator.device)
        self.history, self.seconds = state["history"], state["seconds"]
        return int(state["step"])
