"""Progress of long work: a bar in a terminal, a plain line now and then in a log file."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
SECONDS = 10.0
"""Between two lines in a log file."""


def track(
    items: Iterable[Item], total: int, what: str, per_item: int = 1, unit: str = "images", note: Callable[[], str] | None = None
) -> Iterator[Item]:
    """Yield the items, saying how far the work is, units a second and the time left.

    per_item units are done with each item; note() adds a word (the loss, say) to every line.
    """
    if sys.stderr.isatty():
        yield from _bar(items, total, what, per_item, unit, note)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS or done == total:
            last, rate = now, done / max(now - start, 1e-9)
            word = f", {note()}" if note else ""
            left = (total - done) / rate
            print(f"{what}: {done}/{total}, {rate * per_item:.0f} {unit}/s, {left:.0f} s left{word}", file=sys.stderr, flush=True)


def _bar(items: Iterable[Item], total: int, what: str, per_item: int, unit: str, note: Callable[[], str] | None) -> Iterator[Item]:
    from tqdm import tqdm

    with tqdm(total=total * per_item, desc=what, unit=f" {unit}", unit_scale=True) as bar:
        for done, item in enumerate(items, 1):
            yield item
            bar.update(per_item)
            if note and done % 20 == 0:
                bar.set_postfix_str(note(), refresh=False)
