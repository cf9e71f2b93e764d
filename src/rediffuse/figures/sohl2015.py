"""Figures of Sohl-Dickstein et al. 2015."""

import matplotlib.pyplot as plt
import numpy as np

from rediffuse.figures import style
from rediffuse.files import read_arrays
from rediffuse.paths import Layout


def fig1(layout: Layout) -> None:
    """Figure 1: slices of the forward chain, of the learned reverse chain, and the drift; below it the exact drift."""
    data = read_arrays(layout.artifact("sohl2015", "fig1.npz"), "rediffuse measure sohl2015 fig1")
    T, axis = int(data["T"]), data["axis"]
    figure, panels = plt.subplots(4, 3, figsize=(6.6, 8.9), sharex=True, sharey=True)
    for column, t in enumerate((0, T // 2, T)):
        label = {0: "t = 0", T // 2: f"t = T/2 = {t}", T: f"t = T = {t}"}[t]
        for row, chain, colour in ((0, "forward", style.FORWARD), (1, "reverse", style.OURS)):
            panels[row, column].plot(*data[f"{chain}_{t}"].T, ".", markersize=1.1, color=colour, alpha=0.5, rasterized=True)
        panels[0, column].set_title(label)
    x, y = np.meshgrid(axis, axis)
    for column, t in enumerate(data["drift_t"].tolist()):
        density = data[f"log_density_{t}"]
        # Where the data never go, the network was never asked: those arrows are drawn faint, and do not set the scale.
        seen = density > density.max() - np.log(1e4)
        longest = np.linalg.norm(data[f"exact_{t}"][seen], axis=1).max()
        for row, field, colour in ((2, "learned", style.OURS), (3, "exact", style.EXACT)):
            arrows, colours = data[f"{field}_{t}"] / longest, np.where(seen, colour, style.FAINT)
            panels[row, column].quiver(
                x.ravel(), y.ravel(), *arrows.T, color=colours, angles="xy", scale_units="xy", scale=2.5, width=0.006
            )
        error, size = data[f"rms_{t}"]
        panels[2, column].set_title(f"t = {t}: rms error {error:.2g}")
        panels[3, column].set_title(f"t = {t}: rms drift {size:.2g}")
    names = [
        "forward: $q(x^{(t)})$",
        "reverse: $p(x^{(t)})$",
        "drift, learned:\n$f_\\mu(x, t) - x$",
        "drift, exact:\n$E_q[x^{(t-1)} | x] - x$",
    ]
    for row, name in enumerate(names):
        panels[row, 0].set_ylabel(name)
    panels[0, 0].set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal")
    for panel in panels.flat:
        panel.set_aspect("equal")
    n = len(data["forward_0"])
    notes = f"Swiss roll, T = {T}, {n} points a panel. Arrows have one scale a column and are faint"
    figure.suptitle(f"{notes}\nwhere $q(x^{{(t)}})$ is under 1e-4 of its peak; rms is over points of $q(x^{{(t)}})$", fontsize=9)
    style.save(figure, layout.artifact("sohl2015", "fig1.png"))


FIGURES = {"fig1": fig1}
