"""Directives and citations of chapters and weekly reports, on the recorded results of the laptop preset."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rediffuse.errors import UserError
from rediffuse.papers import ledger
from rediffuse.papers.ledger import Equation
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.report import directives, links, pandoc

ROOT = Path(__file__).resolve().parents[1]
NOTE = Path("reports/note.md")
LIBRARY = "@inproceedings{ho2020denoising, title={Denoising}, author={Ho, Jonathan}, year={2020}}\n"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A tree whose results are those that git holds."""
    if not (ROOT / "docs/results/laptop").is_dir():
        pytest.skip("no recorded results in docs/results/laptop")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/laptop").symlink_to(ROOT / "docs/results/laptop")
    monkeypatch.chdir(tmp_path)
    return Layout("laptop", load_preset(ROOT / "config/laptop.yaml"))


@pytest.fixture
def expand(layout: Layout) -> Callable[..., str]:
    def expanded(text: str, language: str = "en", absent: bool = False) -> str:
        found = directives.expand(text, NOTE, layout, language, lambda path: path.as_posix(), absent)
        return found.strip("\n") + "\n"

    return expanded


def test_a_text_without_directives_stays_as_it_is(expand: Callable[..., str]) -> None:
    text = "# A title\n\nWords, `{{figure ddpm/nothing}}` in code, $x_{t}$\n\n```\n{{table no/where}}\n```\n"
    assert expand(text) == text


def test_a_figure_is_a_picture_with_its_name_or_the_words_that_are_given(expand: Callable[..., str]) -> None:
    assert expand("{{figure ddpm/fig5}}") == "![Ho et al. 2020, Figure 5](results/laptop/ddpm/fig5.png){.figure}\n"
    assert expand("{{figure sohl2015/fig_app1 | Digits [ours]}}") == (
        "![Digits \\[ours\\]](results/laptop/sohl2015/fig_app1.png){.figure}\n"
    )
    assert "图 5" in expand("{{figure ddpm/fig5}}", "zh")
    assert "Quality against seconds" in expand("{{figure ddim/frontier}}")


def test_a_chinese_text_shows_the_chinese_figure_where_there_is_one(expand: Callable[..., str], layout: Layout) -> None:
    own = Path("results/laptop-own")
    own.mkdir()
    for picture in ("fig5.png", "fig5.zh.png"):
        (own / "ddpm").mkdir(exist_ok=True)
        (own / "ddpm" / picture).write_bytes(b"")
    changed = Layout("laptop-own", layout.preset)
    for language, name in (("en", "fig5.png"), ("zh", "fig5.zh.png")):
        text = directives.expand("{{figure ddpm/fig5}}", NOTE, changed, language, lambda path: path.name, False)
        assert f"]({name})" in text


def test_a_table_is_the_one_that_was_made(expand: Callable[..., str]) -> None:
    made = (ROOT / "docs/results/laptop/ddim/table2.md").read_text(encoding="utf-8")
    title, _, rest = made.partition("\n")
    assert expand("{{table ddim/table2}}").rstrip("\n") == f"**{title.lstrip('# ')}**\n{rest}".rstrip("\n")
    assert expand("{{table ddim/table2 | Reconstruction}}").startswith("**Reconstruction**\n")


def test_a_claim_has_what_was_measured_and_the_verdict(expand: Callable[..., str]) -> None:
    text = expand("{{claim ddpm/simple-better-samples}}")
    assert "L_simple gives better samples" in text.replace("\\", "")
    assert "Verdict: **held**" in text
    assert text.startswith("::: {.claim .verdict-held}")
    assert "结论: **不成立**" in expand("{{claim sohl2015/product}}", "zh")


def test_a_metric_is_the_one_number_that_its_parts_name(expand: Callable[..., str]) -> None:
    text = expand("The error was {{metric sohl2015/fig1 | swiss-roll-learned, t=20, rms error of the drift}} there.")
    assert text == "The error was 0.01487 there.\n"
    assert expand("{{metric sohl2015/fig2 | valid sequences}}") == "0.994\n"
    assert expand("{{metric sohl2015/fig1 | t=3, rms error of the drift}}", absent=True) == "(not measured by this preset)\n"


