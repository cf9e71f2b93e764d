"""The chapters of docs/papers: one in each language, saying the same of the same, and naming nothing that is not there."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rediffuse.papers import directives as named
from rediffuse.papers import ledger
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.provenance import PACKAGE
from rediffuse.report import directives, pandoc

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/papers"
CHAPTERS = sorted(path for path in FOLDER.glob("*/*.md") if not path.name.endswith(".zh-CN.md"))
TESTS = {path.name: set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)) for path in ROOT.glob("tests/test_*.py")}
ROOMS = "processes|networks|samplers|metrics|datasets"

chapters = pytest.mark.parametrize("english", CHAPTERS, ids=[path.relative_to(FOLDER).as_posix() for path in CHAPTERS])
both = pytest.mark.parametrize("suffix", [".md", ".zh-CN.md"], ids=["en", "zh"])


def chinese(english: Path) -> Path:
    return english.with_name(f"{english.stem}.zh-CN.md")


def headings(path: Path) -> list[int]:
    return [len(level) for level in re.findall(r"^(#+) ", path.read_text(encoding="utf-8"), re.M)]


def shown(path: Path) -> list[tuple[str, str, str, str]]:
    """What a chapter shows, in order; captions are words of their language, the parts of a metric's key are not."""
    found = named.of(path.read_text(encoding="utf-8"), path)
    return [(each.kind, each.paper, each.name, each.words if each.kind == "metric" else "") for each in found]


def formulas(path: Path) -> list[str]:
    """The displayed formulas, without the words and the blanks in them."""
    return [re.sub(r"\\text\{[^}]*\}|\s", "", each) for each in re.findall(r"^\$\$.*?\$\$", path.read_text(encoding="utf-8"), re.M | re.S)]


def code(path: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8"))


def test_every_chapter_is_there_in_both_languages() -> None:
    assert CHAPTERS
    assert sorted(FOLDER.glob("*/*.zh-CN.md")) == sorted(map(chinese, CHAPTERS))


@chapters
def test_both_languages_have_the_same_sections_and_show_the_same(english: Path) -> None:
    assert headings(english) == headings(chinese(english))
    assert headings(english)[0] == 1 and headings(english).count(1) == 1
    assert english.read_text(encoding="utf-8").startswith("# ") and chinese(english).read_text(encoding="utf-8").startswith("# ")
    assert shown(english) == shown(chinese(english))
    assert formulas(english) == formulas(chinese(english))


@both
@chapters
def test_a_chapter_is_set_from_what_was_recorded(english: Path, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every directive finds what it names, and pandoc has nothing to warn of."""
    if not (ROOT / "docs/results/laptop").is_dir():
        pytest.skip("no recorded results in docs/results/laptop")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/laptop").symlink_to(ROOT / "docs/results/laptop")
    monkeypatch.chdir(tmp_path)
    path, language = english.with_name(english.stem + suffix), "zh" if "zh" in suffix else "en"
    layout = Layout("laptop", load_preset(ROOT / "config/laptop.yaml"))
    text = directives.expand(path.read_text(encoding="utf-8"), path, layout, language, lambda made: made.as_posix(), True)
    broken = rf"\{{\{{({'|'.join(named.KINDS)})\b"
    assert not re.search(broken, re.sub(r"`[^`]*`", "", text)), "a directive that was broken over two lines"
    assert directives.WORDS[language]["absent"] not in text, "something that the laptop preset does not measure"
    html = pandoc.html(text, path, language)
    assert html.count("<math") >= len(formulas(path)) and "<h1" in html


@both
@chapters
def test_the_tests_and_functions_that_a_chapter_names_are_there(english: Path, suffix: str) -> None:
    path = english.with_name(english.stem + suffix)
    for name in code(path):
        if match := re.fullmatch(r"(?:tests/(test_\w+\.py)::)?(test_\w+)", name):
            known = TESTS.get(match[1], set()) if match[1] else set().union(*TESTS.values())
            assert match[2] in known, f"{path}: {name}"
        elif re.fullmatch(rf"(?:{ROOMS})(?:\.\w+)+", name):
            module, attributes = (name, "") if (PACKAGE / f"{name.replace('.', '/')}.py").is_file() else ledger.split(name)
            found: Any = import_module(f"rediffuse.{module}")
            for attribute in filter(None, attributes.split(".")):
                assert hasattr(found, attribute), f"{path}: {name}"
                found = getattr(found, attribute)
