"""Sohl-Dickstein et al. 2015 from the tiny preset to its report, by the commands that the rules call; and what the numbers must obey."""

import json
import math
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from rediffuse.build import build_process
from rediffuse.datasets import dead_leaves
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.prepared import Prepared
from rediffuse.datasets.swiss_roll import SwissRoll
from rediffuse.figures import style
from rediffuse.figures.sohl2015 import FIGURES
from rediffuse.metrics.bits import mean_and_error
from rediffuse.papers import tables
from rediffuse.papers.claims import one
from rediffuse.papers.makes import MAKES, measurement
from rediffuse.papers.sohl2015 import bounds, common, gaps
from rediffuse.papers.sohl2015.common import PerfectNetwork
from rediffuse.papers.sohl2015.equations import ROWS
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.processes import schedules
from rediffuse.processes.denoiser import Denoiser, WithEdge
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.runs import LoadedRun

Tables = Callable[[str], pd.DataFrame]
Npz = Callable[[str], dict[str, Any]]
CPU = torch.device("cpu")
PRESET = ("--preset", "tiny.yaml")


@pytest.fixture
def made(tiny_results: Callable[[str], Path]) -> Path:
    """The folder in which the tiny preset's part of this paper was made."""
    return tiny_results("sohl2015")


@pytest.fixture
def layout(made: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(made)
    return Layout("tiny", load_preset(Path("tiny.yaml")))


@pytest.fixture
def table(layout: Layout) -> Tables:
    return lambda name: tables.read(layout.artifact("sohl2015", f"{name}.csv"), "")


@pytest.fixture
def arrays(layout: Layout) -> Npz:
    return lambda name: dict(np.load(layout.artifact("sohl2015", f"{name}.npz")))


def close(a: Any, b: Any, rtol: float = 1e-5, atol: float = 2e-6) -> None:
    """To the six digits that a table keeps; of a difference of its numbers, those that are left."""
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=atol)


# --- every file ---


@pytest.mark.parametrize("artifact", MAKES["sohl2015"])
def test_every_file_that_the_rules_name_is_made_and_is_what_its_name_says(layout: Layout, artifact: str) -> None:
    makes = MAKES["sohl2015"][artifact]
    named = [layout.artifact("sohl2015", name) for name in [*makes.measured, *makes.pictures] if name != "measurements"]
    if makes.is_table:
        named += [layout.measurements("sohl2015", artifact), *[layout.artifact("sohl2015", f"{artifact}.{end}") for end in ("csv", "md")]]
    assert named
    for path in named:
        match path.suffix:
            case ".png":
                with Image.open(path) as image:
                    assert image.format == "PNG"
                    assert min(image.size) > 100 and np.asarray(image.convert("L")).std() > 5, "a picture of nothing"
            case ".svg":
                assert ElementTree.parse(path).getroot().tag.endswith("svg")
            case ".gif":
                with Image.open(path) as image:
                    assert (image.format, image.is_animated) == ("GIF", True)
            case ".csv":
                assert len(pd.read_csv(path)) > 0
            case ".npz":
                assert all(array.size for array in np.load(path).values())
            case ".json":
                assert json.loads(path.read_text())
            case ".md":
                assert path.read_text().startswith("# ")
    made = {path.name for path in layout.artifact("sohl2015", "").iterdir() if path.name.split(".")[0] == artifact}
    expected = {f"{artifact}.json", *(path.name for path in named if "measurements" not in path.parts)}
    assert made == expected, "a file that no rule names, or the other way round"


def test_the_rules_list_all_but_arrays_as_what_is_shown(made: Path) -> None:
    """The report counts files by artifact: none lies there that is nobody's."""
    names = {path.name.split(".")[0] for path in (made / "results/tiny/sohl2015").iterdir()}
    assert names == {*MAKES["sohl2015"], "claims", "records"}


@pytest.mark.parametrize("artifact", ["table1", "fig1", "fig2", "fig4", "fig5", "products", "ablation", "entropy", "table_app1"])
def test_a_measurement_made_again_is_the_same_bytes(layout: Layout, artifact: str) -> None:
    named = [name for name in MAKES["sohl2015"][artifact].measured if name != "measurements"]
    paths = [layout.artifact("sohl2015", name) for name in named] or [layout.measurements("sohl2015", artifact)]
    before = [path.read_bytes() for path in paths]
    measurement("sohl2015", artifact)(layout, CPU)
    assert [path.read_bytes() for path in paths] == before


