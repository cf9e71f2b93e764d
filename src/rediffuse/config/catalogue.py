"""What a preset defines, by name: data sets, feature networks, runs, samples. And whether a name fits what names it."""

from collections.abc import Sequence
from typing import Any

from rediffuse.config.base import Name, Options, wrong
from rediffuse.config.data import Dataset, DeadLeaves, Images, PatchOptions
from rediffuse.config.ddpm import CELL
from rediffuse.config.runs import Binomial, FeatureNetwork, Features, MultiScaleOptions, Run
from rediffuse.config.samples import Samples


class Catalogue(Options):
    datasets: dict[Name, Dataset]
    features: dict[Name, FeatureNetwork] = {}
    """Networks for Frechet distance and inception score."""
    runs: dict[Name, Run]
    """Trained networks."""
    samples: dict[Name, Samples] = {}

    def kind_of(self, run: Run) -> str:
        return self.datasets[run.dataset].kind

    def scored(self) -> dict[str, Run]:
        """Runs that K is computed for: of continuous or dequantised data, or binomial."""
        return {name: run for name, run in self.runs.items() if isinstance(run.process, Binomial) or self.continuous(run)}

    def images(self) -> dict[str, Run]:
        return {name: run for name, run in self.scored().items() if self.of_images(run)}

    def levels(self) -> dict[str, Run]:
        """Runs on images of grey levels, as DDPM and DDIM have them."""
        return {name: run for name, run in self.runs.items() if self.of_images(run) and not self.continuous(run)}

    def of_images(self, run: Run) -> bool:
        return isinstance(self.datasets[run.dataset], Images | DeadLeaves | PatchOptions)

    def of_kinds(self, kinds: list[str]) -> dict[str, Run]:
        return {name: run for name, run in self.scored().items() if self.kind_of(run) in kinds}

    def continuous(self, run: Run) -> bool:
        data = self.datasets[run.dataset]
        return data.standardise if isinstance(data, Images) else data.kind != "heartbeat"

    def check_features(self, key: str, name: str, run: str) -> None:
        """That features are of the run's own data, or Inception's."""
        data = self.runs[run].dataset
        named(key, name, {name: f for name, f in self.features.items() if not isinstance(f, Features) or f.dataset == data})

    def check_steps(self, key: str, steps: list[int], run: str) -> None:
        T = self.runs[run].process.T
        for S in steps:
            if S > T:
                raise wrong(key, S, f"at most T = {T} of runs.{run}")

    def check_size(self, key: str, size: int, name: str) -> None:
        """That the network of a run makes pictures of a size."""
        network, data = self.runs[name].network, self.datasets[self.runs[name].dataset]
        own = getattr(data, "size", size)
        if isinstance(network, MultiScaleOptions):
            coarsest(key, size, network)
        if size != own and not (isinstance(network, MultiScaleOptions) and not network.dense_units):
            raise wrong(
                key, size, f"{own}, the size of datasets.{self.runs[name].dataset}: only a network without a dense pathway makes others"
            )


def named(key: str, name: object, known: dict[Any, Any]) -> None:
    if name not in known:
        # The many runs of Table 2's cells would bury the names that the file has.
        written = [str(name) for name in known if not str(name).startswith(CELL)]
        raise wrong(key, name, f"one of {', '.join(written) or 'nothing: none is defined that fits'}")


def coarsest(key: str, size: int, network: MultiScaleOptions) -> None:
    if size % side(network):
        raise wrong(key, size, f"a multiple of {side(network)}, one pixel of the coarsest of the network's {network.scales} scales")


def side(network: MultiScaleOptions) -> int:
    """Pixels of the image along one pixel of the coarsest scale."""
    return 2 ** (network.scales - 1)


def distinct(key: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise wrong(key, values, "each value once")
