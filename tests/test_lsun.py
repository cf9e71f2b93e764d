"""LSUN, from made-up images in lmdbs as it is published in."""

import io
import json
import os
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from PIL import Image
from pydantic import TypeAdapter

from rediffuse.config import LSUN, Dataset
from rediffuse.datasets import lsun
from rediffuse.datasets.prepare import prepare
from rediffuse.datasets.prepared import Prepared, load
from rediffuse.errors import UserError
from rediffuse.presets import load_preset

RAW = Path("data/raw/lsun")
TRAIN, VAL = RAW / "bedroom_train_lmdb", RAW / "bedroom_val_lmdb"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def photograph(seed: int, height: int = 8, width: int = 13) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def packed(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WebP", lossless=True)
    return file.getvalue()


def write(folder: Path, files: list[bytes]) -> None:
    """An lmdb: every file's key is a hash, and the first files have the least."""
    lmdb = pytest.importorskip("lmdb", reason="lmdb is not installed: pip install lmdb")
    folder.mkdir(parents=True)
    keys = sorted(sha1(bytes([k])).hexdigest().encode() for k in range(len(files)))
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        for key, file in reversed([*zip(keys, files, strict=True)]):
            transaction.put(key, file)
    (folder / "lock.mdb").unlink()


@pytest.fixture
def bedrooms() -> list[bytes]:
    """Five to train on and three to test on, the latter."""
    files = [packed(photograph(k)) for k in range(8)]
    write(TRAIN, files[:5])
    write(VAL, files[5:])
    return files


def options(**given: Any) -> LSUN:
    return TypeAdapter(Dataset).validate_python({"kind": "lsun", "category": "bedroom", "size": 8, "train": 5, "test": 3} | given)


def prepared(**given: Any) -> Prepared:
    prepare("name", options(**given), Path("out"))
    return load(Path("out"))


def told(**given: Any) -> str:
    """The line with which a data set is refused; nothing is written."""
    before = set(Path().rglob("*"))
    with pytest.raises(UserError) as error:
        prepared(**given)
    assert set(Path().rglob("*")) == before
    assert "\n" not in str(error.value)
    return str(error.value)


# --- what is read ---


def test_the_square_in_the_middle_is_read_in_the_order_of_the_keys(bedrooms: list[bytes]) -> None:
    before = tiny.files(Path("data"))
    data = prepared()
    assert tiny.files(Path("data")) == before, "an lmdb is not written to"
    assert (data.shape, data.levels, data.classes) == ((3, 8, 8), 256, None)
    for split, first in (("train", 0), ("test", 5)):
        for k, image in enumerate(data.arrays[f"x_{split}"]):
            assert np.array_equal(image, photograph(first + k)[:, 2:10].transpose(2, 0, 1))
    np.testing.assert_allclose(data.x("test"), data.arrays["x_test"] / 127.5 - 1, atol=1e-6)
    about = json.loads(Path("out/dataset.json").read_text())
    assert about["title"] == "LSUN-Bedroom (first 5 training and 3 test images) 8 x 8"
    assert about["source"] == {
        "lsun/bedroom_train_lmdb": {"images": 5, "sha256": sha256(b"".join(bedrooms[:5])).hexdigest()},
        "lsun/bedroom_val_lmdb": {"images": 3, "sha256": sha256(b"".join(bedrooms[5:])).hexdigest()},
    }


def test_the_first_so_many_are_read_and_said(bedrooms: list[bytes]) -> None:
    data = prepared(train=2, test=2)
    assert np.array_equal(data.arrays["x_train"][1], photograph(1)[:, 2:10].transpose(2, 0, 1))
    assert [len(data.arrays[f"x_{split}"]) for split in ("train", "test")] == [2, 2]
    assert json.loads(Path("out/dataset.json").read_text())["source"]["lsun/bedroom_train_lmdb"]["images"] == 2


def test_cats_are_tested_on_those_after_the_ones_to_train_on() -> None:
    files = [packed(photograph(k, 8 + k, 8)) for k in range(6)]
    write(RAW / "cat", files)
    data = prepared(category="cat", train=3, test=2)
    for k, image in enumerate([*data.arrays["x_train"], *data.arrays["x_test"]]):
        assert np.array_equal(image, photograph(k, 8 + k, 8)[k // 2 : k // 2 + 8].transpose(2, 0, 1)), "of an upright one the middle rows"
    source = json.loads(Path("out/dataset.json").read_text())["source"]
    assert source == {"lsun/cat": {"images": 5, "sha256": sha256(b"".join(files[:5])).hexdigest()}}


def test_images_are_scaled_by_lanczoss_filter() -> None:
    """sinc(d) sinc(d / 3), d in pixels of the result, at most 3; rows and columns each by weights whose sum is 1."""
    blocks = np.kron(photograph(0, 8, 11), np.ones((4, 4, 1), np.uint8))  # 32 x 44
    for folder in (TRAIN, VAL):
        write(folder, [packed(blocks)] * 2)
    d = (np.arange(32) + 0.5) / 2 - (np.arange(16)[:, None] + 0.5)
    weights = np.where(np.abs(d) < 3, np.sinc(d) * np.sinc(d / 3), 0)
    weights /= weights.sum(1, keepdims=True)
    expected = np.einsum("ij,kl,jlc->cik", weights, weights, blocks[:, 6:38].astype(float)).clip(0, 255)
    found = prepared(size=16, train=2, test=2).arrays["x_train"][0]
    bilinear = np.asarray(Image.fromarray(blocks[:, 6:38]).resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    # Pillow rounds, and clips, between rows and columns.
    assert np.abs(found - expected).mean() < 1
    assert np.abs(bilinear - expected).mean() > 3


# --- what is refused ---


def test_an_absent_lmdb_is_told_in_a_line_with_what_to_put_where() -> None:
    unpack = "unpack bedroom_{}_lmdb.zip, of LSUN's authors, in data/raw/lsun"
    assert told() == f"{TRAIN}/data.mdb: not found; expected it of LSUN, which is not downloaded: {unpack.format('train')}"
    TRAIN.mkdir(parents=True)
    (TRAIN / "data.mdb").touch()
    assert told() == f"{VAL}/data.mdb: not found; expected it of LSUN, which is not downloaded: {unpack.format('val')}"
    assert told(category="cat").endswith(": unpack cat.zip, of LSUN's authors, in data/raw/lsun")


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (TRAIN, VAL):
        folder.mkdir(parents=True)
        (folder / "data.mdb").touch()
    monkeypatch.setattr(lsun, "find_spec", lambda _: None)
    assert told() == "lmdb: not installed; expected it, which LSUN is read with: pip install lmdb"


@pytest.mark.parametrize("damage", [lambda file: file[: len(file) // 2], lambda file: b"", lambda file: b"no image"])
def test_a_damaged_image_is_named(damage: Any) -> None:
    files = [packed(photograph(k)) for k in range(3)]
    write(TRAIN, [files[0], damage(files[1]), files[2]])
    write(VAL, files)
    key = sorted(sha1(bytes([k])).hexdigest() for k in range(3))[1]
    assert told(train=3) == f"{TRAIN}: {key}: found no whole image; expected one that Pillow reads, JPEG or WebP"
    assert len(prepared(train=1).arrays["x_train"]) == 1, "one that is not asked for is not read"


def test_a_truncated_lmdb_is_refused(bedrooms: list[bytes]) -> None:
    """Reading a page beyond its end would end the process without a word."""
    file = TRAIN / "data.mdb"
    content = file.read_bytes()
    os.truncate(file, len(content) - 4096)
    line = f"{file}: found {len(content) - 4096} bytes; expected {len(content)} by its own header: unpack it anew"
    assert told() == line


@pytest.mark.parametrize("content", [b"", b"no lmdb", bytes(8192)])
def test_what_is_no_lmdb_is_refused(bedrooms: list[bytes], content: bytes) -> None:
    (VAL / "data.mdb").write_bytes(content)
    line = told()
    assert line.startswith(f"{VAL}: could not be read (") and line.endswith("); expected a whole lmdb of LSUN")


def test_too_few_images_are_told_before_any_is_read(bedrooms: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsun, "_square", None)
    assert told(train=6) == f"{TRAIN}: found 5 images; expected at least the 6 that are asked for"


def test_more_images_than_memory_holds_are_told(bedrooms: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*shape: object) -> None:
        raise MemoryError

    monkeypatch.setattr(lsun.np, "empty", full)
    line = f"{TRAIN}: found no memory for 3000000 images of 256 x 256, 590 GB; expected fewer: lower train"
    assert told(train=3000000, size=256) == line


# --- options ---


def test_all_of_a_category_at_256_is_what_is_published() -> None:
    whole = {"bedroom": (3033042, 300), "church_outdoor": (126227, 300), "cat": (1656966, 300)}
    for category, (train, test) in whole.items():
        assert options(category=category, size=256, train=train, test=test).is_whole
        assert not options(category=category, size=64, train=train, test=test).is_whole
        assert not options(category=category, size=256, train=train - 1, test=test).is_whole
    assert [options(category=category).published for category in whole] == ["LSUN-Bedroom", "LSUN-Church", "LSUN-Cat"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"category": "church_outdoor", "train": 126228}, "found 126228; expected at most 126227"),
        ({"category": "cat", "train": 1657266}, "found 1657266; expected at most 1657263"),
        ({"test": 301}, "found 301; expected at most 300"),
        ({"category": "dog"}, "found 'dog'; expected 'bedroom', 'church_outdoor' or 'cat'"),
        ({"size": 512}, "found 512; expected less than or equal to 256"),
    ],
)
def test_more_than_there_is_is_refused(given: dict[str, Any], expected: str) -> None:
    line = refused({"mine": options().model_dump() | given})
    assert line == f"tiny.yaml: datasets.mine.{next(reversed(given))}: {expected}"


def test_how_many_to_train_on_is_the_users_to_say() -> None:
    assert refused({"mine": {"kind": "lsun", "category": "bedroom"}}) == "tiny.yaml: datasets.mine.train: not given; expected a value"


def test_a_published_name_is_said_only_of_the_whole() -> None:
    whole = {"kind": "lsun", "category": "cat", "train": 1656966}
    expected = "tiny.yaml: datasets: found 'LSUN-Cat'; expected another name: LSUN-Cat is said only of the whole of it"
    assert refused({"LSUN-Cat": whole | {"train": 10}}) == expected
    assert load_preset(tiny.write(Path("tiny.yaml"), {"datasets": {"LSUN-Cat": whole}, "runs": {}, "papers": {}})).datasets
    assert refused({"LSUN-Bedroom": whole}).startswith("tiny.yaml: datasets: found 'LSUN-Bedroom'; ")


def refused(datasets: dict[str, Any]) -> str:
    with pytest.raises(UserError) as error:
        load_preset(tiny.write(Path("tiny.yaml"), {"datasets": datasets, "runs": {}, "papers": {}}))
    return str(error.value)
