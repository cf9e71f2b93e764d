"""Weights on a model hub, by the plain addresses of their files: huggingface.co, or what HF_ENDPOINT names in its place."""

import http.client
import os
import textwrap
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from safetensors import SafetensorError
from safetensors.torch import load

from rediffuse.errors import UserError
from rediffuse.files import held, write_bytes
from rediffuse.paths import RAW
from rediffuse.progress import track

FOLDER = RAW / "weights"
FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
"""What diffusers calls a U-Net's weights, today and formerly: the first that is there."""
HUB = "https://huggingface.co"
ABSENT = 404
ZIP, PICKLE = b"PK", b"\x80\x02"
"""How what torch saved begins, today and formerly."""
SILENCE = 60.0
"""Seconds without a word after which a server is given up."""
PIECE = 2**20
"""Bytes that are read at a time."""


def weights(name: str) -> Path:
    """The file of the weights of `owner/name` or `owner/name@revision`, below data/raw/weights/<name>/; fetched, unless it is there.

    Without a revision it is main's, as it is when it is fetched. Raises UserError, with what to put where, if it cannot be fetched; then
    nothing is written.
    """
    folder = FOLDER / name
    with held(folder.with_name(f".{folder.name}.lock")):
        there = [folder / file for file in FILES if (folder / file).is_file()]
        return there[0] if there else _fetched(name, folder)


def _fetched(name: str, folder: Path) -> Path:
    repository, _, revision = name.partition("@")
    address, reason = f"{(os.environ.get('HF_ENDPOINT') or HUB).rstrip('/')}/{repository}/resolve/{revision or 'main'}", ""
    for file in FILES:
        try:
            content = _read(f"{address}/{file}", name)
            _check(file, content)
        except HTTPError as error:
            reason = f"{file}: {error}"
            if error.code == ABSENT:
                continue
        except (OSError, ValueError, http.client.HTTPException) as error:  # of networks; of an HF_ENDPOINT that is no address; of servers
            reason = str(error) or repr(error)
        else:
            write_bytes(folder / file, content)
            return folder / file
        break
    word = textwrap.shorten(reason, 200, placeholder=" ...")
    raise UserError(f"{folder / FILES[0]}: not found, and {address} could not be read ({word}); expected there the file of {name}")


def _check(file: str, content: bytes) -> None:
    """Raises ValueError if what came is something else, a page to log in say: it would be taken for the file from then on."""
    try:
        if file.endswith(".safetensors"):
            load(content)
        elif not content.startswith((ZIP, PICKLE)):
            raise ValueError("no file of torch's")
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"what came is no {file} ({error})") from None


def _read(url: str, name: str) -> bytes:
    """The whole of a file. Raises OSError if less comes than the server said."""
    with urlopen(url, timeout=SILENCE) as answer:
        size = int(answer.headers.get("Content-Length", 0))
        pieces = list(track(iter(lambda: answer.read(PIECE), b""), -(-size // PIECE), f"fetch {name}", unit="MiB"))
    content = b"".join(pieces)
    if size and len(content) != size:
        raise OSError(f"{len(content)} of {size} bytes came")
    return content
