"""What the pipeline adds to the work: the time of a run that has nothing to do, a job's start, the longest chain of jobs."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rediffuse.paths import Layout
from rediffuse.pipeline import recipes, records
from rediffuse.plan.planned import is_done, seconds_to_start
from rediffuse.plan.schedule import Timed, critical_path
from rediffuse.presets import load_preset, preset_path


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
    found: dict[str, Any] = {"preset": layout.name, "jobs": len(jobs), "dry_run": min(times), "nothing_to_do": "Nothing to be done" in said}
    found |= {"start": seconds_to_start(), "chain": None, "chain_jobs": [], "sum": None, "work": None}
    if all(is_done(recipe) for recipe in jobs):
        timed = [Timed(recipe, record["seconds"] if (record := records.read(recipe)) else 0.0) for recipe in jobs]
        found["chain"], found["chain_jobs"] = critical_path(timed)
        found["sum"] = sum(each.seconds for each in timed)
        found["work"] = sum(each.seconds for each in timed if each.recipe.command.split()[0] in ("train", "sample", "measure"))
    return found
