"""How far long work is: a bar in a terminal, a plain line now and then in a log file, and a small file that `rediffuse status` reads."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
SECONDS = 10.0
"""Between two lines in a log file."""
TELL_EVERY = 2.0
"""Seconds between two words of a job to its file."""
_job: "_Job | None" = None
"""What this process works on."""


@dataclass
class Loop:
    """A loop of known length, and how far it is; times are of the items that this process did."""

    what: str
    total: int
    per_item: int
    unit: str
    note: Callable[[], str] | None
    first: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    moved: float = field(default_factory=time.time)

    @property
    def rate(self) -> float:
        """Units a second."""
        return (self.done - self.first) * self.per_item / max(time.monotonic() - self.began, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds; none before the first item."""
        return (self.total - self.done) * self.per_item / self.rate if self.done > self.first else None


def track(
    items: Iterable[Item],
    total: int,
    what: str,
    per_item: int = 1,
    unit: str = "images",
    note: Callable[[], str] | None = None,
    first: int = 0,
) -> Iterator[Item]:
    """Yield the items, saying how far the work is, units a second and the time left.

    per_item units are done with each item; note() adds a word (the loss, say) to every line, and is asked from another thread. Of the
    total, `first` items were done before: work that is gone on with.
    """
    loop = Loop(what, total, per_item, unit, note, first, done=first)
    show = _bar if sys.stderr.isatty() else _lines
    for item in show(items, loop):
        if _job:
            _job.loop = loop  # again after each item: a loop within this one may have had the word
        yield item
        loop.done += 1
        loop.moved = time.time()


def _lines(items: Iterable[Item], loop: Loop) -> Iterator[Item]:
    last = loop.began
    for item in items:
        yield item
        if time.monotonic() - last >= SECONDS or loop.done == loop.total:
            last = time.monotonic()
            word = f", {loop.note()}" if loop.note else ""
            speed = f"{number(loop.rate)} {loop.unit}/s, {loop.left or 0:.0f} s left"
            print(f"{loop.what}: {loop.done}/{loop.total}, {speed}{word}", file=sys.stderr, flush=True)


def _bar(items: Iterable[Item], loop: Loop) -> Iterator[Item]:
    from tqdm import tqdm

    total, first = loop.total * loop.per_item, loop.first * loop.per_item
    with tqdm(total=total, initial=first, desc=loop.what, unit=f" {loop.unit}", unit_scale=True) as bar:
        for item in items:
            yield item
            bar.update(loop.per_item)
            if loop.note and loop.done % 20 == 0:
                bar.set_postfix_str(loop.note(), refresh=False)


def number(value: float) -> str:
    """To three figures, or whole."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


# --- what `rediffuse status` reads ---


def told_in(results: Path, job: str) -> Path:
    """The file in which a job ("sample digits 1/2") of a preset tells how far it is: outside all declared outputs."""
    return results / ".state" / "status" / f"{job.replace(' ', '-').replace('/', 'of')}.json"


def begin(results: Path, job: str) -> None:
    """This process works on a job from here on; the one that it began before is done. Of torchrun's processes the first speaks for all."""
    global _job
    if int(os.environ.get("RANK", "0")):
        return
    if _job:
        _job.end("done")
    _job = _Job(told_in(results, job), job)


@contextmanager
def ending() -> Iterator[None]:
    """Around a command: how it ends is told of the job that it began, if it began one."""
    try:
        yield
    except SystemExit as end:
        _end("stopped" if end.code else "done")
        raise
    except Exception as error:
        _end("failed", " ".join(str(error).split()) or type(error).__name__)
        raise
    except BaseException as error:  # an interrupt
        _end("stopped", str(error))
        raise
    _end("done")


def _end(state: str, note: str = "") -> None:
    global _job
    if _job:
        _job.end(state, note)
    _job = None


class _Job:
    """Writes a job's file, at once and every two seconds, in a thread of its own: what works is never held up by it."""

    def __init__(self, path: Path, name: str):
        self.path = path
        self.loop: Loop | None = None
        self.about = {"job": name, "pid": os.getpid(), "born": born(os.getpid()), "host": socket.gethostname(), "time": time.time()}
        self.ended = threading.Event()
        self._write("running")
        self.thread = threading.Thread(target=self._tell, daemon=True)
        self.thread.start()

    def end(self, state: str, note: str = "") -> None:
        self.ended.set()
        self.thread.join()
        self._write(state, note)

    def _tell(self) -> None:
        while not self.ended.wait(TELL_EVERY):
            self._write("running")

    def _write(self, state: str, note: str = "") -> None:
        word: dict[str, Any] = self.about | {"state": state}
        if self.loop:
            loop = self.loop
            word |= {"what": loop.what, "done": loop.done, "total": loop.total, "time": loop.moved}
            word |= {"rate": loop.rate, "unit": loop.unit, "left": loop.left}
            note = note or (loop.note() if loop.note else "")
        if state != "running":
            word["time"] = time.time()
        # In one move, but not to the disk's last bit: after a power cut nobody runs. A full disk stops the work, not the word about it.
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(word | {"note": note}) + "\n", encoding="utf-8")
            new.replace(self.path)


def born(pid: int) -> str | None:
    """When a living process of this machine began, in the kernel's own count: a number that is given again tells another time.

    None if there is none; "" where the system has no /proc to say when.
    """
    try:
        with suppress(PermissionError):  # somebody else's lives, too
            os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return None if fields[0] == "Z" else fields[19]
