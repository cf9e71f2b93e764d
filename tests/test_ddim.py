"""Song et al. 2020 from the tiny preset to its claims, by the commands that the rules call; and verdicts that can go either way."""

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
from rediffuse.figures.ddim import pareto
from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, one
from rediffuse.papers.ddim import claims
from rediffuse.papers.ddim.latents import ratio
from rediffuse.papers.ddim.reconstruction import moments
from rediffuse.papers.ddim.tables import error_slope
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.presets import SHIPPED, Preset, load_preset
from rediffuse.runs import load_run
from rediffuse.samplers import ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.sampling import Cell, draw

CPU = torch.device("cpu")
PRESET = ("--preset", "tiny.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny preset's part of this paper was made, whole."""
    return tiny.make(tmp_path_factory.mktemp("ddim"), "ddim", tiny.without("sohl2015", "ddpm"))


@pytest.fixture
def layout(made: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(made)
    return Layout("tiny", load_preset(Path("tiny.yaml")))


def arrays(layout: Layout, name: str) -> dict[str, Any]:
    return dict(np.load(layout.artifact("ddim", f"{name}.npz")))


def table_of(layout: Layout, name: str) -> pd.DataFrame:
    return tables.read(layout.artifact("ddim", f"{name}.csv"), "")


@pytest.mark.parametrize("artifact", MAKES["ddim"])
def test_every_file_that_the_rules_name_is_made(layout: Layout, artifact: str) -> None:
    makes = MAKES["ddim"][artifact]
    expected = {f"{artifact}.json", *makes.shown(artifact), *[name for name in makes.measured if name.endswith(".npz")]}
    assert {path.name for path in layout.artifact("ddim", "").glob(f"{artifact}.*")} == expected
    for name in makes.drawn:
        with Image.open(layout.artifact("ddim", name)) as image:
            assert min(image.size) > 60 and np.asarray(image.convert("L")).std() > 5, "a picture of nothing"


def test_a_sweep_over_seeds_is_their_mean_and_a_rise_is_taken_seed_by_seed(layout: Layout) -> None:
    measured = tables.read(layout.measurements("ddim", "table1"), "")
    cell = measured[(measured["steps"] == 6) & (measured["eta"] == "1.0")].set_index(["metric", "seed"])["value"]
    table = table_of(layout, "table1")
    fid, rise = (one(table, steps=6, eta="1.0", metric=metric) for metric in ("FID", "FID rise"))
    assert (fid["seeds"], rise["seeds"]) == (2, 2)
    assert fid["value"] == pytest.approx(cell["FID"].mean(), rel=1e-4)
    assert fid["sd"] == pytest.approx(cell["FID"].std(), rel=1e-3)
    assert rise["value"] == pytest.approx(cell["FID rise"].mean(), rel=1e-3)
    assert rise["sd"] == pytest.approx(cell["FID rise"].std() / 2**0.5, rel=1e-3)
    assert "S = 6 (n = 2 x 12)" in layout.artifact("ddim", "table1.md").read_text()


def test_the_released_tau_has_fewer_distinct_steps_than_it_names(layout: Layout) -> None:
    table = table_of(layout, "table1_released")
    ours = table[table["value"].notna()]
    assert set(ours["tau"]) == {"released-quadratic"}
    assert dict(zip(ours["steps"], ours["distinct"].astype(int), strict=True)) == {2: 2, 3: 3}
    assert "Table 1 with the released code's tau" in layout.artifact("ddim", "table1_released.md").read_text()


def test_solvers_are_rows_with_no_published_number(layout: Layout) -> None:
    table = table_of(layout, "table1")
    for rule in ("probability-flow", "dpm-solver++"):
        row = one(table, steps=6, eta=rule, metric="FID")
        assert row["value"] > 0 and pd.isna(row["published"])


def test_reconstruction_is_there_and_back(layout: Layout) -> None:
    table = table_of(layout, "table2")
    data = load(layout.dataset("digits"))
    denoiser = load_run(layout.weights("digits"), CPU, layout.preset.runs["digits"]).denoiser()
    x0 = torch.from_numpy(data.x("test")[:6])
    back = ddim.sample(denoiser, ddim.encode(denoiser, x0, [2, 4, 6]), [2, 4, 6], 0.0, SampleNoise(0, [], data.shape))
    expected = ((back - x0) / 2).square().mean().item()
    assert one(table, steps=3, metric="reconstruction error")["value"] == pytest.approx(expected, rel=1e-4)
    published = table[table["published"].notna()]
    assert published["steps"].tolist() == [10, 20, 50, 100, 200, 500, 1000]
    assert one(table, metric="latent mean square")["steps"] == 6


def test_one_column_of_figure_5_is_one_latent(layout: Layout) -> None:
    data, loaded = arrays(layout, "fig5"), load_run(layout.weights("digits"), CPU, layout.preset.runs["digits"])
    assert [*data] == ["S2", "S6"]
    for S in (2, 6):
        again = draw(loaded, Cell(S, 0.0, "linear", 0, clip=False), [1], CPU).numpy()
        np.testing.assert_allclose(data[f"S{S}"][1:2], again, atol=1e-5)


def test_one_column_of_the_grid_is_one_latent_at_every_steps_and_eta(layout: Layout) -> None:
    data, loaded = arrays(layout, "grid"), load_run(layout.weights("digits"), CPU, layout.preset.runs["digits"])
    assert (data["steps"].tolist(), data["eta"].tolist()) == ([2, 6], ["0.0", "1.0", "sigma-hat"])
    assert data["images"].shape == (2, 3, 3, 1, 8, 8)
    np.testing.assert_array_equal(data["latents"], SampleNoise(0, range(3), (1, 8, 8))().numpy())
    for i, S in enumerate((2, 6)):
        for j, eta in enumerate((0.0, 1.0, "sigma-hat")):
            again = draw(loaded, Cell(S, eta, "linear", 0, clip=eta == "sigma-hat"), [1], CPU).numpy()
            np.testing.assert_allclose(data["images"][i, j, 1:2], again, atol=1e-5)


def test_a_line_ends_where_its_latents_alone_would(layout: Layout) -> None:
    data, loaded = arrays(layout, "fig6"), load_run(layout.weights("digits"), CPU, layout.preset.runs["digits"])
    ends = draw(loaded, Cell(2, 0.0, "linear", 0, clip=False), range(8), CPU).numpy()
    assert data["lines"].shape == (2, 11, 1, 8, 8) and data["grid"].shape == (7, 7, 1, 8, 8)
    np.testing.assert_allclose(data["lines"][1, 0], ends[2], atol=1e-5)
    np.testing.assert_allclose(data["lines"][1, -1], ends[3], atol=1e-5)
    for got, k in (((0, 0), 4), ((0, -1), 5), ((-1, 0), 6), ((-1, -1), 7)):
        np.testing.assert_allclose(data["grid"][got], ends[k], atol=1e-5)


def test_the_frontier_compares_at_one_n_and_counts_ddpm(layout: Layout) -> None:
    table = table_of(layout, "frontier")
    assert set(table["n"]) == {12}
    assert not table.duplicated(["eta", "steps", "metric"]).any(), "each sampler once, whatever its seeds"
    ddpm, ode, few = (one(table, eta=eta, steps=S, metric="FID") for eta, S in (("DDPM", 6), ("0.0", 6), ("0.0", 2)))
    assert ddpm["seconds"] == ode["seconds"] == pytest.approx(3 * few["seconds"], rel=1e-4)
    share = one(table, eta="0.0", steps=2, metric="share of that at S = T")
    assert share["value"] == pytest.approx(few["value"] / ode["value"], rel=1e-4)


def test_the_pareto_front_holds_what_nothing_beats() -> None:
    rows = pd.DataFrame({"seconds": [1.0, 1.0, 2.0, 3.0, 4.0], "value": [9.0, 8.0, 8.5, 5.0, 6.0]})
    assert pareto(rows)[["seconds", "value"]].values.tolist() == [[1, 8], [3, 5]]


# --- measures ---


def test_moments_of_noise_are_those_of_noise_and_of_others_are_not() -> None:
    noise = torch.randn(2000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for x, gaussian in ((noise, True), (noise.sign(), False)):
        found = {row["metric"]: row for row in moments(x)}
        within = [
            abs(found[metric]["value"] - value) < 4 * found[metric]["sd"] + 1e-9
            for metric, value in (("latent mean square", 1), ("latent fourth moment", 3))
        ]
        assert all(within) == gaussian
    assert {row["metric"]: row["value"] for row in moments(noise)}["latent radius, deviation"] == pytest.approx(128**-0.5, rel=0.1)


def test_a_ratio_of_means_has_the_error_of_its_pairs() -> None:
    generator = np.random.default_rng(0)
    b = generator.uniform(1, 3, (400, 50))
    a = 0.3 * b + generator.normal(0, 0.1, b.shape)
    shares = np.array([ratio(*pair)[0] for pair in zip(a, b, strict=True)])
    told = np.mean([ratio(*pair)[1] for pair in zip(a, b, strict=True)])
    assert shares.mean() == pytest.approx(0.3, abs=0.01)
    assert told == pytest.approx(shares.std(ddof=1), rel=0.15)


def test_the_slope_is_that_of_the_last_two() -> None:
    errors = pd.DataFrame({"steps": [10, 100, 1000], "value": [1.0, 0.1, 0.001]})
    assert error_slope(errors) == pytest.approx(-2)


# --- verdicts ---


def row(metric: str, value: float, sd: float = 0.01, **keys: object) -> dict[str, Any]:
    return {"run": "digits", "metric": metric, "value": value, "sd": sd, "n": 50} | keys


def quality(values: dict[int, float], sd: float = 0.01) -> list[dict[str, Any]]:
    about = {S: {"eta": "0.0", "steps": S, "seconds": 0.001 * S} for S in values}
    shares = [
        row("share of that at S = T", value / values[1000], sd, **about[S]) for S, value in values.items() if 1000 in values and S < 1000
    ]
    return [*(row("FID", value, 9.0, **about[S]) for S, value in values.items()), *shares]


def shares(values: dict[int, float], sd: float = 0.01) -> list[dict[str, Any]]:
    rows = [row("of that of two latents", value, sd, steps=S) for S, value in values.items()]
    return [*rows, row("feature distance, two latents", 9.0, steps=1000)]


def errors(values: dict[int, float]) -> list[dict[str, Any]]:
    return [row("reconstruction error", value, 1e-4, steps=S) for S, value in values.items()]


CASES: dict[str, tuple[str, str, list[dict[str, Any]], str, str]] = {
    "few suffice": ("few-steps-suffice", "frontier", quality({20: 12.0, 100: 10.2, 1000: 10.0}), "held", "10 times as fast"),
    "few do not": ("few-steps-suffice", "frontier", quality({20: 30.0, 100: 15.0, 1000: 10.0}), "not held", "none within 10%"),
    "few may": ("few-steps-suffice", "frontier", quality({20: 12.0, 100: 10.8, 1000: 10.0}, sd=0.2), "not tested", "too few"),
    "none is whole": ("few-steps-suffice", "frontier", quality({50: 12.0, 100: 10.8}), "not tested", "none at S = T"),
    "more is better": (
        "more-steps",
        "frontier",
        quality({10: 20.0, 20: 12.0, 50: 11.0, 100: 10.8, 1000: 10.0}),
        "held",
        "1.08 < 1.1 < 1.2 < 2",
    ),
    "more is not": (
        "more-steps",
        "frontier",
        quality({10: 20.0, 20: 12.0, 50: 13.0, 100: 10.8, 1000: 10.0}),
        "not held",
        "is followed by 1.2",
    ),
    "falls": ("reconstruction", "table2", errors({10: 0.1, 100: 0.01, 1000: 0.001}), "held", ""),
    "rises": ("reconstruction", "table2", errors({10: 0.01, 100: 0.02, 1000: 0.001}), "not held", "is followed by"),
    "consistent": ("consistency", "fig5", shares({10: 0.3, 100: 0.1}), "held", "S = 10: 0.30"),
    "not consistent": ("consistency", "fig5", shares({10: 0.8, 100: 0.1}), "not held", "not at S = 10"),
}


@pytest.mark.parametrize(("claim", "artifact", "rows", "verdict", "said"), CASES.values(), ids=CASES.keys())
def test_a_claim_can_go_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: str, artifact: str, rows: list[dict[str, Any]], verdict: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout("smoke", load_preset(SHIPPED / "smoke.yaml"))
    tables.write(layout.artifact("ddim", f"{artifact}.csv"), pd.DataFrame(rows))
    try:
        found = claims.CHECKS[claim](layout)
    except MissingError as error:
        found = Verdict("", "not tested", str(error))
    assert found.verdict == verdict
    assert said in f"{found.measured}; {found.why}"


@pytest.mark.parametrize("key", ["table1", "table1_released", "table2", "fig3", "fig5", "fig6", "fig7", "grid", "frontier"])
def test_what_the_preset_leaves_out_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout("tiny", Preset.model_validate(tiny.preset({f"papers.ddim.{key}": GONE})))
    left_out = {name for name in MAKES["ddim"] if not layout.asks("ddim", name)}
    assert left_out == {key} | {name for name in MAKES["ddim"] if layout.measured_for("ddim", name) == key}


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "sweeps of two taus": ({"table1.samples": ["sweep", "released"]}, "table1.samples", "sweeps of the same tau"),
    "a sweep twice": ({"table1.samples": ["sweep", "sweep"]}, "table1.samples", "each value once"),
    "an encoder of points": ({"table2.run": "roll"}, "table2.run", "one of digits"),
    "more steps than T": ({"table2.steps": [2, 7]}, "table2.steps", "at most T = 6 of runs.digits"),
    "interpolation over T": ({"fig6.steps": 7}, "fig6.steps", "at most T = 6 of runs.digits"),
    "steps out of order": ({"fig5.steps": [6, 2]}, "fig5.steps", "them in rising order: the last is what the others are compared with"),
    "the grid's steps out of order": (
        {"grid.steps": [6, 2]},
        "grid.steps",
        "them in rising order: the last is what the others are compared with",
    ),
    "a grid over T": ({"grid.steps": [2, 7]}, "grid.steps", "at most T = 6 of runs.digits"),
    "an eta twice": ({"grid.eta": [0, 1, 0]}, "grid.eta", "each value once"),
    "a grid of points": ({"grid.run": "roll"}, "grid.run", "one of digits"),
    "more columns than latents": ({"fig5.columns": 7}, "fig5.columns", "at most n (6)"),
    "DDPM's samples of a sweep": ({"fig7.ddpm": "sweep"}, "fig7.ddpm", "one of plain"),
    "steps that no sweep has": ({"fig7.steps": [6, 5]}, "fig7.steps", "one of 2, 3, 6"),
    "more images than samples": ({"fig7.rows": 5}, "fig7.rows", "rows * columns at most 12, the least n of its samples"),
    "a frontier without times": ({"fig4": GONE}, "frontier", "papers.ddim.fig4 as well, whose line gives the seconds"),
    "no features": ({"frontier.features": "digits"}, "frontier.features", "one of classifier"),
}


@pytest.mark.parametrize(("changes", "key", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_before_anything_is_trained(changes: dict[str, Any], key: str, expected: str) -> None:
    options = tiny.preset({f"papers.ddim.{name}": value for name, value in changes.items()})
    with pytest.raises(ValidationError) as error:
        Preset.model_validate(options)
    (only,) = error.value.errors()
    assert only["ctx"]["key"] == f"papers.ddim.{key}"
    assert only["ctx"]["expected"] == expected


@pytest.mark.parametrize("eta", [-0.1, 1.1, "ddpm"])
def test_an_eta_outside_0_to_1_is_refused(eta: object) -> None:
    with pytest.raises(ValidationError):
        Preset.model_validate(tiny.preset({"samples.sweep.eta": [eta]}))
