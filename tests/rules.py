"""What the workflow's rules say, read without Snakemake."""

from pathlib import Path
from typing import Any, NamedTuple

RULES = Path(__file__).resolve().parents[1] / "workflow" / "rules"


def sohl2015_makes() -> dict[str, Any]:
    """How each artifact of Sohl-Dickstein 2015 is made, by its name: the plain Python of common.smk."""
    text = (RULES / "common.smk").read_text(encoding="utf-8")
    names: dict[str, Any] = {"NamedTuple": NamedTuple}
    exec(text[text.index("class Makes") : text.index("SOHL2015_ASKED")], names)
    return names["SOHL2015_MAKES"]
