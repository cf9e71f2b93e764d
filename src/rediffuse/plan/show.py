"""A plan as lines for a terminal, or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from rediffuse.plan.planned import Plan, Row
from rediffuse.plan.published import SAMPLES, Published
from rediffuse.progress import number

SMALL = 0.01
"""Share of all measurements' seconds under which one has no line of its own."""
LINKS = 4
"""Jobs of the longest chain that are named."""


def as_json(plan: Plan, price: float | None) -> str:
    """Everything; `dollars` is null without a price an hour."""
    more = {"work_hours": plan.work / 3600, "off_by": plan.off_by, "dollars": None if price is None else price * plan.hours}
    return json.dumps(asdict(plan) | more, indent=2, ensure_ascii=False)


def as_text(plan: Plan, price: float | None) -> list[str]:
    """A table each of trainings, samples and measurements, and what all of it comes to."""
    trainings, samples, measurements = ([row for row in plan.rows if row.kind == kind] for kind in ("train", "sample", "measure"))
    lines = [f"{plan.preset}, planned for {plan.where}", ""]
    lines += _table(
        ("training", "", "steps", "batch", "images", "parameters", "FLOP", "weights", "time", ""),
        [("", f"{row.steps:,}", f"{row.batch:,}", f"{row.images:,}", f"{row.parameters:,}", *_cost(row)) for row in trainings],
        trainings,
    )
    lines += _table(
        ("samples", "of", "images", "calls each", "FLOP", "size", "time", ""),
        [(row.network, f"{row.images:,}", f"{row.evaluations / row.images:.0f}", *_cost(row)) for row in samples],
        samples,
    )
    limit = SMALL * sum(row.seconds for row in measurements)
    large = [row for row in measurements if row.seconds >= limit]
    cells = [("", f"{row.evaluations:,}", _big(row.flops), _time(row.seconds), _state(row)) for row in large]
    lines += _table(("measurement", "", "calls", "FLOP", "time", ""), cells, large)
    if small := len(measurements) - len(large):
        lines[-1:] = [f"and {small} that take less than {SMALL:.0%} of these together each", ""]
    return lines + _totals(plan, price)


def published_json(rows: Sequence[Published], price: float | None) -> str:
    """`dollars` of the training is null without a price an hour."""
    dollars = [None if price is None else price * row.train_hours for row in rows]
    return json.dumps([asdict(row) | {"dollars": paid} for row, paid in zip(rows, dollars, strict=True)], indent=2, ensure_ascii=False)


def published_text(rows: Sequence[Published], where: str, price: float | None) -> list[str]:
    """A line a data set: its network, its training, and its samples at some numbers of steps."""
    head = ("data", "side", "steps", "batch", "parameters", "FLOP/image", "training", *[f"S = {S}" for S in rows[0].sample_hours])
    cells = []
    for row in rows:
        times = [_time(3600 * hours) for hours in (row.train_hours, *row.sample_hours.values())]
        about = (row.data, str(row.side), f"{row.steps:,}", str(row.batch), f"{row.parameters:,}", _big(row.flops), *times)
        cells.append(about if price is None else (*about, f"{price * row.train_hours:,.0f}"))
    lines = [head if price is None else (*head, "dollars"), *cells]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    measured = ", ".join(row.data for row in rows if row.measured)
    how = f"measured: {measured}; the rest from FLOPs at the rate that was reached there" if measured else "all from FLOPs"
    aligned = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return [f"The papers' own budgets, planned for {where} ({how})", "", *aligned, "", f"S = ...: {SAMPLES:,} samples by so many steps"]


def _totals(plan: Plan, price: float | None) -> list[str]:
    done, left = len(plan.rows) - len(plan.left), plan.left
    disk = {kind: sum(row.disk for row in left if row.kind == kind) for kind in ("train", "sample")}
    chain = " > ".join(plan.chain[:LINKS]) + f" > {len(plan.chain) - LINKS} more" * (len(plan.chain) > LINKS)
    lines = [
        f"done      {done} of these {len(plan.rows)} jobs, which nothing below counts",
        f"left      {_time(plan.work)} of work, {_big(sum(row.flops for row in left))}FLOP",
        f"others    {plan.others} jobs (data, tables, figures, pages), of which only the start is planned",
        f"start     {_time(plan.start) if plan.start else 'not known'} of every job",
        f"disk      {_bytes(disk['train'])} of weights, {_bytes(disk['sample'])} of samples before they are compressed",
        f"no sooner {_time(plan.chain_hours * 3600)}: {chain}",
        f"expected  {_time(plan.hours * 3600)}, {plan.at_once} job{'s' * (plan.at_once > 1)} at a time",
    ]
    if price is not None:
        lines.append(f"price     {price * plan.hours:,.2f} dollars, at {price:g} an hour")
    if ratio := plan.off_by:
        where = sorted({row.hardware for row in plan.rows if row.hardware})
        lines.append(f"check     jobs that are done took {ratio:.2f} times as long as planned (median), on {'; '.join(where)}")
    return lines


def _name(row: Row) -> str:
    if row.kind == "measure":
        return row.job.replace("-measure-", " ")
    return row.job.removeprefix(f"{row.kind}-").removeprefix(f"{row.network}-" if row.kind == "sample" else "")


def _cost(row: Row) -> tuple[str, ...]:
    return _big(row.flops), _bytes(row.disk), _time(row.seconds), _state(row)


def _state(row: Row) -> str:
    if row.measured is None:
        return "done" if row.done else ""
    return f"done; took: {_time(row.measured)}, planned: {_time(row.seconds)}"


def _table(head: tuple[str, ...], cells: Sequence[tuple[str, ...]], rows: Sequence[Row]) -> list[str]:
    """Aligned: names and the last column to the left, numbers to the right; and an empty line. Rows of which all is the same but the name,
    one after the other, are one, with how many they are; its numbers are those of each."""
    if not rows:
        return []
    lines = [head]
    for alike, those in groupby(zip(cells, map(_name, rows), strict=True), key=lambda each: each[0][1:]):
        group = [*those]
        (first, name), more = group[0], len(group) - 1
        lines.append((f"{name} and {more} more, each" if more else name, first[0], *alike))
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    last = len(head) - 1

    def text(line: tuple[str, ...]) -> str:
        sized = [
            cell.ljust(size) if k in (0, 1, last) else cell.rjust(size) for k, (cell, size) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cell for cell, size in zip(sized, widths, strict=True) if size).rstrip()

    return [*map(text, lines), ""]


def _big(value: float) -> str:
    """With the prefix that keeps it short: 1.2 G."""
    for size, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{number(value / size)} {prefix}"
    return f"{value:.0f} "


def _bytes(value: int) -> str:
    return f"{_big(value)}B"


def _time(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds)} s" if seconds >= 0.1 else "< 0.1 s"
