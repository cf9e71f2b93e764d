"""What docs/sharing.md says of DVC: over SSH, eight calls at once, experiments, differences, and an old checkpoint back."""

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pipeline import RESULTS, commit, copied, environment, git, record, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WEIGHTS = RESULTS / "runs/swiss-roll/weights.safetensors"


class Recorded(NamedTuple):
    """A copy of the finished smoke preset, recorded and pushed to a folder."""

    folder: Path
    stages: list[str]


@pytest.fixture(scope="module")
def recorded(smoke_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    base = tmp_path_factory.mktemp("sharing")
    folder = copied(smoke_tree, base / "rediffuse")
    stages = record(folder)
    run(folder, "dvc", "remote", "add", "--default", "store", str(base / "store"))
    commit(folder, "recorded")
    run(folder, "dvc", "push")
    return Recorded(folder, stages)


@pytest.fixture
def clone(recorded: Recorded, tmp_path: Path) -> Path:
    """A clone that has pulled nothing."""
    git(tmp_path, "clone", "--quiet", str(recorded.folder), str(tmp_path / "clone"))
    return tmp_path / "clone"


def weights(folder: Path) -> dict[str, bytes]:
    found = {path.parent.name: path.read_bytes() for path in (folder / RESULTS / "runs").glob("*/weights.safetensors")}
    assert len(found) > 9
    return found


# --- a remote over SSH ---


class Server(NamedTuple):
    port: int
    keyfile: Path
    folder: Path


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real sshd on the loopback, with keys, a port and a configuration of its own, that lets in whoever runs the tests."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if server is None:
        pytest.skip("no sshd here (Debian: openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "key.pub",
        "PidFile": folder / "pid",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    separated = Path("/run/sshd")  # what Debian's service makes before it starts the same program
    ours = os.geteuid() == 0 and not separated.exists()
    if ours:
        separated.mkdir(mode=0o755)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([server, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield Server(port, folder / "key", folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if ours:
            separated.rmdir()


def test_push_and_pull_over_ssh(recorded: Recorded, clone: Path, sshd: Server) -> None:
    store = f"ssh://127.0.0.1:{sshd.port}{sshd.folder}/store"
    for folder in (recorded.folder, clone):
        for setting in (
            ["add", "near", store],
            ["modify", "near", "user", getpass.getuser()],
            ["modify", "near", "keyfile", str(sshd.keyfile)],
        ):
            run(folder, "dvc", "remote", setting[0], "--local", *setting[1:])
    assert re.search(r"\d+ files? pushed", run(recorded.folder, "dvc", "--wait-for-lock", "push", "--remote", "near"))
    assert "up to date" in run(recorded.folder, "dvc", "push", "--remote", "near")
    run(clone, "dvc", "--wait-for-lock", "pull", "--remote", "near")
    assert weights(clone) == weights(recorded.folder)
    assert "up to date" in run(clone, "dvc", "status")
    assert not git(clone, "status", "--porcelain"), "the key's path stays out of git"
    assert (sshd.folder / "log").read_text().count("Accepted publickey") >= 3


# --- many calls at once ---


def at_once(folder: Path, commands: list[list[str]]) -> list[str]:
    """What commands say that are started together; all of them must succeed."""
    processes = [
        subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(commands), "\n".join(said)[-4000:]
    return said


def test_eight_calls_at_once_wait_for_each_other(recorded: Recorded, clone: Path) -> None:
    dvc = ["dvc", "--wait-for-lock"]
    targets = [*recorded.stages[:7], " ".join(recorded.stages[7:])]
    assert len(targets) == 8
    at_once(clone, [[*dvc, "pull", *target.split()] for target in targets])
    assert weights(clone) == weights(recorded.folder)
    at_once(clone, [[*dvc, "commit", "--force", "--no-relink", *target.split()] for target in targets])
    at_once(clone, [[*dvc, "push", *target.split()] for target in targets])
    assert all("ddim" in told for told in at_once(clone, [[*dvc, "metrics", "show"]] * 8))
    mixed = [["pull", targets[0]], ["push", targets[1]], ["commit", "--force", targets[2]], ["metrics", "show"]]
    at_once(clone, [[*dvc, *command] for command in [*mixed, *mixed]])
    assert "up to date" in run(clone, "dvc", "status")
    assert not git(clone, "status", "--porcelain")


# --- a clone on its own ---


def test_a_clone_without_a_remote_says_what_it_misses_and_works_otherwise(clone: Path) -> None:
    run(clone, "dvc", "remote", "remove", "store")
    told = run(clone, "dvc", "pull", status=1)
    assert "No remote provided and no default remote set" in told
    assert run(clone, "dvc", "config", "core.remote") == ""
    run(clone, "rediffuse", "prepare", "heartbeat", "--preset", "smoke")
    assert "1 done" in run(clone, "rediffuse", "status", "--preset", "smoke")
    for command in (["status"], ["metrics", "show"], ["params", "diff"], ["metrics", "diff"]):
        run(clone, "dvc", *command)
    assert "is made" in run(clone, "snakemake", "-n", "--config", "preset=smoke")


# --- experiments, and the way back ---


def test_an_experiment_its_differences_and_the_old_checkpoint_back(recorded: Recorded, tmp_path: Path) -> None:
    """Two options, one by `-S`, the other (in a block that runs share) in the file: what depends on them is made, compared, and undone."""
    folder = copied(recorded.folder, tmp_path / "rediffuse")
    before = weights(folder)
    preset = folder / "config/smoke.yaml"
    shared = "    training: *short\n"
    assert preset.read_text().count(shared) == 1
    preset.write_text(preset.read_text().replace("*short", "{steps: 100, batch: 128, lr: 1e-2, ema_decay: 0.95}"))
    run(folder, "dvc", "exp", "run", "--name", "narrow", "-S", "config/smoke.yaml:runs.swiss-roll.network.units=12")
    after = weights(folder)
    assert {name for name in before if before[name] != after[name]} == {"swiss-roll", "heartbeat-paper"}
    text = preset.read_text()
    assert "# Every rule with tiny numbers" in text and "&binomial" in text, "comments and anchors are kept"

    params = json.loads(run(folder, "dvc", "params", "diff", "--json"))["config/smoke.yaml"]
    of_runs = {key: (value["old"], value["new"]) for key, value in params.items() if key.startswith("runs.")}
    assert of_runs["runs.swiss-roll.network.units"] == (16, 12)
    assert of_runs["runs.heartbeat-paper.training.steps"] == (200, 100)
    assert {key.rpartition(".")[0] for key in params} == {"runs.swiss-roll.network", "runs.heartbeat-paper.training"}
    assert "sohl2015.table1" in run(folder, "dvc", "metrics", "diff")
    assert "narrow" in run(folder, "dvc", "exp", "show", "--no-pager", "--only-changed")
    run(folder, "dvc", "plots", "diff", "HEAD", "--out", "plots")
    page = (folder / "plots/index.html").read_text()
    assert "smoke: training loss" in page
    assert "https://cdn" in page, "the page loads Vega from the network: docs/sharing.md says so"
    shutil.rmtree(folder / "plots")
    commit(folder, "a narrow swiss roll")

    git(folder, "checkout", "--quiet", "HEAD~1")
    run(folder, "dvc", "checkout")
    assert weights(folder) == before
    assert "up to date" in run(folder, "dvc", "status")
    git(folder, "checkout", "--quiet", "-")
    run(folder, "dvc", "checkout")
    assert weights(folder) == after
    run(folder, "dvc", "get", ".", str(WEIGHTS), "--rev", "HEAD~1", "--out", "old.safetensors")
    assert (folder / "old.safetensors").read_bytes() == before["swiss-roll"]

    def cached() -> set[Path]:
        return {path for path in (folder / ".dvc/cache/files").rglob("*") if path.is_file()}

    everything = cached()
    assert len(everything) > 50
    run(folder, "dvc", "gc", "--workspace", "--force", "--dry")
    assert cached() == everything
    run(folder, "dvc", "gc", "--all-commits", "--all-experiments", "--force")
    assert cached() == everything, "every file is of a commit or of an experiment"
