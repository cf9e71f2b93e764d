"""Sohl-Dickstein et al. 2015: which of its claims hold here."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import Verdict, decide, not_tested, one
from rediffuse.paths import Layout


def bound_swiss_roll(layout: Layout) -> Verdict:
    """The exact log-likelihood of the same points is nowhere under K by more than two standard errors."""
    rows = _rows(layout, "log-likelihood - K")
    text = "; ".join(f"{row['run']}: log-likelihood - K = {row['value']:.3g} ± {row['sd']:.2g} bits" for row in rows)
    return decide(all(row["value"] >= -2 * row["sd"] for row in rows), text, "K is above the exact value")


def learned_swiss_roll(layout: Layout) -> Verdict:
    """K - L_null is above 0 by more than two standard errors."""
    rows = _rows(layout, "K - L_null")
    text = "; ".join(f"{row['run']}: K - L_null = {row['value']:.3g} ± {row['sd']:.2g} bits" for row in rows)
    return decide(all(row["value"] > 2 * row["sd"] for row in rows), text, "K is not above L_null")


def _rows(layout: Layout, metric: str) -> "list[pd.Series[Any]]":
    table = _table(layout)
    return [one(table, run=run, metric=metric) for run in table[table["value"].notna()]["run"].unique()]


def _table(layout: Layout) -> pd.DataFrame:
    return tables.read(layout.artifact("sohl2015", "table1.csv"), "rediffuse table sohl2015 table1")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "bound-swiss-roll": bound_swiss_roll,
    "learned-swiss-roll": learned_swiss_roll,
    "heartbeat": lambda _: not_tested("needs the binomial diffusion, which is not built yet"),
    "dead-leaves": lambda _: not_tested("needs the dead leaves and the convolutional network, which are not built yet"),
    "denoise-inpaint": lambda _: not_tested("needs products with r(x), which are not built yet"),
}
