"""A preset's plan: every job that is left to do, with what it costs; and every one that is done, with what was planned and what was so."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

from rediffuse.config import InceptionFeatures
from rediffuse.inception_weights import DATA
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes, records
from rediffuse.pipeline.recipes import Recipe
from rediffuse.plan import rates, work
from rediffuse.plan.data import data_of
from rediffuse.plan.schedule import Timed, critical_path, wall
from rediffuse.plan.work import Calls, Kind
from rediffuse.progress import track
from rediffuse.provenance import hardware
from rediffuse.sampling import cells, chunks

TRAINING = 3
"""Evaluations that a training step of an image counts as: backwards costs twice as much as forwards."""
NUMBER = 4
"""Bytes of a weight."""


@dataclass(frozen=True)
class Row:
    """A job that takes long."""

    job: str
    kind: Literal["train", "sample", "measure"]
    network: str
    """The run (or features); of measurements every one that they ask, with commas."""
    done: bool
    images: int
    """Seen in training, drawn, or 0."""
    steps: int
    """Of training; of samples, evaluations an image, over all cells."""
    batch: int
    parameters: int
    evaluations: int
    """Of a network, of one image each; of a training forwards and backwards count as one."""
    flops: float
    disk: int
    """Bytes of weights, or of samples before they are compressed."""
    seconds: float
    """Planned."""
    measured: float | None = None
    """Seconds by its record, if it is done."""
    hardware: str = ""
    """By its record."""


class Price(NamedTuple):
    """What evaluating a network costs."""

    size: rates.Size
    curves: dict[Kind, rates.Curve]
    """By a measurement here, or of FLOPs and a rate."""

    def seconds(self, calls: Calls) -> float:
        return self.curves[calls.kind].seconds(calls.batch * calls.area) * calls.images / calls.batch


@dataclass(frozen=True)
class Plan:
    """All of a preset."""

    preset: str
    where: str
    """Whose seconds they are."""
    here: bool
    """Whether they were measured, on this machine."""
    rows: list[Row]
    at_once: int
    """Jobs."""
    start: float
    """Seconds before a job begins its work: Python, and its imports."""
    others: int
    """Jobs left to do that are no rows: of them nothing but the start is planned."""
    hours: float
    """From the first job's start to the last one's end."""
    chain_hours: float
    """Of the longest chain of jobs that wait for one another."""
    chain: list[str]
    took: float
    """Seconds of measuring."""

    @property
    def left(self) -> list[Row]:
        return [row for row in self.rows if not row.done]

    @property
    def work(self) -> float:
        """Seconds of all rows left to do, one after the other."""
        return sum(row.seconds for row in self.left)

    @property
    def off_by(self) -> float | None:
        """How many times as long as planned jobs took: the median of those that are done and took over a second; None without any, and
        where the plan is another machine's."""
        ratios = [row.measured / row.seconds for row in self.rows if row.measured and row.measured > 1 and row.seconds]
        return statistics.median(ratios) if ratios and self.here else None


def plan(layout: Layout, device: torch.device, gflops: float | None = None) -> Plan:
    """The plan of a preset on this machine, by a short measurement of each network; or on one that makes so many GFLOP/s of all of them.

    gflops: what is reached, not what is advertised. Raises UserError if a network does not fit its data, or a record is damaged.
    """
    began = time.monotonic()
    at_once = 1 if gflops or device.type == "cuda" else _cores()
    jobs = recipes.jobs(layout)
    asked = {recipe.job: calls for recipe in jobs if (calls := calls_of(layout, recipe))}
    prices = _prices(layout, [each for calls in asked.values() for each in calls], device, gflops)
    rows = [_row(layout, recipe, asked[recipe.job], prices) for recipe in jobs if recipe.job in asked]
    planned = {row.job: row.seconds for row in rows}
    left = [recipe for recipe in jobs if not is_done(recipe)]
    start = 0.0 if gflops else seconds_to_start()
    timed = [Timed(recipe, start + planned.get(recipe.job, 0.0), alone(recipe)) for recipe in left]
    chain, names = critical_path(timed)
    where = described(device, gflops)
    others = sum(recipe.job not in planned for recipe in left)
    hours = wall(timed, at_once) / 3600
    return Plan(layout.name, where, not gflops, rows, at_once, start, others, hours, chain / 3600, names, time.monotonic() - began)


