"""`rediffuse bench`: measures, keeps the figures beside the page, and writes the page from them.

The figures of one kind of device replace those of the same kind that were there; a page has one section for each.
"""

import argparse
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import compare
import contenders
import growth
import machine
import pipeline
import torch
from page import page

from rediffuse import memory
from rediffuse.device import pick
from rediffuse.files import write_json, write_text
from rediffuse.progress import track
from rediffuse.provenance import commit, hardware, installed


def main() -> None:
    parser = argparse.ArgumentParser(prog="rediffuse bench")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("docs/performance.md"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    memory.keep_freed()
    device = pick(arguments.device)
    kept = arguments.out.with_suffix(".json")
    figures: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    figures[device.type] = measure(device, arguments.quick)
    write_json(kept, figures)
    write_text(arguments.out, page(figures))
    print(arguments.out)


def measure(device: torch.device, quick: bool) -> dict[str, Any]:
    """All figures of one machine."""
    settings = ["TINY"] if quick else ["LARGE", "SMALL"]
    rounds, seconds = (1, 0.0) if quick else (5, 3.0 if device.type == "cuda" else 6.0)
    batches, sides = ([1, 2], [16]) if quick else ([1, 2, 4, 8, 16], [16, 64, 128])
    made = [getattr(contenders, name) for name in settings]
    parts: dict[str, Callable[[], Any]] = {
        "limits": lambda: machine.limits(device, quick),
        "networks": lambda: [compare.compared(setting, device, rounds, seconds) for setting in made],
        "starts": lambda: [row for precision in machine.PRECISIONS for row in compare.started(settings[0], device, precision)],
        "growth": lambda: growth.grown(made[0], device, batches, sides),
        "drawn": lambda: growth.drawn(made[-1], device, [2, 3] if quick else [10, 20, 50, 100], [2, 4] if quick else [16, 64, 256]),
    }
    if device.type == "cpu":
        parts["several"] = lambda: growth.several(made[-1], *([1, 2], 50, 20) if quick else ([1, 2, 4, 8], 800, 8192))
    if device.type == "cpu" and not quick:
        parts["pipeline"] = lambda: pipeline.measured("laptop", 3)
    found = {
        "hardware": hardware(device),
        "date": date.today().isoformat(),
        "commit": commit(),
        "quick": quick,
        "libraries": {name: installed(name) for name in ("torch", "diffusers")},
    }
    return found | {name: part() for name, part in track(parts.items(), len(parts), "bench", unit="parts")}


if __name__ == "__main__":
    main()
