"""Inception as features: its weights, and that images, features, distances and scores are torch-fidelity's."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import inception
import numpy as np
import pytest
import tiny
import torch
from tiny import rediffuse, refused
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric

from rediffuse import inception_weights
from rediffuse.config import Features, InceptionFeatures
from rediffuse.metrics.features import measure
from rediffuse.metrics.frechet import Statistics, frechet_distance
from rediffuse.metrics.inception_score import inception_score
from rediffuse.networks.inception import Inception, levels
from rediffuse.paths import RAW, Layout
from rediffuse.pipeline import recipes
from rediffuse.presets import load_preset
from rediffuse.runs import load_features

CPU = torch.device("cpu")
ON_INCEPTION = {f"papers.ddim.{artifact}.features": "inception" for artifact in ("table1", "table1_released", "fig5", "frontier")}
ON_INCEPTION |= {f"papers.ddpm.{artifact}.features": "inception" for artifact in ("table1", "table2", "conventions", "fig10", "fig15")}
PRESET = tiny.preset({"features": {"inception": {"kind": "inception"}}, **ON_INCEPTION})
WEIGHTS = Path("results/tiny/runs/inception/weights.safetensors")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a preset on Inception, and no network."""

    def refuse(*arguments: object, **keys: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.chdir(tmp_path)
    tiny.write(Path("tiny.yaml"), PRESET)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `rediffuse train inception` took made-up weights."""
    folder = tmp_path_factory.mktemp("inception")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tiny.write(Path("tiny.yaml"), PRESET)
        inception.made_up(patch)
        assert rediffuse("train", "inception", "-p", "tiny.yaml") == 0
    return folder


@pytest.fixture
def network(taken: Path) -> Inception:
    found = load_features(taken / WEIGHTS, CPU, InceptionFeatures(kind="inception"))
    assert isinstance(found, Inception)
    return found


def images(n: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth ones of grey levels: noise gives features that hardly differ."""
    coarse = torch.from_numpy(np.random.default_rng(seed).random((n, channels, 4, 4)))
    fine = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    return (fine * 255).round().numpy().astype(np.uint8)


def seen(grey: np.ndarray) -> np.ndarray:
    """As networks see them."""
    return (grey * (2 / 255) - 1).astype(np.float32)


# --- features ---


def test_features_and_scores_are_torch_fidelitys(taken: Path, network: Inception) -> None:
    """From 8-bit images by way of [-1, 1], in other batches."""
    (path,) = (taken / RAW).glob("*.pth")
    theirs = FeatureExtractorInceptionV3("theirs", ["2048", "logits_unbiased"], feature_extractor_weights_path=path)
    grey = images(20)
    with torch.inference_mode():
        features, logits = theirs(torch.from_numpy(grey))
    assert features.std() > 0.1, "made-up weights that tell images apart"
    ours = measure(network, seen(grey), batch=8)
    np.testing.assert_allclose(ours.features, features.numpy(), rtol=1e-5, atol=1e-5 * float(features.std()))
    np.testing.assert_allclose(ours.log_probabilities, torch.log_softmax(logits, 1).numpy(), rtol=1e-5, atol=1e-5)
    score = isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    assert inception_score(ours.log_probabilities) == pytest.approx(tuple(score.values()), rel=1e-5)
    # Of the first eight: torch-fidelity takes half a minute for 2048.
    distance = fid_statistics_to_metric(*(fid_features_to_statistics(f) for f in features[:, :8].double().split(10)), verbose=False)
    halves = [Statistics.of(half) for half in np.split(ours.features[:, :8], 2)]
    assert frechet_distance(*halves) == pytest.approx(distance["frechet_inception_distance"], rel=1e-4)


def test_samples_are_rounded_to_8_bits_and_none_is_moved() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    x = torch.from_numpy(seen(every))
    assert levels(x).shape == (1, 3, 16, 16)
    for moved, expected in ((0.0, every), (0.99 / 255, every), (-0.99 / 255, every), (3.0, np.full_like(every, 255))):
        assert (levels(x + moved)[:, :1].numpy() == expected).all()


def test_grey_images_are_given_to_all_colours(network: Inception) -> None:
    grey = seen(images(2, channels=1))
    np.testing.assert_array_equal(measure(network, grey).features, measure(network, np.repeat(grey, 3, axis=1)).features)


@pytest.mark.parametrize("n", [300, 40])
def test_the_distance_is_torch_fidelitys_on_features_of_many_sizes(n: int) -> None:
    """Non-negative, of deviations over two decades, as Inception's are; n also below the number of features."""
    generator = np.random.default_rng(0)
    a, b = (np.abs(generator.standard_normal((k, 96)) + shift) * np.geomspace(1, 0.01, 96) for k, shift in ((n, 0.2), (400, 0.0)))
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(torch.from_numpy(f)) for f in (a, b)), verbose=False)
    ours = frechet_distance(sum((Statistics.of(part) for part in np.array_split(a, 3)), Statistics.of(a[:0])), Statistics.of(b))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


