"""Records: what a job's outputs were made from and by, and what was so then. Every table and figure carries those behind it."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rediffuse.errors import UserError
from rediffuse.files import read_bytes, read_json, sha256, write_json
from rediffuse.paths import Layout
from rediffuse.pipeline.recipes import PARAMS, Recipe, before_report
from rediffuse.provenance import digest, facts, installed, unpinned

if TYPE_CHECKING:
    import torch

MADE_BY = "snakemake --cores all"
KEYS = {"job", *PARAMS, "inputs", "outputs", "seconds", "hardware", "commit"}


@contextmanager
def recorded(recipe: Recipe, preset: str, device: "torch.device | None" = None) -> Iterator[dict[str, Any]]:
    """Write the record of the job that is done inside, once it is done. What is put into the dictionary that is given stands in it too."""
    start, more = time.monotonic(), dict[str, Any]()
    yield more
    params = recipe.params()
    record = {
        "job": recipe.job,
        "preset": preset,
        **params,
        "libraries": {name: installed(name) for name in params["pins"]},
        "inputs": contents(recipe.reads),
        "outputs": contents(recipe.makes),
        **facts(time.monotonic() - start, device),
        **more,
    }
    write_json(recipe.record, record)


def contents(paths: Iterable[Path]) -> dict[str, str]:
    """The sha256 of the files that are there, by their paths."""
    return {path.as_posix(): content for path, content in _hashes(paths)}


def _hashes(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    return [(path, _hash(path, path.stat().st_size, path.stat().st_mtime_ns)) for path in sorted(set(paths)) if path.is_file()]


@cache  # many jobs read the same data and weights
def _hash(path: Path, size: int, time: int) -> str:
    return sha256(read_bytes(path, MADE_BY))


def read(recipe: Recipe) -> dict[str, Any] | None:
    """The record of a job; None if there is none. Raises UserError if it is damaged."""
    if not recipe.record.is_file():
        return None
    record = read_json(recipe.record, MADE_BY)
    if not isinstance(record, dict) or not record.keys() >= KEYS:
        raise UserError(f"{recipe.record}: damaged; expected the record that `{MADE_BY}` writes, with {', '.join(sorted(KEYS))}")
    return record


def carry(layout: Layout, last: Recipe, path: Path) -> None:
    """Write <artifact>.json beside a table or figure, before its last job is recorded: all that stands behind it, and what was so then."""
    paper, artifact = path.parent.name, path.stem
    behind = _behind(layout, last)
    done = {recipe.job: record for recipe in behind if (record := read(recipe))}
    every = [*done.values(), last.params() | facts(0.0, None)]
    pins = {name: versions for record in every for name, versions in record["pins"].items()}
    data = sorted(recipe.outputs["arrays"][0] for recipe in behind if "arrays" in recipe.outputs)
    write_json(
        path,
        {
            "paper": paper,
            "artifact": artifact,
            "preset": layout.name,
            "rule": last.rule,
            "files": {file.name: content for file, content in _hashes(path.parent.glob(f"{artifact}.*")) if file != path},
            "data": {file.parent.name: content for file, content in _hashes(data)},
            "configuration": digest([record["options"] for record in every]),
            "code": digest([record["code"] for record in every]),
            "seeds": {job: seeds for job, record in done.items() if (seeds := _seeds(record["options"]))},
            "commit": list(dict.fromkeys(record["commit"] for record in every)),
            "libraries": {name: {"pinned": pins[name], "installed": installed(name)} for name in sorted(pins)},
            "warnings": [*unpinned(pins), *(f"{recipe.job}: no record" for recipe in behind if recipe.job not in done)],
            "hardware": list(dict.fromkeys(record["hardware"] for record in every)),
            "seconds": round(sum(record["seconds"] for record in every), 2),
            "made_from": [
                {key: record[key] for key in ("job", "seconds", "hardware", "commit")}
                | {"configuration": digest(record["options"]), "code": digest(record["code"])}
                for record in done.values()
            ],
        },
    )


def _behind(layout: Layout, last: Recipe) -> list[Recipe]:
    """The jobs whose files a job reads, and theirs, in the order in which they are done."""
    made = list(before_report(layout))
    wanted, behind = set(last.reads), []
    for recipe in reversed(made):
        if recipe.job != last.job and wanted & set(recipe.makes):
            behind.append(recipe)
            wanted |= set(recipe.reads)
    return behind[::-1]


def _seeds(options: Any) -> list[int]:
    """Every seed among options."""
    if isinstance(options, dict):
        own = [options[key] for key in ("seed", "seeds") if key in options]
        rest = [seed for key, value in options.items() if key not in ("seed", "seeds") for seed in _seeds(value)]
        return [seed for value in own for seed in (value if isinstance(value, list) else [value])] + rest
    return [seed for value in options for seed in _seeds(value)] if isinstance(options, list) else []