def test_an_equation_has_its_function_and_its_tests(expand: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    equation = Equation(
        "ddpm", "99", "a = b", "It is so.", "如此。", "processes.gaussian.GaussianProcess", "tests/test_gaussian.py::test_x"
    )
    monkeypatch.setattr(ledger, "find", lambda paper, number: equation)
    text = expand("{{equation ddpm/99}}")
    assert "$$\na = b\n$$" in text
    assert "**Ho et al. 2020, (99)** It is so." in text
    assert "[`test_x`](results/laptop/report/code/tests.test_gaussian.html#test_x)" in text
    assert "如此。" in expand("{{equation ddpm/99}}", "zh")
    assert "<math" in pandoc.html(text, NOTE, "en")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one\n{{figure ddpm/fig99}}", ":2: figure ddpm/fig99: not found; expected one of "),
        ("{{figure ddpm/table4}}", ":1: figure ddpm/table4: not found; expected one of "),
        ("{{table ddpm/fig5}}", ":1: table ddpm/fig5: not found; expected one of table1, "),
        ("{{claim ddim/no-such}}", ":1: claim ddim/no-such: not found; expected one of eta-order-10-20, "),
        ("a {{metric ddim/table9 | FID}}", ":1: metric ddim/table9: not found; expected one of table1, "),
        ("a {{metric ddim/table1 | FID}}", ":1: metric ddim/table1 | FID: found "),
        ("a {{metric ddim/table1 | nothing}}", ":1: metric ddim/table1 | nothing: found no value of "),
        ("{{picture ddpm/fig5}}", ":1: found {{picture ddpm/fig5}}; expected {{figure | table | claim | metric | equation PAPER/NAME}}"),
        ("{{figure vae/fig5}}", ":1: found {{figure vae/fig5}}; expected "),
        ("{{figure ddpm}}", ":1: found {{figure ddpm}}; expected "),
        ("{{equation ddpm/none}}", ":1: equation ddpm none: not in the ledger; expected one of "),
        ("\n\nSee {{figure ddpm/fig5}}", ":3: figure ddpm/fig5: found in a line with other text; expected a line of its own"),
    ],
)
def test_a_directive_that_names_nothing_is_told_with_file_and_line(expand: Callable[..., str], text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        expand(text)
    assert str(error.value).startswith(f"{NOTE}{told}")


def test_what_a_preset_leaves_out_is_said_to_be_absent_or_is_an_error(layout: Layout) -> None:
    papers = layout.preset.papers.model_copy(update={"ddim": None})
    small = Layout("laptop", layout.preset.model_copy(update={"papers": papers}))

    def expand(absent: bool) -> str:
        return directives.expand("{{figure ddim/frontier}}", NOTE, small, "en", str, absent)

    assert expand(True).strip("\n") + "\n" == "*Song et al. 2020, Quality against seconds: (not measured by this preset)*\n"
    with pytest.raises(UserError, match="expected a figure that the preset laptop makes"):
        expand(False)


def test_a_block_stands_apart_from_the_text_around_it_and_stays_in_its_list(expand: Callable[..., str]) -> None:
    text = expand("above\n{{claim ddpm/simple-better-samples}}\nbelow\n\n- an item\n\n  {{claim ddpm/simple-better-samples}}\n")
    page = pandoc.html(text, NOTE, "en")
    assert page.count('class="claim verdict-held"') == 2
    assert ":::" not in page
    assert page.index("<li>") < page.rindex('class="claim') < page.index("</li>")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```x``` is code\n{{figure ddpm/fig99}}", 2),
        ("```\n~~~\n```\n{{figure ddpm/fig99}}", 4),
        ("````\n```\n````\n{{figure ddpm/fig99}}", 4),
        ("{{figure\nddpm/fig99}}", 1),
        ("text {{metric ddpm/table1 | FID", 1),
    ],
)
def test_fences_hide_what_is_in_them_and_no_more(expand: Callable[..., str], text: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"^reports/note.md:{line}: "):
        expand(text)


