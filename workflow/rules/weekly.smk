# Weekly reports: each is rendered by a job of its own, all of them by `snakemake weekly`.


rule weekly_report:
    input:
        lambda w: recipes.weekly(LAYOUT, w.date).reads,
    output:
        page=LAYOUT.weekly("{date}"),
        document=LAYOUT.weekly("{date}").with_suffix(".docx"),
        record=LAYOUT.weekly("{date}").with_suffix(".json"),
    log:
        LOGS / "weekly-{date}.log",
    wildcard_constraints:
        date="|".join(weeklies.names()) or "none",
    localrule: True
    params:
        recipe=lambda w: current(recipes.weekly(LAYOUT, w.date)),
    message:
        "Render the weekly report {wildcards.date}"
    shell:
        "rediffuse {params.recipe[command]} > {log} 2>&1"


rule weekly:
    input:
        *[recipes.weekly(LAYOUT, name).makes for name in weeklies.names()],
    message:
        "All weekly reports are rendered"
