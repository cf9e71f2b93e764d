"""What a result depends on (code, pinned libraries), and what was so when it was made (commit, hardware, versions, seconds)."""

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).resolve().parent
LOCK = PACKAGE.parents[1] / "requirements.lock"
NOT_NUMBERS = {
    "rediffuse",
    "rediffuse.config",
    "rediffuse.errors",
    "rediffuse.files",
    "rediffuse.gpus",
    "rediffuse.interrupts",
    "rediffuse.parallel",
    "rediffuse.paths",
    "rediffuse.presets",
    "rediffuse.progress",
    "rediffuse.provenance",
    "rediffuse.resume",
}
"""Modules that no number depends on. Options count by their values, which every rule names beside these hashes. How files are read and
written, how work is left and taken up again, on which of equal devices it is done and who shares it: tests hold that to the same numbers.
"""


@cache
def code(module: str) -> dict[str, str]:
    """A hash of a module and of each module of this package that it imports, directly or not, by name.

    Of their syntax trees without docstrings: a comment, a docstring or a line break changes nothing.
    """
    seen: dict[str, str] = {}
    _walk(module, seen)
    return {name.removeprefix(f"{PACKAGE.name}."): seen[name] for name in sorted(seen)}


def syntax(path: Path) -> str:
    """A hash of a module's own code as `code` computes it; "absent" if there is no such file."""
    return _read(path)[0] if path.is_file() else "absent"


def imports(path: Path) -> tuple[list[str], list[str]]:
    """The modules of this package that a file imports, by name, and whatever else; nothing if there is no such file."""
    names = _read(path)[1] if path.is_file() else []
    ours = [name for name in names if _file(name)]
    return ours, [name for name in names if name not in ours]


def _walk(module: str, seen: dict[str, str]) -> None:
    if (
        module in seen
        or module in NOT_NUMBERS
        or module.startswith(("rediffuse.config.", "rediffuse.pipeline"))
        or (path := _file(module)) is None
    ):
        return
    seen[module], imports = _read(path)
    for name in imports:
        _walk(name, seen)


@cache
def _read(path: Path) -> tuple[str, list[str]]:
    """The hash of a module's own code, and what it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone as a statement is documentation, wherever it is: of a module, a function or a field.
            node.body = [line for line in node.body if not _is_string(line)] or [ast.Pass()]
        elif isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return hashlib.sha256(_dump(tree).encode()).hexdigest()[:12], imports


def _dump(node: Any) -> str:
    """A syntax tree as text. Unlike ast.dump it leaves out what is empty: newer Pythons have fields that older ones have not."""
    if isinstance(node, ast.AST):
        fields = [f"{name}={_dump(value)}" for name, value in ast.iter_fields(node) if value is not None and value != []]
        return f"{type(node).__name__}({','.join(fields)})"
    return f"[{','.join(map(_dump, node))}]" if isinstance(node, list) else repr(node)


def _is_string(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _file(module: str) -> Path | None:
    """The source of one of this package's modules; None for everything else."""
    head, *rest = module.split(".")
    if head != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def digest(value: Any) -> str:
    """A short hash of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@cache
def pins(*libraries: str) -> dict[str, str]:
    """The versions that requirements.lock names of torch, numpy and these: what numbers depend on beside our own code."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    return {
        name: " ".join(re.findall(rf"^{name}==(\S+)", text, re.MULTILINE)) or "not pinned"
        for name in sorted(("numpy", "torch", *libraries))
    }


@cache
def installed(library: str) -> str:
    try:
        return version(library).partition("+")[0]
    except PackageNotFoundError:
        return "not installed"


def unpinned(pinned: dict[str, str]) -> list[str]:
    """A line for each library whose installed version is none of those that are pinned."""
    return [
        f"{name}: found {installed(name)} installed; requirements.lock pins {versions}"
        for name, versions in pinned.items()
        if installed(name) not in versions.split()
    ]


def facts(seconds: float, device: "torch.device | None") -> dict[str, Any]:
    """What was so when a result was made. It is part of no hash, and no other file's content depends on it."""
    return {"seconds": round(seconds, 2), "hardware": hardware(device), "commit": commit()}


def commit() -> str:
    """The commit that the code is at, with a + if files differ from it; "unknown" outside a git checkout."""
    git = ["git", "-C", str(PACKAGE)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run([*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if dirty else "")


def hardware(device: "torch.device | None") -> str:
    """The GPU's name, or the processor's, its number of cores here, and the threads that torch was given, if it was used."""
    if device is not None:
        import torch

        if device.type == "cuda":
            return torch.cuda.get_device_name(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    used = f", {torch.get_num_threads()} threads used" if device is not None else ""
    return f"{_processor()}, {cores} cores{used}"


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine()
