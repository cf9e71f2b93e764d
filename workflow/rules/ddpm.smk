# Ho et al. 2020.

if PRESET.papers.ddpm:
    DDPM = PRESET.papers.ddpm

    rule ddpm_measure:
        input:
            samples=shards_of(
                *DDPM.table1.samples, DDPM.fig1.samples, DDPM.fig13.samples
            ),
            weights=[
                LAYOUT.weights(PRESET.samples[name].run)
                for name in DDPM.table1.samples
            ],
            features=LAYOUT.weights(DDPM.table1.features),
            data=data_of(
                DDPM.table1.features,
                *[
                    PRESET.samples[name].run
                    for name in (
                        *DDPM.table1.samples,
                        DDPM.fig1.samples,
                        DDPM.fig13.samples,
                    )
                ],
            ),
        output:
            table1=LAYOUT.measurements("ddpm", "table1"),
            fig1=LAYOUT.artifact("ddpm", "fig1.npz"),
            fig13=LAYOUT.artifact("ddpm", "fig13.npz"),
        log:
            LOGS / "ddpm-measure.log",
        params:
            options=options(DDPM),
            made_by=made_by("papers.ddpm.measure"),
        message:
            "Measure DDPM: scores and likelihoods (Table 1), samples (Figures 1 and 13)"
        shell:
            "rediffuse measure ddpm table1 fig1 fig13 > {log} 2>&1"

    rule ddpm_table1:
        input:
            LAYOUT.measurements("ddpm", "table1"),
            published=published("ddpm", "published_table1"),
        output:
            csv=LAYOUT.artifact("ddpm", "table1.csv"),
            md=LAYOUT.artifact("ddpm", "table1.md"),
        log:
            LOGS / "ddpm-table1.log",
        localrule: True
        params:
            made_by=made_by("papers.ddpm.tables"),
        message:
            "Table 1 of DDPM"
        shell:
            "rediffuse table ddpm table1 > {log} 2>&1"

    rule ddpm_figures:
        input:
            fig1=LAYOUT.artifact("ddpm", "fig1.npz"),
            fig13=LAYOUT.artifact("ddpm", "fig13.npz"),
        output:
            fig1=LAYOUT.artifact("ddpm", "fig1.png"),
            fig13=LAYOUT.artifact("ddpm", "fig13.png"),
        log:
            LOGS / "ddpm-figures.log",
        localrule: True
        params:
            options={"fig1": options(DDPM.fig1), "fig13": options(DDPM.fig13)},
            made_by=made_by("figures.ddpm"),
        message:
            "Figures 1 and 13 of DDPM"
        shell:
            "rediffuse figure ddpm fig1 fig13 > {log} 2>&1"


rule ddpm:
    input:
        paper_targets("ddpm"),
