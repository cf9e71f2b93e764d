"""What Ho et al. 2020 say of Table 2's cells, judged by the Frechet distances of their seeds."""

from collections.abc import Sequence

import pandas as pd

from rediffuse.papers.claims import Verdict, decide, positive

Key = tuple[str, str]
"""What is predicted, and what it is trained on."""
MU_LEARNED, MU_FIXED, MU_MSE, EPS_LEARNED, EPS_FIXED, EPS_MSE = (
    (target, objective) for target in ("mu", "eps") for objective in ("L, learned Sigma", "L, fixed Sigma", "unweighted MSE")
)


class Cells:
    """The distance to the training set of every seed of every cell; nan where its training diverged."""

    def __init__(self, table: pd.DataFrame):
        seeds = table[(table["metric"] == "FID") & (table["seed"] != "")]
        self.seeds = {(str(key[0]), str(key[1])): cell.set_index("seed") for key, cell in seeds.groupby(["target", "objective"])}

    def values(self, key: Key) -> "pd.Series[float]":
        """Of each seed that has one."""
        return self.seeds[key]["value"].dropna()

    def unstable(self, key: Key) -> int:
        """The number of seeds that diverged, or are no nearer to the data than noise."""
        return int((self.seeds[key]["unstable"] != "").sum())

    def excess(self, worse: Key, better: Key) -> tuple[float, float]:
        """How much larger the distance of one cell is, and its standard error, each seed against its own."""
        difference = (self.values(worse) - self.values(better)).dropna()
        return float(difference.mean()), float(difference.std(ddof=1) / max(len(difference), 1) ** 0.5)

    def told(self, *keys: Key) -> str:
        """Cells in words."""
        cells = []
        for key in keys:
            values, unstable, n = self.values(key), self.unstable(key), len(self.seeds[key])
            distance = f"{values.mean():.3g} ± {values.std(ddof=1):.2g}" if len(values) else "no samples"
            cells.append(f"{', '.join(key)} {distance}{f' (unstable: {unstable} of {n} seeds)' if unstable else ''}")
        return f"FID to the training set over {n} seeds: {'; '.join(cells)}"


def table2_order(cells: Cells) -> Verdict:
    """Each of the other five cells has the larger distance."""
    others = (MU_LEARNED, MU_FIXED, MU_MSE, EPS_LEARNED, EPS_FIXED)
    return _above(cells, [(other, EPS_MSE) for other in others], "eps with L_simple does not sample best")


def fixed_variance_better(cells: Cells) -> Verdict:
    """For mu and for eps, the learned variance has the larger distance."""
    return _above(cells, [(MU_LEARNED, MU_FIXED), (EPS_LEARNED, EPS_FIXED)], "a learned variance does no harm there")


def mu_needs_bound(cells: Cells) -> Verdict:
    """The cell trained on L is stable with most seeds, and the unweighted one has the larger distance."""
    verdict = _above(cells, [(MU_MSE, MU_FIXED)], "the unweighted error does no harm")
    if 2 * cells.unstable(MU_FIXED) > len(cells.seeds[MU_FIXED]):
        return decide(False, verdict.measured, "on this budget neither works: a mean is of no use before x_t is passed through whole")
    return verdict


def eps_as_well_as_mu(cells: Cells) -> Verdict:
    """With L and a fixed variance the two distances differ by less than a tenth of mu's (published: 2 %)."""
    text = cells.told(EPS_FIXED, MU_FIXED)
    if cells.values(EPS_FIXED).empty or cells.values(MU_FIXED).empty:
        return decide(False, text, "every seed of one of them diverged")
    excess, error = cells.excess(EPS_FIXED, MU_FIXED)
    return positive(0.1 * float(cells.values(MU_FIXED).mean()) - abs(excess), error, text, f"{'mu' if excess < 0 else 'eps'} is worse")


def _above(cells: Cells, pairs: Sequence[tuple[Key, Key]], why: str) -> Verdict:
    """Held if in every pair the first cell's distance is above the second's by two standard errors, or all its trainings diverged."""
    text = cells.told(*dict.fromkeys(key for worse, better in pairs for key in (better, worse)))
    verdicts = []
    for worse, better in pairs:
        if cells.values(better).empty:
            return decide(False, text, f"{', '.join(better)}: every seed diverged")
        if not cells.values(worse).empty:
            verdicts.append(positive(*cells.excess(worse, better), text, f"{', '.join(worse)} is not the worse one: {why}"))
    order = ("not held", "not tested", "held")
    return min(verdicts, key=lambda verdict: order.index(verdict.verdict), default=Verdict(text, "held"))
