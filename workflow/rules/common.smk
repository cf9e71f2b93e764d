# What rules need to name their files and params.
#
# Of resources: `gpu`, `mem_mb` and `runtime` (minutes) are what one job needs; `in_turn` marks those that share a submission to a cluster,
# where they run one after the other (profiles/slurm). None limits anything on one machine, unless a profile says how much there is.

from snakemake.exceptions import WorkflowError

LOGS = LAYOUT.results / "logs"
KEEPING = [name for name, run in PRESET.runs.items() if run.training.keep]
"""Runs that keep weights on the way."""
IMPORTED = [
    name for name, run in PRESET.runs.items() if run.reuse and name not in REUSED
]
"""Runs whose weights are published."""
TAKEN = [
    name
    for name, features in PRESET.features.items()
    if features.kind == "inception" and name not in REUSED
]
"""Features whose weights are."""


def either(names):
    """One of some names, as a pattern; of none, nothing."""
    return f"(?:{'|'.join(names)})" if names else "(?!)"


TRAINED = f"(?!{either(REUSED + IMPORTED + TAKEN)}/)"
"""What a name of a network that is trained here begins with: with none of those whose weights are taken as they are, or imported."""


def current(recipe):
    """All that a job's outputs depend on beside its files, as plain values: a change re-runs the rules that it concerns, and no others."""
    return recipe.params(engine.known_options(recipe))


def in_report(paper, artifact, recipe):
    """What a job leaves; of it tables and figures marked for `snakemake --report`, each once: no table's Markdown, no figure's twins."""

    def marked(path):
        labels = {"paper": paper, "artifact": artifact, "file": path.name}
        return report(path, category=paper, labels=labels)

    shown = [
        name
        for name in MAKES[paper][artifact].shown(artifact)
        if not name.endswith(".md")
    ]
    return [marked(path) if path.name in shown else path for path in recipe.makes]


def launcher(resources, threads):
    """What starts a training: itself, or torchrun in several processes, of this node or of all nodes of a SLURM job."""
    processes, nodes = resources.processes, resources.get("nodes", 1)
    if processes == 1:
        return "rediffuse"
    each, rest = divmod(processes, nodes)
    if rest or not each:
        raise WorkflowError(
            f"resources of train: found processes={processes}, nodes={nodes}; expected as many processes on every node"
        )
    torchrun = f"OMP_NUM_THREADS={max(1, threads // each)} torchrun --nproc-per-node {each} -m rediffuse.cli"
    if nodes == 1:
        return torchrun.replace("torchrun", "torchrun --standalone")
    # The job's shell is on the first of its nodes, where all find each other; jobs of one node have ports of their own.
    return torchrun.replace(
        "torchrun",
        f"srun --nodes {nodes} --ntasks {nodes} --cpus-per-task {threads} --kill-on-bad-exit=1 torchrun --nnodes {nodes} "
        "--rdzv-backend c10d --rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 10000))",
    )


def paper_targets(paper):
    """What a paper's own target makes: its tables, its figures, and its claims with their verdicts."""
    claims = [LAYOUT.artifact(paper, "claims.csv")] if paper in LAYOUT.papers else []
    return recipes.shown(LAYOUT, paper) + claims


def at_start():
    """What is to be known before anything runs."""
    pins = {name: versions for job in JOBS for name, versions in job.pins.items()}
    yield from (f"warning: {line}" for line in provenance.unpinned(pins))
    yield from (f"{name}: its weights are taken as they are." for name in REUSED)
    yield from (
        f"{name}: its weights are imported from {PRESET.runs[name].reuse.weights}."
        for name in IMPORTED
    )
    yield from checkpoints.keep(LAYOUT, REUSED)
    yield f"To watch a job: rediffuse status, or tail -f {LOGS}/*.log (images/s, time left, loss)"


def where_to_look():
    results = LAYOUT.results
    return "\n".join(
        [
            f"\nDone: the preset {LAYOUT.name}. Where to look:",
            f"  {results}/report/index.html  all of it as pages, in English and Chinese: open it in a browser, from disk",
            f"  {results}/summary.md         every table and figure with the published numbers, on one page",
            f"  {results}/claims.csv         which claims of the three papers held, and why not",
            f"  {results}/artifacts.csv      every numbered table and figure: made, or what it needs",
        ]
    )


def weekly_reports():
    """Where the weekly reports are, and which of them are none of the preset's."""
    written = [weeklies.read(weeklies.path_of(name)) for name in weeklies.names()]
    left_out = {each.path: named.left_out(LAYOUT, each) for each in written}
    if not all(left_out.values()):
        yield f"  {LAYOUT.results}/report/weekly/  the weekly reports, as pages and documents"
    yield from (f"  {path} is left out: {why}" for path, why in left_out.items() if why)
