"""The page that shows the figures."""

from pathlib import Path
from typing import Any

import jinja2

COMMANDS = {"cpu": "make bench", "cuda": "make bench-gpu"}
"""Kind of device -> what measures on it."""


def page(figures: dict[str, Any]) -> str:
    """docs/performance.md, from figures by the kind of device."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["figure"] = lambda value: f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return environment.get_template("performance.md.j2").render(figures=figures, commands=COMMANDS, limit=_limit)


def _limit(limits: list[dict[str, Any]], precision: str) -> float:
    """The most that any product reached in a precision, in GFLOP/s."""
    return max(row["median"] for row in limits if row["precision"] == precision)
