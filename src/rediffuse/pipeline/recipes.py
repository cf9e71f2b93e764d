"""What every job of the pipeline depends on, and what it leaves: the workflow's rules, the records, `why` and `verify` ask here.

A job depends on the content of its files, on the options that it uses, on the code that makes its output, and on the pinned versions of
the libraries behind its numbers; on nothing else.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rediffuse import provenance, revisions, weeklies
from rediffuse.config import NPZ, Folder, InceptionFeatures, Options, Reuse, Run
from rediffuse.config.ddpm import CELL
from rediffuse.datasets import folder, kinds, npz
from rediffuse.errors import UserError
from rediffuse.papers import ledger
from rediffuse.papers.makes import MAKES, TABLE, asked
from rediffuse.paths import Layout
from rediffuse.pipeline import named, pages

PARAMS = ("command", "options", "code", "pins")
IMPORT = "import_weights"
"""The rule that makes a run whose weights are published, in the place of `train`."""
REPORT = ("claims.csv", "artifacts.csv", "metrics.json", "timings.json", "provenance.json", "summary.md")


@dataclass(frozen=True)
class Recipe:
    """One job of the pipeline."""

    job: str
    """As its log is named."""
    rule: str
    """By which Snakemake makes it."""
    command: str
    """Of `rediffuse`, that does it."""
    words: str
    """What it does; no two jobs of a preset say the same."""
    record: Path
    """Where what was so when it was made is written: beside what it leaves, so that DVC takes both or neither."""
    inputs: dict[str, list[Path]]
    outputs: dict[str, list[Path]]
    """What it leaves beside its record."""
    modules: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    """Name -> a block of options, or a plain value."""

    @property
    def reads(self) -> list[Path]:
        return [path for paths in self.inputs.values() for path in paths]

    @property
    def makes(self) -> list[Path]:
        return [path for paths in self.outputs.values() for path in paths]

    def params(self, known: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the outputs depend on beside files: `command`, `options`, `code`, `pins`, as plain values in sorted order.

        known: the options that the outputs that are there were made with. An option that they do not know and that has its default is left
        out: it came later, and under its default nothing is made otherwise.
        """
        full, chosen = _plain(self.options, False), _plain(self.options, True)
        made_by = [provenance.code(f"rediffuse.{module}") for module in self.modules]
        return {
            "command": self.command,
            "options": full if known is None else _known(full, chosen, known),
            "code": {name: code for module in made_by for name, code in module.items()},
            "pins": self.pins,
        }

    @property
    def pins(self) -> dict[str, str]:
        return provenance.pins(*self.libraries)


def _plain(value: Any, chosen: bool) -> Any:
    """Blocks of options as plain values; chosen: only those that are not their default."""
    if isinstance(value, Options):
        value = value.model_dump(mode="json", exclude_defaults=chosen)
    if isinstance(value, dict):
        return {key: _plain(value[key], chosen) for key in sorted(value)}
    return [_plain(each, chosen) for each in value] if isinstance(value, list) else value


def _known(full: Any, chosen: Any, recorded: Any) -> Any:
    if isinstance(full, dict) and isinstance(recorded, dict):
        chosen = chosen if isinstance(chosen, dict) else {}
        return {key: _known(full[key], chosen.get(key), recorded.get(key)) for key in full if key in recorded or key in chosen}
    if isinstance(full, list) and isinstance(recorded, list) and len(full) == len(recorded):
        parts = chosen if isinstance(chosen, list) and len(chosen) == len(full) else [None] * len(full)
        return [_known(*each) for each in zip(full, parts, recorded, strict=True)]
    return full


# --- a kind of job each ---


def prepare(layout: Layout, name: str) -> Recipe:
    """A data set into arrays. The user's own images are what their data set depends on."""
    options, into = layout.preset.datasets[name], layout.dataset(name)
    images: dict[str, list[Path]] = {}
    if isinstance(options, Folder | NPZ):
        images["images"] = [*folder.files(options.path)] if isinstance(options, Folder) else [npz.file(options.path)]
    outputs = {"arrays": [into / "arrays.npz"], "about": [into / "dataset.json"]}
    libraries = ("pillow", "scikit-image", "scikit-learn", "scipy")
    return Recipe(
        f"prepare-{name}",
        "prepare",
        f"prepare {name}",
        f"Prepare the data set {name}",
        into / "record.json",
        images,
        outputs,
        ("datasets.prepare", kinds.module(options.kind)),
        libraries,
        {"dataset": options},
    )