def test_what_is_code_a_comment_or_a_formula_is_no_directive(expand: Callable[..., str]) -> None:
    for text in ("````\n```\n{{figure ddpm/fig99}}\n````\n", "<!-- {{figure ddpm/fig99}} -->\n", "$\\frac{{a}}{b} + \\mathbf{{x}}$\n"):
        assert expand(text) == text


# --- pandoc ---


def test_formulas_are_mathml_and_citations_are_set(tmp_path: Path) -> None:
    library = tmp_path / "library.bib"
    library.write_text(LIBRARY)
    page = pandoc.html("# A\n\nAs in [@ho2020denoising], $x_t$.\n", NOTE, "en", library)
    assert "<math" in page
    assert "Ho" in page
    assert "References" in page
    assert "参考文献" in pandoc.html("[@ho2020denoising]", NOTE, "zh", library)
    assert pandoc.cited("[@ho2020denoising] and @song2021; a@b.c `@code`") == ["ho2020denoising", "song2021"]


def test_a_citation_that_the_library_lacks_is_told_with_file_and_line(tmp_path: Path) -> None:
    library, source = tmp_path / "library.bib", tmp_path / "note.md"
    library.write_text(LIBRARY)
    source.write_text("# A\n\nfine [@ho2020denoising]\nnot [@ho2021]\n")
    with pytest.raises(UserError, match=rf"^{source}:4: citation @ho2021: not in {library}; expected one of ho2020denoising$"):
        pandoc.html(source.read_text(), source, "en", library)


def test_a_library_of_others_brings_no_links_and_no_pictures(tmp_path: Path) -> None:
    library = tmp_path / "library.bib"
    title = r"\includegraphics{http://127.0.0.1:1/a.png} \href{javascript:alert(1)}{click}"
    library.write_text(f"@article{{one, title={{{title}}}, author={{A, B}}, year={{2020}}}}\n")
    page = pandoc.html("As in [@one].", NOTE, "en", library)
    assert "<img" not in page
    assert "javascript:" not in page
    assert "127.0.0.1" not in page


@pytest.mark.parametrize("text", ["", "hello world", "<html></html>"])
def test_a_library_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    library = tmp_path / "library.bib"
    library.write_text(text)
    with pytest.raises(UserError, match=rf"^{library}: .*expected BibTeX, as Zotero exports it$"):
        pandoc.html("As in [@one].", NOTE, "en", library)


def test_a_formula_that_cannot_be_set_is_told_with_its_line(tmp_path: Path) -> None:
    source = tmp_path / "note.md"
    source.write_text("one\n\nand $\\frac{$ here\n")
    with pytest.raises(UserError, match=rf"^{source}:3: pandoc: .*frac"):
        pandoc.html(source.read_text(), source, "en")


def test_a_formula_that_cannot_be_set_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^reports/note.md: pandoc: .*frac"):
        pandoc.html("$\\frac{$", NOTE, "en")


def test_a_docx_is_written_whole_with_its_pictures(tmp_path: Path) -> None:
    picture = ROOT / "docs/results/laptop/ddpm/fig5.png"
    pandoc.docx(f"# A\n\n![a figure]({picture})\n\n$x_t$\n", NOTE, "zh", tmp_path / "note.docx", title="周报")
    names = zipfile.ZipFile(tmp_path / "note.docx").namelist()
    assert any(name.startswith("word/media/") for name in names)
    with pytest.raises(UserError, match=r"nothing\.png"):
        pandoc.docx("![a](nothing.png)", NOTE, "en", tmp_path / "other.docx")
    assert not (tmp_path / "other.docx").exists()


def test_links_lead_to_the_pages_of_sources() -> None:
    assert links.code("processes.gaussian.GaussianProcess.q_sample") == "code/processes.gaussian.html#GaussianProcess.q_sample"
    assert links.code("samplers.ddim.sample") == "code/samplers.ddim.html#sample"
    assert links.test("tests/test_bounds.py::test_it") == "code/tests.test_bounds.html#test_it"
