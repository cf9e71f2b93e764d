"""The whole smoke preset on a SLURM of two virtual nodes, one of its trainings in two processes over both, as on one machine."""

import json
import re
import tempfile
from pathlib import Path

import psutil
import pytest
import slurm
from pipeline import RESULTS, jobs, snakemake, sources

from rediffuse.presets import load_preset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(bool(slurm.missing()), reason=f"SLURM: {slurm.missing()}"),
]
SHARED = "heartbeat-paper"
"""The run that is trained over two nodes, whose numbers no other run depends on."""
DAEMONS = {"munged", "slurmctld", "slurmd", "slurmstepd"}


def daemons() -> set[int]:
    return {process.pid for process in psutil.process_iter(["name"]) if process.info["name"] in DAEMONS}


def for_shared(value: str, otherwise: str) -> str:
    return f"{value} if wildcards.run == '{SHARED}' else {otherwise}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The sources in which a cluster made the smoke preset, and what the cluster says of its jobs."""
    folder = sources(tmp_path_factory.mktemp("slurm") / "rediffuse")
    before = (daemons(), sorted(slurm.CONFIG.glob("*.conf")))
    shared = {"processes": ("2", "1"), "nodes": ("2", "1"), "tasks": ("2", "1"), "gpu": ("2", "1"), "mpi": ("'srun'", "''")}
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, slurm.cluster(Path(name)):
        snakemake(
            folder,
            *("--profile", "profiles/slurm", "--default-resources", "slurm_partition=main", "--retries", "0", "--latency-wait", "5"),
            *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "3"),
            *("--resources", "gpu=2", "mem_mb=16000", "in_turn=1"),
            # A measurement of time is alone on its node, but two nodes are one machine here.
            *("--set-threads", "ddim_measure_fig4=1"),
            *("--set-resources", *[f"train:{key}={for_shared(*values)}" for key, values in shared.items()], "train:tasks_per_gpu=0"),
        )
        said = slurm.ask("scontrol", "show", "job", "--oneliner")
    assert (daemons(), sorted(slurm.CONFIG.glob("*.conf"))) == before, "nothing is left of the cluster"
    return folder, said


def test_the_cluster_did_the_work_and_one_training_over_both_nodes(made: tuple[Path, str]) -> None:
    folder, said = made
    lines = said.splitlines()
    assert all("JobState=COMPLETED" in line for line in lines)
    (shared,) = [line for line in lines if "NodeList=n[1-2]" in line]
    assert re.search(r"NumNodes=2\b", shared) and f"rule_train_wildcards_{SHARED}" in shared
    assert all(any(f"NodeList={node} " in line for line in lines) for node in slurm.NODES)
    records = {path.parent.name: json.loads(path.read_text()) for path in (folder / RESULTS / "runs").glob("*/record.json")}
    preset = load_preset(folder / "config/smoke.yaml")
    assert set(records) == set(preset.runs | preset.features)
    assert {name for name, record in records.items() if record.get("processes", 1) != 1} == {SHARED}
    # Jobs of many: the 12 cells of Table 2, 20 sets of samples and 31 measurements took a few submissions.
    assert len(lines) < 25


def metrics(tree: Path, shared: bool) -> dict[str, float]:
    """Of the run that was trained over two nodes, or of all others."""
    papers = json.loads((tree / RESULTS / "metrics.json").read_text())
    tables = {f"{paper} {name}": table for paper, named in papers.items() for name, table in named.items()}
    every = {f"{name} {key}": value for name, table in tables.items() for key, value in table.items()}
    return {name: value for name, value in every.items() if (SHARED in name) == shared}


def test_what_it_made_is_what_one_machine_makes(made: tuple[Path, str], smoke_tree: Path) -> None:
    """To the last bit; of what two processes trained, to the order of sums."""
    folder, _ = made
    for path in sorted((smoke_tree / RESULTS / "runs").glob("*/weights.safetensors")):
        if path.parent.name != SHARED:
            assert (folder / path.relative_to(smoke_tree)).read_bytes() == path.read_bytes(), path.parent.name
    assert metrics(folder, shared=False) == metrics(smoke_tree, shared=False)
    assert metrics(folder, shared=True) == pytest.approx(metrics(smoke_tree, shared=True), rel=1e-5)
    assert metrics(folder, shared=True) and len(metrics(folder, shared=False)) > 100


def test_nothing_of_it_is_made_again_without_a_cluster(made: tuple[Path, str]) -> None:
    """Processes, nodes and profiles are part of no hash."""
    folder, _ = made
    assert jobs(folder) == set()
