# What all papers' results are gathered into.


rule report:
    input:
        papers=[path for paper in PAPERS for path in paper_files(paper)],
        claims=[published(paper, "claims") for paper in PAPERS],
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
        made_by=[
            made_by("report.gather"),
            *[made_by(f"papers.{paper}.claims") for paper in PAPERS],
        ],
    message:
        "Claims and verdicts, metrics, and the page of all tables and figures"
    shell:
        "rediffuse report > {log} 2>&1"
