"""Which module measures each table and figure, and which files that leaves: what the rules of the workflow are made from."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from rediffuse.paths import Layout

TABLE = "measurements"
"""Stands for the CSV of measurements that a table is made of."""


class Makes(NamedTuple):
    """How an artifact is made, in at most three steps: measured, set beside the published numbers if it is a table, drawn."""

    by: str = ""
    """The module of its paper that measures it."""
    measured: list[str] = []
    """What that leaves beside the figure; TABLE for the CSV that a table is made of."""
    published: list[str] = []
    """CSVs beside the paper's module that its table reads."""
    drawn: list[str] = []
    after: list[str] = []
    """Files of the paper, of other artifacts, that it is measured from."""
    alone: bool = False
    """Whether nothing may run beside its measurement, which is of time."""

    @property
    def is_table(self) -> bool:
        return TABLE in self.measured

    def shown(self, artifact: str) -> list[str]:
        """The files that are looked at."""
        table = [f"{artifact}.csv", f"{artifact}.md"] if self.is_table else []
        return table + [name for name in self.measured if name != TABLE and not name.endswith(".npz")] + self.drawn


MAKES: dict[str, dict[str, Makes]] = {
    "sohl2015": {
        "table1": Makes("bounds", [TABLE], ["published_table1"]),
        "table2": Makes("likelihoods", [TABLE], ["published_table2"]),
        "table_app1": Makes("equations", [TABLE], ["equations"]),
        "fig1": Makes("chains", ["fig1.npz", "fig1.csv"], drawn=["fig1.png", "fig1.gif"]),
        "fig2": Makes("chains", ["fig2.npz", "fig2.csv"], drawn=["fig2.png"]),
        "fig3": Makes("images", ["fig3.npz", "fig3.csv"], drawn=["fig3.png"]),
        "fig4": Makes("images", ["fig4.npz"], drawn=["fig4.png"]),
        "fig5": Makes("images", ["fig5.npz", "fig5.csv"], drawn=["fig5.png"]),
        "fig_app1": Makes("images", ["fig_app1.npz"], drawn=["fig_app1.png"]),
        "fig_d1": Makes("images", ["fig_d1.stages.json"], drawn=["fig_d1.png"]),
        "entropy": Makes("entropies", ["entropy.csv"], drawn=["entropy.png"]),
        "ablation": Makes("gaps", [TABLE], drawn=["ablation.png"]),
        "products": Makes("products", [TABLE]),
    },
    "ddpm": {
        "table1": Makes("scores", [TABLE], ["published_table1"]),
        "table2": Makes("parametrisations", [TABLE, "table2.npz"], ["published_table2"], drawn=["table2.png"]),
        "table4": Makes("coding", [TABLE, "table4.npz"], ["published_table4"]),
        "fig1": Makes("samples", ["fig1.npz"], drawn=["fig1.png"]),
        "fig2": Makes(drawn=["fig2.png"]),
        "fig5": Makes(drawn=["fig5.png"]),
        "fig6": Makes(drawn=["fig6.png"]),
        "fig7": Makes("latents", ["fig7.npz"], drawn=["fig7.png"]),
        "fig8": Makes("latents", ["fig8.npz"], drawn=["fig8.png"]),
        "fig9": Makes("latents", ["fig9.npz"], drawn=["fig9.png"]),
        "fig10": Makes("progress", ["fig10.npz", "fig10.csv"], drawn=["fig10.png"]),
        "fig13": Makes("samples", ["fig13.npz"], drawn=["fig13.png"]),
        "fig14": Makes(drawn=["fig14.png"]),
        "fig15": Makes("neighbours", ["fig15.npz", "fig15.csv"], drawn=["fig15.png"]),
        "terms": Makes(drawn=["terms.png"]),
        "bounds": Makes("bounds", [TABLE]),
        "conventions": Makes("conventions", [TABLE]),
    },
    "ddim": {
        "table1": Makes("sweeps", [TABLE], ["published_table1"], drawn=["table1.png"]),
        "table1_released": Makes("sweeps", [TABLE], ["published_table1"], drawn=["table1_released.png"]),
        "table2": Makes("reconstruction", [TABLE], ["published_table2"], drawn=["table2.png"]),
        "fig1": Makes(drawn=["fig1.png"]),
        "fig2": Makes(drawn=["fig2.png"]),
        "fig3": Makes("sweeps", ["fig3.npz"], drawn=["fig3.png"]),
        "fig4": Makes("timing", ["fig4.csv"], drawn=["fig4.png"], alone=True),
        "fig5": Makes("latents", ["fig5.npz", "fig5.csv"], drawn=["fig5.png"]),
        "fig6": Makes("latents", ["fig6.npz"], drawn=["fig6.png"]),
        "fig7": Makes("sweeps", ["fig7.npz"], drawn=["fig7.png"]),
        "fig11": Makes(drawn=["fig11.png"]),
        "grid": Makes("grids", ["grid.npz"], drawn=["grid.png"]),
        "frontier": Makes("timing", ["frontier.csv"], drawn=["frontier.png"], after=["fig4.csv"]),
    },
}
"""Paper -> artifact -> how it is made."""


def measurement(paper: str, artifact: str) -> Callable[..., None]:
    """The function of (layout, device) that measures an artifact: of its name, in the module that MAKES says, which alone is imported."""
    function: Callable[..., None] = getattr(import_module(f"rediffuse.papers.{paper}.{MAKES[paper][artifact].by}"), artifact)
    return function


def asked(layout: Layout, paper: str) -> list[str]:
    """The artifacts of a paper that the preset asks for."""
    return [artifact for artifact in MAKES[paper] if layout.asks(paper, artifact)]
