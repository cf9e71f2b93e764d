"""Sohl-Dickstein et al. 2015: which of its claims hold here."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, decide, one, positive
from rediffuse.papers.sohl2015.tables import TABLES
from rediffuse.paths import Layout

WITHIN = 0.1
"""Bits between K and the heartbeat's log-likelihood that still are what the paper says."""


def bound(layout: Layout) -> Verdict:
    """The exact log-likelihood of the same data is nowhere under K by more than the standard error of their difference."""
    rows = _rows(layout, "log-likelihood - K")
    return decide(all(row["value"] >= -row["sd"] for row in rows), _list(rows, "log-likelihood - K"), "K is above the exact value")


def learned(layout: Layout) -> Verdict:
    """K - L_null is above 0 by more than two standard errors."""
    rows = _rows(layout, "K - L_null")
    return decide(all(row["value"] > 2 * row["sd"] for row in rows), _list(rows, "K - L_null"), "K is not above L_null")


def heartbeat(layout: Layout) -> Verdict:
    """The best run on the heartbeat; all of them are told."""
    rows = [row for row in _rows(layout, "log-likelihood - K") if row["unit"] == "bits/sequence"]
    if not rows:
        raise MissingError("no run on the heartbeat in table1")
    best = min(rows, key=lambda row: row["value"])
    return decide(best["value"] <= WITHIN, _list(rows, "log-likelihood - K"), f"{best['value'] - WITHIN:.2g} bits more than {WITHIN}")


def heartbeat_samples(layout: Layout) -> Verdict:
    row = one(_read(layout, "fig2"), metric="valid sequences")
    measured = f"{row['value']:.1%} ± {row['sd']:.1%} of {row['n']:.0f} generated sequences are heartbeats ({row['run']})"
    return decide(row["value"] >= 0.95, measured, "fewer than 95 %")


def swiss_roll_gap(layout: Layout) -> Verdict:
    """The smallest gap of the ablation, with the paper's own network beside it."""
    table = _read(layout, "ablation")
    gaps = [row for _, row in table[table["metric"] == "log-likelihood - K"].iterrows()]
    best = min(gaps, key=lambda row: float(row["value"]))
    floor = one(table, run=best["run"], metric="gap of a perfect network")
    measured = f"{_told(best, 'gap')}, of which {floor['value']:.2g} are the kernels'; first of the table: {_told(gaps[0], 'gap')}"
    return decide(best["value"] <= 0.5, measured, f"{best['value'] - 0.5:.2g} bits more")


def entropy_bounds(layout: Layout) -> Verdict:
    """At every t of every run; what quadrature rounds off (1e-6 bits) is allowed for."""
    table = _read(layout, "entropy")
    outside = table[(table["exact"] < table["lower"] - 1e-6) | (table["exact"] > table["upper"] + 1e-6)]
    parts = []
    for run, here in table.groupby("run", sort=False):
        room = (here["upper"] - here["lower"]).replace(float("inf"), float("nan"))
        parts.append(f"{run}: {len(here) - (outside['run'] == run).sum()} of {len(here)} steps, the bounds {room.mean():.2g} bits apart")
    where = "; ".join(f"{row['run']} at t = {row['t']}" for row in outside.head(3).to_dict("records"))
    return decide(outside.empty, "; ".join(parts), f"not {where}")


def learned_rates(layout: Layout) -> Verdict:
    """Every run whose rates are learned from a schedule, beside the run of the same network whose rates are that schedule's."""
    table = _read(layout, "ablation")
    rows = table[table["metric"] == "log-likelihood - K"]
    pairs = []
    for _, learned in rows[rows["schedule"].str.startswith("learned from ")].iterrows():
        start = learned["schedule"].removeprefix("learned from ")
        same = (rows["schedule"] == start) & (rows["network"] == learned["network"]) & (rows["T"] == learned["T"])
        pairs += [(learned, fixed) for _, fixed in rows[same].iterrows()]
    if not pairs:
        raise MissingError("no run with learned rates beside one with the rates it starts from")
    measured = "; ".join(
        f"gap learned {a['value']:.3g} ± {a['sd']:.2g}, fixed {b['value']:.3g} ± {b['sd']:.2g} ({a['network']})" for a, b in pairs
    )
    worse = [f"{a['run']} is worse" for a, b in pairs if a["value"] - b["value"] > 2 * (a["sd"] ** 2 + b["sd"] ** 2) ** 0.5]
    return decide(not worse, measured + "; one training seed each", "; ".join(worse))


