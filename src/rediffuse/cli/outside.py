"""Trained networks outside the pipeline: published weights brought in, latents, interpolations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rediffuse import progress
from rediffuse.cli.common import DeviceOption, PresetOption, SeedOption, StepsOption, app, free, known, layout_of, write
from rediffuse.errors import UserError

if TYPE_CHECKING:
    from rediffuse.config import Reuse
    from rediffuse.paths import Layout


@app.command()
def import_weights(
    source: Annotated[
        str | None,
        typer.Argument(help="A U-Net as diffusers saves it: a file, or a hub's owner/name@revision; else what --run takes by the preset."),
    ] = None,
    run: Annotated[str | None, typer.Option(help="The preset's run that they become; else one of the published CIFAR-10 U-Net.")] = None,
    preset: PresetOption = "laptop",
) -> None:
    """Read published weights in diffusers' layout: in place of a training, to results/PRESET/runs/RUN/, or to results/imported/NAME/.

    What is on a hub is fetched to data/raw/weights/, unless it is there.
    """
    layout = layout_of(preset)
    if run is not None:
        known("run", run, layout.preset.runs)
    taken = taken_from(source, run, layout)
    from rediffuse.datasets.prepared import load
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.published_weights import CIFAR10, CIFAR10_DATA
    from rediffuse.published_weights import import_weights as make
    from rediffuse.runs import describe

    if run is None:
        folder = Path("results/imported") / (taken.file.stem if taken.file else taken.weights.rpartition("/")[2])
        made = make(taken, CIFAR10, CIFAR10_DATA, folder)
    else:
        folder, options = layout.run(run), layout.preset.runs[run]
        if options.training.keep:
            found = f"found {options.training.keep}; expected nothing of a run that is imported: what it was on the way is not known"
            raise UserError(f"runs.{run}.training.keep: {found}")
        if options.reuse:
            progress.begin(layout.results, f"import {run}")
        with recorded(recipes.train(layout, run), layout.name) as about:
            made = make(taken, options, describe(load(layout.dataset(options.dataset))), folder)
            imported = {"from": taken.weights, "file": made.file.as_posix(), "sha256": made.sha256}
            about |= {"parameters": made.parameters, "images": 0, "imported": imported}
    print(f"{made.parameters:,} parameters from {made.file}, sha256 {made.sha256}: {folder / 'weights.safetensors'}")


def taken_from(source: str | None, run: str | None, layout: "Layout") -> "Reuse":
    """Where weights are to be taken from: as told, or as the preset says of a run. Raises UserError if that is nothing, or both."""
    from pydantic import ValidationError

    from rediffuse.config import Reuse
    from rediffuse.presets import problem

    reuse = layout.preset.runs[run].reuse if run else None
    if reuse and source:
        raise UserError(f"SOURCE: found {source}; expected none: runs.{run} takes {reuse.weights} by the preset {layout.name}")
    if reuse:
        return reuse
    if source is None:
        missing = f"runs.{run}.reuse of the preset {layout.name}" if run else "SOURCE"
        raise UserError(f"{missing}: not given; expected weights: a file, or a hub's owner/name")
    try:
        return Reuse(weights=source)
    except ValidationError as error:
        raise UserError(f"SOURCE: {problem(error, {'weights': source})[1]}") from None


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
    free(out, (".npz",))
    if n < 1:
        raise UserError(f"--n: found {n}; expected at least 1")
    from rediffuse.datasets.prepared import load
    from rediffuse.files import read_arrays, write_arrays
    from rediffuse.model import load as load_model

    model = load_model(run, preset, device)
    if images is None:
        layout = layout_of(preset)
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
    free(out)
    from rediffuse.model import load as load_model

    x = load_model(run, preset, device).interpolate(lines, steps=steps, seed=seed)
    write(out, x.reshape(-1, *x.shape[2:]), columns=x.shape[1])
