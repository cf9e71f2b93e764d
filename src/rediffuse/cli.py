"""The command line. Every command is what a rule of the pipeline calls, and can be called by hand; it imports its module when called."""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rediffuse import interrupts, progress
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
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto is a GPU that no other job holds, where there are any.")]
Paper = Annotated[str, typer.Argument(help="sohl2015, ddpm or ddim.")]
OutOption = Annotated[Path | None, typer.Option(help="Write samples of a run to this file, .png or .npz, apart from the pipeline.")]
StepsOption = Annotated[int, typer.Option(help="S: steps of the accelerated sampler, of T.")]
SeedOption = Annotated[int, typer.Option(help="Of the latents: sample i of a seed is always the same.")]
Artifacts = Annotated[list[str], typer.Argument(help="As the paper numbers them: table1, fig3, ...")]


@app.command()
def prepare(name: Annotated[str, typer.Argument(help="A data set of the preset.")], preset: PresetOption = "laptop") -> None:
    """Make a data set's arrays in data/, with a JSON beside them that says what they are."""
    layout = _layout(preset)
    _known("data set", name, layout.preset.datasets)
    progress.begin(layout.results, f"prepare {name}")
    from rediffuse import recipes
    from rediffuse.datasets.prepare import prepare as run
    from rediffuse.files import held
    from rediffuse.records import recorded

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

    In several processes, each with its part of every batch: torchrun --standalone --nproc-per-node N -m rediffuse.cli train NAME.
    """
    layout = _layout(preset)
    networks = layout.preset.runs | layout.preset.features
    _known("run", name, networks)
    progress.begin(layout.results, f"train {name}")
    from rediffuse import parallel, recipes
    from rediffuse.config import Run
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.records import recorded
    from rediffuse.runs import train_features, train_run

    options = networks[name]
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
    from rediffuse import recipes
    from rediffuse.datasets.prepared import load
    from rediffuse.published_weights import CIFAR10, CIFAR10_DATA
    from rediffuse.published_weights import import_weights as make
    from rediffuse.records import recorded
    from rediffuse.runs import describe

    if run is None:
        folder = Path("results/imported") / file.stem
        parameters = make(file, CIFAR10, CIFAR10_DATA, folder)
    else:
        folder, options = layout.run(run), layout.preset.runs[run]
        with recorded(recipes.train(layout, run), layout.name) as about:
            parameters = make(file, options, describe(load(layout.dataset(options.dataset))), folder)
            about |= {"parameters": parameters, "images": 0, "imported": file.name}
    print(f"{parameters:,} parameters: {folder / 'weights.safetensors'}")


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
        _free(out)
        from rediffuse.model import load as load_model

        _write(out, load_model(name, preset, device).sample(n, steps, _number(eta), seed))
        return
    layout = _layout(preset)
    _known("samples", name, layout.preset.samples)
    samples = layout.preset.samples[name]
    if not 1 <= shard <= samples.shards:
        raise UserError(f"--shard: found {shard}; expected 1 to {samples.shards}, the shards of samples.{name}")
    progress.begin(layout.results, f"sample {name} {shard}/{samples.shards}")
    from rediffuse import recipes
    from rediffuse.datasets.prepared import load
    from rediffuse.device import pick
    from rediffuse.records import recorded
    from rediffuse.resume import job
    from rediffuse.runs import load_run
    from rediffuse.sampling import nothing
    from rediffuse.sampling import sample as run

    where, path, recipe = pick(device), layout.shard(name, shard - 1), recipes.sample(layout, name, shard - 1)
    with job(layout.state(f"sample-{path.stem}"), recipe.params(), where.type), recorded(recipe, layout.name, where):
        options = layout.preset.runs[samples.run]
        data = load(layout.dataset(options.dataset))
        try:
            loaded = load_run(layout.weights(samples.run), where, options)
        except DivergedError:  # which only a run that may diverge leaves
            nothing(path)
        else:
            run(samples, loaded, shard - 1, where, path, data.to_levels, f"sample {name}")


@app.command()
def encode(
    run: Annotated[str, typer.Argument(help="A run of the preset.")],
    out: Annotated[Path, typer.Option(help="The file to write: .npz, with x0, x_T and what x_T is decoded to.")],
    images: Annotated[
        Path | None, typer.Option(help="An .npz with one array (n, C, R, R) on [-1, 1]; else its data's test images.")
    ] = None,
    steps: StepsOption = 50,
    n: Annotated[int, typer.Option(help="Images, the first of them.")] = 64,
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Take images to their latents x_T and back by DDIM; writes both, and prints the squared error a dimension on [0, 1]."""
    _free(out, (".npz",))
    if n < 1:
        raise UserError(f"--n: found {n}; expected at least 1")
    from rediffuse.datasets.prepared import load
    from rediffuse.files import read_arrays, write_arrays
    from rediffuse.model import load as load_model

    model = load_model(run, preset, device)
    if images is None:
        layout = _layout(preset)
        x0 = load(layout.dataset(layout.preset.runs[run].dataset)).x("test")
    else:
        found = read_arrays(images, "numpy.savez")
        if len(found) != 1:
            raise UserError(f"{images}: found {len(found)} arrays; expected one, of images")
        (x0,) = found.values()
    x0 = x0[:n].astype("float32")
    x_T = model.encode(x0, steps)
    back = model.decode(x_T, steps)
    write_arrays(out, {"x0": x0, "x_T": x_T, "decoded": back})
    print(f"{out}: {len(x0)} latents, S = {steps}; there and back {((back - x0) ** 2).mean() / 4:.3g} a dimension, squared, on [0, 1]")


