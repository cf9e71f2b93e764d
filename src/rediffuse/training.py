"""One loop for every network of every paper: Adam, warm-up, gradient clipping, averaged weights, and a state to go on from."""

import csv
import io
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rediffuse import parallel
from rediffuse.config import Training
from rediffuse.device import autocast, compiled
from rediffuse.errors import DivergedError, UserError
from rediffuse.files import read_state, write_state
from rediffuse.interrupts import Interrupted, deferred
from rediffuse.progress import track

Loss = Callable[[nn.Module, tuple[Tensor, ...], torch.Generator, slice], Tensor]
"""(network, batch, generator on the data's device, part of the batch) -> a scalar, the mean over that part.

Whatever is random is drawn for the whole batch, and then cut: several processes, a part each, see what one would.
"""
Seen = Callable[[Tensor], Tensor]
"""Rows of the first tensor of the data, as they are stored -> as networks see them."""
Keep = Callable[[int, nn.Module], None]
"""(step, averaged network) -> nothing: called after each of the steps that options.keep names."""

SAVE_EVERY = 60.0
"""Seconds of work that a kill may cost."""
HISTORY_ROWS = 400
ASK_EVERY = 10
"""Steps between two times that several processes ask each other whether one of them was told to stop."""


def as_they_are(rows: Tensor) -> Tensor:
    """What networks see of data that are stored so."""
    return rows


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
    keep: Keep = lambda step, network: None,
    seen: Seen = as_they_are,
) -> Trained:
    """Train a network that lies on its device with its data: tensors of equal length, from which batches are drawn with replacement.

    state: a file outside the declared outputs. It is written every minute, and read back if it is there with the same key (of options,
    data and code): a killed training goes on where it was and, on a CPU, ends in the same bits. The caller removes it once the weights
    are safe. keep is called again for steps that a kill has undone. seen: what networks see of rows of the first tensor.
    In a group of processes (`parallel.group`) each takes its part of every batch, and all end with the same network: the one that a
    single process would train, up to the order of sums, and up to dropout, which is each process's own.
    Raises TrainingDivergedError, which holds what was trained until then, if the loss or a weight is not finite; Interrupted after SIGINT
    or SIGTERM, once the state is saved; UserError if the processes do not divide the batch.
    """
    with deferred(patient=parallel.size() > 1) as check:
        return _train(network, loss, data, options, what, state, key, keep, seen, check)


def _train(
    network: nn.Module,
    loss: Loss,
    data: tuple[Tensor, ...],
    options: Training,
    what: str,
    state: Path | None,
    key: str,
    keep: Keep,
    seen: Seen,
    check: Callable[[], None],
) -> Trained:
    part = parallel.share(options.batch, what)
    device = data[0].device
    generator = torch.Generator(device).manual_seed(options.seed)
    optimiser = torch.optim.Adam(network.parameters(), options.lr, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, options))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(options.ema_decay))
    done = Progress(network, averaged, optimiser, schedule, generator, [], 0.0)
    first = done.restore(state, key) if state else 0
    objective = parallel.averaging(Objective(compiled(network, device, options.steps), loss), device)
    if parallel.size() > 1 and parallel.rank() == 0:
        each = options.batch // parallel.size()
        print(f"{what}: {parallel.size()} processes, each with {each} of a batch of {options.batch}", file=sys.stderr, flush=True)

    network.train()
    every = max(1, options.steps // HISTORY_ROWS)
    recent = torch.full((), done.recent, device=device)  # summed on the device, so that only every so many steps wait for it
    last_loss, saved, clock = 0.0, time.monotonic(), time.monotonic() - done.seconds
    note = lambda: f"loss {last_loss:.4f}"  # noqa: E731
    steps: Iterable[int] = range(first, options.steps)
    if parallel.rank() == 0:
        steps = track(steps, options.steps, what, options.batch, note=note, first=first)
    step = first - 1
    for step in steps:
        if parallel.size() > 1:
            torch.manual_seed(_seed_of_dropout(options.seed, step))
        rows = torch.randint(len(data[0]), (options.batch,), generator=generator, device=device)
        x, *rest = _batch(data, rows, options.flip, generator)
        with autocast(network, device):
            value = objective((seen(x), *rest), generator, part)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        clip_grad_norm_(network.parameters(), options.clip)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        if step + 1 in options.keep:
            keep(step + 1, averaged.module)
        recent += value.detach()
        if (step + 1) % every == 0:
            last_loss = _mean(recent) / every
            recent.zero_()
            if not math.isfinite(last_loss):
                break
            lr = options.lr * rate(step, options)
            done.history.append({"step": step + 1, "images": (step + 1) * options.batch, "loss": last_loss, "lr": lr})
            if state and time.monotonic() - saved > SAVE_EVERY:
                done.seconds, saved = time.monotonic() - clock, time.monotonic()
                done.save(state, key, step + 1, [0.0])
        if number := _told_to_stop(check, step):
            done.seconds = time.monotonic() - clock
            parts = parallel.gather(recent.item())
            if state:
                done.save(state, key, step + 1, parts)
            parallel.gather(0)  # none ends before the state is safe: that would end the others
            raise Interrupted(number, f"{what}: {'saved at ' * bool(state)}step {step + 1} of {options.steps}, ")
    last_loss += _mean(recent)  # of the steps since the last row, if any
    trained = Trained(averaged.module.eval(), done.history, time.monotonic() - clock)
    if not math.isfinite(last_loss):
        problem = f"{what}: found loss {last_loss} at step {step + 1}; expected a finite one: lower training.lr"
        raise TrainingDivergedError(problem, trained, step + 1)
    if not all(value.isfinite().all() for value in trained.network.state_dict().values()):
        problem = f"{what}: found weights that are not finite after the last step; expected finite ones: lower training.lr"
        raise TrainingDivergedError(problem, trained, options.steps)
    return trained


class Objective(nn.Module):
    """A loss as a module, so that the gradient of whatever is learned in it can be averaged: rates are no argument of the network's."""

    def __init__(self, network: nn.Module, loss: Loss):
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, batch: tuple[Tensor, ...], generator: torch.Generator, part: slice) -> Tensor:
        return self.loss(self.network, batch, generator, part)


