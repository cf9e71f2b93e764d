"""Bad input: one line that names the file or the key, what was found and what was expected; status 2; nothing written, nothing lost."""

import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from safetensors.torch import load, save
from tiny import GONE

from rediffuse import resume, training
from rediffuse.files import sha256

resource = pytest.importorskip("resource", reason="a Unix module")

REPOSITORY = Path(__file__).resolve().parents[1]
PRESET = ("--preset", "tiny.yaml")
RESULTS = Path("results/tiny")
WEIGHTS, CLASSIFIER = (RESULTS / f"runs/{name}/weights.safetensors" for name in ("digits", "classifier"))
SHARD = RESULTS / "samples/digits/plain-1of2.npz"
SAMPLE, FIGURE, TABLE, TRAIN = ("sample", "sweep"), ("measure", "ddpm", "fig1"), ("measure", "ddpm", "table1"), ("train", "roll")
ROOM = "expected a folder with room that you may write to"

Capture = pytest.CaptureFixture[str]
Damage = Callable[[bytes], bytes]


def preset(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The tiny preset without the many runs of DDPM's Table 2."""
    return tiny.preset({"papers.ddpm.table2": GONE} | (changes or {}))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything that costs time has been made."""
    folder = tmp_path_factory.mktemp("made")
    tiny.write(folder / "tiny.yaml", preset())
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in ("prepare digits", "prepare roll", "prepare beat", "train roll", "train beat", "train digits", "train classifier"):
            assert tiny.rediffuse(*command.split(), *PRESET) == 0
        for command in ("sample plain", "sample plain --shard 2", "sample sweep", "sample whole"):
            assert tiny.rediffuse(*command.split(), *PRESET) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working folder."""
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def prepared(name: str, file: str) -> Path:
    (path,) = Path("data").glob(f"{name}-*/{file}")
    return path


def change(path: Path, damage: Damage) -> None:
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before


def test_the_tiny_preset_goes_all_the_way(here: Path) -> None:
    """What follows damages one thing at a time: undamaged, every command succeeds."""
    for command in (
        "measure ddpm fig1 table1",
        "measure sohl2015 fig1 fig2 fig_d1",
        "figure sohl2015 fig2 fig_d1",
        "measure ddim table1 fig3",
        "table ddpm table1",
        *map(" ".join, (SAMPLE, TRAIN)),
        "train beat",
    ):
        assert tiny.rediffuse(*command.split(), *PRESET) == 0


# --- configuration; test_config.py has every mistake ---


def test_an_unknown_key(here: Path, capsys: Capture) -> None:
    tiny.write(Path("own.yaml"), preset({"runs.digits.training.epochs": 3}))
    line = tiny.refused(capsys, "train", "digits", "--preset", "own.yaml")
    assert line.startswith("own.yaml: runs.digits.training.epochs: unknown key; expected one of steps, batch, ")


def test_a_value_of_another_type(here: Path, capsys: Capture) -> None:
    tiny.write(Path("own.yaml"), preset({"runs.digits.training.steps": "many"}))
    line = tiny.refused(capsys, "prepare", "digits", "-p", "own.yaml")
    assert line == "own.yaml: runs.digits.training.steps: found 'many'; expected a valid integer"


def test_a_broken_preset(here: Path, capsys: Capture) -> None:
    Path("own.yaml").write_text("datasets: {digits: {kind: digits}\n")
    line = tiny.refused(capsys, "report", "-p", "own.yaml")
    assert line == "own.yaml: line 2: expected ',' or '}', but got '<stream end>'; expected YAML"


def test_a_preset_that_is_not_there(here: Path, capsys: Capture) -> None:
    line = tiny.refused(capsys, *TRAIN, "-p", "none.yaml")
    assert line == "none.yaml: could not be read: No such file or directory; expected a preset (see config/laptop.yaml)"


def test_an_unknown_preset(here: Path, capsys: Capture) -> None:
    assert tiny.refused(capsys, *TRAIN, "-p", "desktop").startswith("preset: found 'desktop'; expected one of ")


def test_a_paper_that_the_preset_leaves_out(here: Path, capsys: Capture) -> None:
    tiny.write(Path("own.yaml"), preset({"papers.ddim": GONE}))
    line = tiny.refused(capsys, "measure", "ddim", "fig4", "-p", "own.yaml")
    assert line == "own.yaml: papers.ddim: not given; expected its options, since the command asks for that paper"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"features.other": {**tiny.PRESET["features"]["classifier"], "dataset": "roll"}},
            "features.other.dataset: found 'roll'; expected one of digits, ink",
        ),
        (
            {"runs.roll.network": tiny.PRESET["runs"]["digits"]["network"]},
            "runs.roll.network.kind: found 'unet'; expected rbf or mlp: the data are vectors",
        ),
        (
            {"runs.roll.network": tiny.CONV},
            "runs.roll.network.kind: found 'multi-scale'; expected rbf or mlp: the data are vectors",
        ),
        (
            {"runs.digits.network": {"kind": "rbf"}},
            "runs.digits.network.kind: found 'rbf'; expected unet or multi-scale: the data are images",
        ),
        (
            {"runs.digits.network": {"kind": "mlp", "shared_readout": True}},
            "runs.digits.network.kind: found 'mlp'; expected unet or multi-scale: the data are images",
        ),
        (
            {"runs.digits.network.multipliers": [1] * 5},
            "runs.digits.network.multipliers: found [1, 1, 1, 1, 1]; expected fewer: 8 pixels cannot be divided by 16",
        ),
    ],
)
def test_a_network_that_the_data_do_not_fit(here: Path, capsys: Capture, changes: dict[str, Any], expected: str) -> None:
    """Told before anything is prepared or trained."""
    tiny.write(Path("tiny.yaml"), preset(changes))
    assert tiny.refused(capsys, "prepare", "digits", *PRESET).startswith(f"tiny.yaml: {expected}")


