# Song et al. 2020.

if PRESET.papers.ddim:
    DDIM = PRESET.papers.ddim

    rule ddim_measure:
        input:
            samples=shards_of(*DDIM.table1.samples, *DDIM.fig3.samples),
            features=LAYOUT.weights(DDIM.table1.features),
            data=data_of(DDIM.table1.features),
        output:
            table1=LAYOUT.measurements("ddim", "table1"),
            fig3=LAYOUT.artifact("ddim", "fig3.npz"),
        log:
            LOGS / "ddim-measure.log",
        params:
            options={"table1": options(DDIM.table1), "fig3": options(DDIM.fig3)},
            made_by=made_by("papers.ddim.measure"),
        message:
            "Measure DDIM: Frechet distances (Table 1), samples by eta (Figure 3)"
        shell:
            "rediffuse measure ddim table1 fig3 > {log} 2>&1"

    rule ddim_time:
        input:
            weights=LAYOUT.weights(DDIM.fig4.run),
        output:
            LAYOUT.artifact("ddim", "fig4.csv"),
        log:
            LOGS / "ddim-time.log",
        # All cores: nothing runs beside a measurement of time.
        threads: workflow.cores
        params:
            options=options(DDIM.fig4),
            made_by=made_by("papers.ddim.measure"),
        message:
            "Time DDIM against the number of steps (Figure 4)"
        shell:
            "rediffuse measure ddim fig4 > {log} 2>&1"

    rule ddim_table1:
        input:
            LAYOUT.measurements("ddim", "table1"),
            published=published("ddim", "published_table1"),
        output:
            csv=LAYOUT.artifact("ddim", "table1.csv"),
            md=LAYOUT.artifact("ddim", "table1.md"),
        log:
            LOGS / "ddim-table1.log",
        localrule: True
        params:
            made_by=made_by("papers.ddim.tables"),
        message:
            "Table 1 of DDIM"
        shell:
            "rediffuse table ddim table1 > {log} 2>&1"

    rule ddim_figures:
        input:
            table1=LAYOUT.artifact("ddim", "table1.csv"),
            fig3=LAYOUT.artifact("ddim", "fig3.npz"),
            fig4=LAYOUT.artifact("ddim", "fig4.csv"),
        output:
            table1=LAYOUT.artifact("ddim", "table1.png"),
            fig3=LAYOUT.artifact("ddim", "fig3.png"),
            fig4=LAYOUT.artifact("ddim", "fig4.png"),
        log:
            LOGS / "ddim-figures.log",
        localrule: True
        params:
            options=options(DDIM.fig3),
            made_by=made_by("figures.ddim"),
        message:
            "Heat map of Table 1, Figures 3 and 4 of DDIM"
        shell:
            "rediffuse figure ddim table1 fig3 fig4 > {log} 2>&1"


rule ddim:
    input:
        paper_targets("ddim"),
