"""One training in several processes, as torchrun starts them: who this one is, and what all must know. Alone, all this is nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from rediffuse.errors import UserError

PATIENCE = timedelta(days=7)
"""How long processes wait for each other: as long as a GPU may be taken. One that has ended is noticed at once."""


@contextmanager
def group() -> Iterator[None]:
    """Inside, the processes that torchrun started are one group; a process that was started by itself is alone.

    Raises UserError for copies of one process that are no group, and where another process of the group has ended.
    """
    if not dist.is_torchelastic_launched():
        copies = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
        if copies != "1":
            raise UserError(f"found {copies} copies of this process (SLURM_STEP_NUM_TASKS); expected one, or torchrun to start them")
        yield
        return
    # On the CPU, whatever is trained where: what is said here is a few numbers, before there is a GPU and between steps.
    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in ("closed by peer", "reset by peer", "remote process")):
            raise
        raise UserError(f"process {rank() + 1} of {size()}: another one has ended; expected all of them: its error says why") from None
    dist.destroy_process_group()


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """This process's number, from 0; 0 is the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def here() -> tuple[int, int]:
    """This process's number among those of this machine, and how many they are."""
    return (int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])) if dist.is_initialized() else (0, 1)


def share(batch: int, what: str) -> slice:
    """This process's part of a batch. Raises UserError if the processes do not divide it."""
    each, rest = divmod(batch, size())
    if rest:
        raise UserError(f"{what}: found a batch of {batch} for {size()} processes; expected one that they divide")
    return slice(rank() * each, (rank() + 1) * each)


def gather(value: float) -> list[float]:
    """Every process's value, in the order of their numbers. All must ask."""
    if size() == 1:
        return [value]
    parts = [torch.zeros(1, dtype=torch.float64) for _ in range(size())]
    dist.all_gather(parts, torch.tensor([value], dtype=torch.float64))
    return [part.item() for part in parts]


def from_first_here(words: list[str]) -> list[str]:
    """The words of the first process of this machine. All must ask."""
    if size() == 1:
        return words
    said: list[list[str]] = [[] for _ in range(size())]
    dist.all_gather_object(said, words)
    return said[rank() - here()[0]]


def averaging(module: nn.Module, device: torch.device) -> nn.Module:
    """The module, on its device; after a backward pass its gradients are the mean over all processes.

    Raises UserError if some processes are on a GPU and others are not.
    """
    if size() == 1:
        return module
    on_gpu = gather(device.type == "cuda")
    if len(set(on_gpu)) > 1:
        raise UserError(f"found {sum(on_gpu):.0f} of {size()} processes on a GPU; expected all or none (--device cpu)")
    over = None
    if device.type == "cuda":
        torch.cuda.set_device(device)
        over = dist.new_group(backend="nccl")
    return DistributedDataParallel(module, process_group=over)
