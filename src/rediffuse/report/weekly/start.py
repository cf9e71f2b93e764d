"""`rediffuse weekly new`: the next report, begun from what the last one planned."""

import re
from datetime import date, timedelta
from pathlib import Path

from rediffuse import revisions, weeklies
from rediffuse.errors import UserError
from rediffuse.files import write_text

NEXT = re.compile(r"^##\s+(下周任务|Next week)\b.*$", re.IGNORECASE)
HEADS = {"en": ("Tasks", "Next week"), "zh": ("本周任务", "下周任务")}
ITEM = re.compile(r"(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?(\S.*)")


def new(to: date | None, preset: str) -> Path:
    """Write the next report: the tasks that the last one planned, none of them done. to: its last day, else a week after the last one's.

    Raises UserError if there is no last report, if it plans nothing, or if the file is there.
    """
    if not (names := weeklies.names()):
        raise UserError(f"{weeklies.FOLDER}: no report; expected a first one, written by hand (docs/weekly.md)")
    last = weeklies.read(weeklies.path_of(names[-1]))
    if last.front.to > date.max - timedelta(days=8):
        raise UserError(f"{last.path}: found a report at the end of time; expected days after it")
    to = to or last.front.to + timedelta(days=7)
    path = weeklies.path_of(to.isoformat())
    if path.exists():
        raise UserError(f"{path}: is there; expected a day that has no report: --date YYYY-MM-DD")
    since = last.front.to + timedelta(days=1)
    if to < since:
        raise UserError(f"--date: found {to}; expected {since} or later, since {last.path} is there")
    planned = tasks(last.body)
    if not planned:
        raise UserError(f"{last.path}: no list below ## 下周任务 or ## Next week; expected the tasks that the next report begins with")
    tasks_head, next_head = HEADS[last.front.language]
    at = f'"{revisions.short("HEAD")}"' if revisions.here() else weeklies.LAST
    front = [f"from: {since}", f"to: {to}", f"language: {last.front.language}", f"baseline: {at}", f"presets: [{preset}]"]
    lines = ["---", *front, "---", "", f"## {tasks_head}", "", *[f"- [ ] {task}" for task in planned], "", f"## {next_head}", "", "- ", ""]
    write_text(path, "\n".join(lines))
    return path


def tasks(body: str) -> list[str]:
    """The list below the heading of next week's tasks; what is indented below one stays with it."""
    found: list[str] = []
    below, blank = False, False
    for line in body.splitlines():
        if re.match(r"#{1,2}\s", line):
            below = bool(NEXT.match(line))
        elif below and (item := ITEM.match(line)):
            found.append(item[1])
        elif below and found and line.strip():
            if blank and not line[:1].isspace():  # a paragraph below the list
                break
            found[-1] += "\n" * blank + (f"\n{line.rstrip()}" if line[:1].isspace() else f"\n  {line.strip()}")
        blank = not line.strip()
    return found
