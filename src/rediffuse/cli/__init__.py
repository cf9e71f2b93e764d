"""The command line. Every command imports its module when called, so that `--help` answers at once."""

import os
import sys
import time

from rediffuse import interrupts, memory, progress
from rediffuse.cli import jobs, outside, questions, reports
from rediffuse.cli.common import app
from rediffuse.errors import UserError

__all__ = ["jobs", "main", "outside", "questions", "reports"]


def main() -> None:
    """Run a command: 0 if it is done, 2 with one line on standard error for a user's mistake, 128 + its number when stopped by a signal."""
    memory.keep_freed()
    try:
        with progress.ending(), interrupts.terminable():
            interrupts.end_with(os.environ.get(interrupts.RUN, ""))
            sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UserError as error:
        _fail(str(error))
    except Exception as error:
        # The command line's own errors (an unknown option, a missing argument), whichever click typer carries.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    except interrupts.Interrupted as end:
        if _speaks_for_all():
            print(f"rediffuse: {end}", file=sys.stderr)
        sys.exit(128 + end.number)
    except KeyboardInterrupt:
        sys.exit(130)


def _speaks_for_all() -> bool:
    """Whether this process was started by itself, or is the first of those that torchrun started."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK") == "0"


def _fail(line: str) -> None:
    if not _speaks_for_all():
        time.sleep(20)  # of what every process finds the first one tells, and torchrun ends the others
    print(f"rediffuse: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)
