"""Both contenders turn about, so that a slow minute hits both alike: medians, and the range from the lower to the upper quartile."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from contenders import Contender, Precise, Setting, T, make, names
from machine import PRECISIONS

from rediffuse.build import About
from rediffuse.plan import rates
from rediffuse.plan.planned import TRAINING

SAMPLER_STEPS = 5


def compared(setting: Setting, device: torch.device, rounds: int, seconds: float) -> dict[str, Any]:
    """Of one network: training and evaluation in images/s and GFLOP/s, and what each sampler adds to its network.

    Each timing is of as many steps as fill so many seconds; one round of them goes before and is not counted.
    """
    run = setting.run()
    about = About("noise", setting.shape, 256, None, 0.0)
    size = rates.size_of(rates.build(run, about, device).eval(), setting.shape, device)
    rows = []
    for precision in PRECISIONS:
        made = {name: make(name, setting, precision == "bfloat16", device) for name in names(device)}
        if {contender.parameters for contender in made.values()} != {size.parameters}:
            raise SystemExit(f"{setting.name}: the contenders have {[c.parameters for c in made.values()]} parameters; expected the same")
        for what, per_image in (("train", TRAINING * size.flops), ("evaluate", size.flops)):
            taken = _in_turn({name: _repeated(getattr(contender, what), seconds) for name, contender in made.items()}, rounds)
            for name, times in taken.items():
                row = {"what": what, "precision": precision, "contender": name} | spread([setting.batch / each for each in times])
                rows.append(row | {"gflops": row["median"] * per_image / 1e9})
        for sampler in ("ddim", "ddpm"):
            rows += [
                {"what": sampler, "precision": precision, "contender": name} | spread(added)
                for name, added in _added(made, sampler, rounds).items()
            ]
    about_it = {"name": setting.name, "shape": setting.shape, "batch": setting.batch, "rounds": rounds}
    about_it |= {"parameters": size.parameters, "flops": size.flops, "agreement": agreement(setting, device)}
    return about_it | {"ratios": ratios(rows), "rows": rows}


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our images/s over diffusers', medians of one run: in each precision, and ours in bfloat16 over theirs as shipped, in float32."""
    rate = {(row["what"], row["precision"], row["contender"]): row["median"] for row in rows}
    pairs = [(precision, precision) for precision in PRECISIONS] + [("bfloat16", "float32")]
    return [
        {"what": what, "ours": ours, "theirs": theirs, "ratio": rate[what, ours, "rediffuse"] / rate[what, theirs, "diffusers"]}
        for what in ("train", "evaluate")
        for ours, theirs in pairs
    ]


def agreement(setting: Setting, device: torch.device) -> dict[str, float]:
    """How far bfloat16 is from float32 on the same network and noise, as a share of float32's root mean square: eps-hat, and the gradient.

    Every weight is drawn anew, since the layers that begin at 0 would put out nothing.
    """
    shape, run = setting.shape, setting.run()
    torch.manual_seed(0)
    network = rates.build(run, About("noise", shape, 256, None, 0.0), device).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
    x, eps = torch.randn(2, setting.batch, *shape).to(device)
    t = torch.linspace(0, T - 1, setting.batch, device=device).long()
    found = []
    for bfloat16 in (False, True):
        network.zero_grad()
        output = Precise(network, bfloat16)(x, t)
        torch.nn.functional.mse_loss(output, eps).backward()
        found.append((output.detach(), torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])))
    return {name: float((b - a).norm() / a.norm()) for name, a, b in zip(("eps_hat", "gradient"), *found, strict=True)}


def started(setting: str, device: torch.device, precision: str) -> list[dict[str, Any]]:
    """Of each contender in a fresh process: seconds to the end of the first training step, and the peak of memory in bytes."""
    rows = []
    for name in names(device):
        command = [sys.executable, Path(__file__).with_name("fresh.py"), name, setting, precision, str(device), str(time.time())]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append({"contender": name, "precision": precision} | json.loads(told.splitlines()[-1]))
    return rows


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles; of fewer than four values their range."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 3 else (min(values), statistics.median(values), max(values))
    return {"median": middle, "low": low, "high": high, "n": len(values)}


def _repeated(work: Callable[[int], float], seconds: float) -> Callable[[], float]:
    """Seconds of one step, by as many as take so long; the first, which warms up, is not timed."""
    work(1)
    steps = max(1, int(seconds / work(1)))
    return lambda: work(steps) / steps


def _in_turn(works: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        names = list(works) if turn % 2 == 0 else list(reversed(works))
        for name in names:
            taken[name].append(works[name]())
    return taken


def _added(made: dict[str, Contender], sampler: str, rounds: int) -> dict[str, list[float]]:
    """A sampler's time less that of as many bare evaluations, as a share of theirs, pair by pair."""
    shares: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(rounds + 1):
        for name, contender in made.items():
            whole, bare = getattr(contender, sampler)(SAMPLER_STEPS), contender.evaluate(SAMPLER_STEPS)
            if turn:
                shares[name].append(whole / bare - 1)
    return shares