# --- Table 1: K ---


def test_table_1_has_K_and_what_is_learned_for_every_run(table: Tables) -> None:
    found = table("table1")
    for run, unit in (("roll", "bits"), ("rates", "bits"), ("beat", "bits/sequence"), ("leaves", "bits/pixel")):
        for metric in ("K", "K - L_null"):
            row = one(found, run=run, metric=metric)
            assert (row["unit"], row["n"]) == (unit, 6)
            assert math.isfinite(row["value"]) and row["sd"] > 0
            assert pd.notna(row["published"])
    assert set(found["comparable"]) == {"False"}, "none of them is the paper's data"
    assert set(found[found["value"].isna()]["published_dataset"]) == {"Bark", "CIFAR-10"}


def test_table_1_has_the_exact_log_likelihood_where_the_density_is_known(table: Tables, layout: Layout) -> None:
    found = table("table1")
    exact = found[found["metric"] == "log-likelihood"].set_index("run")
    assert set(exact.index) == {"roll", "rates", "beat"}
    close(exact.loc["beat"][["value", "sd"]], [math.log2(1 / 3), 0])
    data = common.loaded(layout, "roll", CPU)[1]
    log_density = SwissRoll(1.5, 0.036).log_density(data.x("test")[:6].astype(float)) / math.log(2)
    close(exact.loc["roll"][["value", "sd"]], [log_density.mean(), log_density.std(ddof=1) / math.sqrt(6)])
    for run in exact.index:
        K, gap = one(found, run=run, metric="K"), one(found, run=run, metric="log-likelihood - K")
        close(exact.loc[run, "value"] - K["value"], gap["value"])


def test_L_null_is_the_log_likelihood_of_the_prior(table: Tables, layout: Layout) -> None:
    found = table("table1")

    def null(run: str) -> float:
        return one(found, run=run, metric="K")["value"] - one(found, run=run, metric="K - L_null")["value"]

    x = {run: common.loaded(layout, run, CPU)[1].x("test")[:6].astype(float) for run in ("roll", "beat", "leaves")}
    ones = x["beat"].sum(1).mean()
    close(null("beat"), ones * math.log2(0.3) + (6 - ones) * math.log2(0.7))
    for run, dims in (("roll", 1), ("leaves", 16)):
        normal = -0.5 * (x[run] ** 2 + math.log(2 * math.pi)) / math.log(2)
        close(null(run), normal.reshape(6, -1).sum(1).mean() / dims)


def test_more_strata_than_steps_are_the_full_sum(layout: Layout) -> None:
    for run in ("roll", "beat"):
        loaded, data = common.loaded(layout, run, CPU)
        full, more = (bounds.bound(loaded, data.x("test")[:4], strata, 0, CPU) for strata in (loaded.T - 1, 10**6))
        assert all(np.array_equal(a, b) for a, b in zip(full, more, strict=True))


@pytest.mark.parametrize(
    ("shape", "levels", "expected"), [((1, 4, 8), 256, (32, "bits/pixel")), ((6,), 2, (1, "bits/sequence")), ((2,), None, (1, "bits"))]
)
def test_bits_are_counted_per_pixel_sequence_or_point(shape: tuple[int, ...], levels: int | None, expected: tuple[int, str]) -> None:
    assert bounds.per(Prepared("data", shape, levels, 1.0, 0.0, 0.0, None, "", {})) == expected


# --- the entropy bounds of eq. 24 ---


def test_the_entropy_bounds_enclose_where_the_datas_mean_is_the_base_rate(table: Tables) -> None:
    found = table("entropy")
    assert list(found.groupby("run", sort=False)["t"].agg(list)) == [[1, 2, 3, 4, 5, 6]] * 3
    sure = found[found["run"].isin(["roll", "even"])]
    assert (sure["lower"] <= sure["exact"]).all() and (sure["exact"] <= sure["upper"]).all()
    assert (sure[sure["t"] > 1]["upper"] - sure[sure["t"] > 1]["lower"] > 0.1).all()


