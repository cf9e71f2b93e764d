"""A trained run outside the pipeline: in Python, and by `sample --out`, `encode` and `interpolate`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image
from tiny import GONE

import rediffuse
from rediffuse.datasets.prepared import load as load_data
from rediffuse.errors import UserError
from rediffuse.model import Model, load
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.sampling import gather

Capture = pytest.CaptureFixture[str]
TO = ("--preset", "tiny.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny.write(folder / "tiny.yaml", tiny.preset({"papers.ddpm.table2": GONE}))
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in ("prepare digits", "prepare beat", "prepare roll", "train digits", "train beat", "train roll", "sample sweep"):
            assert tiny.rediffuse(*command.split(), *TO) == 0, command
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def model(here: Path) -> Model:
    return rediffuse.load("digits", preset="tiny.yaml", device="cpu")


def test_one_line_gives_the_samples_that_the_pipeline_draws(model: Model) -> None:
    layout = Layout("tiny", load_preset(Path("tiny.yaml")))
    data = load_data(layout.dataset("digits"))
    cells = {(cell.steps, cell.eta): x for cell, x in gather(layout.preset.samples["sweep"], layout.shards("sweep"), 6, (1, 8, 8))}
    for eta in (0.0, "sigma-hat"):
        np.testing.assert_array_equal(data.to_levels(model.sample(12, steps=3, eta=eta)), cells[3, eta])


@pytest.mark.parametrize("eta", [0.0, 1.0, "sigma-hat", "probability-flow", "dpm-solver++"])
def test_a_sample_is_the_same_for_any_number_of_them_and_any_batch(model: Model, eta: float | str) -> None:
    whole = model.sample(7, steps=3, eta=eta, seed=5)
    assert whole.shape == (7, 1, 8, 8) and whole.dtype == np.float32
    np.testing.assert_allclose(model.sample(3, steps=3, eta=eta, seed=5), whole[:3], atol=1e-4)
    np.testing.assert_allclose(Model(model.loaded, model.device, batch=2).sample(7, steps=3, eta=eta, seed=5), whole, atol=1e-4)
    assert not np.allclose(model.sample(7, steps=3, eta=eta, seed=6), whole, atol=1e-2)


def test_the_whole_chain_and_one_step_and_a_number_that_does_not_divide_T(model: Model) -> None:
    for steps in (1, 4, 5, 6):
        for tau in ("linear", "quadratic", "released-uniform", "released-quadratic"):
            x = model.sample(2, steps=steps, tau=tau)
            assert x.shape == (2, 1, 8, 8) and np.isfinite(x).all()


def test_encoding_is_undone_by_decoding_the_better_the_more_steps(model: Model) -> None:
    x = load_data(Layout("tiny", load_preset(Path("tiny.yaml"))).dataset("digits")).x("test")[:8]
    errors = [float(np.square(model.decode(model.encode(x, steps), steps) - x).mean()) for steps in (2, 6)]
    assert errors[1] < errors[0]


def test_lines_end_in_samples(model: Model) -> None:
    lines = model.interpolate(lines=2, points=5, steps=3, seed=1)
    samples = model.sample(4, steps=3, seed=1)
    np.testing.assert_allclose(lines[:, [0, -1]].reshape(4, 1, 8, 8), samples, atol=1e-4)


def test_points_are_sampled_too(here: Path) -> None:
    assert load("roll", "tiny.yaml", "cpu").sample(5, steps=3).shape == (5, 2)


def test_commands_write_pictures_and_arrays(here: Path, capsys: Capture) -> None:
    out = ("sample", "digits", "--steps", "3", "--eta", "0.5", "--n", "10", "--seed", "7", *TO, "--out")
    assert tiny.rediffuse(*out, "x.npz") == tiny.rediffuse(*out, "x.png") == 0
    assert capsys.readouterr().out == "x.npz: 10 samples\nx.png: 10 samples\n"
    x = np.load("x.npz")["x"]
    np.testing.assert_allclose(x, rediffuse.load("digits", "tiny.yaml").sample(10, steps=3, eta=0.5, seed=7), atol=1e-5)
    with Image.open("x.png") as picture:
        pixels = np.asarray(picture)
    scale = pixels.shape[1] // 26  # three columns of 8 pixels, and two gaps
    assert pixels.shape == (35 * scale, 26 * scale)
    np.testing.assert_allclose(pixels[::scale, ::scale][:8, :8], (x[0, 0].clip(-1, 1) + 1) * 127.5, atol=0.6)
    assert tiny.rediffuse("interpolate", "digits", "--steps", "2", "--lines", "2", "--out", "lines.png", *TO) == 0
    assert Path("lines.png").stat().st_size > 100


def test_encode_writes_what_it_encodes_and_its_decoding(here: Path, capsys: Capture) -> None:
    assert tiny.rediffuse("encode", "digits", "--steps", "6", "--n", "5", "--out", "a.npz", *TO) == 0
    told = capsys.readouterr().out
    found = dict(np.load("a.npz"))
    assert {name: x.shape for name, x in found.items()} == dict.fromkeys(("x0", "x_T", "decoded"), (5, 1, 8, 8))
    assert f"there and back {np.square(found['decoded'] - found['x0']).mean() / 4:.3g} a dimension" in told
    np.savez("mine.npz", x=found["x0"])
    assert tiny.rediffuse("encode", "digits", "--steps", "6", "--images", "mine.npz", "--out", "b.npz", *TO) == 0
    np.testing.assert_array_equal(np.load("b.npz")["x_T"], found["x_T"])


WRONG = {
    "an eta over 1": ("sample digits --out x.png --eta 1.5", "eta: found 1.5; expected 0 to 1, or one of sigma-hat, "),
    "a negative eta": ("sample digits --out x.png --eta -0.5", "eta: found -0.5; expected 0 to 1"),
    "no eta": ("sample digits --out x.png --eta much", "eta: found 'much'; expected 0 to 1"),
    "nan": ("sample digits --out x.png --eta nan", "eta: found nan; expected 0 to 1"),
    "more steps than T": ("sample digits --out x.png --steps 7", "steps: found 7; expected 1 to 6, the steps of its chain"),
    "no step": ("interpolate digits --out x.png --steps 0", "steps: found 0; expected 1 to 6"),
    "no sample": ("sample digits --out x.png --steps 2 --n 0", "n: found 0; expected at least 1"),
    "no line": ("interpolate digits --out x.png --steps 2 --lines 0", "lines: found 0; expected at least 1"),
    "a negative seed": ("sample digits --out x.png --steps 2 --seed -1", "seed: found -1; expected 0 to 4294967295"),
    "another suffix": ("sample digits --out x.jpg", "--out: found x.jpg; expected a name that ends in .png or .npz"),
    "a picture of latents": ("encode digits --out x.png", "--out: found x.png; expected a name that ends in .npz"),
    "a picture of points": ("sample roll --steps 2 --out x.png", "--out: found x.png for vectors; expected a name that ends in .npz"),
    "an unknown run": ("sample nobody --out x.png", "run: found 'nobody'; expected one of "),
    "a run that was not trained": ("sample leaves --out x.png", "results/tiny/runs/leaves/weights.safetensors: not found; "),
    "a binary run": ("interpolate beat --out x.png", "run: found 'beat', a binomial diffusion; expected a Gaussian one"),
    "an encoder with eta": ("encode digits --out x.npz --eta 0.5", "No such option: --eta"),
    "no image": ("encode digits --out x.npz --steps 2 --n 0", "--n: found 0; expected at least 1"),
    "images that are not there": ("encode digits --out x.npz --images none.npz", "none.npz: not found; "),
    "images of points": (
        "encode digits --out x.npz --steps 2 --images flat.npz",
        "images: found shape (3, 2); expected finite numbers of ",
    ),
    "two arrays": ("encode digits --out x.npz --images two.npz", "two.npz: found 2 arrays; expected one, of images"),
    "a folder": ("sample digits --out folder.png", "--out: found the folder folder.png; expected a file"),
}


@pytest.mark.parametrize(("command", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_one_line_and_writes_nothing(here: Path, capsys: Capture, command: str, expected: str) -> None:
    np.savez("flat.npz", x=np.zeros((3, 2)))
    np.savez("two.npz", a=np.zeros(1), b=np.zeros(1))
    Path("folder.png").mkdir()
    assert tiny.refused(capsys, *command.split(), *TO, after_work=True).startswith(expected)


def test_images_of_another_shape_or_not_finite_are_refused(model: Model) -> None:
    for x in (np.zeros((2, 1, 4, 4)), np.zeros((0, 1, 8, 8)), np.full((1, 1, 8, 8), np.nan)):
        with pytest.raises(UserError, match="images: found shape"):
            model.encode(x.astype(np.float32), 2)
    with pytest.raises(UserError, match="tau: found 'cubic'"):
        model.sample(1, steps=2, tau="cubic")


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, rediffuse; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
