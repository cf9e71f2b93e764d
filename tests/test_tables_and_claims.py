"""The published number beside ours, and verdicts that can go either way."""

import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny
from ruamel.yaml import YAML
from tiny import GONE

from rediffuse.config import MNIST, CelebA
from rediffuse.errors import UserError
from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, one, positive, rising
from rediffuse.papers.ddim import claims as ddim
from rediffuse.papers.ddim import tables as ddim_tables
from rediffuse.papers.ddpm import claims as ddpm
from rediffuse.papers.ddpm import tables as ddpm_tables
from rediffuse.papers.sohl2015 import claims as sohl2015
from rediffuse.papers.sohl2015 import tables as sohl2015_tables
from rediffuse.papers.stand_ins import stand_ins
from rediffuse.paths import Layout
from rediffuse.presets import SHIPPED, Preset, load_preset
from rediffuse.report.gather import artifacts_of, check_claims, claims_of, metrics_of
from rediffuse.report.record import dump, stages

PAPERS = ["sohl2015", "ddpm", "ddim"]
ETAS = ["0.0", "0.2", "0.5", "1.0", "sigma-hat"]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    return Layout("smoke", load_preset(SHIPPED / "smoke.yaml"))


def sweep(values: dict[int, list[float]], dataset: str = "digits", sd: float = 0.1, n: int = 1000) -> pd.DataFrame:
    """Measurements of DDIM's Table 1: steps -> distances for eta 0, 0.2, 0.5, 1, sigma-hat."""
    about = {"dataset": dataset, "run": "r", "tau": "linear", "clip": False, "seed": 0, "features": "f"}
    about |= {"metric": "FID", "unit": "", "sd": sd, "n": n}
    rows = []
    for S, row in values.items():
        for k, (eta, value) in enumerate(zip(ETAS, row, strict=True)):
            about |= {"steps": S, "distinct": S, "eta": eta}
            rows.append(about | {"value": value})
            if k:
                rows.append(about | {"metric": "FID rise", "value": value - row[k - 1], "sd": sd / 2})
    columns = ["dataset", "run", "steps", "eta", "tau", "distinct", "clip", "seed", "features", "metric", "unit", "value", "sd", "n"]
    return pd.DataFrame(rows)[columns]


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


def test_a_number_is_comparable_only_on_the_published_data_set() -> None:
    about = {"run": "r", "metric": "reconstruction error", "unit": "", "value": 0.01, "sd": 0.001, "n": 9}
    measured = pd.DataFrame([about | {"dataset": name, "steps": 10} for name in ("CIFAR-10", "digits")])
    numbers, stands_for = tables.published("ddim", "published_table2"), dict.fromkeys(("CIFAR-10", "digits"), "CIFAR-10")
    table = tables.beside(measured, numbers, ["steps"], stands_for)
    assert table[table["comparable"]]["dataset"].tolist() == ["CIFAR-10"]


def test_a_distance_on_features_of_our_own_is_never_comparable() -> None:
    numbers = tables.published("ddim", "published_table1")
    table = tables.beside(sweep({10: [1, 2, 3, 4, 5]}, dataset="CIFAR-10"), numbers, ["steps", "eta"], {"CIFAR-10": "CIFAR-10"})
    assert table["value"].notna().sum() == 5 + 4
    assert not table["comparable"].any()


@pytest.mark.parametrize(
    ("features", "n", "comparable"), [("inception", 50_000, True), ("inception", 49_984, False), ("own", 50_000, False)]
)
def test_a_distance_is_comparable_on_inceptions_features_and_at_the_published_n(features: str, n: int, comparable: bool) -> None:
    measured = sweep({10: [1, 2, 3, 4, 5]}, dataset="CIFAR-10").assign(features=features, n=n)
    table = tables.beside(measured, tables.published("ddim", "published_table1"), ["steps", "eta"], {"CIFAR-10": "CIFAR-10"})
    assert set(table[table["value"].notna() & table["published"].notna()]["comparable"]) == {comparable}
    assert tables.against(table).startswith("Data, features and n are the published ones") == comparable


