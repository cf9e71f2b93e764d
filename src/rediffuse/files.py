"""Reading and writing: every file is written whole or not at all, and a damaged one is named."""

import fcntl
import glob
import hashlib
import io
import json
import os
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rediffuse.errors import UserError

Arrays = dict[str, NDArray[Any]]
PART = ".part"
"""The end of the name of a file that is being written: its writer holds it locked, so that one whose writer was killed is known."""
YOUNG = 60.0
"""Seconds for which an empty one is left alone: its writer may be about to lock it."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one move: whole, or (on any error) not at all. Raises UserError if the disk is full or closed to us.

    It is on the disk when this returns, its name too. What killed writers of the same file have left is removed.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f".{glob.escape(path.name)}.*")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=PART, delete=False) as file:
            temporary = Path(file.name)
            with suppress(OSError):
                _lock(file)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        with suppress(OSError):  # some file systems know no such thing
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: could not be written: {error.strerror}; expected a folder with room that you may write to") from None
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path, pattern: str = "**/.*") -> None:
    """Remove what writers that were killed have left in a folder: files that were being written, and that nobody holds."""
    for path in folder.glob(pattern + PART):
        with suppress(OSError), path.open("r+b") as file:
            about = os.fstat(file.fileno())
            if (about.st_size or time.time() - about.st_mtime > YOUNG) and _lock(file):
                path.unlink()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """While it lasts no other process holds the same file, which is made for that and removed at the end; another one is waited for.

    The kernel frees it when its holder dies, however it dies. Where the file system knows no locks, nothing is held.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except OSError as error:
        raise UserError(f"{path}: could not be written: {error.strerror}; expected a folder with room that you may write to") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _locked(path: Path) -> IO[str]:
    while True:
        file = path.open("a")
        with suppress(OSError):
            if not _lock(file):
                print(f"{path}: another process does the same work; its end is waited for", file=sys.stderr, flush=True)
                _lock(file, wait=True)
        # A holder that was waited for has removed it: then this one is no longer what the next would open.
        with suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()


def _lock(file: IO[Any], wait: bool = False) -> bool:
    """Lock an open file for as long as it is open; False if another process has it. Raises OSError where there are no such locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def write_state(path: Path, content: bytes) -> None:
    """Write what unfinished work goes on from, with its checksum before it. Raises UserError as `write_bytes` does: the former stays."""
    write_bytes(path, sha256(content).encode() + content)


def read_state(path: Path) -> bytes | None:
    """What `write_state` wrote; None if there is nothing, or it is damaged, which is told in one line: the work then begins anew."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"could not be read: {error.strerror}"
    else:
        if content[:64] == sha256(content[64:]).encode():
            return content[64:]
        problem = "damaged: its checksum is another than that of its content"
    print(f"{path}: {problem}; the work begins anew", file=sys.stderr, flush=True)
    return None


@contextmanager
def noting(reads: dict[str, str]) -> Iterator[None]:
    """While it lasts, `reads` is given the sha256 of every file that is read, by its path."""
    global _reads
    before, _reads = _reads, reads
    try:
        yield
    finally:
        _reads = before


_reads: dict[str, str] | None = None


def read_bytes(path: Path, made_by: str) -> bytes:
    """The content of a file that another command makes. Raises UserError if it is absent or cannot be read."""
    try:
        content = path.read_bytes()
        if _reads is not None:
            _reads[str(path)] = sha256(content)
        return content
    except FileNotFoundError:
        raise UserError(f"{path}: not found; expected the file that `{made_by}` makes") from None
    except OSError as error:
        raise UserError(f"{path}: could not be read: {error.strerror}; expected a readable file") from None


def read_json(path: Path, made_by: str) -> Any:
    try:
        return json.loads(read_bytes(path, made_by))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); expected the file that `{made_by}` makes") from None


def read_arrays(path: Path, made_by: str) -> Arrays:
    """All arrays of an .npz file. Raises UserError if it is absent, truncated or no .npz file."""
    content = read_bytes(path, made_by)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            # The number of members stands in the last record, which zipfile does not read: damage may have made one of two.
            _, _, expected, _ = struct.unpack("<4H", content[-18:-10])
            if len(archive.files) != expected:
                raise ValueError(f"found {len(archive.files)} arrays; {expected} by its own record")
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile, zlib, struct and numpy each have their own
        raise UserError(f"{path}: damaged ({error}); expected a whole .npz file, which `{made_by}` makes anew") from None


def safetensors_header(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON header of a safetensors file: tensors by name, and `__metadata__`. Raises UserError if the file is not whole."""
    try:
        (size,) = struct.unpack("<Q", content[:8])
        header: dict[str, Any] = json.loads(content[8 : 8 + size])
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    except Exception:
        raise UserError(f"{path}: damaged: no safetensors header; expected weights that `rediffuse train` made") from None
    if len(content) != 8 + size + end:
        raise UserError(f"{path}: damaged: {len(content)} bytes long; expected {8 + size + end} by its own header")
    return header


def safetensors_digest(header: dict[str, Any], content: bytes, about: Any) -> str:
    """The sha256 of a safetensors file's tensors, their names, types and shapes, and of what is told about them."""
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    told = json.dumps([tensors, about], sort_keys=True).encode()
    (size,) = struct.unpack("<Q", content[:8])
    return sha256(told + content[8 + size :])


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
