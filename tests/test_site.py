"""The site's pages, from results that stand in for a run's: what they show, what they point at, and in which words."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import tiny
from PIL import Image

from rediffuse.papers import tables
from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import pages, recipes
from rediffuse.pipeline.records import carry, recorded
from rediffuse.presets import load_preset
from rediffuse.report import moving, words
from rediffuse.report.site.build import build
from rediffuse.report.site.numbers import Numbers, Plain, numbers
from rediffuse.report.site.render import page
from rediffuse.report.site.source import Sources

ROOT = Path(__file__).resolve().parents[1]
PAPERS = ("sohl2015", "ddpm", "ddim")
TABLE = """\
dataset,run,seeds,metric,unit,value,sd,n,published,published_sd,published_dataset,comparable,source
digits,one,3,FID,,10.5,0.25,1000,13.36,,CIFAR-10,False,Song 2020 Table 1
digits,two,3,FID,,11,0.5,1000,,,CIFAR-10,False,
"""
TEXT = """\
# A title

| run | FID |
|---|---|
| one | 10.5 ± 0.25 / 13.36 |

Measured by `processes.gaussian.GaussianProcess.posterior_mean`, where $x_t$ is noise.
"""
EQUATIONS = """\
paper,number,formula,meaning,meaning_zh,function,test,passed
ddpm,7,"\\tilde\\beta_t = \\frac{1 - \\bar\\alpha_{t-1}}{1 - \\bar\\alpha_t} \\beta_t",The posterior.,后验。,\
processes.gaussian.GaussianProcess.posterior_mean,tests/test_gaussian.py::test_one,True
ddim,12,"x_t",A step.,一步。,samplers.ddim.step,tests/test_ddim.py::test_two tests/test_ddim.py::test_three,False
"""


def content(path: Path) -> bytes:
    """Something that a file of that name may hold."""
    if path.suffix in (".png", ".gif"):
        file = io.BytesIO()
        Image.new("L", (8, 6)).save(file, path.suffix[1:].upper())
        return file.getvalue()
    if path.name == "dataset.json":
        return b'{"title": "a data set", "shape": [1, 8, 8], "splits": {"train": {"n": 1500}, "test": {"n": 297}}}'
    if path.name == "claims.csv":
        claims = tables.published(path.parent.name, "claims")
        verdicts = [("held", ""), ("not held", "the order is broken"), ("not tested", "too few")]
        judged = [verdicts[k % 3] for k in range(len(claims))]
        more = {"paper": path.parent.name, "measured": "1 < 2 & 3", "verdict": [v for v, _ in judged], "why": [why for _, why in judged]}
        return claims.assign(**more).to_csv(index=False).encode()
    return {".csv": TABLE, ".md": TEXT, ".svg": "<svg xmlns='http://www.w3.org/2000/svg'/>"}.get(path.suffix, "stand-in").encode()


MOVES = moving.Moving("clock", "A clock", "时钟", '<figure id="moving-clock"></figure>')


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A tree in which every job but the site's has left something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("site"))
        patch.setattr("rediffuse.provenance.commit", lambda: "0" * 10)
        patch.setattr(moving, "MOVING", {"ddim": {"fig4": lambda layout: MOVES}})
        taken = {"runs.digits.reuse": {"weights": "some/unet"}, "features.inception": {"kind": "inception"}}
        made = Layout("tiny", load_preset(tiny.write(Path("tiny.yaml"), tiny.preset(taken))))
        for recipe in recipes.before_report(made):
            with recorded(recipe, made.name) as more:
                more |= {"parameters": 1234, "images": 160}
                if recipe.rule == recipes.IMPORT:
                    more["imported"] = {"from": "some/unet", "file": "unet.safetensors", "sha256": "0123456789abcdef"}
                for path in recipe.makes:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content(path))
                for path in recipe.outputs.get("behind", []):
                    carry(made, recipe, path)
        assert tiny.rediffuse("report", "--preset", "tiny.yaml") == 0
        (made.results / "equations.csv").write_text(EQUATIONS, encoding="utf-8")
        assert tiny.rediffuse("site", "--preset", "tiny.yaml") == 0
        yield made


def read(layout: Layout, name: str) -> str:
    return (pages.folder(layout) / name).read_text(encoding="utf-8")


# --- what is there ---


def test_the_recipe_names_every_file_of_the_site_and_no_other(layout: Layout) -> None:
    there = {path for path in pages.folder(layout).rglob("*") if path.is_file()}
    assert there == {*recipes.site(layout).makes}
    assert recipes.jobs(layout)[-1] == recipes.site(layout)


def test_a_page_of_a_module_that_is_gone_goes(layout: Layout) -> None:
    gone = pages.folder(layout) / "code/gone.html"
    gone.write_text("gone")
    build(layout, Path("tiny.yaml"))
    assert not gone.exists()


def test_code_pages_are_no_input_and_a_docstring_is_no_change(layout: Layout) -> None:
    reads = [path.as_posix() for path in recipes.site(layout).reads]
    assert not any(path.endswith(".py") for path in reads)
    assert any(path.endswith("site.css") for path in reads) and any(path.endswith("claims.csv") for path in reads)
    assert "report.site.render" in recipes.site(layout).params()["code"]


def test_a_paper_that_the_preset_leaves_out_has_no_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = Layout("tiny", load_preset(tiny.write(Path("tiny.yaml"), tiny.preset(tiny.without("sohl2015")))))
    names = {path.name for path in pages.files(small)}
    assert "ddpm.html" in names and not any(name.startswith("sohl2015") for name in names)


def test_what_is_missing_is_told_in_a_line_and_nothing_is_written(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    picture = layout.artifact("ddim", "fig4.png")
    kept = picture.read_bytes()
    picture.unlink()
    try:
        assert tiny.refused(capsys, "site", "--preset", "tiny.yaml").startswith(f"{picture}: not found; expected ")
        picture.write_bytes(b"no picture")
        assert "damaged" in tiny.refused(capsys, "site", "--preset", "tiny.yaml")
    finally:
        picture.write_bytes(kept)


# --- what it shows ---


def test_the_front_page_has_every_claim_and_every_figure(layout: Layout) -> None:
    text = read(layout, "index.html")
    for paper in PAPERS:
        for claim in tables.published(paper, "claims").to_dict("records"):
            assert f'id="claim-{paper}-{claim["id"]}"' in text
        drawn = [artifact for artifact in asked(layout, paper) if MAKES[paper][artifact].drawn]
        assert set(re.findall(rf'href="{paper}\.html#(\w+)">\s*<span class="thumb">', text)) == {*drawn}
    assert "1 &lt; 2 &amp; 3" in text and "1 < 2" not in text, "generated text is no markup"
    assert "1,234" in text and "a data set" in text and "torch" in text
    assert re.search(r"<code>digits</code>, .*imported from.*导入自.* <code>some/unet</code>", text)
    assert "| import-digits (of some/unet, sha256 `01234567`) |" in (layout.results / "summary.md").read_text(encoding="utf-8")
    assert '<td>ImageNet</td><td lang="en">inception</td>' in text and '<td lang="en">classifier</td>' in text


def test_a_papers_page_has_every_artifact_in_the_papers_order(layout: Layout) -> None:
    for paper in PAPERS:
        text = read(layout, f"{paper}.html")
        names = list(tables.published(paper, "artifacts")["artifact"])
        assert re.findall(r'<section class="artifact" id="(\w+)"', text) == names
        assert text.count('class="behind"') == len([name for name in names if layout.asks(paper, name) and name in MAKES[paper]])
    text = read(layout, "ddpm.html")
    assert "needs" in text and "LSUN at 256 x 256" in text
    part = read(layout, "ddim.html").partition('id="table1"')[2].partition("</section>")[0]
    for told in ("10.5 ± 0.25", "13.36", "−2.86", "1000", "CIFAR-10, Song 2020 Table 1"):
        assert told in part
    for link in (
        "papers.ddim.sweeps.html#table1",
        "papers.ddim.tables.html#table1",
        "rules.artifacts.html#measure",
        "preset.html#papers.ddim.table1",
    ):
        assert f'href="code/{link}"' in part
    assert 'href="code/processes.gaussian.html#GaussianProcess.posterior_mean"' in part and "<math" in part
    assert 'class="verdict held"' in part and 'src="pictures/ddim/table1.png"' in part
    assert '<img data-lang="zh" src="pictures/ddim/table1.zh.png"' in part and 'href="pictures/ddim/table1.svg"' in part
    assert 'alt="Song et al. 2020, Table 1: ' in part and 'alt="Song 等 2020, 表 1: ' in part


def test_the_ledgers_page_points_at_functions_and_tests(layout: Layout) -> None:
    text = read(layout, "equations.html")
    assert text.count("<math") == 2
    assert 'href="code/processes.gaussian.html#GaussianProcess.posterior_mean"' in text
    assert text.count("code/tests.test_ddim.html#test_t") == 2
    assert "<b>1</b> / 2" in text


def test_source_has_an_anchor_for_everything_that_is_pointed_at(layout: Layout) -> None:
    sources = Sources(pages.sources() | {"preset": Path("tiny.yaml")}, "0" * 10)
    assert (
        sources.link("processes.gaussian", "GaussianProcess.posterior_mean")
        == "code/processes.gaussian.html#GaussianProcess.posterior_mean"
    )
    assert sources.link("processes.gaussian", "gone") == "code/processes.gaussian.html"
    assert sources.link("gone", "gone") == ""
    text = read(layout, "code/processes.gaussian.html")
    (line,) = [line for line in text.splitlines() if '<a id="GaussianProcess.posterior_mean"></a>' in line]
    assert "posterior_mean" in re.sub("<[^>]+>", "", line)
    assert {"measure", "table", "draw"} <= {anchor.name for anchor in sources.anchors["rules.artifacts"]}
    assert {"train", "sample", "train_cell"} <= {anchor.name for anchor in sources.anchors["rules.runs"]}
    options = {anchor.name: anchor.line for anchor in sources.anchors["preset"]}
    assert "fig3:" in Path("tiny.yaml").read_text().splitlines()[options["papers.ddim.fig3"] - 1]
    assert "As of commit" in text and str(ROOT) not in text, "a page names no path of a machine"


def test_no_page_asks_a_network_for_anything(layout: Layout) -> None:
    for path in pages.folder(layout).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", re.sub(r'<pre class="code".*?</pre>', "", text, flags=re.DOTALL)
        ), path


def test_pictures_that_move_are_where_they_belong_with_their_script_and_nowhere_else(layout: Layout) -> None:
    script = moving.SCRIPT.read_text(encoding="utf-8").strip().splitlines()[-1]
    part = read(layout, "ddim.html").partition('id="fig4"')[2].partition("</section>")[0]
    assert MOVES.html in part
    for name, has in {
        "ddim.html": True,
        "ddim-derivation.html": True,
        "ddim-code.html": False,
        "ddpm.html": False,
        "index.html": False,
    }.items():
        text = read(layout, name)
        assert (text.count(MOVES.html) == 1) == has
        assert (script in text and moving.STYLE.read_text(encoding="utf-8") in text) == has
    assert "时钟" in read(layout, "ddim-derivation.html")


# --- numbers ---


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    return tmp_path / "a.csv"


def test_ours_stand_beside_the_published_with_their_difference(tmp_path: Path) -> None:
    found = numbers(table(tmp_path, TABLE))
    assert isinstance(found, Numbers)
    (row,) = found.compared.rows
    assert (row.ours, row.published, row.difference, row.n, row.seeds) == ("10.5 ± 0.25", "13.36", "−2.86", "1000", "3")
    assert not row.comparable and not found.compared.comparable
    assert found.compared.same == {"dataset": "digits", "run": "one"} and not found.compared.keys
    assert [row.ours for row in found.rest.rows] == ["11 ± 0.5"]
    assert "difference" not in found.rest.columns


def test_rows_of_several_numbers_are_shown_as_they_are_and_curves_are_not(tmp_path: Path) -> None:
    assert numbers(table(tmp_path, "run,steps,seconds\na,10,0.12345678\n")) == Plain(["run", "steps", "seconds"], [["a", "10", "0.1235"]])
    assert numbers(table(tmp_path, "t,lower\n" + "1,2\n" * 300)) is None


# --- words ---


def test_every_claim_and_title_is_translated_and_no_translation_is_stale() -> None:
    claims = {(paper, row["id"]): row["claim"] for paper in PAPERS for row in tables.published(paper, "claims").to_dict("records")}
    titles = {
        (paper, row["artifact"]): row["title"].removeprefix("(ours) ")
        for paper in PAPERS
        for row in tables.published(paper, "artifacts").to_dict("records")
    }
    for name, texts in (("claims", claims), ("titles", titles)):
        assert {key: row["en"] for key, row in words.translated(name).items()} == texts
        assert all(re.search(r"[\u4e00-\u9fff]", row["zh"]) for row in words.translated(name).values())
    for paper, name in claims:
        assert words.concerns(paper, name)
        assert {*words.concerns(paper, name)} <= {artifact for each, artifact in titles if each == paper}


def test_a_sentence_that_changed_stands_in_english_until_it_is_translated() -> None:
    assert words.claim("ddim", "linear-time", "Another sentence") == ("Another sentence", "Another sentence")
    assert words.title("ddim", "fig4", "(ours) Hours to sample against S").en == "Hours to sample against S"


def test_the_interfaces_words_are_all_used_and_all_there() -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in (ROOT / "src/rediffuse/report/site").rglob("*") if path.suffix in (".html", ".py")
    ]
    text = "\n".join(texts)
    literal = set(re.findall(r'\b(?:say|word)\("([^"]+)"\)', text))
    assert literal <= words.interface().keys()
    for word in words.interface():
        assert f'"{word}"' in text, f"{word!r} is used by no page"
    rows = list(csv.reader((ROOT / "src/rediffuse/report/words/interface.csv").read_text(encoding="utf-8").splitlines()))
    assert all(len(row) == 2 and all(row) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("artifact", "called"),
    [
        ("table1", ("Table 1", "表 1")),
        ("fig11", ("Figure 11", "图 11")),
        ("table_app1", ("Table App.1", "表 App.1")),
        ("fig_d1", ("Figure D.1", "图 D.1")),
    ],
)
def test_artifacts_are_called_as_the_paper_numbers_them(artifact: str, called: tuple[str, str]) -> None:
    assert words.called(artifact) == called


def test_ours_have_no_number() -> None:
    assert words.called("frontier") is None and words.called("table1_released") is None


# --- a page for others ---


def test_a_page_around_a_body_is_whole() -> None:
    text = page("Week", "周报", "<h1>本周</h1>", "zh", 1, ["ddpm"])
    assert text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    assert '<article class="prose" lang="zh-CN"><h1>本周</h1></article>' in text
    assert 'href="../index.html"' in text and 'href="../ddpm.html"' in text
    assert "<style>" in text and "<script>" in text
    assert page("A < B", "甲 < 乙", "", "en", 0).count("A &lt; B") == 1


def test_claims_are_counted_by_their_verdicts(layout: Layout) -> None:
    claims = pd.read_csv(layout.results / "claims.csv", keep_default_na=False)
    text = read(layout, "index.html")
    for verdict, n in claims["verdict"].value_counts().items():
        assert re.search(rf'data-value="{verdict}".*?<b>{n}</b>', text, re.DOTALL)
