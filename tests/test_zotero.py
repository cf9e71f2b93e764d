"""`rediffuse zotero pull` against a server on loopback that answers in the documented shape; no Zotero was at hand.

The shape is that of Zotero 7's local API, which answers as version 3 of the web API does: items as JSON with `data`, and `bibtex` where
it is asked for; pages with Link and Total-Results; attachments under items, annotations under attachments.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tiny import files, rediffuse, refused

from rediffuse import weeklies
from rediffuse.report import pandoc, zotero

DAY = {"dateAdded": "2023-01-02T10:00:00Z", "dateModified": "2023-01-03T11:00:00Z"}
BIB = "\n@inproceedings{%s,\n\ttitle = {%s},\n\tauthor = {Ho, Jonathan},\n\tyear = {2020}\n}\n"


def item(key: str, kind: str, parent: str | None = None, bibtex: str = "", **data: Any) -> dict[str, Any]:
    below = {"parentItem": parent} if parent else {}
    return {
        "key": key,
        "version": 1,
        "library": {"type": "user", "id": 0},
        "data": {"key": key, "itemType": kind} | below | DAY | data,
        "bibtex": bibtex,
    }


def mark(key: str, text: str, place: str, **data: Any) -> dict[str, Any]:
    about = {"annotationType": "highlight", "annotationText": text, "annotationComment": "", "annotationColor": "#ffd400"}
    return item(key, "annotation", "PDF1", **about | {"annotationPageLabel": "5", "annotationSortIndex": place} | data)


ITEMS = [
    item("PAPER2", "journalArticle", bibtex=BIB % ("song2021denoising", "Implicit"), title="Implicit", tags=[]),
    item(
        "PAPER1",
        "conferencePaper",
        bibtex=BIB % ("ho2020denoising", "Denoising"),
        title="Denoising",
        tags=[{"tag": "read"}, {"tag": "ddpm"}],
    ),
    item("PDF1", "attachment", "PAPER1", title="PDF"),
    item("NOTE1", "note", "PAPER1", note="<p>A note, 笔记</p>"),
    mark("MARKB", "second", "00005|000900|00100", annotationComment="why?"),
    mark("MARKA", "first", "00004|000100|00200", annotationColor="#ff6666", annotationPageLabel="iv"),
    item("ALONE", "attachment", title="a PDF of no paper"),
]


class Server(ThreadingHTTPServer):
    """Zotero's answers; `asked` has every request, with its headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.items: list[dict[str, Any]] = list(ITEMS)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[str], tuple[int, str] | None] = lambda path: None
        self.total = 0
        """Items that it says it has beyond those that it gives."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        asked = dict(parse_qsl(where.query))
        self.server.asked.append((self.path, dict(self.headers)))
        headers = {"Content-Type": "application/json", "Zotero-API-Version": "3"}
        if told := self.server.answer(where.path):
            return self.say(told[0], headers | {"Content-Type": "text/plain"}, told[1])
        parts = where.path.removeprefix("/api").strip("/").split("/")
        found = self.server.items
        if parts[2:3] == ["collections"]:
            found = [each for each in found if each["key"] == "PAPER1"]
        if parts[-1] == "top":
            found = [each for each in found if "parentItem" not in each["data"]]
        start, limit = int(asked.get("start", 0)), min(2, int(asked.get("limit", 2)))  # small pages, so that there are several
        page = [{key: value for key, value in each.items() if key != "bibtex" or "bibtex" in asked.get("include", "")} for each in found]
        if start + limit < len(found):
            query = urlencode(asked | {"start": start + limit, "limit": limit})
            headers["Link"] = f'<http://{self.headers["Host"]}{where.path}?{query}>; rel="next"'
        headers["Total-Results"] = str(len(found) + self.server.total)
        return self.say(200, headers, json.dumps(page[start : start + limit]))

    def say(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(zotero.KEY, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def pull(server: Server, *arguments: str) -> int:
    return rediffuse("zotero", "pull", "--address", server.address, *arguments)


def test_all_pages_of_papers_tags_notes_and_annotations_come(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert pull(server) == 0
    assert capsys.readouterr().out == "reports/zotero.json: 2 papers, 2 annotations, 1 notes\n"
    export = zotero.read(weeklies.ZOTERO)
    assert [*export.papers] == ["ho2020denoising", "song2021denoising"], "by citation key"
    paper = export.papers["ho2020denoising"]
    assert (paper.item, paper.title, paper.tags) == ("PAPER1", "Denoising", ["ddpm", "read"])
    assert [(note.html, note.added) for note in paper.notes] == [("<p>A note, 笔记</p>", DAY["dateAdded"])]
    assert [each.text for each in paper.annotations] == ["first", "second"], "as they stand in the paper"
    first, second = paper.annotations
    assert (first.page, first.color, first.type) == ("iv", "#ff6666", "highlight")
    assert (second.comment, second.added, second.modified) == ("why?", DAY["dateAdded"], DAY["dateModified"])
    assert pandoc.keys(weeklies.LIBRARY) == {"ho2020denoising", "song2021denoising"}
    assert len(server.asked) == 2 + 4, "pages of two: of three items at the top, of seven in all"
    assert all(headers["Zotero-API-Version"] == "3" for _, headers in server.asked)
    assert not any("Authorization" in headers for _, headers in server.asked)


def test_a_second_pull_of_the_same_touches_nothing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    pull(server)
    before = files(Path())
    server.items.reverse()
    assert pull(server) == 0
    assert files(Path()) == before, "whatever the order of the answer"
    assert capsys.readouterr().out.endswith("1 notes: as before\n")


def test_a_collection_is_its_papers_alone(server: Server) -> None:
    assert pull(server, "--collection", "COLL") == 0
    export = zotero.read(weeklies.ZOTERO)
    assert [*export.papers] == ["ho2020denoising"]
    assert len(export.papers["ho2020denoising"].annotations) == 2


def test_papers_with_the_same_key_are_told_apart(server: Server) -> None:
    server.items.append(item("PAPER3", "book", bibtex=BIB % ("ho2020denoising", "Another"), title="Another", tags=[]))
    assert pull(server) == 0
    export = zotero.read(weeklies.ZOTERO)
    assert {key: paper.title for key, paper in export.papers.items()} == {
        "ho2020denoising": "Denoising",
        "ho2020denoising-1": "Another",
        "song2021denoising": "Implicit",
    }
    assert pandoc.keys(weeklies.LIBRARY) == {*export.papers}


def test_what_zotero_no_longer_names_and_what_was_not_exported_are_kept(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    pull(server)
    told = json.loads(weeklies.ZOTERO.read_text())
    note = {"key": "T", "html": "<p>by hand</p>", "added": DAY["dateAdded"], "modified": DAY["dateAdded"]}
    told["papers"]["ho2020denoising"]["notes"].append(note | {"source": "transcribed"})
    weeklies.ZOTERO.write_text(json.dumps(told))
    server.items = [each for each in server.items if each["key"] != "PAPER2"]
    capsys.readouterr()
    assert pull(server) == 0
    assert capsys.readouterr().out.endswith("; kept, though Zotero did not name them: song2021denoising\n")
    export = zotero.read(weeklies.ZOTERO)
    assert [note.html for note in export.papers["ho2020denoising"].notes] == ["<p>A note, 笔记</p>", "<p>by hand</p>"]
    assert pandoc.keys(weeklies.LIBRARY) == {"ho2020denoising", "song2021denoising"}
    assert pull(server) == 0
    assert zotero.read(weeklies.ZOTERO) == export, "nor twice"


FAILURES: dict[str, tuple[Callable[[Server], object], str]] = {
    "closed to others": (
        lambda server: setattr(server, "answer", lambda _: (403, "Local API is not enabled")),
        "Response: Local API is not enabled; expected",
    ),
    "broken": (lambda server: setattr(server, "answer", lambda _: (500, "")), "Code: 500"),
    "broken in the middle": (
        lambda server: setattr(server, "answer", lambda path: None if path.endswith("top") else (500, "")),
        "Code: 500",
    ),
    "another server": (lambda server: setattr(server, "answer", lambda _: (200, "<html>")), "not Zotero's answer"),
    "items of another shape": (lambda server: server.items.append({"key": "X", "data": {}}), "not Zotero's answer (KeyError: 'bibtex')"),
    "an empty library": (lambda server: server.items.clear(), "no paper in users/0; expected at least one"),
    "a part of its items": (lambda server: setattr(server, "total", 3), "found 3 of 6 items; expected all of them"),
    "nobody": (lambda server: server.server_close(), "no answer ("),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_pull_is_one_line_and_leaves_the_last_export(server: Server, capsys: pytest.CaptureFixture[str], case: str) -> None:
    pull(server)
    exported = zotero.read(weeklies.ZOTERO).exported
    fail, expected = FAILURES[case]
    fail(server)
    line = refused(capsys, "zotero", "pull", "--address", server.address)
    assert line.startswith(server.address)
    assert expected in line
    assert line.endswith(f"; the last export is used as it is: reports/zotero.json, of {exported}")


def test_without_zotero_and_without_an_export_the_line_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.server_close()
    line = refused(capsys, "zotero", "pull", "--address", server.address)
    assert "expected Zotero running, and in its settings, Advanced: Allow other applications" in line
    assert line.endswith("; there is no export yet in reports/zotero.json")


def test_the_key_of_a_web_library_goes_to_the_web_api_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(zotero.KEY, "secret")
    pull(server)
    assert not any("secret" in str(headers) for _, headers in server.asked), "the local API needs none"
    server.asked.clear()
    assert rediffuse("zotero", "pull", "--library", "users/7", "--address", server.address.removesuffix("/api")) == 0
    assert all(path.startswith("/users/7/items") and headers["Authorization"] == "Bearer secret" for path, headers in server.asked)
    assert len(server.asked) == 6
    assert "secret" not in weeklies.ZOTERO.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--library", "me"], "--library: found 'me'; expected users/NUMBER or groups/NUMBER"),
        (["--library", "users/x"], "--library: found 'users/x'; expected users/NUMBER or groups/NUMBER"),
        (["--address", "zotero"], "--address: found 'zotero'; expected http://localhost:23119/api, or https://api.zotero.org"),
        (["--address", "http://[::1"], "--address: found 'http://[::1'; expected http://localhost:23119/api"),
        (["--address", "http://localhost:abc/api"], "--address: found 'http://localhost:abc/api'; expected http://localhost:23119/api"),
        (["--address", "http://example.org"], "--address: found 'http://example.org', to which ZOTERO_API_KEY would go in the open"),
    ],
)
def test_a_wrong_option_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    monkeypatch.setenv(zotero.KEY, "secret")
    assert refused(capsys, "zotero", "pull", *arguments).startswith(expected)
    assert not server.asked


def test_a_page_that_leads_to_itself_ends(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that always names a next page and never gives what it promised."""
    pull(server)
    server.total = 1000
    line = refused(capsys, "zotero", "pull", "--address", server.address)
    assert "items; expected all of them" in line


