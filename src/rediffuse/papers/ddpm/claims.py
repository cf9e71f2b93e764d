"""Ho et al. 2020: which of its claims hold here."""

from collections.abc import Callable

import pandas as pd

from rediffuse.papers import tables
from rediffuse.papers.claims import MissingError, Verdict, decide, one, positive
from rediffuse.papers.ddpm import cells
from rediffuse.papers.ddpm.cells import Cells
from rediffuse.papers.ddpm.tables import CHANGE, SIMPLE, TABLES
from rediffuse.paths import Layout

NEAR = "samples as near as 5 % of test images"


def _table(layout: Layout, artifact: str = "table1") -> pd.DataFrame:
    """The artifact's CSV. Raises MissingError if the preset does not ask for it, UserError if it does and there is none."""
    if not layout.asks("ddpm", artifact):
        raise MissingError(f"{artifact} of ddpm is not in it")
    command = "table" if artifact in TABLES else "measure"
    return tables.read(layout.artifact("ddpm", f"{artifact}.csv"), f"rediffuse {command} ddpm {artifact}")


def _cells(check: Callable[[Cells], Verdict]) -> Callable[[Layout], Verdict]:
    """A check of Table 2."""
    return lambda layout: check(Cells(_table(layout, "table2")))


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
    "table2-order": _cells(cells.table2_order),
    "fixed-variance-better": _cells(cells.fixed_variance_better),
    "mu-needs-bound": _cells(cells.mu_needs_bound),
    "eps-as-well-as-mu": _cells(cells.eps_as_well_as_mu),
    "lossy-compressor": lossy_compressor,
    "nothing-at-T": nothing_at_T,
    "coarse-to-fine": coarse_to_fine,
    "not-memorised": not_memorised,
}
