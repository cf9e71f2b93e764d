"""Claims: sentences of a paper that a measurement can refute, and what a check of one says."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pandas as pd


class Verdict(NamedTuple):
    """What was measured, in words; whether the claim held; and why, where it did not or could not be tested."""

    measured: str
    verdict: Literal["held", "not held", "not tested"]
    why: str = ""


def not_tested(why: str) -> Verdict:
    return Verdict("", "not tested", why)


def decide(held: bool, measured: str, why: str) -> Verdict:
    """Held, or not held and why."""
    return Verdict(measured, "held") if held else Verdict(measured, "not held", why)


def positive(difference: float, error: float, measured: str, why: str) -> Verdict:
    """Held if a difference is above 0 by more than two standard errors, not held if below; between the two nothing can be said."""
    if not abs(difference) > 2 * error:  # nor where the error is nan, of one sample
        off = difference / error if error else 0.0
        return Verdict(measured, "not tested", f"within two standard errors of 0 ({off:.1f}): too few samples to tell")
    return decide(difference > 0, measured, why)


def rising(label: str, values: Sequence[float], sds: Sequence[float]) -> tuple[bool, str, str]:
    """Whether values rise strictly; the values as text, with the smallest rise in deviations; and where they do not rise, by how much."""
    text, falls, rises = f"{label}: {values[0]:.3g}", [], []
    for (low, high), (low_sd, high_sd) in zip(pairwise(values), pairwise(sds), strict=True):
        rises.append((high - low) / (low_sd**2 + high_sd**2) ** 0.5)
        text += f" {'<' if high > low else '≥'} {high:.3g}"
        if high <= low:
            falls.append(f"{label}: {low:.3g} is followed by {high:.3g} ({-rises[-1]:.1f} standard deviations)")
    if not falls:
        text += f" (least rise {min(rises):.1f} standard deviations)"
    return not falls, text, "; ".join(falls)


class MissingError(Exception):
    """A claim's number is not among the measurements: the preset does not make it."""


def one(table: pd.DataFrame, **keys: object) -> "pd.Series[Any]":
    """The one measured row with these keys. Raises MissingError if there is none, or more."""
    rows = table[table["value"].notna()]
    for key, value in keys.items():
        rows = rows[rows[key] == value]
    if len(rows) != 1:
        raise MissingError(f"{len(rows)} rows with {', '.join(f'{key} = {value}' for key, value in keys.items())}")
    return rows.iloc[0]
