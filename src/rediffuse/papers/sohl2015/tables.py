"""Sohl-Dickstein et al. 2015: its tables, ours beside theirs, and three of our own."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from rediffuse.config import Heartbeat
from rediffuse.config.data import Published
from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure sohl2015"
STANDS_FOR = {
    "swiss-roll": "Swiss roll",
    "heartbeat": "Binary heartbeat",
    "dead-leaves": "Dead leaves",
    "textures": "Bark",
    "folder": "Bark",
    "cifar10": "CIFAR-10",
}
"""The kind of a data set here -> the published data set whose numbers stand beside it."""
CENTRES = 10000
"""Samples that the published windows stand about."""


def table1(layout: Layout) -> None:
    """Table 1 as CSV and Markdown: the rows that were measured, then the published ones without a counterpart here."""
    measured = _measured(layout, "table1")
    kinds = {name: data.kind for name, data in layout.preset.datasets.items()}
    stands_for = {name: STANDS_FOR[kind] for name, kind in kinds.items() if kind in STANDS_FOR}
    beats = [name for name, data in layout.preset.datasets.items() if isinstance(data, Heartbeat) and (data.length, data.period) == (20, 5)]
    same = [*beats, *_whole(layout)]
    table = tables.beside(measured, tables.published("sohl2015", "published_table1"), [], stands_for, same)
    tables.write(layout.artifact("sohl2015", "table1.csv"), table)
    rows = []
    for name, here in table.groupby(table["run"].where(table["run"] != "", table["published_dataset"]), sort=False):
        metrics = {row["metric"]: row for row in here.to_dict("records")}
        first = here.iloc[0]
        cells = [f"{_ours(metrics[metric])} / {_published(metrics[metric])}" for metric in ("K", "K - L_null")]
        rest = [_ours(metrics[metric]) if metric in metrics else "–" for metric in ("log-likelihood", "log-likelihood - K")]
        network = f"{first['network']}, puts out {first['predicts']}; {first['budget']}"
        kernel = f"{first['process']}, T = {first['T']:.0f}; {network}" if first["run"] else "not run here"
        n = f"{first['n']:.0f}" if first["run"] else ""
        rows.append([str(name), kernel, first["unit"], n, *cells, *rest])
    notes = [
        "Cells of K and K - L_null: ours / published. Larger is better. ± is the standard error over n test data; a difference is "
        "taken datum by datum, so its error is its own. Patches of textures overlap, so their errors are somewhat too small. All but "
        "binary data are densities of data whose variance is 1.",
        "Comparable in value are only the heartbeat of 20 bins and period 5, which is the paper's own by definition, and the whole of "
        "CIFAR-10. The paper does not say how its swiss roll is made (turns, noise, size), its dead leaves are those of Theis et al. 2012, "
        "and textures of scikit-image stand where it has bark.",
        "The exact log-likelihood of the same test data under their generator is what K bounds from below. Of binary data, mu is the "
        "paper's form (the network puts out f_b), and x0 is P(x_0 = 1 | x_t), from which f_b follows. Budgets: optimiser steps of so "
        "many examples.",
    ]
    heads = ["run", "process, network and budget", "unit", "n", "K", "K - L_null", "exact log-likelihood", "log-likelihood - K"]
    layout.write_text("sohl2015", "table1.md", tables.markdown("Sohl-Dickstein 2015, Table 1: the bound K", heads, rows, notes))


def table2(layout: Layout) -> None:
    """Table 2: dead leaves beside Gaussian baselines, digits by a Parzen window."""
    measured = _measured(layout, "table2")
    stands_for = {
        name: {"dead-leaves": "Dead leaves", "digits": "MNIST", "mnist": "MNIST"}.get(data.kind, "")
        for name, data in layout.preset.datasets.items()
    }
    numbers = tables.published("sohl2015", "published_table2")
    table = tables.beside(measured, numbers, ["model"], stands_for, _whole(layout))
    if "centres" in table:  # the score rises with their number
        table["comparable"] &= (table["metric"] != "log-likelihood") | (table["centres"].astype(str) == str(CENTRES))
    tables.write(layout.artifact("sohl2015", "table2.csv"), table)

    rows = []
    above = {(row["dataset"], row["model"]) for row in _rows(table, metric="model - perfect") if row["value"] > 2 * row["sd"]}
    for row in [*_rows(table, metric="log-likelihood", unit="bits/pixel"), *_rows(table, metric="log-likelihood", unit="bits")]:
        beside = [*_rows(table, metric="log-likelihood in nats", dataset=row["dataset"], model=row["model"])]
        suspect = (row["dataset"], row["model"]) in above
        window = f"{row['bandwidth']} ({row['centres']} centres)" if row["unit"] == "bits" else ""
        cells = [
            _ours(row),
            _ours(beside[0]) if beside else "",
            _published(row),
            window,
            "suspect: above the perfect model" if suspect else "",
        ]
        rows.append([row["dataset"], row["model"], row["unit"], *cells])
    for row in table[table["value"].isna()].to_dict("records"):
        rows.append([row["published_dataset"], row["model"], "", "–", "", _published(row), "", "not run here"])
    notes = [
        "Dead leaves: bits/pixel of the same dequantised test images, of variance 1; the diffusion row is K, a lower bound. The "
        "Gaussian baselines stand where the paper has the MCGSM, on our own dead leaves: compare orders, not values.",
        "Digits: the log-likelihood of a test image under Gaussian Parzen windows about the model's samples, pixels in [0, 1] at their"
        " own size, without any border. Each row's bandwidth is chosen on validation images, which are no centres, but which the network "
        "was trained on. The published column is MNIST, in bits an image.",
        'What this measure rewards: the "perfect model" scores training images themselves, and centres of k-means or blurred images, '
        "which model nothing, can score above it (Theis et al. 2016). A model above the perfect one by two standard errors of their "
        "difference is reported as suspect.",
        "± is the standard error over test images.",
    ]
    heads = ["data set", "model", "unit", "log-likelihood", "in nats", "published", "bandwidth", ""]
    layout.write_text("sohl2015", "table2.md", tables.markdown("Sohl-Dickstein 2015, Table 2", heads, rows, notes))


def table_app1(layout: Layout) -> None:
    """Table App.1: each equation, its function, its check and whether it passed."""
    checks = _measured(layout, "table_app1")
    equations = tables.published("sohl2015", "equations")
    table = equations.merge(checks, on=["row", "diffusion"], how="left", validate="one_to_one")
    table["error"], table["passes"] = pd.to_numeric(table["error"]), pd.to_numeric(table["passes"])
    table["verdict"] = (table["error"] <= table["passes"]).map({True: "passed", False: "not passed"})
    tables.write(layout.artifact("sohl2015", "table_app1.csv"), table)
    rows = []
    for row in table.to_dict("records"):
        check = f"{row['check']}: {row['error']:.1e} ({row['passes']:.1e} passes)"
        rows.append(
            [
                row["row"],
                row["diffusion"],
                f"${row['equation']}$".replace(" | ", r" \mid ").replace("||", r"\parallel"),
                f"`{row['function']}`",
                check,
                row["verdict"],
            ]
        )
    notes = [
        "The paper's rows; the function is the equation in this package, and the check was run with this table. b is beta. The paper "
        "prints 0.5 where r stands here: its heartbeat was run with 0.2, since 20 H(0.2) = 14.44 bits = -L_null of Table 1. It lists "
        "b_1..T as learned, and its section 2.4.1 fixes b_1, as is done here.",
    ]
    heads = ["", "", "equation", "function", "check: error", ""]
    layout.write_text(
        "sohl2015", "table_app1.md", tables.markdown("Sohl-Dickstein 2015, Table App.1: the key equations", heads, rows, notes)
    )


def ablation(layout: Layout) -> None:
    """What closes the gap between K and the log-likelihood: not in the paper, which does not say how far its K is from it."""
    table = _measured(layout, "ablation")
    tables.write(layout.artifact("sohl2015", "ablation.csv"), table)
    rows = []
    columns = ["K", "log-likelihood - K", "gap of a perfect network", "gap of the network"]
    for name, here in table.groupby("run", sort=False):
        metrics = {row["metric"]: row for row in here.to_dict("records")}
        first = here.iloc[0]
        cells = [_ours(metrics[column]) for column in columns]
        cells.append("; ".join(_ours(row) for metric, row in metrics.items() if metric.startswith("K - K of ")))
        rows.append([str(name), f"{first['T']:.0f}", first["schedule"], first["network"], *cells])
    notes = [
        "In bits. The gap, log-likelihood - K, has two parts: what the best network possible would leave, because each kernel is a "
        "diagonal Gaussian and the last step and p(x_T) are fixed (its means and variances are quadratures over the generator's "
        "curve); and the rest, which is the network's. ± is the standard error over test points. In the last column, K of a run that "
        "learns its rates less K of the run that keeps those it starts from, point by point.",
    ]
    heads = ["run", "T", "rates", "network", "K", "gap", "of which the kernels'", "of which the network's", "learned - fixed"]
    title = "What closes the gap between K and the log-likelihood (not in the paper)"
    layout.write_text("sohl2015", "ablation.md", tables.markdown(title, heads, rows, notes))


def products(layout: Layout) -> None:
    """What multiplying by r(x) samples: not in the paper, whose rule samples another distribution than it says."""
    table = _measured(layout, "products")
    tables.write(layout.artifact("sohl2015", "products.csv"), table)
    rows = []
    for (toy, rule), here in table.groupby(["toy", "rule"], sort=False):
        numbers = "; ".join(f"{row['metric']} = {_ours(row)}" for row in here.to_dict("records"))
        rows.append([str(toy), str(rule), numbers])
    notes = [
        "Gaussian: data N(0, 1), r(x) = N(2; x, 1). In-painting: two coordinates of variance 1 and correlation 0.8, the first known to"
        " be 1.5; the second's law is asked. Heartbeat: r speaks of one bit, and p r is over the true sequences. Chains are run with "
        "the toys' exact means and variances in diagonal kernels (the heartbeat's with the trained network's); ± is the standard error"
        " over samples.",
        "The finding: with r constant in t (eq. 23) the chain does not sample p r. For data like the prior, as the Gaussian's, it samples "
        "nearly p r^2, since a shift of the mean by Sigma grad log r a step is a Langevin step along twice the score of r; for data of "
        "variance v it counts a tilt 2 artanh(sqrt(1 - v)) / sqrt(1 - v) times, and on the heartbeat's bit it comes out near p r. "
        "E[r(x_0) | x_t] in the place of r samples p r; and a noisy observation is"
        " itself a diffused state, from which the plain chain samples p r for any data. For in-painting, known values that are as "
        "noisy as x_t are followed too weakly unless every step is made in rounds.",
    ]
    text = tables.markdown("What multiplying by r(x) samples (not in the paper)", ["", "rule", "what came out"], rows, notes)
    layout.write_text("sohl2015", "products.md", text)


def _whole(layout: Layout) -> list[str]:
    """Data sets that are the whole of a published one."""
    return [name for name, data in layout.preset.datasets.items() if isinstance(data, Published) and data.is_whole]


def _measured(layout: Layout, artifact: str) -> pd.DataFrame:
    return tables.read(layout.measurements("sohl2015", artifact), f"{MADE_BY} {artifact}")


def _rows(table: pd.DataFrame, **keys: str) -> Sequence[Mapping[Hashable, Any]]:
    """The measured rows with these keys."""
    here = table[table["value"].notna()]
    for key, value in keys.items():
        here = here[here[key] == value]
    return here.to_dict("records")


def _published(row: Mapping[Hashable, Any]) -> str:
    return tables.number(row["published"], row["published_sd"])


def _ours(row: Mapping[Hashable, Any]) -> str:
    return tables.number(row["value"], row["sd"])


TABLES = {"table1": table1, "table2": table2, "table_app1": table_app1, "ablation": ablation, "products": products}
