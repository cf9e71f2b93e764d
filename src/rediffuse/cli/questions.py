"""Questions about a preset's files, and their record for git and DVC."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from rediffuse.cli.common import DeviceOption, Paper, PresetOption, app, known, layout_of
from rediffuse.errors import UserError


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
    layout = layout_of(preset)
    from rediffuse.pipeline.status import show, show_json
    from rediffuse.pipeline.status import watch as run

    if watch and (as_json or not sys.stdout.isatty()):
        raise UserError(f"--watch: found {'--json' if as_json else 'no terminal'}; expected a terminal to draw in: leave --watch out")
    if watch:
        run(layout)
    elif as_json:
        show_json(layout)
    else:
        show(layout)


@app.command()
def plan(
    name: Annotated[str | None, typer.Argument(help="A preset, as by --preset.")] = None,
    preset: PresetOption = "laptop",
    rate: Annotated[
        float | None, typer.Option(help="GFLOP/s that another machine reaches on these networks: planned for it, and nothing is measured.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="Dollars an hour of the machine.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="In the place of a preset: the papers' own budgets, on CIFAR-10, CelebA-HQ and LSUN.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    device: DeviceOption = "auto",
) -> None:
    """Say what a preset costs before anything starts: images, network evaluations, FLOPs, disk, hours; and what is done already.

    Seconds come from a few steps of each network on this machine, with one thread as jobs have. Of measurements the evaluations of networks
    count, and nothing else.
    """
    for option, value in (("--rate", rate), ("--price", price)):
        if value is not None and not (0 < value < float("inf")):
            raise UserError(f"{option}: found {value:g}; expected a number above 0")
    if published and name:
        raise UserError(f"--published: found the preset {name} beside it; expected one of the two")
    layout = None if published else layout_of(name or preset)
    import torch

    from rediffuse.device import pick
    from rediffuse.plan import planned, show
    from rediffuse.plan.published import published as of_papers

    torch.set_num_threads(1)
    where = pick("cpu" if rate else device)
    if layout is None:
        rows = of_papers(where, rate)
        text = show.published_json(rows, price) if as_json else "\n".join(show.published_text(rows, planned.described(where, rate), price))
    else:
        found = planned.plan(layout, where, rate)
        text = show.as_json(found, price) if as_json else "\n".join(show.as_text(found, price))
    print(text)


@app.command()
def bench(
    device: DeviceOption = "auto",
    out: Annotated[Path, typer.Option(help="The page; its figures are kept in a .json beside it.")] = Path("docs/performance.md"),
    quick: Annotated[bool, typer.Option("--quick", help="A tiny network, once: whether it runs, and no figure to keep.")] = False,
) -> None:
    """Measure speed beside diffusers' and the machine's own limits, and write docs/performance.md from it: twenty minutes."""
    if out.suffix != ".md":
        raise UserError(f"--out: found {out}; expected a name that ends in .md")
    from importlib.util import find_spec

    from rediffuse.provenance import PACKAGE

    scripts = PACKAGE.parents[1] / "benchmarks"
    if not scripts.is_dir():
        raise UserError(f"{scripts}: not found; expected the benchmarks of a checkout, which an installed package has not")
    if quick and (kept := out.with_suffix(".json")).is_file():
        raise UserError(
            f"--out: found figures in {kept}; expected another page for --quick, which would replace them by what means nothing"
        )
    if find_spec("diffusers") is None:
        raise UserError("diffusers: not installed; expected it, which ours is compared with: pip install -e .[dev]")
    from rediffuse.device import pick

    command = [sys.executable, str(scripts), "--device", str(pick(device)), "--out", str(out), *["--quick"] * quick]
    sys.exit(subprocess.run(command, check=False).returncode)


@app.command()
def why(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets of Snakemake; else all.")] = None, preset: PresetOption = "laptop"
) -> None:
    """Say what `snakemake --cores all` would run, and because of which change."""
    layout = layout_of(preset)
    from rediffuse.pipeline.why import why as run

    lines = [*run(layout, preset, targets or [])]
    print("\n".join(lines) or "Nothing to be done: all is there, and nothing that it depends on has changed.")


@app.command()
def verify(preset: PresetOption = "laptop") -> None:
    """Compute all hashes anew: say what is stale, changed by hand or missing. Exit status 1 if anything is."""
    layout = layout_of(preset)
    from rediffuse.pipeline.verify import verify as run

    wrong, warnings, well = run(layout)
    for line in wrong:
        print(line)
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    print(f"{well} jobs as recorded, {len(wrong)} things that are not.")
    if wrong:
        sys.exit(1)


@app.command()
def equation(
    paper: Paper,
    number: Annotated[str, typer.Argument(help='As the paper prints it, such as 7 or "Alg. 1"; without it all of the paper.')] = "",
    preset: PresetOption = "laptop",
) -> None:
    """Print a numbered equation of a paper: its formula, what it means, the function here that is it, and the tests that hold it.

    Whether they passed is said where the preset's run has been made: `snakemake` runs them.
    """
    layout = layout_of(preset)
    from rediffuse.papers import ledger

    known("paper", paper, ledger.PAPERS)
    passed = ledger.passed(layout.results / "equations.csv")
    for each in [ledger.find(paper, number)] if number else ledger.read(paper):
        (file, line), tested = each.defined, each.tested
        print(f"{paper} ({each.number})\n  {each.formula}\n  {each.meaning}\n  {each.meaning_zh}")
        print(f"  function  rediffuse.{each.function}  {file.relative_to(ledger.ROOT)}:{line}")
        for test, (path, at) in zip(each.tests, tested, strict=True):
            print(f"  test      {test}  {path.relative_to(ledger.ROOT)}:{at}")
        if (paper, each.number) in passed:
            print(f"  passed    {'yes' if passed[paper, each.number] else 'no'}, in the run of the preset {layout.name}")


@app.command()
def record(preset: PresetOption = "laptop") -> None:
    """Write the snapshot docs/results/PRESET/ that git holds, and the preset's stages in dvc.yaml, whose names it prints.

    `make record` calls this, and has DVC commit those stages.
    """
    layout = layout_of(preset)
    from rediffuse.report.record import record as run

    print("\n".join(run(layout)))
