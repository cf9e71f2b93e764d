"""The presets of the papers' own data: what their networks are, and that every one of their rules runs, on made-up images and few steps."""

from pathlib import Path
from typing import Any

import inception
import numpy as np
import pytest
import tiny
from ruamel.yaml import YAML

from rediffuse.build import build_network
from rediffuse.datasets import downloads
from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.presets import SHIPPED, load_preset

T = 20
LESS = {"n": 12, "strata": 4, "draws": 10, "rows": 4, "columns": 4, "centres": 20, "validation": 10, "kmeans": 5, "repeats": 1}
NETWORKS = {"unet": tiny.UNET, "multi-scale": tiny.CONV | {"dense_units": 4, "dense_layers": 1}}


def test_the_cifar10_preset_is_the_published_setting() -> None:
    preset = load_preset(SHIPPED / "cifar10.yaml")
    run = preset.runs["cifar10"]
    assert sum(p.numel() for p in build_network(run, (3, 32, 32)).parameters()) == 35_746_307
    told = run.training.model_dump()
    published = {
        "steps": 800_000,
        "batch": 128,
        "lr": 2e-4,
        "warmup": 5000,
        "decay": "none",
        "ema_decay": 0.9999,
        "clip": 1.0,
        "flip": True,
    }
    assert told == published | {"seed": 0}
    assert (run.process.T, run.predicts, run.variance, run.objective) == (1000, "eps", "fixed-large", "simple")
    assert (run.network.dropout, run.network.attention) == (0.1, [16])
    assert {samples.n for samples in preset.samples.values()} == {50_000}
    sweeps = [samples for samples in preset.samples.values() if samples.kind == "ddim"]
    assert sorted(S for samples in sweeps for S in samples.steps) == [10, 20, 50, 100, 1000]
    assert {samples.tau for samples in sweeps} == {"quadratic"}


def test_the_cifar10_presets_distances_are_the_published_protocols() -> None:
    """Every distance and score is on Inception's features; those beside a published number are of 50,000 samples."""
    preset = load_preset(SHIPPED / "cifar10.yaml")
    ddpm, ddim = preset.papers.ddpm, preset.papers.ddim
    assert ddpm and ddim and {*preset.features} == {"inception"}
    assert ddpm.table1 and ddpm.conventions and ddim.table1 and ddim.frontier and ddpm.table2 is None
    objectives = {preset.runs[preset.samples[name].run].objective for name in ddpm.table1.samples}
    assert (objectives, ddpm.conventions.draws) == ({"simple", "bound"}, 50_000)
    simple, bound = (preset.runs[name].model_dump() for name in ("cifar10", "cifar10-bound"))
    assert bound == simple | {"objective": "bound"}


def test_the_mnist_preset_scores_as_many_samples_as_training_images() -> None:
    preset = load_preset(SHIPPED / "mnist.yaml")
    assert preset.papers.sohl2015
    table = preset.papers.sohl2015.table2
    assert table and table.centres == 10_000
    assert {preset.samples[name].n for name in (table.digits, *table.also)} == {10_000}
    assert all(data.is_whole and data.size == 32 for data in preset.datasets.values())


# --- every rule of theirs, on little ---


def shrunk(name: str) -> dict[str, Any]:
    """A shipped preset with the same rules: few made-up images, short chains, tiny networks."""
    raw = YAML(typ="safe", pure=True).load((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"))
    raw["datasets"] = {f"few-{key}": data | {"train": 60, "test": 20} for key, data in raw["datasets"].items()}
    papers = raw["papers"]
    classifiers = [block for block in raw["features"].values() if "training" in block]
    for block in [*raw["runs"].values(), *classifiers, *filter(None, [papers["ddpm"].get("table2")])]:
        block["dataset"] = f"few-{block['dataset']}"
        block["training"] = block["training"] | {"steps": 10, "batch": 4, "ema_decay": 0.5}
        if "process" in block:
            block["process"] = block["process"] | {"T": T}
            block["network"] = NETWORKS[block["network"]["kind"]]
        if "width" in block:
            block["width"] = 1
    for samples in raw["samples"].values():
        samples |= {"n": 40, "chunk": 20, "shards": 2} | ({"steps": shorter(samples["steps"])} if "steps" in samples else {})
    for artifact, block in [each for blocks in papers.values() for each in blocks.items()]:
        block |= {key: value for key, value in LESS.items() if key in block}
        block |= {key: shorter(block[key]) for key in ("steps", "t") if key in block}
        block |= {"times": 4} if artifact == "fig10" else {}
    return raw


def shorter(steps: Any) -> Any:
    """Of a chain of T steps what these are of 1000."""
    each = [max(1, S * T // 1000) for S in (steps if isinstance(steps, list) else [steps])]
    return [*dict.fromkeys(each)] if isinstance(steps, list) else each[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_every_rule_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(options: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        generator, channels = np.random.default_rng(0), 3 if options.kind == "cifar10" else 1
        arrays = {}
        for split, n in (("train", options.train), ("test", options.test)):
            arrays[f"x_{split}"] = generator.integers(0, 256, (n, channels, options.size, options.size), dtype=np.uint8)
            arrays[f"y_{split}"] = (np.arange(n) % 10).astype(np.uint8)
        return arrays, {}

    monkeypatch.setattr(downloads, "arrays", made_up)
    monkeypatch.chdir(tmp_path)
    if name == "cifar10":
        inception.made_up(monkeypatch)
        inception.narrow(monkeypatch)
    path = tiny.write(tmp_path / "few.yaml", shrunk(name))
    layout = Layout("few", load_preset(path))
    preset = layout.preset
    commands = [f"prepare {data}" for data in preset.datasets] + [f"train {run}" for run in preset.runs | preset.features]
    commands += [f"sample {key} --shard {k + 1}" for key, samples in preset.samples.items() for k in range(samples.shards)]
    for paper in layout.papers:
        makes = {artifact: MAKES[paper][artifact] for artifact in asked(layout, paper)}
        commands += [f"measure {paper} {artifact}" for artifact, each in makes.items() if each.measured]
        commands += [f"table {paper} {artifact}" for artifact, each in makes.items() if each.is_table]
        commands += [f"figure {paper} {artifact}" for artifact, each in makes.items() if each.drawn]
        commands.append(f"claims {paper}")
    for command in [*commands, "report"]:
        assert tiny.rediffuse(*command.split(), "--preset", "few.yaml") == 0, command
    if name == "cifar10":
        table = (tmp_path / "results/few/ddpm/table1.md").read_text(encoding="utf-8")
        assert "Inception's features" in table and "The scales differ" in table, "n is not the published one"
    assert "few-" in (tmp_path / "results/few/summary.md").read_text(encoding="utf-8")
