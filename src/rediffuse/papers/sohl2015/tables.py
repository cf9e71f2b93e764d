"""Sohl-Dickstein et al. 2015: its tables, ours beside theirs."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure sohl2015 table1"
STANDS_FOR = {"swiss-roll": "Swiss roll"}


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown: the rows that were measured, then the published ones without a counterpart here."""
    measured = tables.read(layout.measurements("sohl2015", "table1"), MADE_BY)
    table = tables.beside(measured, tables.published("sohl2015", "published_table1"), [], STANDS_FOR)
    tables.write(layout.artifact("sohl2015", "table1.csv"), table)
    layout.write_text("sohl2015", "table1.md", _markdown(table))


def _markdown(table: pd.DataFrame) -> str:
    rows = []
    for name, here in table.groupby(table["run"].where(table["run"] != "", table["published_dataset"]), sort=False):
        metrics = {row["metric"]: row for row in here.to_dict("records")}
        K, gain, exact = metrics["K"], metrics["K - L_null"], metrics.get("log-likelihood")
        cells = [f"{_ours(row)} / {tables.number(row['published'], row['published_sd'])}" for row in (K, gain)]
        rows.append([str(name), *cells, _ours(exact) if exact else "–"])
    notes = [
        "Each cell: ours / published, in bits a datum (bits a pixel for images). Larger is better. ± is the standard error over test "
        "points.",
        "The paper does not say how its swiss roll is made (turns, noise, size), so the two are not comparable in value: K - L_null "
        "depends on how thin the roll is. The exact log-likelihood of the test points under the generator's own density is what K "
        "bounds from below.",
    ]
    return tables.markdown(
        "Sohl-Dickstein 2015, Table 1: the bound K", ["data set", "K", "K - L_null", "exact log-likelihood"], rows, notes
    )


def _ours(row: Mapping[Hashable, Any]) -> str:
    return tables.number(row["value"], row["sd"])


TABLES = {"table1": table1}
