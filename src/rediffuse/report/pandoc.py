"""Markdown with LaTeX and citations as HTML and as .docx, by pandoc. What it would only warn of is an error here, with file and line."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from rediffuse.errors import UserError
from rediffuse.files import read_bytes, write_bytes

READER = "markdown-yaml_metadata_block+east_asian_line_breaks"
"""Front matter is read by those who know its keys; a line that ends inside a Chinese sentence is no space."""
LANGUAGES = {"en": "en-GB", "zh": "zh-Hans"}
TITLES = {"en": "References", "zh": "参考文献"}


def html(markdown: str, source: Path, language: str, bibliography: Path | None = None) -> str:
    """A fragment of HTML 5; its formulas are MathML, its citations are set and listed at the end.

    source: the file of which errors tell.
    Raises UserError for a citation key that the bibliography does not have (file and line) and for LaTeX that cannot be set.
    """
    return _convert(markdown, source, language, bibliography, "html5", ["--mathml", "--syntax-highlighting=none", "--section-divs"])


def docx(markdown: str, source: Path, language: str, path: Path, bibliography: Path | None = None, title: str = "") -> None:
    """Write a document for word processors; the pictures that the text names lie in it. Raises UserError as `html` does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        _convert(markdown, source, language, bibliography, "docx", ["--metadata", f"title={title}"] if title else [], str(file))
        write_bytes(path, read_bytes(file, "pandoc"))


def keys(bibliography: Path) -> set[str]:
    """The citation keys of a bibliography. Raises UserError if there is none, or it is no BibTeX."""
    import pypandoc

    text = read_bytes(bibliography, "rediffuse zotero pull").decode("utf-8", "replace")
    try:
        entries = json.loads(pypandoc.convert_text(text, "csljson", format="biblatex"))
    except RuntimeError as error:
        raise UserError(f"{bibliography}: {_last(error)}; expected BibTeX, as Zotero exports it") from None
    return {entry["id"] for entry in entries}


def cited(markdown: str) -> list[str]:
    """The keys that a text cites, in order of first appearance."""
    import pypandoc

    found: dict[str, None] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("t") == "Cite":
                found.update((citation["citationId"], None) for citation in node["c"][0])
            walk(node.get("c") if "c" in node else node.get("blocks"))
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(json.loads(pypandoc.convert_text(markdown, "json", format=READER)))
    return list(found)


def _convert(
    markdown: str, source: Path, language: str, bibliography: Path | None, to: str, arguments: list[str], output: str | None = None
) -> str:
    import pypandoc

    arguments = [*arguments, "--fail-if-warnings", "--metadata", f"lang={LANGUAGES[language]}"]
    if bibliography:
        known = keys(bibliography)
        for key in cited(markdown):
            if key not in known:
                raise UserError(f"{source}:{_line(source, key)}: citation @{key}: not in {bibliography}; expected one of {_some(known)}")
        titled = ["--metadata", f"reference-section-title={TITLES[language]}", "--metadata", "link-citations=true"]
        arguments += ["--citeproc", "--bibliography", str(bibliography), *titled]
    try:
        return str(pypandoc.convert_text(markdown, to, format=READER, extra_args=arguments, outputfile=output))
    except RuntimeError as error:
        raise UserError(f"{source}: pandoc: {_last(error)}") from None


def _line(source: Path, key: str) -> int:
    """Where a text first cites a key."""
    lines = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
    return next((number for number, line in enumerate(lines, 1) if re.search(rf"@\{{?{re.escape(key)}(?![\w:-])", line)), 1)


def _some(known: set[str]) -> str:
    return ", ".join(sorted(known)[:12]) + (", ..." if len(known) > 12 else "")


def _last(error: RuntimeError) -> str:
    """What pandoc said, in one line."""
    said = str(error).partition("during conversion: ")[2] or str(error)
    return " ".join(said.replace("Failing because there were warnings.", "").replace("[WARNING]", "").split())
