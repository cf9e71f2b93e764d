"""In a process of its own: seconds from its start to the end of its first training step, and the most memory of a few of them.

python benchmarks/fresh.py CONTENDER SETTING PRECISION DEVICE BEGAN prints JSON; BEGAN is when it was started, in seconds since 1970.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

import contenders
import torch

from rediffuse import memory

STEPS = 3


def main() -> None:
    contender, setting, precision, device, began = sys.argv[1:]
    memory.keep_freed()
    where = torch.device(device)
    made = contenders.make(contender, getattr(contenders, setting), precision == "bfloat16", where)
    made.train(1)
    first = time.time() - float(began)
    made.train(STEPS)
    peak = torch.cuda.max_memory_allocated(where) if where.type == "cuda" else _peak()
    print(json.dumps({"first_step": first, "peak": peak}))


def _peak() -> int:
    """Bytes; of this process alone, where the kernel says so: getrusage has those of the parent that forked it, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        return 1024 * int(re.findall(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
