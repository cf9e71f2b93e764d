"""What a job says of itself: its recipe, the record beside its outputs, what Snakemake is told of it, and what `verify` finds."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import snakemake.persistence
from tiny import preset, rediffuse, refused, write

from rediffuse.errors import UserError
from rediffuse.paths import Layout
from rediffuse.pipeline import checkpoints, engine, recipes
from rediffuse.pipeline.records import read, recorded
from rediffuse.pipeline.verify import changes, told, verify
from rediffuse.presets import load_preset

TINY = Path("tiny.yaml")


def layout(changes: dict[str, Any] | None = None) -> Layout:
    write(TINY, preset(changes))
    return Layout("tiny", load_preset(TINY))


def stand_in(of: Layout) -> list[recipes.Recipe]:
    """Every output of a preset stood in for, with its record."""
    made = recipes.jobs(of)
    for recipe in made:
        with recorded(recipe, of.name):
            for path in recipe.makes:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"stand-in for {path}")
    return made


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[recipes.Recipe]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rediffuse.provenance.commit", lambda: "0" * 10)
    return stand_in(layout())


def job(name: str, changes: dict[str, Any] | None = None) -> recipes.Recipe:
    return next(recipe for recipe in recipes.jobs(layout(changes)) if recipe.job == name)


# --- recipes ---


def test_no_two_jobs_leave_the_same_file_or_say_the_same(made: list[recipes.Recipe]) -> None:
    files = [path for recipe in made for path in [*recipe.makes, recipe.record]]
    assert len(files) == len(set(files))
    assert len({recipe.words for recipe in made}) == len({recipe.job for recipe in made}) == len(made)


def test_jobs_come_after_those_whose_files_they_read(made: list[recipes.Recipe]) -> None:
    there: set[Path] = set()
    for recipe in made:
        for path in recipe.reads:
            assert path in there or {"src", "docs"} & {*path.parts}, f"{recipe.words} reads {path} before it is made"
        there |= {*recipe.makes, recipe.record}


def test_an_option_belongs_to_the_jobs_that_use_it(made: list[recipes.Recipe]) -> None:
    before = {recipe.job: recipe.params() for recipe in made}
    after = {recipe.job: recipe.params() for recipe in recipes.jobs(layout({"runs.roll.network.units": 5}))}
    assert {name for name in before if before[name] != after[name]} == {"train-roll"}
    after = {recipe.job: recipe.params() for recipe in recipes.jobs(layout({"papers.ddpm.fig8.pairs": 3}))}
    assert {name for name in before if before[name] != after[name]} == {"ddpm-measure-fig8", "ddpm-draw-fig8"}


def test_an_option_that_came_later_is_left_out_while_it_has_its_default(made: list[recipes.Recipe]) -> None:
    recipe = job("train-roll")
    now = recipe.params()["options"]
    before = json.loads(json.dumps(now))
    del before["run"]["training"]["clip"]
    assert "clip" not in recipe.params(before)["options"]["run"]["training"]
    assert recipe.params(before)["options"] == before
    chosen = job("train-roll", {"runs.roll.training.clip": 0.5}).params(before)["options"]
    assert chosen["run"]["training"]["clip"] == 0.5
    assert recipe.params(now)["options"] == now


def test_the_order_of_options_is_none_of_their_value(made: list[recipes.Recipe]) -> None:
    options = json.dumps(job("train-roll").params()["options"])
    assert options == json.dumps(json.loads(options), sort_keys=False)
    assert [*json.loads(options)["run"]] == sorted(json.loads(options)["run"])


def test_defaults_do_not_name_the_data_folder(made: list[recipes.Recipe]) -> None:
    plain = layout().dataset("beat")
    assert layout({"datasets.beat.seed": 0}).dataset("beat") == plain, "0 is the default"
    assert layout({"datasets.beat.seed": 1}).dataset("beat") != plain


# --- records ---


def test_a_record_says_what_from_by_what_and_when(made: list[recipes.Recipe]) -> None:
    record = read(job("train-roll"))
    assert record is not None
    assert record["command"] == "train roll"
    assert record["options"]["run"]["network"] == {"kind": "rbf", "units": 4}
    assert "networks.rbf" in record["code"]
    assert set(record["outputs"]) == {"results/tiny/runs/roll/weights.safetensors", "results/tiny/runs/roll/history.csv"}
    assert all(len(content) == 64 for content in [*record["inputs"].values(), *record["outputs"].values()])
    assert record["libraries"].keys() == record["pins"].keys() == {"numpy", "torch"}
    assert {"seconds", "hardware", "commit"} <= record.keys()


def test_a_job_that_fails_leaves_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError), recorded(job("train-roll"), "tiny"):
        raise UserError("no")
    assert not job("train-roll").record.exists()


def test_a_damaged_record_is_named(made: list[recipes.Recipe]) -> None:
    recipe = job("train-roll")
    recipe.record.write_text("{}")
    with pytest.raises(UserError, match=r"runs/roll/record\.json: damaged"):
        read(recipe)
    assert told(recipe)[0].startswith(f"{recipe.record}: damaged")


# --- what Snakemake is told ---


def test_snakemakes_format_is_the_one_that_is_written() -> None:
    assert engine.FORMAT == snakemake.persistence.RECORD_FORMAT_VERSION


def test_what_snakemake_is_told_it_can_read(made: list[recipes.Recipe]) -> None:
    engine.remember(layout())
    recipe = job("ddpm-measure-fig8")
    memory = engine.memory(recipe.makes[0])
    assert memory is not None
    snakemake.persistence.MetadataRecord.model_validate(memory)
    assert memory["params"] == [repr(recipe.params())], "as Snakemake writes the rule's one param"
    assert memory["input"] == sorted(map(str, recipe.reads))
    assert memory["endtime"] == recipe.makes[0].stat().st_mtime
    assert engine.known_options(recipe) == recipe.params()["options"]


def test_what_snakemake_knows_itself_stays(made: list[recipes.Recipe]) -> None:
    of = layout()
    engine.remember(of)
    path = engine._file(job("train-roll").makes[0])
    memory = json.loads(path.read_text())
    path.write_text(json.dumps(memory | {"params": ["'its own'"]}))
    engine.remember(of)
    assert json.loads(path.read_text())["params"] == ["'its own'"]
    os.utime(job("train-roll").makes[0], (1, 1))  # another file: DVC has brought it
    engine.remember(of)
    assert json.loads(path.read_text())["params"] == [repr(job("train-roll").params())]


def test_outputs_of_other_inputs_are_older_than_these(made: list[recipes.Recipe]) -> None:
    """Snakemake looks into no input that is older than what is made of it: a clone's files have any order of times."""
    of, recipe = layout(), job("train-roll")
    arrays = recipe.reads[0]
    arrays.write_text("other data")
    os.utime(arrays, (1000, 1000))
    engine.remember(of)
    assert recipe.makes[0].stat().st_mtime < 1000


