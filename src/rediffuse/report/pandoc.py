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
    return {entry["id"] for entry in _library(bibliography)}


def _library(bibliography: Path) -> list[dict[str, Any]]:
    """The entries of a bibliography. It is others' words: in a sandbox, and without the links and pictures that its LaTeX may have."""
    import pypandoc

    text = read_bytes(bibliography, "rediffuse zotero pull").decode("utf-8", "replace")
    try:
        told = pypandoc.convert_text(text, "csljson", format="biblatex", extra_args=["--sandbox", "--quiet"])
    except RuntimeError as error:
        raise UserError(f"{bibliography}: {_last(error)}; expected BibTeX, as Zotero exports it") from None
    if not (entries := json.loads(told)):
        raise UserError(f"{bibliography}: no entry in it; expected BibTeX, as Zotero exports it")
    return list(entries)


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

    walk(json.loads(pypandoc.convert_text(markdown, "json", format=READER, extra_args=["--quiet"])))
    return list(found)


def _convert(
    markdown: str, source: Path, language: str, bibliography: Path | None, to: str, arguments: list[str], output: str | None = None
) -> str:
    import pypandoc

    arguments = [*arguments, "--fail-if-warnings", "--metadata", f"lang={LANGUAGES[language]}"]
    with tempfile.TemporaryDirectory() as folder:
        if bibliography:
            library, file = _library(bibliography), Path(folder) / "library.json"
            known = {entry["id"] for entry in library}
            for key in cited(markdown):
                if key not in known:
                    line = _line(source, rf"@\{{?{re.escape(key)}(?![\w:-])")
                    raise UserError(f"{source}:{line}: citation @{key}: not in {bibliography}; expected one of {_some(known)}")
            file.write_text(json.dumps(library), encoding="utf-8")
            titled = ["--metadata", f"reference-section-title={TITLES[language]}", "--metadata", "link-citations=true"]
            arguments += ["--citeproc", "--bibliography", str(file), *titled]
        try:
            return str(pypandoc.convert_text(markdown, to, format=READER, extra_args=arguments, outputfile=output))
        except RuntimeError as error:
            said = _last(error)
            named = re.search(r"TeX math (.+?), rendering|resource '?([^':]+?)'?(?:: | not |$)", said)
            line = _line(source, re.escape(next(filter(None, named.groups())))) if named else 0
            raise UserError(f"{source}{f':{line}' * bool(line)}: pandoc: {said}") from None


def _line(source: Path, pattern: str) -> int:
    """The first line of a text that has something; 0 if none has."""
    lines = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
    return next((number for number, line in enumerate(lines, 1) if re.search(pattern, line)), 0)


def _some(known: set[str]) -> str:
    return ", ".join(sorted(known)[:12]) + (", ..." if len(known) > 12 else "")


def _last(error: RuntimeError) -> str:
    """What pandoc said, in one line."""
    said = str(error).partition("during conversion: ")[2] or str(error)
    return " ".join(said.replace("Failing because there were warnings.", "").replace("[WARNING]", "").split())
