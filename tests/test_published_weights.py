"""`rediffuse import-weights`: what diffusers saves, read into ours, puts out what diffusers puts out; and files that are not that."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from tiny import GONE
from torch import Tensor
from witness import WITNESS_UNET, cifar10, randomise

from rediffuse.files import sha256
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.published_weights import CIFAR10, RENAMED
from rediffuse.runs import load_run

Capture = pytest.CaptureFixture[str]
CPU = torch.device("cpu")
NETWORK = {"kind": "unet", "base_channels": 8, "multipliers": [1, 2], "res_blocks": 1, "attention": [4], "dropout": 0.0, "groups": 4}


def witness() -> Any:
    theirs = WITNESS_UNET(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    ).eval()
    randomise(theirs)
    return theirs


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tiny preset, its run `digits` of the witness's shape, and the witness's weights."""
    monkeypatch.chdir(tmp_path)
    tiny.write(Path("tiny.yaml"), tiny.preset({"runs.digits.network": NETWORK, "papers.ddpm.table2": GONE}))
    assert tiny.rediffuse("prepare", "digits", "--preset", "tiny.yaml") == 0
    save_file(witness().state_dict(), "unet.safetensors")
    return tmp_path


IMPORT = ("import-weights", "unet.safetensors", "--run", "digits", "--preset", "tiny.yaml")


def assert_same(layout: Layout) -> None:
    x, t = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 3, 4, 5])
    loaded = load_run(layout.weights("digits"), CPU, layout.preset.runs["digits"])
    with torch.no_grad():
        expected = witness()(x, t).sample
        assert expected.std() > 0.1
        torch.testing.assert_close(loaded.network(x, t), expected, rtol=0, atol=1e-5)


def test_weights_that_a_training_was_to_keep_on_the_way_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.write(tmp_path / "tiny.yaml", tiny.preset({"runs.digits.training.keep": [15]}))
    line = tiny.refused(capsys, *IMPORT)
    assert line.startswith("runs.digits.training.keep: found [15]; expected nothing of a run that is imported")
    assert not [*tmp_path.rglob("*.safetensors")]


def test_what_is_imported_puts_out_what_diffusers_puts_out_and_is_sampled_and_measured(here: Path, capsys: Capture) -> None:
    assert tiny.rediffuse(*IMPORT) == 0
    told = f"44,969 parameters from unet.safetensors, sha256 {sha256(Path('unet.safetensors').read_bytes())}"
    assert capsys.readouterr().out == f"{told}: results/tiny/runs/digits/weights.safetensors\n"
    layout = Layout("tiny", load_preset(Path("tiny.yaml")))
    assert_same(layout)
    assert {path.name for path in layout.run("digits").iterdir()} == {"weights.safetensors", "history.csv", "record.json"}
    for command in ("sample plain --shard 1", "measure ddpm table4"):
        assert tiny.rediffuse(*command.split(), "--preset", "tiny.yaml") == 0


def test_attention_by_its_former_names_and_in_half_precision(here: Path) -> None:
    former = {new: old for old, new in RENAMED.items()}
    tensors: dict[str, Tensor] = {}
    for name, tensor in load_file("unet.safetensors").items():
        for new, old in former.items():
            name = name.replace(f".{new}.", f".{old}.")
        tensors[name] = tensor
    assert sum(".query." in name for name in tensors) == 2 * 4  # down, middle, and two on the way up; weight and bias
    save_file(tensors, "unet.safetensors")
    assert tiny.rediffuse(*IMPORT) == 0
    assert_same(Layout("tiny", load_preset(Path("tiny.yaml"))))
    save_file({name: tensor.half() for name, tensor in tensors.items()}, "unet.safetensors")
    assert tiny.rediffuse(*IMPORT) == 0
    tensors = load_file("results/tiny/runs/digits/weights.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_the_published_cifar10_unet_needs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = cifar10().eval()
    randomise(theirs)
    save_file(theirs.state_dict(), "ddpm.safetensors")
    assert tiny.rediffuse("import-weights", "ddpm.safetensors") == 0
    loaded = load_run(Path("results/imported/ddpm/weights.safetensors"), CPU, CIFAR10)
    x, t = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 999])
    with torch.no_grad():
        expected = theirs(x, t).sample
        torch.testing.assert_close(loaded.network(x, t), expected, rtol=1e-5, atol=1e-5)
    assert loaded.about.levels == 256 and loaded.T == 1000


