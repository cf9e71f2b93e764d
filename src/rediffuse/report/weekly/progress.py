"""Progress since the last report, computed: what of numbers, claims and options changed between two revisions, and what ran.

A revision is known by what git has of it: the snapshot docs/results/<preset>/ and the preset's own file. DVC has the run's metrics.json in
its cache, which a clone without the remote has not; of the files that git has it tells the same differences (tests/test_weekly.py).
"""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from rediffuse import revisions, weeklies
from rediffuse.errors import UserError
from rediffuse.files import read_bytes
from rediffuse.paths import Layout
from rediffuse.revisions import Commit
from rediffuse.weeklies import Weekly

MADE_BY = "snakemake --cores all"
RESULTS = ("metrics.json", "claims.csv", "timings.json")
"""What a run left that two revisions are compared by."""


class Change(NamedTuple):
    """A value then and now."""

    key: str
    then: Any
    now: Any

    @property
    def size(self) -> float:
        """The relative change of a number; of anything else infinite."""
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (self.then, self.now)):
            return float("inf")
        return abs(self.now - self.then) / abs(self.then) if self.then else float("inf")


@dataclass(frozen=True)
class Changes:
    """What differs between two sets of values: those that changed, the largest relative change first, that came, and that went."""

    changed: list[Change]
    new: list[str]
    gone: list[str]


@dataclass(frozen=True)
class State:
    """What a run had found: values by dotted or slashed keys."""

    metrics: dict[str, float]
    claims: dict[str, str]
    """Claim -> verdict."""
    params: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    """Of each training and sampling: seconds, hardware, commit."""


@dataclass(frozen=True)
class Progress:
    """What changed between two states, and the commits between them."""

    since: str
    """A short hash."""
    until: str
    then: State
    now: State
    commits: list[Commit]

    @cached_property
    def metrics(self) -> Changes:
        return compare(self.then.metrics, self.now.metrics)

    @cached_property
    def claims(self) -> Changes:
        return compare(self.then.claims, self.now.claims)

    @cached_property
    def params(self) -> Changes:
        return compare(self.then.params, self.now.params)

    @cached_property
    def runs(self) -> dict[str, float]:
        """The trainings and samplings that were made since, and their seconds."""
        return {job: about["seconds"] for job, about in self.now.runs.items() if self.then.runs.get(job) != about}


def since(layout: Layout, weekly: Weekly, here: State) -> Progress | Literal["first", "no git", "shallow"]:
    """The progress that a report tells of; here: what there is now.

    Raises UserError, with file and line, for a revision that does not exist.
    """
    if not weekly.front.baseline:
        return "first"
    old = weeklies.commit(weekly, "baseline")
    if old is None:
        return "shallow" if revisions.here() else "no git"
    new = weeklies.commit(weekly, "revision")
    now = state_at(layout, new) if new else here
    head = new or "HEAD"
    return Progress(revisions.short(old), revisions.short(head), state_at(layout, old), now, revisions.between(old, head))


def state_here(layout: Layout, preset: Path) -> State:
    """That of the run in results/ and of the preset's file. Raises UserError if there is no run."""
    files = {name: read_bytes(layout.results / name, MADE_BY).decode() for name in RESULTS}
    return _state(layout.results, files, _options(preset.read_text(encoding="utf-8")))


def state_at(layout: Layout, revision: str) -> State:
    """That of a revision's snapshot; nothing where it has none."""
    snapshot = Path("docs") / layout.results
    files = {name: text for name in RESULTS if (text := revisions.show(revision, snapshot / name)) is not None}
    return _state(snapshot, files, _options(revisions.show(revision, Path("config") / f"{layout.name}.yaml") or ""))


def _options(text: str) -> Any:
    """A preset as it was written: what DVC compares, too."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError):
        return None  # nobody could run it then


def _state(folder: Path, files: dict[str, str], options: Any) -> State:
    try:
        metrics = json.loads(files.get("metrics.json", "{}"))
        claims = pd.read_csv(io.StringIO(files.get("claims.csv", "paper,id,verdict\n")), dtype=str, keep_default_na=False)
        numbers = {
            f"{paper}/{name}: {key}": value
            for paper, those in metrics.items()
            for name, keys in those.items()
            for key, value in keys.items()
        }
        verdicts = {f"{row['paper']}/{row['id']}": row["verdict"] for row in claims.to_dict("records")}
        return State(numbers, verdicts, _flat(options) if options else {}, json.loads(files.get("timings.json", "{}")))
    except (ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{folder}: damaged ({' '.join(str(error).split())}); expected what `{MADE_BY}` and `make record` write") from None


def compare(then: dict[str, Any], now: dict[str, Any]) -> Changes:
    """Two sets of values, key by key."""
    changed = [Change(key, then[key], value) for key, value in now.items() if key in then and then[key] != value]
    changed.sort(key=lambda change: -change.size)
    return Changes(changed, [key for key in now if key not in then], [key for key in then if key not in now])


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """A preset's options by dotted keys; lists are values, as DVC has them."""
    if isinstance(value, dict) and value:
        return {inner: each for name, below in value.items() for inner, each in _flat(below, f"{key}.{name}" if key else str(name)).items()}
    return {key: value}
