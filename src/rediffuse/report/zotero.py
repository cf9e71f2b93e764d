"""`rediffuse zotero pull`: the library's papers, tags, notes and annotations, from Zotero into reports/library.bib and reports/zotero.json.

Nothing else here speaks to Zotero: reports are rendered from the last export.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from rediffuse.config.base import Options
from rediffuse.errors import UserError
from rediffuse.files import read_json, write_json, write_text
from rediffuse.presets import problem

LOCAL = "http://localhost:23119/api"
KEY = "ZOTERO_API_KEY"
MADE_BY = "rediffuse zotero pull"
ENTRY = re.compile(r"@(\w+)\s*[{(]\s*([^\s,})]+)\s*,")
"""Where a BibTeX entry begins: its type and its citation key."""
NO_ENTRIES = ("string", "preamble", "comment")
SAID = 200
"""Signs of what a server said that are told on."""


class Annotation(Options):
    """A mark in a paper's PDF, as Zotero has it: what is marked, what was said of it, and when."""

    key: str
    type: str
    text: str
    comment: str
    color: str
    page: str
    """The page's label: as printed, which need not be a number."""
    added: str
    modified: str


class Note(Options):
    """A note of a paper, in Zotero's HTML."""

    key: str
    html: str
    added: str
    modified: str
    source: str | None = None
    """Where a note comes from that was not exported: it is kept when others are."""


class Paper(Options):
    """An item of the library."""

    item: str
    """Its key in Zotero."""
    title: str
    tags: list[str]
    notes: list[Note]
    annotations: list[Annotation]


class Export(Options):
    """reports/zotero.json: the papers by their citation keys."""

    exported: str | None
    """When something in it last changed by an export; none if nothing in it was exported."""
    library: str
    papers: dict[str, Paper]


def read(path: Path) -> Export:
    """The last export; an empty one if there is none. Raises UserError if it is damaged."""
    if not path.is_file():
        return Export(exported=None, library="", papers={})
    value = read_json(path, MADE_BY)
    try:
        return Export.model_validate(value, strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {': '.join(filter(None, problem(error, value)))}") from None


def pull(library: str, address: str, collection: str | None, bibliography: Path, path: Path) -> str:
    """Export a library, or a collection of it, and say what came. All is read before a file is touched.

    library: users/0 (the local one), users/NUMBER or groups/NUMBER. address: of Zotero's local API, which ends in /api, or of the web API,
    for which the key is taken from the environment.
    Papers and entries that the last export had and this answer has not are kept, and so are notes that were not exported.
    Raises UserError, and leaves both files, if Zotero does not answer, answers in part, or has no papers.
    """
    last, (head, before) = read(path), _entries(bibliography)
    try:
        papers, entries = _papers(library, address, collection)
    except UserError as error:
        raise UserError(f"{error}; {_kept(last, path)}") from None
    entries = {key: entry.strip() for key, entry in entries.items()}
    kept = sorted((last.papers.keys() | before.keys()) - papers.keys())
    for key, paper in last.papers.items():
        own = [note for note in paper.notes if note.source]
        if own and key in papers:
            papers[key] = papers[key].model_copy(update={"notes": [*papers[key].notes, *own]})
    papers = dict(sorted((last.papers | papers).items()))
    text = "\n".join(entry + "\n" for entry in [*head, *dict(sorted((before | entries).items())).values()])
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = Export(exported=now, library=library, papers=papers)
    same = fresh.model_copy(update={"exported": last.exported}) == last
    if not same:
        write_json(path, _json(fresh))
    if before | entries != before or not bibliography.is_file():
        write_text(bibliography, text)
    marks = sum(len(paper.annotations) for paper in papers.values())
    notes = sum(len(paper.notes) for paper in papers.values())
    told = f"{path}: {len(papers)} papers, {marks} annotations, {notes} notes{': as before' * same}"
    return told + (f"; kept, though Zotero did not name them: {', '.join(kept)}" if kept else "")


def _json(export: Export) -> dict[str, Any]:
    return {**export.model_dump(), "papers": {key: paper.model_dump(exclude_none=True) for key, paper in export.papers.items()}}


def _kept(last: Export, path: Path) -> str:
    if not last.papers:
        return f"there is no export yet in {path}"
    return f"the last export is used as it is: {path}, of {last.exported}" if last.exported else f"{path} is used as it is"


def _papers(library: str, address: str, collection: str | None) -> tuple[dict[str, Paper], dict[str, str]]:
    """The papers that Zotero answers with, and their BibTeX entries, by citation key."""
    from httpx2 import HTTPError, InvalidURL
    from pyzotero.errors import PyZoteroError

    try:
        zotero = _client(library, address)
        wanted = {"include": "data,bibtex"}
        top = zotero.collection_items_top(collection, **wanted) if collection else zotero.top(**wanted)
        tops = _all(zotero, top)
        below = _all(zotero, zotero.items())
        papers, entries = dict[str, Paper](), dict[str, str]()
        children: dict[str, list[dict[str, Any]]] = {}
        for item in sorted(below, key=lambda item: item["key"]):
            children.setdefault(item["data"].get("parentItem", ""), []).append(item["data"] | {"key": item["key"]})
        for item in sorted(tops, key=lambda item: item["key"]):
            if found := ENTRY.search(item["bibtex"]):  # attachments and notes that stand alone have none
                key = _free(found[2], entries)
                entries[key] = _text(item["bibtex"][: found.start(2)] + key + item["bibtex"][found.end(2) :])
                papers[key] = _paper(item, children)
    except PyZoteroError as error:
        said = " ".join(str(error).split())[:SAID]
        raise UserError(f"{address}: {said or type(error).__name__}; expected the library {library}, readable to us") from None
    except InvalidURL:
        raise UserError(f"--address: found {address!r}; expected {LOCAL}, or https://api.zotero.org") from None
    except HTTPError as error:
        raise UserError(
            f"{address}: no answer ({error or type(error).__name__}); expected Zotero running, and in its settings, Advanced: "
            "Allow other applications on this computer to communicate with Zotero"
        ) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{address}: not Zotero's answer ({type(error).__name__}: {str(error)[:SAID]}); expected items of version 3 of its API"
        ) from None
    if not papers:
        raise UserError(f"{address}: no paper in {library}{f', collection {collection}' * bool(collection)}; expected at least one")
    return papers, entries


