"""Ho et al. 2020: which of its claims hold here."""

from collections.abc import Callable, Sequence

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, decide, one, positive
from rediffuse.papers.ddpm.tables import CHANGE, SIMPLE, TABLES
from rediffuse.paths import Layout

NEAR = "samples as near as 5 % of test images"
OBJECTIVES = ("L, learned Sigma", "L, fixed Sigma", "unweighted MSE")


def _table(layout: Layout, artifact: str = "table1") -> pd.DataFrame:
    """The artifact's CSV. Raises MissingError if the preset does not ask for it, UserError if it does and there is none."""
    if not layout.asks("ddpm", artifact):
        raise MissingError(f"{artifact} of ddpm is not in it")
    command = "table" if artifact in TABLES else "measure"
    return tables.read(layout.artifact("ddpm", f"{artifact}.csv"), f"rediffuse {command} ddpm {artifact}")


def simple_better_samples(layout: Layout) -> Verdict:
    """The Frechet distance to the training set is lower by more than two standard errors over seeds."""
    return _change(layout, "FID", "train", "", 1, "L is not worse")


def bound_better_likelihood(layout: Layout) -> Verdict:
    """Test NLL is lower by more than two standard errors over seeds."""
    return _change(
        layout, "NLL", "test", " bits/dim", -1, "L gives the worse likelihood: its weights follow t = 1 and make short training noisy"
    )


def _change(layout: Layout, metric: str, split: str, unit: str, sign: int, why: str) -> Verdict:
    """Of Table 1's row of differences: what L changes against L_simple, of which the paper says the sign."""
    table = _table(layout)
    change = one(table, row=CHANGE, metric=metric, split=split)
    text = f"{metric} to the training set" if metric == "FID" else f"{split} {metric}"
    text += f": L less L_simple {change['value']:+.3g} ± {change['sd']:.2g}{unit} ({_seeds(change['seeds'])})"
    return positive(sign * change["value"], change["sd"], text, why)


def _seeds(n: float) -> str:
    return f"{n:.0f} seeds, one budget" if n > 1 else "one seed each"


def no_overfitting(layout: Layout) -> Verdict:
    """Test NLL of L_simple, of the last run that Table 1 names, is less than the published gap of 0.03 bits/dim above train NLL."""
    table = _table(layout)
    run = table.loc[(table["row"] == SIMPLE) & table["value"].notna(), "run"].iloc[-1]
    test, train = (one(table, row=SIMPLE, run=run, metric="NLL", split=split) for split in ("test", "train"))
    gap, error = test["value"] - train["value"], (test["sd"] ** 2 + train["sd"] ** 2) ** 0.5
    text = f"test {test['value']:.4g} - train {train['value']:.4g} = {gap:.2g} ± {error:.2g} bits/dim ({run})"
    return positive(0.03 - gap, error, text, "the gap is over 0.03 bits/dim")


class Cells:
    """Table 2's Frechet distances, seed by seed."""

    def __init__(self, layout: Layout):
        table = _table(layout, "table2")
        table = table[(table["metric"] == "FID") & (table["target"] != "noise")]
        self.means, self.seeds = table[table["seed"] == ""], table[table["seed"] != ""]

    def name(self, target: str, objective: str) -> str:
        return f"{target}, {objective}"

    def told(self, target: str, objective: str) -> str:
        """A cell in words."""
        mean = one(self.means, target=target, objective=objective) if self.of(target, objective).notna().any() else None
        unstable = self._count(target, objective)
        value = f"{mean['value']:.3g} ± {mean['sd']:.2g}" if mean is not None else "no samples"
        return f"{self.name(target, objective)} {value}{f' (unstable: {unstable} of {self.n} seeds)' if unstable else ''}"

    @property
    def n(self) -> int:
        return int(self.seeds["seed"].nunique())

    def _count(self, target: str, objective: str) -> int:
        here = self.seeds[(self.seeds["target"] == target) & (self.seeds["objective"] == objective)]
        return int((here["unstable"] != "").sum())

    def unstable(self, target: str, objective: str) -> bool:
        """Whether more than half of the seeds are."""
        return 2 * self._count(target, objective) > self.n

    def of(self, target: str, objective: str) -> "pd.Series[float]":
        here = self.seeds[(self.seeds["target"] == target) & (self.seeds["objective"] == objective)]
        return here.set_index("seed")["value"]

    def excess(self, worse: tuple[str, str], better: tuple[str, str]) -> tuple[float, float]:
        """How much larger the distance of one cell is, and its standard error, each seed against its own."""
        difference = (self.of(*worse) - self.of(*better)).dropna()
        return float(difference.mean()), float(difference.std(ddof=1) / len(difference) ** 0.5)


MU_LEARNED, MU_FIXED, MU_MSE = (("mu", objective) for objective in OBJECTIVES)
EPS_LEARNED, EPS_FIXED, EPS_MSE = (("eps", objective) for objective in OBJECTIVES)


