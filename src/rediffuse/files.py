"""Reading and writing: every file is written whole or not at all, and a damaged one is named."""

import hashlib
import io
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rediffuse.errors import UserError

Arrays = dict[str, NDArray[Any]]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one move: whole, or (on any error) not at all. Raises UserError if the disk is full or closed to us."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: could not be written: {error.strerror}; expected a folder with room that you may write to") from None
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_bytes(path: Path, made_by: str) -> bytes:
    """The content of a file that another command makes. Raises UserError if it is absent or cannot be read."""
    try:
        return path.read_bytes()
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


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