def test_the_upper_bound_fails_where_it_is_not_and_the_claim_is_silent_of_it(table: Tables, layout: Layout) -> None:
    found = table("entropy")
    assert found.groupby("run")["condition"].unique().map(list).to_dict() == {"roll": ["True"], "beat": ["False"], "even": ["True"]}
    beat = found.query("run == 'beat'").set_index("t")
    assert list(beat.index[beat["exact"] > beat["upper"]]) == [6]
    assert (beat["lower"] <= beat["exact"]).all()
    claim = pd.read_csv(layout.results / "claims.csv").set_index("id").loc["entropy-bounds"]
    assert claim["verdict"] == "held"
    assert "roll: 6 of 6 steps" in claim["measured"] and "even: 6 of 6" in claim["measured"] and "beat" not in claim["measured"]


def test_the_exact_entropies_telescope_to_those_of_the_ends(table: Tables) -> None:
    """H_q(X^{t-1} | X^t) = upper + H(X^{t-1}) - H(X^t): its sum over t needs the entropies of x_0 and x_T alone."""
    sums = table("entropy").groupby("run")[["exact", "upper"]].sum()
    heartbeat, roll = Heartbeat(6, 3), SwissRoll(1.5, 0.036)
    alpha_bar = float(GaussianProcess(schedules.harmonic(6, 3e-4, 0.99)).alpha_bar[-1])
    ends = {
        "beat": heartbeat.entropy(1, 0.3) - heartbeat.entropy(0, 0.3),
        "even": heartbeat.entropy(1, 1 / 3) - heartbeat.entropy(0, 1 / 3),
        "roll": roll.entropy() - roll.entropy(alpha_bar),
    }
    for run, nats in ends.items():
        close(sums.loc[run, "exact"] - sums.loc[run, "upper"], nats / math.log(2), rtol=1e-4)


# --- the ablation, and the perfect network ---


def test_a_gap_is_the_kernels_part_and_the_networks(table: Tables) -> None:
    found = table("ablation")
    assert list(found["run"].unique()) == ["roll", "rates"]
    for run in ("roll", "rates"):
        gap, kernels, network = (
            one(found, run=run, metric=metric) for metric in ("log-likelihood - K", "gap of a perfect network", "gap of the network")
        )
        close(gap["value"], kernels["value"] + network["value"])
        close(network["sd"], math.hypot(gap["sd"], kernels["sd"]))
        assert (gap["n"], kernels["n"], network["n"]) == (6, 4, 4)
    assert set(found["schedule"]) == {f"{start}1/(T - t + 1), beta_1 = 0.0003, beta_T = 0.99" for start in ("", "learned from ")}


ROLL = SwissRoll(1.5, 0.1)
POINTS = ROLL.sample(2000, np.random.default_rng(0))


class Changed(PerfectNetwork):
    """A perfect network whose means are moved by so many deviations, and whose variances are multiplied."""

    moved, widened = 0.0, 1.0

    def __call__(self, x_t: torch.Tensor, t: int | torch.Tensor) -> Any:
        perfect = super().__call__(x_t, t)
        return perfect._replace(mean=perfect.mean + self.moved * perfect.variance.sqrt(), variance=self.widened * perfect.variance)


class Untrained(PerfectNetwork):
    """What an untrained network says: the forward kernel."""

    def __call__(self, x_t: torch.Tensor, t: int | torch.Tensor) -> Any:
        return Denoiser(self.process, lambda x, t: torch.zeros(len(x), 4), "residual", "learned")(x_t, t)


