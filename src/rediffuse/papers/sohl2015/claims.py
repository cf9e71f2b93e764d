"""Sohl-Dickstein et al. 2015: which of its claims hold here."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, decide, not_tested, one, positive
from rediffuse.papers.sohl2015.tables import TABLES
from rediffuse.paths import Layout

WITHIN = 0.1
"""Bits between K and the heartbeat's log-likelihood that still are what the paper says."""
QUADRATURE = 5e-6
"""Bits that the exact entropy of the swiss roll may be wrong by."""
PERFECT = '"perfect model"'


def bound(layout: Layout) -> Verdict:
    """The exact log-likelihood of the same data is nowhere under K by more than the standard error of their difference."""
    rows = _rows(layout, "table1", "log-likelihood - K")
    if layout.asks("sohl2015", "ablation"):
        known = {row["run"] for row in rows}
        rows += [row for row in _rows(layout, "ablation", "log-likelihood - K") if row["run"] not in known]
    return _all(rows, "log-likelihood - K", lambda row: row["value"] >= -row["sd"], "K is above the exact value")


def learned(layout: Layout) -> Verdict:
    """K - L_null is above 0 by more than two standard errors."""
    rows = _rows(layout, "table1", "K - L_null")
    return _all(rows, "K - L_null", lambda row: row["value"] > 2 * row["sd"], "K is not above L_null")


def heartbeat(layout: Layout) -> Verdict:
    """The best run on the paper's own heartbeat; all of them are told."""
    own = {row["run"] for row in _rows(layout, "table1", "K") if row["comparable"] == "True"}
    rows = [row for row in _rows(layout, "table1", "log-likelihood - K") if row["run"] in own]
    if not rows:
        raise MissingError("no run on the paper's heartbeat in table1")
    best = min(rows, key=lambda row: row["value"])
    why = f"{best['value'] - WITHIN:.2g} bits more than {WITHIN}" if best["value"] > WITHIN else "K is above the true log-likelihood"
    return decide(-best["sd"] <= best["value"] <= WITHIN, _list(rows, "log-likelihood - K"), why)


def heartbeat_samples(layout: Layout) -> Verdict:
    row = one(_read(layout, "fig2"), metric="valid sequences")
    measured = f"{row['value']:.1%} ± {row['sd']:.1%} of {row['n']:.0f} generated sequences are heartbeats ({row['run']})"
    return decide(row["value"] >= 0.95, measured, "fewer than 95 %")


def swiss_roll_gap(layout: Layout) -> Verdict:
    """The smallest gap of a swiss roll in the ablation, with the first of them beside it: the paper's own network."""
    table = _read(layout, "ablation")
    rolls = [name for name, data in layout.preset.datasets.items() if data.kind == "swiss-roll"]
    gaps = [row for _, row in table[(table["metric"] == "log-likelihood - K") & table["dataset"].isin(rolls)].iterrows()]
    if not gaps:
        raise MissingError("no swiss roll in ablation")
    best = min(gaps, key=lambda row: float(row["value"]))
    floor = one(table, run=best["run"], metric="gap of a perfect network")
    measured = f"{_told(best, 'gap')}, of which {floor['value']:.2g} are the kernels'; the first of them: {_told(gaps[0], 'gap')}"
    return decide(best["value"] <= 0.5, measured, f"{best['value'] - 0.5:.2g} bits more")


def entropy_bounds(layout: Layout) -> Verdict:
    """At every t of every run whose E_q[log pi] is constant in t; what the quadrature of the exact value may be wrong by is allowed for."""
    table = _read(layout, "entropy")
    fit = table[table["condition"] == "True"]
    if fit.empty:
        raise MissingError("no run whose data have the mean that the bounds want")
    outside = fit[~((fit["exact - lower"] >= -QUADRATURE) & (fit["upper - exact"] >= -QUADRATURE))]
    parts = []
    for run, here in fit.groupby("run", sort=False):
        room = (here["upper"] - here["lower"]).replace(float("inf"), float("nan"))
        parts.append(f"{run}: {len(here) - (outside['run'] == run).sum()} of {len(here)} steps, the bounds {room.mean():.2g} bits apart")
    where = "; ".join(f"{row['run']} at t = {row['t']:.0f}" for row in outside.head(3).to_dict("records"))
    return decide(outside.empty, "; ".join(parts), f"not {where}")


def learned_rates(layout: Layout) -> Verdict:
    """Every run that learns its rates beside the run that keeps those it starts from, all else equal, point by point."""
    table = _read(layout, "ablation")
    rows = [row for _, row in table[table["metric"].str.startswith("K - K of ")].iterrows()]
    if not rows:
        raise MissingError("no run with learned rates beside one with the rates it starts from")
    measured = "; ".join(f"{row['run']}: {row['metric']} = {row['value']:+.3g} ± {row['sd']:.2g} bits" for row in rows)
    worse = [f"{row['run']} is worse" for row in rows if row["value"] < -2 * row["sd"]]
    if not worse and any(not row["sd"] <= WITHIN for row in rows):
        return Verdict(measured, "not tested", f"a standard error of more than {WITHIN} bits: too few points to tell")
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
    """From 90 % of the perfect model's score to two standard errors above it; what models nothing is told beside it."""
    table = _read(layout, "table2")
    rows = {row["model"]: row for row in table[(table["metric"] == "model - perfect") & table["value"].notna()].to_dict("records")}
    if "diffusion" not in rows:
        raise MissingError("no digits in table2")
    ours, perfect = rows["diffusion"], one(table, model=PERFECT, metric="log-likelihood")
    if ours["centres"] != perfect["centres"]:
        return not_tested(f"{ours['centres']} samples beside {perfect['centres']} training images: the measure rewards their number")
    others = [f"{row['model']}: {row['value']:+.3g} ± {row['sd']:.2g}" for model, row in rows.items() if model != PERFECT]
    measured = f"bits from the perfect model's {perfect['value']:.3g}: {'; '.join(others)}"
    share = 1 + ours["value"] / perfect["value"]
    why = "above the perfect model, which is suspect" if ours["value"] > 0 else f"{share:.0%} of the perfect model's score"
    return decide(share >= 0.9 and ours["value"] <= 2 * ours["sd"], measured, why)


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
    return decide(held, "; ".join(parts), "on these data the rule samples nearly p r^2; E[r(x_0) | x_t] in its place samples p r")


def _rows(layout: Layout, artifact: str, metric: str) -> "list[pd.Series[Any]]":
    """The measured rows of a metric, one a run."""
    table = _read(layout, artifact)
    runs = table[(table["metric"] == metric) & table["value"].notna()]["run"].unique()
    if not len(runs):
        raise MissingError(f"no {metric} in {artifact}")
    return [one(table, run=run, metric=metric) for run in runs]


def _all(rows: "list[pd.Series[Any]]", metric: str, holds: "Callable[[pd.Series[Any]], bool]", why: str) -> Verdict:
    """Held if it holds of all rows, each of which has a standard error."""
    if any(pd.isna(row["sd"]) for row in rows):
        return not_tested("a row without a standard error: too few test data")
    wrong = ", ".join(str(row["run"]) for row in rows if not holds(row))
    return decide(not wrong, _list(rows, metric), f"{why}: {wrong}")


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
