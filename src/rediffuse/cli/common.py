"""What commands share: the application, the options that several have, and the checks that come before any work."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rediffuse.errors import UserError

if TYPE_CHECKING:
    from rediffuse.paths import Layout

app = typer.Typer(
    help="Regenerates the tables and figures of three diffusion papers, and says which of their claims held.",
    epilog="`snakemake --cores all` calls these for you. Presets: laptop, smoke, mnist, cifar10, cifar10-published, or a path to "
    "a YAML file of your own.",
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


def layout_of(preset: str, paper: str | None = None) -> "Layout":
    from rediffuse.config import Papers
    from rediffuse.paths import Layout
    from rediffuse.presets import load_preset, preset_path

    path = preset_path(preset)
    layout = Layout(path.stem, load_preset(path))
    if paper is not None:
        known("paper", paper, Papers.model_fields)
        if getattr(layout.preset.papers, paper) is None:
            raise UserError(f"{path}: papers.{paper}: not given; expected its options, since the command asks for that paper")
    return layout


def asked_for(layout: "Layout", paper: str, artifacts: list[str], those: Collection[str]) -> None:
    """That artifacts are among those that a command makes, and that the preset asks for them, told before any is made."""
    for artifact in artifacts:
        known("artifact", artifact, those)
        if not layout.asks(paper, artifact):
            raise UserError(f"preset {layout.name}: papers.{paper}.{artifact}: not given; expected its options, since the command makes it")


def known(what: str, name: str, known: Any) -> None:
    if name not in known:
        raise UserError(f"{what}: found {name!r}; expected one of {', '.join(known) or 'none: the preset defines none'}")


def free(out: Path, suffixes: tuple[str, ...] = (".png", ".npz")) -> None:
    """That a file can be what is asked for, told before the work."""
    if out.suffix not in suffixes:
        raise UserError(f"--out: found {out}; expected a name that ends in {' or '.join(suffixes)}")
    if out.is_dir():
        raise UserError(f"--out: found the folder {out}; expected a file")


def number(eta: str) -> float | str:
    try:
        return float(eta)
    except ValueError:
        return eta


def write(out: Path, x: Any, columns: int | None = None) -> None:
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
