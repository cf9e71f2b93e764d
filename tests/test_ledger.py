"""The equation ledger: every entry's function and tests exist, and whether the tests passed is found by running them."""

from pathlib import Path

import pandas as pd
import pytest
import tiny

from rediffuse.errors import UserError
from rediffuse.papers import ledger
from rediffuse.papers.ledger import Equation
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.report import equations, pandoc

ENTRIES = [equation for paper in ledger.PAPERS for equation in ledger.read(paper)]
HEADER = "number,formula,meaning,meaning_zh,function,test\n"


@pytest.mark.parametrize("equation", ENTRIES, ids=lambda equation: f"{equation.paper}-{equation.number}")
def test_the_function_and_the_tests_of_every_entry_exist(equation: Equation) -> None:
    file, line = equation.defined
    assert file.read_text(encoding="utf-8").splitlines()[line - 1].lstrip().startswith(("def ", "class ", "@"))
    for test, (path, _) in zip(equation.tests, equation.tested, strict=True):
        assert path.name.startswith("test_")
        assert test.partition("::")[2].startswith("test_")


def test_every_paper_has_its_equations() -> None:
    numbers = {paper: {equation.number for equation in ledger.read(paper)} for paper in ledger.PAPERS}
    assert numbers["sohl2015"] >= {"14", "24"}
    assert numbers["ddpm"] >= {"4", "7", "12", "13", "14"}
    assert numbers["ddim"] >= {"7", "12", "13", "14", "16"}


@pytest.mark.parametrize("paper", ledger.PAPERS)
def test_every_formula_can_be_set(paper: str) -> None:
    text = "\n\n".join(f"$${equation.formula}$$" for equation in ledger.read(paper))
    page = pandoc.html(text, Path("ledger.md"), "en")
    assert page.count("<math") == len(ledger.read(paper))


def test_meanings_are_sentences_in_both_languages() -> None:
    for equation in ENTRIES:
        assert equation.meaning.endswith((".", ".)")), equation
        assert any("\u4e00" <= sign <= "\u9fff" for sign in equation.meaning_zh), equation


def own(monkeypatch: pytest.MonkeyPatch, folder: Path, *rows: str) -> Path:
    """A package whose ledgers have these rows, of ddpm, and no others."""
    for paper in ledger.PAPERS:
        (folder / "papers" / paper).mkdir(parents=True)
        (folder / "papers" / paper / "ledger.csv").write_text(HEADER + ("".join(f"{row}\n" for row in rows) if paper == "ddpm" else ""))
    monkeypatch.setattr(ledger, "_path", lambda paper: folder / "papers" / paper / "ledger.csv")
    return folder / "papers/ddpm/ledger.csv"


GAUSSIAN = "processes.gaussian.GaussianProcess.q_sample"


def test_what_passed_is_found_by_running_the_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layout = Layout("own", load_preset(ledger.ROOT / "config/smoke.yaml"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_own.py").write_text(
        "import pytest\n\n\ndef test_right():\n    pass\n\n\n@pytest.mark.parametrize('k', [1, 2])\ndef test_wrong(k):\n    assert k == 1\n"
    )
    rows = [f"1,a,A.,一,{GAUSSIAN},tests/test_own.py::test_right"]
    rows += [f"2,b,B.,二,{GAUSSIAN},tests/test_own.py::test_right tests/test_own.py::test_wrong"]
    own(monkeypatch, tmp_path / "package", *rows)
    monkeypatch.setattr(ledger, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    equations.check(layout)
    table = pd.read_csv("results/own/equations.csv", dtype={"number": str})
    assert dict(zip(table["number"], table["passed"], strict=True)) == {"1": True, "2": False}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            f"1,a,A.,一,{GAUSSIAN}_gone,tests/test_gaussian.py::test_x",
            ": equation 1: found rediffuse.processes.gaussian.GaussianProcess.q_sample_gone;",
        ),
        (
            f"1,a,A.,一,{GAUSSIAN},tests/test_gaussian.py::test_gone",
            ": equation 1: found tests/test_gaussian.py::test_gone; expected one that exists",
        ),
        (
            f"1,a,A.,一,{GAUSSIAN},tests/test_none.py::test_gone",
            ": equation 1: found tests/test_none.py::test_gone; expected one that exists",
        ),
    ],
)
def test_a_function_or_a_test_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: str, told: str) -> None:
    path = own(monkeypatch, tmp_path, row)
    (equation,) = ledger.read("ddpm")
    with pytest.raises(UserError) as error:
        _ = equation.defined, equation.tested
    assert str(error.value).startswith(f"{path}{told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("number,formula\n1,a\n", ":1: found the columns number, formula; expected number, formula, meaning, "),
        (f"{HEADER}1,a,A.,一,f\n", ":2: found 5 filled cells; expected 6, and none empty"),
        (f"{HEADER}1,,A.,一,f,t\n", ":2: found 5 filled cells; expected 6, and none empty"),
        (f"{HEADER}1,a,A.,一,f,t\n1,a,A.,一,f,t\n", ":3: found equation 1 twice; expected a row an equation"),
    ],
)
def test_a_malformed_ledger_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str) -> None:
    path = own(monkeypatch, tmp_path)
    path.write_text(text)
    with pytest.raises(UserError) as error:
        ledger.read("ddpm")
    assert str(error.value).startswith(f"{path}{told}")


def test_the_command_prints_an_equation(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    equation = ledger.find("ddpm", "7")
    assert tiny.rediffuse("equation", "ddpm", "7") == 0
    told = capsys.readouterr().out
    for each in (equation.formula, equation.meaning, equation.meaning_zh, f"rediffuse.{equation.function}", *equation.tests):
        assert each in told
    assert tiny.refused(capsys, "equation", "ddpm", "7777").startswith("equation ddpm 7777: not in the ledger; expected one of ")
    assert tiny.refused(capsys, "equation", "vae", "7").startswith("paper: found 'vae'; expected one of ")
    assert tiny.rediffuse("equation", "ddim") == 0
    assert capsys.readouterr().out.count("\nddim (") + 1 == len(ledger.read("ddim"))
