"""What a DVC that was killed leaves half-written is put right, and what is whole is left alone."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from rediffuse.pipeline import mend

WHOLE = b"""schema: '2.0'
stages:
  smoke-runs:
    cmd: snakemake -- runs
    outs:
    - path: results/smoke/runs
      hash: md5
      md5: 1fb4.dir
      size: 20
      nfiles: 3
  data-digits:
    cmd: snakemake -- data
    outs:
    - path: data/digits
      hash: md5
      md5: 02ac.dir
      size: 10
      nfiles: 2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository that has recorded something."""
    monkeypatch.chdir(tmp_path)
    mend.BUSY.parent.mkdir(parents=True)
    mend.LEDGER.write_bytes(WHOLE)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "dvc.lock"], ["commit", "--quiet", "-m", "recorded"]):
        subprocess.run([*git, *command], check=True)
    return tmp_path


@pytest.mark.parametrize("end", [*range(0, len(WHOLE), 7), len(WHOLE) - 1])
def test_a_ledger_that_was_cut_anywhere_is_replaced_by_the_committed_one(here: Path, capsys: pytest.CaptureFixture[str], end: int) -> None:
    mend.LEDGER.write_bytes(WHOLE[:end])
    mend.mend()
    assert mend.LEDGER.read_bytes() == WHOLE
    assert capsys.readouterr().err == "rediffuse: dvc.lock: half-written by a DVC that was killed; replaced by the last commit's\n"


def test_a_whole_ledger_is_left_alone_though_another_is_committed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = WHOLE.replace(b"02ac", b"77ff")
    mend.LEDGER.write_bytes(changed)
    mend.mend()
    assert (mend.LEDGER.read_bytes(), capsys.readouterr().err) == (changed, "")


def test_a_half_ledger_that_git_does_not_have_is_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["git", "update-ref", "-d", "HEAD"], check=True)
    mend.LEDGER.write_bytes(b"")
    mend.mend()
    assert not mend.LEDGER.exists()
    assert capsys.readouterr().err == "rediffuse: dvc.lock: half-written by a DVC that was killed; removed\n"


@pytest.mark.parametrize("content", [b"", b'{"write": {"a": {"pi', b"[]"])
def test_a_half_list_of_busy_paths_is_removed(here: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    mend.BUSY.write_bytes(content)
    mend.mend()
    assert not mend.BUSY.exists()
    assert capsys.readouterr().err == "rediffuse: .dvc/tmp/rwlock: half-written by a DVC that was killed; removed\n"


def test_one_that_is_being_written_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mend.BUSY.write_bytes(b"")
    with mend.GUARD.open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        mend.mend()
    assert mend.BUSY.exists()
    assert capsys.readouterr().err == ""


def test_what_a_dead_one_had_entered_is_left_to_dvc(here: Path) -> None:
    mend.BUSY.write_bytes(b'{"write": {"a": {"pid": 999999, "cmd": "commit"}}}')
    mend.mend()
    assert mend.BUSY.exists()


def test_without_dvc_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    mend.mend()
    assert capsys.readouterr() == ("", "")
