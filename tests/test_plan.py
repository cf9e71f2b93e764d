"""`rediffuse plan`: how often jobs ask a network is what the plan counts, and what it says is arithmetic on that."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from tiny import rediffuse, refused
from torch import nn
from witness import cifar10

from rediffuse.config import InceptionFeatures, UNetOptions
from rediffuse.config.preset import Preset
from rediffuse.inception_weights import DATA
from rediffuse.networks.mlp import MLP
from rediffuse.networks.multiscale import MultiScale
from rediffuse.networks.rbf import NormalisedRBF
from rediffuse.networks.unet import UNet
from rediffuse.papers.makes import MAKES, asked, measurement
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.plan import rates, work
from rediffuse.plan.data import data_of
from rediffuse.plan.rates import Curve
from rediffuse.plan.schedule import Timed, critical_path, wall
from rediffuse.presets import load_preset

CPU = torch.device("cpu")


def in_tree(tiny_results: Callable[[str], Path], paper: str, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Of a tree in which all of a paper was made."""
    monkeypatch.chdir(tiny_results(paper))
    return Layout("tiny", load_preset(Path("tiny.yaml")))


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many data the networks of any run are given."""
    counted: Counter[str] = Counter()
    for kind in (UNet, NormalisedRBF, MLP, MultiScale):
        forward = kind.forward

        def counting(self: object, x: torch.Tensor, t: torch.Tensor, forward: Callable[..., torch.Tensor] = forward) -> torch.Tensor:
            counted["all"] += len(x)
            return forward(self, x, t)

        monkeypatch.setattr(kind, "forward", counting)
    return counted


MEASURED = [(paper, artifact) for paper, makes in MAKES.items() for artifact, each in makes.items() if each.measured]


@pytest.mark.parametrize(("paper", "artifact"), MEASURED)
def test_a_measurement_asks_networks_as_often_as_planned(
    paper: str,
    artifact: str,
    tiny_results: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    evaluated: Counter[str],
) -> None:
    layout = in_tree(tiny_results, paper, monkeypatch)
    monkeypatch.setattr("rediffuse.files.write_bytes", lambda *_: None)  # the tree is shared
    evaluated.clear()  # of what making it took
    measurement(paper, artifact)(layout, CPU)
    assert evaluated["all"] == sum(calls.images for calls in work.measurement(layout, paper, artifact))
    assert artifact in asked(layout, paper)


@pytest.mark.parametrize(("paper", "artifact"), [*work.FEATURES])
def test_a_measurement_asks_inception_for_as_many_images_as_planned(
    paper: str, artifact: str, tiny_results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted where a classifier of ours is asked in its place: the calls are the same."""
    layout = in_tree(tiny_results, paper, monkeypatch)
    monkeypatch.setattr("rediffuse.files.write_bytes", lambda *_: None)  # the tree is shared
    counted: Counter[str] = Counter()
    with nn.modules.module.register_module_forward_hook(
        lambda module, _, out: counted.update(all=len(out)) if isinstance(module, nn.Flatten) else None
    ):
        measurement(paper, artifact)(layout, CPU)
    asked = tiny.preset(
        tiny.ALONE[paper] | {"features.inception": {"kind": "inception"}, f"papers.{paper}.{artifact}.features": "inception"}
    )
    planned = work.measurement(replace(layout, preset=Preset.model_validate(asked)), paper, artifact)
    assert counted["all"] == sum(calls.images for calls in planned if calls.kind == "features")
    assert work.measurement(layout, paper, artifact) == [calls for calls in planned if calls.kind != "features"]


def test_kept_weights_have_no_likelihood_to_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    early = {"kind": "ancestral", "run": "digits", "step": 15, "n": 12, "chunk": 12}
    kept = {"runs.digits.training.keep": [15], "samples.early": early}
    counts = []
    for samples in (["plain"], ["plain", "early"]):
        path = tiny.write(tmp_path / "own.yaml", tiny.preset(kept | {"papers.ddpm.table1.samples": samples}))
        counts.append(work.measurement(Layout("own", load_preset(path)), "ddpm", "table1"))
    assert counts[0] == counts[1] != []


