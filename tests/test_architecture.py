"""Imports run downwards, rooms stay small, and nothing committed names a host of a registry or a path of a machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src/rediffuse"
FLOORS = [
    {"errors", "files", "config", "presets", "paths", "provenance", "progress", "interrupts", "memory", "revisions", "weeklies"},
    {"device", "gpus", "hub", "parallel", "resume"},
    {"processes", "networks", "datasets"},
    {"samplers"},
    {"training", "build", "runs", "sampling", "model", "published_weights", "inception_weights", "metrics"},
    {"papers"},
    {"pipeline"},
    {"figures", "report", "plan"},
    {"cli"},
]


def floor(module: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if module.split(".")[1] in rooms)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rediffuse."):
            found.add(node.module)
        elif isinstance(node, ast.ImportFrom) and node.module == "rediffuse":
            found |= {f"rediffuse.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards_and_rooms_stay_small(path: Path) -> None:
    if path.parent != PACKAGE or path.stem != "__init__":
        module = ".".join(["rediffuse", *path.relative_to(PACKAGE).with_suffix("").parts])
        for name in imports(path):
            assert floor(name) <= floor(module), f"{module} imports {name}"
    assert len(path.read_text().splitlines()) <= 400


def test_processes_know_neither_networks_nor_files() -> None:
    for path in (PACKAGE / "processes").glob("*.py"):
        assert all(name.startswith("rediffuse.processes") for name in imports(path)), path.name


def test_nothing_committed_names_a_host_of_a_registry_or_a_path_of_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    hosts = "|".join(["pypi" + r"\.org", "python" + r"hosted\.org", "npmjs" + r"\.org", "debian" + r"\.org"])
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in (".png", ".gif", ".npz") or not path.is_file():
            continue
        found = re.search(rf"{hosts}|--index-url|--find-links|(?<![\w.])/(?:root|home)/", path.read_text(encoding="utf-8"))
        assert name == "tests/test_architecture.py" or not found, f"{name}: {found and found[0]}"
