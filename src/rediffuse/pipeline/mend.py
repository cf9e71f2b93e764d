"""What a DVC that was killed leaves half-written, put right: DVC itself refuses to go on from there, and does not write it anew.

`make record`, `make push` and `make pull` call this before DVC; by hand: python -m rediffuse.pipeline.mend. DVC's locks need no such help:
the kernel frees them, and what a dead process had entered in `rwlock` DVC removes itself.
"""

import fcntl
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from rediffuse.files import write_bytes

LEDGER = Path("dvc.lock")
BUSY = Path(".dvc/tmp/rwlock")
"""Which paths DVC's processes are at."""
GUARD = Path(".dvc/tmp/rwlock.lock")
"""Held by a DVC that is writing it."""


def mend() -> None:
    """Remove an unreadable `rwlock`, and put the last committed dvc.lock in the place of an unreadable one; each is told in one line.

    A dvc.lock that git does not have is removed: `make record` writes it whole. Nothing is touched while a DVC writes.
    """
    if _idle() and BUSY.is_file() and not _json(BUSY):
        BUSY.unlink()
        _say(f"{BUSY}: half-written by a DVC that was killed; removed")
    if LEDGER.is_file() and not _stages(LEDGER.read_bytes()):
        committed = subprocess.run(["git", "show", f"HEAD:./{LEDGER}"], capture_output=True, check=False).stdout
        if _stages(committed):
            write_bytes(LEDGER, committed)
            _say(f"{LEDGER}: half-written by a DVC that was killed; replaced by the last commit's")
        else:
            LEDGER.unlink()
            _say(f"{LEDGER}: half-written by a DVC that was killed; removed")


def _idle() -> bool:
    with suppress(FileNotFoundError), GUARD.open("r+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _stages(content: bytes) -> bool:
    """Whether it is a whole dvc.lock: a mapping whose stages all have their command, and what they leave with its hash.

    DVC writes it in blocks of 8192 bytes, so a part of one ends in the middle of a line, or is empty.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        ledger = YAML(typ="safe", pure=True).load(content.decode())
        stages = ledger["stages"].values()
        outs = [out for stage in stages for out in stage["outs"]]
        return (
            content.endswith(b"\n")
            and all("cmd" in stage for stage in stages)
            and all({"path", "md5", "size"} <= out.keys() for out in outs)
        )
    except (YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        return False


def _say(line: str) -> None:
    print(f"rediffuse: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    mend()