@pytest.mark.parametrize("name", ["plain", "sweep", "whole", "released"])
def test_a_shard_asks_its_network_as_often_as_planned(
    name: str, tiny_results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, evaluated: Counter[str]
) -> None:
    layout = in_tree(tiny_results, "ddim", monkeypatch)
    monkeypatch.setattr("rediffuse.sampling.write_arrays", lambda *_: None)
    from rediffuse.runs import load_run
    from rediffuse.sampling import sample

    samples = layout.preset.samples[name]
    evaluated.clear()
    loaded = load_run(layout.weights(samples.run), CPU, layout.preset.runs[samples.run])
    sample(samples, loaded, 0, CPU, Path("nowhere.npz"), lambda x: x, "")
    assert evaluated["all"] == sum(calls.images for calls in work.shard(layout, name, 0))


def test_flops_are_those_of_the_same_network_in_diffusers() -> None:
    layout = Layout("laptop", load_preset(Path(__file__).parents[1] / "config/laptop.yaml"))
    run = layout.preset.runs["digits"].model_copy(update={"network": UNetOptions(kind="unet")})
    about = replace(data_of(layout, "digits").about, shape=(3, 32, 32))
    assert rates.size_of(rates.build(run, about, CPU), (3, 32, 32), CPU) == rates.size_of(cifar10().eval(), (3, 32, 32), CPU)


