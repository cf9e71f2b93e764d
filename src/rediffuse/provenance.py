"""What a result depends on (code, pinned libraries), and what was so when it was made (commit, hardware, seconds)."""

import ast
import hashlib
import os
import platform
import re
import subprocess
from functools import cache
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
    "rediffuse.interrupts",
    "rediffuse.locks",
    "rediffuse.presets",
    "rediffuse.progress",
    "rediffuse.provenance",
    "rediffuse.resume",
}
"""Modules that no number depends on. Options count by their values, which every rule names beside this hash. How files are read and
written and how work is left and taken up again changes no bit of what is computed, which the tests of kills hold it to."""


@cache
def code_hash(module: str) -> str:
    """A hash of a module and of every module of this package that it imports, directly or not.

    Of their syntax trees without docstrings: a comment, a docstring or a line break changes nothing.
    """
    seen: dict[str, str] = {}
    _walk(module, seen)
    return hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:16]


def _walk(module: str, seen: dict[str, str]) -> None:
    path = _file(module)
    if module in seen or module in NOT_NUMBERS or module.startswith("rediffuse.config.") or path is None:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone as a statement is documentation, wherever it is: of a module, a function or a field.
            node.body = [line for line in node.body if not _is_string(line)] or [ast.Pass()]
    seen[module] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            _walk(name, seen)


def _is_string(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _file(module: str) -> Path | None:
    """The source of one of this package's modules; None for everything else."""
    head, *rest = module.split(".")
    if head != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def pins(*libraries: str) -> dict[str, str]:
    """The versions that requirements.lock names of torch, numpy and these: what numbers depend on beside our own code."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    return {
        name: " ".join(re.findall(rf"^{name}==(\S+)", text, re.MULTILINE)) or "not pinned"
        for name in sorted(("numpy", "torch", *libraries))
    }


def facts(seconds: float, device: "torch.device") -> dict[str, Any]:
    """What was so when a result was made. It is part of no hash, and no other file depends on it."""
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


def hardware(device: "torch.device") -> str:
    """The GPU's name, or the processor's, its number of cores here, and the threads that torch was given."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {torch.get_num_threads()} threads used"


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine()
