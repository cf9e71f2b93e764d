# Claims and verdicts, what all papers' results are gathered into, and the site that shows it.


rule claims:
    input:
        lambda w: recipes.claims(LAYOUT, w.paper).reads,
    output:
        claims=LAYOUT.results / "{paper}/claims.csv",
        record=LAYOUT.results / "{paper}/records/claims.json",
    log:
        LOGS / "{paper}-claims.log",
    localrule: True
    params:
        recipe=lambda w: current(recipes.claims(LAYOUT, w.paper)),
    message:
        "Claims and verdicts of {wildcards.paper}"
    shell:
        "rediffuse claims {wildcards.paper} > {log} 2>&1"


rule equations:
    input:
        **recipes.equations(LAYOUT).inputs,
    output:
        **recipes.equations(LAYOUT).outputs,
        record=recipes.equations(LAYOUT).record,
    log:
        LOGS / "equations.log",
    localrule: True
    params:
        recipe=current(recipes.equations(LAYOUT)),
    message:
        "Run the tests of every equation in the ledger"
    shell:
        "rediffuse equations > {log} 2>&1"


rule report:
    input:
        **recipes.report(LAYOUT).inputs,
    output:
        **recipes.report(LAYOUT).outputs,
        record=recipes.report(LAYOUT).record,
    log:
        LOGS / "report.log",
    localrule: True
    params:
        recipe=current(recipes.report(LAYOUT)),
    message:
        "Gather metrics, and the page of all tables and figures"
    shell:
        "rediffuse report > {log} 2>&1"


rule site:
    input:
        **recipes.site(LAYOUT).inputs,
    output:
        pages=recipes.site(LAYOUT).outputs["pages"],
        record=recipes.site(LAYOUT).record,
    log:
        LOGS / "site.log",
    localrule: True
    params:
        recipe=current(recipes.site(LAYOUT)),
    message:
        recipes.site(LAYOUT).words
    shell:
        "rediffuse site > {log} 2>&1"