def test_a_data_set_that_is_the_published_one_by_definition_is_comparable() -> None:
    """Under another name, and only where there is a number on both sides."""
    about = {"dataset": "beat", "run": "r", "unit": "bits/sequence", "sd": 0.1, "n": 9}
    measured = pd.DataFrame([about | {"metric": metric, "value": 1.0} for metric in ("K", "K - L_null", "log-likelihood")])
    numbers = tables.published("sohl2015", "published_table1")
    for same, expected in ((["beat"], {"K", "K - L_null"}), ([], set()), (["bark"], set())):
        table = tables.beside(measured, numbers, [], {"beat": "Binary heartbeat"}, same)
        assert set(table[table["comparable"]]["metric"]) == expected
        assert table[table["comparable"]]["value"].notna().all()
        assert len(table) == 3 + len(numbers) - 2


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
    rises = "1 ± 0.05 to eta 0.2, 1 ± 0.05 to eta 0.5, 1 ± 0.05 to eta 1.0"
    assert verdict == (f"S = 10: 1, 2, 3, 4 (rises {rises}); S = 20: 1, 2, 3, 4 (rises {rises})", "held", "")


@pytest.mark.parametrize("row", [[2.0, 1.0, 3.0, 4.0, 9.0], [1.0, 0.8, 3.0, 4.0, 9.0], [1.0, 2.0, 4.0, 3.0, 9.0]])
def test_one_pair_out_of_order_refutes_it_and_is_named(layout: Layout, row: list[float]) -> None:
    verdict = ddim.CHECKS["eta-order-10-20"](with_sweep(layout, {**ORDERED, 20: row}))
    assert verdict.verdict == "not held"
    assert verdict.why.startswith("S = 20: ")
    assert "±" in verdict.why


@pytest.mark.parametrize(("row", "verdict"), [([1.0, 0.99, 3.0, 4.0, 9.0], "held"), ([1.0, 1.01, 0.99, 1.05, 9.0], "not tested")])
def test_a_fall_within_its_error_refutes_nothing_and_rises_within_theirs_show_nothing(
    layout: Layout, row: list[float], verdict: str
) -> None:
    assert ddim.CHECKS["eta-order-10-20"](with_sweep(layout, {**ORDERED, 20: row})).verdict == verdict


def test_sigma_hat_must_be_the_worst(layout: Layout) -> None:
    assert ddim.CHECKS["sigma-hat-worst-10"](with_sweep(layout, ORDERED)).verdict == "held"
    assert ddim.CHECKS["sigma-hat-worst-10"](with_sweep(layout, {**ORDERED, 10: [1.0, 2.0, 3.0, 9.0, 8.0]})).verdict == "not held"


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
    about = {
        "dataset": "digits",
        "seed": 0,
        "step": 20,
        "variance": "fixed-large",
        "clip": True,
        "decoder": "tanh",
        "features": "",
    }
    rows = [
        about | {"run": row, "row": row, "split": split, "metric": "NLL", "unit": "bits/dim", "value": value, "sd": sd, "n": 100}
        for row, value in ((ddpm_tables.SIMPLE, simple), (ddpm_tables.BOUND, bound))
        for split in ("test", "train")
    ]
    rows.append(rows[0] | {"metric": "FID", "split": "train", "value": 1.0, "features": "f"})
    # Of the weights that one run kept on the way, a distance alone.
    rows.append(rows[-1] | {"step": 5, "value": 0.5})
    tables.write(layout.measurements("ddpm", "table1"), pd.DataFrame(rows))
    ddpm_tables.table1(layout)
    return layout


def test_metrics_tell_the_weights_that_were_kept_from_the_last(layout: Layout) -> None:
    values = metrics_of(likelihoods(layout, 3.0, 2.0, 0.1))["ddpm"]["table1"]
    name = f"{ddpm_tables.SIMPLE}, row={ddpm_tables.SIMPLE}, step={{}}, split=train, decoder=tanh, FID"
    assert (values[name.format(20)], values[name.format(5)]) == (1.0, 0.5)