def test_macros_comments_and_indented_entries_are_kept(server: Server) -> None:
    weeklies.LIBRARY.parent.mkdir()
    weeklies.LIBRARY.write_text(
        "@string{nips = {NeurIPS}}\n\n@comment{by hand}\n\n@article{ho2020denoising, title={Old}, journal=nips}\n\n"
        " @article{indented, title={Kept}, journal=nips}\n"
    )
    assert pull(server) == 0
    text = weeklies.LIBRARY.read_text()
    assert text.startswith("@string{nips = {NeurIPS}}\n\n@comment{by hand}\n")
    assert "Old" not in text
    assert {"ho2020denoising", "song2021denoising", "indented"} <= pandoc.keys(weeklies.LIBRARY)


def test_a_library_that_is_no_text_is_told_before_anything_is_asked(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    weeklies.LIBRARY.parent.mkdir()
    weeklies.LIBRARY.write_bytes(b"@article{a, title={caf\xe9}}\n")
    assert refused(capsys, "zotero", "pull", "--address", server.address) == "reports/library.bib: not text; expected BibTeX in UTF-8"
    assert not server.asked


def test_half_a_sign_of_a_pdf_is_written_as_a_question_mark(server: Server) -> None:
    server.items.append(mark("MARKC", "half \ud835 a sign", "00009"))
    assert pull(server) == 0
    assert "half ? a sign" in [each.text for each in zotero.read(weeklies.ZOTERO).papers["ho2020denoising"].annotations]
