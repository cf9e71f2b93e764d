"""What a user sees of the pipeline: messages, logs, the line of a job that failed, and Snakemake's own report."""

import json
import re
from pathlib import Path

import pytest
from pipeline import RESULTS, copied, run, snakemake, sources

from rediffuse.papers.makes import MAKES, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import status
from rediffuse.presets import load_preset

pytestmark = pytest.mark.timeout(900)


LONG = {
    r"Prepare the data set (\S+)$": "prepare {}",
    r"Train (\S+)$": "train {}",
    r"Sample (\S+) from \S+, shard (\d+) of (\d+)$": "sample {} {}/{}",
    r"Measure (\S+) of (\S+)$": "measure {1} {0}",
}
"""What Snakemake says of the jobs that `rediffuse status` lists -> how that names them."""


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout("smoke", load_preset(Path(__file__).resolve().parents[1] / "config/smoke.yaml"))


@pytest.fixture(scope="module")
def finished(smoke_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(smoke_tree, tmp_path_factory.mktemp("workflow") / "rediffuse")


def shown(layout: Layout) -> list[tuple[str, str, str]]:
    """Every table and figure of the preset, as (paper, artifact, file) that a reader looks at."""
    return [
        (paper, artifact, file)
        for paper, those in MAKES.items()
        for artifact in asked(layout, paper)
        for file in [f"{artifact}.csv"] * those[artifact].is_table + those[artifact].drawn
    ]


def test_every_job_has_a_message_that_names_paper_and_artifact(tmp_path: Path, layout: Layout) -> None:
    told = snakemake(sources(tmp_path / "rediffuse"), "-n")
    messages = re.findall(r"^Job \d+: (.+)$", told, re.MULTILINE)
    (total,) = re.findall(r"^total\s+(\d+)$", told.split("Reasons:")[0], re.MULTILINE)[:1]
    assert len(messages) == int(total)
    assert not re.search(r"^(local)?rule \w+:$", told, re.MULTILINE), "a job without a message is shown so"
    for paper, those in MAKES.items():
        for artifact in asked(layout, paper):
            makes = those[artifact]
            steps = ["Measure"] * bool(makes.measured) + ["Tabulate"] * makes.is_table + ["Draw"] * bool(makes.drawn)
            for step in steps:
                assert messages.count(f"{step} {artifact} of {paper}") == 1
        assert messages.count(f"Claims and verdicts of {paper}") == 1
    for name in layout.preset.runs | layout.preset.features:
        assert messages.count(f"Train {name}") == 1
    assert len(set(messages)) == len(messages)
    long = [re.match(pattern, message) for pattern in LONG for message in messages]
    assert {LONG[match.re.pattern].format(*match.groups()) for match in long if match} == {job.name for job in status.jobs(layout)}


@pytest.mark.slow
def test_every_job_leaves_a_log_of_plain_lines(finished: Path) -> None:
    records = [json.loads(path.read_text()) for path in (finished / ".snakemake/metadata").rglob("*") if path.is_file()]
    logs = {log for record in records for log in record["log"]}
    assert len(records) > 100
    assert all(record["log"] for record in records)
    texts = {log: (finished / log).read_text() for log in logs}
    for log, text in texts.items():
        # Neither a bar's carriage returns and blocks, nor a terminal's colours.
        assert not re.search(r"[\r\x1b█▏]|\d%\|", text), log
    for log, text in texts.items():
        if "/train-" in log:
            assert re.search(r"^train \S+: (\d+)/\1, \d\S* images/s, \d+ s left, loss -?\d", text, re.MULTILINE), f"{log}: {text}"
        if "/sample-" in log:
            assert re.search(r"^sample \S+: (\d+)/\1, \d\S* images/s, \d+ s left$", text, re.MULTILINE), f"{log}: {text}"


@pytest.mark.slow
def test_after_a_run_every_job_is_done(finished: Path) -> None:
    rows = json.loads(run(finished, "rediffuse", "status", "--preset", "smoke", "--json"))
    assert {row["state"] for row in rows} == {"done"}
    trained = [row for row in rows if row["job"].startswith("train")]
    assert all(row["done"] == row["total"] and row["note"].startswith("loss ") for row in trained)


@pytest.mark.slow
def test_a_failed_training_tells_its_line_to_who_runs_snakemake(smoke_tree: Path, tmp_path: Path) -> None:
    folder = copied(smoke_tree, tmp_path / "rediffuse")
    preset = folder / "config/smoke.yaml"
    preset.write_text(preset.read_text().replace("batch: 32, lr: 2e-3", "batch: 32, lr: 1e+30"))
    told = snakemake(folder, str(RESULTS / "runs/digits/weights.safetensors"), status=1)
    (line,) = re.findall(r"^rediffuse: (train digits: found .+; expected .+: lower training.lr)$", told, re.MULTILINE)
    assert "Traceback" not in told
    assert f"train digits: failed: {line}" in run(folder, "rediffuse", "status", "--preset", "smoke")


@pytest.mark.slow
def test_snakemakes_report_has_every_table_and_figure_and_needs_no_network(finished: Path, layout: Layout) -> None:
    snakemake(finished, "--report", "report.html")
    page = (finished / "report.html").read_text(encoding="utf-8")
    for paper, artifact, file in shown(layout):
        assert f'"labels": {{"paper": "{paper}", "artifact": "{artifact}", "file": "{file}"}}' in page
    assert not re.search(r'"file": "[^"]+\.(zh\.png|svg)"', page), "each figure once"
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?://[^"']+\.(?:js|css)|@import|url\(\s*["']?https?:""", page)
    assert len(page) < 20e6
