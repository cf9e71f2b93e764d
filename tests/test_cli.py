"""The command line: its help, its exit statuses, and that it starts at once."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from rediffuse.cli import jobs
from rediffuse.errors import UserError

COMMANDS = [
    "prepare",
    "train",
    "sample",
    "measure",
    "table",
    "figure",
    "claims",
    "equations",
    "report",
    "site",
    "import-weights",
    "encode",
    "interpolate",
    "status",
    "plan",
    "bench",
    "why",
    "verify",
    "equation",
    "record",
    "weekly",
    "zotero",
]
GROUPS = {"weekly": ["new", "render"], "zotero": ["pull"]}
"""Commands that have commands of their own."""


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny.rediffuse("--help") == 0
    out, err = capsys.readouterr()
    assert not err
    listed = out.split("Commands:")[1]
    assert re.findall(r"^  ([\w-]+)  +[A-Z]", listed, re.MULTILINE) == COMMANDS


def test_no_arguments_are_a_question_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny.rediffuse() == 0
    bare = capsys.readouterr()
    tiny.rediffuse("--help")
    assert bare == capsys.readouterr()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny.rediffuse(command, "--help") == 0
    out, err = capsys.readouterr()
    assert not err
    assert re.match(rf"Usage: .*\brediffuse {command} \[OPTIONS\]", out)
    assert "--preset" in out or command in GROUPS or command in ("equation", "bench"), "the ledger and speed are of no preset"


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_of_a_group_has_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.rediffuse(group, "--help")
    assert re.findall(r"^  ([\w-]+)  +[A-Z]", capsys.readouterr().out.split("Commands:")[1], re.MULTILINE) == GROUPS[group]
    for command in GROUPS[group]:
        assert tiny.rediffuse(group, command, "--help") == 0
        assert re.match(rf"Usage: .*\brediffuse {group} {command} \[OPTIONS\]", capsys.readouterr().out)


def test_the_installed_command_is_this_one() -> None:
    done = subprocess.run([Path(sys.executable).with_name("rediffuse"), "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: rediffuse ")


def test_a_mistake_is_one_line_and_status_2_in_a_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rediffuse.cli", "train", "digits", "--preset", "none.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    line = "rediffuse: none.yaml: could not be read: No such file or directory; expected a preset (see config/laptop.yaml)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    assert not list(tmp_path.iterdir())


def test_starting_imports_nothing_heavy() -> None:
    code = "import sys, rediffuse.cli; print(*{'torch', 'pandas', 'matplotlib', 'numpy', 'pydantic', 'snakemake'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_environment_may_name_the_preset(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIFFUSE_PRESET", "desktop")
    assert tiny.refused(capsys, "report").startswith("preset: found 'desktop'; ")
    assert tiny.refused(capsys, "report", "--preset", "notebook").startswith("preset: found 'notebook'; ")


def test_an_interrupt_has_its_own_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(jobs, "layout_of", lambda *_: signal.raise_signal(signal.SIGINT))
    assert tiny.rediffuse("report") == 130
    assert capsys.readouterr() == ("", "")


def test_an_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of the program's")

    monkeypatch.setattr(jobs, "layout_of", broken)
    with pytest.raises(RuntimeError, match="of the program's"):
        tiny.rediffuse("report")


def test_a_message_of_many_lines_is_told_in_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def mistaken(*_: object) -> None:
        raise UserError("a.csv: found\n   a table\nof two lines; expected one")

    monkeypatch.setattr(jobs, "layout_of", mistaken)
    assert tiny.rediffuse("report") == 2
    assert capsys.readouterr().err == "rediffuse: a.csv: found a table of two lines; expected one\n"
