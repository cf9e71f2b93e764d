# What rules need to name their files and params.

LOGS = LAYOUT.results / "logs"
PAPERS = [
    paper for paper in type(PRESET.papers).model_fields if getattr(PRESET.papers, paper)
]


ASKED = [(paper, artifact) for paper in PAPERS for artifact in asked(LAYOUT, paper)]


def options(block):
    """A block of options as plain values: a changed option re-runs the rules that name it, and no others."""
    return block.model_dump(mode="json")


def made_by(module, *libraries):
    """The code and the pinned libraries that a rule's output depends on."""
    return {"code": code_hash(f"rediffuse.{module}"), "pins": pins(*libraries)}


def run_options(name):
    """The options of a network: a diffusion run, or a feature extractor."""
    return (PRESET.runs | PRESET.features)[name]


def options_of(paper, artifact):
    """The options that an artifact is made with: its own block, and what it takes of others."""
    papers = PRESET.papers
    block = getattr(getattr(papers, paper), artifact, None)
    values = options(block) if block else {}
    if (paper, artifact) == ("sohl2015", "table2"):
        values["table1"] = {
            name: getattr(papers.sohl2015.table1, name)
            for name in ("n", "strata", "seed")
        }
    if (paper, artifact) == ("sohl2015", "fig4"):
        # The generator draws the pictures that the model is shown beside, the mixture others.
        values["scales"] = papers.sohl2015.table2 and papers.sohl2015.table2.scales
        values["data"] = options(PRESET.datasets[PRESET.runs[block.run].dataset])
    return values


def inputs_of(paper, artifact):
    """The weights, samples and data that an artifact is measured on: what the names in its options stand for."""
    block = getattr(getattr(PRESET.papers, paper), artifact, None)

    def named(*keys):
        values = [getattr(block, key, None) or [] for key in keys]
        return [
            name
            for value in values
            for name in (value if isinstance(value, list) else [value])
        ]

    samples = named("samples", "digits", "ddpm")
    if (paper, artifact) == ("ddpm", "table1"):
        samples = PRESET.papers.ddpm.scored()
    runs = named("run", "leaves", "runs", "features")
    runs += [PRESET.samples[name].run for name in samples]
    return {
        "weights": [LAYOUT.weights(run) for run in dict.fromkeys(runs)],
        "samples": shards_of(*samples),
        "data": data_of(*runs),
    }


def measured_files(paper, artifact):
    """What measuring an artifact leaves."""
    return [
        (
            LAYOUT.measurements(paper, artifact)
            if name == TABLE
            else LAYOUT.artifact(paper, name)
        )
        for name in MAKES[paper][artifact].measured
    ]


def in_report(paper, artifact, name):
    """A table or figure, marked for `snakemake --report`."""
    labels = {"paper": paper, "artifact": artifact, "file": name}
    return report(LAYOUT.artifact(paper, name), category=paper, labels=labels)


def drawn_from(paper, artifact):
    """What a figure is drawn from: its table, or what was measured."""
    makes = MAKES[paper][artifact]
    table = [LAYOUT.artifact(paper, f"{artifact}.csv")] if makes.is_table else []
    return table + [
        LAYOUT.artifact(paper, name) for name in makes.measured if name != TABLE
    ]


def data_of(*runs):
    """The prepared data of networks."""
    folders = dict.fromkeys(LAYOUT.dataset(run_options(run).dataset) for run in runs)
    return [
        folder / name for folder in folders for name in ("arrays.npz", "dataset.json")
    ]


def shards_of(*names):
    """The files of sets of samples, each set once."""
    return [path for name in dict.fromkeys(names) for path in LAYOUT.shards(name)]


def published(paper, name):
    """A CSV of published numbers, claims or artifacts that lies beside a paper's module."""
    return os.path.relpath(PACKAGE / "papers" / paper / f"{name}.csv")


def paper_files(paper):
    """The tables and figures that are made of a paper; none if the preset leaves it out."""
    if paper not in PAPERS:
        return []
    names = [
        name
        for of, artifact in ASKED
        if of == paper
        for name in MAKES[paper][artifact].shown(artifact)
    ]
    return [LAYOUT.artifact(paper, name) for name in names]


def paper_targets(paper):
    """What a paper's own target makes: its tables, its figures, and its claims with their verdicts."""
    claims = [LAYOUT.artifact(paper, "claims.csv")] if paper in PAPERS else []
    return paper_files(paper) + claims


def report_files():
    return [
        LAYOUT.results / name
        for name in (
            "claims.csv",
            "artifacts.csv",
            "metrics.json",
            "timings.json",
            "summary.md",
        )
    ]


def where_to_look():
    results = LAYOUT.results
    return "\n".join(
        [
            f"\nDone: the preset {LAYOUT.name}. Where to look:",
            f"  {results}/summary.md     every table and figure with the published numbers, on one page",
            f"  {results}/claims.csv     which claims of the three papers held, and why not",
            f"  {results}/artifacts.csv  every numbered table and figure: made, or what it needs",
        ]
    )
