"""`rediffuse bench`: its page is made from figures and from nothing else; that it runs, and not what it measures."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from tiny import rediffuse, refused

ROOT = Path(__file__).parents[1]


def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_page", ROOT / "benchmarks/page.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_in_the_repository_is_what_its_figures_make() -> None:
    path = ROOT / "docs/performance.json"
    figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    assert not any(found["quick"] for found in figures.values())
    assert (ROOT / "docs/performance.md").read_text(encoding="utf-8") == page().page(figures)


def test_without_figures_the_page_says_how_they_are_made() -> None:
    text = page().page({})
    assert text.count("No figures yet") == 2
    assert "`make bench` makes them" in text and "`make bench-gpu` makes them" in text


def test_a_page_has_a_suffix_beside_which_figures_can_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected a name that ends in .md" in refused(capsys, "bench", "--quick", "--out", str(tmp_path / "page.json"))


def test_a_quick_run_replaces_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.json").write_text("{}")
    assert "found figures in" in refused(capsys, "bench", "--quick", "--out", str(tmp_path / "page.md"))


@pytest.mark.slow
def test_it_runs_and_writes_its_tables(tmp_path: Path) -> None:
    out = tmp_path / "performance.md"
    assert rediffuse("bench", "--quick", "--device", "cpu", "--out", str(out)) == 0
    text, (found,) = out.read_text(encoding="utf-8"), json.loads(out.with_suffix(".json").read_text(encoding="utf-8")).values()
    assert found["quick"] and "these figures mean nothing" in text
    (network,) = found["networks"]
    kinds = {(row["what"], row["precision"], row["contender"]) for row in network["rows"]}
    assert len(kinds) == len(network["rows"]) == 4 * 2 * 2
    assert all(row["median"] > 0 for row in network["rows"] if row["what"] in ("train", "evaluate"))
    assert len(found["starts"]) == 4 and all(row["peak"] > 0 for row in found["starts"])
    several = [(row["what"], row["count"]) for row in found["several"]]
    assert several == [("runs", 1), ("runs", 2), ("shards", 1), ("shards", 2)]
    assert all(row["seconds"] > row["records"] > 0 and row["planned"] > 0 for row in found["several"])
    assert "| 1 run | 100 |" in text and "| 2 shards | 20 |" in text
    assert text.count("| rediffuse |") >= 8 and "No figures yet: `make bench-gpu`" in text
