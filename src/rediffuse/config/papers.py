"""The papers that a preset reproduces."""

from rediffuse.config.base import Options
from rediffuse.config.ddim import DDIM
from rediffuse.config.ddpm import DDPM
from rediffuse.config.sohl2015 import Sohl2015


class Papers(Options):
    """Papers to reproduce; one that is left out is not made."""

    sohl2015: Sohl2015 | None = None
    ddpm: DDPM | None = None
    ddim: DDIM | None = None