def test_a_published_set_has_its_own_numbers_beside_it_and_others_have_cifar10s() -> None:
    datasets = {"CelebA": CelebA(kind="celeba"), "faces": CelebA(kind="celeba", train=10), "MNIST": MNIST(kind="mnist")}
    names, whole = stand_ins(datasets, pd.DataFrame({"dataset": [*datasets, "digits"]}), tables.published("ddim", "published_table1"))
    assert names == {"CelebA": "CelebA", "faces": "CelebA", "MNIST": "CIFAR-10", "digits": "CIFAR-10"}
    assert whole == ["CelebA"]


def test_the_best_of_the_weights_that_were_kept_is_told_beside_the_last(layout: Layout) -> None:
    text = likelihoods(layout, 3.0, 2.0, 0.1).artifact("ddpm", "table1.md").read_text()
    last, best = (next(line for line in text.splitlines() if f"step {step}" in line) for step in (20, 5))
    assert ", the best" in best and " 0.5 ± 0.1 / 3.17 " in best and " 3 ± 0.1 / " not in best
    assert ", the best" not in last and " 1 ± 0.1 / 3.17 " in last and " 3 ± 0.1 / 3.75 " in last
    changed = tables.read(layout.artifact("ddpm", "table1.csv"), "")
    assert one(changed, row=ddpm_tables.CHANGE, metric="NLL", split="test")["value"] == -1


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


def test_a_difference_whose_error_is_unknown_tells_nothing() -> None:
    assert positive(1.0, math.nan, "measured", "why").verdict == "not tested"
    assert [positive(d, 0.1, "", "").verdict for d in (1.0, 0.1, -0.1, -1.0)] == ["held", "not tested", "not tested", "not held"]


# --- the claims of Sohl-Dickstein et al. 2015 ---


def k(run: str, metric: str, value: float, sd: float = 0.1, unit: str = "bits", **more: object) -> dict[str, Any]:
    return {"run": run, "metric": metric, "unit": unit, "value": value, "sd": sd, "n": 9} | more


def beat(run: str, value: float, sd: float = 0.1) -> list[dict[str, Any]]:
    """Rows of Table 1 on the paper's own heartbeat."""
    return [k(run, metric, value, sd, BEATS, comparable=metric == "K") for metric in ("K", K)]


def paired(run: str, fixed: str, value: float, sd: float = 0.1) -> dict[str, Any]:
    """What learned rates are worth, point by point."""
    return k(run, f"K - K of {fixed}", value, sd)


def gap(run: str, value: float, schedule: str, network: str = "16 units", sd: float = 0.1, T: int = 40) -> list[dict[str, Any]]:
    """Rows of the ablation: a run's gap, three quarters of which are the kernels'."""
    about = {"dataset": "swiss-roll", "schedule": schedule, "network": network, "T": T}
    return [about | k(run, "log-likelihood - K", value, sd), about | k(run, "gap of a perfect network", 0.75 * value, sd)]


def step(t: int, lower: float, exact: float, upper: float, run: str = "roll") -> dict[str, Any]:
    row = {"run": run, "t": t, "lower": lower, "exact": exact, "upper": upper, "condition": run != "uneven"}
    return row | {"exact - lower": exact - lower, "upper - exact": upper - exact}


def scored(model: str, metric: str, value: float, sd: float = 0.1) -> dict[str, Any]:
    return {"model": model, "centres": "99"} | k("r", metric, value, sd)


def psnr(estimate: str, value: float, sd: float = 0.1) -> dict[str, Any]:
    return {"estimate": estimate} | k("r", "PSNR - Wiener", value, sd, "dB")


def moments(rule: str, mean: float, variance: float, sd: float = 0.01) -> list[dict[str, Any]]:
    return [{"toy": "Gaussian", "rule": rule} | k("", metric, value, sd) for metric, value in (("mean", mean), ("variance", variance))]