def _batch(data: tuple[Tensor, ...], rows: Tensor, flip: bool, generator: torch.Generator) -> tuple[Tensor, ...]:
    """The rows of each tensor; of the first, images (n, C, R, R), each mirrored with a probability of 1/2 if `flip`."""
    x, *rest = (tensor[rows] for tensor in data)
    if flip:
        mirrored = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
        x = torch.where(mirrored, x.flip(-1), x)
    return x, *rest


def _mean(loss: Tensor) -> float:
    """The mean of all processes' losses, each the mean of a part of the same size."""
    values = parallel.gather(loss.item())
    return sum(values) / len(values)


def _seed_of_dropout(seed: int, step: int) -> int:
    """Of one process at one step: masks differ between processes, and a state need not hold every process's generator."""
    return int(np.random.SeedSequence([seed, step, parallel.rank()]).generate_state(1)[0])


def _told_to_stop(check: Callable[[], None], step: int) -> int:
    """The number of the signal that this process, or at some steps any process, was sent; else 0."""
    number = 0
    try:
        check()
    except Interrupted as end:
        number = end.number
    if parallel.size() == 1:
        return number
    return 0 if (step + 1) % ASK_EVERY else int(max(parallel.gather(number)))


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
    recent: float = 0.0
    """This process's sum of losses since the last row of the history."""

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]:
        return {"network": self.network, "averaged": self.averaged, "optimiser": self.optimiser, "schedule": self.schedule}

    def save(self, path: Path, key: str, step: int, recent: list[float]) -> None:
        """recent: every process's. One file holds the training of any number of processes, and the first of them writes it."""
        if parallel.rank() > 0:
            return
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"generator": self.generator.get_state(), "dropout": torch.get_rng_state(), "history": self.history}
        if self.generator.device.type == "cuda":
            state["dropout_cuda"] = torch.cuda.get_rng_state(self.generator.device)
        buffer = io.BytesIO()
        torch.save(state | {"step": step, "seconds": self.seconds, "key": key, "recent": recent}, buffer)
        write_state(path, buffer.getvalue())

    def restore(self, path: Path, key: str) -> int:
        """The step to go on from: 0, and nothing changed, where there is no whole state, or it is another training's.

        Raises UserError if processes do not see the same one.
        """
        steps = parallel.gather(step := self._restore(path, key))
        if len(set(steps)) > 1:
            found = ", ".join(f"{each:.0f}" for each in steps)
            raise UserError(f"{path}: found steps {found} of {len(steps)} processes; expected one file in a folder that all share")
        return step

    def _restore(self, path: Path, key: str) -> int:
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
        recent = state["recent"]
        self.recent = recent[parallel.rank()] if len(recent) == parallel.size() else sum(recent) / len(recent)
        return int(state["step"])
