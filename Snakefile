# snakemake --cores all [--config preset=smoke]
# Every rule calls the command line; what a rule depends on beside its files stands in its params (docs/architecture.md).

import os
import sys
from pathlib import Path
from shlex import quote

from rediffuse import interrupts, provenance, weeklies
from rediffuse.config.ddpm import CELL
from rediffuse.errors import UserError
from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import checkpoints, engine, locks, named, recipes
from rediffuse.presets import load_preset, preset_path

config.setdefault("preset", "laptop")
# GPUs that a job asks for; 0 on a cluster that has none. On one machine it limits nothing, unless a profile says how many there are.
GPU = config.setdefault("gpu", 1)
try:
    if GPU not in (0, 1):
        raise UserError(f"--config gpu: found {GPU!r}; expected 1, or 0")
    PRESET_FILE = preset_path(str(config["preset"]))
    LAYOUT = Layout(PRESET_FILE.stem, load_preset(PRESET_FILE))
    JOBS = recipes.jobs(LAYOUT)
    REUSED = checkpoints.reused(LAYOUT, str(config.get("reuse", "")))
except UserError as error:
    # Snakemake would wrap it in a traceback of its own and exit with status 1.
    print(f"rediffuse: {error}", file=sys.stderr, flush=True)
    os._exit(2)
PRESET = LAYOUT.preset
# Locks of a Snakemake that was killed stop nobody; and what is there is known by its records, whoever brought it. Not in the Snakemakes
# that jobs on other machines start.
if workflow.is_main_process:
    locks.register()
    engine.remember(LAYOUT)

# Rules find the `rediffuse` of this environment, activated or not, and the preset; and end when this Snakemake does.
shell.prefix(
    f"export PATH={quote(str(Path(sys.executable).parent))}:$PATH REDIFFUSE_PRESET={quote(str(config['preset']))} "
    f"{interrupts.RUN}={quote(interrupts.this_process())}; "
)


wildcard_constraints:
    dataset="[A-Za-z0-9-]+?",
    paper="sohl2015|ddpm|ddim",
    hash="[0-9a-f]{8}",
    run="[A-Za-z0-9-]+",
    samples="[A-Za-z0-9-]+?",
    shard="[0-9]+",
    shards="[0-9]+",
    date="[0-9]{4}-[0-9]{2}-[0-9]{2}",


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/weekly.smk"


rule all:
    default_target: True
    input:
        recipes.report(LAYOUT).makes,
        recipes.equations(LAYOUT).makes,
        recipes.site(LAYOUT).outputs["pages"],
        *[recipe.makes for recipe in recipes.weekly_reports(LAYOUT)],
    message:
        f"Everything of the preset {LAYOUT.name} is made"


rule data:
    input:
        [LAYOUT.dataset(name) / "arrays.npz" for name in PRESET.datasets],
    message:
        "All data sets are prepared"


rule runs:
    input:
        [LAYOUT.weights(name) for name in PRESET.runs | PRESET.features],
    message:
        "All networks are trained"


rule samples:
    input:
        [shard for name in PRESET.samples for shard in LAYOUT.shards(name)],
    message:
        "All samples are drawn"


onstart:
    print(*at_start(), sep="\n", end="\n\n", file=sys.stderr)


onsuccess:
    print(where_to_look(), *weekly_reports(), sep="\n", file=sys.stderr)
