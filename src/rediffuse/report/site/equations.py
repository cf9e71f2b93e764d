"""The page of the equation ledger."""

import re

from markupsafe import Markup

from rediffuse.papers import tables
from rediffuse.paths import Layout
from rediffuse.report import links, pandoc
from rediffuse.report.site.render import render
from rediffuse.report.words import say

MATH = re.compile(r"<math.*?</math>", re.DOTALL)


def page(layout: Layout) -> str:
    """Every equation with its function and its tests, a table a paper."""
    path = layout.results / "equations.csv"
    rows = tables.read(path, "rediffuse equations").to_dict("records")
    # One call of pandoc for all formulas, each of which is a paragraph.
    formulas = MATH.findall(pandoc.html("\n\n".join(f"$${row['formula']}$$" for row in rows), path, "en"))
    for row, formula in zip(rows, formulas, strict=True):
        row["formula"] = Markup(formula)
        row["function_link"] = links.code(row["function"])
        row["tests"] = [(test.partition("::")[2], links.test(test)) for test in row["test"].split()]
        row["passed"] = row["passed"] == "True"
    papers = {paper: [row for row in rows if row["paper"] == paper] for paper in dict.fromkeys(row["paper"] for row in rows)}
    return render("equations", say("Equations"), layout.papers, 0, ledgers=papers, passed=sum(row["passed"] for row in rows), n=len(rows))
