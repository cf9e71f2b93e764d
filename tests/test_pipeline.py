"""The smoke preset from a copy of the sources to a recorded, shared and cloned result."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pipeline import RESULTS, commit, copied, git, jobs, record, run, snakemake

from rediffuse.papers.makes import MAKES
from rediffuse.presets import load_preset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def made(smoke_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished smoke preset, which the tests below may change."""
    return copied(smoke_tree, tmp_path_factory.mktemp("pipeline") / "rediffuse")


def test_everything_is_made_with_the_published_numbers_beside_ours(made: Path) -> None:
    for paper in ("sohl2015", "ddpm", "ddim"):
        table = pd.read_csv(made / RESULTS / paper / "table1.csv")
        for column in ("dataset", "run", "metric", "unit", "value", "sd", "n", "published", "published_dataset", "comparable", "source"):
            assert column in table, f"{paper}: {column}"
        ours = table[table["value"].notna()]
        assert len(ours)
        assert ours["published"].notna().any()
        same = {"heartbeat"} if paper == "sohl2015" else set()
        assert set(ours[ours["comparable"]]["dataset"]) == same, "of all our data the heartbeat alone is the published set, by definition"
    claims = pd.read_csv(made / RESULTS / "claims.csv", keep_default_na=False)
    assert set(claims["verdict"]) <= {"held", "not held", "not tested"}
    assert (claims[claims["verdict"] != "held"]["why"] != "").all()
    artifacts = pd.read_csv(made / RESULTS / "artifacts.csv", keep_default_na=False)
    for row in artifacts[artifacts["status"] == "made"].to_dict("records"):
        assert row["files"], row
        for name in row["files"].split():
            assert (made / RESULTS / row["paper"] / name).stat().st_size > 0
    assert (artifacts[artifacts["status"] != "made"]["why"] != "").all()


def test_metrics_hold_no_time_and_timings_do(made: Path) -> None:
    metrics = json.loads((made / RESULTS / "metrics.json").read_text())
    assert set(metrics) == {"sohl2015", "ddpm", "ddim"}
    assert "second" not in json.dumps(metrics)
    timings = json.loads((made / RESULTS / "timings.json").read_text())
    preset = load_preset(made / "config/smoke.yaml")
    assert sum(job.startswith("train") for job in timings) == len(preset.runs | preset.features)
    assert all({"seconds", "hardware", "commit"} <= set(fact) for fact in timings.values())


def test_a_second_run_has_nothing_to_do(made: Path) -> None:
    assert "Nothing to be done" in snakemake(made)


def test_what_a_change_touches_runs_again_and_nothing_else(made: Path) -> None:
    figure, published, preset, products, windows = (
        made / "src/rediffuse/figures/ddim.py",
        made / "src/rediffuse/papers/ddim/published_table1.csv",
        made / "config/smoke.yaml",
        made / "src/rediffuse/processes/products.py",
        made / "src/rediffuse/metrics/parzen.py",
    )
    originals = {path: path.read_text() for path in (figure, published, preset, products, windows)}
    report = {"all", "claims", "report", "site", "weekly_report"}

    def of(paper: str, *measured: str) -> set[str]:
        """The jobs of a paper's artifacts, from measuring to drawing."""
        makes = {name: MAKES[paper][name] for name in measured}
        tabulated, drawn = [name for name in makes if makes[name].is_table], [name for name in makes if makes[name].drawn]
        names = [("measure", measured), ("table", tabulated), ("draw", drawn)]
        return {f"{paper}_{step}_{name}" for step, those in names for name in those}

    def of_2015(*measured: str) -> set[str]:
        return of("sohl2015", *measured)

    every_figure = {f"ddim_draw_{name}" for name, makes in MAKES["ddim"].items() if makes.drawn}

    try:
        figure.write_text(originals[figure].replace('"""Figures of', '"""The figures of') + "\n# a comment\n")
        assert jobs(made) == set(), "a docstring and a comment change nothing"
        figure.write_text(originals[figure].replace("steps S", "steps, S"))
        assert jobs(made) == every_figure | report
        figure.write_text(originals[figure])
        published.write_text(originals[published].replace("13.36", "13.37"))
        tables = {f"ddim_{step}_{name}" for step in ("table", "draw") for name in ("table1", "table1_released")}
        assert jobs(made) == tables | report
        published.write_text(originals[published])
        preset.write_text(originals[preset].replace("[10, 20], columns: 6", "[10, 20], columns: 5"))
        assert jobs(made) == of("ddim", "fig3") | report
        preset.write_text(originals[preset].replace("hole: 6", "hole: 4"))
        assert jobs(made) == of_2015("fig5") | report
        # Of a network: its own training, and what is measured on it.
        preset.write_text(originals[preset].replace("units: 16", "units: 12", 1))
        assert jobs(made) == {"train"} | of_2015("table1", "fig1", "entropy", "ablation") | report
        preset.write_text(originals[preset])
        # An edit of the code: what multiplies by r(x), and the check of Table App.1 on it; no training and no other paper.
        products.write_text(originals[products].replace("def start_at", "_UNUSED = 1\n\n\ndef start_at"))
        assert jobs(made) == of_2015("products", "table_app1", "fig3", "fig4", "fig5", "fig_app1", "fig_d1") | report | {"equations"}
        products.write_text(originals[products])
        windows.write_text(originals[windows] + "\n\n_UNUSED = 1\n")
        assert jobs(made) == of_2015("table2") | report
    finally:
        for path, text in originals.items():
            path.write_text(text)
    assert jobs(made) == set()


