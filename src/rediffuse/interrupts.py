"""Being stopped: long work is left at a place where it can be gone on from, and no job outlives the run that started it."""

import os
import platform
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
RUN = "REDIFFUSE_SNAKEMAKE"
"""The environment's name of the Snakemake that a command works for, as `this_process` writes it; the Snakefile sets it."""


class Interrupted(BaseException):
    """A signal that was waited out: what could be saved is. Like KeyboardInterrupt, no error of the program.

    where: how far the work is, the beginning of the line that is said.
    """

    def __init__(self, number: int, where: str = ""):
        super().__init__(f"{where}stopped by {signal.Signals(number).name}; the same command again goes on")
        self.number = number


@contextmanager
def deferred(patient: bool = False) -> Iterator[Callable[[], None]]:
    """SIGINT and SIGTERM wait: the function that is given raises Interrupted if there was one, and is called where the work can be left.

    A second signal is not waited for, unless patient: one of several processes hears of one stop more than once (of SLURM and of torchrun).
    Outside the main thread, where Python hears no signals, nothing changes.
    """
    heard: list[int] = []
    before = {}

    def hear(number: int, frame: FrameType | None) -> None:
        if heard and not patient:
            raise Interrupted(number)
        heard.append(number)

    def check() -> None:
        if heard:
            raise Interrupted(heard[0])

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises Interrupted, as SIGINT raises KeyboardInterrupt: what was begun is put away, and one line is said."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def this_process() -> str:
    """The name of this process for those that are to end with it: its id, and the machine on which that means anything."""
    return f"{os.getpid()}@{platform.node()}"


def end_with(process: str) -> None:
    """Send this process SIGTERM when another one of this machine is gone, or already was; `process` is its `this_process`.

    Jobs outlive a Snakemake that is killed, and would meet those of the next one. A process of another machine (that of the first rank of
    a training over several) cannot be seen from here: nothing is watched then.
    """
    number, _, machine = process.partition("@")
    if not number.isdigit() or machine != platform.node():
        return

    def watch() -> None:
        _wait_for_end(int(number))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _wait_for_end(process: int, seconds: float = 1.0) -> None:
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not on Linux, or an old one
        while _lives(process):
            time.sleep(seconds)
        return
    try:
        select.select([handle], [], [])  # told by the kernel at once, even of one that nobody waits for
    finally:
        os.close(handle)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
        # One that was killed and is not yet waited for still has its number.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, or no /proc here
        return True
