"""A preset: a whole set of budgets, every name in which names something that fits."""

from typing import Self

from pydantic import model_validator

from rediffuse.config.base import wrong
from rediffuse.config.catalogue import Catalogue, coarsest, distinct, named, side
from rediffuse.config.data import Images, Published
from rediffuse.config.ddim_fits import ddim_fits
from rediffuse.config.ddpm import ParametrisationTable
from rediffuse.config.ddpm_fits import ddpm_fits
from rediffuse.config.papers import Papers
from rediffuse.config.runs import Binomial, Features, InceptionFeatures, MLPOptions, MultiScaleOptions, RBFOptions, Run, UNetOptions
from rediffuse.config.samples import SweepSamples
from rediffuse.config.sohl2015_fits import sohl2015_fits


class Preset(Catalogue):
    """What is trained, drawn and measured, and how much of it."""

    papers: Papers

    @model_validator(mode="after")
    def _references(self) -> Self:
        """Every name names something, and what it names fits."""
        self._check_names()
        self._check_runs()
        if self.papers.ddpm and self.papers.ddpm.table2:
            self._add_cells(self.papers.ddpm.table2)
        self._check_samples()
        if self.papers.sohl2015:
            sohl2015_fits(self, self.papers.sohl2015)
        if self.papers.ddpm:
            ddpm_fits(self, self.papers.ddpm)
        if self.papers.ddim:
            ddim_fits(self, self.papers.ddim)
        return self

    def _check_names(self) -> None:
        """A published name is said only of the published data."""
        whole = {name: data.published for name, data in self.datasets.items() if isinstance(data, Published) and data.is_whole}
        for name in {name for kind in Published.__subclasses__() for name in kind.names} & self.datasets.keys():
            if whole.get(name) != name:
                raise wrong("datasets", name, f"another name: {name} is said only of the whole of it")

    def _check_runs(self) -> None:
        for name, run in self.runs.items():
            named(f"runs.{name}.dataset", run.dataset, self.datasets)
            self._check_run(f"runs.{name}", run)
        labelled = {name: data for name, data in self.datasets.items() if isinstance(data, Images) and data.labelled}
        for name, features in self.features.items():
            if isinstance(features, Features):
                named(f"features.{name}.dataset", features.dataset, labelled)
                if (size := getattr(labelled[features.dataset], "size", 0)) % 4:
                    raise wrong(f"features.{name}.dataset", features.dataset, f"images whose side can be divided by 4: these have {size}")
            if (name == InceptionFeatures.name) != isinstance(features, InceptionFeatures):
                raise wrong(f"features.{name}.kind", features.kind, f"inception where the name is {InceptionFeatures.name}, and only there")
            if name in self.runs:
                raise wrong(f"features.{name}", name, "a name that no run has")

    def _add_cells(self, table: ParametrisationTable) -> None:
        """From here on, the runs and samples of DDPM's Table 2 stand among the others."""
        key = "papers.ddpm.table2"
        runs = table.trained()
        levels = {name: data for name, data in self.datasets.items() if isinstance(data, Images) and not data.standardise}
        named(f"{key}.dataset", table.dataset, levels)
        self._check_run(key, next(iter(runs.values())))
        for taken in [name for name in runs if name in self.runs | self.features | self.samples]:
            raise wrong(key, taken, "a name that no run and no samples of the preset have")
        self.runs.update(runs)
        self.samples.update(table.drawn())

    def _check_run(self, key: str, run: Run) -> None:
        kind = self.kind_of(run)
        if isinstance(run.process, Binomial) != (kind == "heartbeat"):
            binary = [name for name, data in self.datasets.items() if (data.kind == "heartbeat") == isinstance(run.process, Binomial)]
            expected = "binary data for the binomial process" if isinstance(run.process, Binomial) else "no binary data for a Gaussian one"
            raise wrong(f"{key}.dataset", run.dataset, f"{expected}: one of {', '.join(binary) or 'nothing: none is defined that fits'}")
        vectors = kind in ("swiss-roll", "heartbeat")
        if isinstance(run.network, RBFOptions | MLPOptions) != vectors:
            kinds = "rbf or mlp" if vectors else "unet or multi-scale"
            raise wrong(f"{key}.network.kind", run.network.kind, f"{kinds}: the data are {'vectors' if vectors else 'images'}")
        data, size = self.datasets[run.dataset], getattr(self.datasets[run.dataset], "size", 0)
        if isinstance(run.network, UNetOptions) and size % 2 ** (len(run.network.multipliers) - 1):
            halvings = 2 ** (len(run.network.multipliers) - 1)
            raise wrong(f"{key}.network.multipliers", run.network.multipliers, f"fewer: {size} pixels cannot be divided by {halvings}")
        if isinstance(run.network, UNetOptions) and size:
            sides = [size >> level for level in range(len(run.network.multipliers))]
            if not set(run.network.attention) <= set(sides):
                raise wrong(f"{key}.network.attention", run.network.attention, f"some of {sides}: the images are {size} x {size}")
        if isinstance(run.network, MultiScaleOptions) and not isinstance(data, Images):
            coarsest(f"datasets.{run.dataset}.size", size, run.network)
        if isinstance(run.network, MultiScaleOptions) and size % side(run.network):
            most = (size & -size).bit_length()
            raise wrong(f"{key}.network.scales", run.network.scales, f"at most {most}: the images are {size} x {size}")
        if run.training.flip and vectors:
            raise wrong(f"{key}.training.flip", True, "false: the data are vectors")

    def _check_samples(self) -> None:
        for name, samples in self.samples.items():
            key = f"samples.{name}"
            # x0-hat is clipped to [-1, 1] in some cells of a sweep, and continuous data lie beyond.
            sweep = isinstance(samples, SweepSamples)
            named(f"{key}.run", samples.run, self.levels() if sweep else {n: run for n, run in self.runs.items() if self.of_images(run)})
            if samples.step and samples.step not in (kept := self.runs[samples.run].training.keep):
                raise wrong(f"{key}.step", samples.step, f"one of runs.{samples.run}.training.keep ({kept or 'none'})")
            chunks = -(-samples.n // samples.chunk)
            if samples.shards > chunks:
                raise wrong(f"{key}.shards", samples.shards, f"at most n / chunk, rounded up ({chunks})")
            if isinstance(samples, SweepSamples):
                self.check_steps(f"{key}.steps", samples.steps, samples.run)
                distinct(f"{key}.steps", samples.steps)
                distinct(f"{key}.eta", samples.eta)
                distinct(f"{key}.seeds", samples.seeds)