@pytest.mark.parametrize("content", ["", "{", "[]", '{"params": null}', '{"params": ["{"]}'])
def test_a_torn_memory_is_none(made: list[recipes.Recipe], content: str) -> None:
    recipe = job("train-roll")
    path = engine._file(recipe.makes[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert engine.known_options(recipe) is None
    engine.remember(layout())
    assert engine.known_options(recipe) == recipe.params()["options"]


def test_a_long_name_is_cut_as_snakemake_cuts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = snakemake.persistence.file.FilePersistence if hasattr(snakemake.persistence, "file") else None
    if backend is None:
        from snakemake.persistence.file import FilePersistence as backend  # noqa: N813
    theirs = object.__new__(backend)
    theirs._max_len = 255
    name = "results/" + "x" * 300 + "/weights.safetensors"
    assert Path(theirs._record_path(".snakemake/metadata", name)) == engine._file(Path(name))
    assert Path(theirs._record_path(".snakemake/incomplete", name)) == engine._file(Path(name), engine.INCOMPLETE)


# --- verify ---


def test_all_is_well(made: list[recipes.Recipe], capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(layout())[0] == []
    assert rediffuse("verify", "--preset", "tiny.yaml") == 0
    assert capsys.readouterr().out == f"{len(made)} jobs as recorded, 0 things that are not.\n"


def test_what_is_missing_changed_or_stale_is_named(made: list[recipes.Recipe], capsys: pytest.CaptureFixture[str]) -> None:
    job("ddpm-draw-fig8").makes[0].unlink()
    job("train-digits").makes[0].write_text("by hand")
    layout({"runs.beat.training.steps": 25, "runs.beat.training.ema_decay": 0.8})
    assert rediffuse("verify", "--preset", "tiny.yaml") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "results/tiny/ddpm/fig8.png: missing: Draw fig8 of ddpm" in lines
    assert "results/tiny/runs/digits/weights.safetensors: changed by hand, or damaged, since it was made" in lines
    stale = "results/tiny/runs/beat/weights.safetensors: stale: option run.training."
    assert {f"{stale}steps: 20 -> 25", f"{stale}ema_decay: 0.7 -> 0.8"} <= set(lines)
    assert any("stale: it was made from another results/tiny/runs/digits/weights.safetensors" in line for line in lines)
    assert not any("runs/roll" in line for line in lines)


def test_changes_are_told_in_words(made: list[recipes.Recipe]) -> None:
    recipe = job("train-roll")
    record = read(recipe)
    assert record is not None
    record["code"] |= {"networks.rbf": "0", "networks.gone": "1"}
    record["pins"]["torch"] = "2.0.0"
    del record["code"]["training"]
    record["options"]["run"]["training"]["steps"] = 7
    assert changes(recipe, record) == [
        "option run.training.steps: 7 -> 20",
        "code: networks/gone.py is used no more",
        "code: networks/rbf.py changed",
        "code: training.py is used now",
        f"library: torch 2.0.0 -> {recipe.pins['torch']}",
    ]


# --- checkpoints ---


def test_weights_whose_recipe_changed_are_kept(made: list[recipes.Recipe]) -> None:
    assert [*checkpoints.keep(layout(), [])] == []
    weights = job("train-roll").makes[0].read_bytes()
    changed = layout({"runs.roll.network.units": 5})
    (line,) = checkpoints.keep(changed, [])
    (folder,) = Path("results/tiny/replaced").iterdir()
    assert (folder / "weights.safetensors").read_bytes() == weights
    assert line == (
        "roll is to be trained anew (option run.network.units: 4 -> 5): those that are there are kept in "
        f"{folder}; --config reuse=roll takes the weights as they are."
    )
    assert [*checkpoints.keep(changed, ["roll"])] == []


def test_weights_whose_data_are_prepared_anew_are_kept(made: list[recipes.Recipe]) -> None:
    """Snakemake trains again after any job that it runs before, be the data the same bytes."""
    of = layout()
    record = job("prepare-roll").record
    told = json.loads(record.read_text())
    record.write_text(json.dumps(told | {"code": told["code"] | {"datasets.prepare": "another"}}))
    lines = [*checkpoints.keep(of, [])]
    assert {line.partition(" is to be trained anew (roll is to be prepared anew): ")[0] for line in lines} == {"roll", "rates"}
    assert {path.name.rpartition("-")[0] for path in Path("results/tiny/replaced").iterdir()} == {"roll", "rates"}
    record.unlink()
    assert len([*checkpoints.keep(of, [])]) == 2


def test_reuse_is_of_networks_that_are_there(made: list[recipes.Recipe]) -> None:
    of = layout()
    assert checkpoints.reused(of, "") == []
    assert checkpoints.reused(of, "roll,digits") == ["roll", "digits"]
    assert set(checkpoints.reused(of, "all")) == set(of.preset.runs | of.preset.features)
    of.weights("roll").unlink()
    assert checkpoints.reused(of, "roll,digits") == ["digits"]
    with pytest.raises(UserError, match="reuse: found 'rol'; expected all, or some of bark, beat,"):
        checkpoints.reused(of, "rol")


def test_why_says_what_snakemake_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write(TINY, preset())
    assert "snakemake --dry-run: exit status" in refused(capsys, "why", "--preset", "tiny.yaml"), "no Snakefile here"


def test_a_job_whose_end_snakemake_did_not_live_to_see_is_not_begun_anew(made: list[recipes.Recipe]) -> None:
    """The mark of a job that was begun goes only where its record stands and is of what lies there."""
    done, changed, half = job("train-digits"), job("train-roll"), job("train-beat")
    marks = {recipe.job: engine._file(recipe.makes[0], engine.INCOMPLETE) for recipe in (done, changed, half)}
    for mark in marks.values():
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("{}")
    changed.makes[0].write_text("another content")
    half.record.unlink()
    engine.remember(layout())
    assert {name: mark.exists() for name, mark in marks.items()} == {"train-digits": False, "train-roll": True, "train-beat": True}
