"""Weekly reports, and what Zotero has of the papers that they cite."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rediffuse.cli.common import PresetOption, app, layout_of
from rediffuse.errors import UserError

weekly = typer.Typer(no_args_is_help=True, help="Weekly reports: begin the next one, or render one. `snakemake weekly` renders all.")
zotero = typer.Typer(no_args_is_help=True, help="What Zotero has of the papers that weekly reports cite.")
app.add_typer(weekly, name="weekly")
app.add_typer(zotero, name="zotero")


@weekly.command()
def new(
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Its last day; else a week after the last one's.")] = None,
    preset: PresetOption = "laptop",
) -> None:
    """Begin the next report, reports/weekly/DATE.md, from the last one's list of next week's tasks."""
    layout = layout_of(preset)
    from rediffuse.report.weekly.start import new as run

    print(run(date.date() if date else None, layout.name))


@weekly.command()
def render(
    file: Annotated[Path, typer.Argument(help="A report in reports/weekly/.")],
    preset: PresetOption = "laptop",
) -> None:
    """Write a report's page and its document to results/PRESET/report/weekly/."""
    layout = layout_of(preset)
    from rediffuse import weeklies
    from rediffuse.pipeline import recipes
    from rediffuse.pipeline.records import recorded
    from rediffuse.presets import preset_path
    from rediffuse.report.weekly.render import render as run

    if file.resolve() != weeklies.path_of(file.stem).resolve():
        raise UserError(f"{file}: found a file elsewhere; expected one of {weeklies.FOLDER}/")
    written = weeklies.read(weeklies.path_of(file.stem))
    with recorded(recipes.weekly(layout, written.name), layout.name):
        run(layout, written, preset_path(preset))


@zotero.command()
def pull(
    library: Annotated[str, typer.Option(help="users/0 is the one of the Zotero that runs here; users/NUMBER, groups/NUMBER.")] = "users/0",
    address: Annotated[
        str, typer.Option(help="Of Zotero's local API; https://api.zotero.org is the web's, with the key in ZOTERO_API_KEY.")
    ] = "http://localhost:23119/api",
    collection: Annotated[str | None, typer.Option(help="The key of a collection: its papers alone.")] = None,
) -> None:
    """Export papers, tags, notes and annotations to reports/library.bib and reports/zotero.json.

    Without an answer both files are left, and weekly reports go on with the last export.
    """
    from rediffuse import weeklies
    from rediffuse.report.zotero import pull as run

    print(run(library, address, collection, weeklies.LIBRARY, weeklies.ZOTERO))