LEAVES = [scored("diffusion", "diffusion - model", 0.0, 0.0), scored("mixture", "diffusion - model", 0.3)]
PERFECT = [scored('"perfect model"', "log-likelihood", 100.0), scored('"perfect model"', "model - perfect", 0.0)]
FILTERED = [psnr("noisy", -6.0), psnr("Wiener filter", 0.0), psnr("constant r: one sample", -3.0), psnr("constant r: mean of 8", 2.0)]
EXACT = [*moments("exact p r", 1.0, 0.5), *moments("exact p r^2", 4 / 3, 1 / 3), *moments("E[r(x_0) | x_t] (recommended)", 1.0, 0.5)]
PAPERS_RULE = "r constant in t (the paper's, eq. 23)"
K, NULL = "log-likelihood - K", "K - L_null"
BEATS = "bits/sequence"

CASES: dict[str, tuple[str, str, list[dict[str, Any]], str, str]] = {
    # id: the artifact that is read, its rows, the verdict, a word of what is said
    "bound: under": ("bound", "table1", [k("roll", K, 1.0), k("beat", K, 0.1, unit=BEATS)], "held", "roll 1 ± 0.1 bits; beat 0.1 ± 0.1"),
    "bound: above, for one of them": ("bound", "table1", [k("roll", K, 1.0), k("beat", K, -0.6)], "not held", "above the exact"),
    "bound: above, within the error": ("bound", "table1", [k("roll", K, -0.05)], "held", "roll -0.05 ± 0.1"),
    "learned: all": ("learned", "table1", [k("roll", NULL, 3.0), k("beat", NULL, 0.3)], "held", "beat 0.3"),
    "learned: one hardly": ("learned", "table1", [k("roll", NULL, 3.0), k("beat", NULL, 0.1)], "not held", "not above L_null"),
    "learned: one worse": ("learned", "table1", [k("roll", NULL, 3.0), k("beat", NULL, -1.0)], "not held", "beat -1"),
    "heartbeat: the best of two": (
        "heartbeat",
        "table1",
        [*beat("beat", 0.09), *beat("other", 2.0), k("roll", K, 0.01, comparable=False)],
        "held",
        "beat 0.09 ± 0.1 bits/sequence; other 2 ± 0.1",
    ),
    "heartbeat: too far": (
        "heartbeat",
        "table1",
        [*beat("beat", 0.35), k("roll", K, 0.01, comparable=False)],
        "not held",
        "0.25 bits more than 0.1",
    ),
    "heartbeat: above the truth": ("heartbeat", "table1", beat("beat", -0.3), "not held", "above the true log-likelihood"),
    "heartbeat: of another length": (
        "heartbeat",
        "table1",
        [k("beat", "K", 0.01, comparable=False), k("beat", K, 0.01, comparable=False)],
        "not tested",
        "no run on the paper's heartbeat",
    ),
    "heartbeat-samples: 96 %": ("heartbeat-samples", "fig2", [k("beat", "valid sequences", 0.96, 0.006)], "held", "96.0% ± 0.6% of 9"),
    "heartbeat-samples: 94 %": ("heartbeat-samples", "fig2", [k("beat", "valid sequences", 0.94)], "not held", "fewer than 95 %"),
    "swiss-roll-gap: the best": (
        "swiss-roll-gap",
        "ablation",
        [*gap("paper", 1.9, "harmonic"), *gap("best", 0.4, "log-spaced")],
        "held",
        "gap 0.4 ± 0.1 bits (best), of which 0.3 are the kernels'; the first of them: gap 1.9 ± 0.1 bits (paper)",
    ),
    "swiss-roll-gap: of a heartbeat": (
        "swiss-roll-gap",
        "ablation",
        [row | {"dataset": "heartbeat"} for row in gap("beat", 0.1, "")],
        "not tested",
        "no swiss roll",
    ),
    "swiss-roll-gap: none": ("swiss-roll-gap", "ablation", gap("paper", 1.9, "harmonic"), "not held", "1.4 bits more"),
    "entropy-bounds: between": (
        "entropy-bounds",
        "entropy",
        [step(1, -math.inf, 0.5, 1.0), step(2, 0.5, 1.0, 1.5), step(1, 0.0, 0.0, 0.0, "beat"), step(1, 0.0, 9.0, 1.0, "uneven")],
        "held",
        "roll: 2 of 2 steps, the bounds 1 bits apart; beat: 1 of 1 steps, the bounds 0 bits apart",
    ),
    "entropy-bounds: of a run that they say nothing of": (
        "entropy-bounds",
        "entropy",
        [step(1, 0.0, 0.5, 1.0, "uneven")],
        "not tested",
        "no run whose data have the mean",
    ),
    "entropy-bounds: above": (
        "entropy-bounds",
        "entropy",
        [step(1, 0.5, 1.0, 1.5), step(2, 0.5, 1.501, 1.5, "beat")],
        "not held",
        "not beat at t = 2",
    ),
    "entropy-bounds: below": ("entropy-bounds", "entropy", [step(7, 0.5, 0.499, 1.5)], "not held", "not roll at t = 7"),
    "entropy-bounds: no number": (
        "entropy-bounds",
        "entropy",
        [step(1, 0, 1, 1), step(3, 0.5, math.nan, 1.5)],
        "not held",
        "roll at t = 3",
    ),
    "learned-rates: better": (
        "learned-rates",
        "ablation",
        [*gap("fixed", 1.9, "harmonic"), *gap("learned", 1.8, "learned from harmonic"), paired("learned", "fixed", 0.05, 0.02)],
        "held",
        "learned: K - K of fixed = +0.05 ± 0.02 bits; one training seed",
    ),
    "learned-rates: worse, within the error": (
        "learned-rates",
        "ablation",
        [paired("l", "fixed", -0.1, 0.08)],
        "held",
        "-0.1 ± 0.08",
    ),
    "learned-rates: worse, for one of two networks": (
        "learned-rates",
        "ablation",
        [paired("learned", "fixed", 0.1, 0.01), paired("learned-64", "fixed-64", -0.4, 0.01)],
        "not held",
        "learned-64 is worse",
    ),
    "learned-rates: too few points": ("learned-rates", "ablation", [paired("learned", "fixed", 0.1, 0.2)], "not tested", "too few points"),
    "learned-rates: beside others alone": (
        "learned-rates",
        "ablation",
        [*gap("learned", 9.0, "learned from harmonic"), *gap("another schedule", 1.0, "log-spaced")],
        "not tested",
        "no run with learned rates beside one",
    ),
    "dead-leaves: above both": (
        "dead-leaves",
        "table2",
        [*LEAVES, scored("full", "diffusion - model", 0.9)],
        "held",
        "the mixture by 0.3 ± 0.1",
    ),
    "dead-leaves: above one": (
        "dead-leaves",
        "table2",
        [*LEAVES, scored("full", "diffusion - model", -0.9)],
        "not held",
        "the full is higher",
    ),
    "dead-leaves: too near": (
        "dead-leaves",
        "table2",
        [*LEAVES, scored("full", "diffusion - model", 0.1)],
        "not tested",
        "two standard errors",
    ),
    "dead-leaves: no baselines": ("dead-leaves", "table2", [*LEAVES[:1], *PERFECT], "not tested", "no baselines"),
    "digits-parzen: under": (
        "digits-parzen",
        "table2",
        [*PERFECT, scored("diffusion", "model - perfect", -5.0), scored("k-means", "model - perfect", 9.0)],
        "held",
        "perfect model's 100: diffusion: -5 ± 0.1; k-means: +9 ± 0.1",
    ),
    "digits-parzen: far under": (
        "digits-parzen",
        "table2",
        [*PERFECT, scored("diffusion", "model - perfect", -15.0)],
        "not held",
        "85% of the perfect",
    ),
    "digits-parzen: above": ("digits-parzen", "table2", [*PERFECT, scored("diffusion", "model - perfect", 0.5)], "not held", "suspect"),
    "digits-parzen: above, within the error": (
        "digits-parzen",
        "table2",
        [*PERFECT, scored("diffusion", "model - perfect", 0.15)],
        "held",
        "+0.15",
    ),
    "digits-parzen: of fewer samples": (
        "digits-parzen",
        "table2",
        [*PERFECT, scored("diffusion", "model - perfect", -5.0) | {"centres": "50"}],
        "not tested",
        "50 samples beside 99 training images",
    ),
    "digits-parzen: no digits": ("digits-parzen", "table2", LEAVES, "not tested", "no digits"),
    "denoising: better": (
        "denoising",
        "fig3",
        [*FILTERED, psnr("start at y: mean of 8", 0.5)],
        "held",
        "start at y: mean of 8: +0.50 ± 0.10 dB",
    ),
    "denoising: worse": ("denoising", "fig3", [*FILTERED, psnr("start at y: mean of 8", -0.5)], "not held", "the filter is better"),
    "denoising: too near": ("denoising", "fig3", [*FILTERED, psnr("start at y: mean of 8", -0.15)], "not tested", "too few samples"),
    "denoising: nothing denoised": ("denoising", "fig3", FILTERED[:2], "not tested", "no denoised images"),
    "in-painting: exact": ("in-painting", "fig5", [k("r", "largest change of a known pixel", 0.0)] * 2, "held", "pixel: 0"),
    "in-painting: by one of the rules": (
        "in-painting",
        "fig5",
        [k("r", "largest change of a known pixel", value) for value in (0.0, 1e-6)],
        "not held",
        "known pixels were changed",
    ),
    "product: p r": ("product", "products", [*EXACT, *moments(PAPERS_RULE, 1.03, 0.47)], "held", "mean 1.030, variance 0.470"),
    "product: p r^2": ("product", "products", [*EXACT, *moments(PAPERS_RULE, 4 / 3, 1 / 3)], "not held", "nearly p r^2"),
    "product: its mean alone": ("product", "products", [*EXACT, *moments(PAPERS_RULE, 1.0, 1 / 3)], "not held", "nearly p r^2"),
}