def test_a_training_that_diverges(here: Path, capsys: Capture) -> None:
    tiny.write(Path("tiny.yaml"), preset({"runs.digits.training.lr": 1e30}))
    line = tiny.refused(capsys, "train", "digits", *PRESET)
    assert line == "train digits: found loss nan at step 2; expected a finite one: lower training.lr"


@pytest.mark.parametrize("text", ["runs: [\n", "runs: {}\n", ""])
def test_snakemake_refuses_a_preset_in_the_same_line(tmp_path: Path, capsys: Capture, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--config", f"preset={path}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("rediffuse: ")]
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert tiny.files(tmp_path) == {"own.yaml": text.encode()}
    monkeypatch.chdir(tmp_path)
    assert line == f"rediffuse: {tiny.refused(capsys, 'report', '-p', str(path))}"


# --- prepared data ---


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def emptied(_: bytes) -> bytes:
    return b""


def flipped(content: bytes) -> bytes:
    return content[:300] + bytes([content[300] ^ 1]) + content[301:]


def arrays_with(**arrays: Any) -> Damage:
    """An .npz file with some arrays replaced; None takes one out."""

    def damage(content: bytes) -> bytes:
        now = {**np.load(io.BytesIO(content)), **arrays}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{name: array for name, array in now.items() if array is not None})
        return buffer.getvalue()

    return damage


def json_with(**changes: Any) -> Damage:
    """A JSON file with some values replaced; two underscores stand for a dot of the key's path."""
    return lambda content: json.dumps(tiny.changed(json.loads(content), {k.replace("__", "."): v for k, v in changes.items()})).encode()


POINTS = np.zeros((200, 2), np.float32)
ARRAYS: dict[str, tuple[Damage, str]] = {
    "truncated": (truncated, "damaged (File is not a zip file); expected a whole .npz file, which `rediffuse prepare` makes anew"),
    "empty": (emptied, "damaged (No data left in file); expected a whole .npz file, which `rediffuse prepare` makes anew"),
    "a flipped bit": (flipped, "expected a whole .npz file, which `rediffuse prepare` makes anew"),
    "pickled objects": (arrays_with(x_train=np.array([{}])), "expected a whole .npz file, which `rediffuse prepare` makes anew"),
    "another shape": (arrays_with(x_train=POINTS[:, :1]), "x_train: found shape (200, 1); expected shape (200, 2)"),
    "fewer points": (arrays_with(x_test=POINTS[:10]), "x_test: found shape (10, 2); expected shape (50, 2)"),
    "no test set": (arrays_with(x_test=None), "x_test: found nothing; expected shape (50, 2)"),
    "changed by hand": (arrays_with(x_train=POINTS), "... by dataset.json: changed since `rediffuse prepare`"),
}


@pytest.mark.parametrize(("damage", "expected"), ARRAYS.values(), ids=ARRAYS.keys())
def test_damaged_arrays(here: Path, capsys: Capture, damage: Damage, expected: str) -> None:
    path = prepared("roll", "arrays.npz")
    change(path, damage)
    line = tiny.refused(capsys, *TRAIN, *PRESET)
    assert line.startswith(f"{path}: ")
    assert line.endswith(expected)


ABOUT: dict[str, tuple[Damage, str]] = {
    "truncated": (truncated, "not valid JSON ("),
    "empty": (emptied, "not valid JSON (Expecting value: line 1 column 1 (char 0)); "),
    "no text": (lambda _: b"\xff\xfe\x00", "not valid JSON ("),
    "endless": (lambda _: b"[" * 100_000, "not valid JSON (maximum recursion depth exceeded"),
    "no shape": (json_with(shape=GONE), "key 'shape' not found; "),
    "no checksum": (json_with(files={}), "key 'arrays.npz' not found; "),
    "no test set": (json_with(splits__test=GONE), "key 'test' not found; "),
    "no scale": (json_with(scale__add=GONE), "key 'add' not found; "),
    "a list": (lambda _: b"[]", "damaged (list indices must be integers or slices, not str); "),
    "nothing": (lambda _: b"null", "damaged ('NoneType' object is not subscriptable); "),
    "a shape that is none": (json_with(shape=2), "damaged ('int' object is not iterable); "),
    "a shape of words": (json_with(shape=["two"]), "damaged (invalid literal for int() with base 10: 'two'); "),
    "a scale that is none": (json_with(scale__add=None), "damaged (float() argument must be a string or a real number, not 'NoneType'); "),
    "a number of classes that is none": (json_with(classes="ten"), "damaged (invalid literal for int() with base 10: 'ten'); "),
}


