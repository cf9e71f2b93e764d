"""What cost grows with: the batch and the side of images, DDIM's steps and samples, and the runs and shards that are jobs of their own."""

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from contenders import Setting, make
from ruamel.yaml import YAML

from rediffuse.build import About
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes, records
from rediffuse.pipeline.recipes import Recipe
from rediffuse.plan import rates
from rediffuse.plan.planned import plan
from rediffuse.plan.schedule import Timed, wall
from rediffuse.presets import load_preset

ROOT = Path(__file__).resolve().parents[1]
S = 10
"""Steps of DDIM in the samples that are cut into shards."""


def grown(setting: Setting, device: torch.device, batches: list[int], sides: list[int]) -> list[dict[str, Any]]:
    """One evaluation in float32 of the network against the batch, and against the side of one image."""
    run, rows = setting.run(), []
    for side, most in [(setting.shape[1], max(batches)), *[(side, 1) for side in sides]]:
        about = About("noise", (setting.shape[0], side, side), 256, None, 0.0)
        network = rates.build(run, about, device).eval()
        flops = rates.size_of(network, about.shape, device).flops
        for batch in batches if most > 1 else [1]:
            x, t = torch.randn(batch, *about.shape, device=device), torch.full((batch,), 500, device=device)

            def evaluate(x: torch.Tensor = x, t: torch.Tensor = t, network: torch.nn.Module = network) -> float:
                start = time.perf_counter()
                with torch.inference_mode():
                    network(x, t).cpu()
                return time.perf_counter() - start

            evaluate()
            taken = statistics.median(evaluate() for _ in range(3))
            rows.append({"side": side, "batch": batch, "gflop": flops * batch / 1e9, "seconds": taken})
    return rows


def drawn(setting: Setting, device: torch.device, steps: list[int], batches: list[int]) -> list[dict[str, Any]]:
    """DDIM at eta = 0 in float32 against the steps S, at the largest batch; and against the samples drawn at a time, at the least S."""
    rows = []
    for S, batch in [*[(S, max(batches)) for S in steps], *[(min(steps), batch) for batch in batches if batch < max(batches)]]:
        contender = make("rediffuse", replace(setting, batch=batch), False, device)
        contender.ddim(S)
        taken = statistics.median(contender.ddim(S) for _ in range(3))
        rows.append({"S": S, "batch": batch, "seconds": taken, "evaluations": S * batch})
    return rows


def several(setting: Setting, counts: list[int], steps: int, n: int) -> list[dict[str, Any]]:
    """Whole Snakemakes on all cores, each beside its plan: so many runs are trained; n samples of DDIM are drawn in so many shards.

    setting: of digits' shape. What the timed jobs read is there before.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for count in counts:
            layout = _preset(f"runs-{count}", setting, count, steps, n, 1)
            _snakemake(layout, "prepare")
            rows.append({"what": "runs", "count": count, "images": count * steps * setting.batch} | _beside_plan(layout, "train"))
        for count in counts:
            layout = _preset(f"shards-{count}", setting, 1, steps, n, count)
            _snakemake(layout, "train")
            rows.append({"what": "shards", "count": count, "images": n} | _beside_plan(layout, "sample"))
    return rows


def _preset(name: str, setting: Setting, runs: int, steps: int, n: int, shards: int) -> Layout:
    """In the folder that is current: runs that differ in their names alone, and samples of the first of them."""
    run = setting.run().model_dump(mode="json", exclude_unset=True) | {"dataset": "digits"}
    run["training"] |= {"steps": steps, "ema_decay": 0.9}
    sampled = {"kind": "ddim", "run": "run-1", "steps": [S], "eta": [0], "tau": "linear", "n": n, "chunk": setting.batch, "shards": shards}
    path = Path(f"{name}.yaml")
    preset = {"datasets": {"digits": {"kind": "digits"}}, "features": {}, "runs": {f"run-{k + 1}": run for k in range(runs)}}
    with path.open("w") as file:
        YAML(typ="safe").dump(preset | {"samples": {"drawn": sampled}, "papers": {}}, file)
    return Layout(name, load_preset(path))


def _beside_plan(layout: Layout, verb: str) -> dict[str, float]:
    """Seconds of all jobs of a kind: as planned, of Snakemake with its own start and end, and the sum that their records tell."""
    found, asked = plan(layout, torch.device("cpu")), _jobs(layout, verb)
    planned = {row.job: row.seconds for row in found.rows}
    timed = [Timed(recipe, found.start + planned[recipe.job]) for recipe in asked]
    took = _snakemake(layout, verb)
    told = sum(record["seconds"] for recipe in asked if (record := records.read(recipe)))
    return {"planned": wall(timed, found.at_once), "seconds": took, "records": told}


def _jobs(layout: Layout, verb: str) -> list[Recipe]:
    return [recipe for recipe in recipes.jobs(layout) if recipe.command.split()[0] == verb]


def _snakemake(layout: Layout, verb: str) -> float:
    """Seconds in which all jobs of a kind are done, with those that they wait for."""
    targets = [path for recipe in _jobs(layout, verb) for path in recipe.makes]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "all"]
    began = time.perf_counter()
    subprocess.run([*command, "--config", f"preset={layout.name}.yaml", "--", *targets], check=True, capture_output=True)
    return time.perf_counter() - began
