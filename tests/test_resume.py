"""Loops whose parts are kept: after a kill at any place the same values come out, and no part is computed twice."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rediffuse import files, resume
from rediffuse.errors import UserError
from rediffuse.interrupts import Interrupted
from rediffuse.resume import each, fold, job

STATE = Path("results/.state/work")


class KilledError(Exception):
    pass


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def always(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every part is saved as soon as it is done."""
    monkeypatch.setattr(resume, "SAVE_EVERY", -1.0)
    return here


class Work:
    """Two loops after each other that draw from one generator, a loop inside the items of the second, and draws between the two."""

    PARTS = 4 + 3 + 3 * 2

    def __init__(self, stop: Callable[[int], None] = lambda part: None):
        self.stop, self.parts = stop, 0

    def part(self) -> None:
        self.parts += 1
        self.stop(self.parts)

    def __call__(self) -> list[Any]:
        draws = torch.Generator().manual_seed(5)

        def number() -> float:
            return float(torch.rand((), generator=draws))

        def add(total: np.ndarray, k: int) -> np.ndarray:
            self.part()
            return total + k * torch.randn(3, generator=draws).numpy()

        def row(k: int) -> dict[str, Any]:
            inner = each(lambda j: (self.part(), number() * j)[1], range(2), 2, "inner", draws=draws)
            self.part()
            return {"k": k, "inner": tuple(inner), "x": torch.rand(2, generator=draws).numpy(), "name": f"row {k}", "no": None}

        total = fold(add, np.zeros(3), range(4), 4, "sum", draws=draws)
        between = number()
        rows = each(row, (k for k in range(3)), 3, "rows", draws=draws)
        return [total.tolist(), between, repr(rows), number()]


def kill_at(part: int) -> Callable[[int], None]:
    def stop(now: int) -> None:
        if now == part:
            raise KilledError

    return stop


def test_without_a_job_loops_are_plain_loops(always: Path) -> None:
    work = Work()
    assert work() == Work()()
    assert work.parts == Work.PARTS
    assert list(always.iterdir()) == []


def test_a_job_that_is_left_alone_leaves_nothing(always: Path) -> None:
    with job(STATE):
        assert Work()() == Work()()
        assert STATE.exists()
    assert list(STATE.parent.iterdir()) == []


@pytest.mark.parametrize("part", range(1, Work.PARTS + 1))
def test_a_killed_job_goes_on_and_computes_nothing_twice(always: Path, part: int) -> None:
    killed, again = Work(kill_at(part)), Work()
    with pytest.raises(KilledError), job(STATE):
        killed()
    with job(STATE):
        assert again() == Work()()
    assert killed.parts + again.parts == Work.PARTS + 1, "the part that was killed is begun anew, and no other"
    assert not STATE.exists()


def test_a_job_may_be_killed_at_every_part(always: Path) -> None:
    for _ in range(Work.PARTS - 1):
        with pytest.raises(KilledError), job(STATE):
            Work(kill_at(2))()
    with job(STATE):
        assert Work()() == Work()()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("part", [1, 4, 5, 6, 7, Work.PARTS])
def test_a_signal_waits_for_the_part_saves_it_and_ends_the_job(here: Path, number: signal.Signals, part: int) -> None:
    def stop(now: int) -> None:
        if now == part:
            signal.raise_signal(number)

    stopped, again = Work(stop), Work()
    with pytest.raises(Interrupted) as end, job(STATE):
        stopped()
    assert (stopped.parts, end.value.number) == (part, number)
    where = f"sum: saved at {part} of 4" if part <= 4 else f"rows: saved at {(part - 4) // 3} of 3"
    assert str(end.value) == f"{where}, stopped by {number.name}; the same command again goes on"
    with job(STATE):
        assert again() == Work()()
    assert again.parts == Work.PARTS - part


def test_a_second_signal_costs_the_part_and_no_more(here: Path) -> None:
    def stop(now: int) -> None:
        if now == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    again = Work()
    with pytest.raises(Interrupted), job(STATE):
        Work(stop)()
    with job(STATE):
        assert again() == Work()()
    assert again.parts == Work.PARTS - 2


