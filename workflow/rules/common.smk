# What rules need to name their files and params.

from typing import NamedTuple

LOGS = LAYOUT.results / "logs"
PAPERS = [
    paper for paper in type(PRESET.papers).model_fields if getattr(PRESET.papers, paper)
]


class Makes(NamedTuple):
    """How an artifact of Sohl-Dickstein 2015 is made: by which module it is measured, and the files it leaves in three steps."""

    by: str
    measured: list[str]
    """Files beside the figure; `measurements` stands for the CSV that a table is made of."""
    published: list[str] = []
    """CSVs beside the paper's module that its table reads."""
    drawn: list[str] = []

    @property
    def is_table(self):
        return "measurements" in self.measured


SOHL2015_MAKES = {
    "table1": Makes("bounds", ["measurements"], ["published_table1"]),
    "table2": Makes("likelihoods", ["measurements"], ["published_table2"]),
    "table_app1": Makes("equations", ["measurements"], ["equations"]),
    "fig1": Makes("chains", ["fig1.npz", "fig1.csv"], drawn=["fig1.png", "fig1.gif"]),
    "fig2": Makes("chains", ["fig2.npz", "fig2.csv"], drawn=["fig2.png"]),
    "fig3": Makes("images", ["fig3.npz", "fig3.csv"], drawn=["fig3.png"]),
    "fig4": Makes("images", ["fig4.npz"], drawn=["fig4.png"]),
    "fig5": Makes("images", ["fig5.npz", "fig5.csv"], drawn=["fig5.png"]),
    "fig_app1": Makes("images", ["fig_app1.npz"], drawn=["fig_app1.png"]),
    "fig_d1": Makes("images", ["fig_d1.json"], drawn=["fig_d1.png"]),
    "entropy": Makes("entropies", ["entropy.csv"], drawn=["entropy.png"]),
    "ablation": Makes("gaps", ["measurements"], drawn=["ablation.png"]),
    "products": Makes("products", ["measurements"]),
}
SOHL2015_ASKED = [
    artifact
    for artifact in SOHL2015_MAKES
    if PRESET.papers.sohl2015
    and (
        artifact == "table_app1"
        or getattr(PRESET.papers.sohl2015, artifact) is not None
    )
]


def sohl2015_files():
    """The tables and figures of the paper that the preset asks for."""
    files = []
    for artifact in SOHL2015_ASKED:
        makes = SOHL2015_MAKES[artifact]
        files += (
            [f"{artifact}.csv", f"{artifact}.md"] if makes.is_table else makes.measured
        )
        files += makes.drawn
    return [name for name in files if not name.endswith(".npz")]


def sohl2015_options(artifact):
    """The options that an artifact is made with: its own block, and what it takes of others."""
    paper = PRESET.papers.sohl2015
    if artifact == "table_app1":
        return {}
    block = getattr(paper, artifact)
    values = options(block)
    if artifact == "table2":
        values["table1"] = {
            name: getattr(paper.table1, name) for name in ("n", "strata", "seed")
        }
    if artifact == "fig4":
        # The generator draws the pictures that the model is shown beside, the mixture others.
        values["scales"] = paper.table2 and paper.table2.scales
        values["data"] = options(PRESET.datasets[PRESET.runs[paper.fig4.run].dataset])
    return values


def sohl2015_inputs(artifact):
    """The weights, samples and data that an artifact is measured on."""
    block = getattr(PRESET.papers.sohl2015, artifact, None)
    runs = [getattr(block, "run", None), getattr(block, "leaves", None)]
    runs = [*getattr(block, "runs", []), *filter(None, runs)]
    sets = filter(
        None, [getattr(block, "samples", None), getattr(block, "digits", None)]
    )
    sets = list(sets)
    return {
        "weights": [LAYOUT.weights(run) for run in dict.fromkeys(runs)],
        "samples": shards_of(*sets),
        "data": data_of(*runs, *[PRESET.samples[name].run for name in sets]),
    }


FILES = {
    "sohl2015": sohl2015_files(),
    "ddpm": ["table1.csv", "table1.md", "fig1.png", "fig13.png"],
    "ddim": ["table1.csv", "table1.md", "table1.png", "fig3.png", "fig4.png"],
}


def options(block):
    """A block of options as plain values: a changed option re-runs the rules that name it, and no others."""
    return block.model_dump(mode="json")


def made_by(module, *libraries):
    """The code and the pinned libraries that a rule's output depends on."""
    return {"code": code_hash(f"rediffuse.{module}"), "pins": pins(*libraries)}


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
