"""Ho et al. 2020: what is measured for its tables and figures."""

from rediffuse.papers.ddpm.bounds import bounds
from rediffuse.papers.ddpm.coding import table4
from rediffuse.papers.ddpm.latents import fig7, fig8, fig9
from rediffuse.papers.ddpm.neighbours import fig15
from rediffuse.papers.ddpm.parametrisations import table2
from rediffuse.papers.ddpm.progress import fig10
from rediffuse.papers.ddpm.samples import fig1, fig13
from rediffuse.papers.ddpm.scores import table1

MEASURES = {
    "table1": table1,
    "table2": table2,
    "table4": table4,
    "bounds": bounds,
    "fig1": fig1,
    "fig7": fig7,
    "fig8": fig8,
    "fig9": fig9,
    "fig10": fig10,
    "fig13": fig13,
    "fig15": fig15,
}
