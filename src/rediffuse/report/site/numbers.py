"""The numbers of a table or figure: ours, the published one beside it, and the difference."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from rediffuse.papers import tables

MOST = 200
"""Rows of a table that a page shows; longer ones are curves, which a figure draws."""
LEFT_OUT = {*tables.MEASURED, *tables.PUBLISHED, "seeds"}


class Row(NamedTuple):
    """One number; texts that are empty where there is nothing."""

    keys: list[str]
    """In the order of Numbers.keys."""
    metric: str
    unit: str
    ours: str
    n: str
    seeds: str
    published: str
    difference: str
    comparable: bool
    source: str


class Numbers(NamedTuple):
    """A table of measurements."""

    same: dict[str, str]
    """What is so in every row of ours."""
    keys: list[str]
    """Columns that tell rows apart."""
    rows: list[Row]

    def any(self, column: str) -> bool:
        """Whether a column holds anything."""
        return any(getattr(row, column) for row in self.rows)


class Plain(NamedTuple):
    """A table whose rows hold several numbers each."""

    columns: list[str]
    rows: list[list[str]]


def read(path: Path) -> Numbers | Plain | None:
    """The numbers in a CSV of the results; None if there are too many to be read."""
    table = tables.read(path, "snakemake --cores all")
    if len(table) > MOST:
        return None
    if not {"metric", "value"} <= {*table.columns}:
        return Plain([*table.columns], [[text(value) for value in row] for row in table.itertuples(index=False)])
    published = table["published"] if "published" in table else pd.Series(float("nan"), table.index)
    table = table[table["value"].notna() | published.notna()]
    ours = table[table["value"].notna()]
    columns = [column for column in table.columns if column not in LEFT_OUT]
    same = {column: text(ours[column].iloc[0]) for column in columns if len(ours) and ours[column].nunique(dropna=False) == 1}
    keys = [column for column in columns if column not in same]
    rows = [_row(row, keys) for row in table.to_dict("records")]
    return Numbers({column: value for column, value in same.items() if value}, keys, rows)


def text(value: object) -> str:
    """As it is read: whole numbers without a point, others to four figures."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _row(row: dict[str, object], keys: list[str]) -> Row:
    value, theirs = _float(row["value"]), _float(row.get("published"))
    both = not pd.isna(value) and not pd.isna(theirs)
    return Row(
        [text(row[key]) for key in keys],
        str(row["metric"]),
        str(row.get("unit", "")),
        "" if pd.isna(value) else tables.number(value, _float(row.get("sd"))),
        text(row.get("n", "")) if not pd.isna(value) else "",
        text(row.get("seeds", "")) if not pd.isna(value) else "",
        "" if pd.isna(theirs) else tables.number(theirs, _float(row.get("published_sd"))),
        f"{value - theirs:+.3g}".replace("-", "−") if both else "",
        both and str(row.get("comparable")) == "True",
        " ".join(filter(None, [str(row.get("published_dataset", "")), f"({row['source']})" if row.get("source") else ""])) if not pd.isna(theirs) else "",
    )


def _float(value: object) -> float:
    return float("nan") if value is None or value == "" else float(value)  # type: ignore[arg-type]
