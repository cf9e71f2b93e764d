"""Where everything lies, relative to the folder that the pipeline runs in. The rules and the command line both ask here."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from rediffuse.config.preset import Preset
from rediffuse.files import write_text

RAW = Path("data/raw")
"""What is downloaded, or put there by the user."""
VECTOR, CHINESE = ".svg", ".zh.png"
"""How the names of a figure's twins end, which stand beside its PNG: the same as vectors, and with its words in Chinese."""


@dataclass(frozen=True)
class Layout:
    """The paths of one preset's files."""

    name: str
    preset: Preset

    @property
    def results(self) -> Path:
        return Path("results") / self.name

    @property
    def papers(self) -> list[str]:
        """The papers that the preset reproduces."""
        return [paper for paper in type(self.preset.papers).model_fields if getattr(self.preset.papers, paper) is not None]

    def dataset(self, name: str) -> Path:
        """The prepared data's folder; its name holds a hash of the chosen options, so that presets do not undo each other."""
        options = json.dumps(self.preset.datasets[name].model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return Path("data") / f"{name}-{hashlib.sha256(options.encode()).hexdigest()[:8]}"

    def run(self, name: str) -> Path:
        return self.results / "runs" / name

    def weights(self, name: str) -> Path:
        return self.run(name) / "weights.safetensors"

    def kept(self, name: str) -> Path:
        """The weights that a network's training kept on the way."""
        return self.run(name) / "kept.safetensors"

    def shards(self, name: str) -> list[Path]:
        return [self.shard(name, k) for k in range(self.preset.samples[name].shards)]

    def shard(self, name: str, k: int) -> Path:
        samples = self.preset.samples[name]
        return self.results / "samples" / samples.run / f"{name}-{k + 1}of{samples.shards}.npz"

    def state(self, job: str) -> Path:
        """What a stopped job goes on from: no declared output, and gone when the job is done."""
        return self.results / ".state" / job

    def measurements(self, paper: str, artifact: str) -> Path:
        return self.results / "measurements" / paper / f"{artifact}.csv"

    def artifact(self, paper: str, file: str) -> Path:
        return self.results / paper / file

    def weekly(self, name: str) -> Path:
        """A weekly report's page; beside it lie its document (.docx) and its record (.json)."""
        return self.results / "report" / "weekly" / f"{name}.html"

    def asks(self, paper: str, artifact: str) -> bool:
        """Whether the preset asks for a table or figure; one without options of its own is asked for with its paper."""
        options = getattr(self.preset.papers, paper)
        return options is not None and getattr(options, self.measured_for(paper, artifact), True) is not None

    def measured_for(self, paper: str, artifact: str) -> str:
        """The artifact whose measurement a table or figure is made from: mostly its own."""
        of: dict[str, str] = getattr(getattr(self.preset.papers, paper), "of", {})
        return of.get(artifact, artifact)

    def write_text(self, paper: str, file: str, text: str) -> None:
        write_text(self.artifact(paper, file), text)
