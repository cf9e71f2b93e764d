"""The figures of Sohl-Dickstein et al. 2015 that show images: denoised, generated, in-painted."""

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from rediffuse.config import DeadLeaves
from rediffuse.figures import style
from rediffuse.files import read_arrays
from rediffuse.papers import tables
from rediffuse.paths import Layout

MADE_BY = "rediffuse measure sohl2015"


def fig3(layout: Layout) -> None:
    """Figure 3: held-out images, noisy, denoised, generated; a row a kind, with its PSNR."""
    assert layout.preset.papers.sohl2015 and layout.preset.papers.sohl2015.fig3
    options = layout.preset.papers.sohl2015.fig3
    data = read_arrays(layout.artifact("sohl2015", "fig3.npz"), f"{MADE_BY} fig3")
    table = tables.read(layout.artifact("sohl2015", "fig3.csv"), f"{MADE_BY} fig3")
    scores = {row["estimate"]: row for row in table[table["metric"] == "PSNR"].to_dict("records")}
    rows = {
        "hold-out": ("hold-out", ""),
        "noisy": (f"noise of variance {options.noise_variance:g}", "noisy"),
        "Wiener filter": ("Wiener filter", "Wiener filter"),
        "constant r": ("model, r constant in t\n(the paper's): a sample", "constant r: one sample"),
        "start at y": ("model, begun at y:\na posterior sample", "start at y: one sample"),
        "mean of start at y": (f"mean of {options.draws} of them", f"start at y: mean of {options.draws}"),
        "generated": ("generated", ""),
    }
    figure, panels = plt.subplots(len(rows), 1, figsize=(6.6, 0.75 * len(rows) + 0.5))
    for panel, (name, (label, score)) in zip(panels, rows.items(), strict=True):
        images = data[name] / (data["levels"] - 1.0)
        style.show(panel, _tile(images, 1, len(images)))
        value = f"\nPSNR {scores[score]['value']:.2f} ± {scores[score]['sd']:.2f} dB" if score else ""
        panel.set_ylabel(f"{label}{value}", rotation=0, ha="right", va="center", fontsize=8)
    figure.suptitle(f"{table['run'].iloc[0]}: held-out images, of which {len(data['noisy'])} are shown")
    style.note(figure, f"PSNR: mean ± standard error over n = {table['n'].iloc[0]:.0f} held-out images.")
    style.save(figure, layout.artifact("sohl2015", "fig3.png"))


def fig4(layout: Layout) -> None:
    """Figure 4: dead leaves, a Gaussian scale mixture patch by patch, and the diffusion model."""
    assert layout.preset.papers.sohl2015 and layout.preset.papers.sohl2015.fig4
    run = layout.preset.papers.sohl2015.fig4.run
    leaves = layout.preset.datasets[layout.preset.runs[run].dataset]
    assert isinstance(leaves, DeadLeaves)
    size = leaves.size
    data = read_arrays(layout.artifact("sohl2015", "fig4.npz"), f"{MADE_BY} fig4")
    names = {
        "training": "dead leaves",
        "mixture": f"Gaussian scale mixture,\npatches of {size} x {size}",
        "generated": f"diffusion, trained on\n{size} x {size}",
    }
    n = len(data["training"])
    figure, panels = plt.subplots(n, 3, figsize=(6.6, 2.2 * n + 0.3), squeeze=False)
    for row in range(n):
        for panel, (name, label) in zip(panels[row], names.items(), strict=True):
            style.show(panel, data[name][row, 0] / 255, label if row == 0 else "")
    style.save(figure, layout.artifact("sohl2015", "fig4.png"))


def fig5(layout: Layout) -> None:
    """Figure 5: the true picture, the hidden square, and samples of what may be in it."""
    data = read_arrays(layout.artifact("sohl2015", "fig5.npz"), f"{MADE_BY} fig5")
    true, known = data["true"][:, 0], data["known"]
    shown = min(3, len(data["noised, in rounds"]))
    names = ["true", "hidden", "the paper's rule", *[f"recommended, {k + 1}" for k in range(shown)]]
    figure, panels = plt.subplots(len(true), len(names), figsize=(7.2, 1.25 * len(true) + 0.5), squeeze=False)
    figure.suptitle("held-out textures; each row has the black and white of its true picture")
    noise = np.random.default_rng(0).uniform(size=known.shape)
    for row, picture in enumerate(true):
        # A row's black and white are those of its true picture: some textures have little contrast.
        low, high = np.quantile(picture, (0.005, 0.995))
        pictures = [picture, np.where(known, picture, low + (high - low) * noise), data["constant delta"][0, row, 0]]
        pictures += [data["noised, in rounds"][k, row, 0] for k in range(shown)]
        for panel, image, name in zip(panels[row], pictures, names, strict=True):
            style.show(panel, (image - low) / (high - low), name if row == 0 else "")
            panel.title.set_fontsize(8)
    style.save(figure, layout.artifact("sohl2015", "fig5.png"))


def fig_app1(layout: Layout) -> None:
    """Figure App.1: samples, true samples and not means, beside images of the test set."""
    assert layout.preset.papers.sohl2015 and layout.preset.papers.sohl2015.fig_app1
    options = layout.preset.papers.sohl2015.fig_app1
    data = read_arrays(layout.artifact("sohl2015", "fig_app1.npz"), f"{MADE_BY} fig_app1")
    run = layout.preset.samples[options.samples].run
    figure, panels = style.side_by_side(2, 6.6 / 2 * options.rows / options.columns)
    titles = {"samples": f"ours: run {run}, first {options.rows * options.columns} samples", "test": "data: test split"}
    for panel, (name, title) in zip(panels, titles.items(), strict=True):
        style.show(panel, _tile(data[name], options.rows, options.columns), title)
    style.save(figure, layout.artifact("sohl2015", "fig_app1.png"))


def _tile(images: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Images on [0, 1] as one picture."""
    tiled: NDArray[np.float64] = style.tile(2 * images - 1, rows, columns)
    return tiled