def judged(layout: Layout, claim: str) -> Verdict:
    """The verdict as the report has it."""
    try:
        return sohl2015.CHECKS[claim](layout)
    except MissingError as error:
        return Verdict("", "not tested", str(error))


@pytest.mark.parametrize(("claim", "artifact", "rows", "verdict", "said"), CASES.values(), ids=CASES.keys())
def test_a_claim_can_go_either_way(layout: Layout, claim: str, artifact: str, rows: list[dict[str, Any]], verdict: str, said: str) -> None:
    tables.write(layout.artifact("sohl2015", "ablation.csv"), pd.DataFrame([k("roll", K, -9.0)]))
    tables.write(layout.artifact("sohl2015", f"{artifact}.csv"), pd.DataFrame(rows))
    found = judged(layout, claim)
    assert found.verdict == verdict
    assert said in f"{found.measured}; {found.why}"
    assert found.measured or verdict == "not tested"
    assert bool(found.why) == (verdict != "held")


def test_the_bound_is_judged_on_the_runs_of_the_ablation_too(layout: Layout) -> None:
    """Those of them that Table 1 does not have."""
    tables.write(layout.artifact("sohl2015", "table1.csv"), pd.DataFrame([k("roll", K, 1.0)]))
    for value, verdict in ((0.1, "held"), (-0.2, "not held")):
        tables.write(layout.artifact("sohl2015", "ablation.csv"), pd.DataFrame([k("roll", K, -9.0), k("roll-64", K, value)]))
        assert judged(layout, "bound").verdict == verdict


