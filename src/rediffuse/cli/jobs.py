"""The commands that the workflow's rules call: a job each, gone on with if it was stopped, and recorded when it is done."""

from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rediffuse import progress
from rediffuse.cli.common import (
    Artifacts,
    DeviceOption,
    OutOption,
    Paper,
    PresetOption,
    SeedOption,
    StepsOption,
    app,
    asked_for,
    free,
    known,
    layout_of,
    number,
    write,
)
from rediffuse.errors import DivergedError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rediffuse.config import InceptionFeatures
    from rediffuse.paths import Layout
    from rediffuse.pipeline.recipes import Recipe


@app.command()
def prepare(name: Annotated[str, typer.Argument(help="A data set of the preset.")], preset: PresetOption = "laptop") -> None:
    """Make a data set's arrays in data/, with a JSON beside them that says what they are."""
    layout = layout_of(preset)
    known("data set", name, layout.preset.datasets)
    progress.begin(layout.results, f"prepare {name}")
    from rediffuse.datasets.prepare import prepare as run
    from rediffuse.files import held
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded

    folder = layout.dataset(name)
    with held(folder.with_name(f".{folder.name}.lock")), recorded(recipes.prepare(layout, name), layout.name):
        run(name, layout.preset.datasets[name], folder)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="A run of the preset, or its features.")],
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Train a network; writes its averaged weights, its history and how long it took to results/PRESET/runs/NAME/.

    Inception is not trained: its weights are taken from data/raw/, or downloaded to there.

    In several processes, each with its part of every batch: torchrun --standalone --nproc-per-node N -m rediffuse.cli train NAME.
    """
    layout = layout_of(preset)
    networks = layout.preset.runs | layout.preset.features
    known("run", name, networks)
    from rediffuse.config import InceptionFeatures, Run

    options = networks[name]
    if isinstance(options, Run) and options.reuse:
        told = f"found {options.reuse.weights}; expected none of a run that is trained: `rediffuse import-weights --run {name}` takes them"
        raise UserError(f"runs.{name}.reuse: {told}")
    progress.begin(layout.results, f"train {name}")
    from rediffuse import parallel
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.runs import train_features, train_run

    if isinstance(options, InceptionFeatures):
        with parallel.group():
            if parallel.rank() == 0:
                _take(layout, name, options)
        return
    data = load(layout.dataset(options.dataset))
    make: Any = train_run if isinstance(options, Run) else train_features
    with parallel.group(), ExitStack() as stack:
        where, about = pick(device), dict[str, Any]()
        if parallel.rank() == 0:
            about = stack.enter_context(recorded(recipes.train(layout, name), layout.name, where))
        trained = make(options, data, where, layout.run(name), name)
        about["parameters"] = sum(p.numel() for p in trained.network.parameters())
        about["images"] = options.training.steps * options.training.batch
        about["seconds"] = round(trained.seconds, 2)
        if parallel.size() > 1:
            about["processes"] = parallel.size()


def _take(layout: "Layout", name: str, options: "InceptionFeatures") -> None:
    """Published weights in the place of a training."""
    from rediffuse.inception_weights import SHA256, take
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded

    with recorded(recipes.train(layout, name), layout.name) as about:
        about |= {"parameters": take(options, layout.run(name)), "images": 0, "imported": {"from": "torch-fidelity", "sha256": SHA256}}


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="A set of samples of the preset; with --out, a run.")],
    shard: Annotated[int, typer.Option(help="Which of the set's shards, from 1.")] = 1,
    out: OutOption = None,
    steps: StepsOption = 50,
    eta: Annotated[str, typer.Option(help="0 (DDIM) to 1 (DDPM), sigma-hat, probability-flow or dpm-solver++.")] = "0",
    n: Annotated[int, typer.Option(help="Samples.")] = 64,
    seed: SeedOption = 0,
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Draw one shard of a set of samples from its trained run; or, with --out, samples of a run by options of your own."""
    if out is not None:
        free(out)
        from rediffuse.model import load as load_model

        write(out, load_model(name, preset, device).sample(n, steps, number(eta), seed))
        return
    layout = layout_of(preset)
    known("samples", name, layout.preset.samples)
    samples = layout.preset.samples[name]
    if not 1 <= shard <= samples.shards:
        raise UserError(f"--shard: found {shard}; expected 1 to {samples.shards}, the shards of samples.{name}")
    progress.begin(layout.results, f"sample {name} {shard}/{samples.shards}")
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.resume import job
    from rediffuse.runs import load_run
    from rediffuse.sampling import nothing
    from rediffuse.sampling import sample as run

    where, path, recipe = pick(device), layout.shard(name, shard - 1), recipes.sample(layout, name, shard - 1)
    with job(layout.state(f"sample-{path.stem}"), recipe.params(), where.type), recorded(recipe, layout.name, where):
        options = layout.preset.runs[samples.run]
        data = load(layout.dataset(options.dataset))
        try:
            weights = layout.kept(samples.run) if samples.step else layout.weights(samples.run)
            loaded = load_run(weights, where, options, samples.step)
        except DivergedError:  # which only a run that may diverge leaves
            nothing(path)
        else:
            run(samples, loaded, shard - 1, where, path, data.to_levels, f"sample {name}")


