# Sohl-Dickstein et al. 2015. Every table and figure that the preset asks for is measured by a job of its own.

if PRESET.papers.sohl2015:
    SOHL2015 = PRESET.papers.sohl2015

    for artifact in SOHL2015_ASKED:

        rule:
            name:
                f"sohl2015_measure_{artifact}"
            input:
                **sohl2015_inputs(artifact),
            output:
                [
                    (
                        LAYOUT.measurements("sohl2015", artifact)
                        if name == "measurements"
                        else LAYOUT.artifact("sohl2015", name)
                    )
                    for name in SOHL2015_MAKES[artifact].measured
                ],
            log:
                LOGS / f"sohl2015-measure-{artifact}.log",
            params:
                artifact=artifact,
                options=sohl2015_options(artifact),
                made_by=made_by(
                    f"papers.sohl2015.{SOHL2015_MAKES[artifact].by}",
                    "scikit-learn",
                    "scipy",
                ),
            message:
                f"Measure Sohl-Dickstein 2015: {artifact}"
            shell:
                "rediffuse measure sohl2015 {params.artifact} > {log} 2>&1"

    for artifact in [
        name for name in SOHL2015_ASKED if SOHL2015_MAKES[name].is_table
    ]:

        rule:
            name:
                f"sohl2015_table_{artifact}"
            input:
                LAYOUT.measurements("sohl2015", artifact),
                published=[
                    published("sohl2015", name)
                    for name in SOHL2015_MAKES[artifact].published
                ],
            output:
                LAYOUT.artifact("sohl2015", f"{artifact}.csv"),
                LAYOUT.artifact("sohl2015", f"{artifact}.md"),
            log:
                LOGS / f"sohl2015-{artifact}.log",
            localrule: True
            params:
                artifact=artifact,
                made_by=made_by("papers.sohl2015.tables"),
            message:
                f"Table of Sohl-Dickstein 2015: {artifact}"
            shell:
                "rediffuse table sohl2015 {params.artifact} > {log} 2>&1"

    for artifact in [name for name in SOHL2015_ASKED if SOHL2015_MAKES[name].drawn]:

        rule:
            name:
                f"sohl2015_draw_{artifact}"
            input:
                (
                    LAYOUT.artifact("sohl2015", f"{artifact}.csv")
                    if SOHL2015_MAKES[artifact].is_table
                    else [
                        LAYOUT.artifact("sohl2015", name)
                        for name in SOHL2015_MAKES[artifact].measured
                    ]
                ),
            output:
                [
                    LAYOUT.artifact("sohl2015", name)
                    for name in SOHL2015_MAKES[artifact].drawn
                ],
            log:
                LOGS / f"sohl2015-draw-{artifact}.log",
            localrule: True
            params:
                artifact=artifact,
                options=sohl2015_options(artifact),
                made_by=made_by("figures.sohl2015"),
            message:
                f"Figure of Sohl-Dickstein 2015: {artifact}"
            shell:
                "rediffuse figure sohl2015 {params.artifact} > {log} 2>&1"


rule sohl2015:
    input:
        paper_targets("sohl2015"),