# --- the weights ---


@pytest.mark.parametrize("name", inception_weights.NAMES)
def test_weights_are_taken_from_data_raw(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    inception.made_up(monkeypatch, name)
    assert rediffuse("train", "inception", "-p", "tiny.yaml") == 0
    recipe = recipes.train(Layout("tiny", load_preset(Path("tiny.yaml"))), "inception")
    assert all(path.is_file() for path in [*recipe.makes, recipe.record])
    assert recipe.reads == [] and "torch-fidelity" in recipe.pins
    assert WEIGHTS in recipe.makes


def test_without_the_file_and_a_network_one_line_says_what_to_put_where(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "train", "inception", "-p", "tiny.yaml", after_work=True)
    assert line.startswith(f"{RAW / inception_weights.NAMES[0]}: not found, and could not be downloaded (<urlopen error no network>)")
    assert f"sha256 {inception_weights.SHA256}" in line


def test_a_file_that_is_another_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = RAW / inception_weights.NAMES[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    line = refused(capsys, "train", "inception", "-p", "tiny.yaml", after_work=True)
    assert line.startswith(f"{path}: found sha256 ") and "expected 6726825d0af5...: remove it" in line


def test_what_is_downloaded_is_kept_in_data_raw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = inception.made_up(monkeypatch).rename(tmp_path / "elsewhere")
    asked = []

    def download(url: str, path: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], hash_prefix))
        shutil.copy(elsewhere, path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        assert rediffuse("train", "inception", "-p", "tiny.yaml") == 0
    assert asked == [(inception_weights.NAMES[0], inception_weights.SHA256)], "once"


def test_weights_of_a_classifier_are_not_inceptions(taken: Path) -> None:
    classifier = Features.model_validate(tiny.PRESET["features"]["classifier"])
    with pytest.raises(Exception, match="found InceptionFeatures in it; expected Features"):
        load_features(taken / WEIGHTS, CPU, classifier)


# --- in the pipeline ---


def test_only_what_is_measured_on_inception_depends_on_torch_fidelity() -> None:
    layout = Layout("tiny", load_preset(Path("tiny.yaml")))
    tiny.write(Path("own.yaml"), tiny.preset())
    own = Layout("tiny", load_preset(Path("own.yaml")))
    for paper, artifact, expected in (("ddpm", "table1", True), ("ddpm", "table4", False), ("ddim", "frontier", True)):
        assert ("torch-fidelity" in recipes.measure(layout, paper, artifact).pins) == expected
        assert "torch-fidelity" not in recipes.measure(own, paper, artifact).pins
    reads = recipes.measure(layout, "ddpm", "table1").reads
    assert WEIGHTS in reads and not [path for path in reads if "inception" in path.parts and path != WEIGHTS]


def test_a_classifiers_kind_came_later_and_makes_nothing_anew() -> None:
    tiny.write(Path("own.yaml"), tiny.preset())
    recipe = recipes.train(Layout("tiny", load_preset(Path("own.yaml"))), "classifier")
    known: dict[str, Any] = recipe.params()["options"]
    assert known["run"].pop("kind") == "classifier"
    assert recipe.params(known)["options"] == known


def test_a_table_on_inception_is_made_whole(taken: Path, tiny_results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """DDPM's conventions on few features of it: the names of the features stand in the table and below it."""
    shutil.copytree(tiny_results("ddpm"), "made", dirs_exist_ok=True)
    monkeypatch.chdir("made")
    changes = {"features.inception": {"kind": "inception"}, "papers.ddpm.conventions.features": "inception"}
    tiny.write(Path("tiny.yaml"), tiny.preset(tiny.ALONE["ddpm"] | changes))
    shutil.copytree(taken / WEIGHTS.parent, WEIGHTS.parent)
    inception.narrow(monkeypatch)
    for verb in ("measure", "table"):
        assert rediffuse(verb, "ddpm", "conventions", "-p", "tiny.yaml") == 0
    assert "Inception's features (torch-fidelity's port" in Path("results/tiny/ddpm/conventions.md").read_text(encoding="utf-8")
