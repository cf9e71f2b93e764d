"""Signals wait until work can be left, and a job ends with the Snakemake that it works for."""

import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import tiny

from rediffuse import interrupts
from rediffuse.cli import jobs
from rediffuse.interrupts import Interrupted, deferred

PARENT = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_waits_until_the_work_can_be_left(number: signal.Signals) -> None:
    before, done = signal.getsignal(number), []
    with pytest.raises(Interrupted) as end, deferred() as check:
        check()
        signal.raise_signal(number)
        done.append("the item")
        check()
        done.append("another item")
    assert done == ["the item"]
    assert (end.value.number, str(end.value)) == (number, f"stopped by {number.name}; the same command again goes on")
    assert signal.getsignal(number) is before


def test_a_second_signal_is_not_waited_for() -> None:
    with pytest.raises(Interrupted) as end, deferred():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("went on after a second signal")
    assert end.value.number == signal.SIGTERM


def test_outside_the_main_thread_nothing_changes() -> None:
    before, inside = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with deferred() as check, interrupts.terminable():
            check()
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_is_stopped_says_so_in_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals, status: int
) -> None:
    def work(*_: object) -> None:
        with deferred() as check:
            signal.raise_signal(number)
            check()

    monkeypatch.setattr(jobs, "layout_of", work)
    before = signal.getsignal(signal.SIGTERM)
    assert tiny.rediffuse("report") == status
    assert capsys.readouterr() == ("", f"rediffuse: stopped by {number.name}; the same command again goes on\n")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_that_is_terminated_outside_of_long_work_says_so_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs, "layout_of", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert tiny.rediffuse("report") == 143
    assert capsys.readouterr().err == "rediffuse: stopped by SIGTERM; the same command again goes on\n"


def by_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("Linux alone tells of the end of a process")


def by_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)


@pytest.fixture(params=[by_kernel, by_looking])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    request.param(monkeypatch)


@pytest.mark.usefixtures("watch")
def test_a_process_that_is_killed_is_gone_though_nobody_waits_for_it() -> None:
    parent = subprocess.Popen(PARENT, stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    watcher = threading.Thread(target=interrupts._wait_for_end, args=(parent.pid, 0.05))
    watcher.start()
    watcher.join(0.2)
    assert watcher.is_alive(), "said to be gone while it lives"
    parent.kill()
    watcher.join(60)
    assert not watcher.is_alive()
    parent.communicate()
    interrupts._wait_for_end(parent.pid, 0.05)  # one that was gone before returns at once


def ends(process: str) -> Callable[[], list[int]]:
    """What this process is sent if another one ends."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    threads = set(threading.enumerate())
    interrupts.end_with(process)
    started = set(threading.enumerate()) - threads

    def told() -> list[int]:
        for thread in started:
            thread.join(60)
        signal.signal(signal.SIGTERM, before)
        return heard

    return told


def test_a_job_ends_with_the_process_that_it_works_for() -> None:
    parent = subprocess.Popen(PARENT)
    told = ends(f"{parent.pid}@{platform.node()}")
    parent.kill()
    assert told() == [signal.SIGTERM]
    parent.wait()
    assert ends(f"{parent.pid}@{platform.node()}")() == [signal.SIGTERM], "it was gone before the job began"


@pytest.mark.parametrize("process", ["", f"{os.getpid()}", f"{os.getpid()}@elsewhere", "x@y"])
def test_a_process_that_cannot_be_seen_from_here_ends_nothing(process: str) -> None:
    assert ends(process)() == []


def test_a_process_names_itself_so_that_others_find_it() -> None:
    code = "from rediffuse import interrupts; print(interrupts.this_process(), flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    told = ends(parent.stdout.readline().strip())
    parent.communicate("\n")
    assert told() == [signal.SIGTERM]
