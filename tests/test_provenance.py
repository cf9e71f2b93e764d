"""What a result is said to depend on: all the code behind it, none that is beside it, and nothing that only people read."""

import ast
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import torch

import rediffuse
from rediffuse import provenance
from rediffuse.config import Dataset, Papers
from rediffuse.datasets import kinds as kinds_of_data
from rediffuse.papers.makes import MAKES, measurement
from rediffuse.paths import Layout
from rediffuse.pipeline import recipes
from rediffuse.presets import load_preset, preset_path


def rule_modules() -> list[str]:
    """The modules whose code the jobs of a preset that makes everything depend on."""
    layout = Layout("smoke", load_preset(preset_path("smoke")))
    return sorted({f"rediffuse.{module}" for job in recipes.jobs(layout) for module in job.modules})


def measuring_modules() -> list[str]:
    """Those of them that measure: of a paper, and neither its tables nor its claims."""
    return [name for name in rule_modules() if re.match(r"rediffuse\.papers\.", name) and not name.endswith((".tables", ".claims"))]


def reached(module: str) -> set[str]:
    """The modules that a module's hash covers."""
    seen: dict[str, str] = {}
    provenance._walk(module, seen)
    return set(seen)


# --- of a throw-away package ---

SOURCES = {
    "__init__": "",
    "top": '"""Top."""\n\nfrom toy.middle import double\n\n\ndef run(x):\n    """Run."""\n    # by hand\n    return double(x) + 1\n',
    "middle": "import toy.base\n\n\ndef double(x):\n    return toy.base.scale(x, 2)\n",
    "base": 'def scale(x, by):\n    return x * by\n\n\nclass Options:\n    by = 2\n    """What it is multiplied by."""\n',
    "beside": "def unused():\n    return 1\n",
}


