"""Work that goes on after a kill: the parts of a job's loops that are done are kept, and the same command again computes the rest."""

import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rediffuse.files import held, noting, read_state, sha256, write_state
from rediffuse.interrupts import Interrupted, deferred
from rediffuse.progress import track

Item = TypeVar("Item")
Value = TypeVar("Value")

SAVE_EVERY = 60.0
"""Seconds of work that a kill may cost, beside the part that is being computed."""


def each(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    total: int,
    what: str,
    per_item: int = 1,
    unit: str = "images",
    draws: torch.Generator | None = None,
) -> list[Value]:
    """function(item) of every item, as a list; in a `job` those that are done are kept. See `fold`, whose arguments these are."""

    def append(done: list[Value], item: Item) -> list[Value]:
        return [*done, function(item)]

    return fold(append, [], items, total, what, per_item, unit, draws)


def fold(
    step: Callable[[Value, Item], Value],
    start: Value,
    items: Iterable[Item],
    total: int,
    what: str,
    per_item: int = 1,
    unit: str = "images",
    draws: torch.Generator | None = None,
) -> Value:
    """step(... step(step(start, first), second) ..., last), with its progress; in a `job` the value so far is kept.

    Then SIGINT and SIGTERM are heard between two items: the value is saved, and Interrupted raised. The value is made of dicts with names,
    lists, tuples, numpy arrays, numbers, text and None; a step returns a new one, and leaves the old as it is. draws: the generator that
    the steps draw from; its state is kept with the value, so that what is drawn after a kill is what would have been drawn. A step may
    have loops of its own.
    """
    if _job is None:
        value = start
        for item in track(items, total, what, per_item, unit):
            value = step(value, item)
        return value
    with _job.inside(start, what, total) as loop:
        done, value, state, _ = loop.now
        if draws is not None and state is not None:
            draws.set_state(torch.from_numpy(state))
        for item in track(islice(items, done, None), total, what, per_item, unit, first=done):
            value = step(value, item)
            _job.keep(loop, value, draws)
        return value


@contextmanager
def job(path: Path, *key: Any) -> Iterator[None]:
    """A job whose loops are kept in a file outside its declared outputs, which is removed once the job has ended well.

    The file is read back if it was left by the same work: the same key (options, the hash of the code, the device) and the same content
    of every file that the job had read. Another process that does the same job is waited for.
    """
    global _job
    about = json.dumps([*key, torch.__version__, np.__version__], sort_keys=True)
    with held(path.with_name(f"{path.name}.lock")):
        _job = Job.restored(path, sha256(about.encode()))
        try:
            with noting(_job.reads):
                yield
        finally:
            _job = None
        path.unlink(missing_ok=True)


class Now(NamedTuple):
    """How far a loop is."""

    done: int
    value: Any
    draws: NDArray[np.uint8] | None
    inner: list["Loop"]
    """The loops inside of the item that it is at."""


class Loop:
    """A loop, which goes from one `now` to the next in one assignment: a signal may come between any two."""

    def __init__(self, now: Now):
        self.now = now


class Job:
    """The loops of a job, in the order in which they are entered; those inside an item are dropped when it is done."""

    def __init__(self, path: Path, key: str, reads: dict[str, str], loops: list[Loop]):
        self.path, self.key, self.reads, self.loops = path, key, reads, loops
        self.level, self.at = loops, 0
        self.saved = time.monotonic()
        self.check: Callable[[], None] | None = None

    @classmethod
    def restored(cls, path: Path, key: str) -> "Job":
        """The job as it was left, or a new one."""
        content = read_state(path)
        if content is not None:
            try:
                state = unpack(content)
                if state["key"] == key and all(_same(Path(file), found) for file, found in state["reads"].items()):
                    return cls(path, key, state["reads"], [_loop(loop) for loop in state["loops"]])
            except (AttributeError, KeyError, TypeError, ValueError):
                print(f"{path}: written by another version; the work begins anew", file=sys.stderr, flush=True)
        return cls(path, key, {}, [])

    @contextmanager
    def inside(self, start: Any, what: str, total: int) -> Iterator[Loop]:
        """The next loop at this level. The outermost one hears signals, and saves what is done before it passes them on."""
        if self.at == len(self.level):
            self.level.append(Loop(Now(0, start, None, [])))
        loop = self.level[self.at]
        outer = self.level, self.at + 1
        try:
            if self.check is not None:
                self.level, self.at = loop.now.inner, 0
                yield loop
                return
            if loop.now.done:
                print(f"{what}: {loop.now.done} of {total} were done before", file=sys.stderr, flush=True)
            with deferred() as self.check:
                self.level, self.at = loop.now.inner, 0
                try:
                    yield loop
                except Interrupted as end:
                    self.save()
                    raise Interrupted(end.number, f"{what}: saved at {loop.now.done} of {total}, ") from None
        finally:
            if outer[0] is self.loops:
                self.check = None
            self.level, self.at = outer

    def keep(self, loop: Loop, value: Any, draws: torch.Generator | None) -> None:
        """Take an item's value into a loop; save if it is time, and leave if a signal asks for it."""
        state = None if draws is None else draws.get_state().numpy().copy()
        loop.now = Now(loop.now.done + 1, value, state, [])
        self.level, self.at = loop.now.inner, 0
        if time.monotonic() - self.saved > SAVE_EVERY:
            self.save()
        if self.check is not None:
            self.check()

    def save(self) -> None:
        write_state(self.path, pack({"key": self.key, "reads": self.reads, "loops": [_plain(loop) for loop in self.loops]}))
        self.saved = time.monotonic()


_job: Job | None = None


def _plain(loop: Loop) -> dict[str, Any]:
    return loop.now._asdict() | {"inner": [_plain(inner) for inner in loop.now.inner]}


def _loop(plain: dict[str, Any]) -> Loop:
    return Loop(Now(**plain | {"inner": [_loop(inner) for inner in plain["inner"]]}))


def _same(path: Path, expected: str) -> bool:
    try:
        return sha256(path.read_bytes()) == expected
    except OSError:
        return False


def pack(value: Any) -> bytes:
    """A value as `fold` keeps it: an .npz of its arrays, and JSON that says where they stand. Raises TypeError for anything else."""
    arrays: list[NDArray[Any]] = []

    def plain(value: Any) -> Any:
        match value:
            case np.ndarray():
                arrays.append(value)
                return {"array": len(arrays) - 1}
            case dict() if all(isinstance(name, str) for name in value):  # JSON would make text of a number
                return {"dict": {name: plain(part) for name, part in value.items()}}
            case list():
                return [plain(part) for part in value]
            case tuple():
                return {"tuple": [plain(part) for part in value]}
            case None | bool() | int() | float() | str():
                return value
        raise TypeError(f"{type(value).__name__}: cannot be kept")

    tree = np.frombuffer(json.dumps(plain(value)).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, tree=tree, **{str(k): array for k, array in enumerate(arrays)})
    return buffer.getvalue()


def unpack(content: bytes) -> Any:
    """What `pack` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:

        def value(plain: Any) -> Any:
            match plain:
                case {"array": int(k)}:
                    return archive[str(k)]
                case {"dict": dict(items)}:
                    return {name: value(part) for name, part in items.items()}
                case {"tuple": list(parts)}:
                    return tuple(value(part) for part in parts)
                case list():
                    return [value(part) for part in plain]
            return plain

        return value(json.loads(archive["tree"].tobytes()))
