"""`rediffuse record`: the snapshot that git holds, and the stages by which DVC knows the preset's files."""

import io
import shutil
from pathlib import Path
from typing import Any

from rediffuse.errors import UserError
from rediffuse.files import read_bytes, write_bytes, write_text
from rediffuse.paths import CHINESE, Layout
from rediffuse.pipeline.mend import mend
from rediffuse.presets import SHIPPED

DVC = Path("dvc.yaml")
LARGEST = 1024 * 1024
"""Bytes of a file that git is still given."""
HEADER = """\
# Written by `make record`; do not edit. Snakemake makes everything, DVC holds it: each stage names outputs of the Snakefile, of recorded
# presets alone, so that `dvc pull` and `dvc repro` never meet a file that nobody has, nor start a run that nobody asked for.
"""


def record(layout: Layout) -> list[str]:
    """Write docs/results/<preset>/ and the preset's stages in dvc.yaml; the stages' names. Raises UserError if results are missing."""
    page = read_bytes(layout.results / "summary.md", "snakemake --cores all")
    content = stages(layout, DVC)
    mend()
    wanted = [layout.results / name for name in ("claims.csv", "artifacts.csv", "metrics.json", "timings.json")]
    wanted += [
        path
        for paper in layout.papers
        for path in sorted(layout.artifact(paper, "").glob("*"))
        if layout.asks(paper, path.name.split(".")[0]) and not path.name.endswith(CHINESE)
    ]
    # All is read before the snapshot that stands there is touched.
    files = {path: read_bytes(path, "snakemake --cores all") for path in wanted if path.suffix in (".csv", ".json", ".md", ".png", ".gif")}
    snapshot = Path("docs") / layout.results
    shutil.rmtree(snapshot, ignore_errors=True)
    for path, file in files.items():
        if len(file) <= LARGEST:
            write_bytes(snapshot / path.relative_to(layout.results), file)
    write_bytes(snapshot / "README.md", page)
    write_text(DVC, HEADER + dump(content))
    folders = {layout.dataset(name).as_posix().replace("/", "-") for name in layout.preset.datasets}
    return [name for name in content["stages"] if name in folders or name.startswith(f"{layout.name}-")]


def stages(layout: Layout, path: Path) -> dict[str, Any]:
    """The content of dvc.yaml with this preset's stages in place of any that it had."""
    from ruamel.yaml import YAML

    known = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) if path.exists() else {}
    options = _options(layout)
    results = layout.results.as_posix()
    made = ["claims.csv", "artifacts.csv", "timings.json", "summary.md", "provenance.json", "report.json", "measurements", *layout.papers]
    made += ["equations.csv", "equations.json", "report", "site.json"]

    def stage(target: str, needs: list[str], keys: list[str], outs: list[str]) -> dict[str, Any]:
        return {
            "cmd": f"snakemake --cores all --config preset={layout.name} -- {target}",
            "deps": [*needs, "src/rediffuse"],
            "params": [{options: keys}],
            "outs": [{out: {"persist": True}} for out in outs],
        }

    # A stage a data set: presets share those whose options are the same, and DVC lets a file be of one stage alone.
    data = {name: layout.dataset(name).as_posix() for name in layout.preset.datasets}
    mine = {folder.replace("/", "-"): stage(f"{folder}/arrays.npz", [], [f"datasets.{name}"], [folder]) for name, folder in data.items()}
    mine[f"{layout.name}-runs"] = stage("runs", [*data.values()], ["features", "runs"], [f"{results}/runs"])
    mine[f"{layout.name}-samples"] = stage("samples", [f"{results}/runs"], ["samples"], [f"{results}/samples"])
    needs = [f"{results}/runs", f"{results}/samples"]
    mine[f"{layout.name}-results"] = stage("all", needs, ["papers"], [f"{results}/{name}" for name in made])
    mine[f"{layout.name}-results"]["metrics"] = [{f"{results}/metrics.json": {"persist": True}}]

    rest = {name: stage for name, stage in known.get("stages", {}).items() if not name.startswith(f"{layout.name}-")} | mine
    used = {dep for stage in rest.values() for dep in stage["deps"]}
    kept = {name: stage for name, stage in rest.items() if not name.startswith("data-") or next(iter(stage["outs"][0])) in used}
    trained = [run for run, options in layout.preset.runs.items() if not options.reuse]
    curves = {"x": "step", "y": {f"{results}/runs/{run}/history.csv": "loss" for run in trained}}
    plots = [plot for plot in known.get("plots", []) if not next(iter(plot)).startswith(f"{layout.name}:")]
    plots += [{f"{layout.name}: training loss": curves}] if trained else []
    return {"stages": dict(sorted(kept.items())), "plots": plots}


def dump(content: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 140
    text = io.StringIO()
    yaml.dump(content, text)
    return text.getvalue()


def _options(layout: Layout) -> str:
    """The preset's file from the repository's top, as DVC wants its params. Raises UserError for a preset that lies elsewhere."""
    path = SHIPPED / f"{layout.name}.yaml"
    if not path.exists():
        raise UserError(f"preset {layout.name}: not in config/; expected a preset that is kept with the project: put it there to record it")
    return f"config/{path.name}"
