"""Pictures that move where movement explains: a slider over t, over S and eta. They work from disk: their data lie inside of the page.

The words, in both languages, and the controls are in static/moving.html, the painting in static/moving.js. Nothing plays by itself.
"""

import io
import json
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from rediffuse.errors import UserError
from rediffuse.files import Arrays, read_arrays, read_bytes
from rediffuse.papers import tables
from rediffuse.paths import Layout
from rediffuse.samplers.steps import linear

STATIC = Path(__file__).with_name("static")
SCRIPT, STYLE = STATIC / "moving.js", STATIC / "moving.css"
"""To be inlined once in a page that has such pictures, the script at its end."""

POINTS = 400
"""Most points of a chain that move."""
FRAMES = 61
"""Most values of t under a slider; of a longer chain some are left out."""
PIXELS = 200_000
"""Most bytes of images at every t; of more or larger ones the first are shown."""
SEEN = 1e-4
"""Of its peak: where q(x_t) is less, the network was never asked. As in Figure 1."""
REACH = 4.0
"""How many times as long as the longest arrow where the data go one may be elsewhere; longer ones are cut."""
NOISE = 3.0
"""Standard deviations from grey to white where noise is shown."""
COLOURS = 32
"""Of a still picture."""
SYMBOLS = {
    **{letter: f"<i>{letter}</i>" for letter in ("t", "T", "S", "x", "p", "q")},
    **{f"x_{below}": f"<i>x</i><sub><i>{below}</i></sub>" for below in ("t", "T")},
    "x_0": "<i>x</i><sub>0</sub>",
    "x_s": "<i>x</i><sub><i>t</i>−1</sub>",
    "x0hat": "<i>x̂</i><sub>0</sub>",
    "beta_t": "<i>β</i><sub><i>t</i></sub>",
    "abar_t": '√<span class="moving-over"><i>α</i></span><sub><i>t</i></sub>',
    "eta": "<i>η</i>",
    "sigmahat": "<i>σ̂</i>",
    "fmu": "<i>f<sub>μ</sub></i>",
}
"""What stands between dollars in the template."""


class Moving(NamedTuple):
    """A picture that moves."""

    name: str
    title_en: str
    title_zh: str
    html: str
    """A <figure> with its controls, its data, and a still picture for print and where no script runs."""


def of(layout: Layout, paper: str) -> list[Moving]:
    """The pictures of a paper that the preset measures. Raises UserError if what they show is missing or was made by an older version."""
    return [make(layout) for artifact, make in MOVING.get(paper, {}).items() if layout.asks(paper, artifact)]


