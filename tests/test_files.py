"""Files: written whole or not at all, the same content in the same bytes, and a damaged one named."""

import errno
import io
import json
import os
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import save

from rediffuse import files
from rediffuse.errors import UserError

resource = pytest.importorskip("resource", reason="a Unix module")

ROOM = "expected a folder with room that you may write to"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder. A relative path from it needs no right to the folders above."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(path: Path, content: bytes = b"new") -> str:
    """The line with which a write is refused; no file may have changed."""
    before = tiny.files(Path())
    with pytest.raises(UserError) as error:
        files.write_bytes(path, content)
    assert tiny.files(Path()) == before
    assert "\n" not in str(error.value)
    return str(error.value)


# --- writing ---


def test_a_file_is_written_with_its_folders(here: Path) -> None:
    files.write_bytes(here / "a" / "b" / "c.bin", b"\x00content")
    assert tiny.files(here) == {"a/b/c.bin": b"\x00content"}


def test_a_file_replaces_an_older_one_in_one_move(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here / "a.txt"
    path.write_text("older")
    with path.open("rb") as reader:
        seen = []
        monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_text()))
        files.write_text(path, "newer")
        assert seen == ["older", "newer"], "the content is on the disk before the file is another, then the folder with its name"
        assert reader.read() == b"older", "a reader that is in the middle of it sees another file"
    assert tiny.files(here) == {"a.txt": b"newer"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    path = Path("results/weights.bin")
    assert refused(path) == f"{path}: could not be written: {os.strerror(code)}; {ROOM}"
    path.write_text("older")
    refused(path)
    assert tiny.files(here) == {"results/weights.bin": b"older"}


def test_a_full_disk_leaves_nothing(here: Path) -> None:
    path, largest = Path("weights.bin"), 1000
    path.write_text("older")
    with tiny.no_file_over(largest):
        assert refused(path, bytes(largest + 1)) == f"{path}: could not be written: {os.strerror(errno.EFBIG)}; {ROOM}"
        files.write_bytes(path, bytes(largest))
    assert path.stat().st_size == largest


def test_an_interrupt_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    (here / "a.txt").write_text("older")
    with pytest.raises(KeyboardInterrupt):
        files.write_text(here / "a.txt", "newer")
    assert tiny.files(here) == {"a.txt": b"older"}


KILLED = """
import os, signal, sys
from pathlib import Path
from rediffuse import files
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == "killed" else (print(flush=True), sys.stdin.readline())
files.write_text(Path("a.txt"), "newer")
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_one(here: Path) -> None:
    (here / "a.txt").write_text("older")
    (here / ".a.txt.mine").write_text("another's")
    subprocess.run([sys.executable, "-c", KILLED, "killed"], check=False)
    (left,) = here.glob(".a.txt.*.part")
    assert left.read_text() == "newer"
    assert (here / "a.txt").read_text() == "older"
    files.write_text(here / "b.txt", "")
    assert left.exists(), "of another file"
    files.write_text(here / "a.txt", "newest")
    assert tiny.files(here) == {"a.txt": b"newest", "b.txt": b"", ".a.txt.mine": b"another's"}


def test_what_a_living_writer_writes_is_left_alone(here: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", KILLED, "living"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    writer.stdout.readline()
    files.sweep(here)
    files.write_text(here / "a.txt", "mine")
    assert len(list(here.glob(".a.txt.*.part"))) == 1
    assert writer.communicate("\n\n")[0] is not None
    assert writer.returncode == 0
    assert tiny.files(here) == {"a.txt": b"newer"}


def test_an_empty_one_may_be_about_to_be_locked(here: Path) -> None:
    young, old = here / ".a.txt.1.part", here / ".a.txt.2.part"
    young.touch()
    old.touch()
    os.utime(old, (0, 0))
    files.sweep(here)
    assert tiny.files(here) == {young.name: b""}


def test_a_file_in_the_way_of_a_folder_is_told(here: Path) -> None:
    (here / "results").write_text("not a folder")
    assert refused(Path("results/a.txt")) == f"results/a.txt: could not be written: {os.strerror(errno.EEXIST)}; {ROOM}"
    line = refused(Path("results/runs/a.txt"))
    assert line == f"results/runs/a.txt: could not be written: {os.strerror(errno.ENOTDIR)}; {ROOM}"


def test_a_folder_in_the_way_of_a_file_is_told(here: Path) -> None:
    (here / "a.txt").mkdir()
    assert refused(Path("a.txt")) == f"a.txt: could not be written: {os.strerror(errno.EISDIR)}; {ROOM}"


def test_a_name_that_no_disk_takes_is_told(here: Path) -> None:
    assert f"could not be written: {os.strerror(errno.ENAMETOOLONG)}" in refused(here / ("a" * 300))


def test_a_folder_that_may_not_be_written_is_told(here: Path) -> None:
    folder = Path("results")
    folder.mkdir()
    (folder / "a.txt").write_text("older")
    folder.chmod(0o555)
    here.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # nobody: the root user may write everywhere
    try:
        with pytest.raises(UserError) as error:
            files.write_bytes(folder / "a.txt", b"newer")
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
    assert str(error.value) == f"results/a.txt: could not be written: {os.strerror(errno.EACCES)}; {ROOM}"
    assert tiny.files(here) == {"results/a.txt": b"older"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664), (0o077, 0o600)])
def test_the_rights_are_those_that_the_user_gives_new_files(here: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        files.write_text(here / "a.txt", "")
        assert os.umask(umask) == umask, "the mask is another than before"
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / "a.txt").stat().st_mode) == mode


def test_text_is_utf_8_and_json_is_for_people(here: Path) -> None:
    files.write_json(here / "a.json", {"claim": "Fréchet ≤ 1", "n": 2})
    assert (here / "a.json").read_bytes() == '{\n  "claim": "Fréchet ≤ 1",\n  "n": 2\n}\n'.encode()
    assert files.read_json(here / "a.json", "us") == {"claim": "Fréchet ≤ 1", "n": 2}


# --- arrays ---


def test_arrays_come_back_as_they_were(here: Path) -> None:
    arrays = {
        "x_train": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "y": np.array([0.5, -0.0, np.inf]),
        "empty": np.zeros((0, 2), np.float32),
    }
    files.write_arrays(here / "a.npz", arrays)
    back = files.read_arrays(here / "a.npz", "us")
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_the_same_arrays_are_the_same_bytes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"b": np.linspace(0, 1, 1000), "a": np.arange(1000, dtype=np.uint8)}
    files.write_arrays(here / "a.npz", arrays)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e7)  # a zip archive can name the time at which it was packed
    files.write_arrays(here / "b.npz", {name: array.copy() for name, array in arrays.items()})
    assert (here / "a.npz").read_bytes() == (here / "b.npz").read_bytes()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


WHOLE = npz(x=np.arange(100))
DAMAGED = {
    "empty": b"",
    "truncated": WHOLE[:-30],
    "its head alone": WHOLE[:20],
    "text": b"not an archive\n" * 30,
    "a flipped bit": WHOLE[:200] + bytes([WHOLE[200] ^ 1]) + WHOLE[201:],
    "a single array": npy(),
    "pickled objects": npz(x=np.array([{}, []], dtype=object)),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_arrays_are_named(here: Path, content: bytes) -> None:
    path = here / "arrays.npz"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        files.read_arrays(path, "rediffuse prepare")
    line = str(error.value)
    assert line.startswith(f"{path}: damaged (")
    assert line.endswith("; expected a whole .npz file, which `rediffuse prepare` makes anew")
    assert "\n" not in line


def test_a_flipped_bit_anywhere_in_arrays_is_found_or_harms_nothing(here: Path) -> None:
    """Every byte of the file in turn: where one is of no consequence (a date, a right), the arrays are those that were written."""
    arrays = {"x_train": np.arange(40, dtype=np.uint8).reshape(5, 8), "y": np.linspace(0, 1, 9)}
    path = here / "a.npz"
    files.write_arrays(path, arrays)
    content, found = path.read_bytes(), 0
    for k in range(len(content)):
        path.write_bytes(content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :])
        try:
            back = files.read_arrays(path, "us")
        except UserError as error:
            assert str(error).startswith(f"{path}: damaged (")
            found += 1
        else:
            assert list(back) == list(arrays), f"byte {k}"
            assert all(np.array_equal(back[name], array) for name, array in arrays.items()), f"byte {k}"
    assert found > len(content) // 2


# --- reading ---


def test_a_missing_file_is_told_with_the_command_that_makes_it(here: Path) -> None:
    for read in (files.read_bytes, files.read_json, files.read_arrays):
        with pytest.raises(UserError) as error:
            read(Path("a.x"), "rediffuse train")
        assert str(error.value) == "a.x: not found; expected the file that `rediffuse train` makes"


def test_a_folder_is_no_file(here: Path) -> None:
    with pytest.raises(UserError, match=r"^\.: could not be read: Is a directory; expected a readable file$"):
        files.read_bytes(Path(), "us")


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5000])
def test_damaged_json_is_named(here: Path, content: bytes) -> None:
    path = here / "dataset.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        files.read_json(path, "rediffuse prepare")
    line = str(error.value)
    assert line.startswith(f"{path}: not valid JSON (")
    assert line.endswith("); expected the file that `rediffuse prepare` makes")


# --- safetensors ---

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(4)}
WEIGHTS = save(TENSORS, {"rediffuse": "{}"})


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\x00" * 40


def test_a_header_names_tensors_and_metadata() -> None:
    header = files.safetensors_header(Path("w"), WEIGHTS)
    assert header["__metadata__"] == {"rediffuse": "{}"}
    assert {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"} == {"a": [2, 3], "b": [4]}


HEADERLESS = {
    "an empty file": b"",
    "less than a size": WEIGHTS[:5],
    "a size and nothing": WEIGHTS[:8],
    "half a header": WEIGHTS[:40],
    "garbage": b"\xff" * 500,
    "a header that is no JSON": WEIGHTS[:8] + b"x" * 40 + WEIGHTS[48:],
    "a header that is a list": with_header([1, 2]),
    "an entry that is a number": with_header({"a": 5}),
    "an entry without offsets": with_header({"a": {"dtype": "F32", "shape": [2]}}),
    "offsets that are text": with_header({"a": {"dtype": "F32", "shape": [2], "data_offsets": ["0", "8"]}, "b": {"data_offsets": [0, 1]}}),
}


@pytest.mark.parametrize("content", HEADERLESS.values(), ids=HEADERLESS.keys())
def test_weights_without_a_header_are_named(content: bytes) -> None:
    with pytest.raises(UserError) as error:
        files.safetensors_header(Path("w.safetensors"), content)
    line = "w.safetensors: damaged: no safetensors header; expected weights that `rediffuse train` made"
    assert str(error.value) == line


@pytest.mark.parametrize("change", [-1, -30, 1, 1000])
def test_weights_of_another_length_are_named(change: int) -> None:
    content = WEIGHTS[:change] if change < 0 else WEIGHTS + bytes(change)
    with pytest.raises(UserError) as error:
        files.safetensors_header(Path("w.safetensors"), content)
    assert str(error.value) == f"w.safetensors: damaged: {len(content)} bytes long; expected {len(WEIGHTS)} by its own header"
