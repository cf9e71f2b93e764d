"""Data sets."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rediffuse.config.base import Count, Options, Positive, Seed, Several, wrong

PHOTOGRAPH = 512
"""Pixels a side of scikit-image's photographs of textures."""


class Images(Options):
    """Real images whose grey levels networks see on [-1, 1]; all are of one size, `size` pixels a side."""

    labelled: ClassVar = False
    """Whether a classifier can be trained on them."""

    standardise: bool = False
    """Grey levels, dequantised, to mean 0 and variance 1, on which Sohl-Dickstein et al. 2015 score; without, to [-1, 1] as in DDPM."""


class Digits(Images):
    """Real handwritten digits, 8 x 8, 17 grey levels (scikit-learn's), 1,500 to train on and 297 to test on."""

    labelled: ClassVar = True
    size: ClassVar = 8
    train: ClassVar = 1500
    """Images to train on; the rest is for tests."""

    kind: Literal["digits"]


class Published(Images):
    """Images that the papers have, read from data/raw."""

    names: ClassVar[tuple[str, ...]]
    """Published names, which no other data set of a preset has."""
    whole: ClassVar[tuple[int, int]]
    """How many there are to train and to test on."""
    train: int
    test: int

    @property
    def published(self) -> str:
        """The name of these."""
        return self.names[0]

    @property
    def is_whole(self) -> bool:
        """Whether no image is left out."""
        return (self.train, self.test) == self.whole


class MNIST(Published):
    """MNIST: handwritten digits, 28 x 28, 256 grey levels."""

    names = ("MNIST",)
    labelled: ClassVar = True
    whole = (60000, 10000)
    side: ClassVar = 28
    """Pixels a side, as published."""

    kind: Literal["mnist"]
    pad: Annotated[int, Field(ge=0, le=16)] = 0
    """Black pixels added at each side: 2 make 32 x 32, which can be halved more often. Samples are scored without them."""
    train: Annotated[int, Field(ge=1, le=60000)] = 60000
    """Images to train on, the first so many."""
    test: Annotated[int, Field(ge=2, le=10000)] = 10000
    """Images to test on, the first so many."""

    @property
    def size(self) -> int:
        return self.side + 2 * self.pad


class CIFAR10(Published):
    """CIFAR-10: photographs, 32 x 32, in colour."""

    names = ("CIFAR-10",)
    labelled: ClassVar = True
    whole = (50000, 10000)
    size: ClassVar = 32

    kind: Literal["cifar10"]
    train: Annotated[int, Field(ge=1, le=50000)] = 50000
    """Images to train on, the first so many."""
    test: Annotated[int, Field(ge=2, le=10000)] = 10000
    """Images to test on, the first so many."""


class CelebA(Published):
    """CelebA: faces in colour, as DDIM's code cuts them: 128 x 128 pixels about the face, made 64 x 64."""

    names = ("CelebA",)
    whole = (162770, 19962)
    size: ClassVar = 64

    kind: Literal["celeba"]
    train: Annotated[int, Field(ge=1, le=162770)] = 162770
    """Images to train on, the first so many of the split for it; all of them are held in memory."""
    test: Annotated[int, Field(ge=2, le=19962)] = 19962
    """Images to test on, the first so many of the split for it."""


class LSUN(Published):
    """LSUN: photographs of one category in colour, as for DDPM: the square in the middle, made size x size."""

    names = ("LSUN-Bedroom", "LSUN-Church", "LSUN-Cat")
    counts: ClassVar[dict[str, tuple[int, int]]] = {"bedroom": (3033042, 300), "church_outdoor": (126227, 300), "cat": (1657266, 0)}
    """Images to train and to test on, by category; cats are published without any to test on."""
    side: ClassVar = 256
    """Pixels of the shorter side, as published."""

    kind: Literal["lsun"]
    category: Literal["bedroom", "church_outdoor", "cat"]
    size: Annotated[int, Field(ge=1, le=256)] = 256
    """Pixels a side; 256 in the papers."""
    train: Count
    """Images to train on, the first so many. All are held in memory: of 256 x 256, 0.8 MB an image to train, 1.3 MB for a distance."""
    test: Annotated[int, Field(ge=2, le=1000000)] = 300
    """Images to test on, the first so many: at most 300, or of cats, those after the ones to train on."""

    @property
    def published(self) -> str:
        return dict(zip(self.counts, self.names, strict=True))[self.category]

    @property
    def split(self) -> bool:
        """Whether some images are published as those to test on."""
        return self.counts[self.category][1] > 0

    @property
    def is_whole(self) -> bool:
        used = (self.train, self.test) if self.split else (self.train + self.test, 0)
        return used == self.counts[self.category] and self.size == self.side

    @model_validator(mode="after")
    def _has_so_many(self) -> Self:
        train, test = self.counts[self.category]
        if self.split and self.test > test:
            raise wrong("test", self.test, f"at most {test}")
        if self.train > (most := train if self.split else train - self.test):
            raise wrong("train", self.train, f"at most {most}")
        return self


class NPZ(Images):
    """Images of your own, as arrays in an .npz file: x_train and x_test of shape (n, C, size, size), and y_train, y_test, their labels."""

    labelled: ClassVar = True

    kind: Literal["npz"]
    path: Annotated[str, Field(min_length=1)]
    """The file, from where the command runs."""
    size: Count
    """Pixels a side."""


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


Dataset = Annotated[
    Digits | MNIST | CIFAR10 | CelebA | LSUN | NPZ | SwissRoll | Heartbeat | DeadLeaves | Textures | Folder, Field(discriminator="kind")
]