@pytest.mark.parametrize(("damage", "expected"), ABOUT.values(), ids=ABOUT.keys())
def test_a_damaged_description(here: Path, capsys: Capture, damage: Damage, expected: str) -> None:
    path = prepared("roll", "dataset.json")
    change(path, damage)
    line = tiny.refused(capsys, *TRAIN, *PRESET)
    assert line.startswith(f"{path}: {expected}")
    assert line.endswith("; expected the file that `rediffuse prepare` makes")


def test_a_description_of_other_arrays(here: Path, capsys: Capture) -> None:
    change(prepared("roll", "dataset.json"), json_with(shape=[3]))
    line = tiny.refused(capsys, *TRAIN, *PRESET)
    assert line == f"{prepared('roll', 'arrays.npz')}: x_train: found shape (200, 2); expected shape (200, 3)"


@pytest.mark.parametrize("file", ["arrays.npz", "dataset.json"])
@pytest.mark.parametrize(("name", "command"), [("roll", TRAIN), ("digits", SAMPLE), ("digits", TABLE)])
def test_absent_data(here: Path, capsys: Capture, file: str, name: str, command: tuple[str, ...]) -> None:
    path = prepared(name, file)
    path.unlink()
    assert tiny.refused(capsys, *command, *PRESET) == f"{path}: not found; expected the file that `rediffuse prepare` makes"


def test_a_folder_where_arrays_belong(here: Path, capsys: Capture) -> None:
    path = prepared("roll", "arrays.npz")
    path.unlink()
    path.mkdir()
    assert tiny.refused(capsys, *TRAIN, *PRESET) == f"{path}: could not be read: Is a directory; expected a readable file"


BITS = "expected 0 and 1 alone for a binomial process (runs.beat)"


def test_a_binomial_process_on_what_are_no_bits(here: Path, capsys: Capture) -> None:
    """Data that fit their description in every way, but that they are not 0 and 1 alone."""
    path, x = prepared("beat", "arrays.npz"), np.load(prepared("beat", "arrays.npz"))["x_train"]
    for wrong, found in ((np.where(np.arange(len(x))[:, None] == 7, 3, x), "0 to 3"), (x + 1, "1 to 2"), (x * 0.5, "0 to 0.5")):
        change(path, arrays_with(x_train=wrong))
        change(prepared("beat", "dataset.json"), json_with(files={"arrays.npz": {"sha256": sha256(path.read_bytes())}}))
        line = tiny.refused(capsys, "train", "beat", *PRESET)
        assert re.fullmatch(rf"data set beat: found \d+ of 300 values from {found}, such as .*; {re.escape(BITS)}", line)


def test_a_binomial_process_on_bits_that_are_scaled(here: Path, capsys: Capture) -> None:
    change(prepared("beat", "dataset.json"), json_with(scale={"multiply": 2.0, "add": -1.0}))
    line = tiny.refused(capsys, "train", "beat", *PRESET)
    assert line == f"data set beat: found 200 of 300 values from -1 to 1, such as -1; {BITS}"


# --- a folder of the user's own images; test_datasets.py has every mistake ---


def picture(name: str, height: int, width: int) -> Path:
    """A grey image of noise in the folder `pictures`."""
    path = Path("pictures") / name
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)).save(path)
    return path


def no_pictures() -> Path:
    return Path("pictures")


def no_images() -> Path:
    Path("pictures").mkdir()
    return Path("pictures")


def one_unreadable() -> Path:
    path = picture("b.png", 8, 32)
    path.write_bytes(path.read_bytes()[:60])
    return path


def one_larger() -> Path:
    picture("a.png", 8, 32)
    return picture("b.png", 9, 32)


def too_small() -> Path:
    return picture("a.png", 3, 32)


FOLDERS: dict[str, tuple[Callable[[], Path], str]] = {
    "none": (no_pictures, "could not be read: No such file or directory; expected a folder of images, as seen from "),
    "no images": (no_images, "no image found in it; expected files named *.png, "),
    "an unreadable image": (one_unreadable, "could not be read ("),
    "images of two sizes": (one_larger, "found 32 x 9 pixels; expected 32 x 8 as a.png has"),
    "too small images": (too_small, "found 32 x 3 pixels; expected at least 16 x 4: patches of 4 x 4 "),
}
OWN = {
    "datasets.own": {"kind": "folder", "path": "pictures", "size": 4, "train": 20, "test": 5},
    "runs.own": {**tiny.PRESET["runs"]["bark"], "dataset": "own"},
}


