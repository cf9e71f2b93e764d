"""What the papers' own trainings and samples would cost: measured where a network is small enough for that, and from FLOPs beyond."""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch

from rediffuse.build import About
from rediffuse.config import Run
from rediffuse.plan import rates
from rediffuse.plan.data import LEVELS
from rediffuse.plan.planned import TRAINING
from rediffuse.plan.work import Kind
from rediffuse.progress import track

SAMPLES = 50_000
"""Images that the papers' Frechet distances are of."""
STEPS = (1000, 50)
"""S for which the time of so many is told."""
FITS = 20e9
"""FLOPs of an evaluation up to which a network is measured."""


@dataclass(frozen=True)
class Published:
    """A data set of the papers, with the budget published for it."""

    data: str
    side: int
    steps: int
    batch: int
    parameters: int
    flops: int
    """Of one evaluation of one image."""
    measured: bool
    train_hours: float
    sample_hours: dict[int, float]
    """S -> hours of SAMPLES images."""
    source: str


def published(device: torch.device, gflops: float | None) -> list[Published]:
    """Every row of published.csv, at so many GFLOP/s; without them at what is measured here.

    A network that does not fit is taken to reach as many GFLOP/s as the last one that was measured.
    """
    reached: dict[Kind, float] = {"train": gflops or 0.0, "chain": gflops or 0.0}
    found, sizes = list[Published](), dict[str, rates.Size]()
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    for row in track(rows, len(rows), "plan", unit="networks"):
        side, multipliers, batch, steps = int(row["side"]), row["multipliers"], int(row["batch"]), int(row["steps"])
        run, about = _run(row), About(row["data"], (3, side, side), LEVELS, None, 0.0)
        if multipliers not in sizes:
            network = rates.build(run, about, device)
            sizes[multipliers] = rates.size_of(network.eval(), about.shape, device)
        size = sizes[multipliers]
        fits = not gflops and size.flops <= FITS
        if fits:
            for kind, times in (("train", TRAINING), ("chain", 1)):
                curve = rates.curve(run, about, network, kind, batch, device)  # type: ignore[arg-type]
                reached[kind] = times * size.flops / 1e9 * batch / curve.seconds(batch)  # type: ignore[index]
        hours = {S: size.flops * SAMPLES * S / (reached["chain"] * 1e9) / 3600 for S in STEPS}
        training = TRAINING * size.flops * steps * batch / (reached["train"] * 1e9) / 3600
        found.append(Published(row["data"], side, steps, batch, size.parameters, size.flops, fits, training, hours, row["source"]))
    return found


def _run(row: dict[str, str]) -> Run:
    return Run.model_validate(
        {
            "dataset": "published",
            "process": {"kind": "gaussian", "T": 1000, "schedule": {"kind": "linear"}},
            "network": {"kind": "unet", "multipliers": [*map(int, row["multipliers"].split())], "dropout": float(row["dropout"])},
            "predicts": "eps",
            "variance": "fixed-large",
            "objective": "simple",
            "training": {"steps": int(row["steps"]), "batch": int(row["batch"]), "lr": 2e-4, "ema_decay": 0.9999},
        }
    )
