"""What the papers' own data sets are called."""

from rediffuse.config import CIFAR10, LSUN, MNIST, CelebA


def title(options: MNIST | CIFAR10 | CelebA | LSUN) -> str:
    """What published images are called: by their published name alone only where none is left out."""
    part = "" if options.is_whole else f" (first {options.train:,} training and {options.test:,} test images)"
    return f"{options.published}{part} {options.size} x {options.size}"
