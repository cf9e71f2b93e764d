"""The published number beside ours, and verdicts that can go either way."""

from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, one, rising
from rediffuse.papers.ddim import claims as ddim
from rediffuse.papers.ddim import tables as ddim_tables
from rediffuse.papers.ddpm import claims as ddpm
from rediffuse.papers.ddpm import tables as ddpm_tables
from rediffuse.paths import Layout
from rediffuse.presets import SHIPPED, load_preset
from rediffuse.report.record import dump, stages

PAPERS = ["sohl2015", "ddpm", "ddim"]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    return Layout("smoke", load_preset(SHIPPED / "smoke.yaml"))


def sweep(values: dict[int, list[float]], dataset: str = "digits", sd: float = 0.1, n: int = 1000) -> pd.DataFrame:
    """Measurements of DDIM's Table 1: steps -> distances for eta 0, 0.2, 0.5, 1, sigma-hat."""
    about = {"dataset": dataset, "run": "r", "tau": "linear", "clip": False, "features": "f", "metric": "FID", "unit": "", "sd": sd, "n": n}
    rows = []
    for S, row in values.items():
        for k, (eta, value) in enumerate(zip(ddim_tables.ETAS, row, strict=True)):
            rows.append(about | {"steps": S, "eta": eta, "value": value})
            if k:
                rows.append(about | {"steps": S, "eta": eta, "metric": "FID rise", "value": value - row[k - 1], "sd": sd / 2})
    return pd.DataFrame(rows)


def with_sweep(layout: Layout, values: dict[int, list[float]], **keys: object) -> Layout:
    tables.write(layout.measurements("ddim", "table1"), sweep(values, **keys))  # type: ignore[arg-type]
    ddim_tables.table1(layout)
    return layout


def test_published_numbers_stand_beside_ours_and_the_rest_below(layout: Layout) -> None:
    with_sweep(layout, {10: [1, 2, 3, 4, 5]})
    table = tables.read(layout.artifact("ddim", "table1.csv"), "")
    row = one(table, steps=10, eta="sigma-hat", metric="FID")
    assert (row["published"], row["published_dataset"], row["comparable"]) == (367.43, "CIFAR-10", "False")
    assert len(table[table["metric"] == "FID"]) == 50, "all cells of both published data sets, each once"
    assert table["value"].notna().sum() == 5 + 4


def test_a_number_is_comparable_only_on_the_published_data_set(layout: Layout) -> None:
    numbers = tables.published("ddim", "published_table1")
    table = tables.beside(sweep({10: [1, 2, 3, 4, 5]}, dataset="CIFAR-10"), numbers, ["steps", "eta"], {"CIFAR-10": "CIFAR-10"})
    assert (table["comparable"] == (table["value"].notna() & (table["metric"] == "FID"))).all()


def test_a_measured_row_without_a_published_one_is_kept(layout: Layout) -> None:
    with_sweep(layout, {7: [1, 2, 3, 4, 5]})
    row = one(tables.read(layout.artifact("ddim", "table1.csv"), ""), steps=7, eta="0.0", metric="FID")
    assert pd.isna(row["published"])
    assert row["source"] == ""


@pytest.mark.parametrize("paper", PAPERS)
def test_every_claim_has_a_check_and_every_check_a_claim(paper: str) -> None:
    checks = import_module(f"rediffuse.papers.{paper}.claims").CHECKS
    assert set(tables.published(paper, "claims")["id"]) == set(checks)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_artifact_is_listed_once_and_names_what_it_needs_or_is_made(paper: str) -> None:
    rows = tables.published(paper, "artifacts")
    assert rows["artifact"].is_unique
    made = set(import_module(f"rediffuse.papers.{paper}.tables").TABLES) | set(import_module(f"rediffuse.figures.{paper}").FIGURES)
    assert set(rows[rows["needs"] == ""]["artifact"]) == made


ORDERED = {S: [1.0, 2.0, 3.0, 4.0, 9.0] for S in (10, 20, 50, 100)}


def test_the_order_of_eta_holds(layout: Layout) -> None:
    verdict = ddim.CHECKS["eta-order-10-20"](with_sweep(layout, ORDERED))
    assert verdict == (
        "S = 10: 1, 2, 3, 4 (least rise 1 ± 0.05, to eta 0.2); S = 20: 1, 2, 3, 4 (least rise 1 ± 0.05, to eta 0.2)",
        "held",
        "",
    )


