"""Sohl-Dickstein et al. 2015: which of its claims hold here."""

from collections.abc import Callable

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import Verdict, decide, not_tested, one
from rediffuse.paths import Layout


def bound_swiss_roll(layout: Layout) -> Verdict:
    """K is nowhere above the exact log-likelihood by more than two standard errors of the difference."""
    table = _table(layout)
    texts, held = [], True
    for run in table[table["value"].notna()]["run"].unique():
        K, exact = one(table, run=run, metric="K"), one(table, run=run, metric="log-likelihood")
        error = (K["sd"] ** 2 + exact["sd"] ** 2) ** 0.5
        held &= K["value"] <= exact["value"] + 2 * error
        texts.append(f"{run}: K = {K['value']:.3g} ± {K['sd']:.2g}, exact {exact['value']:.3g} ± {exact['sd']:.2g} bits")
    return decide(held, "; ".join(texts), "K is above the exact value")


def learned_swiss_roll(layout: Layout) -> Verdict:
    """K - L_null is above 0 by more than two standard errors."""
    table = _table(layout)
    rows = [one(table, run=run, metric="K - L_null") for run in table[table["value"].notna()]["run"].unique()]
    text = "; ".join(f"{row['run']}: K - L_null = {row['value']:.3g} ± {row['sd']:.2g} bits" for row in rows)
    return decide(all(row["value"] > 2 * row["sd"] for row in rows), text, "K is not above L_null")


def _table(layout: Layout) -> pd.DataFrame:
    return tables.read(layout.artifact("sohl2015", "table1.csv"), "rediffuse table sohl2015 table1")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "bound-swiss-roll": bound_swiss_roll,
    "learned-swiss-roll": learned_swiss_roll,
    "heartbeat": lambda _: not_tested("needs the binomial diffusion, which is not built yet"),
    "dead-leaves": lambda _: not_tested("needs the dead leaves and the convolutional network, which are not built yet"),
    "denoise-inpaint": lambda _: not_tested("needs products with r(x), which are not built yet"),
}
