"""When jobs that wait for one another would be done, by as many at a time as there are cores or GPUs."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from rediffuse.pipeline.recipes import Recipe

FIRST = {"train": 10, "train_keeping": 10, "sample": 5, "train_cell": 1}
"""Rule -> its priority in the workflow; every other rule has 0."""


class Timed(NamedTuple):
    """A job and its seconds."""

    recipe: Recipe
    seconds: float
    alone: bool = False
    """Whether nothing runs beside it."""


def wall(jobs: Sequence[Timed], at_once: int) -> float:
    """Seconds from the first job's start to the last one's end: each begins as soon as what it reads is made and there is room for it."""
    waits = _waits(jobs)
    pending, running = set(range(len(jobs))), list[tuple[float, int, int]]()
    now, free, done = 0.0, at_once, set[int]()
    while pending or running:
        ready = sorted((k for k in pending if waits[k] <= done), key=lambda k: (-FIRST.get(jobs[k].recipe.rule, 0), k))
        for k in ready:
            room = at_once if jobs[k].alone else 1
            if room <= free:
                free -= room
                pending.remove(k)
                heapq.heappush(running, (now + jobs[k].seconds, k, room))
        now, k, room = heapq.heappop(running)
        free += room
        done.add(k)
    return now


def critical_path(jobs: Sequence[Timed]) -> tuple[float, list[str]]:
    """The seconds of the longest chain of jobs of which each reads what the last one makes, and their names: with no end of cores."""
    ends: dict[int, tuple[float, list[str]]] = {}
    waits = _waits(jobs)
    while len(ends) < len(jobs):
        for k in range(len(jobs)):
            if k not in ends and waits[k] <= ends.keys():
                before, names = max((ends[i] for i in waits[k]), default=(0.0, []))
                ends[k] = before + jobs[k].seconds, [*names, jobs[k].recipe.job]
    return max(ends.values(), default=(0.0, []))


def _waits(jobs: Sequence[Timed]) -> list[set[int]]:
    """Of each job, those whose files it reads."""
    makers = {path: k for k, job in enumerate(jobs) for path in [*job.recipe.makes, job.recipe.record]}
    return [{makers[path] for path in job.recipe.reads if path in makers} - {k} for k, job in enumerate(jobs)]
