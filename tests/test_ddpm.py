"""Ho et al. 2020 from the tiny preset to its claims, by the commands that the rules call; and verdicts that can go either way."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from PIL import Image
from pydantic import ValidationError
from tiny import GONE

from rediffuse.datasets.prepared import load
from rediffuse.metrics.bits import variational_bound
from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, one
from rediffuse.papers.ddpm import claims, common, conventions, neighbours
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.presets import SHIPPED, Preset, load_preset
from rediffuse.processes.bounds import discretised_decoder
from rediffuse.samplers import ancestral
from rediffuse.samplers.noise import SampleNoise

CPU = torch.device("cpu")
PRESET = ("--preset", "tiny.yaml")


@pytest.fixture
def made(tiny_results: Callable[[str], Path]) -> Path:
    """The folder in which the tiny preset's part of this paper was made."""
    return tiny_results("ddpm")


@pytest.fixture
def layout(made: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(made)
    return Layout("tiny", load_preset(Path("tiny.yaml")))


def arrays(layout: Layout, name: str) -> dict[str, Any]:
    return dict(np.load(layout.artifact("ddpm", f"{name}.npz")))


@pytest.mark.parametrize("artifact", MAKES["ddpm"])
def test_every_file_that_the_rules_name_is_made(layout: Layout, artifact: str) -> None:
    makes = MAKES["ddpm"][artifact]
    expected = {f"{artifact}.json", *makes.shown(artifact), *makes.pictures, *[name for name in makes.measured if name.endswith(".npz")]}
    assert {path.name for path in layout.artifact("ddpm", "").glob(f"{artifact}.*")} == expected
    for name in makes.drawn:
        with Image.open(layout.artifact("ddpm", name)) as image:
            assert min(image.size) > 60 and np.asarray(image.convert("L")).std() > 5, "a picture of nothing"


def test_table_4_has_the_code_of_the_first_run_and_the_published_one(layout: Layout) -> None:
    table = tables.read(layout.artifact("ddpm", "table4.csv"), "")
    ours = table[table["value"].notna()]
    assert set(ours["run"]) == {"digits"} and set(ours["T"]) == {6}
    rates = ours[ours["metric"] == "rate"].sort_values("steps")
    assert (rates["value"].diff().dropna() > 0).all(), "every step costs bits"
    assert one(table, metric="NLL")["value"] == pytest.approx(
        rates["value"].iloc[-1] + one(table, metric="distortion L_0")["value"], rel=1e-5
    )
    theirs = table[table["published"].notna()]
    assert len(theirs) == 23 and theirs["value"].isna().all(), "another T is another row"
    assert "| 1000 of 1000 | – / 1.776 | – / 0.9514 |" in layout.artifact("ddpm", "table4.md").read_text()


def test_terms_add_up_to_the_table(layout: Layout) -> None:
    curves, table = arrays(layout, "table4"), tables.read(layout.artifact("ddpm", "table4.csv"), "")
    total = curves["terms of digits"].sum() + one(table, metric="L_T")["value"]
    assert total == pytest.approx(one(table, metric="NLL")["value"], rel=1e-5)
    assert curves["rate"].shape == curves["rmse"].shape == curves["weights of digits"].shape == (6,)


def test_images_that_share_x_t_are_continued_from_one_chain(layout: Layout) -> None:
    data = arrays(layout, "fig7")
    denoiser, digits = common.denoiser_of(layout, "digits", CPU)
    noise = SampleNoise(0, [0], digits.shape)
    x_T = noise()
    assert data["t"].tolist() == [6, 3]
    assert np.array_equal(data["shared"][0], x_T[0].numpy())
    states = {}
    ancestral.sample(denoiser, x_T, noise, lambda step: states.update({step.s: step.x}))
    assert np.array_equal(data["shared"][1], states[3][0].numpy())
    spread = data["ends"].std(1).mean((1, 2, 3))
    assert spread[0] > spread[1] > 0, "the later they part, the more alike they are"


def test_progress_is_kept_from_the_first_x0_hat_to_the_last(layout: Layout) -> None:
    data, table = arrays(layout, "fig10"), tables.read(layout.artifact("ddpm", "fig10.csv"), "")
    assert data["times"].tolist() == [6, 4, 3, 1] and data["x0"].shape == (4, 3, 1, 8, 8)
    final = table[table["t"] == 1]
    for band in ("large scale", "middle", "detail"):
        assert one(final, metric=f"unsettled, {band}")["value"] == 0
    assert set(table["n"]) == {10}
    curves = table[~table["metric"].str.startswith("settled after")]
    assert sorted(set(curves["steps"])) == [1, 3, 4, 6]
    for band in ("large scale", "middle", "detail"):
        assert 1 <= one(table, metric=f"settled after, {band}")["value"] <= 6
    denoiser, digits = common.denoiser_of(layout, "digits", CPU)
    noise = SampleNoise(0, range(10), digits.shape)
    drawn = ancestral.sample(denoiser, noise(), noise)
    np.testing.assert_allclose(data["x0"][-1], drawn[:3].numpy(), atol=1e-5, err_msg="x0-hat at t = 1 is what is drawn")


def test_a_convention_changes_what_it_says_and_nothing_else(layout: Layout) -> None:
    """The rows of `conventions` by the functions that they are about, on the same images, times and noise."""
    table = tables.read(layout.artifact("ddpm", "conventions.csv"), "")
    options, (denoiser, data) = common.options_of(layout).conventions, common.denoiser_of(layout, "digits", CPU)
    assert options
    assert data.levels
    x0 = torch.from_numpy(data.x("test")[: options.n])
    decoder = {"exact": discretised_decoder(data.levels)}
    bits = {
        clip: variational_bound(replace(denoiser, clip=clip), decoder, x0, options.strata, options.seed)["exact"].bits() / data.dims
        for clip in (True, False)
    }
    kept = bits[False] - bits[True]
    for row, metric, expected in (
        (conventions.PUBLISHED, "NLL", bits[True].mean()),
        (conventions.NO_CLIP, "NLL", bits[False].mean()),
        (conventions.NO_CLIP, "NLL less as published", kept.mean()),
    ):
        (value,) = table.loc[(table["row"] == row) & (table["metric"] == metric), "value"]
        assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    (sd,) = table.loc[(table["row"] == conventions.NO_CLIP) & (table["metric"] == "NLL less as published"), "sd"]
    assert sd == pytest.approx(kept.std(ddof=1) / len(kept) ** 0.5, rel=1e-5), "of the differences"
    assert set(table["row"]) == {conventions.PUBLISHED, conventions.NO_CLIP, conventions.OTHER, conventions.TRUNCATED}


def test_conventions_are_the_same_however_many_samples_are_drawn_at_a_time(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the published 50,000 they fit no memory together."""
    drawn, measured, sample = list[int](), list[pd.DataFrame](), ancestral.sample
    monkeypatch.setattr(conventions, "CHUNK", 4)
    monkeypatch.setattr(conventions, "write", lambda path, table: measured.append(table))
    monkeypatch.setattr(ancestral, "sample", lambda denoiser, x, noise: drawn.append(len(x)) or sample(denoiser, x, noise))
    conventions.conventions(layout, CPU)
    assert drawn == 3 * [4, 4, 2]
    whole = tables.read(layout.artifact("ddpm", "conventions.csv"), "")
    assert measured[0]["value"].tolist() == pytest.approx(whole["value"].tolist(), rel=1e-3)
    assert measured[0]["n"].tolist() == whole["n"].tolist()


def test_truncation_is_half_a_level_darker_than_rounding() -> None:
    x = np.linspace(-1, 1, 100_001)
    cut = conventions.truncated(x, 2 / 255, -1.0, 256).astype(float)
    assert (np.rint((x + 1) * 255 / 2) - cut).mean() == pytest.approx(0.5, abs=0.01)
    assert cut.min() == 0
    assert cut.max() == 255


def test_training_images_would_be_told_as_copies(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(layout.artifact("ddpm", "").resolve().parents[2])
    path = layout.artifact("ddpm", "fig15.csv")
    before = path.read_bytes(), layout.artifact("ddpm", "fig15.npz").read_bytes()
    digits = load(layout.dataset("digits"))
    try:
        for split, verdict in (("x_train", "not held"), ("x_test", "held")):
            monkeypatch.setattr(neighbours, "drawn_of", lambda layout, name, split=split: digits.arrays[split][:297])
            neighbours.fig15(layout, CPU)
            assert claims.CHECKS["not-memorised"](layout).verdict == verdict, split
        assert np.array_equal(arrays(layout, "fig15")["pixels"].shape, (3, 2, 1, 8, 8))
    finally:
        path.write_bytes(before[0])
        layout.artifact("ddpm", "fig15.npz").write_bytes(before[1])


def test_the_report_names_what_is_made_and_what_is_not(layout: Layout) -> None:
    artifacts = pd.read_csv(layout.results / "artifacts.csv", keep_default_na=False)
    ours = artifacts[artifacts["paper"] == "ddpm"].set_index("artifact")
    assert set(ours.index[ours["status"] == "made"]) == set(MAKES["ddpm"])
    assert "LSUN" in ours.loc["fig3", "why"]
    assert ours.loc["fig6", "files"] == "fig6.json fig6.png fig6.svg fig6.zh.png"
    metrics = json.loads((layout.results / "metrics.json").read_text())["ddpm"]
    for name in ("table4", "fig10", "fig15"):
        found = pd.read_csv(layout.artifact("ddpm", f"{name}.csv"))
        assert len(metrics[name]) == found["value"].notna().sum(), name


def test_a_table_carries_all_that_stands_behind_it(layout: Layout) -> None:
    about = json.loads(layout.artifact("ddpm", "table1.json").read_text())
    table = layout.artifact("ddpm", "table1.csv").read_bytes()
    assert about["files"]["table1.csv"] == hashlib.sha256(table).hexdigest()
    arrays = layout.dataset("digits") / "arrays.npz"
    assert about["data"] == {layout.dataset("digits").name: hashlib.sha256(arrays.read_bytes()).hexdigest()}
    jobs = [job["job"] for job in about["made_from"]]
    assert jobs[0] == "prepare-digits" and jobs[-1] == "ddpm-measure-table1"
    assert {"train-digits", "train-classifier", "train-table2-eps-L-fixed-1", "sample-digits-plain-2of2"} < set(jobs)
    assert "train-table2-mu-simple-0" not in jobs, "of another table"
    assert about["seeds"]["train-table2-eps-L-fixed-1"] == [1]
    assert set(about["libraries"]["torch"]) == {"pinned", "installed"}
    assert about["seconds"] > 0 and about["commit"] and about["hardware"] and about["warnings"] == unpinned(about)


def unpinned(about: dict[str, Any]) -> list[str]:
    differ = {name: each for name, each in about["libraries"].items() if each["installed"] not in each["pinned"].split()}
    return [f"{name}: found {each['installed']} installed; requirements.lock pins {each['pinned']}" for name, each in differ.items()]


@pytest.mark.parametrize("name", ["table2", "fig5", "fig6", "fig2"])
def test_every_figure_says_from_what_it_was_drawn(layout: Layout, name: str) -> None:
    about = json.loads(layout.artifact("ddpm", f"{name}.json").read_text())
    jobs = {job["job"] for job in about["made_from"]}
    assert about["rule"] == f"ddpm_draw_{name}" and f"{name}.png" in about["files"]
    expected = {"table2": "ddpm-table-table2", "fig5": "ddpm-measure-table4", "fig6": "ddpm-measure-fig10", "fig2": None}[name]
    assert (expected in jobs) if expected else not jobs


def test_the_page_of_results_says_what_stands_behind(layout: Layout) -> None:
    page = (layout.results / "summary.md").read_text()
    about = json.loads(layout.artifact("ddpm", "table1.json").read_text())
    assert f"configuration `{about['configuration'][:8]}`, code `{about['code'][:8]}`" in page
    assert "[table1.json](ddpm/table1.json)" in page
    every = json.loads((layout.results / "provenance.json").read_text())
    assert every["train-digits"]["command"] == "train digits"


# --- verdicts ---


def row(metric: str, value: float, sd: float = 0.01, **keys: object) -> dict[str, Any]:
    return {"run": "digits", "metric": metric, "value": value, "sd": sd, "n": 50, "T": 1000, "steps": 1000} | keys


def code(share: float, sd: float = 0.01) -> list[dict[str, Any]]:
    return [row("share of L_0", share, sd), row("rate", 1.8), row("distortion L_0", 2.0), row("RMSE", 0.9)]


def settled(large: float, detail: float) -> list[dict[str, Any]]:
    values = {"large scale": large, "middle": 400.0, "detail": detail, "detail less large scale": detail - large}
    return [row(f"settled after, {band}", value, 5.0) for band, value in values.items()]


CASES: dict[str, tuple[str, str, list[dict[str, Any]], str, str]] = {
    "more than half": ("lossy-compressor", "table4", code(0.53), "held", "53.0% ± 1.0% of the code: 2 of 3.8 bits/dim"),
    "less than half": ("lossy-compressor", "table4", code(0.1), "not held", "less than half"),
    "about half": ("lossy-compressor", "table4", code(0.51), "not tested", "too few"),
    "nothing at T": ("nothing-at-T", "table4", [row("L_T", 1e-5)], "held", "1e-05"),
    "something at T": ("nothing-at-T", "table4", [row("L_T", 2e-4)], "not held", "more than 1e-4"),
    "coarse first": ("coarse-to-fine", "fig10", settled(300, 600), "held", "large scale 300 ± 5, middle 400 ± 5, detail 600 ± 5"),
    "detail first": ("coarse-to-fine", "fig10", settled(600, 300), "not held", "detail is settled first"),
    "all at once": ("coarse-to-fine", "fig10", settled(400, 405), "not tested", "too few"),
    "no copies": (
        "not-memorised",
        "fig15",
        [row(claims.NEAR, 0.05, space=space) for space in ("pixels", "features")],
        "held",
        "pixels: 5.0%",
    ),
    "copies in features": (
        "not-memorised",
        "fig15",
        [row(claims.NEAR, value, space=space) for space, value in (("pixels", 0.0), ("features", 0.3))],
        "not held",
        "over 10 %",
    ),
}


@pytest.mark.parametrize(("claim", "artifact", "rows", "verdict", "said"), CASES.values(), ids=CASES.keys())
def test_a_claim_can_go_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: str, artifact: str, rows: list[dict[str, Any]], verdict: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout("smoke", load_preset(SHIPPED / "smoke.yaml"))
    tables.write(layout.artifact("ddpm", f"{artifact}.csv"), pd.DataFrame(rows))
    try:
        found = claims.CHECKS[claim](layout)
    except MissingError as error:
        found = Verdict("", "not tested", str(error))
    assert found.verdict == verdict
    assert said in f"{found.measured}; {found.why}"


@pytest.mark.parametrize("key", ["table1", "table4", "fig1", "fig7", "fig8", "fig9", "fig10", "fig13", "fig15", "conventions"])
def test_what_the_preset_leaves_out_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout("tiny", Preset.model_validate(tiny.preset({f"papers.ddpm.{key}": GONE})))
    left_out = {name for name in MAKES["ddpm"] if not layout.asks("ddpm", name)}
    assert left_out == {key} | {name for name in MAKES["ddpm"] if layout.measured_for("ddpm", name) == key}


MISTAKES = {
    "runs of points": ({"table4.runs": ["roll"]}, "table4.runs", "one of digits"),
    "a run twice": ({"table4.runs": ["digits", "digits"]}, "table4.runs", ""),
    "more steps than T": ({"fig7.t": [7]}, "fig7.t", "at most T = 6 of runs.digits"),
    "interpolation beyond T": ({"fig8.t": 7}, "fig8.t", "at most T = 6 of runs.digits"),
    "a time twice": ({"fig9.t": [2, 2]}, "fig9.t", ""),
    "more times than steps": ({"fig10.times": 9}, "fig10.times", "at most T = 6 of runs.digits"),
    "more rows than chains": ({"fig10.rows": 11}, "fig10.rows", "at most n (10)"),
    "as many strata as steps": ({"conventions.strata": 6}, "conventions.strata", "at most T - 1 = 5 of runs.digits"),
    "conventions of dequantised data": ({"conventions.run": "ink"}, "conventions.run", "one of digits"),
    "samples of dequantised data": ({"fig15.samples": "inks"}, "fig15.samples", "one of plain"),
    "more rows than samples": ({"fig15.rows": 13}, "fig15.rows", "at most n of samples.plain"),
}


@pytest.mark.parametrize(("changes", "key", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_before_anything_is_trained(changes: dict[str, Any], key: str, expected: str) -> None:
    options = tiny.preset({f"papers.ddpm.{name}": value for name, value in changes.items()})
    with pytest.raises(ValidationError) as error:
        Preset.model_validate(options)
    (only,) = error.value.errors()
    assert only["ctx"]["key"] == f"papers.ddpm.{key}"
    assert expected in only["ctx"]["expected"]