@app.command()
def interpolate(
    run: Annotated[str, typer.Argument(help="A run of the preset.")],
    out: Annotated[Path, typer.Option(help="The file to write: .png or .npz.")],
    steps: StepsOption = 50,
    lines: Annotated[int, typer.Option(help="Pairs of latents.")] = 4,
    seed: SeedOption = 0,
    preset: PresetOption = "laptop",
    device: DeviceOption = "auto",
) -> None:
    """Draw images along lines on the sphere between two latents each (slerp), by DDIM."""
    _free(out)
    from rediffuse.model import load as load_model

    x = load_model(run, preset, device).interpolate(lines, steps=steps, seed=seed)
    _write(out, x.reshape(-1, *x.shape[2:]), columns=x.shape[1])


@app.command()
def measure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop", device: DeviceOption = "auto") -> None:
    """Measure what tables and figures of a paper need: numbers, and the arrays that figures draw."""
    layout = _layout(preset, paper)
    from rediffuse import recipes
    from rediffuse.device import pick
    from rediffuse.records import recorded
    from rediffuse.resume import job

    where = pick(device)
    for artifact, run in _of(layout, paper, f"papers.{paper}.measure", "MEASURES", artifacts).items():
        progress.begin(layout.results, f"measure {paper} {artifact}")
        recipe = recipes.measure(layout, paper, artifact)
        with job(layout.state(f"measure-{paper}-{artifact}"), recipe.params(), where.type), recorded(recipe, layout.name, where):
            run(layout, where)


@app.command()
def table(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Make tables of a paper, as CSV and Markdown, the published numbers beside ours."""
    layout = _layout(preset, paper)
    from rediffuse import recipes
    from rediffuse.papers.makes import MAKES
    from rediffuse.records import carry, recorded

    for artifact, run in _of(layout, paper, f"papers.{paper}.tables", "TABLES", artifacts).items():
        recipe = recipes.table(layout, paper, artifact)
        with recorded(recipe, layout.name):
            run(layout)
            if not MAKES[paper][artifact].drawn:
                carry(layout, recipe, paper, artifact)


@app.command()
def figure(paper: Paper, artifacts: Artifacts, preset: PresetOption = "laptop") -> None:
    """Draw figures of a paper."""
    layout = _layout(preset, paper)
    from rediffuse import recipes
    from rediffuse.records import carry, recorded

    for artifact, run in _of(layout, paper, f"figures.{paper}", "FIGURES", artifacts).items():
        recipe = recipes.draw(layout, paper, artifact)
        with recorded(recipe, layout.name):
            run(layout)
            carry(layout, recipe, paper, artifact)


@app.command()
def claims(paper: Paper, preset: PresetOption = "laptop") -> None:
    """Judge the claims of a paper by its tables and figures: held, not held, or not tested, and why."""
    layout = _layout(preset, paper)
    from rediffuse import recipes
    from rediffuse.records import recorded
    from rediffuse.report.gather import check_claims

    with recorded(recipes.claims(layout, paper), layout.name):
        check_claims(layout, paper)


@app.command()
def report(preset: PresetOption = "laptop") -> None:
    """Gather what was made: claims, artifacts, metrics, timings, provenance, and a page of all tables and figures."""
    layout = _layout(preset)
    from rediffuse import recipes
    from rediffuse.records import recorded
    from rediffuse.report.gather import gather

    with recorded(recipes.report(layout), layout.name):
        gather(layout)


@app.command()
def why(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets of Snakemake; else all.")] = None, preset: PresetOption = "laptop"
) -> None:
    """Say what `snakemake --cores all` would run, and because of which change."""
    layout = _layout(preset)
    from rediffuse.report.why import why as run

    lines = [*run(layout, preset, targets or [])]
    print("\n".join(lines) or "Nothing to be done: all is there, and nothing that it depends on has changed.")


@app.command()
def verify(preset: PresetOption = "laptop") -> None:
    """Compute all hashes anew: say what is stale, changed by hand or missing. Exit status 1 if anything is."""
    layout = _layout(preset)
    from rediffuse.report.verify import verify as run

    wrong, warnings, well = run(layout)
    for line in wrong:
        print(line)
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    print(f"{well} jobs as recorded, {len(wrong)} things that are not.")
    if wrong:
        sys.exit(1)


@app.command()
def status(
    preset: PresetOption = "laptop",
    watch: Annotated[bool, typer.Option("--watch", help="Draw it anew every two seconds, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of jobs.")] = False,
) -> None:
    """Say how far every training, sampling and measurement is: waiting, running, stopped, failed or done; with step, loss and time left.

    A job that was stopped is gone on with by the command that began it. Done means that its files are there; `snakemake -n` says whether
    an edit since then makes them anew.
    """
    layout = _layout(preset)
    from rediffuse.status import show, show_json
    from rediffuse.status import watch as run

    if watch and (as_json or not sys.stdout.isatty()):
        raise UserError(f"--watch: found {'--json' if as_json else 'no terminal'}; expected a terminal to draw in: leave --watch out")
    if watch:
        run(layout)
    elif as_json:
        show_json(layout)
    else:
        show(layout)


@app.command()
def record(preset: PresetOption = "laptop") -> None:
    """Write the snapshot docs/results/PRESET/ that git holds, and the preset's stages in dvc.yaml, whose names it prints.

    `make record` calls this, and has DVC commit those stages.
    """
    layout = _layout(preset)
    from rediffuse.report.record import record as run

    print("\n".join(run(layout)))


def _free(out: Path, suffixes: tuple[str, ...] = (".png", ".npz")) -> None:
    """That a file can be what is asked for, told before the work."""
    if out.suffix not in suffixes:
        raise UserError(f"--out: found {out}; expected a name that ends in {' or '.join(suffixes)}")
    if out.is_dir():
        raise UserError(f"--out: found the folder {out}; expected a file")


def _number(eta: str) -> float | str:
    try:
        return float(eta)
    except ValueError:
        return eta


def _write(out: Path, x: Any, columns: int | None = None) -> None:
    """Images as one picture, or as they are."""
    from rediffuse.files import write_arrays

    if out.suffix == ".npz":
        write_arrays(out, {"x": x})
    elif x.ndim != 4:
        raise UserError(f"--out: found {out} for vectors; expected a name that ends in .npz")
    else:
        from rediffuse.figures.style import save_images

        save_images(x, columns, out)
    print(f"{out}: {len(x)} samples")


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


def _of(layout: "Layout", paper: str, module: str, registry: str, artifacts: list[str]) -> dict[str, Any]:
    """The functions that make these artifacts, all of them known and asked for before any is made."""
    from importlib import import_module

    known: dict[str, Any] = getattr(import_module(f"rediffuse.{module}"), registry)
    for artifact in artifacts:
        _known("artifact", artifact, known)
        if not layout.asks(paper, artifact):
            raise UserError(f"preset {layout.name}: papers.{paper}.{artifact}: not given; expected its options, since the command makes it")
    return {artifact: known[artifact] for artifact in artifacts}


def _known(what: str, name: str, known: Any) -> None:
    if name not in known:
        raise UserError(f"{what}: found {name!r}; expected one of {', '.join(known) or 'none: the preset defines none'}")


def main() -> None:
    """Run a command: 0 if it is done, 2 with one line on standard error for a user's mistake, 128 + its number when stopped by a signal."""
    try:
        with progress.ending(), interrupts.terminable():
            interrupts.end_with(os.environ.get(interrupts.RUN, ""))
            sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UserError as error:
        _fail(str(error))
    except Exception as error:
        # The command line's own errors (an unknown option, a missing argument), whichever click typer carries.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    except interrupts.Interrupted as end:
        if _speaks_for_all():
            print(f"rediffuse: {end}", file=sys.stderr)
        sys.exit(128 + end.number)
    except KeyboardInterrupt:
        sys.exit(130)


def _speaks_for_all() -> bool:
    """Whether this process was started by itself, or is the first of those that torchrun started."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK") == "0"


def _fail(line: str) -> None:
    if not _speaks_for_all():
        time.sleep(2)  # of what every process finds the first one tells, and torchrun ends the others
    print(f"rediffuse: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
