# What rules need to name their files and params.

LOGS = LAYOUT.results / "logs"
PAPERS = [
    paper for paper in type(PRESET.papers).model_fields if getattr(PRESET.papers, paper)
]
FILES = {
    "sohl2015": ["table1.csv", "table1.md", "fig1.png"],
    "ddpm": ["table1.csv", "table1.md", "fig1.png", "fig13.png"],
    "ddim": ["table1.csv", "table1.md", "table1.png", "fig3.png", "fig4.png"],
}


def options(block):
    """A block of options as plain values: a changed option re-runs the rules that name it, and no others."""
    return block.model_dump(mode="json")


def made_by(module):
    """The code and the pinned libraries that a rule's output depends on."""
    return {"code": code_hash(f"rediffuse.{module}"), "pins": pins()}


def run_options(name):
    """The options of a network: a diffusion run, or a feature extractor."""
    return (PRESET.runs | PRESET.features)[name]


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
    return (
        [LAYOUT.artifact(paper, name) for name in FILES[paper]]
        if paper in PAPERS
        else []
    )


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
