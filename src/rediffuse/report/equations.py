"""`rediffuse equations`: whether each equation of the ledger holds, by running its tests."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from rediffuse.errors import UserError
from rediffuse.papers import ledger, tables
from rediffuse.paths import Layout


def check(layout: Layout) -> None:
    """Write <results>/equations.csv: the ledger of all papers, with whether the tests of each equation passed just now."""
    equations = [equation for paper in ledger.PAPERS for equation in ledger.read(paper)]
    for equation in equations:
        _ = equation.defined, equation.tested
    passed = _run(sorted({test for equation in equations for test in equation.tests}))
    rows = [
        {"paper": equation.paper, **{column: getattr(equation, column) for column in ledger.COLUMNS}, "passed": passed >= {*equation.tests}}
        for equation in equations
    ]
    tables.write(layout.results / "equations.csv", pd.DataFrame(rows))


def _run(tests: list[str]) -> set[str]:
    """Those of the tests of which every case passed; what pytest prints is let through."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={told}", *tests]
        done = subprocess.run(command, cwd=ledger.ROOT, check=False)
        if not told.is_file():
            raise UserError(f"pytest: exit status {done.returncode}; expected it to run the ledger's tests")
        cases: dict[str, list[bool]] = {}
        for case in ElementTree.parse(told).getroot().iter("testcase"):
            name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
            cases.setdefault(name, []).append(not any(case.find(kind) is not None for kind in ("failure", "error", "skipped")))
    return {test for test, results in cases.items() if all(results)}
