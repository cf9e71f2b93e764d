"""The numbers of a table or figure: ours, the published one beside it, and the difference."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rediffuse.papers import tables

MOST = 200
"""Rows of a table that a page shows; longer ones are curves, which a figure draws."""
LEFT_OUT = {*tables.MEASURED, *tables.PUBLISHED, "seeds"}


class Row(NamedTuple):
    """One number; texts that are empty where there is nothing."""

    keys: list[str]
    """In the order of Part.keys."""
    metric: str
    unit: str
    ours: str
    n: str
    seeds: str
    published: str
    difference: str
    comparable: bool
    source: str


class Part(NamedTuple):
    """Some rows of a table."""

    same: dict[str, str]
    """What is so in all of them that say anything of it."""
    keys: list[str]
    """Columns that tell them apart."""
    rows: list[Row]

    @property
    def columns(self) -> set[str]:
        """The columns that hold anything."""
        return {column for column in Row._fields if any(getattr(row, column) for row in self.rows)}

    @property
    def comparable(self) -> bool:
        return all(row.comparable for row in self.rows)


class Numbers(NamedTuple):
    """A table with a number a row: those with a published number beside ours, and the others."""

    compared: Part
    rest: Part


class Plain(NamedTuple):
    """A table whose rows hold several numbers each."""

    columns: list[str]
    rows: list[list[str]]


def numbers(path: Path) -> Numbers | Plain | None:
    """The numbers in a CSV of the results; None if there are too many to be read."""
    table = tables.read(path, "snakemake --cores all")
    if len(table) > MOST:
        return None
    if not {"metric", "value"} <= {*table.columns}:
        return Plain([*table.columns], [[text(value) for value in row] for row in table.itertuples(index=False)])
    ours, theirs = table["value"].notna(), table.get("published", pd.Series(float("nan"), table.index)).notna()
    return Numbers(_part(table[ours & theirs]), _part(table[ours ^ theirs]))


def text(value: object) -> str:
    """As it is read: whole numbers without a point, others to four figures."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _part(table: pd.DataFrame) -> Part:
    columns = [column for column in table.columns if column not in LEFT_OUT]
    said = {column: [value for value in dict.fromkeys(map(text, table[column])) if value] for column in columns}
    keys = [column for column in columns if len(said[column]) > 1]
    same = {column: values[0] for column, values in said.items() if len(values) == 1}
    return Part(same, keys, [_row(row, keys) for row in table.to_dict("records")])


def _row(row: dict[Any, Any], keys: list[str]) -> Row:
    value, theirs = _float(row["value"]), _float(row.get("published"))
    ours, published = not pd.isna(value), not pd.isna(theirs)
    return Row(
        [text(row[key]) for key in keys],
        row["metric"],
        row.get("unit", ""),
        tables.number(value, _float(row.get("sd"))) if ours else "",
        text(row.get("n", "")) if ours else "",
        text(row.get("seeds", "")) if ours else "",
        tables.number(theirs, _float(row.get("published_sd"))) if published else "",
        f"{value - theirs:+.3g}".replace("-", "−") if ours and published else "",
        str(row.get("comparable")) == "True",
        f"{row['published_dataset']}, {row['source']}" if published else "",
    )


def _float(value: Any) -> float:
    return float("nan") if value is None or value == "" else float(value)
