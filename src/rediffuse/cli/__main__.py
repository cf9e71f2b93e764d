"""torchrun -m rediffuse.cli: the same as `rediffuse`."""

from rediffuse.cli import main

main()