@pytest.mark.parametrize("row", [[2.0, 1.0, 3.0, 4.0, 9.0], [1.0, 1.0, 3.0, 4.0, 9.0], [1.0, 2.0, 4.0, 3.0, 9.0]])
def test_one_pair_out_of_order_refutes_it_and_is_named(layout: Layout, row: list[float]) -> None:
    verdict = ddim.CHECKS["eta-order-10-20"](with_sweep(layout, {**ORDERED, 20: row}))
    assert verdict.verdict == "not held"
    assert verdict.why.startswith("S = 20: ")
    assert "±" in verdict.why


def test_sigma_hat_must_be_the_worst(layout: Layout) -> None:
    assert ddim.CHECKS["sigma-hat-worst-10"](with_sweep(layout, ORDERED)).verdict == "held"
    assert ddim.CHECKS["sigma-hat-worst-10"](with_sweep(layout, {**ORDERED, 10: [1.0, 2.0, 3.0, 9.0, 8.0]})).verdict == "not held"


def test_more_steps_is_not_tested_where_the_bias_favours_it(layout: Layout) -> None:
    values = {10: [4.0] * 5, 20: [3.0] * 5, 50: [2.0] * 5, 100: [1.0] * 5}
    assert ddim.CHECKS["more-steps"](with_sweep(layout, values)).verdict == "held"
    table = pd.concat([sweep({S: row}, n=1000 * S) for S, row in values.items()])
    tables.write(layout.measurements("ddim", "table1"), table)
    ddim_tables.table1(layout)
    assert ddim.CHECKS["more-steps"](layout).verdict == "not tested"


def test_a_claim_whose_numbers_are_missing_is_not_tested_by_the_report(layout: Layout) -> None:
    with_sweep(layout, {10: [1, 2, 3, 4, 5]})
    with pytest.raises(MissingError, match="steps = 50"):
        ddim.CHECKS["eta-order-50-100"](layout)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "held"), (0.5, "not held")])
def test_time_is_linear_or_is_not(layout: Layout, factor: float, verdict: str) -> None:
    seconds = [0.001 * S**factor for S in (10, 100, 1000)]
    times = pd.DataFrame({"run": "r", "steps": [10, 100, 1000], "seconds": seconds, "seconds_min": seconds, "seconds_max": seconds})
    tables.write(layout.artifact("ddim", "fig4.csv"), times)
    assert ddim.CHECKS["linear-time"](layout).verdict == verdict


def likelihoods(layout: Layout, simple: float, bound: float, sd: float) -> Layout:
    about = {"dataset": "digits", "variance": "fixed-large", "clip": True, "decoder": "tanh", "features": "", "unit": "bits/dim", "n": 100}
    rows = [
        {"run": row, "row": row, "split": split, "metric": "NLL", "value": value, "sd": sd} | about
        for row, value in ((ddpm.SIMPLE, simple), (ddpm.BOUND, bound))
        for split in ("test", "train")
    ]
    rows.append(rows[0] | {"metric": "FID", "split": "train", "value": 1.0, "features": "f"})
    tables.write(layout.measurements("ddpm", "table1"), pd.DataFrame(rows))
    ddpm_tables.table1(layout)
    return layout


@pytest.mark.parametrize(
    ("simple", "bound", "sd", "verdict"), [(3.0, 2.0, 0.1, "held"), (2.0, 3.0, 0.1, "not held"), (3.0, 2.0, 0.5, "not tested")]
)
def test_a_better_likelihood_is_one_by_more_than_two_standard_errors(
    layout: Layout, simple: float, bound: float, sd: float, verdict: str
) -> None:
    assert ddpm.CHECKS["bound-better-likelihood"](likelihoods(layout, simple, bound, sd)).verdict == verdict


def test_rising_names_every_fall() -> None:
    held, text, why = rising("x", [1.0, 3.0, 2.0, 2.0], [0.3, 0.4, 0.3, 0.4])
    assert not held
    assert text == "x: 1 < 3 ≥ 2 ≥ 2"
    assert why.count("is followed by") == 2


def test_recorded_presets_share_the_stages_of_their_data(layout: Layout, tmp_path: Path) -> None:
    """DVC refuses a file that two stages put out; smoke and laptop have the same digits."""
    path = tmp_path / "dvc.yaml"
    for preset in ("smoke", "laptop", "smoke"):
        path.write_text(dump(stages(Layout(preset, load_preset(SHIPPED / f"{preset}.yaml")), path)))
    content = YAML(typ="safe").load(path.read_text())
    outs = [next(iter(out)) for stage in content["stages"].values() for out in stage["outs"]]
    assert len(outs) == len(set(outs))
    assert {name.split("-")[0] for name in content["stages"]} == {"data", "laptop", "smoke"}
    assert len(content["plots"]) == 2
