# Every table and figure that the preset asks for is measured, tabulated and drawn by jobs of its own.

for paper, artifact in ASKED:
    makes = MAKES[paper][artifact]

    if makes.measured:

        rule:
            name:
                f"{paper}_measure_{artifact}"
            input:
                **inputs_of(paper, artifact),
                after=[LAYOUT.artifact(paper, name) for name in makes.after],
            output:
                measured_files(paper, artifact),
            log:
                LOGS / f"{paper}-measure-{artifact}.log",
            # All cores: nothing runs beside a measurement of time.
            threads: workflow.cores if makes.alone else 1
            params:
                paper=paper,
                artifact=artifact,
                options=options_of(paper, artifact),
                made_by=made_by(f"papers.{paper}.{makes.by}", "scikit-learn", "scipy"),
            message:
                f"Measure {artifact} of {paper}"
            shell:
                "rediffuse measure {params.paper} {params.artifact} > {log} 2>&1"

    if makes.is_table:

        rule:
            name:
                f"{paper}_table_{artifact}"
            input:
                LAYOUT.measurements(paper, artifact),
                published=[published(paper, name) for name in makes.published],
            output:
                in_report(paper, artifact, f"{artifact}.csv"),
                LAYOUT.artifact(paper, f"{artifact}.md"),
            log:
                LOGS / f"{paper}-{artifact}.log",
            localrule: True
            params:
                paper=paper,
                artifact=artifact,
                made_by=made_by(f"papers.{paper}.tables"),
            message:
                f"Tabulate {artifact} of {paper}"
            shell:
                "rediffuse table {params.paper} {params.artifact} > {log} 2>&1"

    if makes.drawn:

        rule:
            name:
                f"{paper}_draw_{artifact}"
            input:
                drawn_from(paper, LAYOUT.measured_for(paper, artifact)),
            output:
                [in_report(paper, artifact, name) for name in makes.drawn],
            log:
                LOGS / f"{paper}-draw-{artifact}.log",
            localrule: True
            params:
                paper=paper,
                artifact=artifact,
                options=options_of(paper, LAYOUT.measured_for(paper, artifact)),
                made_by=made_by(f"figures.{paper}"),
            message:
                f"Draw {artifact} of {paper}"
            shell:
                "rediffuse figure {params.paper} {params.artifact} > {log} 2>&1"


rule sohl2015:
    input:
        paper_targets("sohl2015"),
    message:
        "Everything of sohl2015 is made"


rule ddpm:
    input:
        paper_targets("ddpm"),
    message:
        "Everything of ddpm is made"


rule ddim:
    input:
        paper_targets("ddim"),
    message:
        "Everything of ddim is made"
