"""A copy of the project in which the pipeline runs: what the slow tests share."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RESULTS = Path("results/smoke")


def environment(folder: Path) -> dict[str, str]:
    """That of a command in a folder: this environment's programs, the folder's own sources, no words to anybody outside."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    sources = os.pathsep.join(filter(None, [str(folder / "src"), os.environ.get("PYTHONPATH")]))
    values = os.environ | {"PYTHONPATH": sources, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    values |= {
        f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "test"), ("EMAIL", "t@example.org"))
    }
    values.pop("REDIFFUSE_PRESET", None)
    return values


def run(folder: Path, *command: str, status: int = 0) -> str:
    """Run a command in a folder, with the folder's own sources; its output, both streams."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == status, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


def begin(folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own, to be killed; its output goes nowhere."""
    where = {"cwd": folder, "env": environment(folder)}
    return subprocess.Popen(command, **where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def snakemake(folder: Path, *arguments: str, status: int = 0) -> str:
    return run(folder, "snakemake", "--cores", "2", *arguments, "--config", "preset=smoke", status=status)


def jobs(folder: Path, *arguments: str) -> set[str]:
    """The rules that would run."""
    return set(re.findall(r"^(\w+)\s+\d+$", snakemake(folder, "-n", *arguments), re.MULTILINE)) - {"total"}


def git(folder: Path, *arguments: str) -> str:
    return run(folder, "git", *arguments)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def sources(folder: Path) -> Path:
    """A git repository with the tracked and new files of this one, without what was recorded."""
    folder.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("docs/results/") and name not in ("dvc.yaml", "dvc.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "init", "--quiet")
    commit(folder, "sources")
    return folder


def copied(tree: Path, folder: Path) -> Path:
    """A copy with the times of its files: Snakemake has nothing to do in it."""
    shutil.copytree(tree, folder, symlinks=True)
    return folder


def record(folder: Path) -> list[str]:
    """What `make record` does after the run; the names of the stages."""
    stages = run(folder, "rediffuse", "record", "--preset", "smoke").split()
    run(folder, "dvc", "commit", "--force", "--quiet", "--no-relink", *stages)
    return stages