@pytest.mark.parametrize(("make", "expected"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_folder_that_will_not_do(here: Path, capsys: Capture, make: Callable[[], Path], expected: str) -> None:
    tiny.write(Path("tiny.yaml"), preset(OWN))
    path = make()
    assert tiny.refused(capsys, "prepare", "own", *PRESET).startswith(f"{path}: {expected}")
    assert not list(Path("data").glob("own-*"))


def test_snakemake_refuses_a_folder_in_the_same_line(here: Path, capsys: Capture) -> None:
    tiny.write(Path("tiny.yaml"), preset(OWN | {"datasets.own": {**OWN["datasets.own"], "path": str(here / "pictures")}}))
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--config", f"preset={Path('tiny.yaml').resolve()}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("rediffuse: ")]
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    said = tiny.refused(capsys, "prepare", "own", *PRESET)
    assert said.endswith(f", as seen from {Path.cwd()}")
    assert line == f"rediffuse: {said.removesuffix(str(Path.cwd()))}{REPOSITORY}", "each names the folder that it runs in"


def test_pictures_too_small_for_the_figure(here: Path, capsys: Capture) -> None:
    """Only the folder says how large they are: a patch fits, the figure does not."""
    tiny.write(Path("tiny.yaml"), preset({**OWN, "papers.sohl2015.fig5.run": "own"}))
    for name in ("a.png", "b.png"):
        picture(name, 12, 24)
    for command in ("prepare own", "train own"):
        assert tiny.rediffuse(*command.split(), *PRESET) == 0
    line = tiny.refused(capsys, "measure", "sohl2015", "fig5", *PRESET)
    assert line == "papers.sohl2015.fig5.size: found 8; expected at most 6: the held-out parts of the data set own are 6 x 12 pixels"


def test_a_heartbeat_whose_exact_entropy_is_out_of_reach(here: Path, capsys: Capture) -> None:
    """Told before a network is trained on it."""
    changes = {"datasets.beat.length": 100, "datasets.beat.period": 20, "papers.sohl2015.entropy.runs": ["beat"]}
    tiny.write(Path("tiny.yaml"), preset(changes))
    line = tiny.refused(capsys, "prepare", "beat", *PRESET)
    assert line.startswith("tiny.yaml: papers.sohl2015.entropy.runs: found 'beat'; expected a heartbeat whose exact entropy ")


# --- checkpoints ---


def header(content: bytes) -> tuple[dict[str, Any], bytes]:
    """A safetensors file's header, and what follows it."""
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def unsigned(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The same, of a file without a checksum, as they were made once: what is wrong with it is known by other signs."""
    entries, rest = header(content)
    entries["__metadata__"]["rediffuse"] = json_with(sha256=GONE)(entries["__metadata__"]["rediffuse"].encode()).decode()
    return entries, rest


def header_with(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(content: bytes) -> bytes:
        entries, rest = unsigned(content)
        change(entries)
        text = json.dumps(entries).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + rest

    return damage


def about_with(**changes: Any) -> Damage:
    """The weights' own configuration with some values replaced."""
    return header_with(
        lambda entries: entries["__metadata__"].update(rediffuse=json_with(**changes)(entries["__metadata__"]["rediffuse"]).decode())
    )


def tensors_with(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(content: bytes) -> bytes:
        tensors = load(content)
        change(tensors)
        return save(tensors, unsigned(content)[0]["__metadata__"])

    return damage


def first_with(change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    return tensors_with(lambda tensors: tensors.update({"conv_in.bias": change(tensors["conv_in.bias"])}))


ANEW = "expected weights by `rediffuse train`"
HEADERLESS = "damaged: no safetensors header; expected weights that `rediffuse train` made"
BIAS = "expected torch.float32 (4,) by its own options"
CHECKPOINTS: dict[str, tuple[Damage, str]] = {
    "truncated": (lambda content: content[:-100], "by its own header"),
    "truncated in its header": (lambda content: content[:500], HEADERLESS),
    "empty": (emptied, HEADERLESS),
    "longer": (lambda content: content + b"\0", "by its own header"),
    "garbage": (lambda content: b"\xff" * len(content), HEADERLESS),
    "a header that is no JSON": (lambda content: content[:8] + b"x" * 60 + content[68:], HEADERLESS),
    "a header that is a list": (lambda _: struct.pack("<Q", 2) + b"[]", HEADERLESS),
    "a tensor of another shape": (first_with(lambda bias: bias.reshape(2, 2).clone()), f"conv_in.bias: found torch.float32 (2, 2); {BIAS}"),
    "a tensor of another type": (first_with(lambda bias: bias.long()), f"conv_in.bias: found torch.int64 (4,); {BIAS}"),
    "a tensor of no numbers": (
        first_with(lambda bias: bias * float("nan")),
        "conv_in.bias: found values that are not finite; expected numbers: run `rediffuse train` anew",
    ),
    "a tensor too few": (tensors_with(lambda tensors: tensors.pop("conv_in.bias")), f"conv_in.bias: found no such tensor; {BIAS}"),
    "a tensor too many": (
        tensors_with(lambda tensors: tensors.update(zero=torch.zeros(2))),
        "zero: found torch.float32 (2,); expected none by its own options",
    ),
    "a tensor's bytes elsewhere": (header_with(lambda entries: entries["conv_in.bias"].update(data_offsets=[0, 4])), ANEW),
    "a type that is none": (header_with(lambda entries: entries["conv_in.bias"].update(dtype="F99")), ANEW),
    "no configuration": (
        header_with(lambda entries: entries.pop("__metadata__")),
        "found no configuration in it; expected Run by `rediffuse train`",
    ),
    "another program's": (
        header_with(lambda entries: entries.update(__metadata__={"format": "pt"})),
        "found no configuration in it; expected Run by `rediffuse train`",
    ),
    "a configuration that is no JSON": (header_with(lambda entries: entries["__metadata__"].update(rediffuse="{")), ANEW),
    "a configuration that is a list": (header_with(lambda entries: entries["__metadata__"].update(rediffuse="[]")), ANEW),
    "metadata that is a word": (header_with(lambda entries: entries.update(__metadata__="x")), ANEW),
    "no options": (about_with(options=GONE), "damaged (KeyError('options')); " + ANEW),
    "options of another version": (about_with(options__momentum=0.9), "damaged (1 validation error for Run); " + ANEW),
    "an option of another type": (about_with(options__process__T="many"), "damaged (1 validation error for Run); " + ANEW),
    "no data": (about_with(data=GONE), "damaged (KeyError('data')); " + ANEW),
    "data of no levels": (about_with(data__levels="x"), ANEW),
    "data of another shape": (about_with(data__shape=[3, 8, 8]), "expected torch.float32 (4, 3, 3, 3) by its own options"),
    "an unknown kind": (about_with(kind="Model"), "found Model in it; expected Run by `rediffuse train`"),
}


@pytest.mark.parametrize(("damage", "expected"), CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_a_damaged_checkpoint(here: Path, capsys: Capture, damage: Damage, expected: str) -> None:
    change(WEIGHTS, damage)
    line = tiny.refused(capsys, *SAMPLE, *PRESET)
    assert line.startswith(f"{WEIGHTS}: ")
    assert line.endswith(expected)


@pytest.mark.parametrize(
    ("changes", "command", "expected"),
    [
        (
            {"runs.beat.process.rate": 0.4},
            "fig2",
            "beat/weights.safetensors: found weights trained with process kind='binomial' T=6 rate=0.3; "
            "expected kind='binomial' T=6 rate=0.4 by the preset: run `rediffuse train` anew",
        ),
        (
            {"runs.beat.predicts": "mu"},
            "fig2",
            "found weights trained with predicts x0; expected mu by the preset: run `rediffuse train` anew",
        ),
        (
            {"runs.roll.process": tiny.PRESET["runs"]["rates"]["process"]},
            "fig1",
            "start=Harmonic(kind='harmonic', beta_1=0.0003, beta_T=0.99)) by the preset: run `rediffuse train` anew",
        ),
    ],
)
def test_weights_of_other_options(here: Path, capsys: Capture, changes: dict[str, Any], command: str, expected: str) -> None:
    tiny.write(Path("tiny.yaml"), preset(changes))
    line = tiny.refused(capsys, "measure", "sohl2015", command, *PRESET)
    assert line.startswith(str(RESULTS / "runs"))
    assert line.endswith(expected)


@pytest.mark.parametrize("command", [SAMPLE, ("measure", "ddim", "fig4"), TABLE])
def test_an_absent_checkpoint(here: Path, capsys: Capture, command: tuple[str, ...]) -> None:
    WEIGHTS.unlink()
    assert tiny.refused(capsys, *command, *PRESET) == f"{WEIGHTS}: not found; expected the file that `rediffuse train` makes"


def test_weights_of_before_there_was_a_checksum_are_read(here: Path) -> None:
    change(WEIGHTS, header_with(lambda entries: None))
    assert b"sha256" not in WEIGHTS.read_bytes()
    assert tiny.rediffuse(*SAMPLE, *PRESET) == 0


@pytest.mark.parametrize("share", [k / 20 for k in range(20)])
def test_one_flipped_bit_of_weights_is_found(here: Path, capsys: Capture, share: float) -> None:
    """Wherever it is: in a tensor, whose numbers stay finite and of the right shape, or in what is told about them."""
    content = bytearray(WEIGHTS.read_bytes())
    content[8 + int(share * (len(content) - 8))] ^= 1
    WEIGHTS.write_bytes(content)
    assert tiny.refused(capsys, *SAMPLE, *PRESET).startswith(f"{WEIGHTS}: ")


def test_damaged_tensors_are_told_by_their_checksum(here: Path, capsys: Capture) -> None:
    change(WEIGHTS, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    line = tiny.refused(capsys, *SAMPLE, *PRESET)
    assert re.fullmatch(
        rf"{WEIGHTS}: damaged \(ValueError\('sha256 \w{{12}}\.\.\. of its tensors, \w{{12}}\.\.\. by its header'\)\); {ANEW}", line
    )


def test_a_classifier_where_a_run_is_wanted(here: Path, capsys: Capture) -> None:
    shutil.copy(CLASSIFIER, WEIGHTS)
    assert tiny.refused(capsys, *SAMPLE, *PRESET) == f"{WEIGHTS}: found Features in it; expected Run by `rediffuse train`"


def test_a_run_where_a_classifier_is_wanted(here: Path, capsys: Capture) -> None:
    shutil.copy(WEIGHTS, CLASSIFIER)
    assert tiny.refused(capsys, *TABLE, *PRESET) == f"{CLASSIFIER}: found Run in it; expected Features by `rediffuse train`"


@pytest.mark.parametrize("damage", [truncated, about_with(data__classes="x"), about_with(options__width="a")])
def test_a_damaged_classifier(here: Path, capsys: Capture, damage: Damage) -> None:
    change(CLASSIFIER, damage)
    assert tiny.refused(capsys, *TABLE, *PRESET).startswith(f"{CLASSIFIER}: damaged")


# --- the state of a training that was stopped ---


@pytest.fixture
def stopped(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state that an interrupted training leaves."""

    def ten_steps(steps: range, *_: object, **__: object) -> Iterator[int]:
        yield from steps[:10]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "SAVE_EVERY", -1.0)
        patch.setattr(training, "track", ten_steps)
        assert tiny.rediffuse(*TRAIN, *PRESET) == 130
    (path,) = RESULTS.rglob("roll.pt")
    return path


def test_a_stopped_training_goes_on(stopped: Path, made: Path, capsys: Capture) -> None:
    weights = RESULTS / "runs/roll/weights.safetensors"
    weights.unlink()
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    assert "train roll: 20/20, " in capsys.readouterr().err
    assert weights.read_bytes() == (made / weights).read_bytes()
    assert not stopped.exists()


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, lambda _: b"not a state" * 20, lambda content: content[:100]])
def test_a_damaged_state_is_no_dead_end(stopped: Path, made: Path, capsys: Capture, damage: Damage) -> None:
    weights = RESULTS / "runs/roll/weights.safetensors"
    weights.unlink()
    change(stopped, damage)
    capsys.readouterr()
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    first, last = capsys.readouterr().err.splitlines()
    assert first == f"{stopped}: damaged: its checksum is another than that of its content; the work begins anew"
    assert last.startswith("train roll: 20/20, ")
    assert weights.read_bytes() == (made / weights).read_bytes()
    assert not stopped.exists()


# --- samples ---

SHARDS: dict[str, tuple[Damage, str]] = {
    "truncated": (truncated, "damaged (File is not a zip file); expected a whole .npz file, which `rediffuse sample` makes anew"),
    "empty": (emptied, "damaged (No data left in file); expected a whole .npz file, which `rediffuse sample` makes anew"),
    "a flipped bit": (flipped, "expected a whole .npz file, which `rediffuse sample` makes anew"),
    "another shape": (
        arrays_with(**{"S6-ancestral-0": np.zeros((8, 1, 4, 4), np.uint8)}),
        "S6-ancestral-0: found shape (8, 1, 4, 4); expected shape (8, 1, 8, 8): run `rediffuse sample` anew",
    ),
    "fewer samples": (
        arrays_with(**{"S6-ancestral-0": np.zeros((4, 1, 8, 8), np.uint8)}),
        "S6-ancestral-0: found shape (4, 1, 8, 8); expected shape (8, 1, 8, 8): run `rediffuse sample` anew",
    ),
    "another sampler's": (
        arrays_with(**{"S6-ancestral-0": None, "S6-0.0-0": np.zeros((8, 1, 8, 8), np.uint8)}),
        "S6-ancestral-0: found nothing; expected shape (8, 1, 8, 8): run `rediffuse sample` anew",
    ),
}


@pytest.mark.parametrize(("damage", "expected"), SHARDS.values(), ids=SHARDS.keys())
@pytest.mark.parametrize("command", [FIGURE, TABLE], ids=["figure", "table"])
def test_damaged_samples(here: Path, capsys: Capture, command: tuple[str, ...], damage: Damage, expected: str) -> None:
    change(SHARD, damage)
    line = tiny.refused(capsys, *command, *PRESET)
    assert line.startswith(f"{SHARD}: ")
    assert line.endswith(expected)


def test_an_absent_shard(here: Path, capsys: Capture) -> None:
    SHARD.unlink()
    assert tiny.refused(capsys, *FIGURE, *PRESET) == f"{SHARD}: not found; expected the file that `rediffuse sample` makes"


def test_shards_of_another_cut(here: Path, capsys: Capture) -> None:
    """The second shard in the place of the first: it holds one chunk of the three."""
    shutil.copy(SHARD.with_name("plain-2of2.npz"), SHARD)
    line = tiny.refused(capsys, *FIGURE, *PRESET)
    assert line == f"{SHARD}: S6-ancestral-0: found shape (4, 1, 8, 8); expected shape (8, 1, 8, 8): run `rediffuse sample` anew"


# --- tables and figures ---


@pytest.mark.parametrize(
    ("command", "path", "made_by"),
    [
        ("table ddpm table1", "measurements/ddpm/table1.csv", "rediffuse measure ddpm table1"),
        ("table ddim table1", "measurements/ddim/table1.csv", "rediffuse measure ddim table1"),
        ("table sohl2015 table1", "measurements/sohl2015/table1.csv", "rediffuse measure sohl2015 table1"),
        ("figure ddpm fig1", "ddpm/fig1.npz", "rediffuse measure ddpm fig1"),
        ("figure ddim fig4", "ddim/fig4.csv", "rediffuse measure ddim fig4"),
        ("figure sohl2015 fig1", "sohl2015/fig1.npz", "rediffuse measure sohl2015 fig1"),
        ("figure sohl2015 fig5", "sohl2015/fig5.npz", "rediffuse measure sohl2015 fig5"),
        ("figure sohl2015 fig_d1", "sohl2015/fig_d1.stages.json", "rediffuse measure sohl2015 fig_d1"),
        ("figure sohl2015 entropy", "sohl2015/entropy.csv", "rediffuse measure sohl2015 entropy"),
        ("figure sohl2015 ablation", "sohl2015/ablation.csv", "rediffuse table sohl2015 ablation"),
        ("table sohl2015 table_app1", "measurements/sohl2015/table_app1.csv", "rediffuse measure sohl2015 table_app1"),
        ("claims sohl2015", "sohl2015/table1.csv", "rediffuse table sohl2015 table1"),
        ("report", "sohl2015/claims.csv", "rediffuse claims sohl2015"),
    ],
)
def test_what_was_not_measured(here: Path, capsys: Capture, command: str, path: str, made_by: str) -> None:
    line = tiny.refused(capsys, *command.split(), *PRESET)
    assert line == f"{RESULTS / path}: not found; expected the file that `{made_by}` makes"


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "No columns to parse from file"), (b"\xff\x00\n", "'utf-8' codec can't decode byte"), (b'a\n"b', "Error tokenizing data")],
)
def test_a_table_that_is_none(here: Path, capsys: Capture, content: bytes, found: str) -> None:
    path = RESULTS / "measurements/ddpm/table1.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    line = tiny.refused(capsys, "table", "ddpm", "table1", *PRESET)
    assert line.startswith(f"{path}: {found}")
    assert line.endswith("; expected a CSV that `rediffuse measure ddpm table1` makes")


@pytest.mark.parametrize(
    ("file", "damage", "expected"),
    [
        (
            "fig2.npz",
            truncated,
            "damaged (File is not a zip file); expected a whole .npz file, which `rediffuse measure sohl2015 fig2` makes anew",
        ),
        ("fig2.csv", emptied, "No columns to parse from file; expected a CSV that `rediffuse measure sohl2015 fig2` makes"),
        ("fig_d1.stages.json", truncated, "expected the file that `rediffuse measure sohl2015 fig_d1` makes"),
    ],
)
def test_damaged_measurements(here: Path, capsys: Capture, file: str, damage: Damage, expected: str) -> None:
    figure, path = file.split(".")[0], RESULTS / "sohl2015" / file
    assert tiny.rediffuse("measure", "sohl2015", figure, *PRESET) == 0
    change(path, damage)
    line = tiny.refused(capsys, "figure", "sohl2015", figure, *PRESET)
    assert line.startswith(f"{path}: ")
    assert line.endswith(expected)


# --- the command line ---

NETWORKS = "bark, beat, digits, ink, leaves, rates, roll, classifier"
COMMANDS: dict[str, tuple[str, str]] = {
    "an unknown command": ("trian digits", "No such command 'trian'. Did you mean 'train'?"),
    "an unknown option": ("train digits --epochs 3", "No such option: --epochs"),
    "an option without its value": ("train digits --preset", "Option '--preset' requires an argument."),
    "a missing argument": ("train", "Missing argument 'name'."),
    "missing artifacts": ("measure ddpm", "Missing argument 'artifacts'."),
    "an argument too many": ("train digits roll", "Got unexpected extra argument(s) (roll)"),
    "an unknown data set": ("prepare mnist", "data set: found 'mnist'; expected one of bark, beat, digits, ink, leaves, roll"),
    "an unknown run": ("train rol", f"run: found 'rol'; expected one of {NETWORKS}"),
    "unknown samples": ("sample digits", "samples: found 'digits'; expected one of inks, plain, released, sweep, whole"),
    "no name": ("train ''", f"run: found ''; expected one of {NETWORKS}"),
    "a name that climbs out of its folder": ("train ../digits", f"run: found '../digits'; expected one of {NETWORKS}"),
    "a shard that is no number": ("sample plain --shard first", "Invalid value for '--shard': "),
    "shard 0": ("sample plain --shard 0", "--shard: found 0; expected 1 to 2, the shards of samples.plain"),
    "shard 3 of 2": ("sample plain --shard 3", "--shard: found 3; expected 1 to 2, the shards of samples.plain"),
    "an unknown paper": ("measure ddqm table1", "paper: found 'ddqm'; expected one of sohl2015, ddpm, ddim"),
    "an unknown table": ("table ddpm table9", "artifact: found 'table9'; expected one of table1"),
    "an unknown figure": ("figure ddim fig99", "artifact: found 'fig99'; expected one of "),
    "an unknown measurement": ("measure ddpm fig99", "artifact: found 'fig99'; expected one of "),
    "an unknown artifact after a known one": ("measure ddpm fig1 fig99", "artifact: found 'fig99'; expected one of "),
    "an unknown device": ("train roll --device tpu", "--device: found 'tpu'; expected auto, cpu, or cuda where torch has it"),
    "a GPU that is not there": (
        "sample plain --device cuda:99",
        "--device: found 'cuda:99'; expected auto, cpu, or cuda where torch has it",
    ),
}


@pytest.mark.parametrize(("command", "expected"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_that_is_none(here: Path, capsys: Capture, command: str, expected: str) -> None:
    arguments = [word.strip("'") for word in command.split()]
    line = tiny.refused(capsys, *arguments, *(() if "--preset" in arguments else PRESET))
    assert line.startswith(expected)


def test_a_device_that_cannot_compute(here: Path, capsys: Capture) -> None:
    assert tiny.refused(capsys, *TRAIN, *PRESET, "--device", "meta").startswith("--device: found 'meta'; ")


# --- the disk ---


WAYS = {
    "prepare roll": ("data", "data/.roll-"),
    "train roll": ("results/tiny/runs", "results/tiny/runs/roll/"),
    "sample plain": ("results/tiny/samples", "results/tiny/samples/digits/plain-1of2.npz"),
    "measure ddpm fig1": ("results/tiny/ddpm", "results/tiny/ddpm/fig1.npz"),
}


@pytest.mark.parametrize(("command", "way", "written"), [(command, *ways) for command, ways in WAYS.items()], ids=WAYS.keys())
def test_a_file_in_the_way_of_a_folder(here: Path, capsys: Capture, command: str, way: str, written: str) -> None:
    """Nobody can write below a file, the root user neither."""
    shutil.rmtree(way, ignore_errors=True)
    Path(way).write_text("not a folder")
    line = tiny.refused(capsys, *command.split(), *PRESET, after_work=True)
    assert line.startswith(written)
    assert "could not be written: " in line
    assert line.endswith(ROOM)


def test_a_file_in_the_way_of_all_results(here: Path, capsys: Capture) -> None:
    shutil.rmtree("results")
    Path("results").write_text("not a folder")
    assert tiny.refused(capsys, *TRAIN, *PRESET, after_work=True).endswith(ROOM)


OUTPUTS = ["prepare roll", "train roll", "sample plain", "measure ddpm fig1"]


@pytest.mark.parametrize("command", OUTPUTS)
def test_files_that_may_not_grow(here: Path, capsys: Capture, command: str) -> None:
    """The kernel refuses the rest of a write, as a full disk does; what was there before stays whole."""
    with tiny.no_file_over(64):
        line = tiny.refused(capsys, *command.split(), *PRESET, after_work=True)
    assert line.endswith(f"could not be written: File too large; {ROOM}")


@pytest.fixture
def full(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder on a disk of its own with no room left."""
    disk = here.with_name("disk")
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "rediffuse-test", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        shutil.copytree(here, disk, dirs_exist_ok=True)
        with pytest.raises(OSError, match="No space left"), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        monkeypatch.chdir(disk)
        yield disk
    finally:
        os.chdir(here)
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_full_disk(full: Path, capsys: Capture, command: str) -> None:
    line = tiny.refused(capsys, *command.split(), *PRESET, after_work=True)
    assert line.endswith(f"could not be written: No space left on device; {ROOM}")


@pytest.mark.parametrize("command", ["sample plain", "measure ddpm table4"])
def test_a_full_disk_while_parts_are_kept(full: Path, made: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The job ends with its one line; when there is room, the same command makes what it would have made."""
    monkeypatch.setattr(resume, "SAVE_EVERY", -1.0)
    line = tiny.refused(capsys, *command.split(), *PRESET, after_work=True)
    assert line.startswith(f"{RESULTS}/.state/")
    assert line.endswith(f"could not be written: No space left on device; {ROOM}")
    (full / "filler").unlink()
    assert tiny.rediffuse(*command.split(), *PRESET) == 0
    assert SHARD.read_bytes() == (made / SHARD).read_bytes()


def test_a_full_disk_while_a_state_is_kept(stopped: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of before stays whole, so that the training goes on from there when there is room."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(training, "SAVE_EVERY", -1.0)
        patch.setattr(os, "fsync", fail)
        line = tiny.refused(capsys, *TRAIN, *PRESET)
    assert line == f"{stopped}: could not be written: No space left on device; {ROOM}"
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0


def test_a_full_disk_at_the_end_of_a_training_loses_nothing(stopped: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        tiny.refused(capsys, *TRAIN, *PRESET, after_work=True)
    assert tiny.rediffuse(*TRAIN, *PRESET) == 0
    assert "train roll: 20/20, " in capsys.readouterr().err
