"""`rediffuse verify`: whether what is there is what its records say, and what the preset, the code and the libraries would make now."""

from pathlib import Path
from typing import Any

from rediffuse.errors import UserError
from rediffuse.paths import Layout
from rediffuse.pipeline.recipes import Recipe, jobs
from rediffuse.pipeline.records import contents, read
from rediffuse.provenance import unpinned


def verify(layout: Layout) -> tuple[list[str], list[str], int]:
    """What is wrong with the files of a preset, a line each; warnings; and how many jobs are as their records say.

    Hashes are computed anew: of every file, of the options, of the code.
    """
    wrong, pins, well = [], dict[str, str](), 0
    for recipe in jobs(layout):
        found = told(recipe)
        wrong += found
        well += not found
        pins |= recipe.pins
    return wrong, unpinned(pins), well


def told(recipe: Recipe) -> list[str]:
    """What is wrong with the outputs of a job, a line each."""
    missing = [path for path in [*recipe.makes, recipe.record] if not path.is_file()]
    if missing:
        return [f"{path}: missing: {recipe.words}" for path in missing]
    try:
        record = read(recipe)
    except UserError as error:
        return [str(error)]
    assert record is not None
    lines = [f"{path}: changed by hand, or damaged, since it was made" for path in differing(recipe.makes, record["outputs"])]
    first = recipe.makes[0]
    lines += [f"{first}: stale: it was made from another {path}" for path in differing(recipe.reads, record["inputs"])]
    return lines + [f"{first}: stale: {change}" for change in changes(recipe, record)]


def differing(paths: list[Path], recorded: dict[str, str]) -> list[Path]:
    """Those of the files whose content is not the recorded one."""
    now = contents(paths)
    return [path for path in paths if now.get(path.as_posix()) != recorded.get(path.as_posix())]


def changes(recipe: Recipe, record: dict[str, Any]) -> list[str]:
    """What a job depends on beside its files, then and now, in words: options, code, pinned versions."""
    params = recipe.params(record["options"])
    words = [f"option {key}: {was} -> {now}" for key, was, now in _differences(record["options"], params["options"])]
    for name in sorted(record["code"].keys() | params["code"].keys()):
        was, now = record["code"].get(name), params["code"].get(name)
        if was != now:
            what = "changed" if was and now else "is used now" if now else "is used no more"
            words.append(f"code: {name.replace('.', '/')}.py {what}")
    words += [f"library: {key} {was} -> {now}" for key, was, now in _differences(record["pins"], params["pins"])]
    return words


def _differences(was: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """(dotted key, then, now) of every value that is not the same."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = [*was, *(name for name in now if name not in was)]
        return [each for name in keys for each in _differences(was.get(name), now.get(name), f"{key}.{name}" if key else name)]
    return [(key, was, now)] if was != now else []
