"""The command line. Every command is what a rule of the pipeline calls, and can be called by hand; it imports its module when called."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rediffuse.errors import DivergedError, UserError

if TYPE_CHECKING:
    from rediffuse.paths import Layout

app = typer.Typer(
    help="Regenerates the tables and figures of three diffusion papers, and says which of their claims held.",
    epilog="`snakemake --cores all` calls these for you. Presets: smoke, laptop, or a path to a YAML file of your own.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

PresetOption = Annotated[
    str, typer.Option("--preset", "-p", envvar="REDIFFUSE_PRESET", help="A shipped preset's name, or a path that ends in .yaml.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto is the GPU where there is one.")]
Paper = Annotated[str, typer.Argument(help="sohl2015, ddpm or ddim.")]
Artifacts = Annotated[list[str], typer.Argument(help="As the paper numbers them: table1, fig3, ...")]


@app.command()
def prepare(name: Annotated[str, typer.Argument(help="A data set of the preset.")], preset: PresetOption = "laptop") -> None:
    """Make a data set's arrays in data/, with a JSON beside them that says what they are."""
    layout = _layout(preset)
    _known("data set", name, layout.preset.datasets)
    from rediffuse.datasets.prepare import prepare as run

    run(name, layout.preset.datasets[name], layout.dataset(name))


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="A run of the preset, or its features.")],
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Train a network; writes its averaged weights, its history and how long it took to results/PRESET/runs/NAME/."""
    layout = _layout(preset)
    networks = layout.preset.runs | layout.preset.features
    _known("run", name, networks)
    from rediffuse.config import Run
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.files import write_json
    from rediffuse.provenance import facts
    from rediffuse.runs import train_features, train_run

    options = networks[name]
    data = load(layout.dataset(options.dataset))
    make: Any = train_run if isinstance(options, Run) else train_features
    where = pick(device)
    trained = make(options, data, where, layout.run(name), name)
    images = options.training.steps * options.training.batch
    about = {"parameters": sum(p.numel() for p in trained.network.parameters()), "images": images}
    write_json(layout.run(name) / "facts.json", about | facts(trained.seconds, where))


@app.command()
def import_weights(
    file: Annotated[Path, typer.Argument(help="A safetensors file, as diffusers saves a DDPM U-Net (google/ddpm-cifar10-32).")],
    run: Annotated[str | None, typer.Option(help="The preset's run that they become; else one of the published CIFAR-10 U-Net.")] = None,
    preset: PresetOption = "laptop",
) -> None:
    """Read published weights in diffusers' layout: in place of a training, to results/PRESET/runs/RUN/, or to results/imported/FILE/."""
    layout = _layout(preset)
    if run is not None:
        _known("run", run, layout.preset.runs)
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.files import write_json
    from rediffuse.provenance import facts
    from rediffuse.published_weights import CIFAR10, CIFAR10_DATA
    from rediffuse.published_weights import import_weights as make
    from rediffuse.runs import describe

    options = layout.preset.runs[run] if run else CIFAR10
    data = describe(load(layout.dataset(options.dataset))) if run else CIFAR10_DATA
    folder = layout.run(run) if run else Path("results/imported") / file.stem
    parameters = make(file, options, data, folder)
    about = {"parameters": parameters, "images": 0, "imported": file.name}
    write_json(folder / "facts.json", about | facts(0.0, pick("cpu")))
    print(f"{parameters:,} parameters: {folder / 'weights.safetensors'}")


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="A set of samples of the preset.")],
    shard: Annotated[int, typer.Option(help="Which of the set's shards, from 1.")] = 1,
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Draw one shard of a set of samples from its trained run."""
    layout = _layout(preset)
    _known("samples", name, layout.preset.samples)
    samples = layout.preset.samples[name]
    if not 1 <= shard <= samples.shards:
        raise UserError(f"--shard: found {shard}; expected 1 to {samples.shards}, the shards of samples.{name}")
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.files import write_json
    from rediffuse.provenance import facts
    from rediffuse.runs import load_run
    from rediffuse.sampling import nothing
    from rediffuse.sampling import sample as run

    start, where = time.monotonic(), pick(device)
    options = layout.preset.runs[samples.run]
    data = load(layout.dataset(options.dataset))
    path = layout.shard(name, shard - 1)
    try:
        loaded = load_run(layout.weights(samples.run), where, options)
    except DivergedError:  # which only a run that may diverge leaves
        nothing(path)
    else:
        run(samples, loaded, shard - 1, where, path, data.to_levels, f"sample {name}")
    write_json(path.with_suffix(".json"), facts(time.monotonic() - start, where))


@app.command()
def measure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop", device: DeviceOption = "auto") -> None:
    """Measure what tables and figures of a paper need: numbers, and the arrays that figures draw."""
    layout = _layout(preset, paper)
    from rediffuse.device import pick

    for run in _of(layout, paper, f"papers.{paper}.measure", "MEASURES", artifacts):
        run(layout, pick(device))


@app.command()
def table(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Make tables of a paper, as CSV and Markdown, the published numbers beside ours."""
    layout = _layout(preset, paper)
    for run in _of(layout, paper, f"papers.{paper}.tables", "TABLES", artifacts):
        run(layout)


