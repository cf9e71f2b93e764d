"""Sohl-Dickstein et al. 2015: what is measured for each of its tables and figures."""

from rediffuse.papers.sohl2015.bounds import table1
from rediffuse.papers.sohl2015.chains import fig1, fig2
from rediffuse.papers.sohl2015.entropies import entropy
from rediffuse.papers.sohl2015.equations import table_app1
from rediffuse.papers.sohl2015.gaps import ablation
from rediffuse.papers.sohl2015.images import fig3, fig4, fig5, fig_app1, fig_d1
from rediffuse.papers.sohl2015.likelihoods import table2
from rediffuse.papers.sohl2015.products import products

MEASURES = {
    "table1": table1,
    "table2": table2,
    "table_app1": table_app1,
    "fig1": fig1,
    "fig2": fig2,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
    "fig_app1": fig_app1,
    "fig_d1": fig_d1,
    "entropy": entropy,
    "ablation": ablation,
    "products": products,
}