def test_signals_outside_of_loops_are_heard_at_once(here: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with job(STATE):
        Work()()
        assert signal.getsignal(signal.SIGTERM) is before


def test_it_is_said_what_was_done_before(always: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError), job(STATE):
        Work(kill_at(6))()
    capsys.readouterr()
    with job(STATE):
        Work()()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "sum: 4 of 4 were done before"
    assert not any("rows: " in line and "before" in line for line in lines), "none of them was whole"
    assert lines[-1].startswith("rows: 3/3, ")


def test_nothing_is_saved_before_its_time(here: Path) -> None:
    with pytest.raises(KilledError), job(STATE):
        Work(kill_at(9))()
    assert not STATE.exists()


# --- what the state is of ---


def begun(*key: Any) -> None:
    with pytest.raises(KilledError), job(STATE, *key):
        files.read_bytes(Path("weights"), "us")
        Work(kill_at(3))()


def parts(*key: Any) -> int:
    """The parts that are computed to the end."""
    work = Work()
    with job(STATE, *key):
        files.read_bytes(Path("weights"), "us")
        assert work() == Work()()
    return work.parts


def test_the_same_work_is_known_by_its_key_and_what_it_read(always: Path) -> None:
    Path("weights").write_bytes(b"1")
    begun({"n": 3}, "cpu")
    assert parts({"n": 3}, "cpu") == Work.PARTS - 2


@pytest.mark.parametrize("key", [({"n": 4}, "cpu"), ({"n": 3}, "cuda"), ()])
def test_another_key_begins_anew(always: Path, key: Any) -> None:
    Path("weights").write_bytes(b"1")
    begun({"n": 3}, "cpu")
    assert parts(*key) == Work.PARTS


def test_another_version_of_torch_begins_anew(always: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("weights").write_bytes(b"1")
    begun()
    monkeypatch.setattr(torch, "__version__", "0")
    assert parts() == Work.PARTS


def test_another_content_of_a_file_that_was_read_begins_anew(always: Path) -> None:
    """One that a later part had read, too: whoever trains anew in between does not get numbers of two networks."""
    Path("weights").write_bytes(b"1")
    begun()
    Path("weights").write_bytes(b"2")
    assert parts() == Work.PARTS


def test_a_file_that_is_gone_begins_anew(always: Path) -> None:
    Path("weights").write_bytes(b"1")
    begun()
    Path("weights").unlink()
    work = Work()
    with job(STATE):
        work()
    assert work.parts == Work.PARTS


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda content: content[:-9], lambda content: content[:300] + b"x" + content[301:], lambda _: b"old" * 99]
)
def test_a_damaged_state_is_told_and_no_dead_end(always: Path, capsys: pytest.CaptureFixture[str], damage: Any) -> None:
    Path("weights").write_bytes(b"1")
    begun()
    STATE.write_bytes(damage(STATE.read_bytes()))
    capsys.readouterr()
    assert parts() == Work.PARTS
    line = capsys.readouterr().err.splitlines()[0]
    assert line == f"{STATE}: damaged: its checksum is another than that of its content; the work begins anew"


def test_a_whole_state_of_another_version_is_told(always: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.write_state(STATE, resume.pack({"loops": []}))
    with job(STATE):
        Work()()
    assert capsys.readouterr().err.splitlines()[0] == f"{STATE}: written by another version; the work begins anew"


def test_a_full_disk_ends_the_job_and_the_former_state_stays(always: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    again = Work()
    with pytest.raises(KilledError), job(STATE):
        Work(kill_at(4))()
    before = STATE.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with (
            pytest.raises(UserError, match=rf"^{STATE}: could not be written: No space left on device; expected a folder with room"),
            job(STATE),
        ):
            Work()()
    assert STATE.read_bytes() == before
    with job(STATE):
        assert again() == Work()()
    assert again.parts == Work.PARTS - 3


# --- one at a time ---

HOLDER = """
import sys
from pathlib import Path
from rediffuse.files import held
with held(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(here: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that does the job."""
    lock = STATE.with_name(f"{STATE.name}.lock")
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("end", ["killed", "done"])
def test_another_process_that_does_the_same_job_is_waited_for(
    holder: "subprocess.Popen[str]", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    lock, before = files._lock, []

    def asked(file: Any, wait: bool = False) -> bool:
        if wait:  # it still has it
            before.append(holder.poll())
            if end == "killed":
                holder.kill()
            else:
                holder.communicate("\n")
        return lock(file, wait)

    monkeypatch.setattr(files, "_lock", asked)
    with job(STATE):
        pass
    assert before == [None]
    err = capsys.readouterr().err
    assert err == f"{STATE}.lock: another process does the same work; its end is waited for\n"
    assert list(STATE.parent.iterdir()) == []


def test_a_lock_of_a_dead_process_holds_nobody(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    STATE.parent.mkdir(parents=True)
    STATE.with_name(f"{STATE.name}.lock").write_text("")
    with job(STATE):
        pass
    assert capsys.readouterr().err == ""


# --- how it is kept ---


def test_values_come_back_as_they_were() -> None:
    value = {
        "arrays": [np.arange(6, dtype=np.uint8).reshape(2, 3), np.array(1.5), np.zeros((0, 2), np.float32), np.array([True])],
        "numbers": (1, -0.0, 1 / 3, float("inf"), np.float64(0.1), True, None, 10**30),
        "text": "Fréchet",
        "nested": [({"a": []}, ()), {"dict": {"tuple": [1]}}],
    }
    back = resume.unpack(resume.pack(value))
    assert repr(back).replace("np.float64(0.1)", "0.1") == repr(value).replace("np.float64(0.1)", "0.1")
    assert [array.dtype for array in back["arrays"]] == [array.dtype for array in value["arrays"]]
    assert np.isnan(resume.unpack(resume.pack(float("nan"))))


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, np.int64(3), np.float32(3), torch.zeros(1), object()])
def test_what_would_not_come_back_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=re.escape(f"{type(value).__name__}: cannot be kept")):
        resume.pack([value])
