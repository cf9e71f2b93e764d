"""What git knows of the folder that the pipeline runs in: revisions, the files in them, and the commits between two."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Commit(NamedTuple):
    """One commit: its short hash, the day of its author as YYYY-MM-DD, and the first line of its message."""

    name: str
    day: str
    subject: str


def here() -> bool:
    """Whether the folder is a git checkout with a commit."""
    return resolve("HEAD") is not None


def resolve(revision: str) -> str | None:
    """The whole hash of the commit that a revision names; None if it names none."""
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") or None


def short(revision: str) -> str:
    """A commit's hash as people write it."""
    return _git("rev-parse", "--short", revision)


def brought(path: Path) -> str | None:
    """The commit that last brought a file that was not there before; None if none has it, or the history here does not go so far back."""
    found, *parents = _git("log", "--diff-filter=A", "--format=%H %P", "--", path.as_posix()).partition("\n")[0].split(" ") or [""]
    # Where history was cut off, its first commit seems to bring all files.
    return None if not found or (shallow() and not parents) else found


def shallow() -> bool:
    """Whether older commits were left out when this checkout was made."""
    return _git("rev-parse", "--is-shallow-repository") == "true"


def show(revision: str, path: Path) -> str | None:
    """The text of a file at a revision; None if it was not there."""
    return _run("show", f"{revision}:./{path.as_posix()}")


def between(old: str, new: str) -> list[Commit]:
    """The commits that a revision has and an older one has not, the newest first."""
    lines = (_run("log", "--format=%h%x09%as%x09%s", f"{old}..{new}") or "").split("\n")
    return [Commit(*line.split("\t", 2)) for line in lines if line]


def _git(*arguments: str) -> str:
    """What git answers; nothing where it has nothing to say, or there is no git."""
    return (_run(*arguments) or "").strip()


def _run(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout
