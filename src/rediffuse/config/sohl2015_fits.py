"""Whether what a preset asks for of Sohl-Dickstein et al. 2015 fits its runs, samples and data."""

import math

from rediffuse.config.base import wrong
from rediffuse.config.catalogue import Catalogue, coarsest, distinct, named
from rediffuse.config.data import MNIST, PHOTOGRAPH, DeadLeaves, Digits, Heartbeat, Textures
from rediffuse.config.runs import Gaussian, LogSpaced
from rediffuse.config.samples import AncestralSamples
from rediffuse.config.sohl2015 import BoundTable, InpaintingFigure, ModelTable, Sohl2015

MOST_COUNTS = 5_000_000


def sohl2015_fits(preset: Catalogue, paper: Sohl2015) -> None:
    key = "papers.sohl2015"
    for block, known in (
        ("table1", preset.scored()),
        ("ablation", preset.of_kinds(["swiss-roll", "heartbeat"])),
        ("entropy", preset.of_kinds(["swiss-roll", "heartbeat"])),
    ):
        options = getattr(paper, block)
        for name in options.runs if options else []:
            named(f"{key}.{block}.runs", name, known)
        distinct(f"{key}.{block}.runs", options.runs if options else [])
    if paper.table2:
        _table2_fits(preset, f"{key}.table2", paper.table2, paper.table1)
    for block in ("fig1", "fig2", "fig3", "products"):
        kinds = {"fig1": ["swiss-roll"], "fig2": ["heartbeat"], "products": ["heartbeat"]}.get(block, [])
        options = getattr(paper, block)
        if options:
            named(f"{key}.{block}.run", options.run, preset.of_kinds(kinds) if kinds else preset.images())
    if paper.products:
        beat = preset.datasets[preset.runs[paper.products.run].dataset]
        for k, factor in enumerate(paper.products.r):
            if isinstance(beat, Heartbeat) and factor.bit >= beat.length:
                raise wrong(
                    f"{key}.products.r.{k}.bit", factor.bit, f"at most {beat.length - 1}, the last bit of runs.{paper.products.run}"
                )
    if paper.fig4:
        named(f"{key}.fig4.run", paper.fig4.run, preset.of_kinds(["dead-leaves"]))
        preset.check_size(f"{key}.fig4.size", paper.fig4.size, paper.fig4.run)
        _enough_for_gaussians(preset, f"{key}.fig4.run", paper.fig4.run)
    if paper.fig5:
        _fig5_fits(preset, f"{key}.fig5", paper.fig5)
    if paper.fig_app1:
        grid = paper.fig_app1
        ancestral = {name: samples for name, samples in preset.samples.items() if isinstance(samples, AncestralSamples)}
        named(f"{key}.fig_app1.samples", grid.samples, ancestral)
        if grid.rows * grid.columns > ancestral[grid.samples].n:
            raise wrong(f"{key}.fig_app1.rows", grid.rows, f"rows * columns at most n of samples.{grid.samples}")
    if paper.fig1 and preset.runs[paper.fig1.run].process.T < 6:
        T = preset.runs[paper.fig1.run].process.T
        raise wrong(
            f"{key}.fig1.run", paper.fig1.run, f"a run of at least 6 steps (it has {T}): three times of the learned chain are drawn"
        )
    if paper.fig3:
        process = preset.runs[paper.fig3.run].process
        if isinstance(process, Gaussian) and isinstance(process.schedule, LogSpaced):
            low, high = process.schedule.ratio_1, process.schedule.ratio_T
            if not low <= paper.fig3.noise_variance <= high:
                raise wrong(
                    f"{key}.fig3.noise_variance", paper.fig3.noise_variance, f"{low:g} to {high:g}, as x_t of runs.{paper.fig3.run} has"
                )
    for name in paper.entropy.runs if paper.entropy else []:
        beat = preset.datasets[preset.runs[name].dataset]
        if isinstance(beat, Heartbeat) and _counts(beat) > MOST_COUNTS:
            raise wrong(
                f"{key}.entropy.runs", name, f"a heartbeat whose exact entropy is a sum of at most {MOST_COUNTS} terms, not {_counts(beat)}"
            )
    if paper.fig_d1:
        coarsest(f"{key}.fig_d1.resolution", paper.fig_d1.resolution, paper.fig_d1.network)


def _counts(beat: Heartbeat) -> int:
    """Terms of the heartbeat's exact entropy: how many bins of each phase are 1, for each phase."""
    return beat.period * math.prod(len(range(phase, beat.length, beat.period)) + 1 for phase in range(beat.period))


def _enough_for_gaussians(preset: Catalogue, key: str, run: str) -> None:
    """A full covariance is of more images than pixels."""
    leaves = preset.datasets[preset.runs[run].dataset]
    if isinstance(leaves, DeadLeaves) and leaves.train <= leaves.size**2:
        expected = f"more training images than pixels ({leaves.size**2}), for the Gaussian baselines"
        raise wrong(key, run, f"a run on {expected}: datasets.{preset.runs[run].dataset}.train is {leaves.train}")


def _table2_fits(preset: Catalogue, key: str, table: ModelTable, table1: BoundTable | None) -> None:
    if table.leaves:
        if table1 is None:
            raise wrong("papers.sohl2015.table1", None, "its options: table2 takes n, strata and seed from them")
        named(f"{key}.leaves", table.leaves, preset.of_kinds(["dead-leaves"]))
        _enough_for_gaussians(preset, f"{key}.leaves", table.leaves)
    fit = {
        name: samples
        for name, samples in preset.samples.items()
        if isinstance(preset.datasets[preset.runs[samples.run].dataset], Digits | MNIST)
    }
    named(f"{key}.digits", table.digits, {name: samples for name, samples in fit.items() if isinstance(samples, AncestralSamples)})
    data = preset.datasets[preset.runs[fit[table.digits].run].dataset]
    assert isinstance(data, Digits | MNIST)
    for name in table.also:
        named(f"{key}.also", name, {other: s for other, s in fit.items() if preset.kind_of(preset.runs[s.run]) == data.kind})
        if len(getattr(fit[name], "seeds", [0])) > 1:
            raise wrong(f"{key}.also", name, "samples of one seed: no row says which")
    distinct(f"{key}.also", [*table.also, table.digits])
    if table.centres and table.centres < table.kmeans:
        raise wrong(f"{key}.centres", table.centres, f"at least kmeans ({table.kmeans}), whose centres are made of them")
    taken, left = ("centres", table.centres) if table.centres else ("kmeans", table.kmeans)
    if left >= data.train:
        raise wrong(f"{key}.{taken}", left, f"less than {data.train}, the images to train on: validation needs some of them, too")
    if table.validation + left > data.train:
        raise wrong(
            f"{key}.validation", table.validation, f"at most {data.train - left}: {taken} needs as many of {data.train} images itself"
        )


def _fig5_fits(preset: Catalogue, key: str, figure: InpaintingFigure) -> None:
    named(f"{key}.run", figure.run, preset.of_kinds(["textures", "folder"]))
    preset.check_size(f"{key}.size", figure.size, figure.run)
    if figure.hole >= figure.size:
        raise wrong(f"{key}.hole", figure.hole, f"less than size ({figure.size}): with nothing known r(x) says nothing")
    data = preset.datasets[preset.runs[figure.run].dataset]
    if isinstance(data, Textures) and figure.size > PHOTOGRAPH // data.shrink // 4:
        raise wrong(
            f"{key}.size", figure.size, f"at most {PHOTOGRAPH // data.shrink // 4}, the width of the held-out quarter of a photograph"
        )
