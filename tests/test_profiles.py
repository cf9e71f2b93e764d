"""The profiles name rules that exist, count what is there, and change what a job asks for without changing what it computes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yte

ROOT = Path(__file__).resolve().parents[1]
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())


def content(profile: str) -> dict[str, Any]:
    path = ROOT / "profiles" / profile / "config.yaml"
    with path.open() as file:
        parsed: dict[str, Any] = yte.process_yaml(file, require_use_yte=True)
    return parsed


def snakemake(*arguments: str, **changes: str) -> str:
    """What a Snakemake of the smoke preset says that makes nothing; it finds the sources that are tested."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"} | changes
    command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(ROOT / "Snakefile"), "--config", "preset=smoke"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(folder: Path, *arguments: str) -> list[str]:
    """The command of a training that would run in an empty folder."""
    target = "results/smoke/runs/digits/weights.safetensors"
    shown = snakemake(target, "--directory", str(folder), "--dry-run", "--printshellcmds", *arguments)
    return re.findall(r"^ *Shell command: (.* train .*)$", shown, re.MULTILINE)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_and_group_that_a_profile_names_exists(profile: str) -> None:
    rules = set(snakemake("--list-rules", "--profile", str(ROOT / "profiles" / profile)).split())
    assert {"train", "train_cell", "sample"} < rules
    named = content(profile)
    for key in ("groups", "set-resources", "set-threads"):
        assert set(named.get(key, {})) <= rules
    assert set(named.get("group-components", {})) == set(named.get("groups", {}).values())


def test_all_measurements_share_submissions_but_those_of_time() -> None:
    rules = set(snakemake("--list-rules").split())
    grouped = set(content("slurm")["groups"])
    assert {rule for rule in rules if "_measure_" in rule} - grouped == {"ddim_measure_fig4"}


def test_the_profile_for_gpus_counts_those_that_cuda_would_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\nfor i in 0 1 2; do echo "GPU $i: NVIDIA A100 (UUID: GPU-$i)"; done\n')
    program.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    before = os.environ["PATH"]
    monkeypatch.setenv("PATH", "")
    assert content("gpu")["resources"] == {"gpu": 0}
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{before}")
    assert content("gpu")["resources"] == {"gpu": 3}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert content("gpu")["resources"] == {"gpu": 2}


def test_a_training_is_a_plain_command_until_a_profile_gives_it_processes(tmp_path: Path) -> None:
    to = " train digits > results/smoke/logs/train-digits.log 2>&1"
    (plain,) = commands(tmp_path)
    assert plain == "rediffuse" + to
    (local,) = commands(tmp_path, "--cores", "4", "--set-resources", "train:processes=2", "--set-threads", "train=4")
    assert local == "OMP_NUM_THREADS=2 torchrun --standalone --nproc-per-node 2 -m rediffuse.cli" + to
    (over_nodes,) = commands(tmp_path, "--cores", "4", "--set-resources", "train:processes=6", "train:nodes=3", "--set-threads", "train=4")
    assert over_nodes == (
        "OMP_NUM_THREADS=2 srun --nodes 3 --ntasks 3 --cpus-per-task 4 --kill-on-bad-exit=1 torchrun --nnodes 3 --rdzv-backend c10d "
        "--rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 10000)) --nproc-per-node 2 -m rediffuse.cli" + to
    )


@pytest.mark.parametrize("arguments", [["--config", "gpu=2"], ["--config", "gpu=none"]])
def test_a_gpu_that_is_neither_asked_for_nor_not_is_one_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "-n", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("rediffuse: ")]
    assert line.startswith("rediffuse: --config gpu: found ") and line.endswith("; expected 1, or 0")
