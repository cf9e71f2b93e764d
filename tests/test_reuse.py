"""Runs that take published weights: `reuse: {weights: ...}` in a preset, from a file or a hub, in the place of a training."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tiny
import torch
from diffusers import DDIMScheduler
from pipeline import run, sources
from safetensors.torch import save, save_file
from test_published_weights import CONV, NETWORK, witness

from rediffuse import hub
from rediffuse.datasets.prepared import load
from rediffuse.files import sha256
from rediffuse.paths import Layout
from rediffuse.pipeline import checkpoints, recipes
from rediffuse.pipeline.records import read, recorded
from rediffuse.pipeline.verify import told
from rediffuse.presets import load_preset
from rediffuse.report import record
from rediffuse.samplers.noise import SampleNoise

Capture = pytest.CaptureFixture[str]
RAW = Path("data/raw/weights/some/unet") / hub.FILES[0]
BETA_1, BETA_T = 0.01, 0.5
TAKES = {
    **tiny.without("sohl2015", "ddpm"),
    "runs.digits.network": NETWORK,
    "runs.digits.process": {"kind": "gaussian", "T": 6, "schedule": {"kind": "linear", "beta_1": BETA_1, "beta_T": BETA_T}},
    "samples.theirs": {"kind": "ddim", "run": "digits", "steps": [2, 3], "eta": [0], "tau": "released-uniform", "n": 12, "chunk": 12},
}
IMPORT = ("import-weights", "--run", "digits", "--preset", "tiny.yaml")


class Hub(ThreadingHTTPServer):
    """A hub on loopback: `files` by their paths, and how often each path was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.said: int | None = None
        """The length that is told in the place of the true one."""


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.said or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the witness's weights as those of some/unet."""
    with Hub() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        server.files[f"/some/unet/resolve/main/{hub.FILES[0]}"] = save(witness().state_dict())
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
        server.shutdown()


