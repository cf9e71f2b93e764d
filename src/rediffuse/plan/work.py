"""What each job of a preset asks of a network: how many evaluations of which kind."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from rediffuse.config import Binomial, InceptionFeatures
from rediffuse.networks.inception import Inception
from rediffuse.paths import Layout
from rediffuse.plan.data import Data, data_of
from rediffuse.samplers.steps import SUBSEQUENCES
from rediffuse.sampling import Cell, cells, chunks

Kind = Literal["train", "chain", "flow", "term", "features"]
"""A training step's share of one image; a step of ancestral sampling, with its noise; one without; a term of the bound; Inception's
features."""


TERMS = 1024
"""Images of a batch on which the bound is evaluated, at most."""


class Calls(NamedTuple):
    """Evaluations of one kind of one network."""

    network: str
    """A run, or features."""
    kind: Kind
    images: int
    """Evaluations, each of one image (or point, or sequence)."""
    batch: int
    """Images at a time."""
    area: float = 1.0
    """How many times as large the images are as those the network was trained on."""


def training(layout: Layout, name: str) -> list[Calls]:
    """None of Inception."""
    network = (layout.preset.runs | layout.preset.features)[name]
    if isinstance(network, InceptionFeatures):
        return []
    options = network.training
    return [Calls(name, "train", options.steps * options.batch, options.batch)]


def kept(layout: Layout, name: str) -> list[int]:
    """The steps after which a training keeps its weights as well."""
    network = layout.preset.runs.get(name)
    return network.training.keep if network else []


def shard(layout: Layout, name: str, k: int) -> list[Calls]:
    """Of a shard, from 0, of a set of samples."""
    samples = layout.preset.samples[name]
    T, n = layout.preset.runs[samples.run].process.T, sum(map(len, chunks(samples, k)))
    return [Calls(samples.run, _kind(cell), n * evaluations(cell, T), min(samples.chunk, samples.n)) for cell in cells(samples, T)]


def evaluations(cell: Cell, T: int) -> int:
    """Of the network, for one sample."""
    return len(SUBSEQUENCES[cell.tau](T, cell.steps))


def _kind(cell: Cell) -> Kind:
    noisy = cell.eta in ("ancestral", "sigma-hat") or (isinstance(cell.eta, float | int) and cell.eta > 0)
    return "chain" if noisy else "flow"


def measurement(layout: Layout, paper: str, artifact: str) -> list[Calls]:
    """Of measuring a table or figure. Classifiers, which cost little beside it, and what asks no network are not in it."""
    count, counting = COUNTS.get((paper, artifact)), _Counting(layout, paper, artifact)
    asked = [*(count(counting) if count else [])]
    if getattr(counting.options, "features", None) == InceptionFeatures.name:
        asked.append(Calls(InceptionFeatures.name, "features", FEATURES[paper, artifact](counting), Inception.at_once))
    return [calls for calls in asked if calls.images]


class _Counting:
    """The options of an artifact, and what the counts below need of its runs."""

    def __init__(self, layout: Layout, paper: str, artifact: str):
        self.layout = layout
        self.paper: Any = getattr(layout.preset.papers, paper)
        self.options: Any = getattr(self.paper, artifact, None)

    def T(self, run: str) -> int:
        return self.layout.preset.runs[run].process.T

    def data(self, run: str) -> Data:
        return data_of(self.layout, self.layout.preset.runs[run].dataset)

    def bound(self, run: str, n: int, strata: int, decoders: int = 1) -> Calls:
        """n test data, at so many times and at t = 1, once for each decoder."""
        tested = self.data(run).tested(n)
        return Calls(run, "term", tested * (min(strata, self.T(run) - 1) + decoders), min(tested, TERMS))

    def chain(self, run: str, n: int, size: int | None = None, batch: int | None = None) -> Calls:
        """n whole chains, so many or all at a time, of images of their own size or of another. Of continuous data the last step is fixed,
        and asks no network."""
        area = (size / self.data(run).about.shape[-1]) ** 2 if size else 1.0
        gaussian = not isinstance(self.layout.preset.runs[run].process, Binomial)
        return Calls(run, "chain", n * (self.T(run) - (gaussian and self.data(run).about.continuous)), batch or n, area)

    def cells(self, name: str) -> list[Cell]:
        """Of a set of samples."""
        samples = self.layout.preset.samples[name]
        return cells(samples, self.T(samples.run))

    def real(self, *runs: str, test: bool = False) -> int:
        """Training images, and test images if they are asked for, of the data of runs, each once; none where only preparing tells."""
        data = [self.data(run) for run in {self.layout.preset.runs[run].dataset: run for run in runs}.values()]
        return sum((each.train or 0) + ((each.test or 0) if test else 0) for each in data)


def _table2_2015(c: _Counting) -> Iterator[Calls]:
    """Of dead leaves, where the preset has them."""
    if c.options.leaves is not None:
        yield c.bound(c.options.leaves, c.paper.table1.n, c.paper.table1.strata)


def _fig3_2015(c: _Counting) -> Iterator[Calls]:
    """r constant: whole chains; begun at what was observed: from the time that is as noisy."""
    from rediffuse.build import build_process
    from rediffuse.processes.products import start_at

    options = c.options
    process: Any = c.layout.preset.runs[options.run].process
    n, start = c.data(options.run).tested(options.n), start_at(build_process(process), options.noise_variance)
    yield c.chain(options.run, n * options.draws + options.columns, batch=n)
    yield Calls(options.run, "chain", n * options.draws * (start - 1), n)


def _fig5_2015(c: _Counting) -> Iterator[Calls]:
    o = c.options
    chains = c.chain(o.run, o.pictures * o.draws, o.size, o.pictures)
    yield chains
    yield chains._replace(images=chains.images * o.rounds)


def _fig1_2015(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.sohl2015.chains import GRID

    yield c.chain(c.options.run, 2 * c.options.n + len(GRID) ** 2, batch=c.options.n)


def _table1_ddpm(c: _Counting) -> Iterator[Calls]:
    """Of last weights; those that were kept on the way have no likelihood there."""
    samples, options = c.paper.scored(), c.options
    for run in (each.run for each in map(c.layout.preset.samples.__getitem__, samples) if not each.step):
        both = c.bound(run, options.n, options.strata, decoders=2)
        on_train = min(options.n, c.data(run).train or options.n) * (min(options.strata, c.T(run) - 1) + 2)
        yield both._replace(images=both.images + on_train)


def _table4_ddpm(c: _Counting) -> Iterator[Calls]:
    for run in c.options.runs:
        n = c.data(run).tested(c.options.n)
        yield Calls(run, "term", n * c.T(run), n)


def _conventions_ddpm(c: _Counting) -> Iterator[Calls]:
    """With three of them."""
    from rediffuse.papers.ddpm.conventions import CHUNK

    o = c.options
    for calls in (c.bound(o.run, o.n, o.strata), c.chain(o.run, o.draws, batch=min(CHUNK, o.draws))):
        yield calls._replace(images=3 * calls.images)


def _fig10_ddpm(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.ddpm.progress import CHUNK

    yield c.chain(c.options.run, c.options.n, batch=min(CHUNK, c.options.n))


def _fig7_ddpm(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.ddpm.latents import SHARING

    yield Calls(c.options.run, "chain", c.T(c.options.run), 1)
    yield Calls(c.options.run, "chain", SHARING * sum(c.options.t), SHARING)


def _lines_ddpm(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.ddpm.latents import LAMBDAS

    o = c.options
    yield Calls(o.run, "chain", len(LAMBDAS) * (sum(o.t) if isinstance(o.t, list) else o.t * o.pairs), len(LAMBDAS))


def _table2_ddim(c: _Counting) -> Iterator[Calls]:
    n = c.data(c.options.run).tested(c.options.n)
    yield Calls(c.options.run, "flow", 2 * sum(c.options.steps) * n, n)


def _fig4_ddim(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.ddim.timing import OFTEN

    o = c.options
    rounds = sum(S * min(max(o.steps) // S, OFTEN) for S in o.steps)
    yield Calls(o.run, "flow", o.n * (o.repeats * rounds + min(o.steps)), o.n)


def _fig6_ddim(c: _Counting) -> Iterator[Calls]:
    from rediffuse.papers.ddim.latents import SHARES, SIDE

    n = c.options.lines * len(SHARES) + SIDE**2
    yield Calls(c.options.run, "flow", c.options.steps * n, n)


def _grid_ddim(c: _Counting) -> Iterator[Calls]:
    o = c.options
    for S in o.steps:
        for eta in o.eta:
            yield Calls(o.run, _kind(Cell(S, eta, "linear", o.seed, clip=False)), S * o.columns, o.columns)


COUNTS: dict[tuple[str, str], Callable[[_Counting], Any]] = {
    ("sohl2015", "table1"): lambda c: [c.bound(run, c.options.n, c.options.strata) for run in c.options.runs],
    ("sohl2015", "table2"): _table2_2015,
    ("sohl2015", "fig1"): _fig1_2015,
    ("sohl2015", "fig2"): lambda c: [c.chain(c.options.run, c.options.n)],
    ("sohl2015", "fig3"): _fig3_2015,
    ("sohl2015", "fig4"): lambda c: [c.chain(c.options.run, c.options.n, c.options.size)],
    ("sohl2015", "fig5"): _fig5_2015,
    ("sohl2015", "entropy"): lambda c: [c.chain(run, c.options.n) for run in c.options.runs],
    ("sohl2015", "ablation"): lambda c: [c.bound(run, c.options.n, c.options.strata) for run in c.options.runs],
    ("sohl2015", "products"): lambda c: [c.chain(c.options.run, c.options.n * len(c.options.r))],
    ("ddpm", "table1"): _table1_ddpm,
    ("ddpm", "table4"): _table4_ddpm,
    ("ddpm", "bounds"): lambda c: [c.bound(c.options.run, c.options.n, c.options.strata, decoders=2)],
    ("ddpm", "conventions"): _conventions_ddpm,
    ("ddpm", "fig7"): _fig7_ddpm,
    ("ddpm", "fig8"): _lines_ddpm,
    ("ddpm", "fig9"): _lines_ddpm,
    ("ddpm", "fig10"): _fig10_ddpm,
    ("ddim", "table2"): _table2_ddim,
    ("ddim", "fig4"): _fig4_ddim,
    ("ddim", "fig5"): lambda c: [Calls(c.options.run, "flow", sum(c.options.steps) * c.options.n, c.options.n)],
    ("ddim", "fig6"): _fig6_ddim,
    ("ddim", "grid"): _grid_ddim,
}
"""(paper, artifact) -> how often its measurement asks each network."""


def _features_table1_ddpm(c: _Counting) -> int:
    sets = [c.layout.preset.samples[name] for name in c.paper.scored()]
    return sum(each.n for each in sets) + c.real(*[each.run for each in sets], test=True)


def _features_table2_ddpm(c: _Counting) -> int:
    """Noise has a row of its own."""
    return c.options.n * (len(c.options.samples) + 1) + c.real(c.options.samples[0])


def _features_conventions_ddpm(c: _Counting) -> int:
    """The published one's samples are measured truncated, too."""
    return 4 * c.options.draws + c.real(c.options.run)


