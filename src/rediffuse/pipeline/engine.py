"""What Snakemake remembers of each output, which is a copy of the records beside them.

Snakemake knows from its own memory alone, `.snakemake/metadata`, with which params and inputs a file was made; a clone has none, nor has a
file that DVC brought. Records travel with the files, so the memory is written anew from them where it is absent or of another file.
"""

import ast
import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from rediffuse.errors import UserError
from rediffuse.files import write_text
from rediffuse.paths import Layout
from rediffuse.pipeline.recipes import PARAMS, Recipe, jobs
from rediffuse.pipeline.records import contents, read

METADATA = Path(".snakemake/metadata")
INCOMPLETE = Path(".snakemake/incomplete")
"""Has a file for each output whose job was begun and, as far as Snakemake knows, not ended."""
FORMAT = 6
"""Of Snakemake's records, as of 9.27 (snakemake.persistence.RECORD_FORMAT_VERSION)."""
LONGEST = 254


def memory(output: Path) -> dict[str, Any] | None:
    """What Snakemake remembers of an output; None if it remembers nothing that can be read."""
    try:
        memory = json.loads(_file(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return memory if isinstance(memory, dict) else None


def known_options(recipe: Recipe) -> dict[str, Any] | None:
    """The options that Snakemake remembers of a job, for Recipe.params."""
    for param in (memory(recipe.makes[0]) or {}).get("params") or []:
        try:
            value = ast.literal_eval(param)
        except (ValueError, SyntaxError, TypeError):
            continue
        if isinstance(value, dict) and isinstance(value.get("options"), dict):
            options: dict[str, Any] = value["options"]
            return options
    return None


def remember(layout: Layout) -> None:
    """Write Snakemake's memory of the outputs that are there and of which it has none, or one of another file, from their records."""
    for recipe in jobs(layout):
        there = [path for path in [*recipe.makes, recipe.record] if path.is_file()]
        missing = [path for path in recipe.makes if not path.is_file()]
        _complete(recipe, there)
        unknown = [path for path in there if (memory(path) or {}).get("endtime") != path.stat().st_mtime]
        if not (unknown or missing):
            continue
        try:
            record = read(recipe)
        except UserError:
            continue  # `rediffuse verify` names it
        if record is not None:
            _remember(recipe, record, there, missing)


def _complete(recipe: Recipe, there: list[Path]) -> None:
    """Let Snakemake know that a job was done, if Snakemake was killed before it did: it would remove the outputs and do all of it anew.

    The record is the last that a job writes, and Snakemake removes it before it begins one: where it stands and fits, the job was done.
    """
    begun = [marker for path in there if (marker := _file(path, INCOMPLETE)).exists()]
    if not begun:
        return
    try:
        record = read(recipe)
    except UserError:
        return
    if record is not None and record["outputs"] == contents(recipe.makes):
        for marker in begun:
            marker.unlink(missing_ok=True)


def _remember(recipe: Recipe, record: dict[str, Any], there: list[Path], missing: list[Path]) -> None:
    now = contents(recipe.reads)
    changed = [path for path in recipe.reads if now.get(path.as_posix()) != record["inputs"].get(path.as_posix()) and path.is_file()]
    if changed:
        # Snakemake looks into files that are newer than what is made from them, and into no others.
        earlier = min(path.stat().st_mtime for path in changed) - 1
        for path in there:
            if path.stat().st_mtime > earlier:
                os.utime(path, (earlier, earlier))
    known = {
        "rule": recipe.rule,
        "input": sorted(map(str, recipe.reads)),
        "log": [],
        # Of a job one of whose outputs Snakemake does not know it asks nothing, unless a target needs that one: where an output is gone, or
        # is new to the rule, it is to find that the job was made otherwise.
        "params": [] if missing else [repr({key: record[key] for key in PARAMS})],
        "record_format_version": FORMAT,
        "incomplete": False,
        "input_checksums": {path: f"sha256:{content}" for path, content in record["inputs"].items()},
    }
    for path in there:
        time = path.stat().st_mtime
        write_text(_file(path), json.dumps(known | {"starttime": time - record["seconds"], "endtime": time}))
    for path in missing:
        write_text(_file(path), json.dumps(known | {"starttime": 0, "endtime": 0}))


def _file(output: Path, folder: Path = METADATA) -> Path:
    name = urlsafe_b64encode(output.as_posix().encode()).decode()
    parts = [name[start : start + LONGEST] for start in range(0, len(name), LONGEST)]
    return folder.joinpath(*[f"@{part}" for part in parts[:-1]], parts[-1])
