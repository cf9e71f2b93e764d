"""Whether what a preset asks for of Ho et al. 2020 fits its runs, samples and data."""

from rediffuse.config.base import wrong
from rediffuse.config.catalogue import Catalogue, distinct, named
from rediffuse.config.ddpm import DDPM
from rediffuse.config.runs import Run
from rediffuse.config.samples import AncestralSamples


def ddpm_fits(preset: Catalogue, paper: DDPM) -> None:
    ancestral = {
        name: samples
        for name, samples in preset.samples.items()
        if isinstance(samples, AncestralSamples) and not preset.continuous(preset.runs[samples.run])
    }
    for name in paper.scored() if paper.table1 else []:
        assert paper.table1
        named("papers.ddpm.table1.samples", name, ancestral)
        run = preset.samples[name].run
        preset.check_features("papers.ddpm.table1.features", paper.table1.features, run)
        T = preset.runs[run].process.T
        if paper.table1.strata >= T:
            raise wrong("papers.ddpm.table1.strata", paper.table1.strata, f"at most T - 1 = {T - 1} of runs.{run}")
    for figure, grid in (("fig1", paper.fig1), ("fig13", paper.fig13)):
        if grid:
            named(f"papers.ddpm.{figure}.samples", grid.samples, ancestral)
            if grid.rows * grid.columns > preset.samples[grid.samples].n:
                raise wrong(f"papers.ddpm.{figure}.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")
    if paper.table2:
        preset.check_features("papers.ddpm.table2.features", paper.table2.features, paper.table2.samples[0])
    _runs_fit(preset, paper)
    if paper.fig15:
        named("papers.ddpm.fig15.samples", paper.fig15.samples, ancestral)
        preset.check_features("papers.ddpm.fig15.features", paper.fig15.features, preset.samples[paper.fig15.samples].run)
        if paper.fig15.rows > preset.samples[paper.fig15.samples].n:
            raise wrong("papers.ddpm.fig15.rows", paper.fig15.rows, f"at most n of samples.{paper.fig15.samples}")


def _runs_fit(preset: Catalogue, paper: DDPM) -> None:
    """What is measured on runs themselves: Gaussian ones, on images of grey levels."""
    levels = preset.levels()
    for name in paper.table4.runs if paper.table4 else []:
        named("papers.ddpm.table4.runs", name, levels)
    distinct("papers.ddpm.table4.runs", paper.table4.runs if paper.table4 else [])
    for figure, options in (
        ("fig7", paper.fig7),
        ("fig8", paper.fig8),
        ("fig9", paper.fig9),
        ("fig10", paper.fig10),
        ("bounds", paper.bounds),
    ):
        if options:
            named(f"papers.ddpm.{figure}.run", options.run, levels)
    for figure, latents in (("fig7", paper.fig7), ("fig9", paper.fig9)):
        if latents:
            preset.check_steps(f"papers.ddpm.{figure}.t", latents.t, latents.run)
            distinct(f"papers.ddpm.{figure}.t", latents.t)
    if paper.conventions:
        named("papers.ddpm.conventions.run", paper.conventions.run, {name: run for name, run in levels.items() if _fixed(run)})
        preset.check_features("papers.ddpm.conventions.features", paper.conventions.features, paper.conventions.run)
    for table, estimated in (("bounds", paper.bounds), ("conventions", paper.conventions)):
        if estimated and estimated.strata >= (T := preset.runs[estimated.run].process.T):
            raise wrong(f"papers.ddpm.{table}.strata", estimated.strata, f"at most T - 1 = {T - 1} of runs.{estimated.run}")
    if paper.fig8:
        preset.check_steps("papers.ddpm.fig8.t", [paper.fig8.t], paper.fig8.run)
    if paper.fig10:
        preset.check_features("papers.ddpm.fig10.features", paper.fig10.features, paper.fig10.run)
        preset.check_steps("papers.ddpm.fig10.times", [paper.fig10.times], paper.fig10.run)
        if paper.fig10.rows > paper.fig10.n:
            raise wrong("papers.ddpm.fig10.rows", paper.fig10.rows, f"at most n ({paper.fig10.n})")


def _fixed(run: Run) -> bool:
    """Whether x0-hat can be clipped, and the variance be the other fixed one."""
    return run.predicts != "mu" and run.variance in ("fixed-small", "fixed-large")
