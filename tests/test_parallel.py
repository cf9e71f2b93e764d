"""Training in several processes: what one would train, whatever of it is killed."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import preset, rediffuse, refused, write

from rediffuse import parallel
from rediffuse.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
CHANGES = {
    "runs.rates.training": {"steps": 1210, "batch": 8, "lr": 1e-3, "ema_decay": 0.99},
    "runs.digits.network.dropout": 0.2,
    "runs.digits.training": {"steps": 120, "batch": 8, "lr": 1e-3, "warmup": 50, "decay": "cosine", "ema_decay": 0.9},
}


def started(n: int, *arguments: str) -> subprocess.Popen[str]:
    """n processes of what is given to Python, by torchrun, in this folder."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def torchrun(n: int, *arguments: str, status: int = 0) -> str:
    process = started(n, *arguments)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == status, output[-4000:]
    return output


def train(run: str) -> tuple[str, ...]:
    return ("-m", "rediffuse.cli", "train", run, "--preset", "tiny.yaml")


def losses(run: str) -> list[float]:
    with Path(f"results/tiny/runs/{run}/history.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(f"results/tiny/runs/{run}/weights.safetensors")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with prepared data and the preset tiny.yaml, which is where the test runs."""
    monkeypatch.chdir(tmp_path)
    write(Path("tiny.yaml"), preset(CHANGES))
    for data in ("digits", "roll"):
        assert rediffuse("prepare", data, "--preset", "tiny.yaml") == 0


# --- alone ---


def test_a_process_by_itself_is_the_first_of_one_and_has_the_whole_batch() -> None:
    with parallel.group():
        assert (parallel.rank(), parallel.size(), parallel.here()) == (0, 1, (0, 1))
        assert parallel.share(7, "train") == slice(0, 7)
        assert parallel.gather(2.5) == [2.5]
        module = torch.nn.Linear(1, 1)
        assert parallel.averaging(module, torch.device("cpu")) is module


def test_copies_of_one_process_are_refused(monkeypatch: pytest.MonkeyPatch, prepared: None, capsys: pytest.CaptureFixture[str]) -> None:
    """`srun -n 2 rediffuse train` would train twice and write the same files."""
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    line = refused(capsys, "train", "digits", "--preset", "tiny.yaml")
    assert line == "found 2 copies of this process (SLURM_STEP_NUM_TASKS); expected one, or torchrun to start them"


@pytest.mark.parametrize(("batch", "parts"), [(8, [slice(0, 4), slice(4, 8)]), (7, None)])
def test_a_batch_is_cut_evenly_or_refused(monkeypatch: pytest.MonkeyPatch, batch: int, parts: list[slice] | None) -> None:
    monkeypatch.setattr(parallel, "size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        if parts:
            assert parallel.share(batch, "train x") == parts[rank]
        else:
            with pytest.raises(UserError, match="train x: found a batch of 7 for 2 processes; expected one that they divide"):
                parallel.share(batch, "train x")


# --- together ---

pytestmark = pytest.mark.timeout(300)


@pytest.mark.slow
def test_two_processes_train_what_one_does(prepared: None) -> None:
    """Rates that are learned beside the network included: their gradient is not the network's forward pass's."""
    assert rediffuse("train", "rates", "--preset", "tiny.yaml") == 0
    one, of_one = losses("rates"), weights("rates")
    shutil.rmtree("results/tiny/runs/rates")
    output = torchrun(2, *train("rates"))
    assert "train rates: 2 processes, each with 4 of a batch of 8\n" in output
    assert output.count("train rates: 1210/1210") == 1, "one of them tells of the progress"
    assert losses("rates") == pytest.approx(one, abs=1e-4)
    assert len(one) == 403 and max(one) - min(one) > 1
    for name, tensor in weights("rates").items():
        torch.testing.assert_close(tensor, of_one[name], rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in Path("results/tiny/runs").rglob("*") if path.is_file()) == [
        "history.csv",
        "record.json",
        "weights.safetensors",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("run", "steps"), [("rates", 1210), ("digits", 120)])
def test_two_processes_that_were_stopped_go_on_to_the_same_bits(prepared: None, run: str, steps: int) -> None:
    """Between two rows of the history, of which there is one for every third of 1210 steps; the other has dropout."""
    torchrun(2, *train(run))
    of_both, both = losses(run), weights(run)
    shutil.rmtree(f"results/tiny/runs/{run}")
    process = started(2, *train(run))
    assert "2 processes" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    said = rf"rediffuse: train {run}: saved at step (\d+) of {steps}, stopped by SIGTERM; the same command again goes on"
    (step,) = re.findall(said, output)
    assert int(step) < steps and int(step) % 10 == 0
    assert process.returncode != 0
    assert not Path(f"results/tiny/runs/{run}").exists()
    shutil.copytree("results/tiny/.state", "state")

    torchrun(2, *train(run))
    assert losses(run) == of_both
    assert all(torch.equal(tensor, both[name]) for name, tensor in weights(run).items())
    assert not list(Path("results/tiny/.state").glob("*.pt"))

    if run == "rates":  # without dropout one process goes on with what two began
        shutil.copytree("state", "results/tiny/.state", dirs_exist_ok=True)
        assert rediffuse("train", run, "--preset", "tiny.yaml") == 0
        assert losses(run)[: int(step) // 3] == of_both[: int(step) // 3]
        assert losses(run) == pytest.approx(of_both, abs=1e-4)


@pytest.mark.slow
def test_a_batch_that_the_processes_do_not_divide_is_one_line(prepared: None) -> None:
    output = torchrun(3, *train("digits"), status=1)
    lines = [line for line in output.splitlines() if line.startswith("rediffuse: ")]
    assert lines == ["rediffuse: train digits: found a batch of 8 for 3 processes; expected one that they divide"]
    assert not Path("results/tiny/runs").exists()


@pytest.mark.slow
def test_the_failure_of_one_process_ends_all_and_is_shown(prepared: None) -> None:
    Path("fails.py").write_text(
        "from rediffuse import parallel\n"
        "with parallel.group():\n"
        "    if parallel.rank() == 1:\n"
        "        raise OSError('of one process alone')\n"
        "    parallel.gather(0)\n"
    )
    assert "OSError: of one process alone" in torchrun(2, "fails.py", status=1)
