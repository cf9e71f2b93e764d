"""Weekly reports: what is read of them, what they are refused for, the progress that they tell, and the pages that they become."""

import base64
import io
import json
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pipeline import environment
from tiny import rediffuse, refused

from rediffuse import revisions, weeklies
from rediffuse.errors import UserError
from rediffuse.papers import directives
from rediffuse.paths import Layout
from rediffuse.pipeline import named, pages, recipes
from rediffuse.pipeline.verify import told
from rediffuse.presets import load_preset, preset_path
from rediffuse.report.weekly import beside, progress, start, words
from rediffuse.report.weekly.progress import Change, State, compare

ROOT = Path(__file__).resolve().parents[1]
LAPTOP = ROOT / "config/laptop.yaml"
REPORTS = [path.stem for path in sorted((ROOT / "reports/weekly").glob("*.md"))]
NAME = "2023-02-07"
FRONT = {"from": "2023-02-01", "to": NAME, "language": "en", "baseline": "", "presets": "[laptop]"}
TEXT = "Words that cite [@ho2020denoising].\n\n## Next week\n\n- read on\n"


def git(*arguments: str) -> str:
    """Of the folder that a test is in."""
    return subprocess.run(["git", *arguments], env=environment(Path()), capture_output=True, text=True, check=True).stdout.strip()


def commit(message: str) -> str:
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", message)
    return git("rev-parse", "HEAD")


def write(name: str = NAME, text: str = TEXT, **front: str | None) -> Path:
    """A report; a key that is None is left out."""
    lines = [f"{key}: {value}" for key, value in (FRONT | {"to": name} | front).items() if value is not None]
    path = weeklies.path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["---", *lines, "---", "", text]), encoding="utf-8")
    return path


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A folder with the recorded results as a run's, the library, and nothing under git."""
    if not (ROOT / "docs/results/laptop").is_dir():
        pytest.skip("no recorded results in docs/results/laptop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rediffuse.provenance.commit", lambda: "0" * 10)
    shutil.copytree(ROOT / "docs/results/laptop", "results/laptop")
    Path("reports").mkdir()
    for path in (weeklies.LIBRARY, weeklies.ZOTERO):
        shutil.copyfile(ROOT / path, path)
    return Layout("laptop", load_preset(LAPTOP))


@pytest.fixture
def repository(layout: Layout) -> Layout:
    """The same under git, the snapshot and the preset in its one commit."""
    shutil.copytree("results/laptop", "docs/results/laptop")
    Path("config").mkdir()
    shutil.copyfile(LAPTOP, "config/laptop.yaml")
    Path(".gitignore").write_text("/results/\n")
    git("init", "--quiet")
    commit("sources")
    return layout


# --- front matter ---