def test_a_changed_picture_of_a_folder_is_prepared_anew_and_an_unchanged_one_is_not(made: Path) -> None:
    pictures = made / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 256, (8, 32), dtype=np.uint8)).save(pictures / name)
    own = made / "own.yaml"
    own.write_text("datasets: {mine: {kind: folder, path: pictures, size: 4, train: 20, test: 5}}\nruns: {}\npapers: {}\n")

    def prepares() -> bool:
        done = run(made, "snakemake", "--cores", "1", "-n", "data", "--config", f"preset={own.name}")
        return bool(re.search(r"^prepare\s+1$", done, re.MULTILINE))

    assert prepares()
    run(made, "snakemake", "--cores", "1", "data", "--config", f"preset={own.name}")
    assert not prepares()
    (pictures / "notes.txt").write_text("no image")
    assert not prepares()
    picture = np.asarray(Image.open(pictures / "b.png"))
    Image.fromarray(255 - picture).save(pictures / "b.png")
    assert prepares(), "a changed picture"
    Image.fromarray(picture).save(pictures / "b.png")
    Image.fromarray(picture).save(pictures / "c.png")
    assert prepares(), "one picture more"


@pytest.mark.parametrize("shards", [1, 8])
def test_shards_do_not_change_samples_or_tables(made: Path, shards: int) -> None:
    """The same preset under another name, of two shards in the recorded one, in one and in eight: the same metrics, to the last bit."""
    other = made / f"config-{shards}-shards.yaml"
    text, block = (made / "config/smoke.yaml").read_text(), "    n: 64\n    chunk: 8\n    shards: 2\n"
    assert block in text
    other.write_text(text.replace(block, block.replace("2", str(shards))))
    target = made / "results" / other.stem
    for name in ("digits", "digits-classifier"):
        shutil.copytree(made / RESULTS / "runs" / name, target / "runs" / name)
    for samples in load_preset(other).papers.ddim.table1.samples:
        for shard in range(1, load_preset(other).samples[samples].shards + 1):
            run(made, "rediffuse", "sample", samples, "--shard", str(shard), "--preset", other.name)
    run(made, "rediffuse", "measure", "ddim", "table1", "--preset", other.name)
    cut = (target / "measurements/ddim/table1.csv").read_text()
    assert cut == (made / RESULTS / "measurements/ddim/table1.csv").read_text()


def test_lint_of_the_workflow_is_clean(made: Path) -> None:
    run(made, "python", "workflow/lint.py")