def gaps_of(network: type[PerfectNetwork] = PerfectNetwork, **changes: float) -> Any:
    """log-likelihood - K of a network at each of POINTS, always with the same noise."""
    process = GaussianProcess(schedules.log_spaced(12, 1e-3, 1000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaps, "PerfectNetwork", type("Network", (network,), changes))
        return gaps.perfect_gap(process, ROLL, POINTS, seed=0)


@pytest.fixture(scope="module")
def perfect() -> Any:
    return gaps_of()


def test_the_perfect_network_is_under_the_log_likelihood_and_above_an_untrained_one(perfect: Any) -> None:
    value, error = mean_and_error(perfect)
    assert value > -2 * error
    assert mean_and_error(gaps_of(Untrained) - perfect)[0] > 0.5


def test_no_other_mean_or_variance_is_better_than_the_perfect_networks(perfect: Any) -> None:
    """Moved by s deviations each kernel costs s^2 / 2 a dimension, and the part that changes sign with s is 0 on average; wider or
    narrower by a factor w it costs (log w + 1 / w - 1) / 2."""
    terms, s = 11 * 2, 0.2
    up, down = (gaps_of(Changed, moved=sign * s) - perfect for sign in (1, -1))
    close((up + down) / 2, np.full(2000, terms * s**2 / 2 / math.log(2)), rtol=1e-9)
    value, error = mean_and_error((up - down) / 2)
    assert error < 0.05 and abs(value) < 4 * error
    for w in (1.3, 0.77):
        value, error = mean_and_error(gaps_of(Changed, widened=w) - perfect)
        exact = terms * (math.log(w) + 1 / w - 1) / 2 / math.log(2)
        assert exact > 0.4 and abs(value - exact) < 4 * error


PROTOTYPE = {
    # of an independent program, at T = 40 on the laptop preset's roll: bits that the kernels lose
    "1/(T - t + 1) throughout": (schedules.harmonic(40, None, 0.9999), 2.29),
    "its first rate a quarter of the noise": (schedules.harmonic(40, 0.036**2 / 4, 0.99), 1.04),
    "log-spaced": (schedules.log_spaced(40, 3e-4, 4000), 0.36),
}


@pytest.mark.parametrize(("beta", "bits"), PROTOTYPE.values(), ids=PROTOTYPE.keys())
def test_what_the_kernels_lose_is_what_a_prototype_found(beta: torch.Tensor, bits: float) -> None:
    """Within 4 standard errors: 0.05 to 0.08 bits at 2,000 points, and as many again that the prototype has."""
    roll = SwissRoll(1.5, 0.036)
    value, error = mean_and_error(gaps.perfect_gap(GaussianProcess(beta), roll, roll.sample(2000, np.random.default_rng(0)), seed=0))
    assert error < 0.1
    assert abs(value - bits) < 4 * math.sqrt(2) * error


# --- learned rates, read back ---


def test_a_run_with_learned_rates_is_read_back_with_them(layout: Layout) -> None:
    loaded, fixed = (common.loaded(layout, run, CPU)[0] for run in ("rates", "roll"))
    start = build_process(loaded.run.process)
    assert torch.equal(start.beta, fixed.gaussian.beta)
    beta = loaded.gaussian.beta
    assert torch.equal(beta[:2], start.beta[:2])
    assert ((beta[2:] - start.beta[2:]).abs() > 1e-5).all(), "rates that no training has moved"
    assert not beta.requires_grad
    assert torch.equal(loaded.denoiser().process.beta, beta)
    assert torch.equal(loaded.network.process().beta, beta)


def test_the_last_step_of_continuous_data_is_the_edge_and_of_grey_levels_is_clipped(layout: Layout) -> None:
    loaded = common.loaded(layout, "ink", CPU)[0]
    assert isinstance(loaded.reverse(clip=True), WithEdge)
    assert not loaded.reverse(clip=True).denoiser.clip, "data of variance 1 lie beyond [-1, 1]"
    levels = LoadedRun(loaded.run, type(loaded.about)("data", (1, 8, 8), 17, None, 0.0), loaded.process, loaded.network)
    assert isinstance(levels.reverse(clip=True), Denoiser) and levels.reverse(clip=True).clip


# --- the other tables ---


def test_table_2_scores_the_leaves_as_table_1_does_and_digits_in_bits_and_nats(table: Tables) -> None:
    first, second = table("table1"), table("table2")
    K = one(first, run="leaves", metric="K")
    ours = one(second, dataset="leaves", model="diffusion", metric="log-likelihood")
    assert (ours["value"], ours["sd"], ours["n"]) == (K["value"], K["sd"], K["n"])
    for model in ("full-covariance Gaussian", "Gaussian scale mixture"):
        theirs, difference = (
            one(second, dataset="leaves", model=model, metric=metric) for metric in ("log-likelihood", "diffusion - model")
        )
        close(ours["value"] - theirs["value"], difference["value"], atol=1e-5)
    digits = second[second["dataset"] == "ink"]
    models = list(digits["model"].unique())
    assert models[:2] == ['"perfect model"', "diffusion"] and len(models) == 5
    perfect = one(digits, model=models[0], metric="log-likelihood")
    for model in models:
        bits, nats, difference = (
            one(digits, model=model, metric=metric) for metric in ("log-likelihood", "log-likelihood in nats", "model - perfect")
        )
        assert (bits["unit"], nats["unit"], bits["n"]) == ("bits", "nats", 297)
        close(bits["value"] * math.log(2), nats["value"])
        close(bits["value"] - perfect["value"], difference["value"], atol=2e-4)
    assert list(digits.drop_duplicates("model")["centres"]) == ["1400", "12", "10", "10", "1400"]


def test_every_equation_passed_and_names_a_function_that_is_there(layout: Layout) -> None:
    equations, found = tables.published("sohl2015", "equations"), pd.read_csv(layout.artifact("sohl2015", "table_app1.csv"))
    keys = [(row, diffusion) for row in ROWS for diffusion in ("Gaussian", "binomial")]
    for frame in (equations, found):
        assert list(zip(frame["row"], frame["diffusion"], strict=True)) == keys
    assert set(found["verdict"]) == {"passed"}
    for name in found["function"]:
        parts = name.split(".")
        holder: Any = import_module(f"rediffuse.{'.'.join(parts[:2])}")
        for part in parts[2:]:
            holder = getattr(holder, part)
        assert callable(holder)
    lines = layout.artifact("sohl2015", "table_app1.md").read_text().splitlines()
    rows = [line.replace("\\|", "") for line in lines if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {7}, "a bar in an equation that the table takes for its own"


def test_products_are_measured_beside_what_is_exact(table: Tables) -> None:
    found = table("products")
    assert list(found["toy"].unique()) == ["Gaussian", "in-painting", "heartbeat"]
    for toy, rule, metric, value in (
        ("Gaussian", "exact p r", "mean", 1),
        ("Gaussian", "exact p r", "variance", 1 / 2),
        ("Gaussian", "exact p r^2", "mean", 4 / 3),
        ("Gaussian", "exact p r^2", "variance", 1 / 3),
        ("in-painting", "exact p r", "mean", 1.2),
        ("in-painting", "exact p r", "variance", 0.36),
        # of 3 sequences one has a 1 in bit 0, which r makes 4 times as likely
        ("heartbeat", "r = 1, 4 for bit 0 = 0, 1: exact p r", "P(bit = 1)", 4 / 6),
        ("heartbeat", "r = 1, 4 for bit 0 = 0, 1: exact p r^2", "P(bit = 1)", 16 / 18),
    ):
        close(one(found, toy=toy, rule=rule, metric=metric)["value"], value)
    exact = found["rule"].str.contains("exact p r")
    assert found[exact]["sd"].isna().all()
    assert set(found[~exact]["n"]) == {100}
    assert found[~exact].groupby("toy")["rule"].nunique().to_dict() == {"Gaussian": 5, "in-painting": 3, "heartbeat": 1}
    recommended = found[found["rule"].str.contains("recommended") & (found["toy"] == "Gaussian") & (found["metric"] == "mean")]
    assert (abs(recommended["value"] - 1) < 4 * recommended["sd"]).all(), "even in 10 steps the recommended rules have the mean of p r"
    paper = one(found, rule="r constant in t (the paper's, eq. 23)", metric="mean")
    assert paper["value"] - 1 > 4 * paper["sd"]


# --- the figures ---


def test_figure_1_is_of_both_chains_and_its_drift_has_an_error(table: Tables, arrays: Npz, layout: Layout) -> None:
    data, x = arrays("fig1"), common.loaded(layout, "roll", CPU)[1].x("test")[:20]
    assert np.array_equal(data["forward_0"], x)
    assert data["reverse"].shape == (7, 20, 2)
    for t in (0, 3, 6):
        assert np.array_equal(data["reverse"][t], data[f"reverse_{t}"])
    assert data["drift_t"].tolist() == [2, 3, 6]
    for t in (2, 3, 6):
        assert data[f"learned_{t}"].shape == data[f"exact_{t}"].shape == (23**2, 2)
        error, size = (one(table("fig1"), t=t, metric=metric)["value"] for metric in ("rms error of the drift", "rms of the exact drift"))
        close([error, size], data[f"rms_{t}"])
        assert error > 0 and size > 0
    with Image.open(layout.artifact("sohl2015", "fig1.gif")) as animation:
        assert animation.n_frames == 7


def test_figure_2_counts_every_generated_sequence(table: Tables, arrays: Npz) -> None:
    found, data = table("fig2"), arrays("fig2")
    valid, phases = one(found, metric="valid sequences"), found[found["metric"].str.startswith("sequences of phase")]
    assert len(phases) == 3
    close(phases["value"].sum(), valid["value"])
    close(found["value"] * 20, (found["value"] * 20).round())
    near = (20 * found["value"] + 2) / 24
    close(found["sd"], np.sqrt(near * (1 - near) / 24))
    assert [data[f"reverse_{t}"].shape for t in (0, 3, 6)] == [(4, 6)] * 3
    assert set(np.unique(np.concatenate([data[f"reverse_{t}"] for t in (0, 3, 6)]))) == {0, 1}
    assert np.array_equal(Heartbeat(6, 3).valid(data["reverse_0"]), data["valid"])


def test_figure_3_compares_estimates_on_the_same_noise(table: Tables, arrays: Npz) -> None:
    found, data = table("fig3"), arrays("fig3")
    scores, differences = (found[found["metric"] == metric].set_index("estimate")["value"] for metric in ("PSNR", "PSNR - Wiener"))
    rules = [f"{rule}: {what}" for rule in ("constant r", "start at y") for what in ("one sample", "mean of 2")]
    assert list(scores.index) == list(differences.index) == ["noisy", "Wiener filter", *rules]
    close(differences, scores - scores["Wiener filter"], atol=2e-4)
    assert scores["Wiener filter"] > scores["noisy"]
    names = ["hold-out", "noisy", "Wiener filter", "constant r", "start at y", "mean of start at y", "generated"]
    levels = data.pop("levels")
    assert levels == 256, "the grey levels that the pictures are drawn in"
    assert {name: images.shape for name, images in data.items()} == dict.fromkeys(names, (3, 1, 4, 4))


def test_the_figures_draw_the_grey_levels_that_were_measured(arrays: Npz, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between 0 and 1, and none wrapped around: levels are bytes."""
    drawn: list[np.ndarray[Any, Any]] = []
    monkeypatch.setattr(style, "show", lambda axes, picture, title="": drawn.append(np.asarray(picture)))
    monkeypatch.setattr(style, "save", lambda figure, path: plt.close(figure))
    for artifact in ("fig3", "fig4", "fig_app1"):
        FIGURES[artifact](layout)
    rows, leaves, digits = arrays("fig3"), arrays("fig4"), arrays("fig_app1")
    for picture, name in zip(drawn[:7], (name for name in rows if name != "levels"), strict=True):
        close(picture[:4, :4], rows[name][0, 0] / 255)
        assert rows[name].max() > 127, "half of what a byte holds, where a sum of two wraps around"
    for picture, name in zip(drawn[7:10], leaves, strict=True):
        close(picture, leaves[name][0, 0] / 255)
    for picture, name in zip(drawn[10:], digits, strict=True):
        close(picture[:8, :8], digits[name][0, 0])


def test_figure_4_shows_leaves_that_no_model_has_seen(arrays: Npz, layout: Layout) -> None:
    data = arrays("fig4")
    names = ["training", "mixture", "generated"]
    assert {name: (images.shape, images.dtype) for name, images in data.items()} == dict.fromkeys(names, ((1, 1, 8, 8), np.uint8))
    options = layout.preset.datasets["leaves"]
    unseen = dead_leaves.images(40 + 6, 1, 8, options.radius_min, options.radius_max, options.exponent, options.seed)
    assert np.array_equal(data["training"], unseen)


def test_figure_5_leaves_known_pixels_exactly_as_they_were(table: Tables, arrays: Npz) -> None:
    found, data = table("fig5"), arrays("fig5")
    changed = found[found["metric"] == "largest change of a known pixel"].set_index("rule")["value"]
    assert changed.to_dict() == {"constant delta": 0, "noised, in rounds": 0}
    known = data["known"]
    assert known.sum() == 8 * 8 - 2 * 2 and not known[3:5, 3:5].any()
    assert data["true"].shape == (2, 1, 8, 8)
    for rule in changed.index:
        samples = data[rule]
        assert samples.shape == (2, 2, 1, 8, 8)
        assert np.array_equal(samples[..., known], np.broadcast_to(data["true"][..., known], samples[..., known].shape))
        assert not np.array_equal(samples[0][..., ~known], samples[1][..., ~known]), "two samples of one hole"


def test_figure_app_1_is_of_the_samples_and_of_the_test_set(arrays: Npz, layout: Layout) -> None:
    data, (drawn, digits) = arrays("fig_app1"), common.drawn_of(layout, "inks")
    close(data["samples"], drawn[:6] / 16)
    close(data["test"], digits.arrays["x_test"][:6] / 16)
    assert data["samples"].shape == (6, 1, 8, 8) and data["samples"].min() >= 0 and data["samples"].max() <= 1


def test_figure_d_1_is_read_off_the_network(layout: Layout) -> None:
    about = json.loads(layout.artifact("sohl2015", "fig_d1.stages.json").read_text())
    assert about["input"] == [3, 8, 8]
    shapes = {stage["name"]: stage["shape"] for stage in about["stages"]}
    assert shapes["image"] == [3, 8, 8]
    assert shapes["conv 1"] == [4, 8, 8]
    assert shapes["dense 1"] == [4]
    assert shapes["joined"] == [3 + 4 + 2, 8, 8]
    assert shapes["read-out"] == [6, 8, 8], "a mean and a variance of every colour"
    # 3 x 3 filters at two scales; two dense layers; two 1x1 convolutions of 20 units; the coefficients of ten bumps
    conv, dense, upper, readout = 2 * 3 * 4 * 9 + 4, (192 + 1) * 4 + (4 + 1) * 128, (9 + 1) * 20 + (20 + 1) * 20, 10 * (20 + 1) * 6
    assert about["parameters"] == conv + dense + upper + readout


# --- the report ---


def test_the_report_has_a_verdict_on_every_claim_and_every_artifact(layout: Layout) -> None:
    claims = pd.read_csv(layout.results / "claims.csv", keep_default_na=False).set_index("id")
    assert list(claims.index) == list(tables.published("sohl2015", "claims")["id"])
    verdicts = claims["verdict"].to_dict()
    assert verdicts["in-painting"] == "held" and verdicts["product"] == "not held" and verdicts["bound"] == "held"
    assert verdicts["heartbeat-samples"] == "not held", "20 steps teach nothing"
    assert verdicts["heartbeat"] == "not tested", "its period is not the paper's"
    artifacts = pd.read_csv(layout.results / "artifacts.csv", keep_default_na=False)
    ours = artifacts[artifacts["paper"] == "sohl2015"]
    assert set(ours["artifact"]) == set(MAKES["sohl2015"]) and set(ours["status"]) == {"made"}
    assert set(artifacts[artifacts["paper"] != "sohl2015"]["status"]) == {"not tested"}
    for row in ours.to_dict("records"):
        assert all(layout.artifact("sohl2015", name).is_file() for name in row["files"].split()) and row["files"]
    summary = (layout.results / "summary.md").read_text()
    for row in ours.to_dict("records"):
        assert f"](sohl2015/{row['artifact']}.png)" in summary or row["artifact"] in ("table1", "table2", "table_app1", "products")
    assert "(sohl2015/fig1.gif)" in summary
    assert "paper's: (ours)" not in summary


def test_every_measured_number_has_a_name_of_its_own_in_the_metrics(layout: Layout) -> None:
    metrics = json.loads((layout.results / "metrics.json").read_text())["sohl2015"]
    for path in layout.artifact("sohl2015", "").glob("*.csv"):
        found = pd.read_csv(path)
        if {"metric", "value"} <= set(found.columns):
            assert len(metrics[path.stem]) == found["value"].notna().sum(), path.stem


@pytest.fixture(scope="module", autouse=True)
def no_warning_is_left() -> Iterator[None]:
    """nan or a division by 0 in a table would be told by a warning of numpy's."""
    with np.errstate(invalid="raise", divide="raise"):
        yield
