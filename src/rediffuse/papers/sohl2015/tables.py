"""Sohl-Dickstein et al. 2015: its tables, ours beside theirs."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure sohl2015 table1"
STANDS_FOR = {"swiss-roll": "Swiss roll"}
"""The kind of a data set here -> the published data set whose numbers stand beside it."""


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown: the rows that were measured, then the published ones without a counterpart here."""
    measured = tables.read(layout.measurements("sohl2015", "table1"), MADE_BY)
    stands_for = {name: STANDS_FOR[data.kind] for name, data in layout.preset.datasets.items() if data.kind in STANDS_FOR}
    table = tables.beside(measured, tables.published("sohl2015", "published_table1"), [], stands_for)
    tables.write(layout.artifact("sohl2015", "table1.csv"), table)
    layout.write_text("sohl2015", "table1.md", _markdown(table))


def _markdown(table: pd.DataFrame) -> str:
    rows = []
    for name, here in table.groupby(table["run"].where(table["run"] != "", table["published_dataset"]), sort=False):
        metrics = {row["metric"]: row for row in here.to_dict("records")}
        cells = [f"{_ours(metrics[metric])} / {_published(metrics[metric])}" for metric in ("K", "K - L_null")]
        rest = [_ours(metrics[metric]) if metric in metrics else "–" for metric in ("log-likelihood", "log-likelihood - K")]
        rows.append([str(name), *cells, *rest])
    notes = [
        "Each cell: ours / published, in bits a datum (bits a pixel for images). Larger is better. ± is the standard error over test "
        "points.",
        "The paper does not say how its swiss roll is made (turns, noise, size), so the two are not comparable in value: K - L_null "
        "depends on how thin the roll is. The exact log-likelihood of the test points under the generator's own density is what K "
        "bounds from below.",
    ]
    heads = ["data set", "K", "K - L_null", "exact log-likelihood", "log-likelihood - K"]
    return tables.markdown("Sohl-Dickstein 2015, Table 1: the bound K", heads, rows, notes)


def _published(row: Mapping[Hashable, Any]) -> str:
    return tables.number(row["published"], row["published_sd"])


def _ours(row: Mapping[Hashable, Any]) -> str:
    return tables.number(row["value"], row["sd"])


TABLES = {"table1": table1}
