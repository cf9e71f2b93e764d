"""Memory that a process frees and takes again at every step of a network."""

import ctypes
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""What glibc's mallopt calls the size from which a block is mapped by itself, and the free memory at the end that is given back."""
MOST = 2**31 - 1
"""Bytes: the largest value that it takes."""


def keep_freed() -> bool:
    """Have this process keep what it frees; whether it does, which is on glibc.

    By itself glibc hands large blocks back to the kernel, which fills their pages with zeros when they are taken again: of a U-Net whose
    activations are some megabytes each that was a tenth to a third of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and all(mallopt(which, MOST) for which in (MMAP_THRESHOLD, TRIM_THRESHOLD))