WRONG: dict[str, tuple[dict[str, str | None], str]] = {
    "an unknown key": (
        {"author": "me"},
        "7: author: unknown key; expected one of from, to, language, baseline, revision, presets, status, title",
    ),
    "a key left out": ({"language": None}, "1: language: not given; expected a value"),
    "no date": ({"from": "monday"}, "2: from: found 'monday'; expected a valid date"),
    "a day that is none": ({"from": "2023-02-30"}, "2: day is out of range for month; expected YAML"),
    "another language": ({"language": "fr"}, "4: language: found 'fr'; expected 'zh' or 'en'"),
    "another state": ({"status": "final"}, "7: status: found 'final'; expected 'draft'"),
    "a hash of digits": ({"baseline": "1234567"}, "5: baseline: found 1234567; expected a valid string in quotes"),
    "an end before its beginning": ({"from": "2023-02-08"}, "3: to: found '2023-02-07'; expected a day not before from, 2023-02-08"),
    "another day than the name's": (
        {"to": "2023-02-06"},
        "3: to: found 2023-02-06; expected 2023-02-07, the last day, by which the file is named",
    ),
    "no list": ({"presets": "laptop"}, "6: presets: found 'laptop'; expected a valid list"),
    "no YAML": ({"title": "[a"}, "7: expected ',' or ']', but got '<stream end>'; expected YAML"),
    "a key twice": ({"title": "a\ntitle: b"}, '8: found duplicate key "title" with value "b" (original value: "a"); expected YAML'),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_malformed_front_matter_is_one_line_with_file_and_line(layout: Layout, capsys: pytest.CaptureFixture[str], case: str) -> None:
    front, expected = WRONG[case]
    to = front.pop("to", NAME) if "to" in front else NAME
    path = write(NAME, TEXT, **(front | {"to": to}))
    assert refused(capsys, "weekly", "render", str(path)).startswith(f"{path}:{expected}")
    with pytest.raises(UserError, match=re.escape(f"{path}:{expected}")):
        recipes.jobs(layout)  # which Snakemake asks for before it begins


@pytest.mark.parametrize("text", ["# No front matter\n", "---\nfrom: 2023-02-01\n", "", "---\n- a list\n---\n"])
def test_a_file_without_front_matter_is_told_what_is_expected(layout: Layout, text: str) -> None:
    path = write()
    path.write_text(text)
    with pytest.raises(UserError, match=rf"^{path}:[12]: found .*; expected the front matter of a weekly report"):
        weeklies.read(path)


def test_a_file_that_is_named_otherwise_is_named(layout: Layout) -> None:
    write().rename(weeklies.FOLDER / "notes.md")
    with pytest.raises(UserError, match=r"^reports/weekly/notes.md: found the name notes; expected the report's last day"):
        weeklies.names()


def test_lines_of_the_text_keep_their_numbers(layout: Layout) -> None:
    path = write(text="one\n\n{{figure ddpm/fig5}}\n")
    report = weeklies.read(path)
    assert [line for line in report.body.split("\n") if line] == ["one", "{{figure ddpm/fig5}}"]
    assert report.body.split("\n").index("one") == path.read_text().split("\n").index("one")
    assert [(each.kind, each.paper, each.name) for each in directives.of(report.body, report.path)] == [("figure", "ddpm", "fig5")]
    assert report.front.since == date(2023, 2, 1)
    assert (report.front.baseline, report.front.status, report.front.presets) == (None, None, ["laptop"])


# --- whose it is ---


def test_a_report_is_of_the_presets_that_it_names_and_that_make_what_it_shows(layout: Layout) -> None:
    shows = weeklies.read(write(text="{{figure ddim/frontier}}\n"))
    assert named.left_out(layout, shows) == ""
    assert [recipe.job for recipe in recipes.weekly_reports(layout)] == [f"weekly-{NAME}"]
    options = layout.preset.papers.ddim
    assert options
    small = layout.preset.model_copy(
        update={"papers": layout.preset.papers.model_copy(update={"ddim": options.model_copy(update={"frontier": None})})}
    )
    assert named.left_out(Layout("laptop", small), shows) == "it names ddim/frontier, which this preset does not make"
    assert named.left_out(Layout("mine", layout.preset), shows) == "it is of the presets laptop"
    assert recipes.weekly_reports(Layout("mine", layout.preset)) == []


def test_what_no_preset_makes_is_no_reason_but_a_mistake(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(text="\n{{figure ddpm/fig99}}\n")
    assert named.left_out(layout, weeklies.read(path)) == ""
    assert refused(capsys, "weekly", "render", str(path)).startswith(f"{path}:10: figure ddpm/fig99: not found; expected one of table2, ")


def test_a_job_depends_on_what_its_report_names_and_on_no_other_report(repository: Layout) -> None:
    write("2023-02-07", "{{figure ddpm/fig5}}\n\n{{claim ddim/reconstruction}}\n")
    write("2023-02-14", "{{table ddpm/table1}}\n", **{"from": "2023-02-08", "baseline": "HEAD"})
    first, second = recipes.weekly_reports(repository)
    results = [Path("results/laptop") / name for name in ("metrics.json", "claims.csv", "timings.json")]
    common = {weeklies.LIBRARY, weeklies.ZOTERO, *results, *pages.looks()}
    png = [Path("results/laptop/ddpm") / name for name in recipes.MAKES["ddpm"]["fig5"].pictures if name.endswith(".png")]
    assert {*first.reads} == common | {weeklies.path_of(first.makes[0].stem), *png, Path("results/laptop/ddim/claims.csv")}
    assert {*second.reads} == common | {weeklies.path_of(second.makes[0].stem), Path("results/laptop/ddpm/table1.md")}
    assert first.options["revisions"] == {}
    assert second.options["revisions"] == {"baseline": git("rev-parse", "HEAD")}


def test_a_changed_text_makes_that_report_stale_and_no_other(layout: Layout) -> None:
    for name, since in (("2023-02-07", "2023-02-01"), ("2023-02-14", "2023-02-08")):
        assert rediffuse("weekly", "render", str(write(name, TEXT, **{"from": since}))) == 0
    first, second = recipes.weekly_reports(layout)
    assert told(first) == told(second) == []
    write("2023-02-14", TEXT + "\nMore words.\n", **{"from": "2023-02-08"})
    assert told(first) == []
    assert told(second) == [f"{second.makes[0]}: stale: it was made from another reports/weekly/2023-02-14.md"]


# --- what a report is refused for ---


def test_a_citation_that_the_library_has_not_is_told_with_its_line(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(text="Words.\n\nMore, by [@nobody1900nothing].\n")
    line = refused(capsys, "weekly", "render", str(path))
    assert line.startswith(f"{path}:11: citation @nobody1900nothing: not in reports/library.bib; expected one of ho2020denoising, ")


def test_without_a_library_only_a_report_that_cites_is_refused(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    weeklies.LIBRARY.unlink()
    assert refused(capsys, "weekly", "render", str(write())).startswith(
        "reports/library.bib: not found; expected the file that `rediffuse zotero pull`"
    )
    assert rediffuse("weekly", "render", str(write(text="Words.\n"))) == 0


def test_a_baseline_that_does_not_exist_is_told_with_its_line(repository: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(baseline="no-such-revision")
    expected = f"{path}:5: baseline: found no-such-revision, which git does not know; expected a revision, or last-report"
    assert refused(capsys, "weekly", "render", str(path)) == expected
    assert rediffuse("weekly", "render", str(write(baseline="HEAD"))) == 0
    assert refused(capsys, "weekly", "render", str(write(baseline="HEAD", revision="v9"))).startswith(f"{path}:7: revision: found v9")


def test_a_shallow_clone_is_told_of(repository: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = git("rev-parse", "HEAD")
    commit("another")
    git("clone", "--quiet", "--depth", "1", f"file://{tmp_path}", "clone")
    monkeypatch.chdir("clone")
    with pytest.raises(UserError, match=r"which git does not know \(this clone is a shallow one: git fetch --unshallow\)"):
        weeklies.commit(weeklies.read(write(baseline=f'"{old}"')), "baseline")


def test_last_report_is_the_commit_that_brought_it(repository: Layout) -> None:
    with pytest.raises(UserError, match=r":5: baseline: found last-report, and no report is before this one"):
        weeklies.commit(weeklies.read(write(baseline="last-report")), "baseline")
    path = write("2023-02-14", TEXT, **{"from": "2023-02-08", "baseline": "last-report"})
    with pytest.raises(UserError, match=rf"^{path}:5: baseline: found last-report, and reports/weekly/2023-02-07.md is in no commit"):
        weeklies.commit(weeklies.read(path), "baseline")
    git("add", str(weeklies.path_of("2023-02-07")))
    brought = commit("a report")
    write("2023-02-07", TEXT + "\nLater words.\n")
    commit("more of it")
    assert weeklies.commit(weeklies.read(path), "baseline") == brought


def test_a_file_elsewhere_is_none_of_ours(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    Path("2023-02-07.md").write_text("")
    assert refused(capsys, "weekly", "render", "2023-02-07.md") == "2023-02-07.md: found a file elsewhere; expected one of reports/weekly/"


# --- progress ---


def test_changes_are_ordered_by_their_relative_size() -> None:
    then = {"a": 100.0, "b": 1.0, "c": 0.0, "d": 5.0, "e": 7.0}
    now = {"a": 101.0, "b": 1.5, "c": 1.0, "d": 5.0, "f": 2.0}
    found = compare(then, now)
    assert found.changed == [Change("c", 0.0, 1.0), Change("b", 1.0, 1.5), Change("a", 100.0, 101.0)]
    assert (found.new, found.gone) == (["f"], ["e"])


def edited(repository: Layout) -> str:
    """The run anew: other numbers, another verdict, an option changed, a training made, two commits. The baseline."""
    old = git("rev-parse", "HEAD")
    path = repository.results / "metrics.json"
    metrics = json.loads(path.read_text())
    keys = list(metrics["ddpm"]["table1"])
    for place, key in enumerate(keys):
        metrics["ddpm"]["table1"][key] += 0.01 * place * abs(metrics["ddpm"]["table1"][key])
    metrics["ddim"]["fig5"]["digits, steps=7, new"] = 1.0
    path.write_text(json.dumps(metrics))
    claims = (repository.results / "claims.csv").read_text()
    assert "not tested" in claims
    (repository.results / "claims.csv").write_text(re.sub(r"not tested.*?(,[^,\n]*)$", r"held,\1", claims, count=1, flags=re.MULTILINE))
    timings = json.loads((repository.results / "timings.json").read_text())
    timings["train-digits"] |= {"seconds": 300.0, "commit": "f" * 10}
    (repository.results / "timings.json").write_text(json.dumps(timings))
    preset = Path("config/laptop.yaml")
    text = preset.read_text()
    assert "batch: 64, lr: 4e-3" in text
    preset.write_text(text.replace("batch: 64, lr: 4e-3", "batch: 64, lr: 5e-3"))
    commit("an option")
    commit("*words* of <a commit>")
    return old


def test_progress_is_what_changed_since_the_baseline(repository: Layout) -> None:
    old = edited(repository)
    weekly = weeklies.read(write(baseline=f'"{old[:10]}"'))
    here = progress.state_here(repository, Path("config/laptop.yaml"))
    found = progress.since(repository, weekly, here)
    assert isinstance(found, progress.Progress)
    assert [(each.key, each.then, each.now) for each in found.params.changed] == [("runs.digits.training.lr", 4e-3, 5e-3)]
    assert [each.now for each in found.claims.changed] == ["held"]
    assert found.metrics.new == ["ddim/fig5: digits, steps=7, new"]
    sizes = [each.size for each in found.metrics.changed]
    assert sizes == sorted(sizes, reverse=True)
    assert {each.key.partition(": ")[0] for each in found.metrics.changed} == {"ddpm/table1"}
    assert found.runs == {"train-digits": 300.0}
    assert [each.subject for each in found.commits] == ["*words* of <a commit>", "an option"]

    told = words.section(repository, found, here, "en")
    rows = re.findall(r"^\| ddpm\\/table1", told, re.MULTILINE)
    assert len(rows) == words.MOST
    assert f"... and {len(sizes) - words.MOST} more" in told
    assert "| runs\\.digits\\.training\\.lr | 0.004 | 0.005 | +25% |" in told
    assert "1 trainings and samplings were made since; they took 5 min." in told
    assert "\\*words\\* of \\<a commit\\>" in told
    assert "未检验 | 成立" in words.section(repository, found, here, "zh")


def test_dvc_tells_the_same_differences(repository: Layout) -> None:
    """Of the files that git has: those of a run are in DVC's cache, which a clone without the remote has not."""
    old = edited(repository)
    shutil.copyfile("results/laptop/metrics.json", "docs/results/laptop/metrics.json")
    where = environment(Path())
    subprocess.run(["dvc", "init", "--quiet"], env=where, check=True)
    here = progress.state_here(repository, Path("config/laptop.yaml"))
    found = progress.since(repository, weeklies.read(write(baseline=f'"{old}"')), here)
    assert isinstance(found, progress.Progress)

    def diff(kind: str, target: str) -> dict[str, tuple[object, object]]:
        command = ["dvc", kind, "diff", old, "--targets", target, "--json"]
        told = json.loads(subprocess.run(command, env=where, capture_output=True, text=True, check=True).stdout)
        return {key: (value["old"], value["new"]) for key, value in told[target].items()}

    options = diff("params", "config/laptop.yaml")
    assert options == {each.key: (each.then, each.now) for each in found.params.changed}
    numbers = diff("metrics", "docs/results/laptop/metrics.json")
    ours = {each.key.replace("/", ".", 1).replace(": ", ".", 1): (each.then, each.now) for each in found.metrics.changed}
    ours |= {key.replace("/", ".", 1).replace(": ", ".", 1): (None, found.now.metrics[key]) for key in found.metrics.new}
    assert numbers == ours


def test_a_revision_ends_progress_at_its_own_snapshot(repository: Layout) -> None:
    old = edited(repository)
    weekly = weeklies.read(write(baseline=f'"{old}"', revision="HEAD~1"))
    found = progress.since(repository, weekly, progress.state_here(repository, Path("config/laptop.yaml")))
    assert isinstance(found, progress.Progress)
    assert [each.subject for each in found.commits] == ["an option"]
    assert not found.metrics.changed, "the snapshot was not recorded anew"
    assert found.params.changed


def test_a_baseline_without_a_snapshot_makes_everything_new(repository: Layout) -> None:
    shutil.rmtree("docs")
    base = commit("no snapshot")
    here = progress.state_here(repository, Path("config/laptop.yaml"))
    found = progress.since(repository, weeklies.read(write(baseline=f'"{base}"')), here)
    assert isinstance(found, progress.Progress)
    assert found.then == State({}, {}, found.now.params, {})
    told = words.section(repository, found, here, "en")
    assert "The baseline has no recorded results of this preset: all is new." in told
    assert f"The run has {len(here.metrics)} numbers" in told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_first_report_and_one_without_git_say_so(layout: Layout, language: str) -> None:
    here = progress.state_here(layout, LAPTOP)
    assert not revisions.here()
    for front, answer in (("", "first"), ("HEAD~3", "no git")):
        found = progress.since(layout, weeklies.read(write(baseline=front)), here)
        assert found == answer
        assert words.WORDS[language][answer] in words.section(layout, found, here, language)


# --- the page and the document ---


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both reports of the repository, rendered from the recorded results; the folder of their pages."""
    if not (ROOT / "docs/results/laptop").is_dir():
        pytest.skip("no recorded results in docs/results/laptop")
    folder = tmp_path_factory.mktemp("rendered")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copytree(ROOT / "docs/results/laptop", "results/laptop")
        shutil.copytree(ROOT / "reports", "reports")
        for name in REPORTS:
            assert rediffuse("weekly", "render", f"reports/weekly/{name}.md") == 0
    return folder / "results/laptop/report/weekly"


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_has_its_pictures_inside_and_asks_nobody_for_anything(rendered: Path, name: str) -> None:
    page = (rendered / f"{name}.html").read_text(encoding="utf-8")
    figures = (ROOT / f"reports/weekly/{name}.md").read_text(encoding="utf-8").count("{{figure ")
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == figures > 0
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert page.count("<img ") == figures
    assert not re.search(r"(?:src|@import)[^>]*https?:", page)
    assert "<math" in page and 'lang="zh-CN"' in page
    assert "{{" not in page.replace("{{}}", "")
    assert re.search(r'id="refs".*Sohl-Dickstein', page, re.DOTALL), "references are set"


@pytest.mark.parametrize("name", REPORTS)
def test_a_document_has_its_pictures_inside(rendered: Path, name: str) -> None:
    figures = (ROOT / f"reports/weekly/{name}.md").read_text(encoding="utf-8").count("{{figure ")
    with zipfile.ZipFile(io.BytesIO((rendered / f"{name}.docx").read_bytes())) as archive:
        assert sum(entry.startswith("word/media/") for entry in archive.namelist()) == figures
        text = archive.read("word/document.xml").decode()
    assert "参考文献" in text and "m:oMath" in text


def test_the_first_week_answers_what_the_drift_term_is_and_shows_its_notes(rendered: Path) -> None:
    page = (rendered / "2023-01-03.html").read_text(encoding="utf-8")
    aside = re.search(r'<aside class="reading".*?</aside>', " ".join(page.split()))
    assert aside and "drift term" in aside[0]
    assert "transcribed from the report of 2023-01-02, not exported" in aside[0]
    assert words.WORDS["zh"]["first"] in page
    metrics = json.loads((rendered.parents[1] / "metrics.json").read_text())["sohl2015"]["fig1"]
    for value in metrics.values():
        assert f"{value:.4g}" in page


def test_a_draft_is_marked_and_what_was_read_in_another_week_is_not_beside_it(rendered: Path) -> None:
    page = (rendered / "2023-01-10.html").read_text(encoding="utf-8")
    assert words.WORDS["zh"]["draft"] in page
    assert "（待研究者填写）" in page
    assert "<aside" not in page
    assert words.WORDS["zh"]["draft"] not in (rendered / "2023-01-03.html").read_text(encoding="utf-8")


def test_the_same_report_has_the_same_bytes(layout: Layout) -> None:
    path = write(text="Words.\n\n{{figure ddpm/fig5}}\n")
    pages: list[dict[str, bytes]] = []
    for _ in range(2):
        assert rediffuse("weekly", "render", str(path)) == 0
        pages.append({made.name: made.read_bytes() for made in recipes.weekly(layout, NAME).makes})
        shutil.rmtree("results/laptop/report")
    assert pages[0] == pages[1]


def test_a_line_that_ends_inside_a_chinese_sentence_is_no_space(layout: Layout) -> None:
    assert rediffuse("weekly", "render", str(write(text="一行，\n下一行\n", language="zh"))) == 0
    assert "一行，下一行" in layout.weekly(NAME).read_text(encoding="utf-8").replace("\n", "")


# --- what was read ---

MARK = {"key": "A", "type": "highlight", "text": "a *mark*", "comment": "<b>why</b>", "color": "#ffd400", "page": "5"}
WEEK = {"added": "2023-02-03T08:00:00Z", "modified": "2023-02-03T08:00:00Z"}
BEFORE = {"added": "2023-01-03T08:00:00Z", "modified": "2023-01-03T08:00:00Z"}


@pytest.fixture
def export(layout: Layout) -> Callable[..., None]:
    def exported(annotations: list[dict[str, str]], notes: list[dict[str, str]]) -> None:
        paper = {"item": "X", "title": 'Denoising "Diffusion"', "tags": [], "notes": notes, "annotations": annotations}
        weeklies.ZOTERO.write_text(json.dumps({"exported": None, "library": "users/0", "papers": {"ho2020denoising": paper}}))

    return exported


def test_annotations_and_notes_of_the_week_stand_beside_the_text(export: Callable[..., None], layout: Layout) -> None:
    export(
        [MARK | WEEK, MARK | BEFORE | {"text": "of last month"}, MARK | BEFORE | {"text": "changed now", "modified": WEEK["added"]}],
        [{"key": "N", "html": "<p>A <strong>note</strong><script>x()</script></p>"} | WEEK],
    )
    assert rediffuse("weekly", "render", str(write())) == 0
    page = layout.weekly(NAME).read_text(encoding="utf-8")
    (aside,) = re.findall(r"<aside.*?</aside>", " ".join(page.split()))
    assert 'aria-label="Read this week: Denoising &quot;Diffusion&quot;"' in aside
    assert '<span class="swatch" style="background:#ffd400"></span> p. 5, yellow: “a *mark*” <em>&lt;b&gt;why&lt;/b&gt;</em>' in aside
    assert "changed now" in aside and "of last month" not in aside
    assert "note: A note" in aside and "<script>" not in aside
    with zipfile.ZipFile(layout.weekly(NAME).with_suffix(".docx")) as archive:
        text = archive.read("word/document.xml").decode()
    assert 'w:val="BlockText"' in text and "yellow" in text


def test_a_paper_that_is_not_cited_is_not_beside_the_text(export: Callable[..., None], layout: Layout) -> None:
    export([MARK | WEEK], [])
    assert rediffuse("weekly", "render", str(write(text="Words.\n"))) == 0
    assert "<aside" not in layout.weekly(NAME).read_text(encoding="utf-8")


def test_a_colour_without_a_name_and_a_picture_are_told(export: Callable[..., None], layout: Layout) -> None:
    export([MARK | WEEK | {"type": "image", "text": "", "color": "#123456", "page": "", "comment": ""}], [])
    weekly = weeklies.read(write())
    from rediffuse.report import zotero

    (line,) = [line for line in beside.asides(weekly, ["ho2020denoising"], zotero.read(weeklies.ZOTERO)).splitlines() if "swatch" in line]
    assert line == '> []{.swatch style="background:#123456"} \\#123456: (a picture)'


def test_a_damaged_export_is_named(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    weeklies.ZOTERO.write_text('{"exported": null, "library": "users/0", "papers": {"x": {"item": 3}}}')
    line = refused(capsys, "weekly", "render", str(write()))
    assert line.startswith("reports/zotero.json: papers.x.item: found 3; expected a valid string")


# --- the next one ---


def test_the_next_report_begins_with_what_the_last_one_planned(repository: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    text = "## Next week\n\n1. [ ] read on,\n   slowly\n2. write\n\n   - a part\n\n## Later\n\n- nothing\n"
    write(text=text)
    commit("a report")
    assert rediffuse("weekly", "new") == 0
    assert capsys.readouterr().out == "reports/weekly/2023-02-14.md\n"
    new = weeklies.read(weeklies.path_of("2023-02-14"))
    assert (new.front.since, new.front.to, new.front.language) == (date(2023, 2, 8), date(2023, 2, 14), "en")
    assert new.front.baseline == revisions.short("HEAD")
    assert "## Tasks\n\n- [ ] read on,\n   slowly\n- [ ] write\n\n   - a part\n\n## Next week\n" in new.body
    assert "nothing" not in new.body
    assert rediffuse("weekly", "render", "reports/weekly/2023-02-14.md") == 0


def test_the_next_of_the_last_real_one_is_chinese() -> None:
    planned = start.tasks(weeklies.read(ROOT / "reports/weekly/2023-01-03.md").body)
    assert planned == ["把 DDPM 的论文和代码理清楚", "尽力把 DDIM [@song2021denoising] 的论文读完"]


def test_without_git_the_baseline_is_the_last_report(layout: Layout) -> None:
    write(language="zh", text="## 下周任务\n\n- 读\n")
    assert rediffuse("weekly", "new", "--date", "2023-02-09") == 0
    new = weeklies.read(weeklies.path_of("2023-02-09"))
    assert (new.front.baseline, new.front.language) == ("last-report", "zh")
    assert "## 本周任务\n\n- [ ] 读\n\n## 下周任务\n" in new.body


def test_the_next_report_is_never_written_over(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "weekly", "new").startswith("reports/weekly: no report; expected a first one, written by hand")
    write()
    assert (
        refused(capsys, "weekly", "new", "--date", NAME)
        == f"reports/weekly/{NAME}.md: is there; expected a day that has no report: --date YYYY-MM-DD"
    )
    line = refused(capsys, "weekly", "new", "--date", "2023-02-02")
    assert line == "--date: found 2023-02-02; expected 2023-02-08 or later, since reports/weekly/2023-02-07.md is there"
    write(text="Words.\n")
    assert refused(capsys, "weekly", "new").startswith(f"reports/weekly/{NAME}.md: no list below ## 下周任务 or ## Next week; ")


def test_the_two_reports_are_of_both_shipped_presets() -> None:
    for name in ("laptop", "smoke"):
        layout = Layout(name, load_preset(preset_path(name)))
        for report in REPORTS:
            assert named.left_out(layout, weeklies.read(ROOT / f"reports/weekly/{report}.md")) == ""


# --- what others wrote, and what editors leave ---


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ({"revision": "HEAD"}, "7: revision: found 'HEAD'; expected none, where there is no baseline"),
        ({"presets": "[]"}, "6: presets: found []; expected a list with at least 1 item"),
        ({"title": "!!bool foo"}, "7: "),
        ({"title": "!!omap [a: 1]"}, "7: "),
    ],
)
def test_odd_front_matter_is_one_line_too(layout: Layout, capsys: pytest.CaptureFixture[str], front: dict[str, str], expected: str) -> None:
    path = write(**front)
    told = refused(capsys, "weekly", "render", str(path))
    assert told.startswith(f"{path}:")
    assert expected.split("; expected")[0] in told


def test_a_byte_order_mark_and_an_editors_lock_stop_nobody(layout: Layout) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (weeklies.FOLDER / f".#{NAME}.md").symlink_to("nobody@nowhere")
    assert weeklies.names() == [NAME]
    assert weeklies.read(path).front.language == "en"


def test_a_picture_of_ones_own_lies_in_the_page(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Path("reports/own.png")
    picture.write_bytes((ROOT / "docs/results/laptop/ddpm/fig2.png").read_bytes())
    path = write(text="Look:\n\n![mine](reports/own.png)\n")
    assert rediffuse("weekly", "render", str(path)) == 0
    page = layout.weekly(NAME).read_text()
    assert page.count('src="data:image/png;base64,') == 1
    assert "reports/own.png" not in page
    path = write(text="Look:\n\n<img src='http://127.0.0.1:1/a.png'>\n")
    assert refused(capsys, "weekly", "render", str(path)).startswith(
        f"{path}:11: picture http://127.0.0.1:1/a.png: not found; expected a file"
    )


def test_what_a_note_names_is_not_fetched(capfd: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.timeout = 0.3
        asked = []
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.process_request = lambda *request: asked.append(request)  # type: ignore[method-assign]
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        told = beside.plain(f'<p>words</p><iframe src="{address}/a"></iframe><img src="{address}/b">')
        thread.join()
    assert told.startswith("words")
    assert address not in told
    assert not asked
    assert not capfd.readouterr().err


def test_a_clone_without_its_history_says_so(repository: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("2023-01-31", **{"from": "2023-01-25"})
    commit("a first report")
    path = write(baseline="last-report")
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty-message", "--message", "")  # one without a word is one, too
    whole = weeklies.commit(weeklies.read(path), "baseline")
    assert whole
    assert [each.subject for each in revisions.between(whole, "HEAD")] == [""]
    git("clone", "--quiet", "--depth", "1", f"file://{Path.cwd()}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    assert weeklies.commit(weeklies.read(path), "baseline") is None
    assert progress.since(repository, weeklies.read(path), State({}, {}, {}, {})) == "shallow"


def test_a_paragraph_below_the_plan_is_no_task() -> None:
    assert start.tasks("## Next week\n\n- plan A\n- plan B\n\n  more of it\n\nclosing remark\n") == ["plan A", "plan B\n\n  more of it"]
