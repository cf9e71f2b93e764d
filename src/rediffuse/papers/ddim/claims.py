"""Song et al. 2020: which of its claims hold here."""

from collections.abc import Callable, Sequence

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import Verdict, decide, not_tested, one, rising
from rediffuse.papers.ddim.tables import seconds_a_step
from rediffuse.paths import Layout

NUMERIC = ["0.0", "0.2", "0.5", "1.0"]


def _table(layout: Layout) -> pd.DataFrame:
    return tables.read(layout.artifact("ddim", "table1.csv"), "rediffuse table ddim table1")


def _distances(table: pd.DataFrame, S: int, etas: Sequence[str]) -> list[float]:
    return [one(table, steps=S, eta=eta, metric="FID")["value"] for eta in etas]


def eta_order(steps: Sequence[int]) -> Callable[[Layout], Verdict]:
    """Frechet distance rises strictly with eta at each of these numbers of steps."""

    def check(layout: Layout) -> Verdict:
        table, texts, falls = _table(layout), [], []
        for S in steps:
            values = _distances(table, S, NUMERIC)
            rises = {eta: one(table, steps=S, eta=eta, metric="FID rise") for eta in NUMERIC[1:]}
            for eta, rise in rises.items():
                if rise["value"] <= 0:
                    falls.append(f"S = {S}: {rise['value']:.2g} ± {rise['sd']:.2g} on the way to eta {eta}")
            least = min(rises.values(), key=lambda rise: rise["value"] / rise["sd"])
            order = ", ".join(f"{value:.3g}" for value in values)
            texts.append(f"S = {S}: {order} (least rise {least['value']:.2g} ± {least['sd']:.2g}, to eta {least['eta']})")
        return decide(not falls, "; ".join(texts), "; ".join(falls))

    return check


def sigma_hat_worst(S: int) -> Callable[[Layout], Verdict]:
    """sigma-hat has the largest Frechet distance of its column."""

    def check(layout: Layout) -> Verdict:
        values = _distances(_table(layout), S, [*NUMERIC, "sigma-hat"])
        text = f"S = {S}: sigma-hat {values[-1]:.3g}, the rest at most {max(values[:-1]):.3g}"
        return decide(values[-1] > max(values[:-1]), text, "another eta is worse")

    return check


def more_steps(layout: Layout) -> Verdict:
    """Frechet distance at eta 0 falls strictly with the number of steps.

    Where n is smaller at more steps, the distance's bias speaks against the claim; where it is larger, the check cannot be made.
    """
    table = _table(layout)
    rows = [one(table, steps=S, eta="0.0", metric="FID") for S in (100, 50, 20, 10)]
    sizes = [row["n"] for row in rows]
    if sizes != sorted(sizes):
        return not_tested("more samples at more steps: the bias of the distance would favour the claim")
    return decide(*rising("S = 100, 50, 20, 10", [row["value"] for row in rows], [row["sd"] for row in rows]))


def linear_time(layout: Layout) -> Verdict:
    """A line through 0 gives the time at every number of steps to within 10 %."""
    times = tables.read(layout.artifact("ddim", "fig4.csv"), "rediffuse measure ddim fig4")
    slope, worst = seconds_a_step(times)
    steps = times["steps"]
    text = f"S = {steps.min()} to {steps.max()}: {slope * 1e3:.3g} ms an image and step, no S further than {worst:.1%} from it"
    return decide(worst <= 0.1, text, "further than 10 % from a line through 0")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "eta-order-10-20": eta_order((10, 20)),
    "eta-order-50-100": eta_order((50, 100)),
    "sigma-hat-worst-10": sigma_hat_worst(10),
    "sigma-hat-worst-20": sigma_hat_worst(20),
    "more-steps": more_steps,
    "linear-time": linear_time,
    "few-steps-suffice": lambda _: not_tested("needs samples at S = 1000 with every eta, which no preset draws yet"),
    "reconstruction": lambda _: not_tested("needs the encoder from x_0 to x_T, which is not built yet"),
    "consistency": lambda _: not_tested("needs Figure 5, which is not made yet"),
}
