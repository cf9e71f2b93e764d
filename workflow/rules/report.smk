# Claims and verdicts, and what all papers' results are gathered into.


rule claims:
    input:
        papers=lambda w: paper_files(w.paper),
        claims=lambda w: published(w.paper, "claims"),
    output:
        LAYOUT.results / "{paper}/claims.csv",
    log:
        LOGS / "{paper}-claims.log",
    localrule: True
    params:
        made_by=lambda w: made_by(f"papers.{w.paper}.claims"),
        gather=made_by("report.gather"),
    message:
        "Claims and verdicts of {wildcards.paper}"
    shell:
        "rediffuse claims {wildcards.paper} > {log} 2>&1"


rule report:
    input:
        papers=[path for paper in PAPERS for path in paper_targets(paper)],
        artifacts=[published(paper, "artifacts") for paper in PAPERS],
        facts=[
            *[
                LAYOUT.run(name) / "facts.json"
                for name in PRESET.runs | PRESET.features
            ],
            *[path.with_suffix(".json") for path in shards_of(*PRESET.samples)],
        ],
    output:
        report_files(),
    log:
        LOGS / "report.log",
    localrule: True
    params:
        made_by=made_by("report.gather"),
    message:
        "Metrics, and the page of all tables and figures"
    shell:
        "rediffuse report > {log} 2>&1"
