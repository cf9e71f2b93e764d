"""Every measurement that takes long, and sampling, stopped after every other part: the files are the same, to the bit."""

import os
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny

from rediffuse import resume
from rediffuse.interrupts import Interrupted
from rediffuse.papers.makes import MAKES, TABLE
from rediffuse.presets import Preset

RESULTS = Path("results/tiny")
LONG = {
    "sohl2015": ["table1", "table2", "fig3", "fig5", "entropy", "ablation"],
    "ddpm": ["table1", "table2", "table4", "bounds", "conventions", "fig7", "fig8", "fig9", "fig10"],
    "ddim": ["table1", "table1_released", "table2", "fig4", "fig5", "grid", "frontier"],
}
SHORT = {
    "sohl2015": ["table_app1", "fig1", "fig2", "fig4", "fig_app1", "fig_d1", "products"],
    "ddpm": ["fig1", "fig13", "fig15"],
    "ddim": ["fig3", "fig6", "fig7"],
}
"""One chain, or no network at all: they begin anew."""
SAMPLES = ["plain", "sweep", "whole"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which data, networks and samples were made, and all of LONG was measured without a stop."""
    folder, before = tmp_path_factory.mktemp("made"), Path.cwd()
    tiny.write(folder / "tiny.yaml", tiny.preset())
    preset = Preset.model_validate(tiny.preset())
    commands = [f"prepare {name}" for name in preset.datasets] + [f"train {name}" for name in preset.runs | preset.features]
    commands += [f"sample {name} --shard {k + 1}" for name, samples in preset.samples.items() for k in range(samples.shards)]
    commands += [f"measure {paper} {' '.join(artifacts)}" for paper, artifacts in LONG.items()]
    os.chdir(folder)
    try:
        for command in commands:
            assert tiny.rediffuse(*command.split(), "--preset", "tiny.yaml") == 0, command
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)


def test_every_measurement_is_one_of_the_two() -> None:
    for paper, makes in MAKES.items():
        assert sorted(LONG[paper] + SHORT[paper]) == sorted(name for name, how in makes.items() if how.measured)


def stops(monkeypatch: pytest.MonkeyPatch, *command: str, after: int = 2) -> int:
    """How often a command was stopped, after so many parts each time, until it was done."""
    keep, parts = resume.Job.keep, 0

    def kept(job: resume.Job, *arguments: Any) -> None:
        nonlocal parts
        keep(job, *arguments)
        parts += 1
        if parts == after:
            raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(resume.Job, "keep", kept)
        for stopped in range(200):
            parts = 0
            status = tiny.rediffuse(*command, "--preset", "tiny.yaml")
            if status == 0:
                return stopped
            assert status == 128 + signal.SIGTERM
    pytest.fail("it does not come to an end")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("paper", "artifact"), [(paper, artifact) for paper, artifacts in LONG.items() for artifact in artifacts])
def test_a_measurement_that_is_stopped_after_every_other_part_is_the_same(
    monkeypatch: pytest.MonkeyPatch, paper: str, artifact: str
) -> None:
    names = MAKES[paper][artifact].measured
    paths = [RESULTS / "measurements" / paper / f"{artifact}.csv" if name == TABLE else RESULTS / paper / name for name in names]
    before = [path.read_bytes() for path in paths]
    shown = [pd.read_csv(path) for path in paths if artifact == "fig4"]
    for path in paths:
        path.unlink()
    assert stops(monkeypatch, "measure", paper, artifact, after=1 if artifact == "fig10" else 2) > 0, "fig10 has one part here"
    if artifact == "fig4":  # seconds are never twice the same
        columns = ["run", "steps", "n", "repeats"]
        assert pd.read_csv(paths[0])[columns].equals(shown[0][columns])
        paths[0].write_bytes(before[0])
    assert [path.read_bytes() for path in paths] == before
    assert not list((RESULTS / ".state").glob("measure-*")), "a state is left"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_that_are_stopped_after_every_other_chunk_are_the_same(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (path, *_) = sorted((RESULTS / "samples/digits").glob(f"{name}-1of*.npz"))
    before = path.read_bytes()
    path.unlink()
    assert stops(monkeypatch, "sample", name) > 0
    assert path.read_bytes() == before
    assert not list((RESULTS / ".state").glob("sample-*")), "a state is left"
