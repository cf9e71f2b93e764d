"""Being stopped: long work is left at a place where it can be gone on from, and no job outlives the run that started it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


def end_with(process: int, seconds: float = 1.0) -> None:
    """Send this process SIGTERM when another one is gone: jobs outlive a Snakemake that is killed, and would meet those of the next run."""

    def watch() -> None:
        while _lives(process):
            time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
        # One that was killed and is not yet waited for still has its number.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, or no /proc here
        return True