def without(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


CONV, BIAS = "down_blocks.0.resnets.0.conv1.weight", "mid_block.attentions.0.to_q.bias"
WRONG = {
    "missing": (lambda t: without(t, CONV), f"1 missing ({CONV})"),
    "unknown": (lambda t: t | {"extra.weight": torch.ones(2)}, "1 unknown (extra.weight)"),
    "misshapen": (lambda t: t | {CONV: torch.ones(3, 3)}, f"1 misshapen ({CONV}: (3, 3), expected (8, 8, 3, 3))"),
    "an attention's bias": (lambda t: t | {BIAS: torch.ones(3)}, f"1 misshapen ({BIAS}: (3,), expected (16,))"),
    "integers": (lambda t: t | {BIAS: torch.ones(16, dtype=torch.int64)}, f"1 not of finite floats ({BIAS})"),
    "not finite": (lambda t: t | {BIAS: torch.full((16,), torch.nan)}, f"1 not of finite floats ({BIAS})"),
    "all at once": (
        lambda t: without(t, BIAS) | {"extra": torch.ones(1), CONV: torch.ones(1)},
        f"1 missing ({BIAS}); 1 unknown (extra); 1 misshapen ({CONV}: (1,), expected (8, 8, 3, 3))",
    ),
    "another network": (
        lambda t: {f"layer{k}": torch.ones(1) for k in range(9)},
        "9 unknown (layer0, layer1, layer2, layer3, layer4, and 4 more)",
    ),
}


@pytest.mark.parametrize(("change", "found"), WRONG.values(), ids=WRONG.keys())
def test_wrong_tensors_are_named_in_one_line(here: Path, capsys: Capture, change: Any, found: str) -> None:
    save_file(change(load_file("unet.safetensors")), "unet.safetensors")
    line = tiny.refused(capsys, *IMPORT)
    assert line.startswith("unet.safetensors: found ") and found in line
    assert line.endswith("; expected the 144 tensors of this U-Net in diffusers' layout")


def test_files_that_are_no_safetensors(here: Path, capsys: Capture) -> None:
    content = Path("unet.safetensors").read_bytes()
    for damaged in (b"", b"PK\x03\x04 a pickle", content[:-100], content[:50]):
        Path("unet.safetensors").write_bytes(damaged)
        assert tiny.refused(capsys, *IMPORT).startswith("unet.safetensors: not a whole safetensors file (")
    Path("unet.safetensors").unlink()
    assert tiny.refused(capsys, *IMPORT) == "unet.safetensors: not found; expected a U-Net's weights in diffusers' layout"
    Path("unet.safetensors").mkdir()
    assert tiny.refused(capsys, *IMPORT).startswith("unet.safetensors: could not be read: Is a directory")


def test_a_run_that_is_no_such_unet(here: Path, capsys: Capture) -> None:
    for run, found in (("leaves", "a multi-scale that predicts attractor"), ("roll", "a rbf that predicts residual")):
        assert tiny.rediffuse("prepare", run, "--preset", "tiny.yaml") == 0
        line = tiny.refused(capsys, *IMPORT[:3], run, *IMPORT[4:])
        assert found in line and line.endswith("expected a unet that predicts eps, with a fixed variance")
    assert tiny.refused(capsys, *IMPORT[:3], "nobody", *IMPORT[4:]).startswith("run: found 'nobody'; expected one of ")
