"""Trained networks outside the pipeline: published weights brought in, latents, interpolations."""

from pathlib import Path
from typing import Annotated

import typer

from rediffuse.cli.common import DeviceOption, PresetOption, SeedOption, StepsOption, app, free, known, layout_of, write
from rediffuse.errors import UserError


@app.command()
def import_weights(
    file: Annotated[Path, typer.Argument(help="A safetensors file, as diffusers saves a DDPM U-Net (google/ddpm-cifar10-32).")],
    run: Annotated[str | None, typer.Option(help="The preset's run that they become; else one of the published CIFAR-10 U-Net.")] = None,
    preset: PresetOption = "laptop",
) -> None:
    """Read published weights in diffusers' layout: in place of a training, to results/PRESET/runs/RUN/, or to results/imported/FILE/."""
    layout = layout_of(preset)
    if run is not None:
        known("run", run, layout.preset.runs)
    from rediffuse.datasets.prepared import load
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.published_weights import CIFAR10, CIFAR10_DATA
    from rediffuse.published_weights import import_weights as make
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