class Toy:
    """A package whose modules can be rewritten between two hashes."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name, text in SOURCES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        assert old in SOURCES[name]
        self.write(name, SOURCES[name].replace(old, new))

    def hash(self, module: str = "toy.top") -> dict[str, str]:
        forget()
        return provenance.code(module)


def forget() -> None:
    provenance.code.cache_clear()
    provenance._read.cache_clear()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "toy")
    yield Toy(tmp_path / "toy")
    forget()


READ_BY_PEOPLE = {
    "a docstring of the module": ("top", '"""Top."""', '"""The top of it."""'),
    "no docstring": ("top", '"""Top."""\n', ""),
    "a docstring of a function": ("top", '"""Run."""', '"""Run it at once."""'),
    "a docstring of a field": ("base", "What it is multiplied by.", "The factor."),
    "a comment": ("top", "# by hand", "# by machine"),
    "no comment": ("top", "    # by hand\n", ""),
    "blank lines": ("top", "\n\n\n", "\n\n\n\n\n"),
    "a line break": ("top", "double(x) + 1", "(\n        double(x)\n        + 1\n    )"),
    "spaces and quotes": ("base", "x * by", "x   *  by  # times"),
}


@pytest.mark.parametrize(("name", "old", "new"), READ_BY_PEOPLE.values(), ids=READ_BY_PEOPLE.keys())
def test_what_only_people_read_changes_nothing(toy: Toy, name: str, old: str, new: str) -> None:
    before = toy.hash()
    toy.replace(name, old, new)
    assert toy.hash() == before


CODE = {
    "of the module": ("top", "+ 1", "+ 2"),
    "one import away": ("middle", "x, 2", "x, 3"),
    "two imports away": ("base", "x * by", "x + by"),
    "a default of a field": ("base", "by = 2", "by = 3"),
    "a name": ("base", "class Options", "class Choices"),
    "a string that is used": ("top", '"""Run."""', 'x = "Run."'),
}


@pytest.mark.parametrize(("name", "old", "new"), CODE.values(), ids=CODE.keys())
def test_code_changes_the_hash(toy: Toy, name: str, old: str, new: str) -> None:
    before = toy.hash()
    toy.replace(name, old, new)
    assert toy.hash() != before


def test_code_that_is_not_imported_changes_nothing(toy: Toy) -> None:
    before = toy.hash()
    toy.replace("beside", "return 1", "return 2")
    assert toy.hash() == before
    assert reached("toy.top") == {"toy.top", "toy.middle", "toy.base"}


@pytest.mark.parametrize(
    "line",
    ["import toy.beside", "from toy import beside", "from toy.beside import unused", "def late():\n    from toy import beside\n"],
)
def test_every_form_of_import_counts(toy: Toy, line: str) -> None:
    toy.write("top", line + "\n")
    before = toy.hash()
    toy.replace("beside", "return 1", "return 2")
    assert toy.hash() != before


def test_a_package_is_read_from_its_init(toy: Toy) -> None:
    toy.write("inner/__init__", "from toy.inner.part import f\n")
    toy.write("inner/part", "def f():\n    return 1\n")
    toy.write("top", "import toy.inner\n")
    assert reached("toy.top") == {"toy.top", "toy.inner", "toy.inner.part"}


def test_a_ring_of_imports_ends(toy: Toy) -> None:
    toy.write("base", "import toy.top\n")
    assert reached("toy.top") == {"toy.top", "toy.middle", "toy.base"}
    assert toy.hash() != toy.hash("toy.beside")


def test_the_text_of_a_syntax_tree_is_the_same_on_every_python() -> None:
    """ast.dump's is not: fields that newer Pythons have stand in it although they are empty."""
    tree = provenance._dump(ast.parse("def f(x, y=None):\n    return x[0] + f'{y:>3}'\n"))
    arguments = "arguments(args=[arg(arg='x'),arg(arg='y')],defaults=[Constant()])"
    format_spec = "JoinedStr(values=[Constant(value='>3')])"
    left = "Subscript(value=Name(id='x',ctx=Load()),slice=Constant(value=0),ctx=Load())"
    right = f"JoinedStr(values=[FormattedValue(value=Name(id='y',ctx=Load()),conversion=-1,format_spec={format_spec})])"
    body = f"Return(value=BinOp(left={left},op=Add(),right={right}))"
    assert tree == f"Module(body=[FunctionDef(name='f',args={arguments},body=[{body}])])"


def test_other_packages_are_not_read(toy: Toy) -> None:
    toy.write("top", "import torch\nimport toybox\nfrom numpy import array\n")
    assert reached("toy.top") == {"toy.top"}


def test_a_hash_is_short_and_stays_and_each_module_has_its_own(toy: Toy) -> None:
    before = toy.hash()
    assert before == toy.hash()
    assert set(before) == {"top", "middle", "base"}
    assert all(re.fullmatch("[0-9a-f]{12}", value) for value in before.values())
    toy.replace("base", "x * by", "x + by")
    after = toy.hash()
    assert {name for name in before if before[name] != after[name]} == {"base"}


# --- of this package ---


def test_the_rules_name_modules_of_this_package() -> None:
    modules = rule_modules()
    assert len(modules) > 10
    for module in modules:
        assert provenance._file(module), f"{module} is named by a rule and is no module"


@pytest.mark.parametrize("module", rule_modules())
def test_no_rule_depends_on_the_command_line(module: str) -> None:
    """It imports every command's module: an edit of one of them would re-run everything."""
    assert "rediffuse.cli" not in reached(module)


def test_no_number_depends_on_options_it_does_not_name() -> None:
    """Options count by their values; provenance itself, progress and errors are no part of a number."""
    for module in rule_modules():
        covered = reached(module)
        assert not covered & provenance.NOT_NUMBERS
        assert not [name for name in covered if name.startswith("rediffuse.config")]


