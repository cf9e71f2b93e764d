"""The figures' style: inks that can be told apart, files that are the same every time, axes and error bars that say what they are, and
words in Chinese. Every figure is that of the tiny preset."""

import ast
import itertools
import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from rediffuse.figures import catalogue, chinese, style
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.presets import load_preset

INKS = {name: getattr(style, name) for name in ("FORWARD", "OURS", "PUBLISHED", "EXACT", "BASELINE")}
EYES = {
    "trichromat": np.eye(3),
    "protanope": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranope": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanope": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
"""What is left of linear RGB to each: Machado, Oliveira and Fernandes 2009, at severity 1."""
Drawn = dict[tuple[str, str], Figure]


def seen(color: str, eye: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A colour as CIE L*a*b*."""
    c = np.array(to_rgb(color))
    linear = (eye @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)).clip(0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


# --- inks ---


@pytest.mark.parametrize("eye", EYES)
def test_inks_are_apart_for_every_eye(eye: str) -> None:
    colors = [ink.color for ink in INKS.values()] + [style.FAINT]
    for a, b in itertools.combinations(colors, 2):
        assert deltaE_ciede2000(seen(a, EYES[eye]), seen(b, EYES[eye])) > 15, f"{a} and {b} to a {eye}"


def test_inks_are_apart_in_grey_and_differ_in_marker_and_line() -> None:
    lightness = sorted(float(seen(color, EYES["trichromat"])[0]) for color in [*(ink.color for ink in INKS.values()), style.FAINT])
    assert min(np.diff(lightness)) > 10
    assert lightness[-1] < 90, "on white"
    for ink, other in itertools.combinations(INKS.values(), 2):
        assert ink.marker != other.marker
        assert ink.linestyle != other.linestyle or {ink, other} == {style.FORWARD, style.OURS}


def test_shades_of_one_meaning_are_apart_in_grey_and_from_another_ones() -> None:
    ours, others = style.shades(style.OURS, 4, "white"), style.shades(style.BASELINE, 4, "black")
    assert ours[0] == style.OURS and others[0] == style.BASELINE
    assert len({ink.marker for ink in ours + others}) == 8
    for inks in (ours, others):
        assert min(abs(np.diff([seen(ink.color, EYES["trichromat"])[0] for ink in inks]))) > 10
        assert len({ink.linestyle for ink in inks}) == 4


# --- what every figure says ---


@pytest.fixture(scope="module")
def drawn(tiny_results: Callable[[str], Path]) -> Iterator[Drawn]:
    """Every figure of every paper in the place where it would be written, (paper, artifact) -> figure, after a first drawing."""
    figures: Drawn = {}
    before, made = Path.cwd(), {paper: tiny_results(paper) for paper in MAKES}
    with pytest.MonkeyPatch.context() as patch, plt.rc_context({"figure.max_open_warning": 0}):
        patch.setattr(style, "save", lambda figure, path: figures.update({(path.parent.name, path.stem): figure}))
        patch.setattr(style, "save_animation", lambda *_: None)
        for paper in MAKES:
            os.chdir(made[paper])
            layout = Layout("tiny", load_preset(Path("tiny.yaml")))
            for draw in import_module(f"rediffuse.figures.{paper}").FIGURES.values():
                draw(layout)
    os.chdir(before)
    for figure in figures.values():
        figure.canvas.draw()
    yield figures
    plt.close("all")


def texts(figure: Figure) -> list[Text]:
    """What can be read in a figure."""
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def each(drawn: Drawn, check: Callable[[Figure], Any]) -> dict[str, Any]:
    """What a check finds, by figure; nothing of those where it finds nothing."""
    return {"/".join(key): found for key, figure in drawn.items() if (found := check(figure))}


def test_every_figure_of_every_paper_is_drawn(drawn: Drawn) -> None:
    assert set(drawn) == {(paper, artifact) for paper, those in MAKES.items() for artifact, makes in those.items() if makes.drawn}


def test_figures_fit_a_page_and_no_letter_is_small(drawn: Drawn) -> None:
    assert not each(drawn, lambda figure: figure.get_figwidth() * (figure.get_figwidth() > style.WIDE))
    assert not each(drawn, lambda figure: [(text.get_text(), text.get_fontsize()) for text in texts(figure) if text.get_fontsize() < 7])


def test_every_axis_with_numbers_has_a_label(drawn: Drawn) -> None:
    """The units are in the labels; ticks of an axis that shares its label with the one below have no numbers of their own."""

    def nameless(axes: Axes) -> list[str]:
        found = []
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            numbers = [label.get_text() for label in axis.get_ticklabels() if re.search(r"^[\d.]+$|\\times|10\^", label.get_text())]
            inside = axis is axes.yaxis or axis.get_ticks_position() == "bottom"  # heads of columns stand above a picture
            if numbers and inside and not axis.label.get_text():
                found.append(f"{axis.axis_name}: {numbers[:3]}")
        return found

    assert not each(drawn, lambda figure: [nameless(axes) for axes in figure.axes if nameless(axes)])


def test_every_error_bar_says_what_it_is_and_of_how_many(drawn: Drawn) -> None:
    def unsaid(figure: Figure) -> bool:
        bars = any(isinstance(container, ErrorbarContainer) for axes in figure.axes for container in axes.containers)
        said = " ".join(text.get_text() for text in texts(figure))
        return (bars or "±" in said) and not re.search(r"(±|error bars)[^.]*(standard error|deviation|range)", said)

    def uncounted(figure: Figure) -> bool:
        bars = any(isinstance(container, ErrorbarContainer) for axes in figure.axes for container in axes.containers)
        return bars and not re.search(r"\bn = \d", " ".join(text.get_text() for text in texts(figure)))

    assert not each(drawn, unsaid)
    assert not each(drawn, uncounted)


# --- Chinese ---


def test_no_word_of_any_figure_lacks_a_translation(drawn: Drawn) -> None:
    assert not each(drawn, lambda figure: [text.get_text() for text in texts(figure) if chinese.translated(text.get_text()) is None])


def test_no_entry_of_the_catalogue_is_stale() -> None:
    """Each is text that some module has, with anything in the place of the values."""
    found: set[str] = set()
    for path in Path(style.__file__).parents[1].rglob("*.py"):
        if path.name != "catalogue.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                whole = text_of(node)
                found |= {whole, *whole.split("\n")}
    assert not [entry for entry in catalogue.CATALOGUE if re.sub(r"<\w+>", "<>", entry) not in found]
    words = {word for entry in found for word in re.findall(r"[^\W\d_]{2,}", entry)}
    assert words >= catalogue.NEUTRAL
    assert {name for entry in catalogue.CATALOGUE for name in re.findall(r"<(\w+)>", entry)} >= catalogue.FREE


def text_of(node: ast.AST) -> str:
    """The text of a string in the code, <> for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "<>"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_an_entry_keeps_the_values_of_its_places() -> None:
    for entry, words in catalogue.CATALOGUE.items():
        assert sorted(re.findall(r"<(\w+)>", entry)) == sorted(re.findall(r"<(\w+)>", words)), entry
        assert chinese.MATHS.findall(entry) == chinese.MATHS.findall(words) or "<" in entry, entry


def test_a_text_is_translated_by_the_entry_that_says_most_of_it() -> None:
    assert chinese.translated("ours: digits, n = 48 test images") == "本项目：digits，n = 48 张测试图像"
    assert chinese.translated("ours: digits") == "本项目：digits"
    assert chinese.translated("$\\epsilon$: L, learned Sigma") == "$\\epsilon$：L，可学习 Sigma", "a value that is a word is one"
    assert chinese.translated("Wiener filter\nPSNR 18.2 ± 0.1 dB") == "维纳滤波\nPSNR 18.2 ± 0.1 dB", "line by line"
    assert chinese.translated("$x_t$ at t = 3") is None and chinese.translated("t = 3") == "t = 3"
    assert chinese.translated("rate: of nothing known") is None, "two words that are in no entry, around a colon that is"


# --- files ---


def small(words: str = "number of steps S") -> Figure:
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.errorbar([1, 2, 3], [1, 4, 9], 0.5, **style.OURS.joined, label=words)
    axes.set_yticks([1, 4], ["lower", "upper"])
    style.show(axes.inset_axes((0.5, 0.1, 0.3, 0.3)), np.eye(4))
    axes.legend()
    style.note(figure, words)
    return figure


def saved(folder: Path, figure: Figure) -> dict[str, bytes]:
    style.save(figure, folder / "figure.png")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def fonts_are(monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    """As if the machine had a font for Chinese, or none."""
    if installed and chinese.font.__wrapped__() is None:
        pytest.skip("no font for Chinese here")
    if not installed:
        latin = [entry for entry in font_manager.fontManager.ttflist if entry.name not in chinese.FONTS]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", latin)
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    chinese.font.cache_clear()


@pytest.fixture(autouse=True)
def fonts_anew() -> Iterator[None]:
    yield
    chinese.font.cache_clear()


def test_a_figure_is_a_png_vectors_and_a_png_in_chinese_and_the_same_bytes_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    fonts_are(monkeypatch, installed=True)
    first, second = tmp_path / "first", tmp_path / "second"
    files = saved(first, small())
    assert list(files) == ["figure.png", "figure.svg", "figure.zh.png"]
    assert saved(second, small()) == files
    assert files["figure.zh.png"] != files["figure.png"]
    assert b"<svg" in files["figure.svg"] and b"image-rendering" in files["figure.svg"] and b"dc:date" not in files["figure.svg"]
    with Image.open(first / "figure.zh.png") as picture:
        assert picture.format == "PNG"
    assert not [str(warning.message) for warning in recwarn if "missing from font" in str(warning.message)], "a letter was not found"


def test_words_ticks_and_legend_are_drawn_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts_are(monkeypatch, installed=True)
    figure = small()
    figure.canvas.draw()
    with chinese.words(figure):
        figure.canvas.draw()
        assert {"步数 S", "下界", "上界"} == {text.get_text() for text in texts(figure) if not chinese.neutral(text.get_text())}
    plt.close(figure)


def test_without_a_font_for_chinese_the_words_stay_english_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fonts_are(monkeypatch, installed=False)
    files = saved(tmp_path / "first", small())
    assert files["figure.zh.png"] == files["figure.png"]
    saved(tmp_path / "second", small())
    out, err = capsys.readouterr()
    assert not out and len(err.splitlines()) == 1
    assert err.startswith("No font for Chinese is installed (Noto Sans CJK SC, ")


def test_a_font_that_came_after_matplotlib_first_ran_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts_are(monkeypatch, installed=True)
    found = chinese.font()
    files = [entry.fname for entry in font_manager.fontManager.ttflist if entry.name == found]
    old = [entry for entry in font_manager.fontManager.ttflist if entry.name not in chinese.FONTS and entry.fname not in files]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", old)
    chinese.font.cache_clear()
    assert chinese.font() == found


def test_what_drawing_leaves_is_a_picture_and_its_twins_and_the_reader_is_shown_the_picture() -> None:
    makes = MAKES["sohl2015"]["fig1"]
    assert makes.pictures == ["fig1.png", "fig1.gif", "fig1.svg", "fig1.zh.png"]
    assert makes.shown("fig1") == ["fig1.csv", "fig1.png", "fig1.gif"]
    assert MAKES["sohl2015"]["table1"].pictures == []
