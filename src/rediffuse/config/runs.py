"""Runs, one trained network each: a data set, a process, a network and its training. And the networks that measure samples."""

import math
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from rediffuse.config.base import Beta, Count, Name, Options, Positive, Seed, wrong


class Linear(Options):
    """beta_t from beta_1 to beta_T in even steps (DDPM)."""

    kind: Literal["linear"]
    beta_1: Beta = 1e-4
    beta_T: Beta = 0.02


class Harmonic(Options):
    """beta_t = 1 / (T - t + 1), its ends set (Sohl-Dickstein et al. 2015)."""

    kind: Literal["harmonic"]
    beta_1: Beta
    beta_T: Beta


class LogSpaced(Options):
    """The noise-to-signal variance log-spaced from ratio_1 to ratio_T."""

    kind: Literal["log-spaced"]
    ratio_1: Positive
    ratio_T: Positive

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.ratio_T <= self.ratio_1:
            raise wrong("ratio_T", self.ratio_T, f"more than ratio_1 ({self.ratio_1})")
        return self


Fixed = Annotated[Linear | Harmonic | LogSpaced, Field(discriminator="kind")]


class Learned(Options):
    """beta_2..T learned with the network, by gradient on the bound, from another schedule on; beta_1 stays as it is there."""

    kind: Literal["learned"]
    start: Fixed


class Gaussian(Options):
    """Gaussian diffusion."""

    kind: Literal["gaussian"]
    T: Annotated[int, Field(ge=2, lt=2**31)]
    """Steps of the chain."""
    schedule: Annotated[Linear | Harmonic | LogSpaced | Learned, Field(discriminator="kind")]


class Binomial(Options):
    """Binomial diffusion of binary data, at the rate 1 / (T - t + 1) (Sohl-Dickstein et al. 2015)."""

    kind: Literal["binomial"]
    T: Annotated[int, Field(ge=2, lt=2**31)]
    """Steps of the chain."""
    rate: Beta = 0.2
    """The base rate: how often a bit is 1 when all is forgotten; the entropy bounds want it to be the data's mean."""


Process = Annotated[Gaussian | Binomial, Field(discriminator="kind")]


class UNetOptions(Options):
    """DDPM's U-Net; the defaults are its CIFAR-10 setting."""

    kind: Literal["unet"]
    base_channels: Annotated[int, Field(ge=4, multiple_of=2)] = 128
    multipliers: Annotated[list[Count], Field(min_length=1)] = [1, 2, 2, 2]
    res_blocks: Count = 2
    attention: list[Count] = [16]
    """Resolutions at which every residual block is followed by attention."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    groups: Count = 32
    """Groups of the group normalisation; must divide base_channels."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.base_channels % self.groups:
            raise wrong("groups", self.groups, f"a divisor of base_channels ({self.base_channels})")
        return self


class RBFOptions(Options):
    """The 2015 paper's normalised radial-basis network for the swiss roll."""

    kind: Literal["rbf"]
    units: Count = 16


class MLPOptions(Options):
    """The 2015 paper's network for the heartbeat: layers of sigmoid units, and a read-out for every t."""

    kind: Literal["mlp"]
    layers: Count = 3
    units: Count = 50
    shared_readout: bool
    """Each read-out is one matrix for all t plus its own deviation: the same functions, better conditioned; the paper has none."""


class MultiScaleOptions(Options):
    """The 2015 paper's network for images: multi-scale convolutions beside a dense pathway, and temporal bumps."""

    kind: Literal["multi-scale"]
    scales: Annotated[int, Field(ge=1, le=10)] = 1
    """Resolutions that each convolution works at: the image's, half of it, and so on."""
    filters: Count = 20
    conv_layers: Annotated[int, Field(ge=0)] = 4
    """0: the dense pathway alone, as the paper has for MNIST."""
    dense_units: Annotated[int, Field(ge=0)] = 0
    """0: the convolutional pathway alone, which fits images of any size."""
    dense_layers: Count = 4
    dense_outputs: Count = 2
    """Numbers a pixel that the dense pathway hands on."""
    upper_units: Count = 20
    upper_layers: Annotated[int, Field(ge=0)] = 2
    bumps: Count = 10
    """Temporal basis functions of the read-out."""

    @model_validator(mode="after")
    def _has_a_pathway(self) -> Self:
        if not self.conv_layers and not self.dense_units:
            raise wrong("dense_units", 0, "at least 1 where conv_layers is 0: one of the two pathways")
        return self


Network = Annotated[UNetOptions | RBFOptions | MLPOptions | MultiScaleOptions, Field(discriminator="kind")]


class Training(Options):
    """One run of Adam."""

    steps: Count
    batch: Count
    lr: Positive
    warmup: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises linearly from 0."""
    decay: Literal["none", "cosine"] = "none"
    """What the learning rate does after the warm-up: stays, or falls to 0 by a half cosine."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Decay a step of the averaged weights, which are the ones that are kept."""
    clip: Positive = 1.0
    """Largest global norm of the gradient."""
    flip: bool = False
    """Each image of a batch is mirrored, left for right, with a probability of 1/2."""
    keep: list[Count] = []
    """Steps after which the averaged weights are kept, beside the last ones: samples may be drawn of them."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _keeps_what_is_on_the_way(self) -> Self:
        if self.keep != sorted(set(self.keep)) or any(step >= self.steps for step in self.keep):
            raise wrong("keep", self.keep, f"rising steps before the last one ({self.steps})")
        return self

    @model_validator(mode="after")
    def _average_fits(self) -> Self:
        share = self.ema_decay**self.steps
        if share > 0.01 + 1e-12:  # 0.1 is just enough for two steps
            raise wrong(
                "ema_decay",
                self.ema_decay,
                f"at most {_rounded_down(0.01 ** (1 / self.steps))}: {share:.0%} of the average would be first weights "
                f"after {self.steps} steps",
            )
        return self


def _rounded_down(decay: float) -> str:
    """To two digits at least of what it lacks to 1: what is told is itself small enough."""
    digits = max(4, 1 - math.floor(math.log10(1 - decay)))
    return f"{math.floor(decay * 10**digits) / 10**digits:.{digits}f}"


OTHER_FILES = (".pt", ".pth", ".ckpt", ".npz", ".h5", ".msgpack")
"""How files of weights end that are in no layout of diffusers': no names on a hub."""


