"""In a process of its own: seconds from its start to the end of its first training step, and the most memory of a few of them.

python benchmarks/fresh.py CONTENDER SETTING PRECISION DEVICE BEGAN prints JSON; BEGAN is when it was started, in seconds since 1970.
"""

import json
import resource
import sys
import time

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
    peak = torch.cuda.max_memory_allocated(where) if where.type == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"first_step": first, "peak": peak}))


if __name__ == "__main__":
    main()