def train(layout: Layout, name: str) -> Recipe:
    """A network: a diffusion run, or a feature extractor. Published weights are imported; Inception's are taken as by a training."""
    options = (layout.preset.runs | layout.preset.features)[name]
    if isinstance(options, Run) and options.reuse:
        return _imported(layout, name, options.reuse)
    outputs = {"weights": [layout.weights(name)], "history": [layout.run(name) / "history.csv"]}
    rule, record, inputs = "train", layout.run(name) / "record.json", {"data": _data(layout, name)}
    modules, libraries = ("runs",), tuple[str, ...]()
    if isinstance(options, InceptionFeatures):
        rule, modules, libraries = "take_features", ("inception_weights",), ("torch-fidelity",)
    elif options.training.keep:
        rule, outputs["kept"] = "train_keeping", [layout.kept(name)]
    elif name.startswith(CELL):
        rule = "train_cell"
    return Recipe(f"train-{name}", rule, f"train {name}", f"Train {name}", record, inputs, outputs, modules, libraries, {"run": options})


def _imported(layout: Layout, name: str, reuse: Reuse) -> Recipe:
    """A run of published weights. A file is what it depends on; what is on a hub stands in its record by its sha256."""
    if reuse.file and not reuse.file.is_file():
        raise UserError(f"{reuse.file}: no such file; expected the weights that runs.{name} takes, as seen from {Path.cwd()}")
    inputs = {"data": _data(layout, name), "published": [reuse.file] if reuse.file else []}
    outputs = {"weights": [layout.weights(name)], "history": [layout.run(name) / "history.csv"]}
    command, words, record = f"import-weights --run {name}", f"Import the weights of {name}", layout.run(name) / "record.json"
    options = {"run": layout.preset.runs[name]}
    return Recipe(f"import-{name}", IMPORT, command, words, record, inputs, outputs, ("published_weights",), (), options)


def sample(layout: Layout, name: str, k: int) -> Recipe:
    """A shard, from 0, of a set of samples."""
    options = layout.preset.samples[name]
    weights = layout.kept(options.run) if options.step else layout.weights(options.run)
    inputs = {"weights": [weights], "data": _data(layout, options.run)}
    words, path = f"Sample {name} from {options.run}, shard {k + 1} of {options.shards}", layout.shard(name, k)
    return Recipe(
        f"sample-{options.run}-{path.stem}",
        "sample",
        f"sample {name} --shard {k + 1}",
        words,
        path.with_suffix(".json"),
        inputs,
        {"samples": [path]},
        ("sampling",),
        (),
        {"samples": options},
    )


def measure(layout: Layout, paper: str, artifact: str) -> Recipe:
    """The numbers, and the arrays that are drawn, of a table or figure."""
    makes, options = MAKES[paper][artifact], _options(layout, paper, artifact)
    on_inception = getattr(options.get(artifact), "features", None) == InceptionFeatures.name
    inputs = _measured_on(layout, paper, artifact) | {"after": [layout.artifact(paper, name) for name in makes.after]}
    return Recipe(
        f"{paper}-measure-{artifact}",
        f"{paper}_measure_{artifact}",
        f"measure {paper} {artifact}",
        f"Measure {artifact} of {paper}",
        layout.measurements(paper, artifact).with_suffix(".json"),
        inputs,
        {"measured": _measured(layout, paper, artifact)},
        (f"papers.{paper}.{makes.by}",),
        ("scikit-learn", "scipy", *["torch-fidelity"] * on_inception),
        options,
    )


def table(layout: Layout, paper: str, artifact: str) -> Recipe:
    """The measurements as a table, the published numbers beside them."""
    inputs = {
        "measured": [layout.measurements(paper, artifact)],
        "published": [published(paper, name) for name in MAKES[paper][artifact].published],
    }
    outputs = {"table": [layout.artifact(paper, f"{artifact}.{suffix}") for suffix in ("csv", "md")]}
    if not MAKES[paper][artifact].drawn:
        outputs["behind"] = [layout.artifact(paper, f"{artifact}.json")]
    return Recipe(
        f"{paper}-table-{artifact}",
        f"{paper}_table_{artifact}",
        f"table {paper} {artifact}",
        f"Tabulate {artifact} of {paper}",
        layout.artifact(paper, f"records/table-{artifact}.json"),
        inputs,
        outputs,
        (f"papers.{paper}.tables",),
        ("pandas",),
    )


def draw(layout: Layout, paper: str, artifact: str) -> Recipe:
    """A figure, of its table or of what was measured."""
    of = layout.measured_for(paper, artifact)
    makes = MAKES[paper][of]
    drawn_from = [layout.artifact(paper, f"{of}.csv")] if makes.is_table else []
    drawn_from += [layout.artifact(paper, name) for name in makes.measured if name != TABLE]
    outputs = {
        "figure": [layout.artifact(paper, name) for name in MAKES[paper][artifact].pictures],
        "behind": [layout.artifact(paper, f"{artifact}.json")],
    }
    return Recipe(
        f"{paper}-draw-{artifact}",
        f"{paper}_draw_{artifact}",
        f"figure {paper} {artifact}",
        f"Draw {artifact} of {paper}",
        layout.artifact(paper, f"records/draw-{artifact}.json"),
        {"drawn_from": drawn_from},
        outputs,
        (f"figures.{paper}",),
        ("matplotlib", "seaborn"),
        _options(layout, paper, of),
    )


