"""`rediffuse status`: every job of a preset that takes long, and how far it is, by its files and by what it last told of itself."""

import json
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.progress import TELL_EVERY, born, number, told_in

State = Literal["done", "waiting", "failed", "stopped", "running"]
ORDER: tuple[State, ...] = ("done", "waiting", "failed", "stopped", "running")
"""From what may scroll away to what is looked for."""
EARLY = ("failed", "stopped")
SILENT = 60.0
"""Seconds after which a job on another machine, whose processes cannot be asked for from here, counts as stopped."""
WIDTH = 100
"""Columns where there is no terminal."""


class Job(NamedTuple):
    """One of Snakemake's jobs that take long."""

    name: str
    files: list[Path]
    """What it makes."""
    total: int | None = None
    """Its steps, where the preset says them."""


class Told(BaseModel):
    """What a job told of itself (see progress.py)."""

    pid: int = Field(gt=0, lt=2**31)
    born: str
    host: str
    state: Literal["running", "done", "failed", "stopped"]
    time: float
    """Of the last item, in seconds since 1970."""
    what: str = ""
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    unit: str = ""
    left: float | None = None
    note: str = ""


class Row(BaseModel):
    """A job as it is shown. Fields that nothing is known of are null."""

    job: str
    state: State
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    """Units a second."""
    unit: str = ""
    left: float | None = None
    """Seconds, of the loop that it is in."""
    silent: float | None = None
    """Seconds since its last word."""
    note: str = ""
    """The loss, what it does, or why it ended early."""
    host: str = ""
    pid: int | None = None


def jobs(layout: Layout) -> Iterator[Job]:
    """The jobs of a preset that take long, in the order in which they can be made."""
    preset = layout.preset
    for recipe in recipes.jobs(layout):
        verb, *names = recipe.command.split()
        files = [*recipe.makes, recipe.record]
        if verb == "train":
            training = getattr((preset.runs | preset.features)[names[0]], "training", None)  # Inception has none
            yield Job(recipe.command, files, training and training.steps)
        elif verb == "sample":
            yield Job(f"sample {names[0]} {names[-1]}/{preset.samples[names[0]].shards}", files)
        elif verb == "import-weights":
            yield Job(f"import {names[-1]}", files)
        elif verb in ("prepare", "measure"):
            yield Job(recipe.command, files)


def look(layout: Layout) -> list[Row]:
    """Every job as it is now: first those that are done, last those that run."""
    rows = [_row(job, told_in(layout.results, job.name)) for job in jobs(layout)]
    return sorted(rows, key=lambda row: ORDER.index(row.state))


def _row(job: Job, path: Path) -> Row:
    told, said = _read(path)
    made = [file.stat().st_mtime for file in job.files if file.exists()]
    whole = len(made) == len(job.files)
    row = Row(job=job.name, state="done" if whole else "waiting", total=job.total)
    if not told or (told.state == "done" and not whole):  # whose files were removed since, or are to be made anew
        return row
    about = {"done": told.done, "total": told.total, "rate": told.rate, "unit": told.unit, "host": told.host, "pid": told.pid}
    row = row.model_copy(update=about | {"note": told.note or (told.what if not job.name.startswith(told.what) else "")})
    if told.state == "running" and _lives(told, said):
        return row.model_copy(update={"state": "running", "left": told.left, "silent": time.time() - told.time})
    if whole and (told.state != "failed" or min(made) > told.time):
        return row
    row = row.model_copy(update={"silent": time.time() - told.time})
    if told.state == "failed":
        return row.model_copy(update={"state": "failed"})
    # One that heard a signal has said where it was left; one that was killed says nothing more.
    left = told.note if told.state == "stopped" and told.note else "its process is gone; the same command again goes on"
    return row.model_copy(update={"state": "stopped", "note": left})


def _read(path: Path) -> tuple[Told | None, float]:
    """What a job told, and when it was last heard, in seconds since 1970. A file that was damaged tells nothing."""
    try:
        return Told.model_validate_json(path.read_bytes()), path.stat().st_mtime
    except (OSError, ValidationError):
        return None, 0.0


def _lives(told: Told, said: float) -> bool:
    if told.host == socket.gethostname():
        return born(told.pid) == told.born
    return time.time() - said < SILENT


def show(layout: Layout) -> None:
    print("\n".join(text(layout.name, look(layout), _size()[0])))


def show_json(layout: Layout) -> None:
    print(json.dumps([row.model_dump() for row in look(layout)], indent=2, ensure_ascii=False))


def watch(layout: Layout) -> None:
    """Draw the jobs anew every two seconds, as many of the last as fit, until interrupted."""
    try:
        while True:
            width, height = _size()
            lines = [line[:width] for line in text(layout.name, look(layout), width)]
            over = max(0, len(lines) + 1 - height)
            head = [f"({over} more above)"] if over else []
            # Below the header, what is done and waits gives way.
            sys.stdout.write("\x1b[H\x1b[2J" + "\n".join([lines[0], *head, *lines[1 + over + len(head) :]]) + "\n")
            sys.stdout.flush()
            time.sleep(TELL_EVERY)
    except KeyboardInterrupt:
        return


def text(preset: str, rows: list[Row], width: int) -> list[str]:
    """The lines of a table, no wider than asked: a header, a line a job, in full why jobs ended early, and how many are in each state."""
    table = [("job", "state", "step", "speed", "left", "silent", ""), *[_cells(row) for row in rows]]
    widths = [max(len(cells[k]) for cells in table) for k in range(6)]
    lines = ["  ".join([*[cell.ljust(size) for cell, size in zip(cells, widths, strict=False)], cells[6]]) for cells in table]
    counts = Counter(row.state for row in rows)
    told = ", ".join(f"{counts[state]} {state}" for state in reversed(ORDER) if counts[state])
    early = [f"{row.job}: {row.state}: {row.note}" for row in rows if row.state in EARLY]
    return [*[line[:width].rstrip() for line in lines], *early, f"{preset}: {told}" if rows else f"{preset}: no jobs"]


def _cells(row: Row) -> tuple[str, ...]:
    step = f"{row.done}/{row.total}" if row.done is not None else f"0/{row.total}" if row.total and row.state == "waiting" else ""
    # "numbers of steps" would push out the rest of the line.
    unit = row.unit if len(row.unit) <= len("images") else ""
    speed = f"{number(row.rate)} {unit}/s".replace(" /", "/") if row.rate else ""
    return row.job, row.state, step, speed, _time(row.left), _time(row.silent), "" if row.state in EARLY else row.note


def _time(seconds: float | None) -> str:
    """In the unit that keeps it short."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size() -> tuple[int, int]:
    return shutil.get_terminal_size((WIDTH, 24))