def test_no_module_of_options_is_part_of_a_hash() -> None:
    """Neither the package nor what it is made of, by whatever name it is asked for."""
    package = [path.stem for path in (provenance.PACKAGE / "config").glob("*.py")]
    assert {"__init__", "papers", "preset"} < set(package)
    for name in ("rediffuse.config", *[f"rediffuse.config.{part}" for part in package]):
        assert reached(name) == set()
    assert reached("rediffuse.build") > {"rediffuse.build", "rediffuse.processes.losses"}, "what else imports options is"


ARTIFACTS = [(paper, artifact) for paper, those in MAKES.items() for artifact in those]


@pytest.mark.parametrize(("paper", "artifact"), ARTIFACTS)
def test_a_rule_names_the_module_that_measures_its_artifact(paper: str, artifact: str) -> None:
    makes = MAKES[paper][artifact]
    assert bool(makes.by) == bool(makes.measured)
    if makes.by:
        assert measurement(paper, artifact).__module__ == f"rediffuse.papers.{paper}.{makes.by}", "and not one that it imports"


@pytest.mark.parametrize("paper", MAKES)
def test_the_rules_make_every_artifact_of_a_paper(paper: str) -> None:
    makes, options = MAKES[paper], Papers.model_fields[paper].annotation
    model = next(part for part in get_args(options) if part is not type(None))
    assert {artifact for artifact, how in makes.items() if how.is_table} == set(import_module(f"rediffuse.papers.{paper}.tables").TABLES)
    assert {artifact for artifact, how in makes.items() if how.drawn} == set(import_module(f"rediffuse.figures.{paper}").FIGURES)
    of = getattr(model, "of", {})
    assert set(model.model_fields) | set(of) <= set(makes), "an option without a rule"
    assert set(makes) - set(model.model_fields) - set(of) <= {"table_app1", "fig1", "fig2"}, (
        "made with their paper, without options of their own"
    )
    assert set(of.values()) <= set(model.model_fields)


def test_an_edit_re_runs_the_measurements_that_use_it_and_no_others() -> None:
    """Of the 2015 paper: products with r(x) are used by two modules, Parzen windows by one, and no training uses either."""
    trained = ("rediffuse.runs", "rediffuse.sampling", "rediffuse.datasets.prepare")
    measured = [f"rediffuse.papers.sohl2015.{makes.by}" for makes in MAKES["sohl2015"].values()]
    covered = {name.removeprefix("rediffuse.papers.sohl2015."): reached(name) for name in {*trained, *measured}}

    def using(module: str) -> set[str]:
        return {name for name, modules in covered.items() if module in modules}

    assert using("rediffuse.processes.products") == {"products", "images", "equations"}
    assert using("rediffuse.metrics.parzen") == {"likelihoods"}
    assert using("rediffuse.processes.entropy") == {"entropies"}
    assert using("rediffuse.papers.sohl2015.bounds") == {"bounds", "likelihoods", "gaps"}, "all of them measure K"


def test_an_edit_of_one_kind_of_data_prepares_no_other_anew() -> None:
    """Of a data set count the shared code and its own kind's; "textures" and "folder" share how patches are cut."""
    kinds = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(get_args(Dataset)[0])}
    assert len(kinds) == 11
    own = {kind: f"rediffuse.{kinds_of_data.module(kind)}" for kind in kinds}
    reads = {kind: {*reached("rediffuse.datasets.prepare"), *reached(own[kind])} - {"rediffuse.datasets"} for kind in kinds}
    for kind in kinds:
        assert {other for other in kinds if own[kind] in reads[other]} == {kind}
    common = set.intersection(*reads.values())
    assert common == {"rediffuse.datasets.prepare", "rediffuse.datasets.kinds"}
    shared = {name: {kind for kind in kinds if name in reads[kind]} for name in set.union(*reads.values()) - common}
    assert {name: by for name, by in shared.items() if len(by) > 1} == {
        "rediffuse.datasets.downloads": {"mnist", "cifar10", "celeba"},
        "rediffuse.datasets.published": {"mnist", "cifar10", "celeba", "lsun"},
        "rediffuse.datasets.patches": {"textures", "folder"},
    }


