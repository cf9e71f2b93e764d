"""What a process frees it keeps: a second step of a network takes no new pages."""

import subprocess
import sys

import pytest

from rediffuse import memory

STEPS = """
import resource, sys
import numpy as np
from rediffuse import memory
if sys.argv[1] == "kept" and not memory.keep_freed():
    sys.exit(3)
def step():
    blocks = [np.full(5 * 2**20, k, np.uint8) for k in range(8)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that were taken from the kernel in 20 steps of 40 MB, 10,240 pages each, after a first one."""
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("not glibc")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_what_is_freed_is_kept() -> None:
    assert faults("kept") < 10_240 < faults("as it is")


def test_every_command_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from rediffuse import cli

    called: list[bool] = []
    monkeypatch.setattr(memory, "keep_freed", lambda: called.append(True))
    monkeypatch.setattr(sys, "argv", ["rediffuse", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert called
