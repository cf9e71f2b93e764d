"""Where the site shows the source of a function or a test, relative to results/<preset>/report/."""

from rediffuse.papers.ledger import split


def code(function: str) -> str:
    """Of a dotted path in this package: processes.gaussian.GaussianProcess.beta -> code/processes.gaussian.html#GaussianProcess.beta."""
    module, name = split(function)
    return f"code/{module}.html#{name}"


def test(node: str) -> str:
    """Of a test as pytest names it: tests/test_bounds.py::test_it -> code/tests.test_bounds.html#test_it."""
    path, _, name = node.partition("::")
    return f"code/{path.removesuffix('.py').replace('/', '.')}.html#{name.partition('[')[0].replace('::', '.')}"
