"""Which GPU a job takes: leases by locks, between processes, on lists of names that need no GPU."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from rediffuse import device, gpus
from rediffuse.errors import UserError

LISTED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)
  MIG 3g.20gb     Device  0: (UUID: MIG-cccc-3)
  MIG 3g.20gb     Device  1: (UUID: MIG-dddd-4)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-eeee-5)
"""
FOUND = [["GPU-aaaa-1"], ["MIG-cccc-3", "MIG-dddd-4"], ["GPU-eeee-5"]]


# --- which there are ---


def test_a_gpu_that_is_cut_up_stands_as_its_parts() -> None:
    assert gpus.parse(LISTED) == FOUND
    assert gpus.parse("No devices were found\n") == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ["GPU-aaaa-1", "MIG-cccc-3", "MIG-dddd-4", "GPU-eeee-5"]),
        ("2,0", ["GPU-eeee-5", "GPU-aaaa-1"]),
        ("GPU-eeee", ["GPU-eeee-5"]),
        ("MIG-dddd-4", ["MIG-dddd-4"]),
        ("0,7,2", ["GPU-aaaa-1"]),
        ("0,0", ["GPU-aaaa-1"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(asked: str | None, expected: list[str]) -> None:
    assert gpus.allowed(FOUND, asked) == expected


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, which lists the GPUs above."""
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.usefixtures("nvidia_smi")
def test_within_a_slurm_job_only_what_was_granted_counts() -> None:
    assert gpus.visible({}) == ["GPU-aaaa-1", "MIG-cccc-3", "MIG-dddd-4", "GPU-eeee-5"]
    assert gpus.visible({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "2"}) == ["GPU-eeee-5"]
    assert gpus.visible({"SLURM_JOB_ID": "7"}) == []


def test_without_nvidia_smi_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.visible({}) is None


# --- leases ---


class Holder:
    """A process that leases GPUs, says which, and keeps them until it is ended."""

    def __init__(self, folder: Path, devices: list[str], n: int = 1):
        code = f"""
            import sys
            from pathlib import Path
            from rediffuse.gpus import lease
            print(*lease({devices!r}, {n}, Path({str(folder)!r})), flush=True)
            sys.stdin.read()
        """
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], text=True, **pipes)  # type: ignore[call-overload]

    def held(self) -> list[str]:
        """What it holds; waits for as long as it waits."""
        return self.process.stdout.readline().split()

    def said(self) -> str:
        """The first line that it writes to standard error."""
        return self.process.stderr.readline()

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[..., Holder]]:
    started: list[Holder] = []

    def start(*arguments: object) -> Holder:
        started.append(Holder(tmp_path / "locks", *arguments))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_no_two_processes_hold_the_same_gpu(holder: Callable[..., Holder]) -> None:
    three = [holder(["a", "b", "c"]) for _ in range(3)]
    assert sorted(name for one in three for name in one.held()) == ["a", "b", "c"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_finds_none_waits_says_so_and_gets_what_a_killed_one_held(holder: Callable[..., Holder], number: int) -> None:
    first = holder(["a", "b"])
    second = holder(["a", "b"])
    taken = {first: first.held(), second: second.held()}
    third = holder(["a", "b"])
    assert third.said().startswith("waiting for a GPU: ")
    assert third.process.poll() is None
    second.end(number)
    assert third.held() == taken[second]


def test_several_are_had_all_or_none(holder: Callable[..., Holder]) -> None:
    one = holder(["a", "b"])
    (held,) = one.held()
    both = holder(["a", "b"], 2)
    assert both.said().startswith("waiting for 2 GPUs: ")
    # It waits without the free one, which another may have meanwhile.
    other = holder(["a", "b"])
    assert {held, *other.held()} == {"a", "b"}
    one.end()
    other.end()
    assert both.held() == ["a", "b"]


def test_fewer_than_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 1 GPUs for 2 processes; expected one each"):
        gpus.lease(["a"], 2, tmp_path)


def test_every_user_may_lock_what_another_made(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        (name,) = gpus.lease(["GPU/a"], 1, tmp_path / "locks")
    finally:
        os.umask(mask)
    assert name == "GPU/a"
    (lock,) = (tmp_path / "locks").iterdir()
    assert lock.stat().st_mode & 0o777 == 0o644
    assert lock.parent.stat().st_mode & 0o7777 == 0o1777


def test_a_folder_that_is_closed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/a\.lock: could not be opened"):
        gpus.lease(["a"], 1, tmp_path / "file")


# --- what a job gets ---


@pytest.fixture
def with_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """As if torch could use the GPUs that nvidia-smi lists."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpus.lease, "__defaults__", (1, tmp_path / "locks"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    device._leased.cache_clear()
    yield
    device._leased.cache_clear()


@pytest.mark.usefixtures("nvidia_smi", "with_gpus")
def test_auto_takes_a_free_gpu_and_shows_cuda_no_other(holder: Callable[..., Holder]) -> None:
    assert holder(["GPU-aaaa-1"]).held()
    assert device.pick() == torch.device("cuda")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-eeee-5"
    assert device.pick() == torch.device("cuda"), "asked again, it is the one that is held"
    assert holder(["GPU-eeee-5"]).said().startswith("waiting for a GPU: ")


@pytest.mark.usefixtures("nvidia_smi", "with_gpus")
def test_a_job_to_which_slurm_granted_none_is_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert device.pick() == torch.device("cpu")