def test_inceptions_images_have_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a plan that is measured, not only by FLOPs."""
    monkeypatch.setattr(rates, "ENOUGH", 0.01)
    options = InceptionFeatures(kind="inception")
    network = rates.build(options, DATA, CPU)
    size = rates.size_of(network, DATA.shape, CPU)
    assert (size.parameters, round(size.flops / 1e9, 1)) == (23_850_960, 11.4)
    ((images, seconds),) = rates.curve(options, DATA, network, "features", 50, CPU).points
    assert images == 1 and seconds > 0


def test_a_curve_is_its_points_and_lines_between_them_and_then_proportional() -> None:
    curve = Curve([(1, 2.0), (4, 5.0), (16, 8.0)])
    assert [curve.seconds(n) for n in (1, 4, 16)] == [2, 5, 8]
    assert curve.seconds(2) == pytest.approx(3)
    assert curve.seconds(32) == pytest.approx(16)
    assert curve.seconds(0.5) == 2


def test_a_curve_ends_at_the_batch_or_where_a_call_is_long() -> None:
    assert [n for n, _ in rates.measured(lambda n, _: 1e-3 * n, 100).points] == [1, 4, 16, 64, 100]
    assert rates.measured(lambda n, _: 0.1 * n, 100).points == [(1, 0.1), (4, 0.4)]


def test_data_are_known_before_they_are_prepared(
    tiny_results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for paper in ("sohl2015", "ddpm"):
        layout = in_tree(tiny_results, paper, monkeypatch)
        prepared = {name: data_of(layout, name) for name in layout.preset.datasets}
        monkeypatch.chdir(tmp_path)
        for name, found in prepared.items():
            planned = data_of(layout, name)
            assert planned.about.shape == found.about.shape and planned.test == found.test, name
            assert planned.about.continuous == found.about.continuous, name


def jobs(layout: Layout) -> list[Timed]:
    seconds = {"prepare": 1.0, "train": 10.0, "sample": 5.0}
    return [Timed(recipe, seconds.get(recipe.rule, 0.0)) for recipe in recipes.before_report(layout)]


def test_the_schedule_waits_for_what_a_job_reads() -> None:
    layout = Layout("laptop", load_preset(Path(__file__).parents[1] / "config/laptop.yaml"))
    timed = jobs(layout)
    longest, names = critical_path(timed)
    assert (longest, names[:3]) == (16.0, [names[0], names[1], names[2]])
    assert names[0].startswith("prepare-") and names[1].startswith("train-") and names[2].startswith("sample-")
    assert wall(timed, 10_000) == longest
    assert wall(timed, 1) == sum(each.seconds for each in timed)
    assert longest < wall(timed, 2) < wall(timed, 1)
    assert wall([each._replace(alone=True) for each in timed], 2) == wall(timed, 1)


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    tiny.write(tmp_path / "tiny.yaml", tiny.preset(tiny.ALONE["ddim"] | {"samples.plain.n": 16}))
    return "tiny.yaml"


def test_a_plan_for_another_machine_is_flops_over_its_rate(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = tiny.files(Path())
    assert rediffuse("plan", preset, "--rate", "2", "--price", "3", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert tiny.files(Path()) == before, "a plan writes nothing"
    rows = {row["job"]: row for row in plan["rows"]}
    digits = rows["train-digits"]
    assert (digits["steps"], digits["batch"], digits["images"], digits["done"]) == (20, 8, 160, False)
    assert digits["seconds"] == pytest.approx(digits["flops"] / 2e9)
    shard = rows["sample-digits-plain-1of2"]
    assert (shard["images"], shard["evaluations"], shard["disk"]) == (8, 48, 8 * 64)
    assert digits["flops"] / (3 * 160) == pytest.approx(shard["flops"] / 48)
    assert digits["disk"] == 4 * digits["parameters"]
    assert plan["work_hours"] == pytest.approx(sum(row["seconds"] for row in rows.values()) / 3600)
    assert plan["hours"] == pytest.approx(plan["work_hours"]), "one machine, one job after the other"
    assert plan["dollars"] == pytest.approx(3 * plan["hours"])


def test_what_is_done_is_said_and_not_counted(tiny_results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    in_tree(tiny_results, "ddim", monkeypatch)
    assert rediffuse("plan", "tiny.yaml", "--rate", "1", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["rows"] and all(row["done"] and row["measured"] is not None for row in plan["rows"])
    assert plan["work_hours"] == 0
    assert rediffuse("plan", "tiny.yaml", "--rate", "1") == 0
    text = capsys.readouterr().out
    assert f"{len(plan['rows'])} of these {len(plan['rows'])} jobs" in text
    assert "done; took: " in text and "planned: " in text
    assert plan["off_by"] is None and "check " not in text, "another machine's plan is not held against what was done on this one"


def test_lines_are_aligned_and_alike_rows_are_one(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rediffuse("plan", "--preset", preset, "--rate", "1") == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.startswith("samples"))
    rows = lines[lines.index(head) + 1 : lines.index("", lines.index(head))]
    assert any("and 1 more, each" in row for row in rows), "the two shards of plain are alike"
    assert all(row[head.index("images") + 6] == " " and row[head.index("images") + 5].isdigit() for row in rows)


def test_a_plan_measures_this_machine(preset: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "ENOUGH", 0.01)
    monkeypatch.setattr(rates, "BRIEFLY", 0.001)
    assert rediffuse("plan", preset, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert all(row["seconds"] > 0 for row in plan["rows"])
    assert plan["start"] > 0 and plan["hours"] * 3600 > plan["start"]
    assert plan["hours"] >= plan["chain_hours"]


@pytest.mark.parametrize(("option", "value"), [("--rate", "0"), ("--rate", "inf"), ("--price", "-1"), ("--price", "nan")])
def test_numbers_that_are_none_are_refused(preset: str, option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "plan", preset, option, value)
    assert option in line and "expected a number above 0" in line


def test_the_papers_budgets_are_flops_over_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert rediffuse("plan", "--published", "--rate", "50000", "--price", "2", "--json") == 0
    rows = {row["data"]: row for row in json.loads(capsys.readouterr().out)}
    cifar, hq, bedroom = (rows[name] for name in ("CIFAR-10", "CelebA-HQ", "LSUN Bedroom"))
    assert (cifar["parameters"], hq["parameters"]) == (35_746_307, 113_673_219)
    assert cifar["train_hours"] == pytest.approx(3 * cifar["flops"] * 800_000 * 128 / 50e12 / 3600)
    assert cifar["sample_hours"]["50"] == pytest.approx(cifar["flops"] * 50_000 * 50 / 50e12 / 3600)
    assert bedroom["train_hours"] == pytest.approx(hq["train_hours"] * 2.4 / 0.5)
    assert cifar["dollars"] == pytest.approx(2 * cifar["train_hours"])


def test_the_papers_budgets_are_no_presets(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected one of the two" in refused(capsys, "plan", preset, "--published")


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar10-published", "smoke"])
def test_shipped_presets_have_plans(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert rediffuse("plan", str(Path(__file__).parents[1] / f"config/{name}.yaml"), "--rate", "10000", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["hours"] > 0 and all(row["flops"] > 0 for row in plan["rows"])
    assert any(row["kind"] == "train" for row in plan["rows"]) == (name != "cifar10-published"), "imported weights cost no training"
