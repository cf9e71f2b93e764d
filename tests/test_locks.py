"""Locks of a Snakemake that was killed stop nobody; those of one that lives are respected."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rediffuse.pipeline import locks

BEGIN = "import sys; from rediffuse.pipeline import locks; locks.register(); print(flush=True); sys.stdin.readline()"

Process = subprocess.Popen[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locks, "_own", [])
    monkeypatch.setattr(locks.atexit, "register", lambda *_, **__: None)
    return tmp_path


@pytest.fixture
def start(here: Path) -> Iterator[Callable[[], Process]]:
    """Start another process that registers itself and then waits."""
    started: list[Process] = []

    def begin() -> Process:
        process = subprocess.Popen([sys.executable, "-c", BEGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def lock(name: str = "0.input.lock", text: str = "data/arrays.npz\n") -> Path:
    path = locks.LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def end(process: Process) -> None:
    process.kill()
    process.communicate()


def entries() -> set[str]:
    return {path.name for path in locks.LIVING.glob("*.run")}


def test_locks_of_a_killed_one_are_removed_and_that_is_said(start: Callable[[], Process], capsys: pytest.CaptureFixture[str]) -> None:
    left = start()
    held = [lock(), lock("0.output.lock", ""), lock("1.output.lock", "\0half a li")]
    end(left)
    locks.register()
    assert not any(path.exists() for path in held)
    assert capsys.readouterr().err == "rediffuse: .snakemake/locks: 3 left by a Snakemake that was killed; removed\n"
    assert entries() == {f"{os.getpid()}@{platform.node()}.run"}


def test_locks_of_a_living_one_stay(start: Callable[[], Process], capsys: pytest.CaptureFixture[str]) -> None:
    living = start()
    held = lock()
    locks.register()
    assert held.exists()
    assert capsys.readouterr().err == ""
    assert len(entries()) == 2
    end(living)


def test_a_dry_run_that_lives_keeps_nobody(start: Callable[[], Process], capsys: pytest.CaptureFixture[str]) -> None:
    """It came after the killed one, whose locks are older than it is; that it holds none is of no account."""
    left = start()
    held = lock()
    end(left)
    before = held.stat().st_mtime_ns
    dry = start()  # it has removed the lock itself, which stands there anew, as old as it was
    os.utime(lock(), ns=(before, before))
    locks.register()
    assert not held.exists()
    assert "1 left by a Snakemake that was killed" in capsys.readouterr().err
    end(dry)


def test_of_two_the_locks_of_the_living_one_stay(start: Callable[[], Process]) -> None:
    left = start()
    old = lock("0.input.lock")
    end(left)
    before = old.stat().st_mtime_ns
    living = start()
    new, old = lock("1.input.lock"), lock("0.input.lock")
    os.utime(old, ns=(before, before))
    locks.register()
    assert (old.exists(), new.exists()) == (False, True)
    end(living)


def test_nothing_left_is_nothing_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locks.register()
    locks.register()
    assert capsys.readouterr().err == ""
    assert len(locks._own) == 1


def test_one_that_ends_well_leaves_no_entry(start: Callable[[], Process]) -> None:
    process = start()
    assert len(entries()) == 1
    process.communicate("\n")
    assert entries() == set()


def test_a_torn_entry_is_a_dead_one(here: Path) -> None:
    locks.LIVING.mkdir(parents=True)
    (locks.LIVING / f"1@{platform.node()}.run").write_bytes(b"")
    held = lock()
    locks.register()
    assert not held.exists()
    assert len(entries()) == 1


def test_an_entry_of_another_machine_is_believed_while_there_are_locks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it lives cannot be told from here; what is older than it is nobody's all the same."""
    elsewhere = locks.LIVING / "1@elsewhere.run"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.touch()
    held = lock()
    locks.register()
    assert held.exists()
    assert elsewhere.exists()
    held.unlink()
    locks._own.clear()
    locks.register()
    assert not elsewhere.exists()
    assert capsys.readouterr().err == ""


def test_a_child_does_not_keep_the_entry_of_its_parent(here: Path) -> None:
    """A job that outlives its Snakemake for a while: the lock is the process's own, and a program that it starts does not inherit it."""
    code = "import subprocess, sys; from rediffuse.pipeline import locks; locks.register(); " + (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdout=subprocess.DEVNULL); "
        "print(child.pid, flush=True); sys.stdin.readline()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    held = lock()
    end(parent)
    try:
        os.kill(child, 0)  # it lives
        locks.register()
        assert not held.exists()
    finally:
        os.kill(child, 9)


def test_half_written_files_of_killed_writers_are_removed(here: Path) -> None:
    for folder in ("data/digits-0a", "results/smoke/runs/digits"):
        (here / folder).mkdir(parents=True)
        (here / folder / ".arrays.npz.x8_s1.part").write_bytes(b"half")
        (here / folder / "arrays.npz").write_bytes(b"whole")
    locks.register()
    assert sorted(path.name for path in here.rglob("arrays*") if path.is_file()) == ["arrays.npz"] * 2
    assert not list(here.rglob("*.part"))


def test_a_folder_that_cannot_be_written_is_left_to_snakemake(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".snakemake").write_text("a file in the way")
    locks.register()
    assert capsys.readouterr().err == ""
