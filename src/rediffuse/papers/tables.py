"""Tables: our measurements with the published numbers beside them, as tidy CSV and as Markdown."""

import io
from collections.abc import Collection, Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

from rediffuse.config import InceptionFeatures
from rediffuse.errors import UserError
from rediffuse.files import read_bytes, write_text

MEASURED = ["metric", "unit", "value", "sd", "n"]
CURVES = ["t", "lower", "exact", "upper", "exact - lower", "upper - exact", "model_sd"]
TIMES = ["seconds", "seconds_min", "seconds_max"]
ON_FEATURES = ["FID", "IS"]
"""Metrics that are published on Inception's features, of SAMPLES images."""
SAMPLES = 50_000
PUBLISHED = ["published", "published_sd", "published_dataset", "comparable", "source"]


def published(paper: str, name: str) -> pd.DataFrame:
    """A CSV that lies beside a paper's module. Everything but `value` and `sd` is text."""
    text = files(f"rediffuse.papers.{paper}").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return _numbers(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False), ["value", "sd", "steps", "T"])


def read(path: Path, made_by: str) -> pd.DataFrame:
    """A CSV of measurements or a table. Raises UserError if it is absent or no such CSV."""
    try:
        table = pd.read_csv(io.BytesIO(read_bytes(path, made_by)), dtype=str, keep_default_na=False)
        return _numbers(table, ["value", "sd", "n", "seeds", "steps", "T", "published", "published_sd", *TIMES, *CURVES])
    except ValueError as error:
        raise UserError(f"{path}: {error}; expected a CSV that `{made_by}` makes") from None


def write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def beside(
    measured: pd.DataFrame, numbers: pd.DataFrame, keys: Sequence[str], stands_for: dict[str, str], same: Collection[str] = ()
) -> pd.DataFrame:
    """The measured rows, each with the published number of its keys beside it; then the published rows that have no counterpart.

    stands_for: our data set -> the published one whose numbers stand beside it. They are comparable only if the two are the same: of
    one name, or among `same`, our data sets that are the published ones by definition; and not where the features differ, or n, on which
    a distance depends.
    """
    ours = measured.assign(published_dataset=[stands_for.get(name, "") for name in measured["dataset"]])
    theirs = numbers.rename(columns={"value": "published", "sd": "published_sd", "dataset": "published_dataset"})
    on = ["published_dataset", *keys, "metric"]
    table = ours.merge(theirs.drop(columns="unit"), on=on, how="left")
    rest = theirs.merge(ours[on].drop_duplicates(), on=on, how="left", indicator=True)
    table = pd.concat([table, rest[rest["_merge"] == "left_only"].drop(columns="_merge")], ignore_index=True)
    both = table["value"].notna() & table["published"].notna()
    text = table.select_dtypes(exclude="number").columns
    table[text] = table[text].fillna("")
    same_data = (table["dataset"] == table["published_dataset"]) | table["dataset"].isin(same)
    as_published = ~table["metric"].isin(ON_FEATURES)
    if "features" in table:
        as_published |= (table["features"] == InceptionFeatures.name) & (table["n"] == SAMPLES)
    table["comparable"] = both & same_data & as_published
    leading = [column for column in measured.columns if column not in MEASURED]
    return table[[*leading, *MEASURED, *PUBLISHED]]


def features_of(name: str) -> str:
    """What features of a preset are, in words."""
    if name == InceptionFeatures.name:
        return "Inception's features (torch-fidelity's port, images of 8 bits)"
    return f"the features of `{name}`, a small classifier that the pipeline trains"


def against(table: pd.DataFrame) -> str:
    """What the distances of a table may be compared with, in words."""
    if table.loc[table["metric"] == "FID", "comparable"].any():
        return "Data, features and n are the published ones: values can be compared."
    return "The scales differ: compare orders, not values, and distances at equal n alone, since they are biased upwards where n is small."


def over_seeds(measured: pd.DataFrame, errors: Collection[str] = ()) -> pd.DataFrame:
    """Rows that differ by their seed alone as one: the mean over seeds, its deviation between them, and their number. A single run keeps
    its own deviation.

    errors: metrics that are differences, of which `sd` is the standard error of the mean instead.
    """
    keys = [column for column in measured.columns if column not in ("seed", "value", "sd")]
    groups = measured.groupby(keys, sort=False, dropna=False)
    table = groups.agg(value=("value", "mean"), between=("value", "std"), own=("sd", "first"), seeds=("value", "size")).reset_index()
    divisor = (table["seeds"] ** 0.5).where(table["metric"].isin(list(errors)), 1.0)
    table["sd"] = (table["between"] / divisor).fillna(table["own"])
    return table[[*keys[: keys.index("metric")], "seeds", *MEASURED]]


def number(value: float, sd: float = float("nan")) -> str:
    """A number to four figures, its deviation to two; a dash where there is none."""
    if pd.isna(value):
        return "–"
    return f"{value:.4g}" if pd.isna(sd) else f"{value:.4g} ± {sd:.2g}"


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A titled Markdown table with notes below it."""
    lines = [f"# {title}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", *[f"{note}\n" for note in notes]])


def _numbers(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return table.assign(**{column: pd.to_numeric(table[column]) for column in table.columns.intersection(columns)})