def takes(weights: str) -> Layout:
    """The tiny preset, whose run `digits` takes these weights."""
    path = tiny.write(Path("tiny.yaml"), tiny.preset({**TAKES, "runs.digits.reuse": {"weights": weights}}))
    return Layout("tiny", load_preset(path))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder but for the digits."""
    monkeypatch.chdir(tmp_path)
    takes("some/unet")
    assert tiny.rediffuse("prepare", "digits", "--preset", "tiny.yaml") == 0


# --- from a hub ---


def test_weights_of_a_hub_are_fetched_once_and_told_of(here: None, served: Hub, capsys: Capture) -> None:
    layout, content = takes("some/unet"), served.files[f"/some/unet/resolve/main/{hub.FILES[0]}"]
    for _ in range(2):
        assert tiny.rediffuse(*IMPORT) == 0
    assert served.asked == {f"/some/unet/resolve/main/{hub.FILES[0]}": 1}
    assert RAW.read_bytes() == content
    out = capsys.readouterr().out
    assert f"44,969 parameters from {RAW}, sha256 {sha256(content)}: results/tiny/runs/digits/weights.safetensors\n" in out
    recipe = recipes.train(layout, "digits")
    found = read(recipe)
    assert found is not None and told(recipe) == []
    assert found["imported"] == {"from": "some/unet", "file": RAW.as_posix(), "sha256": sha256(content)}
    assert (found["job"], found["images"], found["options"]["run"]["reuse"]) == ("import-digits", 0, {"weights": "some/unet"})
    assert tiny.rediffuse("status", "--preset", "tiny.yaml", "--json") == 0
    rows = {row["job"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["import digits"]["state"] == "done" and "train digits" not in rows


def test_its_samples_are_those_of_diffusers_on_the_same_weights(here: None, served: Hub) -> None:
    layout = takes("some/unet")
    for command in ("import-weights --run digits", "sample theirs"):
        assert tiny.rediffuse(*command.split(), "--preset", "tiny.yaml") == 0
    ours = np.load(layout.shard("theirs", 0))
    network, to_levels = witness(), load(layout.dataset("digits")).to_levels
    for S in (2, 3):
        scheduler = DDIMScheduler(6, BETA_1, BETA_T, clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading")
        scheduler.set_timesteps(S)
        x = SampleNoise(0, range(12), (1, 8, 8))()
        with torch.no_grad():
            for t in scheduler.timesteps:
                x = scheduler.step(network(x, t).sample, t, x, eta=0.0).prev_sample
        theirs = to_levels(x.numpy())
        assert np.mean((theirs > 0) & (theirs < 16)) > 0.05, "levels, not all of them clipped"
        assert np.mean(ours[f"S{S}-0.0-0"] == theirs) > 0.995, "the same but where rounding falls otherwise"
        assert np.abs(ours[f"S{S}-0.0-0"].astype(int) - theirs).max() <= 1


def test_a_revision_and_the_older_pickle(here: None, served: Hub) -> None:
    served.files.clear()
    torch.save(witness().state_dict(), "made.bin")
    served.files[f"/some/unet/resolve/v1.0/{hub.FILES[1]}"] = Path("made.bin").read_bytes()
    layout = takes("some/unet@v1.0")
    assert tiny.rediffuse(*IMPORT) == 0
    found = read(recipes.train(layout, "digits"))
    assert found is not None and found["imported"]["file"] == f"data/raw/weights/some/unet@v1.0/{hub.FILES[1]}"
    there, by_hub = layout.weights("digits"), layout.weights("digits").read_bytes()
    assert tiny.rediffuse("import-weights", "some/unet@v1.0", "--preset", "tiny.yaml") == 2, "of another shape than CIFAR-10's U-Net"
    shutil.copy("made.bin", hub.FILES[1])
    takes(hub.FILES[1])
    assert tiny.rediffuse(*IMPORT) == 0
    assert there.read_bytes() == by_hub, "the same weights are the same bytes, wherever they were taken from"


def test_a_file_that_was_put_there_needs_no_hub(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    RAW.parent.mkdir(parents=True)
    save_file(witness().state_dict(), RAW)
    assert tiny.rediffuse(*IMPORT) == 0


WANTED = f"{RAW}: not found, and "


def test_what_cannot_be_fetched_is_told_in_a_line_with_what_to_put_where(here: None, served: Hub, capsys: Capture) -> None:
    port, (path,) = served.server_port, served.files
    served.said = len(served.files[path]) + 2 * hub.PIECE
    line = tiny.refused(capsys, *IMPORT)
    assert line.startswith(WANTED) and "bytes came)" in line
    served.said = None
    served.files.clear()
    line = tiny.refused(capsys, *IMPORT)
    assert line == (
        f"{WANTED}http://127.0.0.1:{port}/some/unet/resolve/main could not be read "
        f"({hub.FILES[1]}: HTTP Error 404: Not Found); expected there the file of some/unet"
    )


@pytest.mark.parametrize("file", hub.FILES)
def test_a_page_in_the_files_place_is_not_kept(here: None, served: Hub, capsys: Capture, file: str) -> None:
    """As a network answers that wants one to log in first."""
    served.files = {f"/some/unet/resolve/main/{file}": b"<html>Welcome</html>"}
    assert tiny.rediffuse(*IMPORT) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"rediffuse: {WANTED}") and f"what came is no {file} (" in line
    assert not [path for path in hub.FOLDER.rglob("*") if path.is_file()]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "no address", "http://["])
def test_offline(here: None, monkeypatch: pytest.MonkeyPatch, capsys: Capture, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    line = tiny.refused(capsys, *IMPORT)
    assert line.startswith(f"{WANTED}{endpoint}/some/unet/resolve/main could not be read (")
    assert line.endswith("; expected there the file of some/unet")


# --- from a file ---


def test_wrong_weights_are_a_line_and_nothing_is_written(here: None, capsys: Capture) -> None:
    save_file(witness().state_dict() | {CONV: torch.ones(3, 3)}, "wrong.safetensors")
    takes("wrong.safetensors")
    line = tiny.refused(capsys, *IMPORT)
    assert line.startswith(f"wrong.safetensors: found 1 misshapen ({CONV}: (3, 3), expected (8, 8, 3, 3));")
    for content in (b"", b"PK\x03\x04 half a pickle"):
        Path("wrong.bin").write_bytes(content)
        takes("wrong.bin")
        assert tiny.refused(capsys, *IMPORT).startswith("wrong.bin: not a whole bin file (")
    torch.save([1, 2], "wrong.bin")
    assert tiny.refused(capsys, *IMPORT).startswith("wrong.bin: not a whole bin file (something else than tensors by name)")


def test_a_file_is_what_the_job_depends_on(here: None, capsys: Capture) -> None:
    layout = takes("mine.safetensors")
    line = f"mine.safetensors: no such file; expected the weights that runs.digits takes, as seen from {Path.cwd()}"
    assert tiny.refused(capsys, *IMPORT) == tiny.refused(capsys, "verify", "--preset", "tiny.yaml") == line
    save_file(witness().state_dict(), "mine.safetensors")
    recipe = recipes.train(layout, "digits")
    (missing, *_) = told(recipe)
    assert missing == "results/tiny/runs/digits/weights.safetensors: missing: Import the weights of digits"
    assert Path("mine.safetensors") in recipe.reads
    assert tiny.rediffuse(*IMPORT) == 0
    assert told(recipe) == []
    save_file({name: tensor + 1 for name, tensor in witness().state_dict().items()}, "mine.safetensors")
    records_know_no_more(recipe)


def records_know_no_more(recipe: recipes.Recipe) -> None:
    assert told(recipe) == ["results/tiny/runs/digits/weights.safetensors: stale: it was made from another mine.safetensors"]


def test_what_contradicts_the_preset_is_refused(here: None, capsys: Capture) -> None:
    line = tiny.refused(capsys, "train", "digits", "--preset", "tiny.yaml")
    by_hand = "`rediffuse import-weights --run digits` takes them"
    assert line == f"runs.digits.reuse: found some/unet; expected none of a run that is trained: {by_hand}"
    line = tiny.refused(capsys, "import-weights", "other.safetensors", *IMPORT[1:])
    assert line == "SOURCE: found other.safetensors; expected none: runs.digits takes some/unet by the preset tiny"
    assert tiny.refused(capsys, "import-weights", "--preset", "tiny.yaml").startswith("SOURCE: not given; expected weights")
    line = tiny.refused(capsys, "import-weights", "nothing", "--preset", "tiny.yaml")
    assert line.startswith("SOURCE: found 'nothing'; expected a file that ends in .safetensors or .bin, or a hub's owner/name or ")
    line = tiny.refused(capsys, "import-weights", "my/model.ckpt", "--preset", "tiny.yaml")
    assert line.startswith("SOURCE: found 'my/model.ckpt'; expected a file that ends in .safetensors or .bin, or a hub's"), (
        "no name on a hub"
    )
    tiny.write(Path("tiny.yaml"), tiny.preset(TAKES))
    assert tiny.refused(capsys, *IMPORT).startswith("runs.digits.reuse of the preset tiny: not given; expected weights")


# --- beside trained weights ---


def test_trained_weights_are_put_by_before_others_are_imported_and_imported_ones_are_not(here: None, served: Hub) -> None:
    trained = Layout("tiny", load_preset(tiny.write(Path("tiny.yaml"), tiny.preset(TAKES))))
    assert "reuse" not in recipes.train(trained, "digits").params()["options"]["run"], "runs without it are what they were"
    with recorded(recipes.train(trained, "digits"), "tiny"):
        trained.run("digits").mkdir(parents=True)
        trained.weights("digits").write_bytes(b"trained")
    layout = takes("some/unet")
    (line,) = checkpoints.keep(layout, [])
    assert line.startswith("digits is to be imported anew (option run.reuse: None -> {'weights': 'some/unet'}")
    assert [path.read_bytes() for path in Path("results/tiny/replaced").rglob("*.safetensors")] == [b"trained"]
    assert tiny.rediffuse(*IMPORT) == 0
    assert [*checkpoints.keep(takes("some/unet@v2"), [])] == []


# --- by Snakemake, and for DVC ---


def test_what_was_not_trained_has_no_curve_of_its_loss(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SHIPPED", Path())
    (curves,) = record.stages(Layout("tiny", load_preset(tiny.write(Path("tiny.yaml"), tiny.preset()))), Path("dvc.yaml"))["plots"]
    assert "results/tiny/runs/digits/history.csv" in curves["tiny: training loss"]["y"]
    assert record.stages(takes("some/unet"), Path("dvc.yaml"))["plots"] == []


def test_the_workflow_imports_in_the_place_of_training(tmp_path: Path, served: Hub) -> None:
    folder = sources(tmp_path / "rediffuse")
    tiny.write(folder / "mine.yaml", tiny.preset({**TAKES, "runs.digits.reuse": {"weights": "some/unet"}}))
    weights, preset = "results/mine/runs/digits/weights.safetensors", ("--config", "preset=mine.yaml")
    assert "Import the weights of digits: weights.safetensors" in run(folder, "rediffuse", "why", weights, "--preset", "mine.yaml")
    said = run(folder, "snakemake", "--cores", "1", *preset, "--", weights)
    assert "digits: its weights are imported from some/unet." in said
    assert "Import the weights of digits" in said and "Train " not in said
    assert sum(served.asked.values()) == 1
    assert "sha256" in (folder / "results/mine/logs/import-digits.log").read_text()
    assert run(folder, "rediffuse", "why", weights, "--preset", "mine.yaml").startswith("Nothing to be done")
    shutil.copy(folder / RAW, folder / "mine.safetensors")
    tiny.write(folder / "mine.yaml", tiny.preset({**TAKES, "runs.digits.reuse": {"weights": "mine.safetensors"}}))
    why = run(folder, "rediffuse", "why", weights, "--preset", "mine.yaml")
    assert "Import the weights of digits: option run.reuse.weights: some/unet -> mine.safetensors" in why
    shard = "results/mine/samples/digits/theirs-1of1.npz"
    assert "Import the weights of digits" in run(folder, "snakemake", "-n", "--cores", "1", *preset, "--", shard)
    kept = run(folder, "snakemake", "-n", "--cores", "1", *preset, "reuse=digits", "--", shard)
    assert "Sample theirs from digits" in kept and "Import " not in kept