def _above(cells: Cells, pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]], why: str) -> Verdict:
    """Held if in every pair the first cell's distance is above the second's by two standard errors, or its training diverged."""
    named = dict.fromkeys(cell for worse, better in pairs for cell in (better, worse))
    text = f"FID to the training set, {cells.n} seeds: " + "; ".join(cells.told(*cell) for cell in named)
    verdicts = []
    for worse, better in pairs:
        if cells.of(*better).isna().all():
            return decide(False, text, f"{cells.name(*better)}: every seed diverged")
        if cells.of(*worse).notna().sum() > 1:
            verdicts.append(positive(*cells.excess(worse, better), text, f"{cells.name(*worse)} is not the worse one: {why}"))
    order = ("not held", "not tested", "held")
    return min(verdicts, key=lambda verdict: order.index(verdict.verdict), default=Verdict(text, "held"))


def table2_order(layout: Layout) -> Verdict:
    """Each of the other five cells has the larger distance."""
    cells = Cells(layout)
    others = (MU_LEARNED, MU_FIXED, MU_MSE, EPS_LEARNED, EPS_FIXED)
    return _above(cells, [(other, EPS_MSE) for other in others], "it does not sample best")


def fixed_variance_better(layout: Layout) -> Verdict:
    """For mu and for eps, the learned variance has the larger distance."""
    return _above(Cells(layout), [(MU_LEARNED, MU_FIXED), (EPS_LEARNED, EPS_FIXED)], "a learned variance does no harm there")


def mu_needs_bound(layout: Layout) -> Verdict:
    """The cell trained on L is stable, and the unweighted one has the larger distance."""
    cells = Cells(layout)
    verdict = _above(cells, [(MU_MSE, MU_FIXED)], "the unweighted error does no harm")
    if cells.unstable(*MU_FIXED):
        why = "on this budget neither works: the network must learn to pass x_t through before its mean is of any use"
        return decide(False, verdict.measured, why)
    return verdict


def eps_as_well_as_mu(layout: Layout) -> Verdict:
    """With L and a fixed variance the two distances differ by less than a tenth of mu's (published: 2 %)."""
    cells = Cells(layout)
    excess, error = cells.excess(EPS_FIXED, MU_FIXED)
    mu = cells.of(*MU_FIXED).mean()
    text = f"FID to the training set, {cells.n} seeds: {cells.told(*EPS_FIXED)}; {cells.told(*MU_FIXED)}"
    why = "mu has not learned to pass x_t through on this budget" if excess < 0 else "eps is worse"
    return positive(0.1 * mu - abs(excess), error, text, why)


def lossy_compressor(layout: Layout) -> Verdict:
    """The share of L_0, what the decoder costs when x_1 is known, is above one half."""
    table = _table(layout, "table4")
    share = one(table, metric="share of L_0")
    rate, L_0, rmse = (one(table, metric=metric, steps=share["T"]) for metric in ("rate", "distortion L_0", "RMSE"))
    text = (
        f"L_0 is {share['value']:.1%} ± {share['sd']:.1%} of the code: {L_0['value']:.3g} of {L_0['value'] + rate['value']:.3g} bits/dim "
        f"are spent below an RMSE of {rmse['value']:.2g} of 255 ({share['run']})"
    )
    return positive(share["value"] - 0.5, share["sd"], text, "less than half; with fewer grey levels less is imperceptible")


def nothing_at_T(layout: Layout) -> Verdict:
    """L_T is below 1e-4 bits/dim."""
    row = one(_table(layout, "table4"), metric="L_T")
    return decide(row["value"] < 1e-4, f"L_T = {row['value']:.2g} ± {row['sd']:.1g} bits/dim ({row['run']})", "more than 1e-4")


def coarse_to_fine(layout: Layout) -> Verdict:
    """Chain by chain, the large scale of x0-hat is settled after fewer reverse steps than the detail."""
    table = _table(layout, "fig10")
    bands = ("large scale", "middle", "detail")
    after = {band: one(table, metric=f"settled after, {band}") for band in (*bands, "detail less large scale")}
    settled = ", ".join(f"{band} {after[band]['value']:.0f} ± {after[band]['sd']:.0f}" for band in bands)
    difference = after["detail less large scale"]
    text = (
        f"reverse steps, of {difference['steps']:.0f}, after which the squared error of x0-hat to its final form is under half of the "
        f"band's power: {settled}; detail less large scale {difference['value']:.0f} ± {difference['sd']:.0f} ({difference['run']})"
    )
    return positive(difference["value"], difference["sd"], text, "detail is settled first")


def not_memorised(layout: Layout) -> Verdict:
    """In pixels and in features, less than twice as many samples are near a training image as test images are."""
    table = _table(layout, "fig15")
    rows = [one(table, space=space, metric=NEAR) for space in ("pixels", "features")]
    text = "; ".join(f"{row['space']}: {row['value']:.1%} ± {row['sd']:.1%} of {row['n']:.0f} samples" for row in rows)
    worst = max(rows, key=lambda row: row["value"])
    return positive(0.1 - worst["value"], worst["sd"], f"as near a training image as the nearest 5 % of test images: {text}", "over 10 %")


CHECKS: dict[str, Callable[[Layout], Verdict]] = {
    "simple-better-samples": simple_better_samples,
    "bound-better-likelihood": bound_better_likelihood,
    "no-overfitting": no_overfitting,
    "table2-order": table2_order,
    "fixed-variance-better": fixed_variance_better,
    "mu-needs-bound": mu_needs_bound,
    "eps-as-well-as-mu": eps_as_well_as_mu,
    "lossy-compressor": lossy_compressor,
    "nothing-at-T": nothing_at_T,
    "coarse-to-fine": coarse_to_fine,
    "not-memorised": not_memorised,
}