def claims(layout: Layout, paper: str) -> Recipe:
    """The claims of a paper and their verdicts."""
    inputs = {"papers": shown(layout, paper), "claims": [published(paper, "claims")]}
    outputs = {"claims": [layout.artifact(paper, "claims.csv")]}
    record, modules = layout.artifact(paper, "records/claims.json"), (f"papers.{paper}.claims", "report.gather")
    return Recipe(
        f"{paper}-claims", "claims", f"claims {paper}", f"Claims and verdicts of {paper}", record, inputs, outputs, modules, ("pandas",)
    )


def weekly(layout: Layout, name: str) -> Recipe:
    """A weekly report as a page and a document. Raises UserError, with file and line, if its front matter is malformed."""
    written = weeklies.read(weeklies.path_of(name))
    page = layout.weekly(name)
    inputs = {
        "text": [written.path],
        "read": [path for path in (weeklies.LIBRARY, weeklies.ZOTERO) if path.is_file()],
        "results": [layout.results / file for file in ("metrics.json", "claims.csv", "timings.json")],
        "named": named.shown(layout, written),
        "looks": pages.looks(),
    }
    # Of git: where progress begins and ends. A commit alone makes no report anew, or each would be stale once it is committed.
    marks = {key: revisions.resolve(value) for key in ("baseline", "revision") if (value := weeklies.mark(written, key))}
    outputs = {"page": [page], "document": [page.with_suffix(".docx")]}
    words, record, modules = f"Render the weekly report {name}", page.with_suffix(".json"), ("report.weekly.render",)
    options, libraries = {"preset": layout.preset, "revisions": marks}, ("pandas", "pypandoc-binary")
    command = f"weekly render {written.path}"
    return Recipe(f"weekly-{name}", "weekly_report", command, words, record, inputs, outputs, modules, libraries, options)


def report(layout: Layout) -> Recipe:
    """What all papers' results are gathered into."""
    inputs = {
        "papers": [path for paper in layout.papers for path in [*shown(layout, paper), layout.artifact(paper, "claims.csv")]],
        "artifacts": [published(paper, "artifacts") for paper in layout.papers],
        "records": [job.record for job in before_report(layout)],
    }
    outputs = {"report": [layout.results / name for name in REPORT]}
    words, record = "Gather metrics, and the page of all tables and figures", layout.results / "report.json"
    return Recipe("report", "report", "report", words, record, inputs, outputs, ("report.gather",), ("pandas",))


def equations(layout: Layout) -> Recipe:
    """The equation ledger, with the tests of each equation run. Of these, and of what they import that is ours, the syntax counts."""
    every = [equation for paper in ledger.PAPERS for equation in ledger.read(paper)]
    tests = {Path(test.partition("::")[0]) for equation in every for test in equation.tests} | {Path("tests/conftest.py")}
    imported = [provenance.imports(ledger.ROOT / test) for test in sorted(tests)]
    beside = {Path(f"tests/{name}.py") for _, others in imported for name in others}
    tests |= {path for path in beside if (ledger.ROOT / path).is_file()}
    modules = {ledger.split(equation.function)[0] for equation in every} | {"report.equations"}
    modules |= {name.removeprefix("rediffuse.") for ours, _ in imported for name in ours if name != "rediffuse"}
    record, outputs = layout.results / "equations.json", {"equations": [layout.results / "equations.csv"]}
    options = {"tests": {test.as_posix(): provenance.syntax(ledger.ROOT / test) for test in tests}}
    words, inputs = "Run the tests of every equation in the ledger", {"ledger": [published(paper, "ledger") for paper in ledger.PAPERS]}
    return Recipe("equations", "equations", "equations", words, record, inputs, outputs, tuple(sorted(modules)), ("scipy",), options)


def site(layout: Layout) -> Recipe:
    """The pages that show it all. What was made is an input by provenance.json, which has the hash of all of it. Source is shown as it was
    when the pages were made, and is no input: a docstring changes no result."""
    inputs = {
        "report": [layout.results / name for name in (*REPORT, "equations.csv")],
        "chapters": [path for texts in pages.chapters(layout).values() for path in texts.values()],
        "looks": pages.looks(),
    }
    words, record = f"Build the site {layout.results}/report/index.html", layout.results / "site.json"
    libraries, options = ("jinja2", "pandas", "pygments", "pypandoc-binary"), {"weekly": pages.weekly(layout)}
    # Snakemake knows the pages; of sources and copies of pictures, which are hundreds, the record does.
    outputs, modules = {"pages": pages.files(layout), "beside": pages.beside(layout)}, ("report.site.build",)
    return Recipe("site", "site", "site", words, record, inputs, outputs, modules, libraries, options)