def test_every_claim_is_tried_both_ways() -> None:
    tried = {(claim, verdict) for claim, _, _, verdict, _ in CASES.values()}
    assert {(claim, verdict) for claim in sohl2015.CHECKS for verdict in ("held", "not held")} <= tried


@pytest.mark.parametrize("claim", ["bound", "learned", "heartbeat"])
def test_a_claim_is_not_held_by_nothing(layout: Layout, claim: str) -> None:
    """Of a table without the numbers that it is about."""
    row = k("leaves", "K", 1.0, unit="bits/pixel", comparable=False)
    tables.write(layout.artifact("sohl2015", "table1.csv"), pd.DataFrame([row]))
    assert judged(layout, claim).verdict == "not tested"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A preset that asks for the 2015 paper and for nothing of it."""
    monkeypatch.chdir(tmp_path)
    changes = {"papers.ddpm": GONE, "papers.ddim": GONE, "papers.sohl2015": {}}
    return Layout("tiny", Preset.model_validate(tiny.preset(changes)))


def test_what_the_preset_leaves_out_is_not_tested_even_if_it_lies_there(bare: Layout) -> None:
    for artifact in ("table1", "table2", "ablation", "entropy", "fig2", "fig3", "fig5", "products"):
        tables.write(bare.artifact("sohl2015", f"{artifact}.csv"), pd.DataFrame([k("roll", K, 1.0)]))
    check_claims(bare, "sohl2015")
    claims = claims_of(bare)
    assert set(claims["id"]) == set(sohl2015.CHECKS)
    assert set(claims["verdict"]) == {"not tested"}
    assert claims["why"].str.match(r"the preset does not measure it: \w+ of sohl2015 is not in it").all()


@pytest.mark.parametrize(
    ("claim", "command"),
    [("bound", "table sohl2015 table1"), ("heartbeat-samples", "measure sohl2015 fig2"), ("product", "table sohl2015 products")],
)
def test_what_was_asked_for_and_is_not_there_is_an_error(layout: Layout, claim: str, command: str) -> None:
    with pytest.raises(UserError, match=f"not found; expected the file that `rediffuse {command}` makes"):
        judged(layout, claim)


# --- what is gathered of all papers ---


def test_an_artifact_that_the_preset_leaves_out_is_told(bare: Layout, tmp_path: Path) -> None:
    tables.write(bare.artifact("sohl2015", "fig2.csv"), pd.DataFrame([k("beat", "valid sequences", 1.0)]))
    artifacts = artifacts_of(bare).set_index(["paper", "artifact"])
    row = artifacts.loc[("sohl2015", "fig2")]
    assert (row["status"], row["why"], row["made_on"], row["files"]) == ("not tested", "not in this preset", "", "")
    assert artifacts.loc[("sohl2015", "table_app1")]["status"] == "made", "it has no options of its own"
    assert artifacts.loc[("ddpm", "table1")]["why"] == "not in this preset"
    assert set(artifacts["status"]) == {"made", "not tested"}
    assert (artifacts[artifacts["status"] != "made"]["why"] != "").all()


def test_an_artifact_that_is_made_is_told_with_its_files_and_data(layout: Layout) -> None:
    for name in ("fig2.csv", "fig2.png", "fig2.svg", "fig2.zh.png", "fig2.npz", "fig22.png", "fig_d1.png"):
        layout.write_text("sohl2015", name, "")
    artifacts = artifacts_of(layout).set_index(["paper", "artifact"])
    assert list(artifacts.loc[("sohl2015", "fig2")][["status", "why", "made_on", "files"]]) == [
        "made",
        "",
        "heartbeat",
        "fig2.csv fig2.npz fig2.png fig2.svg fig2.zh.png",
    ]
    assert list(artifacts.loc[("sohl2015", "fig_d1")][["status", "made_on", "files"]]) == ["made", "", "fig_d1.png"]
    assert artifacts.loc[("sohl2015", "table2")]["made_on"] == "dead-leaves, digits-2015"
    assert artifacts.loc[("sohl2015", "fig_app1")]["made_on"] == "digits-2015"


def test_metrics_are_of_what_the_preset_asks_for(layout: Layout, bare: Layout) -> None:
    """A file of an artifact that was taken out of the preset may still lie there."""
    rows = pd.DataFrame([k("beat", "valid sequences", 1.0), k("beat", "sequences of phase 0", 0.2)])
    for here in (layout, bare):
        tables.write(here.artifact("sohl2015", "fig2.csv"), rows)
    assert metrics_of(layout) == {"sohl2015": {"fig2": {"beat, valid sequences": 1.0, "beat, sequences of phase 0": 0.2}}}
    assert metrics_of(bare) == {}


def test_metrics_name_each_number_by_all_its_keys(layout: Layout) -> None:
    table = pd.DataFrame([*EXACT, *[row | {"toy": "in-painting"} for row in EXACT]])
    tables.write(layout.artifact("sohl2015", "products.csv"), table)
    metrics = metrics_of(layout)["sohl2015"]["products"]
    assert len(metrics) == len(table)
    assert metrics[", toy=Gaussian, rule=exact p r, mean"] == 1.0
    json.dumps(metrics, allow_nan=False)


# --- the tables of the 2015 paper ---


def test_the_heartbeat_of_20_bins_is_the_papers_and_no_other(layout: Layout, bare: Layout) -> None:
    for here, dataset, comparable in ((layout, "heartbeat", {"K", "K - L_null"}), (bare, "beat", set())):
        about = {"process": "binomial", "schedule": "", "network": "", "predicts": "x0", "T": 60, "budget": "9 steps of 8"}
        rows = [{"dataset": dataset} | about | k("r", metric, 1.0, unit=BEATS) for metric in ("K", NULL, "log-likelihood", K)]
        tables.write(here.measurements("sohl2015", "table1"), pd.DataFrame(rows))
        sohl2015_tables.table1(here)
        table = tables.read(here.artifact("sohl2015", "table1.csv"), "")
        assert set(table[table["comparable"] == "True"]["metric"]) == comparable
        assert one(table, metric="K")["published"] == -2.414
        text = here.artifact("sohl2015", "table1.md").read_text()
        assert "| r | binomial, T = 60;" in text
        assert "1 ± 0.1 / -2.414" in text
        assert "| CIFAR-10 | not run here |" in text


@pytest.mark.parametrize(("value", "word"), [(99.0, ""), (100.1, ""), (101.0, "suspect: above the perfect model")])
def test_a_model_above_the_perfect_one_is_told_as_suspect(layout: Layout, value: float, word: str) -> None:
    """By more than two standard errors of their difference."""
    about = {"dataset": "digits-2015", "run": "", "unit": "bits", "sd": 0.1, "n": 9, "centres": 3, "bandwidth": 0.1}
    rows = [
        about | {"model": model, "metric": metric, "value": value - less}
        for model, value in (('"perfect model"', 100.0), ("diffusion", value))
        for metric, less in (("log-likelihood", 0.0), ("model - perfect", 100.0))
    ]
    tables.write(layout.measurements("sohl2015", "table2"), pd.DataFrame(rows))
    sohl2015_tables.table2(layout)
    lines = layout.artifact("sohl2015", "table2.md").read_text().splitlines()
    (diffusion,) = [line for line in lines if line.startswith("| digits-2015 | diffusion |")]
    assert diffusion.endswith(f"| 317 ± 2.7 | 0.1 (3 centres) | {word} |")
    assert next(line for line in lines if "| MCGSM |" in line).endswith("| 1.244 |  | not run here |")


@pytest.mark.parametrize(("error", "verdict"), [(1e-13, "passed"), (1e-12, "passed"), (2e-12, "not passed"), (math.nan, "not passed")])
def test_an_equation_passes_by_its_error(layout: Layout, error: float, verdict: str) -> None:
    checks = tables.published("sohl2015", "equations")[["row", "diffusion"]]
    checks = checks.assign(function="f", check="against", error=0.0, passes=1e-12)
    checks.loc[3, "error"] = error
    tables.write(layout.measurements("sohl2015", "table_app1"), checks)
    sohl2015_tables.table_app1(layout)
    table = pd.read_csv(layout.artifact("sohl2015", "table_app1.csv"))
    assert table["verdict"][3] == verdict
    assert set(table["verdict"].drop(3)) == {"passed"}


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
