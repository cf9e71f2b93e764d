# Sohl-Dickstein et al. 2015.

if PRESET.papers.sohl2015:
    SOHL2015 = PRESET.papers.sohl2015
    SOHL2015_RUNS = list(dict.fromkeys([SOHL2015.fig1.run, *SOHL2015.table1.runs]))

    rule sohl2015_measure:
        input:
            weights=[LAYOUT.weights(run) for run in SOHL2015_RUNS],
            data=data_of(*SOHL2015_RUNS),
        output:
            table1=LAYOUT.measurements("sohl2015", "table1"),
            fig1=LAYOUT.artifact("sohl2015", "fig1.npz"),
        log:
            LOGS / "sohl2015-measure.log",
        params:
            options=options(SOHL2015),
            made_by=made_by("papers.sohl2015.measure"),
        message:
            "Measure Sohl-Dickstein 2015: the bound K (Table 1), chains and drift of the swiss roll (Figure 1)"
        shell:
            "rediffuse measure sohl2015 table1 fig1 > {log} 2>&1"

    rule sohl2015_table1:
        input:
            LAYOUT.measurements("sohl2015", "table1"),
            published=published("sohl2015", "published_table1"),
        output:
            csv=LAYOUT.artifact("sohl2015", "table1.csv"),
            md=LAYOUT.artifact("sohl2015", "table1.md"),
        log:
            LOGS / "sohl2015-table1.log",
        localrule: True
        params:
            made_by=made_by("papers.sohl2015.tables"),
        message:
            "Table 1 of Sohl-Dickstein 2015"
        shell:
            "rediffuse table sohl2015 table1 > {log} 2>&1"

    rule sohl2015_fig1:
        input:
            LAYOUT.artifact("sohl2015", "fig1.npz"),
        output:
            LAYOUT.artifact("sohl2015", "fig1.png"),
        log:
            LOGS / "sohl2015-fig1.log",
        localrule: True
        params:
            made_by=made_by("figures.sohl2015"),
        message:
            "Figure 1 of Sohl-Dickstein 2015"
        shell:
            "rediffuse figure sohl2015 fig1 > {log} 2>&1"


rule sohl2015:
    input:
        paper_files("sohl2015"),
