"""Whether what a preset asks for of Song et al. 2020 fits its runs, samples and data."""

from collections.abc import Sequence

from rediffuse.config.base import wrong
from rediffuse.config.catalogue import Catalogue, distinct, named
from rediffuse.config.ddim import DDIM
from rediffuse.config.runs import Binomial
from rediffuse.config.samples import AncestralSamples, SweepSamples


def ddim_fits(preset: Catalogue, paper: DDIM) -> None:
    for block in ("table1", "table1_released", "fig3", "fig7", "frontier"):
        if options := getattr(paper, block):
            _sweeps_fit(preset, f"papers.ddim.{block}.samples", options.samples)
    for block in ("table1", "table1_released", "frontier"):
        if options := getattr(paper, block):
            preset.check_features(f"papers.ddim.{block}.features", options.features, preset.samples[options.samples[0]].run)
    if paper.fig3:
        for S in paper.fig3.steps:
            named("papers.ddim.fig3.steps", S, dict.fromkeys(_steps(preset, paper.fig3.samples)))
        least = min(preset.samples[name].n for name in paper.fig3.samples)
        if paper.fig3.columns > least:
            raise wrong("papers.ddim.fig3.columns", paper.fig3.columns, f"at most {least}, the least n of its samples")
    _runs_fit(preset, paper)
    _beside_ddpm(preset, paper)


def _sweeps_fit(preset: Catalogue, key: str, names: list[str]) -> None:
    sweeps = {name: samples for name, samples in preset.samples.items() if isinstance(samples, SweepSamples)}
    for name in names:
        named(key, name, sweeps)
    if len({sweeps[name].run for name in names}) > 1:
        raise wrong(key, names, "sweeps of one run")
    if len({sweeps[name].step for name in names}) > 1:
        raise wrong(key, names, "sweeps of one step of its training")
    if len({sweeps[name].tau for name in names}) > 1:
        raise wrong(key, names, "sweeps of the same tau")
    distinct(key, names)
    steps = _steps(preset, names)
    if len(set(steps)) < len(steps):
        raise wrong(key, names, "sweeps that share no number of steps")


def _steps(preset: Catalogue, names: list[str], eta: float | None = None) -> list[int]:
    """The numbers of steps of sweeps; of those that have a row of this eta, where it is given."""
    sweeps = [samples for name in names if isinstance(samples := preset.samples[name], SweepSamples)]
    return [S for samples in sweeps for S in samples.steps if eta is None or eta in samples.eta]


def _runs_fit(preset: Catalogue, paper: DDIM) -> None:
    """What is drawn from runs themselves: Gaussian ones, on images of grey levels."""
    levels = preset.levels()
    gaussian = {name: run for name, run in preset.runs.items() if not isinstance(run.process, Binomial)}
    for block in ("table2", "fig4", "fig5", "fig6", "grid"):
        options = getattr(paper, block)
        if options:
            named(f"papers.ddim.{block}.run", options.run, gaussian if block == "fig4" else levels)
            steps: Sequence[int] = [options.steps] if isinstance(options.steps, int) else options.steps
            preset.check_steps(f"papers.ddim.{block}.steps", [*steps], options.run)
            distinct(f"papers.ddim.{block}.steps", steps)
    if paper.fig5:
        preset.check_features("papers.ddim.fig5.features", paper.fig5.features, paper.fig5.run)
        if paper.fig5.columns > paper.fig5.n:
            raise wrong("papers.ddim.fig5.columns", paper.fig5.columns, f"at most n ({paper.fig5.n})")
    if paper.grid:
        distinct("papers.ddim.grid.eta", paper.grid.eta)
    for block in ("fig5", "grid"):
        options = getattr(paper, block)
        if options and options.steps != sorted(options.steps):
            raise wrong(f"papers.ddim.{block}.steps", options.steps, "them in rising order: the last is what the others are compared with")


def _beside_ddpm(preset: Catalogue, paper: DDIM) -> None:
    """What sets DDPM's samples beside a sweep's, of one network."""
    for block in ("fig7", "frontier"):
        if options := getattr(paper, block):
            swept = preset.samples[options.samples[0]]
            network = (swept.run, swept.step)
            ancestral = {name: s for name, s in preset.samples.items() if isinstance(s, AncestralSamples) and (s.run, s.step) == network}
            named(f"papers.ddim.{block}.ddpm", options.ddpm, ancestral)
    if paper.frontier and not paper.fig4:
        raise wrong("papers.ddim.frontier", "no fig4", "papers.ddim.fig4 as well, whose line gives the seconds")
    if paper.fig7:
        steps = _steps(preset, paper.fig7.samples, eta=0.0)
        for S in paper.fig7.steps:
            named("papers.ddim.fig7.steps", S, dict.fromkeys(steps))
        least = min(preset.samples[name].n for name in (paper.fig7.ddpm, *paper.fig7.samples))
        if paper.fig7.rows * paper.fig7.columns > least:
            raise wrong("papers.ddim.fig7.rows", paper.fig7.rows, f"rows * columns at most {least}, the least n of its samples")
