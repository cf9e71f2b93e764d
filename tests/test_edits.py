"""What an edit re-runs: the laptop preset's own workflow, all of it made, edited in one place, and asked what it would do.

Nothing is trained here: every output is a stand-in with a true record, as a clone has them that DVC brought.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.pipeline.recipes import Recipe
from rediffuse.presets import load_preset, preset_path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STAND_INS = """
import sys
from pathlib import Path
from rediffuse import provenance
from rediffuse.pipeline import recipes
from rediffuse.paths import Layout
from rediffuse.presets import load_preset, preset_path
from rediffuse.pipeline.records import recorded
provenance.commit = lambda: "0" * 10
for name in sys.argv[1:]:
    layout = Layout(name, load_preset(preset_path(name)))
    for recipe in recipes.jobs(layout):
        if recipe.record.is_file():
            continue  # data that presets share
        with recorded(recipe, name):
            for path in recipe.makes:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"stand-in for {path}")
"""


def run(folder: Path, *command: str, status: int = 0) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("REDIFFUSE_PRESET", None)
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == status, done.stdout[-4000:]
    return done.stdout


def plan(folder: Path, preset: str = "laptop", *arguments: str) -> set[str]:
    """The rules that would run, `all` aside."""
    out = run(folder, "snakemake", "-n", "--cores", "1", *arguments, "--config", f"preset={preset}")
    rules = set(re.findall(r"^(\w+)\s+\d+$", out, re.MULTILINE)) - {"total", "all"}
    assert rules or "Nothing to be done" in out, out
    return rules


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of this repository, with every output of the presets laptop and smoke stood in for; no memory of Snakemake's."""
    folder = tmp_path_factory.mktemp("edits") / "rediffuse"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("docs/results/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    run(folder, sys.executable, "-c", STAND_INS, "laptop", "smoke")
    return folder


@pytest.fixture
def restored(made: Path) -> Iterator[Path]:
    """The same, every file as it was after the test."""
    sources = [
        path
        for name in ("src", "config", "workflow", "requirements.lock", "Snakefile", "README.md", "data", "docs", "reports")
        for path in _below(made / name)
    ]
    before = {path: (path.read_bytes(), path.stat()) for path in sources}
    yield made
    for path in [path for name in ("src", "config", "workflow", "data") for path in _below(made / name)]:
        if path not in before and "__pycache__" not in path.parts:
            path.unlink()
    for path, (content, stat) in before.items():
        if path.read_bytes() != content or path.stat().st_mtime != stat.st_mtime:
            path.write_bytes(content)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _below(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc"]


LAYOUT = Layout("laptop", load_preset(preset_path("laptop")))
JOBS = recipes.jobs(LAYOUT)
WEIGHTS, ARRAYS = LAYOUT.weights("digits"), LAYOUT.dataset("digits") / "arrays.npz"


def rules(first: Callable[[Recipe], bool]) -> set[str]:
    """The rules of the jobs of which something is true, and of all that is made from what they leave."""
    changed, found = set[Path](), set[str]()
    for recipe in JOBS:
        if first(recipe) or changed & set(recipe.reads):
            changed |= {*recipe.makes, recipe.record}
            found.add(recipe.rule)
    return found


def after(*jobs: str) -> set[str]:
    """The rules of jobs, and of all that is made from what they leave."""
    assert set(jobs) <= {recipe.job for recipe in JOBS}
    return rules(lambda recipe: recipe.job in jobs)


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name}: {old}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def append(name: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return edit


def touch(folder: Path) -> None:
    later = time.time() + 100
    for path in [*_below(folder / "src"), *_below(folder / "data"), folder / WEIGHTS]:
        os.utime(path, (later, later))


def pin(library: str, version: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "requirements.lock"
        text, changed = re.subn(rf"(?m)^{library}==\S+", f"{library}=={version}", path.read_text())
        assert changed
        path.write_text(text)

    return edit


LAPTOP, UNUSED = "config/laptop.yaml", "\n_UNUSED = 1\n"
OF_NO_NETWORK = {"prepare", "sohl2015_measure_table_app1", "sohl2015_table_table_app1", "sohl2015_measure_fig_d1", "sohl2015_draw_fig_d1"}
OF_NO_NETWORK |= {"ddim_draw_fig1", "ddim_draw_fig2", "ddpm_draw_fig2"}
OF_NO_CODE_OF_NETWORKS = {"prepare", "ddim_draw_fig1", "ddim_draw_fig2", "ddpm_draw_fig2"}
EVERY = {recipe.rule for recipe in JOBS}
# What is edited, how, and the rules that are to run again.
EDITS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "nothing": (lambda folder: None, set()),
    "an option of one run": (replace(LAPTOP, "batch: 64, lr: 4e-3", "batch: 64, lr: 5e-3"), after("train-digits")),
    "a seed of samples": (
        replace(LAPTOP, "{kind: ancestral, run: digits,", "{kind: ancestral, run: digits, seed: 7,"),
        after(*[f"sample-digits-digits-ancestral-{k}of2" for k in (1, 2)]),
    ),
    "an option of one figure": (replace(LAPTOP, "hole: 20", "hole: 16"), after("sohl2015-measure-fig5")),
    "options in another order": (replace(LAPTOP, "run: textures, size: 64, hole: 20", "hole: 20, size: 64, run: textures"), set()),
    "the figures' style": (append("src/rediffuse/figures/style.py", UNUSED), rules(lambda recipe: "_draw_" in recipe.rule)),
    "the U-Net": (append("src/rediffuse/networks/unet.py", UNUSED), EVERY - OF_NO_CODE_OF_NETWORKS),
    "a docstring": (replace("src/rediffuse/networks/unet.py", '"""', '"""In words: '), set()),
    "a comment": (append("src/rediffuse/training.py", "\n# a comment\n"), set()),
    "the README": (append("README.md", "\nMore words.\n"), set()),
    "prepared data": (lambda folder: (folder / ARRAYS).write_text("others"), rules(lambda recipe: ARRAYS in recipe.reads)),
    "how one kind of data is read": (append("src/rediffuse/datasets/textures.py", UNUSED), after("prepare-textures", "equations")),
    "the pinned torch": (pin("torch", "2.15.1"), EVERY),
    "the pinned pandas": (pin("pandas", "99.0"), rules(lambda recipe: "-table-" in recipe.job or recipe.rule in ("claims", "report"))),
    "the pinned typer": (pin("typer", "99.0"), set()),
    "touched files": (touch, set()),
    "a rule's message": (replace("workflow/rules/runs.smk", '"Train {wildcards.run}"', '"Now train {wildcards.run}"'), set()),
    "a published number": (
        replace("src/rediffuse/papers/ddim/published_table1.csv", "13.36", "13.37"),
        after("ddim-table-table1", "ddim-table-table1_released"),
    ),
    "a claim's wording": (append("src/rediffuse/papers/ddim/claims.csv", "\n"), after("ddim-claims")),
    "the look of the pages": (append("src/rediffuse/report/site/site.css", "\n"), {"site", "weekly_report"}),
    "the code of the pages": (append("src/rediffuse/report/site/front.py", UNUSED), {"site"}),
    "a word of the pages": (replace("src/rediffuse/report/words/interface.csv", "图集", "图库"), {"site", "weekly_report"}),
    "a chapter": (append("docs/papers/ddim/code.md", "\nMore words.\n"), {"site"}),
    "a weekly report's text": (append("reports/weekly/2023-01-10.md", "\nMore words.\n"), after("weekly-2023-01-10")),
    "the frame of weekly reports": (append("src/rediffuse/report/weekly/words.py", UNUSED), {"weekly_report"}),
    "a preset of one's own": (lambda folder: shutil.copyfile(folder / "config/smoke.yaml", folder / "config/mine.yaml"), set()),
    "a new option with its default": (
        replace(
            "src/rediffuse/config/runs.py", "    warmup: Annotated", '    restarts: Count = 1\n    """How often."""\n    warmup: Annotated'
        ),
        set(),
    ),
    "a default that is changed": (
        replace("src/rediffuse/config/runs.py", "clip: Positive = 1.0", "clip: Positive = 2.0"),
        EVERY - OF_NO_NETWORK - {"equations"},
    ),
}


def test_an_output_that_no_target_needs_is_made_again_when_it_is_gone(made: Path) -> None:
    """Also where its job changed meanwhile: Snakemake asks nothing of a job of which it does not know every output."""
    curve = made / LAYOUT.run("digits") / "history.csv"
    content, stat = curve.read_bytes(), curve.stat()
    curve.unlink()
    try:
        assert plan(made, "laptop", str(LAYOUT.weights("digits"))) == {"train"}
    finally:
        curve.write_bytes(content)
        os.utime(curve, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert plan(made) == set()


def test_a_tree_without_snakemakes_memory_has_nothing_to_do(made: Path) -> None:
    shutil.rmtree(made / ".snakemake", ignore_errors=True)
    assert plan(made) == set()
    assert plan(made, "smoke") == set()
    assert plan(made) == set(), "laptop, smoke, laptop"


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_re_runs_what_depends_on_it_and_nothing_else(restored: Path, name: str) -> None:
    edit, expected = EDITS[name]
    edit(restored)
    assert plan(restored) == expected


def test_an_edit_of_a_weekly_report_renders_that_one_alone(restored: Path) -> None:
    append("reports/weekly/2023-01-10.md", "\nMore words.\n")(restored)
    told = run(restored, sys.executable, "-m", "rediffuse.cli", "why")
    assert told == "Render the weekly report 2023-01-10: reports/weekly/2023-01-10.md changed\n"


def test_a_preset_of_ones_own_has_weekly_reports_only_when_they_are_asked_for(restored: Path) -> None:
    shutil.copyfile(restored / "config/smoke.yaml", restored / "config/mine.yaml")
    assert "weekly_report" not in plan(restored, "config/mine.yaml")
    assert "weekly_report" in plan(restored, "config/mine.yaml", "weekly")