@app.command()
def figure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Draw figures of a paper."""
    layout = _layout(preset, paper)
    for run in _of(layout, paper, f"figures.{paper}", "FIGURES", artifacts):
        run(layout)


@app.command()
def claims(paper: Paper, preset: PresetOption = "laptop") -> None:
    """Judge the claims of a paper by its tables and figures: held, not held, or not tested, and why."""
    layout = _layout(preset, paper)
    from rediffuse.report.gather import check_claims

    check_claims(layout, paper)


@app.command()
def report(preset: PresetOption = "laptop") -> None:
    """Gather what was made: claims.csv, artifacts.csv, metrics.json, timings.json, and a page of all tables and figures."""
    layout = _layout(preset)
    from rediffuse.report.gather import gather

    gather(layout)


@app.command()
def record(preset: PresetOption = "laptop") -> None:
    """Write the snapshot docs/results/PRESET/ that git holds, and the preset's stages in dvc.yaml, whose names it prints.

    `make record` calls this, and has DVC commit those stages.
    """
    layout = _layout(preset)
    from rediffuse.report.record import record as run

    print("\n".join(run(layout)))


def _layout(preset: str, paper: str | None = None) -> "Layout":
    from rediffuse.config import Papers
    from rediffuse.paths import Layout
    from rediffuse.presets import load_preset, preset_path

    path = preset_path(preset)
    layout = Layout(path.stem, load_preset(path))
    if paper is not None:
        _known("paper", paper, Papers.model_fields)
        if getattr(layout.preset.papers, paper) is None:
            raise UserError(f"{path}: papers.{paper}: not given; expected its options, since the command asks for that paper")
    return layout


def _of(layout: "Layout", paper: str, module: str, registry: str, artifacts: list[str]) -> list[Any]:
    """The functions that make these artifacts, all of them known and asked for before any is made."""
    from importlib import import_module

    known: dict[str, Any] = getattr(import_module(f"rediffuse.{module}"), registry)
    for artifact in artifacts:
        _known("artifact", artifact, known)
        if not layout.asks(paper, artifact):
            raise UserError(f"preset {layout.name}: papers.{paper}.{artifact}: not given; expected its options, since the command makes it")
    return [known[artifact] for artifact in artifacts]


def _known(what: str, name: str, known: Any) -> None:
    if name not in known:
        raise UserError(f"{what}: found {name!r}; expected one of {', '.join(known) or 'none: the preset defines none'}")


def main() -> None:
    """Run a command: 0 if it is done, 2 with one line on standard error for a user's mistake, 130 when interrupted."""
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UserError as error:
        _fail(str(error))
    except Exception as error:
        # The command line's own errors (an unknown option, a missing argument), whichever click typer carries.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(line: str) -> None:
    print(f"rediffuse: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
