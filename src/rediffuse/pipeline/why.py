"""`rediffuse why`: what Snakemake would run, and because of which change."""

import re
import subprocess
import sys
from collections.abc import Iterator

from rediffuse.errors import UserError
from rediffuse.paths import Layout
from rediffuse.pipeline.recipes import Recipe, jobs
from rediffuse.pipeline.records import read
from rediffuse.pipeline.verify import changes, differing


def why(layout: Layout, preset: str, targets: list[str]) -> Iterator[str]:
    """A line for each job that `snakemake` would run, with the reason; none if there is nothing to do.

    Raises UserError with Snakemake's own word if it cannot tell.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", "--cores", "1", "--config", f"preset={preset}", "--", *targets]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode:
        last = next((line for line in reversed(run.stdout.splitlines()) if line.strip()), "no word")
        raise UserError(f"snakemake --dry-run: exit status {run.returncode}: {last.strip().removeprefix('rediffuse: ')}; expected a plan")
    reasons = dict(re.findall(r"^Job \d+: (.+)\nReason: (.+)$", run.stdout, re.MULTILINE))
    planned = [recipe for recipe in jobs(layout) if recipe.words in reasons]
    made = {path.as_posix(): recipe for recipe in planned for path in recipe.makes}
    for recipe in planned:
        yield f"{recipe.words}: {'; '.join(_because(recipe, made)) or reasons[recipe.words]}"


def _because(recipe: Recipe, made: dict[str, Recipe]) -> list[str]:
    """The changes that concern a job: its own, or those of the jobs before it that run as well."""
    words = []
    missing = [path.name for path in [*recipe.makes, recipe.record] if not path.is_file()]
    record = read(recipe) if not missing else None
    if missing:
        words.append(f"{', '.join(missing[:3])}{f' and {len(missing) - 3} more' if len(missing) > 3 else ''} not there")
    if record:
        words += changes(recipe, record)
        words += [f"{path} changed" for path in differing(recipe.reads, record["inputs"]) if path.as_posix() not in made]
    before = dict.fromkeys(made[path.as_posix()].words for path in recipe.reads if path.as_posix() in made)
    if before and not missing:
        first, *more = before
        words.append(f"after: {first}{f' and {len(more)} more' if more else ''}")
    return words
