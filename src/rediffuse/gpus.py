"""Which GPU a job takes: one that no other job holds. A lease is a lock on a file, which the kernel frees when its holder ends, however."""

import fcntl
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rediffuse.errors import UserError

FOLDER = Path(tempfile.gettempdir()) / "rediffuse-gpus"
"""Where the locks are: one folder for all users of a machine."""


def visible(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The UUIDs of the GPUs (or of their MIG parts) that this process may use; None where there is no nvidia-smi to ask.

    CUDA is not touched: what it sees is fixed at its first use. Within a SLURM job they are those that were granted to it.
    """
    if "SLURM_JOB_ID" in environment and "CUDA_VISIBLE_DEVICES" not in environment:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return allowed(parse(listed), environment.get("CUDA_VISIBLE_DEVICES"))


def parse(listed: str) -> list[list[str]]:
    """What `nvidia-smi -L` says: the UUID of each GPU, or of its MIG parts in its place where it is cut up."""
    found: list[list[str]] = []
    for kind, uuid in re.findall(r"^\s*(GPU|MIG) .*\(UUID: ([\w/-]+)\)", listed, re.MULTILINE):
        if kind == "GPU":
            found.append([uuid])
        else:
            found[-1] = [name for name in found[-1] if name.startswith("MIG")] + [uuid]
    return found


def allowed(found: Sequence[Sequence[str]], asked: str | None) -> list[str]:
    """Those that CUDA_VISIBLE_DEVICES names, by number or by the beginning of a UUID; as in CUDA, nothing after the first unknown one."""
    every = [uuid for gpu in found for uuid in gpu]
    if asked is None:
        return every
    named: list[str] = []
    for word in (word.strip() for word in asked.split(",")):
        if word.isdecimal() and int(word) < len(found):
            named += found[int(word)]
        elif word and any(uuid.startswith(word) for uuid in every):
            named.append(next(uuid for uuid in every if uuid.startswith(word)))
        else:
            break
    return list(dict.fromkeys(named))


def lease(devices: Sequence[str], n: int = 1, folder: Path = FOLDER) -> list[str]:
    """Take n of some devices for the life of this process; waits, and says so once, while others hold too many of them.

    All n or none, so that two jobs do not wait for each other's half. Raises UserError if there are fewer than n, or the folder is closed
    to us.
    """
    if len(devices) < n:
        raise UserError(f"found {len(devices)} GPUs for {n} processes; expected one each: fewer processes, or --device cpu")
    told = False
    while True:
        taken: dict[str, int] = {}
        for device in devices:
            lock = _lock(folder, device) if len(taken) < n else None
            if lock is not None:
                taken[device] = lock
        if len(taken) == n:
            return list(taken)
        for lock in taken.values():
            os.close(lock)
        if not told:
            wanted = "a GPU" if n == 1 else f"{n} GPUs"
            print(f"waiting for {wanted}: other jobs hold too many of {len(devices)} (locks in {folder})", file=sys.stderr, flush=True)
            told = True
        time.sleep(random.uniform(0.5, 1.0))  # of two jobs that wait for several, not both again at the same moment


def _lock(folder: Path, device: str) -> int | None:
    """The descriptor of a device's lock, which is held until it is closed; None if another process holds it."""
    path = folder / f"{device.replace('/', '-')}.lock"
    try:
        lock = _open(path)
    except OSError as error:
        raise UserError(f"{path}: could not be opened: {error.strerror}; expected a lock that every user may read") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _open(path: Path) -> int:
    """A file that is there, or made: where everybody may write, Linux lets only its owner open one with O_CREAT that is there."""
    with suppress(FileExistsError):  # another process may be faster
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o1777)
    with suppress(FileExistsError):
        if not path.exists():
            new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.fchmod(new, 0o644)  # whatever the umask
            os.close(new)
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