def test_an_edit_of_a_figure_trains_nothing() -> None:
    makes_numbers = [*measuring_modules(), *[module for module in rule_modules() if module.endswith((".runs", ".sampling", ".prepare"))]]
    assert len(makes_numbers) > 9
    for module in makes_numbers:
        assert not [name for name in reached(module) if name.startswith(("rediffuse.figures", "rediffuse.report"))]


def test_all_imports_are_absolute() -> None:
    """The hash follows absolute imports alone."""
    for path in provenance.PACKAGE.rglob("*.py"):
        assert not re.search(r"^\s*from \.", path.read_text(encoding="utf-8"), re.MULTILINE), path


def loaded_by(modules: list[str]) -> set[str]:
    """The modules that a fresh Python has after importing these."""
    code = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_hash_covers_all_that_is_imported() -> None:
    ours = {name for name in loaded_by(measuring_modules()) if re.match(r"rediffuse\b(?!\.config\.)", name)}
    code = {name for name in ours if (path := provenance._file(name)) and path.read_text(encoding="utf-8").strip()}
    covered = set().union(*map(reached, measuring_modules()))
    assert code - provenance.NOT_NUMBERS <= covered


def light_modules() -> list[str]:
    """Modules that are to start at once: what draws, tabulates, judges and gathers."""
    names = [module.name for module in pkgutil.walk_packages(rediffuse.__path__, "rediffuse.")]
    return [
        name
        for name in names
        if re.search(r"\.figures\.|\.papers\.\w+\.(tables|claims)$|\.report\.|\.status$|\.cli$|\.config\b|\.presets$|\.paths$", name)
    ]


def test_figures_tables_and_reports_start_without_torch() -> None:
    modules = light_modules()
    assert len(modules) > 12
    assert not loaded_by(modules) & {"torch", "torchvision", "sklearn"}


# --- facts and pins ---


def test_pins_are_read_from_the_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==2.1.0 \\\n    --hash=sha256:00\ntorchvision==0.1\ntorch==2.5.1\n# torch==9\n")
    monkeypatch.setattr(provenance, "LOCK", lock)
    provenance.pins.cache_clear()
    assert provenance.pins() == {"numpy": "2.1.0", "torch": "2.5.1"}
    lock.unlink()
    provenance.pins.cache_clear()
    assert provenance.pins() == {"numpy": "not pinned", "torch": "not pinned"}
    monkeypatch.undo()
    provenance.pins.cache_clear()
    assert provenance.pins()["torch"][0].isdigit(), "requirements.lock does not pin torch"


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown"


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert provenance.commit() == "unknown"


def test_a_commit_with_changes_has_a_plus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    (tmp_path / "a.py").write_text("1\n")
    for command in (["init", "--quiet"], ["add", "a.py"], ["commit", "--quiet", "-m", "a"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    clean = provenance.commit()
    assert re.fullmatch("[0-9a-f]{10}", clean)
    (tmp_path / "a.py").write_text("2\n")
    assert provenance.commit() == f"{clean}+"


def test_facts_say_seconds_hardware_and_commit() -> None:
    facts = provenance.facts(1.23456, torch.device("cpu"))
    assert facts["seconds"] == 1.23
    assert set(facts) == {"seconds", "hardware", "commit"}
    assert facts["hardware"]


def test_what_is_installed_is_held_against_what_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    provenance.installed.cache_clear()
    monkeypatch.setattr(provenance, "version", {"torch": "2.11.0+cu126", "numpy": "2.4.6"}.__getitem__)
    assert provenance.unpinned({"torch": "2.11.0", "numpy": "2.4.6 2.5.5"}) == []
    assert provenance.unpinned({"torch": "2.15.0"}) == ["torch: found 2.11.0 installed; requirements.lock pins 2.15.0"]
    provenance.installed.cache_clear()
