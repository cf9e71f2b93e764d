"""What the pipeline adds to the work: the time of a run that has nothing to do, a job's start, the longest chain of jobs."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from compare import spread

from rediffuse.paths import Layout
from rediffuse.pipeline import recipes, records
from rediffuse.plan.planned import alone, is_done, plan, seconds_to_start
from rediffuse.plan.schedule import Timed, critical_path
from rediffuse.presets import load_preset, preset_path

PAUSE = 60.0


def measured(preset: str, repeats: int) -> dict[str, Any]:
    """Of the tree in which it is run. Chain and sum are of its records; null where jobs are still to be done."""
    snakemake = [Path(sys.executable).with_name("snakemake"), "-n", "--cores", "all", "--config", f"preset={preset}"]
    times, said = [], ""
    for _ in range(repeats):
        start = time.perf_counter()
        said = subprocess.run(snakemake, check=True, capture_output=True, text=True).stdout
        times.append(time.perf_counter() - start)
    layout = Layout(preset_path(preset).stem, load_preset(preset_path(preset)))
    jobs = recipes.jobs(layout)
    found: dict[str, Any] = {
        "preset": layout.name,
        "jobs": len(jobs),
        "cores": os.cpu_count(),
        "dry_run": min(times),
        "nothing_to_do": "Nothing to be done" in said,
    }
    found |= {"start": seconds_to_start(), "chain": None, "chain_jobs": [], "sum": None, "work": None}
    found |= {"commits": [], "wall": None, "busy": None, "between": None, "planned": None}
    if all(is_done(recipe) for recipe in jobs):
        made = [record for recipe in jobs if (record := records.read(recipe))]
        timed = [Timed(recipe, record["seconds"], alone(recipe)) for recipe, record in zip(jobs, made, strict=True)]
        found["commits"] = sorted({record["commit"] for record in made})
        found["chain"], found["chain_jobs"] = critical_path(timed)
        found["sum"] = sum(each.seconds for each in timed)
        found["work"] = sum(each.seconds for each in timed if _works(each))
        found["wall"], found["busy"] = _covered(timed)
        held = sum(each.seconds * (found["cores"] if each.alone else 1) for each in timed)
        found["between"] = (found["cores"] * found["wall"] - held) / len(jobs)
        rows = [row for row in plan(layout, torch.device("cpu")).rows if row.measured and row.measured > 1]
        found["planned"] = spread([row.measured / row.seconds for row in rows if row.measured])
    return found


def _works(job: Timed) -> bool:
    return job.recipe.command.split()[0] in ("train", "sample", "measure")


def _covered(jobs: list[Timed]) -> tuple[float, float]:
    """Seconds from the first job's begin to the last one's end, less pauses of over a minute in which none ran (the tree was made in
    several goes); and seconds of them in which at least one training, sampling or measurement did.

    A job ends when its record is written, and begins as many seconds before as it says. Of records that were brought by DVC this is not so.
    """
    spans = sorted((end - job.seconds, end, _works(job)) for job in jobs for end in [job.recipe.record.stat().st_mtime])
    wall, busy, at, worked = 0.0, 0.0, spans[0][0], spans[0][0]
    for begin, end, works in spans:
        if end > at:
            wall += end - (at if begin - at < PAUSE else begin)
            at = end
        if works and end > worked:
            busy += end - max(begin, worked)
            worked = end
    return wall, busy
