"""Song et al. 2020: what is measured for its tables and figures."""

from rediffuse.papers.ddim.latents import fig5, fig6
from rediffuse.papers.ddim.reconstruction import table2
from rediffuse.papers.ddim.sweeps import fig3, fig7, table1, table1_released
from rediffuse.papers.ddim.timing import fig4, frontier

MEASURES = {
    "table1": table1,
    "table1_released": table1_released,
    "table2": table2,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "frontier": frontier,
}