def chains(layout: Layout) -> Moving:
    """Both chains of the swiss roll, and the drift f_mu(x, t) - x as arrows (Sohl-Dickstein et al. 2015, Figure 1)."""
    data = _arrays(
        layout, "sohl2015", "fig1", "forward", "reverse", "beta", "drift_learned", "drift_exact", "drift_log_density", "drift_rms"
    )
    T = len(data["beta"]) - 1
    times = np.unique(np.linspace(0, T, min(T + 1, FRAMES)).round().astype(int))
    steps = times[times > 0] - 1
    density = data["drift_log_density"][steps]
    seen = density > density.max(axis=1, keepdims=True) + np.log(SEEN)
    exact = data["drift_exact"][steps]
    longest = np.where(seen, np.linalg.norm(exact, axis=2), 0).max(axis=1)
    points = {name: data[name][times, :POINTS] for name in ("forward", "reverse")}
    widest = max(float(np.abs(x).max()) for x in points.values())
    content = {
        "times": times.tolist(),
        "beta": _rounded(data["beta"][times]),
        "signal": _rounded(np.sqrt(np.cumprod(1 - data["beta"]))[times]),
        "widest": widest,
        "axis": _rounded(data["axis"]),
        "reach": REACH,
        "longest": _rounded(longest),
        "seen": _base64(seen.astype(np.uint8)),
        "rms": [_rounded(each) for each in data["drift_rms"][steps]],
        **{name: _int16(x, widest) for name, x in points.items()},
        **{name: _int16(data[f"drift_{name}"][steps] / longest[:, None, None], REACH) for name in ("learned", "exact")},
    }
    words = {"T": T, "n": points["forward"].shape[1], "start": len(times) // 2, "end": len(times) - 1}
    title = "Both chains of the swiss roll, and the drift", "瑞士卷的正向链与反向链，以及漂移项"
    return _moving(layout, "sohl2015", "chains", title, content, words, "fig1.png")


def progress(layout: Layout) -> Moving:
    """x_t and x0-hat on the way from noise to an image (Ho et al. 2020, Figures 6, 10 and 14)."""
    data = _arrays(layout, "ddpm", "fig10", "times", "x0", "x_t", "beta")
    table = tables.read(layout.artifact("ddpm", "fig10.csv"), "rediffuse measure ddpm fig10")
    distances = table[table["metric"] == "FID"].sort_values("steps")
    times, x0 = data["times"], data["x0"]
    n = max(1, min(x0.shape[1], PIXELS // x0[:, 0].size))
    content = {
        "times": times.tolist(),
        "beta": _rounded(data["beta"][times]),
        "signal": _rounded(np.sqrt(np.cumprod(1 - data["beta"]))[times]),
        "distance": _rounded(distances["value"].to_numpy(float)),
        "sd": _rounded(distances["sd"].to_numpy(float)),
        **_images(x0=x0[:, :n], x_t=data["x_t"][:, :n] / NOISE),
    }
    words = {"T": len(data["beta"]) - 1, "n": n, "of": int(distances["n"].iloc[0]), "noise": f"{NOISE:g}"}
    words |= {"end": len(times) - 1, "start": len(times) // 2}
    title = "Progressive generation: x_t, and the image the network sees in it", "渐进生成：x_t，以及网络从中看出的图像"
    return _moving(layout, "ddpm", "progress", title, content, words, "fig14.png")


def grid(layout: Layout) -> Moving:
    """One latent at every S and eta, beside what DDIM makes of it in the most steps (Song et al. 2020, Figures 3 and 5 and Table 1)."""
    assert layout.preset.papers.ddim and layout.preset.papers.ddim.grid
    options = layout.preset.papers.ddim.grid
    data = _arrays(layout, "ddim", "grid", "steps", "eta", "latents", "images")
    T, steps = layout.preset.runs[options.run].process.T, data["steps"].tolist()
    etas = [eta if eta == "sigma-hat" else f"{float(eta):g}" for eta in data["eta"].tolist()]
    n = max(1, min(data["latents"].shape[0], PIXELS // data["images"][:, :, 0].size))
    images = data["images"][:, :, :n].clip(-1, 1)
    apart = np.sqrt(((images - images[-1, 0]) ** 2).mean(axis=(2, 3, 4, 5)))
    content = {
        "steps": steps,
        "eta": ["σ̂" if eta == "sigma-hat" else eta for eta in etas],
        "clipped": [eta == "sigma-hat" for eta in etas],
        "tau": [linear(T, S)[::-1][:4] for S in steps],
        "apart": [_rounded(row) for row in apart],
        "distance": _distances(layout, options.run, steps, etas),
        **_images(images=images, latents=data["latents"][:n] / NOISE),
    }
    words = {"T": T, "most": steps[-1], "first_eta": etas[0], "noise": f"{NOISE:g}"}
    words |= {"start_S": len(steps) // 3, "last_S": len(steps) - 1, "last_eta": len(etas) - 1}
    title = "One latent at every S and η", "同一个潜变量，不同的 S 与 η"
    return _moving(layout, "ddim", "grid", title, content, words, "grid.png")


MOVING: dict[str, dict[str, Callable[[Layout], Moving]]] = {
    "sohl2015": {"fig1": chains},
    "ddpm": {"fig10": progress},
    "ddim": {"grid": grid},
}
"""Paper -> artifact whose measurement moves -> how."""


def _moving(
    layout: Layout, paper: str, name: str, title: tuple[str, str], content: dict[str, Any], words: dict[str, Any], still: str
) -> Moving:
    environment = Environment(loader=FileSystemLoader(STATIC), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["symbols"] = lambda text: re.sub(r"\$(\w+)\$", lambda found: SYMBOLS[found[1]], text)
    html = environment.get_template("moving.html").render(
        kind=name, id=f"moving-{paper}-{name}", title=title, data=json.dumps(content), still=_still(layout, paper, still), **words
    )
    return Moving(name, *title, html)


def _arrays(layout: Layout, paper: str, artifact: str, *names: str) -> Arrays:
    path, made_by = layout.artifact(paper, f"{artifact}.npz"), f"rediffuse measure {paper} {artifact}"
    arrays = read_arrays(path, made_by)
    if missing := [name for name in names if name not in arrays]:
        raise UserError(f"{path}: no array {', '.join(missing)}; expected what `{made_by}` makes now")
    return arrays


def _distances(layout: Layout, run: str, steps: list[int], etas: list[str]) -> list[list[str]]:
    """The Frechet distances of Table 1 at these S and eta, as they are printed; a dash where it has none, or is not asked for."""
    found: dict[tuple[int, str], str] = {}
    if layout.asks("ddim", "table1"):
        table = tables.read(layout.artifact("ddim", "table1.csv"), "rediffuse table ddim table1")
        ours = table[(table["metric"] == "FID") & (table["run"] == run) & (table["tau"] == "linear")]
        for S, eta, value, sd in ours[["steps", "eta", "value", "sd"]].itertuples(index=False):
            found[int(S), f"{float(eta):g}" if eta[0].isdigit() else eta] = tables.number(value, sd)
    return [[found.get((S, eta), "–") for eta in etas] for S in steps]


def _images(**arrays: NDArray[Any]) -> dict[str, Any]:
    """Images of shape (..., C, R, R), -1 black and 1 white, as bytes (..., R, R, C); and their size."""
    *_, channels, height, width = next(iter(arrays.values())).shape
    grey = {name: np.moveaxis(((x.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8), -3, -1) for name, x in arrays.items()}
    return {"size": [height, width, channels]} | {name: _base64(np.ascontiguousarray(x)) for name, x in grey.items()}


def _int16(x: NDArray[Any], widest: float) -> str:
    """Numbers in -widest..widest to one part in 32767; what is wider is cut."""
    return _base64((x / widest * 32767).clip(-32767, 32767).round().astype("<i2"))


def _base64(x: NDArray[Any]) -> str:
    return b64encode(x.tobytes()).decode()


def _rounded(x: NDArray[Any]) -> list[float]:
    return [float(f"{each:.4g}") for each in x]


def _still(layout: Layout, paper: str, name: str) -> str:
    """A figure's picture in few colours, as a data URI."""
    content, buffer = read_bytes(layout.artifact(paper, name), f"rediffuse figure {paper} {name.split('.')[0]}"), io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