def dead_leaves(layout: Layout) -> Verdict:
    """Against both Gaussian baselines, image by image."""
    table = _read(layout, "table2")
    rows = table[(table["metric"] == "diffusion - model") & (table["model"] != "diffusion") & table["value"].notna()]
    if rows.empty:
        raise MissingError("no baselines on dead leaves")
    hardest = min(rows.to_dict("records"), key=lambda row: float(row["value"]))
    measured = "; ".join(f"above the {row['model']} by {row['value']:.3g} ± {row['sd']:.2g} bits/pixel" for row in rows.to_dict("records"))
    return positive(hardest["value"], hardest["sd"], measured, f"the {hardest['model']} is higher")


def digits_parzen(layout: Layout) -> Verdict:
    """Not above the perfect model by more than two standard errors, image by image; what models nothing is told beside it."""
    table = _read(layout, "table2")
    rows = {row["model"]: row for row in table[(table["metric"] == "model - perfect") & table["value"].notna()].to_dict("records")}
    if "diffusion" not in rows:
        raise MissingError("no digits in table2")
    ours, perfect = rows["diffusion"], one(table, model='"perfect model"', metric="log-likelihood")
    others = [f"{row['model']}: {row['value']:+.3g} ± {row['sd']:.2g}" for model, row in rows.items() if model != '"perfect model"']
    measured = f"bits from the perfect model's {perfect['value']:.3g}: {'; '.join(others)}"
    return decide(ours["value"] <= 2 * ours["sd"], measured, "above the perfect model, which is suspect")


def denoising(layout: Layout) -> Verdict:
    """The mean of posterior samples, by the recommended rule; the others are told beside it."""
    table = _read(layout, "fig3")
    rows = table[(table["metric"] == "PSNR - Wiener") & ~table["estimate"].isin(["noisy", "Wiener filter"])]
    if rows.empty:
        raise MissingError("no denoised images")
    measured = "; ".join(f"{row['estimate']}: {row['value']:+.2f} ± {row['sd']:.2f} dB" for row in rows.to_dict("records"))
    means = rows[rows["estimate"].str.startswith("start at y: mean")]
    return positive(means["value"].iloc[0], means["sd"].iloc[0], f"PSNR less the Wiener filter's, {measured}", "the filter is better")


def in_painting(layout: Layout) -> Verdict:
    table = _read(layout, "fig5")
    largest = table[table["metric"] == "largest change of a known pixel"]["value"].max()
    return decide(largest == 0, f"largest change of a known pixel: {largest:g}", "known pixels were changed")


def product(layout: Layout) -> Verdict:
    """On the toy whose p r is known: does the paper's rule give its mean and variance, to four standard errors?"""
    table = _read(layout, "products")
    gaussian = table[table["toy"] == "Gaussian"]
    rules = list(gaussian["rule"].unique())
    values = {rule: {metric: one(gaussian, rule=rule, metric=metric) for metric in ("mean", "variance")} for rule in rules}
    paper, exact = values[next(rule for rule in rules if "eq. 23" in rule)], values["exact p r"]
    held = all(abs(paper[metric]["value"] - row["value"]) <= 4 * paper[metric]["sd"] for metric, row in exact.items())
    parts = [f"{rule}: mean {rows['mean']['value']:.3f}, variance {rows['variance']['value']:.3f}" for rule, rows in values.items()]
    return decide(held, "; ".join(parts), "the rule samples nearly p r^2; E[r(x_0) | x_t] in its place samples p r")


def _rows(layout: Layout, metric: str) -> "list[pd.Series[Any]]":
    table = _read(layout, "table1")
    return [one(table, run=run, metric=metric) for run in table[(table["metric"] == metric) & table["value"].notna()]["run"].unique()]


def _list(rows: "list[pd.Series[Any]]", metric: str) -> str:
    return f"{metric}: " + "; ".join(_told(row, row["run"]) for row in rows)


def _told(row: "pd.Series[Any]", what: str) -> str:
    where = f" ({row['run']})" if what == "gap" else ""
    return f"{what} {row['value']:.3g} ± {row['sd']:.2g} {row['unit']}{where}"


def _read(layout: Layout, artifact: str) -> pd.DataFrame:
    """The artifact's CSV. Raises MissingError if the preset does not ask for it, UserError if it does and there is none."""
    if getattr(layout.preset.papers.sohl2015, artifact) is None:
        raise MissingError(f"{artifact} of sohl2015 is not in it")
    command = "table" if artifact in TABLES else "measure"
    return tables.read(layout.artifact("sohl2015", f"{artifact}.csv"), f"rediffuse {command} sohl2015 {artifact}")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "bound": bound,
    "learned": learned,
    "heartbeat": heartbeat,
    "heartbeat-samples": heartbeat_samples,
    "swiss-roll-gap": swiss_roll_gap,
    "entropy-bounds": entropy_bounds,
    "learned-rates": learned_rates,
    "dead-leaves": dead_leaves,
    "digits-parzen": digits_parzen,
    "denoising": denoising,
    "in-painting": in_painting,
    "product": product,
}