def calls_of(layout: Layout, recipe: Recipe) -> list[Calls]:
    """What a job asks of networks."""
    verb, *names = recipe.command.split()
    if verb == "train":
        return work.training(layout, names[0])
    if verb == "sample":
        return work.shard(layout, names[0], int(names[-1]) - 1)
    return work.measurement(layout, names[0], names[1]) if verb == "measure" else []


def is_done(recipe: Recipe) -> bool:
    """Whether all that a job leaves is there; `snakemake -n` says whether an edit since then makes it anew."""
    return all(path.exists() for path in [*recipe.makes, recipe.record])


def described(device: torch.device, gflops: float | None) -> str:
    """For which machine a plan is."""
    return f"a machine of {gflops:g} GFLOP/s" if gflops else hardware(device)


def _row(layout: Layout, recipe: Recipe, calls: list[Calls], prices: dict[str, Price]) -> Row:
    verb, *names = recipe.command.split()
    networks = list(dict.fromkeys(each.network for each in calls))
    price = prices[networks[0]]
    evaluations = sum(each.images for each in calls)
    images, steps, batch, disk = 0, 0, 0, 0
    if verb == "train":
        (training,) = calls
        images, steps, batch = training.images, training.images // training.batch, training.batch
        disk = NUMBER * price.size.parameters * (1 + len(work.kept(layout, names[0])))
    elif verb == "sample":
        samples, k = layout.preset.samples[names[0]], int(names[-1]) - 1
        n = sum(map(len, chunks(samples, k)))
        images, steps = n * len(cells(samples, layout.preset.runs[samples.run].process.T)), evaluations // n
        batch, disk = samples.chunk, work.disk(layout, names[0], k)
    record = records.read(recipe) if is_done(recipe) else None
    return Row(
        recipe.job,
        verb,  # type: ignore[arg-type]
        ", ".join(networks),
        is_done(recipe),
        images,
        steps,
        batch,
        price.size.parameters if verb == "train" else 0,
        evaluations,
        sum(prices[each.network].size.flops * each.images * each.area * (TRAINING if each.kind == "train" else 1) for each in calls),
        disk,
        sum(prices[each.network].seconds(each) for each in calls),
        record["seconds"] if record and "imported" not in record else None,
        record["hardware"] if record else "",
    )


def _prices(layout: Layout, calls: list[Calls], device: torch.device, gflops: float | None) -> dict[str, Price]:
    """Of every network that is asked for anything; of those that take equally long one is measured."""
    networks = layout.preset.runs | layout.preset.features
    asked = {name: networks[name] for name in dict.fromkeys(each.network for each in calls)}
    about = {
        name: DATA if isinstance(options, InceptionFeatures) else data_of(layout, options.dataset).about for name, options in asked.items()
    }
    alike: dict[str, list[str]] = {}
    for name in about:
        alike.setdefault(rates.key(networks[name], about[name]), []).append(name)
    prices = dict[str, Price]()
    for first, *others in track(alike.values(), len(alike), "plan", unit="networks"):
        options, network = networks[first], rates.build(networks[first], about[first], device)
        size, curves, batches = rates.size_of(network, about[first].shape, device), dict[Kind, rates.Curve](), dict[Kind, int]()
        for each in calls:
            if each.network in (first, *others):
                batches[each.kind] = max(each.batch, batches.get(each.kind, 1))
        for kind, batch in batches.items():
            if gflops:
                curves[kind] = rates.Curve([(1, size.flops * (TRAINING if kind == "train" else 1) / (gflops * 1e9))])
            else:
                curves[kind] = rates.curve(options, about[first], network, kind, batch, device)
        prices |= {name: Price(size, curves) for name in (first, *others)}
    return prices


def alone(recipe: Recipe) -> bool:
    """Whether nothing runs beside a job: it measures time."""
    verb, *names = recipe.command.split()
    return verb == "measure" and MAKES[names[0]][names[1]].alone


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds_to_start() -> float:
    """Seconds of a process that imports what a training does."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import rediffuse.runs"], check=True)
    return time.perf_counter() - began
