"""Kills for real: commands and whole runs that are killed at random moments, and go on by the same command to the same bits."""

import os
import platform
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pipeline
import pytest
import tiny

from rediffuse import interrupts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUN = """
from rediffuse import resume, training
from rediffuse.cli import main
resume.SAVE_EVERY = training.SAVE_EVERY = 0.05
main()
"""
"""The command line, but that a kill costs no minute."""
PRESET = {
    "runs.digits.training.steps": 1200,
    "runs.digits.process.T": 120,
    "samples.plain": {"kind": "ancestral", "run": "digits", "n": 80, "chunk": 2, "shards": 1},
    "papers.ddpm.table4": {"runs": ["digits"], "n": 150},
    "papers.ddpm.fig7.t": [100, 3],
    "papers.ddim": tiny.GONE,
    "samples.sweep": tiny.GONE,
    "samples.whole": tiny.GONE,
    "samples.released": tiny.GONE,
}
COMMANDS = {
    "train": ("train digits", "digits.pt", ["runs/digits/weights.safetensors", "runs/digits/history.csv"]),
    "sample": ("sample plain", "sample-plain-1of1", ["samples/digits/plain-1of1.npz"]),
    "measure": ("measure ddpm table4", "measure-ddpm-table4", ["measurements/ddpm/table4.csv", "ddpm/table4.npz"]),
}
"""Verb -> the command, its state, its outputs."""
RESULTS = Path("results/kills")


def start(folder: Path, command: str, **environment: str) -> "subprocess.Popen[str]":
    values = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    arguments = [sys.executable, "-c", RUN, *command.split(), "--preset", "kills.yaml"]
    return subprocess.Popen(arguments, cwd=folder, env=values, stderr=subprocess.PIPE, text=True)


def finish(folder: Path, command: str) -> str:
    """Let a command end; what it said."""
    process = start(folder, command)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return err


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    tiny.write(folder / "kills.yaml", tiny.preset(PRESET))
    for command in ("prepare digits", *(command for command, _, _ in COMMANDS.values())):
        finish(folder, command)
    return folder


def stop(process: "subprocess.Popen[str]", kind: str, seconds: float, watched: "subprocess.Popen[bytes]") -> int:
    """End a process in one of the ways in which they end; its exit status."""
    time.sleep(seconds)
    match kind:
        case "SIGINT" | "SIGTERM" | "SIGKILL":
            process.send_signal(signal.Signals[kind])
        case "walltime":  # as a cluster ends a job whose time is up
            process.terminate()
            time.sleep(0.02)
            process.kill()
        case "orphan":  # its Snakemake is gone
            watched.kill()
    process.communicate()
    return process.returncode


STATUS = {"SIGINT": {130}, "SIGTERM": {143}, "SIGKILL": {-9}, "walltime": {-9, 143}, "orphan": {143}}


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_command_that_is_killed_in_every_way_ends_in_the_same_bits(undisturbed: Path, tmp_path: Path, verb: str) -> None:
    command, name, outputs = COMMANDS[verb]
    folder = pipeline.copied(undisturbed, tmp_path / "killed")
    for output in outputs:
        (folder / RESULTS / output).unlink()
    state, random_ = folder / RESULTS / ".state" / name, random.Random(verb)
    kinds, hit = list(STATUS), 0
    random_.shuffle(kinds)
    for kind in kinds:
        before = state.stat().st_mtime_ns if state.exists() else 0
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"]) as watched:
            process = start(folder, command, REDIFFUSE_SNAKEMAKE=f"{watched.pid}@{platform.node()}")
            # It is in the middle of its work when it has saved something of its own.
            while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
                time.sleep(0.01)
            status = stop(process, kind, random_.uniform(0, 0.2), watched)
            watched.kill()
        if status == 0:
            break
        hit += 1
        assert status in STATUS[kind], kind
        assert state.exists(), kind
    assert hit > 1, "it was done before it was killed: give it more to do"
    finish(folder, command)
    for output in outputs:
        assert (folder / RESULTS / output).read_bytes() == (undisturbed / RESULTS / output).read_bytes(), output
    assert set(tiny.files(folder)) == set(tiny.files(undisturbed)), "a state, a lock or a half-written file is left"


def at_work(session: int) -> dict[Path, str]:
    """The `rediffuse` commands that run in a session: where the kernel tells of them, and their verbs."""
    commands = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session and len(words) > 2 and words[1].endswith(b"/rediffuse"):
            commands[path] = words[2].decode()
    return commands


def digests(folder: Path) -> dict[str, bytes]:
    """All that is to be the same in two runs, to the bit: weights, samples, measurements and metrics."""
    results = folder / pipeline.RESULTS
    paths = [*results.glob("runs/*/weights.safetensors"), *results.glob("samples/*/*.npz"), *results.glob("measurements/**/*.csv")]
    paths += results.glob("metrics.json")
    return {str(path.relative_to(results)): path.read_bytes() for path in sorted(paths)}


def test_a_snakemake_that_is_killed_again_and_again_ends_in_the_same_bits(smoke_tree: Path, tmp_path: Path) -> None:
    """Its whole process group, or itself alone, whose jobs are orphans then, or Ctrl-C; no word but the same command in between."""
    folder, random_ = pipeline.sources(tmp_path / "killed"), random.Random(0)
    command, watching = ["snakemake", "--cores", "2", "--config", "preset=smoke"], 0
    for kill, verb in (("group", "train"), ("alone", "train"), ("Ctrl-C", "sample"), ("alone", "measure")):
        process = pipeline.begin(folder, *command)
        while process.poll() is None and verb not in at_work(process.pid).values():
            time.sleep(0.05)
        time.sleep(random_.uniform(0, 4))
        assert process.poll() is None, "it was done before it was killed"
        for path in at_work(process.pid):
            with suppress(OSError):  # it may end meanwhile
                told = f"{interrupts.RUN}={process.pid}@{platform.node()}".encode()
                assert told in (path / "environ").read_bytes().split(b"\0"), "a job that does not know with whom to end"
                watching += 1
        match kill:
            case "group":
                os.killpg(process.pid, signal.SIGKILL)
            case "alone":
                process.kill()
            case "Ctrl-C":
                os.killpg(process.pid, signal.SIGINT)
        process.wait()
    assert watching
    said = pipeline.snakemake(folder)
    assert "left by a Snakemake that was killed; removed" in said
    assert "Nothing to be done" in pipeline.snakemake(folder)
    assert digests(folder) == digests(smoke_tree)
    assert (folder / pipeline.RESULTS / "metrics.json").is_file()
    assert not list(folder.rglob("*.part")), "half-written files are left"
    left = {path.parent.name for path in (folder / pipeline.RESULTS / ".state").rglob("*") if path.is_file()}
    assert left <= {"status"}, "a state or a lock is left"
