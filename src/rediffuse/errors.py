"""The one exception that stands for a user's mistake or a full disk: the command line prints its line and exits with status 2."""


class UserError(Exception):
    """One line that names the file or the key, what was found there, and what was expected."""


class DivergedError(UserError):
    """A training whose loss was not finite, or the file that it left; `step`: by which this was seen."""

    def __init__(self, problem: str, step: int):
        super().__init__(problem)
        self.step = step