# --- all of them ---


def jobs(layout: Layout) -> list[Recipe]:
    """Every job of a preset, each after those whose files it reads."""
    return [*before_report(layout), report(layout), equations(layout), site(layout), *weekly_reports(layout)]


def before_report(layout: Layout) -> Iterator[Recipe]:
    """All that the report gathers."""
    preset = layout.preset
    yield from (prepare(layout, name) for name in preset.datasets)
    yield from (train(layout, name) for name in preset.runs | preset.features)
    yield from (sample(layout, name, k) for name, samples in preset.samples.items() for k in range(samples.shards))
    for paper in layout.papers:
        artifacts = asked(layout, paper)
        yield from (measure(layout, paper, name) for name in artifacts if MAKES[paper][name].measured)
        yield from (table(layout, paper, name) for name in artifacts if MAKES[paper][name].is_table)
        yield from (draw(layout, paper, name) for name in artifacts if MAKES[paper][name].drawn)
        yield claims(layout, paper)


def weekly_reports(layout: Layout) -> list[Recipe]:
    """The weekly reports that are the preset's."""
    return [weekly(layout, each.name) for each in named.reports(layout)]


def shown(layout: Layout, paper: str) -> list[Path]:
    """The tables and figures that are made of a paper; none if the preset leaves it out."""
    if paper not in layout.papers:
        return []
    names = [name for artifact in asked(layout, paper) for name in MAKES[paper][artifact].shown(artifact)]
    return [layout.artifact(paper, name) for name in names]


def published(paper: str, name: str) -> Path:
    """A CSV of published numbers, claims or artifacts that lies beside a paper's module."""
    return Path(os.path.relpath(provenance.PACKAGE / "papers" / paper / f"{name}.csv"))


# --- what they read and leave ---


def _data(layout: Layout, *runs: str) -> list[Path]:
    """The prepared data of networks; Inception has none."""
    networks = layout.preset.runs | layout.preset.features
    named = [options.dataset for run in runs if not isinstance(options := networks[run], InceptionFeatures)]
    folders = dict.fromkeys(map(layout.dataset, named))
    return [path / name for path in folders for name in ("arrays.npz", "dataset.json")]


def _options(layout: Layout, paper: str, artifact: str) -> dict[str, Any]:
    """The options that an artifact is made with: its own block, and what it takes of others."""
    preset, sohl2015 = layout.preset, layout.preset.papers.sohl2015
    block = getattr(getattr(preset.papers, paper), artifact, None)
    options: dict[str, Any] = {artifact: block} if block else {}
    if (paper, artifact) == ("sohl2015", "table2") and sohl2015:
        options["table1"] = {name: getattr(sohl2015.table1, name) for name in ("n", "strata", "seed")}
    if (paper, artifact) == ("sohl2015", "fig4") and sohl2015 and sohl2015.fig4:
        # The generator draws the pictures that the model is shown beside, the mixture others.
        options["scales"] = sohl2015.table2 and sohl2015.table2.scales
        options["data"] = preset.datasets[preset.runs[sohl2015.fig4.run].dataset]
    return options


def _measured_on(layout: Layout, paper: str, artifact: str) -> dict[str, list[Path]]:
    """The weights, samples and data that an artifact is measured on: what the names in its options stand for."""
    preset = layout.preset
    block = getattr(getattr(preset.papers, paper), artifact, None)

    def named(*keys: str) -> list[str]:
        values = [getattr(block, key, None) or [] for key in keys]
        return [name for value in values for name in (value if isinstance(value, list) else [value])]

    samples = named("samples", "digits", "also", "ddpm")
    if (paper, artifact) == ("ddpm", "table1") and preset.papers.ddpm:
        samples = preset.papers.ddpm.scored()
    runs = [*named("run", "leaves", "runs", "features"), *[preset.samples[name].run for name in samples]]
    return {
        "weights": [layout.weights(run) for run in dict.fromkeys(runs)],
        "samples": [path for name in dict.fromkeys(samples) for path in layout.shards(name)],
        "data": _data(layout, *runs),
    }


def _measured(layout: Layout, paper: str, artifact: str) -> list[Path]:
    """What measuring an artifact leaves."""
    names = MAKES[paper][artifact].measured
    return [layout.measurements(paper, artifact) if name == TABLE else layout.artifact(paper, name) for name in names]
