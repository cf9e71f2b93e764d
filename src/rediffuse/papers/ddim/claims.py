"""Song et al. 2020: which of its claims hold here."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, decide, one, positive, rising
from rediffuse.papers.ddim.tables import TABLES, seconds_a_step
from rediffuse.paths import Layout

NUMERIC = ["0.0", "0.2", "0.5", "1.0"]


def _table(layout: Layout, artifact: str = "table1") -> pd.DataFrame:
    """The artifact's CSV. Raises MissingError if the preset does not ask for it, UserError if it does and there is none."""
    if not layout.asks("ddim", artifact):
        raise MissingError(f"{artifact} of ddim is not in it")
    command = "table" if artifact in TABLES else "measure"
    return tables.read(layout.artifact("ddim", f"{artifact}.csv"), f"rediffuse {command} ddim {artifact}")


def _distances(table: pd.DataFrame, S: int, etas: Sequence[str]) -> list[float]:
    return [one(table, steps=S, eta=eta, metric="FID")["value"] for eta in etas]


def eta_order(steps: Sequence[int]) -> Callable[[Layout], Verdict]:
    """Frechet distance rises with eta at each of these numbers of steps: somewhere by more than two standard errors, nowhere the other
    way round by as much. Neighbours start from the same latents, and the error is of their difference."""

    def check(layout: Layout) -> Verdict:
        table, texts, falls, flat = _table(layout), [], [], []
        for S in steps:
            rises = [one(table, steps=S, eta=eta, metric="FID rise") for eta in NUMERIC[1:]]
            falls += [f"S = {S}: {_told(rise)}" for rise in rises if rise["value"] < -2 * rise["sd"]]
            if not any(rise["value"] > 2 * rise["sd"] for rise in rises):
                flat.append(S)
            order = ", ".join(f"{value:.3g}" for value in _distances(table, S, NUMERIC))
            texts.append(f"S = {S}: {order} (rises {', '.join(map(_told, rises))})")
        if flat and not falls:
            return Verdict("; ".join(texts), "not tested", f"no rise beyond two standard errors at S = {flat}: too few samples to tell")
        return decide(not falls, "; ".join(texts), "; ".join(falls))

    return check


def _told(rise: "pd.Series[Any]") -> str:
    return f"{rise['value']:.2g} ± {rise['sd']:.2g} to eta {rise['eta']}"


def sigma_hat_worst(S: int) -> Callable[[Layout], Verdict]:
    """sigma-hat has the largest Frechet distance of its column."""

    def check(layout: Layout) -> Verdict:
        values = _distances(_table(layout), S, [*NUMERIC, "sigma-hat"])
        text = f"S = {S}: sigma-hat {values[-1]:.3g}, the rest at most {max(values[:-1]):.3g}"
        return decide(values[-1] > max(values[:-1]), text, "another eta is worse")

    return check


def more_steps(layout: Layout) -> Verdict:
    """Frechet distance at eta 0 falls strictly with the number of steps, at one n."""
    table = _table(layout, "frontier")
    rows = [one(table, steps=S, eta="0.0", metric="share of that at S = T") for S in (100, 50, 20, 10)]
    label = f"n = {rows[0]['n']:.0f}, as a share of that at S = T: S = 100, 50, 20, 10"
    return decide(*rising(label, [row["value"] for row in rows], [row["sd"] for row in rows]))


def linear_time(layout: Layout) -> Verdict:
    """A line through 0 gives the time at every number of steps to within 10 %."""
    times = _table(layout, "fig4")
    slope, worst = seconds_a_step(times)
    steps = times["steps"]
    text = f"S = {steps.min()} to {steps.max()}: {slope * 1e3:.3g} ms an image and step, no S further than {worst:.1%} from it"
    return decide(worst <= 0.1, text, "further than 10 % from a line through 0")


MARGIN = 1.1
"""How much larger a distance may be and still count as the same quality; the paper's own at S = 100 is 1.03 times that at S = 1000."""


def few_steps_suffice(layout: Layout) -> Verdict:
    """At one n, some S of 20 to 100 at eta 0 has at most 1.1 times the distance of S = T, in a tenth of the time or less."""
    table = _table(layout, "frontier")
    ode = table[table["eta"] == "0.0"]
    shares = ode[(ode["metric"] == "share of that at S = T") & ode["steps"].between(20, 100)]
    if shares.empty:
        raise MissingError("no eta 0 at 20 to 100 steps, or none at S = T")
    last = ode[ode["metric"] == "FID"].sort_values("steps").iloc[-1]
    few = shares[shares["seconds"] <= 1.001 * last["seconds"] / 10]
    if few.empty:
        raise MissingError(f"no S of 20 to 100 takes a tenth of the time of S = {last['steps']}")
    texts = [
        f"S = {row['steps']}: {row['value']:.3f} ± {row['sd']:.2g}, {last['seconds'] / row['seconds']:.0f} times as fast"
        for _, row in few.iterrows()
    ]
    text = f"n = {last['n']:.0f}, as a share of the distance at S = {last['steps']}, {last['value']:.3g}: {'; '.join(texts)}"
    best = few.sort_values("value").iloc[0]
    return positive(MARGIN - best["value"], best["sd"], text, f"none within {MARGIN - 1:.0%}")


def reconstruction(layout: Layout) -> Verdict:
    """The error falls strictly with the number of steps."""
    table = _table(layout, "table2")
    errors = table[(table["metric"] == "reconstruction error") & table["value"].notna()].sort_values("steps", ascending=False)
    label = "S = " + ", ".join(f"{S}" for S in errors["steps"])
    return decide(*rising(label, list(errors["value"]), list(errors["sd"])))


def consistency(layout: Layout) -> Verdict:
    """At every number of steps the features are nearer to those of the same latent at the most steps than two latents' are to each
    other: less than half as far."""
    table = _table(layout, "fig5")
    shares = table[table["metric"] == "of that of two latents"]
    texts = [f"S = {row['steps']:.0f}: {row['value']:.2f} ± {row['sd']:.2g}" for row in shares.to_dict("records")]
    worst = shares.sort_values("value").iloc[-1]
    text = f"squared feature distance to S = {table['steps'].max():.0f}, as a share of that of two latents: {'; '.join(texts)}"
    return positive(0.5 - worst["value"], worst["sd"], text, f"not at S = {worst['steps']:.0f}")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "eta-order-10-20": eta_order((10, 20)),
    "eta-order-50-100": eta_order((50, 100)),
    "sigma-hat-worst-10": sigma_hat_worst(10),
    "sigma-hat-worst-20": sigma_hat_worst(20),
    "more-steps": more_steps,
    "linear-time": linear_time,
    "few-steps-suffice": few_steps_suffice,
    "reconstruction": reconstruction,
    "consistency": consistency,
}