def _features_fig10_ddpm(c: _Counting) -> int:
    times = {round(t) for t in np.linspace(1, c.T(c.options.run), c.options.times)}
    return c.options.n * len(times) + c.real(c.options.run)


def _features_fig15_ddpm(c: _Counting) -> int:
    samples = c.layout.preset.samples[c.options.samples]
    return samples.n + c.real(samples.run, test=True)


def _features_sweep_ddim(c: _Counting) -> int:
    sets = {name: c.layout.preset.samples[name] for name in c.options.samples}
    return sum(each.n * len(c.cells(name)) for name, each in sets.items()) + c.real(*[each.run for each in sets.values()])


def _features_frontier_ddim(c: _Counting) -> int:
    """Of one seed of each cell."""
    sets = [c.options.ddpm, *c.options.samples]
    keys = {(cell.steps, cell.eta) for name in sets for cell in c.cells(name)}
    return len(keys) * min(c.layout.preset.samples[name].n for name in sets) + c.real(c.layout.preset.samples[sets[0]].run)


FEATURES: dict[tuple[str, str], Callable[[_Counting], int]] = {
    ("ddpm", "table1"): _features_table1_ddpm,
    ("ddpm", "table2"): _features_table2_ddpm,
    ("ddpm", "conventions"): _features_conventions_ddpm,
    ("ddpm", "fig10"): _features_fig10_ddpm,
    ("ddpm", "fig15"): _features_fig15_ddpm,
    ("ddim", "table1"): _features_sweep_ddim,
    ("ddim", "table1_released"): _features_sweep_ddim,
    ("ddim", "fig5"): lambda c: len(c.options.steps) * c.options.n,
    ("ddim", "frontier"): _features_frontier_ddim,
}
"""(paper, artifact) -> of how many images its measurement takes the features."""


def disk(layout: Layout, name: str, k: int) -> int:
    """Bytes of a shard before it is compressed: a byte a grey level, four a number that is none."""
    samples = layout.preset.samples[name]
    about = data_of(layout, layout.preset.runs[samples.run].dataset).about
    n = sum(map(len, chunks(samples, k))) * len(cells(samples, layout.preset.runs[samples.run].process.T))
    return n * math.prod(about.shape) * (4 if about.levels is None else 1)