@app.command()
def measure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop", device: DeviceOption = "auto") -> None:
    """Measure what tables and figures of a paper need: numbers, and the arrays that figures draw."""
    layout = layout_of(preset, paper)
    from rediffuse.papers.makes import MAKES, measurement

    asked_for(layout, paper, artifacts, [name for name, makes in MAKES[paper].items() if makes.measured])
    from rediffuse.device import pick
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.resume import job

    where = pick(device)
    for artifact in artifacts:
        progress.begin(layout.results, f"measure {paper} {artifact}")
        recipe = recipes.measure(layout, paper, artifact)
        with job(layout.state(f"measure-{paper}-{artifact}"), recipe.params(), where.type), recorded(recipe, layout.name, where):
            measurement(paper, artifact)(layout, where)


@app.command()
def table(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Make tables of a paper, as CSV and Markdown, the published numbers beside ours."""
    layout = layout_of(preset, paper)
    from rediffuse.pipeline import recipes

    tables = import_module(f"rediffuse.papers.{paper}.tables").TABLES
    asked_for(layout, paper, artifacts, tables)
    for artifact in artifacts:
        _show(layout, recipes.table(layout, paper, artifact), tables[artifact])


@app.command()
def figure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Draw figures of a paper."""
    layout = layout_of(preset, paper)
    from rediffuse.pipeline import recipes

    figures = import_module(f"rediffuse.figures.{paper}").FIGURES
    asked_for(layout, paper, artifacts, figures)
    for artifact in artifacts:
        _show(layout, recipes.draw(layout, paper, artifact), figures[artifact])


def _show(layout: "Layout", recipe: "Recipe", run: "Callable[[Layout], None]") -> None:
    """Make a table or draw a figure; the last job of an artifact leaves what stands behind it, too."""
    from rediffuse.pipeline.records import carry, recorded

    with recorded(recipe, layout.name):
        run(layout)
        for path in recipe.outputs.get("behind", []):
            carry(layout, recipe, path)


@app.command()
def claims(paper: Paper, preset: PresetOption = "laptop") -> None:
    """Judge the claims of a paper by its tables and figures: held, not held, or not tested, and why."""
    layout = layout_of(preset, paper)
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.report.gather import check_claims

    with recorded(recipes.claims(layout, paper), layout.name):
        check_claims(layout, paper)


@app.command()
def equations(preset: PresetOption = "laptop") -> None:
    """Run the tests of every equation in the ledger, and write which passed."""
    layout = layout_of(preset)
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.report.equations import check

    with recorded(recipes.equations(layout), layout.name):
        check(layout)


@app.command()
def report(preset: PresetOption = "laptop") -> None:
    """Gather what was made: claims, artifacts, metrics, timings, provenance, and a page of all tables and figures."""
    layout = layout_of(preset)
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.report.gather import gather

    with recorded(recipes.report(layout), layout.name):
        gather(layout)


@app.command()
def site(preset: PresetOption = "laptop") -> None:
    """Build the site: every claim, table, figure, equation and chapter, from what was made. It opens from disk: report/index.html."""
    layout = layout_of(preset)
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.presets import preset_path
    from rediffuse.report.site.build import build

    with recorded(recipes.site(layout), layout.name):
        build(layout, preset_path(preset))
