"""`rediffuse status`, and the word of a job that it reads: what runs, what was stopped, what failed, and when nothing is known."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny

from rediffuse import progress
from rediffuse.config.preset import Preset
from rediffuse.papers.makes import MAKES
from rediffuse.pipeline.status import SILENT

Capture = pytest.CaptureFixture[str]
PRESET = ("--preset", "tiny.yaml")
RESULTS = Path("results/tiny")
TRAIN = ("train", "roll")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """A folder with the tiny preset and the swiss roll, prepared."""
    monkeypatch.chdir(tmp_path)
    preset({})
    assert tiny.rediffuse("prepare", "roll", *PRESET) == 0
    capsys.readouterr()
    return tmp_path


def preset(changes: dict[str, Any]) -> None:
    tiny.write(Path("tiny.yaml"), tiny.preset(changes))


def rows(capsys: Capture) -> dict[str, dict[str, Any]]:
    """What `rediffuse status --json` says, by job."""
    capsys.readouterr()
    assert tiny.rediffuse("status", "--json", *PRESET) == 0
    return {row["job"]: row for row in json.loads(capsys.readouterr().out)}


def table(capsys: Capture) -> list[str]:
    capsys.readouterr()
    assert tiny.rediffuse("status", *PRESET) == 0
    return capsys.readouterr().out.splitlines()


def tell(job: str, **word: Any) -> None:
    """Have a job told of as if it had done so itself."""
    about = {"job": job, "pid": os.getpid(), "born": progress.born(os.getpid()), "host": socket.gethostname(), "time": time.time()}
    path = progress.told_in(RESULTS, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | {"state": "running"} | word))


# --- what is shown ---


def test_a_preset_that_never_ran_waits_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    preset({})
    before = list(tmp_path.rglob("*"))
    found = rows(capsys)
    content = Preset.model_validate(tiny.PRESET)
    measured = [f"measure {paper} {name}" for paper, those in MAKES.items() for name, makes in those.items() if makes.measured]
    assert {row["state"] for row in found.values()} == {"waiting"}
    assert [job for job in found if job.startswith("measure")] == measured
    assert {job for job in found if job.startswith("train")} == {f"train {name}" for name in content.runs | content.features}
    assert {"prepare beat", "sample plain 1/2", "sample plain 2/2", "sample whole 1/1"} < set(found)
    assert list(tmp_path.rglob("*")) == before
    assert table(capsys)[-1] == f"tiny: {len(found)} waiting"


def test_a_finished_training_is_done_and_says_its_last_step_and_loss(here: Path, capsys: Capture) -> None:
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    row = rows(capsys)["train roll"]
    assert (row["state"], row["done"], row["total"], row["unit"]) == ("done", 20, 20, "images")
    assert row["rate"] > 0 and row["note"].startswith("loss ")
    assert rows(capsys)["prepare roll"]["state"] == "done"


def test_what_was_pulled_is_done_and_what_was_removed_waits(here: Path, capsys: Capture) -> None:
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    progress.told_in(RESULTS, "train roll").unlink()
    assert rows(capsys)["train roll"]["state"] == "done"
    tell("train roll", state="done", done=20, total=20)
    (RESULTS / "runs/roll/history.csv").unlink()
    row = rows(capsys)["train roll"]
    assert (row["state"], row["done"], row["total"]) == ("waiting", None, 20)


def test_a_failed_training_says_why(here: Path, capsys: Capture) -> None:
    preset({"runs.roll.training.lr": 1e30})
    assert tiny.rediffuse(*TRAIN, *PRESET) == 2
    line = capsys.readouterr().err.splitlines()[-1].removeprefix("rediffuse: ")
    row = rows(capsys)["train roll"]
    assert (row["state"], row["note"]) == ("failed", line)
    *_, told, counts = table(capsys)
    assert told == f"train roll: failed: {line}"
    assert "1 failed" in counts
    preset({})
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    assert rows(capsys)["train roll"]["state"] == "done"


def test_a_failure_counts_until_its_files_are_newer(here: Path, capsys: Capture) -> None:
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    tell("train roll", state="failed", note="no", time=time.time() + 60)
    assert rows(capsys)["train roll"]["state"] == "failed"
    tell("train roll", state="failed", note="no", time=time.time() - 60)
    assert rows(capsys)["train roll"]["state"] == "done"


def test_an_error_of_the_program_is_a_failure(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake\nof the program's")

    monkeypatch.setattr("rediffuse.runs.train_run", broken)
    with pytest.raises(RuntimeError):
        tiny.rediffuse(*TRAIN, *PRESET)
    row = rows(capsys)["train roll"]
    assert (row["state"], row["note"]) == ("failed", "a mistake of the program's")


def test_several_artifacts_of_one_command_are_jobs_each(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def measured(name: str) -> Any:
        return lambda *_: seen.append((name, {job: row["state"] for job, row in rows(capsys).items() if row["state"] != "waiting"}))

    monkeypatch.setattr("rediffuse.papers.makes.measurement", lambda paper, name: measured(name))
    assert tiny.rediffuse("measure", "sohl2015", "fig1", "fig2", *PRESET) == 0
    running = {"prepare roll": "done", "measure sohl2015 fig1": "running"}
    assert seen == [("fig1", running), ("fig2", {"prepare roll": "done", "measure sohl2015 fig2": "running"})]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ({}, "running"),
        ({"born": "1"}, "stopped"),  # the number was given to another process
        ({"pid": 2**31 - 2}, "stopped"),
        ({"host": "elsewhere"}, "running"),
        ({"state": "stopped", "note": "saved at 5 of 20, stopped by SIGTERM; the same command again goes on"}, "stopped"),
    ],
)
def test_the_process_says_whether_a_job_runs(here: Path, capsys: Capture, word: dict[str, Any], state: str) -> None:
    known = {"what": "train roll", "done": 5, "total": 20, "rate": 2.0, "unit": "images", "left": 30.0, "note": "loss 1.5"}
    tell("train roll", **known | word)
    row = rows(capsys)["train roll"]
    assert (row["state"], row["done"], row["total"]) == (state, 5, 20)
    assert row["left"] == (30.0 if state == "running" else None)
    assert row["silent"] >= 0
    assert row["note"] == ("loss 1.5" if state == "running" else row["note"]) and ("goes on" in row["note"]) == (state == "stopped")


def test_a_job_elsewhere_that_is_silent_was_stopped(here: Path, capsys: Capture) -> None:
    tell("train roll", host="elsewhere")
    path = progress.told_in(RESULTS, "train roll")
    os.utime(path, (time.time() - 2 * SILENT,) * 2)
    assert rows(capsys)["train roll"]["state"] == "stopped"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"pid": "x"}', '{"pid": -1, "born": "", "host": "", "state": "running", "time": 0}', "\x00"]
)
def test_a_damaged_word_tells_nothing(here: Path, capsys: Capture, content: str) -> None:
    path = progress.told_in(RESULTS, "train roll")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert rows(capsys)["train roll"]["state"] == "waiting"


def test_the_table_is_aligned_and_fits(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    tell("train roll", done=123456, total=800000, rate=1234.5, unit="images", left=7300.0, note="loss 0.0123", time=now - 130)
    tell("sample plain 1/2", what="sample plain", done=1, total=3, rate=0.5, unit="images", left=4.0)
    tell("measure ddim fig5", what="figure 5", done=1, total=3, rate=0.25, unit="numbers of steps", left=8.0)
    tell("measure ddpm fig10", what="figure 10", done=1, total=2, rate=3.0, unit="images", left=1.0)
    lines = table(capsys)
    assert max(map(len, lines)) <= 100
    header = lines[0]
    of = {line.split("  ")[0]: line for line in lines[1:-1]}
    for job, values in {
        "train roll": ("running", "123456/800000", "1234 images/s", "2 h", "2 min", "loss 0.0123"),
        "sample plain 1/2": ("running", "1/3", "0.5 images/s", "4 s", "0 s", ""),
        "measure ddpm fig10": ("running", "1/2", "3 images/s", "1 s", "0 s", "figure 10"),
        "measure ddim fig5": ("running", "1/3", "0.25/s", "8 s", "0 s", "figure 5"),
        "train beat": ("waiting", "0/20", "", "", "", ""),
    }.items():
        starts = [header.index(name) for name in ("state", "step", "speed", "left", "silent")]
        starts.append(starts[-1] + len("silent") + 2)
        assert tuple(of[job][a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)) == values
    assert [line.split()[1] for line in lines[-5:-1]] == ["roll", "plain", "ddpm", "ddim"], "what runs stands last"
    assert lines[-1].startswith("tiny: 4 running, ")


def test_status_knows_the_presets_mistakes(here: Path, capsys: Capture) -> None:
    assert tiny.refused(capsys, "status", "--preset", "desktop").startswith("preset: found 'desktop'; ")
    assert (
        tiny.refused(capsys, "status", "--watch", *PRESET)
        == "--watch: found no terminal; expected a terminal to draw in: leave --watch out"
    )
    assert tiny.refused(capsys, "status", "--watch", "--json", *PRESET).startswith("--watch: found ")


def test_it_is_drawn_anew_in_a_terminal_until_interrupted(here: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rediffuse.cli", "status", "--watch", *PRESET]
    environment = os.environ | {"COLUMNS": "80", "LINES": "12"}
    watching = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while seen.count(b"\x1b[2J") < 2:
            seen += os.read(ours, 4096)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    finally:
        watching.kill()
        os.close(ours)
    first = seen.decode().split("\x1b[2J")[1].split("\x1b[H")[0].splitlines()
    assert len(first) <= 12
    assert first[0].startswith("job ") and first[1].endswith("more above)") and first[-1].startswith("tiny: ")


# --- a real process ---


def until(capsys: Capture, state: str) -> dict[str, Any]:
    """Wait for the training to be in a state."""
    for _ in range(600):
        row = rows(capsys)["train roll"]
        if row["state"] == state and row["done"]:
            return row
        time.sleep(0.1)
    raise AssertionError(row)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGKILL, r"its process is gone; the same command again goes on"),
        (signal.SIGTERM, r".+ stopped by SIGTERM; the same command again goes on"),
    ],
)
def test_a_training_runs_and_once_killed_was_stopped(here: Path, capsys: Capture, number: int, why: str) -> None:
    preset({"runs.roll.training.steps": 10**7, "runs.roll.training.ema_decay": 0.9999})
    training = subprocess.Popen([sys.executable, "-m", "rediffuse.cli", *TRAIN, *PRESET], stderr=subprocess.DEVNULL)
    try:
        row = until(capsys, "running")
        assert (row["pid"], row["total"], row["unit"]) == (training.pid, 10**7, "images")
        assert row["left"] > 0 and row["rate"] > 0 and row["silent"] < 60
    finally:
        training.send_signal(number)
        training.wait()
    stopped = rows(capsys)["train roll"]
    assert stopped["state"] == "stopped" and re.fullmatch(why, stopped["note"])
    assert stopped["done"] >= row["done"]
    assert f"train roll: stopped: {stopped['note']}" in table(capsys)


# --- what a job tells ---


def test_a_loop_says_what_is_done_of_all_of_it(here: Path, capsys: Capture) -> None:
    losses = iter("abcde")
    for _ in progress.track(range(6, 10), 10, "work", per_item=3, unit="pages", note=lambda: f"loss {next(losses)}", first=6):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("work: 10/10, ") and " pages/s, 0 s left, loss a" in line


def test_the_file_is_written_at_once_and_then_now_and_then(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(progress._Job, "_write", lambda self, state, note="": written.append((state, note)))
    with progress.ending():
        progress.begin(RESULTS, "train roll")
        assert written == [("running", "")]
        for _ in progress.track(range(10**5), 10**5, "work"):
            pass
    assert written == [("running", ""), ("done", "")], "100,000 items in less than two seconds write nothing"


def test_a_loop_within_a_loop_gives_the_word_back(here: Path) -> None:
    progress.begin(RESULTS, "train roll")
    with progress.ending():
        for k in progress.track(range(2), 2, "outer"):
            assert progress._job.loop.what == "outer"
            for _ in progress.track(range(3), 3, f"inner {k}"):
                assert progress._job.loop.what == f"inner {k}"


@pytest.mark.parametrize(
    ("end", "state", "note"),
    [
        (SystemExit(0), "done", ""),
        (SystemExit(130), "stopped", ""),
        (KeyboardInterrupt(), "stopped", ""),
        (ValueError(), "failed", "ValueError"),
    ],
)
def test_how_a_command_ends_is_told(here: Path, end: BaseException, state: str, note: str) -> None:
    with pytest.raises(type(end)), progress.ending():
        progress.begin(RESULTS, "train roll")
        raise end
    told = json.loads(progress.told_in(RESULTS, "train roll").read_text())
    assert (told["state"], told["note"]) == (state, note)
    assert progress._job is None


def test_of_several_processes_the_first_alone_speaks(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with progress.ending():
        progress.begin(RESULTS, "train roll")
    assert not progress.told_in(RESULTS, "train roll").exists()
    monkeypatch.setenv("RANK", "0")
    with progress.ending():
        progress.begin(RESULTS, "train roll")
    assert progress.told_in(RESULTS, "train roll").exists()


def test_work_goes_on_where_nothing_can_be_told(here: Path) -> None:
    progress.told_in(RESULTS, "x").parent.rename("elsewhere")
    (RESULTS / ".state/status").write_text("a file in its place")
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0


def test_a_process_is_known_by_when_it_began() -> None:
    assert progress.born(os.getpid()) == progress.born(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert progress.born(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert progress.born(child.pid) is None, "ended, if not yet waited for"
    child.wait()
    assert progress.born(child.pid) is None