class Reuse(Options):
    """What is taken in the place of a training."""

    weights: str
    """Published weights in diffusers' layout: a file (.safetensors, or the older .bin), or a hub's owner/name, owner/name@revision."""

    @property
    def file(self) -> Path | None:
        """The file; None of what is on a hub."""
        return Path(self.weights) if self.weights.endswith((".safetensors", ".bin")) else None

    @model_validator(mode="after")
    def _is_a_source(self) -> Self:
        other = self.file is None and Path(self.weights).suffix in OTHER_FILES
        if other or (self.file is None and not re.fullmatch(r"{0}/{0}(@{0})?".format(r"[A-Za-z0-9][\w.-]*"), self.weights, re.ASCII)):
            raise wrong("weights", self.weights, "a file that ends in .safetensors or .bin, or a hub's owner/name or owner/name@revision")
        return self


class Run(Options):
    """A data set, a process, a network and its training."""

    dataset: Name
    process: Process
    network: Network
    predicts: Literal["eps", "x0", "mu", "residual", "attractor"]
    """What the network puts out; of binary data x0 or mu, as probabilities."""
    variance: Literal["fixed-small", "fixed-large", "learned", "learned-log"] | None = None
    """The variance of p(x_{t-1} | x_t), of a Gaussian process: beta-tilde_t, beta_t, learned as the 2015 paper or as DDPM has it."""
    objective: Literal["simple", "bound"]
    """The unweighted squared error (L_simple), or the variational bound (L)."""
    training: Training
    may_diverge: bool = False
    """A loss that is not finite ends the training: as an error, or as a finding, with weights that say so and hold nothing."""
    reuse: Annotated[Reuse | None, Field(exclude_if=lambda value: value is None)] = None
    """Weights that are taken as the run's own: then `training` is what is known of theirs, and nothing is trained."""

    @property
    def in_diffusers_layout(self) -> bool:
        """Whether diffusers has this network: DDPM's U-Net, which predicts eps alone."""
        return isinstance(self.network, UNetOptions) and self.predicts == "eps" and self.variance in ("fixed-small", "fixed-large")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.may_diverge and self.training.keep:
            raise wrong("training.keep", self.training.keep, "nothing: the run may diverge before")
        if self.reuse and not self.in_diffusers_layout:
            raise wrong("reuse", {"weights": self.reuse.weights}, "none: the network is no unet that predicts eps, with a fixed variance")
        if self.reuse and self.training.keep:
            raise wrong("training.keep", self.training.keep, "nothing: the run is not trained, its weights are published (reuse)")
        if isinstance(self.process, Binomial):
            self._fits_binomial()
            return self
        if self.variance is None:
            raise wrong("variance", None, "fixed-small, fixed-large, learned or learned-log: the process is Gaussian")
        if self.objective == "simple" and self.variance.startswith("learned"):
            raise wrong("variance", self.variance, "a fixed one: the objective simple does not train it")
        if self.objective == "simple" and isinstance(self.process.schedule, Learned):
            raise wrong("objective", self.objective, "bound: the objective simple says nothing of the rates, which are learned here")
        if self.predicts == "attractor" and not self.variance.startswith("learned"):
            raise wrong("variance", self.variance, "learned: the mean of eq. 65 is made with it")
        return self

    def _fits_binomial(self) -> None:
        if self.variance is not None:
            raise wrong("variance", self.variance, "none: a Bernoulli distribution's is given by its mean")
        if self.predicts not in ("x0", "mu"):
            raise wrong("predicts", self.predicts, "x0 or mu: the process is binomial")
        if self.objective != "bound":
            raise wrong("objective", self.objective, "bound: the process is binomial")
        if not isinstance(self.network, MLPOptions):
            raise wrong("network.kind", self.network.kind, "mlp: the process is binomial")


class Features(Options):
    """A small classifier, trained by the pipeline, on whose features Frechet distance and inception score are computed."""

    kind: Literal["classifier"] = "classifier"
    dataset: Name
    width: Count = 32
    training: Training

    @model_validator(mode="after")
    def _keeps_nothing(self) -> Self:
        if self.training.keep:
            raise wrong("training.keep", self.training.keep, "nothing: features are those of the last weights")
        return self


class InceptionFeatures(Options):
    """Inception's, of the weights that torch-fidelity publishes: nothing is trained, and they fit images of any data set.

    Only a block of this kind may have its name, `inception`, by which tables know that a number is on the published features.
    """

    name: ClassVar = "inception"

    kind: Literal["inception"]


def _kind(options: Any) -> str:
    """A classifier where a preset says nothing of a kind."""
    return str(options.get("kind", "classifier") if isinstance(options, dict) else getattr(options, "kind", "classifier"))


FeatureNetwork = Annotated[
    Annotated[Features, Tag("classifier")] | Annotated[InceptionFeatures, Tag("inception")],
    Discriminator(_kind),
]