def test_record_push_clone_pull_and_compare(made: Path, tmp_path: Path) -> None:
    """DVC knows what was made: a clone pulls it bit for bit, repro and status find nothing to do, metrics can be compared."""
    stages = run(made, "rediffuse", "record", "--preset", "smoke").split()
    assert {stage.split("-")[0] for stage in stages} == {"data", "smoke"}
    run(made, "dvc", "commit", "--force", "--quiet", "--no-relink", *stages)
    run(made, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    commit(made, "recorded")
    run(made, "dvc", "push")
    assert "up to date" in run(made, "dvc", "status")
    assert "Nothing to be done" in snakemake(made), "recording leaves the files as they were"
    snapshot = made / "docs" / RESULTS
    assert (snapshot / "README.md").is_file()
    assert {path.name for path in snapshot.glob("ddim/table1.*")} == {f"table1.{kind}" for kind in ("csv", "md", "json", "png")}, "no twins"
    assert (snapshot / "metrics.json").read_bytes() == (made / RESULTS / "metrics.json").read_bytes()

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(made), str(clone))
    run(clone, "dvc", "remote", "add", "--default", "--force", "store", str(tmp_path / "store"))
    run(clone, "dvc", "pull")
    for path in sorted((made / RESULTS / "runs").rglob("*.safetensors")):
        assert (clone / path.relative_to(made)).read_bytes() == path.read_bytes()
    assert "up to date" in run(clone, "dvc", "status")
    assert "Nothing to be done" in snakemake(clone)
    assert run(clone, "rediffuse", "why", "--preset", "smoke").startswith("Nothing to be done")
    assert " 0 things that are not" in run(clone, "rediffuse", "verify", "--preset", "smoke")
    assert "up to date" in run(clone, "dvc", "repro")
    # A clone knows as well as who made it what an edit re-runs, and says so.
    preset = clone / "config/smoke.yaml"
    text = preset.read_text()
    preset.write_text(text.replace("[10, 20], columns: 6", "[10, 20], columns: 5"))
    assert jobs(clone) == {"ddim_measure_fig3", "ddim_draw_fig3", "all", "claims", "report", "site", "weekly_report"}
    assert "Measure fig3 of ddim: option fig3.columns: 6 -> 5" in run(clone, "rediffuse", "why", "--preset", "smoke")
    preset.write_text(text)
    assert "ddim" in run(clone, "dvc", "metrics", "show")

    metrics = clone / RESULTS / "metrics.json"
    changed = json.loads(metrics.read_text())
    key = next(iter(changed["ddim"]["table1"]))
    changed["ddim"]["table1"][key] += 1
    metrics.unlink()
    metrics.write_text(json.dumps(changed))
    assert re.search(r"\b1\.0\b|\b1\b", run(clone, "dvc", "metrics", "diff"))


def test_weights_whose_recipe_changed_are_reused_or_kept(smoke_tree: Path, tmp_path: Path) -> None:
    """A network's code is edited: by default it is trained anew and the old weights are put by; with reuse they are taken as they are."""
    folder = copied(smoke_tree, tmp_path / "rediffuse")
    rbf, weights = folder / "src/rediffuse/networks/rbf.py", folder / RESULTS / "runs/swiss-roll/weights.safetensors"
    rbf.write_text(rbf.read_text() + "\n\n_UNUSED = 1\n")
    text, before = (folder / "config/smoke.yaml").read_text(), weights.read_bytes()
    every = "--config", "preset=smoke"
    figure = RESULTS / "sohl2015/fig1.png"
    assert "train" in set(re.findall(r"^(\w+)\s+1$", run(folder, "snakemake", "-n", *every, "--", str(figure)), re.MULTILINE))
    told = run(folder, "snakemake", "--cores", "2", *every, "reuse=all", "--", str(figure))
    assert "swiss-roll: its weights are taken as they are." in told
    assert "Measure fig1 of sohl2015" in told and "Train swiss-roll" not in told
    assert weights.read_bytes() == before
    (folder / "config/smoke.yaml").write_text(text.replace("units: 16}", "units: 12}", 1))
    rbf.write_text(rbf.read_text().replace("\n\n_UNUSED = 1\n", ""))
    told = run(folder, "snakemake", "--cores", "2", *every, "--", str(weights.relative_to(folder)))
    assert "swiss-roll is to be trained anew (option run.network.units: 16 -> 12)" in told
    assert weights.read_bytes() != before
    (kept,) = (folder / RESULTS / "replaced").iterdir()
    assert (kept / "weights.safetensors").read_bytes() == before
    assert "rediffuse: reuse: found 'rol'; expected all, or some of " in run(folder, "snakemake", "-n", *every, "reuse=rol", status=2)


def test_recorded_weights_come_back_from_dvc(smoke_tree: Path, tmp_path: Path) -> None:
    folder = copied(smoke_tree, tmp_path / "rediffuse")
    for name in ("dvc.yaml", "dvc.lock"):
        (folder / name).unlink(missing_ok=True)
    record(folder)
    commit(folder, "recorded")
    preset, weights = folder / "config/smoke.yaml", folder / RESULTS / "runs/swiss-roll/weights.safetensors"
    text, before = preset.read_text(), weights.read_bytes()
    preset.write_text(text.replace("units: 16}", "units: 12}", 1))
    told = snakemake(folder, str(weights.relative_to(folder)))
    (back,) = re.findall(r"swiss-roll is to be trained anew .*undo the change and `(dvc checkout --force \S+)`", told)
    assert weights.read_bytes() != before
    preset.write_text(text)
    run(folder, *back.split())
    assert weights.read_bytes() == before
    assert jobs(folder) == set()
