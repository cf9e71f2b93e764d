# Every table and figure that the preset asks for is measured, tabulated and drawn by jobs of its own.

for paper in LAYOUT.papers:
    for artifact in asked(LAYOUT, paper):
        makes = MAKES[paper][artifact]

        if makes.measured:
            recipe = recipes.measure(LAYOUT, paper, artifact)

            rule:
                name:
                    f"{paper}_measure_{artifact}"
                input:
                    **recipe.inputs,
                output:
                    **recipe.outputs,
                    record=recipe.record,
                log:
                    LOGS / f"{paper}-measure-{artifact}.log",
                # All cores: nothing runs beside a measurement of time.
                threads: workflow.cores if makes.alone else 1
                resources:
                    gpu=GPU,
                    in_turn=1,
                    mem_mb=lambda w, attempt: 4000 * attempt,
                    runtime=lambda w, attempt: 60 * attempt,
                params:
                    recipe=current(recipe),
                message:
                    recipe.words
                shell:
                    "rediffuse {params.recipe[command]} > {log} 2>&1"

        if makes.is_table:
            recipe = recipes.table(LAYOUT, paper, artifact)

            rule:
                name:
                    f"{paper}_table_{artifact}"
                input:
                    **recipe.inputs,
                output:
                    in_report(paper, artifact, recipe),
                    record=recipe.record,
                log:
                    LOGS / f"{paper}-table-{artifact}.log",
                localrule: True
                params:
                    recipe=current(recipe),
                message:
                    recipe.words
                shell:
                    "rediffuse {params.recipe[command]} > {log} 2>&1"

        if makes.drawn:
            recipe = recipes.draw(LAYOUT, paper, artifact)

            rule:
                name:
                    f"{paper}_draw_{artifact}"
                input:
                    **recipe.inputs,
                output:
                    in_report(paper, artifact, recipe),
                    record=recipe.record,
                log:
                    LOGS / f"{paper}-draw-{artifact}.log",
                localrule: True
                params:
                    recipe=current(recipe),
                message:
                    recipe.words
                shell:
                    "rediffuse {params.recipe[command]} > {log} 2>&1"


rule sohl2015:
    input:
        paper_targets("sohl2015"),


rule ddpm:
    input:
        paper_targets("ddpm"),


rule ddim:
    input:
        paper_targets("ddim"),
