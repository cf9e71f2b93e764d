"""Data sets."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rediffuse.config.base import Count, Options, Positive, Seed, Several, wrong

PHOTOGRAPH = 512
"""Pixels a side of scikit-image's photographs of textures."""


class Digits(Options):
    """Real handwritten digits, 8 x 8, 17 grey levels (scikit-learn's), 1,500 to train on and 297 to test on."""

    side: ClassVar = 8
    """Pixels a side."""
    first: ClassVar = 1500
    """Images to train on; the rest is for tests."""

    kind: Literal["digits"]
    standardise: bool = False
    """Grey levels, dequantised, to mean 0 and variance 1, on which Sohl-Dickstein et al. 2015 score; without, to [-1, 1] as in DDPM."""


class SwissRoll(Options):
    """The 2-d swiss roll: a spiral with Gaussian noise, whose exact density can be evaluated."""

    kind: Literal["swiss-roll"]
    train: Count = 20000
    """Points to train on."""
    test: Several = 5000
    """Points to test on."""
    turns: Positive = 1.5
    """Turns of the spiral."""
    noise: Annotated[float, Field(ge=1e-3, lt=1)] = 0.036
    """Standard deviation of the noise, in units of the data's scale (the data have variance 1)."""
    seed: Seed = 0


class Heartbeat(Options):
    """Binary sequences with a 1 every `period`-th bin, the first one equally likely in any of the first `period` bins."""

    kind: Literal["heartbeat"]
    length: Count = 20
    """Bins of a sequence."""
    period: Annotated[int, Field(ge=2)] = 5
    """Bins from one 1 to the next, and so the number of distinct sequences; the data's mean is 1 / period."""
    train: Count = 10000
    """Sequences to train on."""
    test: Several = 2000
    """Sequences to test on."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _beats(self) -> Self:
        if self.length < self.period:
            raise wrong("length", self.length, f"at least period ({self.period}): every sequence has a 1")
        return self


class DeadLeaves(Options):
    """Dead leaves: discs of one grey level each and of power-law sizes that hide one another; mean 0, variance 1."""

    kind: Literal["dead-leaves"]
    size: Count = 16
    """Pixels a side."""
    radius_min: Annotated[float, Field(ge=0.5, allow_inf_nan=False)] = 2.0
    """Least radius in pixels; smaller discs would fall between them."""
    radius_max: Positive = 16.0
    """Greatest radius in pixels."""
    exponent: Positive = 3.0
    """The radii's density falls as radius^-exponent; at 3, discs of all sizes cover equal areas."""
    train: Count = 20000
    """Images to train on."""
    test: Several = 1000
    """Images to test on."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _radii_rise(self) -> Self:
        if self.radius_max < self.radius_min:
            raise wrong("radius_max", self.radius_max, f"at least radius_min ({self.radius_min})")
        return self


class PatchOptions(Options):
    size: Count = 16
    """Pixels a side of a patch."""
    train: Count = 20000
    """Patches to train on, from the left three quarters of the pictures."""
    test: Several = 1000
    """Patches to test on, from the right quarter of the pictures."""
    seed: Seed = 0


class Textures(PatchOptions):
    """Patches of photographs of textures (scikit-image's, 512 x 512), in the place of the 2015 paper's bark; mean 0, variance 1."""

    kind: Literal["textures"]
    images: Annotated[list[Literal["brick", "grass", "gravel"]], Field(min_length=1)] = ["brick", "grass", "gravel"]
    shrink: Count = 2
    """Each square of shrink x shrink pixels of a photograph becomes one, its mean."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        quarter = PHOTOGRAPH // self.shrink // 4
        if self.size > quarter:
            raise wrong("size", self.size, f"at most {quarter}, a quarter of the photographs' {PHOTOGRAPH} pixels shrunk by {self.shrink}")
        return self


class Folder(PatchOptions):
    """Patches of a folder of images of your own, all of one size, in grey; mean 0, variance 1."""

    kind: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]
    """The folder, from where the command runs."""
    shrink: Count = 1
    """Each square of shrink x shrink pixels of an image becomes one, its mean."""


Dataset = Annotated[Digits | SwissRoll | Heartbeat | DeadLeaves | Textures | Folder, Field(discriminator="kind")]
