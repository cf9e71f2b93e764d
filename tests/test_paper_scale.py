"""The presets of the papers' own data: what their networks are, and that every one of their rules runs, on made-up images and few steps."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import inception
import numpy as np
import pytest
import tiny
from ruamel.yaml import YAML
from safetensors.torch import save_file
from torch import Tensor

from rediffuse.build import build_network
from rediffuse.datasets import cifar10, mnist
from rediffuse.datasets.kinds import Read
from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.presets import SHIPPED, load_preset
from rediffuse.published_weights import names_in_diffusers

T = 20
KEPT = 100_000
"""Steps of the published training for one of these."""
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
    assert told == published | {"keep": [600_000, 700_000], "seed": 0}
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
    kept = simple["training"].pop("keep"), bound["training"].pop("keep")
    assert bound == simple | {"objective": "bound"} and kept == ([600_000, 700_000], [])


def test_the_preset_of_published_weights_has_the_network_and_the_samples_of_the_one_that_trains() -> None:
    ours, published = (load_preset(SHIPPED / f"{name}.yaml") for name in ("cifar10", "cifar10-published"))
    run = published.runs["cifar10"]
    assert run.reuse and run.reuse.weights == "google/ddpm-cifar10-32"
    trained = ours.runs["cifar10"]
    assert run.model_copy(update={"reuse": None}) == trained.model_copy(update={"training": run.training})
    assert run.training.model_copy(update={"keep": [600_000, 700_000]}) == trained.training
    of_last = {name for name, samples in ours.samples.items() if samples.run == "cifar10" and samples.step is None}
    assert published.samples == {name: ours.samples[name] for name in of_last}
    assert published.papers.ddim == ours.papers.ddim


def test_the_mnist_preset_scores_as_many_samples_as_training_images() -> None:
    preset = load_preset(SHIPPED / "mnist.yaml")
    assert preset.papers.sohl2015
    table = preset.papers.sohl2015.table2
    assert table and table.centres == 10_000
    assert {preset.samples[name].n for name in (table.digits, *table.also)} == {10_000}
    assert all(data.is_whole and data.size == 32 for data in preset.datasets.values())


# --- the other data of the papers, which no shipped preset has ---

OTHERS = {
    "celeba": ({"kind": "celeba"}, 64, [1, 2, 2, 2, 4], 78_700_803),
    "bedroom": ({"kind": "lsun", "category": "bedroom", "train": 10000}, 256, [1, 1, 2, 2, 4, 4], 113_673_219),
    "church": ({"kind": "lsun", "category": "church_outdoor", "train": 10000}, 256, [1, 1, 2, 2, 4, 4], 113_673_219),
    "cat": ({"kind": "lsun", "category": "cat", "train": 10000}, 256, [1, 1, 2, 2, 4, 4], 113_673_219),
}
"""Data, their size, and the U-Net that the papers train on them: CelebA's is DDIM's, of five resolutions, LSUN's is DDPM's."""


def other(name: str, base_channels: int) -> dict[str, Any]:
    """A preset of one of them: a run, samples, and what needs no classifier."""
    data, _, multipliers, _ = OTHERS[name]
    run = {
        "dataset": name,
        "process": {"kind": "gaussian", "T": 1000, "schedule": {"kind": "linear", "beta_1": 1e-4, "beta_T": 0.02}},
        "network": {"kind": "unet", "base_channels": base_channels, "multipliers": multipliers, "attention": [16], "dropout": 0.0},
        "predicts": "eps",
        "variance": "fixed-small",
        "objective": "simple",
        "training": {"steps": 1000000, "batch": 64, "lr": 2e-5, "warmup": 5000, "ema_decay": 0.9999},
    }
    samples = {"kind": "ddim", "run": name, "steps": [10, 100], "eta": [0, 1], "tau": "linear", "n": 64, "chunk": 32}
    return {
        "datasets": {name: data},
        "runs": {name: run},
        "samples": {"drawn": samples, "ancestral": {"kind": "ancestral", "run": name, "n": 16, "chunk": 16}},
        "papers": {
            "ddpm": {"fig1": {"samples": "ancestral", "rows": 4, "columns": 4}, "table4": {"runs": [name], "n": 200}},
            "ddim": {"table2": {"run": name, "steps": [10, 20], "n": 200}, "fig6": {"run": name, "steps": 10}},
        },
    }


@pytest.mark.parametrize("name", ["celeba", "bedroom"])
def test_networks_of_other_data_are_as_large_as_published(name: str, tmp_path: Path) -> None:
    """113,673,219 is the CelebA-HQ network's too (`rediffuse plan --published`): 114 million in DDPM's Appendix B."""
    _, size, _, parameters = OTHERS[name]
    run = load_preset(tiny.write(tmp_path / "own.yaml", other(name, 128))).runs[name]
    assert sum(p.numel() for p in build_network(run, (3, size, size)).parameters()) == parameters


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_have_plans_before_they_are_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = load_preset(tiny.write(Path("own.yaml"), other(name, 32))).runs[name]
    assert tiny.rediffuse("plan", "own.yaml", "--rate", "10000", "--json") == 0
    rows = {row["job"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    size = OTHERS[name][1]
    assert rows[f"train-{name}"]["parameters"] == sum(p.numel() for p in build_network(run, (3, size, size)).parameters())
    assert rows[f"sample-{name}-drawn-1of1"]["disk"] == 4 * 64 * 3 * size**2
    assert all(row["flops"] > 0 for row in rows.values())
    assert rows["ddpm-measure-table4"]["evaluations"] == 200 * 1000


def test_snakemake_keeps_weights_and_takes_inceptions_by_rules_of_their_own(tmp_path: Path) -> None:
    changes = {"runs.digits.training.keep": [15], "features.inception": {"kind": "inception"}, "papers.ddpm.fig10.features": "inception"}
    early = {"kind": "ancestral", "run": "digits", "step": 15, "n": 12, "chunk": 12}
    path = tiny.write(tmp_path / "own.yaml", tiny.preset(changes | {"samples.early": early}))
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--cores", "1", "-s", SHIPPED.parent / "Snakefile", "--printshellcmds"]
    done = subprocess.run([*command, "--config", f"preset={path}"], capture_output=True, text=True, cwd=tmp_path, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", said, re.MULTILINE))
    assert (jobs["train_keeping"], jobs["take_features"]) == ("1", "1")
    kept = re.search(r"rule train_keeping:.*?(?=\n\n)", said, re.DOTALL) or re.search(r"Train digits\n(?:.*\n)*?\n", said)
    assert kept and "train digits" in kept[0].lower()


@pytest.mark.parametrize("name", ["celeba", "cat"])
def test_snakemake_knows_the_jobs_of_other_data(name: str, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "own.yaml", other(name, 128))
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--cores", "1", "-s", SHIPPED.parent / "Snakefile"]
    done = subprocess.run([*command, "--config", f"preset={path}"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert (jobs["prepare"], jobs["train"], jobs["sample"]) == ("1", "1", "2")
    assert {"ddpm_measure_table4", "ddim_measure_table2", "ddim_draw_fig6", "site"} <= jobs.keys()
    assert f"data/{name}-" in done.stdout + done.stderr


# --- every rule of theirs, on little ---


def shrunk(name: str) -> dict[str, Any]:
    """A shipped preset with the same rules: few made-up images, short chains, tiny networks."""
    raw = YAML(typ="safe", pure=True).load((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"))
    raw["datasets"] = {f"few-{key}": data | {"train": 60, "test": 20} for key, data in raw["datasets"].items()}
    papers = raw["papers"]
    classifiers = [block for block in raw.get("features", {}).values() if "training" in block]
    for block in [*raw["runs"].values(), *classifiers, *filter(None, [papers.get("ddpm", {}).get("table2")])]:
        block["dataset"] = f"few-{block['dataset']}"
        kept = [step // KEPT for step in block["training"].get("keep", [])]
        block["training"] = block["training"] | {"steps": 10, "batch": 4, "ema_decay": 0.5} | ({"keep": kept} if kept else {})
        if "process" in block:
            block["process"] = block["process"] | {"T": T}
            block["network"] = NETWORKS[block["network"]["kind"]]
        if "reuse" in block:
            block["reuse"] = {"weights": "few.safetensors"}
        if "width" in block:
            block["width"] = 1
    for samples in raw["samples"].values():
        samples |= {"step": samples["step"] // KEPT} if "step" in samples else {}
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


def published(weights: dict[str, Tensor], path: Path) -> None:
    """A tiny U-Net's weights in diffusers' layout, whose attention has matrices."""
    names = names_in_diffusers(weights, levels=1, res_blocks=1)
    save_file({names[name]: each[..., 0, 0] if ".attention." in name and each.ndim == 4 else each for name, each in weights.items()}, path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar10-published"])
def test_every_rule_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(options: Any) -> Read:
        generator, channels = np.random.default_rng(0), 3 if options.kind == "cifar10" else 1
        arrays = {}
        for split, n in (("train", options.train), ("test", options.test)):
            arrays[f"x_{split}"] = generator.integers(0, 256, (n, channels, options.size, options.size), dtype=np.uint8)
            arrays[f"y_{split}"] = (np.arange(n) % 10).astype(np.uint8)
        return Read(arrays, "made up", 256, 10)

    for kind in (mnist, cifar10):
        monkeypatch.setattr(kind, "read", made_up)
    monkeypatch.chdir(tmp_path)
    if name.startswith("cifar10"):
        inception.made_up(monkeypatch)
        inception.narrow(monkeypatch)
    path = tiny.write(tmp_path / "few.yaml", shrunk(name))
    layout = Layout("few", load_preset(path))
    preset = layout.preset
    if name == "cifar10-published":
        published(build_network(preset.runs["cifar10"], (3, 32, 32)).state_dict(), Path("few.safetensors"))
    commands = [f"prepare {data}" for data in preset.datasets]
    commands += [recipes.train(layout, run).command for run in preset.runs | preset.features]
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
        assert all(f"step {step}" in table for step in (6, 7, 10)) and table.count(", the best") == 1
        assert "Inception's features" in table and "The scales differ" in table, "n is not the published one"
    assert "few-" in (tmp_path / "results/few/summary.md").read_text(encoding="utf-8")
