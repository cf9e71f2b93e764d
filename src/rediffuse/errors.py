"""The one exception that stands for a user's mistake or a full disk: the command line prints its line and exits with status 2."""


class UserError(Exception):
    """One line that names the file or the key, what was found there, and what was expected."""
