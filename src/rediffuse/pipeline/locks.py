"""A Snakemake that was killed leaves the working folder locked: the next one sees that nobody holds the locks, and removes them.

Every Snakemake registers itself in .snakemake/rediffuse/ before it locks anything, by a file that it holds locked for as long as it lives:
the kernel frees that at its death, however it dies. Snakemake's own locks name no process; but those that are older than every living
one can be of none of them.
"""

import atexit
import fcntl
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from rediffuse.files import sweep

LOCKS = Path(".snakemake/locks")
LIVING = Path(".snakemake/rediffuse")

_own: list[IO[str]] = []
"""This process's entry. It is never closed, and no process that is started from here inherits it."""


def register() -> None:
    """Enter this process among the living, and remove the locks and the half-written files that dead ones left. Once a process.

    Dry runs, too, are entered, and keep nobody: a lock of a dead Snakemake is older than they are. Where the file system knows no locks
    nothing is removed, and `snakemake --unlock` is left to the user.
    """
    if _own:
        return
    with suppress(OSError):  # a folder that cannot be written: Snakemake says so
        LIVING.mkdir(parents=True, exist_ok=True)
        with (LIVING / "guard").open("a") as guard:  # one at a time
            fcntl.flock(guard, fcntl.LOCK_EX)
            oldest = min((entered for entered in map(_entered, LIVING.glob("*.run")) if entered is not None), default=sys.maxsize)
            _enter()
            left = [lock for lock in LOCKS.glob("*.lock") if lock.stat().st_mtime_ns < oldest]
            for lock in left:
                lock.unlink()
        if left:
            print(f"rediffuse: {LOCKS}: {len(left)} left by a Snakemake that was killed; removed", file=sys.stderr, flush=True)
    for folder in (Path("data"), Path("results")):
        sweep(folder)


def _enter() -> None:
    path = LIVING.absolute() / f"{os.getpid()}@{platform.node()}.run"  # Snakemake may end in another folder
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _own.append(file)
    atexit.register(path.unlink, missing_ok=True)


def _entered(path: Path) -> int | None:
    """When a living process was entered, in nanoseconds; None of a dead one, whose entry is removed.

    Of another machine nobody can tell here where locks do not reach over the network: it counts as living while it holds any.
    """
    with suppress(FileNotFoundError), path.open("r+") as file:
        about = os.fstat(file.fileno())
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return about.st_mtime_ns
        if path.stem.rpartition("@")[2] != platform.node() and any(LOCKS.glob("*.lock")):
            return about.st_mtime_ns
        path.unlink(missing_ok=True)
    return None