def _client(library: str, address: str) -> Any:
    from pyzotero.zotero import Zotero

    kind, _, number = library.partition("/")
    if kind not in ("users", "groups") or not number.isdigit():
        raise UserError(f"--library: found {library!r}; expected users/NUMBER or groups/NUMBER")
    try:
        where = urlsplit(address)
    except ValueError:
        raise UserError(f"--address: found {address!r}; expected {LOCAL}, or https://api.zotero.org") from None
    local = where.path.rstrip("/") == "/api"
    if where.scheme not in ("http", "https") or not where.hostname:
        raise UserError(f"--address: found {address!r}; expected {LOCAL}, or https://api.zotero.org")
    key = None if local else os.environ.get(KEY)
    if key and where.scheme != "https" and where.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise UserError(f"--address: found {address!r}, to which {KEY} would go in the open; expected an address of https")
    zotero = Zotero(number, kind.removesuffix("s"), key, local=local)
    zotero.endpoint = address.rstrip("/")
    return zotero


def _all(zotero: Any, first: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every page of an answer. Raises UserError if they are not as many as it says that there are."""
    items, total = [*first], int(zotero.request.headers.get("Total-Results", len(first)))
    while len(items) < total and zotero.links and zotero.links.get("next"):
        if not (page := zotero.follow()):
            break
        items += page
    if len(items) != total:
        raise UserError(f"{zotero.endpoint}: found {len(items)} of {total} items; expected all of them")
    return items


def _free(key: str, taken: dict[str, str]) -> str:
    """A citation key, told from those of papers that have the same one, as Zotero does in an export of all."""
    return key if key not in taken else next(f"{key}-{k}" for k in range(1, len(taken) + 1) if f"{key}-{k}" not in taken)


def _paper(item: dict[str, Any], children: dict[str, list[dict[str, Any]]]) -> Paper:
    """An item with what hangs on it: notes on the item, annotations on its attachments."""
    below = children.get(item["key"], [])
    marks = [mark for each in below for mark in children.get(each["key"], []) if mark["itemType"] == "annotation"]
    marks.sort(key=lambda mark: (mark.get("annotationSortIndex", ""), mark["key"]))
    return Paper(
        item=item["key"],
        title=_text(item["data"].get("title", "")),
        tags=sorted(_text(tag["tag"]) for tag in item["data"].get("tags", [])),
        notes=[
            Note(key=note["key"], html=_text(note["note"]), added=note["dateAdded"], modified=note["dateModified"])
            for note in below
            if note["itemType"] == "note"
        ],
        annotations=[
            Annotation(
                key=mark["key"],
                type=mark["annotationType"],
                text=_text(mark.get("annotationText", "")),
                comment=_text(mark.get("annotationComment", "")),
                color=mark.get("annotationColor", ""),
                page=_text(mark.get("annotationPageLabel", "")),
                added=mark["dateAdded"],
                modified=mark["dateModified"],
            )
            for mark in marks
        ],
    )


def _text(words: str) -> str:
    """Without halves of signs, which a PDF's text can have and no file can hold."""
    return words.encode("utf-8", "replace").decode("utf-8")


def _entries(bibliography: Path) -> tuple[list[str], dict[str, str]]:
    """What the last export begins with (macros, comments, a preamble), and its entries, by their keys.

    Raises UserError if it is no text.
    """
    try:
        text = bibliography.read_text(encoding="utf-8") if bibliography.is_file() else ""
    except UnicodeDecodeError:
        raise UserError(f"{bibliography}: not text; expected BibTeX in UTF-8") from None
    head, entries = list[str](), dict[str, str]()
    for block in re.split(r"^(?=[ \t]*@\w+\s*[{(])", text, flags=re.MULTILINE):
        found = ENTRY.match(block.strip())
        if found and found[1].lower() not in NO_ENTRIES:
            entries[found[2]] = block.strip()
        elif block.strip():
            head.append(block.strip())
    return head, entries
