# Weekly reports: each is rendered by a job of its own, all of them by `snakemake weekly`.


def weekly_reports():
    """Where the weekly reports are, and which of them are none of the preset's."""
    written = [weeklies.read(weeklies.path_of(name)) for name in weeklies.names()]
    left_out = {each.path: named.left_out(LAYOUT, each) for each in written}
    if not all(left_out.values()):
        yield f"  {LAYOUT.results}/report/weekly/  the weekly reports, as pages and documents"
    yield from (f"  {path} is left out: {why}" for path, why in left_out.items() if why)


rule weekly_report:
    input:
        lambda w: recipes.weekly(LAYOUT, w.date).reads,
    output:
        page=LAYOUT.weekly("{date}"),
        document=LAYOUT.weekly("{date}").with_suffix(".docx"),
        record=LAYOUT.weekly("{date}").with_suffix(".json"),
    log:
        LOGS / "weekly-{date}.log",
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
