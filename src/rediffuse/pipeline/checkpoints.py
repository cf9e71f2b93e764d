"""Trained weights are dear: which are taken as they are, and that none whose recipe changed is thrown away."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from rediffuse.errors import UserError
from rediffuse.files import read_bytes
from rediffuse.paths import Layout
from rediffuse.pipeline.recipes import IMPORT, prepare, train
from rediffuse.pipeline.records import MADE_BY, read
from rediffuse.pipeline.verify import changes, differing

CACHE = Path(".dvc/cache/files/md5")


def reused(layout: Layout, names: str) -> list[str]:
    """The networks that are there of those that `--config reuse=NAMES` names: "all", or some with commas.

    Raises UserError for an unknown one.
    """
    known = layout.preset.runs | layout.preset.features
    asked = [*known] if names == "all" else [name for name in names.split(",") if name]
    for name in asked:
        if name not in known:
            raise UserError(f"reuse: found {name!r}; expected all, or some of {', '.join(known)}")
    return [name for name in asked if layout.weights(name).is_file()]


def keep(layout: Layout, reused: list[str]) -> Iterator[str]:
    """Before anything runs: put by the weights that Snakemake may replace since their recipe changed, and say how to get them back.

    Those that DVC holds are safe in its cache; a copy of the others is kept in results/<preset>/replaced/.
    """
    held, anew = _held(layout), {name for name in layout.preset.datasets if _prepared_anew(layout, name)}
    for name in [name for name in layout.preset.runs | layout.preset.features if name not in reused]:
        recipe = train(layout, name)
        weights = recipe.makes[0]
        try:
            record = read(recipe) if weights.is_file() else None
        except UserError:
            record = None  # `rediffuse verify` names it
        if record is None or (recipe.rule == IMPORT and "imported" in record):  # whose weights are to be had again
            continue
        because = changes(recipe, record) + [f"{path} changed" for path in differing(recipe.reads, record["inputs"])]
        dataset = getattr((layout.preset.runs | layout.preset.features)[name], "dataset", None)
        because += [f"{dataset} is to be prepared anew"] if dataset in anew else []
        if not because:
            continue
        verb = "imported" if recipe.rule == IMPORT else "trained"
        what = f"{name} is to be {verb} anew ({because[0]}{f' and {len(because) - 1} more' if len(because) > 1 else ''})"
        choice = f"--config reuse={name} takes the weights as they are"
        content = read_bytes(weights, MADE_BY)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == held.get(f"{name}/{weights.name}"):
            back = f"undo the change and `dvc checkout --force {layout.results}/runs` brings back those that are there"
        else:
            folder = layout.results / "replaced" / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"
            shutil.copytree(weights.parent, folder, dirs_exist_ok=True)
            back = f"those that are there are kept in {folder}"
        yield f"{what}: {back}; {choice}."


def _prepared_anew(layout: Layout, dataset: str) -> bool:
    """Whether Snakemake will prepare a data set, after which it trains on it again, whatever comes of that."""
    recipe = prepare(layout, dataset)
    try:
        record = read(recipe) if all(path.exists() for path in recipe.makes) else None
    except UserError:
        record = None
    return not record or bool(changes(recipe, record))


def _held(layout: Layout) -> dict[str, str]:
    """The md5 of every file of the runs that DVC recorded and has in its cache, by its path below runs/."""
    from ruamel.yaml import YAML

    lock, runs = Path("dvc.lock"), f"{layout.results.as_posix()}/runs"
    stages = (YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.is_file() else {}
    outs = [out for stage in stages.values() for out in stage.get("outs", []) if out["path"] == runs]
    listings = [_cached(out["md5"]) for out in outs]
    files = [file for listing in listings if listing.is_file() for file in json.loads(listing.read_text())]
    return {file["relpath"]: file["md5"] for file in files if _cached(file["md5"]).is_file()}


def _cached(md5: str) -> Path:
    return CACHE / md5[:2] / md5[2:]
