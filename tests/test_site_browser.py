"""The site in Debian's Chromium, opened from disk: nothing missing, no network, by mouse and by keyboard, in both languages, on a phone."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from pipeline import RESULTS
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(smoke_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site alone, somewhere else than where it was made."""
    folder = tmp_path_factory.mktemp("moved") / "a folder"
    shutil.copytree(smoke_tree / RESULTS / "report", folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def go(page: Page, path: Path, query: str = "") -> None:
    page.goto(path.as_uri() + query)


def with_words(site: Path) -> list[Path]:
    """Every page but those of source, of which three stand for all: they are one template."""
    code = sorted((site / "code").glob("*.html"), key=lambda path: path.stat().st_size)
    return [path for path in pages(site) if path.parent.name != "code"] + [site / "code/index.html", site / "code/preset.html", code[-1]]


# --- whole, and on its own ---


class Seen(NamedTuple):
    """What there was to see of a page, on a phone."""

    told: list[str]
    """Errors of the console, requests to a network, files that are not there."""
    broken: list[str]
    """Images that are none."""
    links: list[str]
    anchors: list[str]
    widths: dict[str, int]
    """Language -> pixels from left to right."""


LOOK = """async () => {
    const images = [...document.images];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.complete ? 0 : new Promise((done) => { image.onload = image.onerror = done; })));
    return {
        broken: images.filter((image) => !image.naturalWidth).map((image) => image.src),
        links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
        anchors: [...document.querySelectorAll("[id]")].map((element) => element.id),
    };
}"""
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def seen(site: Path, browser: Browser) -> dict[Path, Seen]:
    """Every page, opened once."""
    context = browser.new_context(viewport=PHONE, locale="en-GB", reduced_motion="reduce")
    page, told = context.new_page(), list[str]()
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}") if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("request", lambda request: told.append(f"request: {request.url}") if not request.url.startswith(("file:", "data:")) else None)
    page.on("requestfailed", lambda request: told.append(f"failed: {request.url}"))
    found = {}
    for path in pages(site):
        go(page, path, "?lang=en")
        looked, widths = page.evaluate(LOOK), {"en": page.evaluate(WIDTH)}
        page.evaluate("document.getElementById('language').click()")
        found[path] = Seen([*told], **looked, widths=widths | {"zh": page.evaluate(WIDTH)})
        told.clear()
    context.close()
    return found


def test_every_page_opens_whole_with_no_network_and_no_error(seen: dict[Path, Seen]) -> None:
    assert len(seen) > 100
    for path, page in seen.items():
        assert not page.told, f"{path}: {page.told}"
        assert not page.broken, f"{path}: {page.broken}"


def test_no_link_leads_nowhere(site: Path, seen: dict[Path, Seen]) -> None:
    for path, page in seen.items():
        twice = [name for name in page.anchors if page.anchors.count(name) > 1]
        assert not twice, f"{path}: anchors that are there twice: {twice[:3]}"
        for link in page.links:
            file, anchor = urldefrag(link)
            if urlsplit(file).scheme in ("http", "https", "mailto"):  # of a cited paper
                continue
            target = Path(unquote(urlsplit(file).path))
            assert target.is_relative_to(site), f"{path}: {link} leaves the site"
            assert target.is_file(), f"{path}: {link}"
            assert not anchor or target.suffix != ".html" or unquote(anchor) in seen[target].anchors, f"{path}: {link}"


def test_nothing_is_wider_than_a_phone(seen: dict[Path, Seen]) -> None:
    for path, page in seen.items():
        assert max(page.widths.values()) <= PHONE["width"], f"{path}: scrolls sideways: {page.widths}"


# --- by mouse and by keyboard ---


def press(page: Page, selector: str, by: str) -> None:
    """A button, by the mouse or by a key."""
    if by == "mouse":
        page.click(selector)
    else:
        page.focus(selector)
        page.keyboard.press(by)


@pytest.mark.parametrize("by", ["mouse", "Enter", "Space"])
def test_the_language_is_switched_and_kept(site: Path, page: Page, by: str) -> None:
    go(page, site / "index.html")
    assert page.inner_text("h1").startswith("Results")
    press(page, "#language", by)
    assert "结果" in page.inner_text("h1") and "Results" not in page.inner_text("h1")
    assert page.get_attribute("html", "lang") == "zh-CN"
    assert "结果" in page.title()
    assert page.url.endswith("?lang=zh")
    alt = page.locator(".gallery img:visible").first.get_attribute("alt")
    assert alt and re.search(r"[\u4e00-\u9fff]", alt)
    page.click(".top nav a >> nth=0")
    assert page.get_attribute("html", "data-language") == "zh", "the next page is in the same language"
    press(page, "#language", by)
    assert page.get_attribute("html", "lang") == "en"
    page.reload()
    assert page.get_attribute("html", "lang") == "en"


def test_the_browsers_language_is_the_first(site: Path, browser: Browser) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    go(page, site / "index.html")
    assert page.get_attribute("html", "lang") == "zh-CN"
    go(page, site / "index.html", "?lang=en")
    assert page.get_attribute("html", "lang") == "en", "unless a link asks for another"
    context.close()


def brightness(page: Page) -> float:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765


@pytest.mark.parametrize("by", ["mouse", "Enter", "Space"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_and_can_be_switched(site: Path, browser: Browser, scheme: Any, by: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    go(page, site / "index.html")
    dark = scheme == "dark"
    assert (brightness(page) < 0.2) == dark
    assert page.get_attribute("#theme", "aria-pressed") == str(dark).lower()
    press(page, "#theme", by)
    assert (brightness(page) < 0.2) != dark
    assert page.get_attribute("#theme", "aria-pressed") == str(not dark).lower()
    page.reload()
    assert (brightness(page) < 0.2) != dark, "kept"
    context.close()


@pytest.mark.parametrize("by", ["mouse", "Enter", "Space"])
def test_claims_are_filtered_by_verdict_and_paper(site: Path, page: Page, by: str) -> None:
    go(page, site / "index.html")
    rows = page.locator("table.claims tbody tr")

    def shown() -> list[tuple[str | None, str | None]]:
        there = [row for row in rows.all() if row.is_visible()]
        assert page.inner_text("#shown") == str(len(there))
        return [(row.get_attribute("data-verdict"), row.get_attribute("data-paper")) for row in there]

    every = shown()
    assert len(every) == rows.count() > 30
    press(page, "[data-value='held']", by)
    assert shown() == [row for row in every if row[0] == "held"] != every
    assert page.get_attribute("[data-value='held']", "aria-pressed") == "true"
    assert page.get_attribute("[data-filter='verdict'][data-value='']", "aria-pressed") == "false"
    press(page, "[data-value='ddim']", by)
    assert shown() == [row for row in every if row == ("held", "ddim")]
    press(page, "[data-filter='verdict'][data-value='']", by)
    assert shown() == [row for row in every if row[1] == "ddim"] != every
    press(page, "[data-filter='paper'][data-value='']", by)
    assert shown() == every


def test_the_keyboard_begins_at_the_content(site: Path, page: Page) -> None:
    go(page, site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_without_a_script_all_is_there_in_both_languages(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    go(page, site / "index.html")
    assert page.locator("table.claims tbody tr").all()[-1].is_visible()
    assert not page.locator("#filters").is_visible() and not page.locator("#language").is_visible()
    heading = page.inner_text("h1")
    assert "Results" in heading and "结果" in heading
    context.close()


def test_on_paper_everything_is_open_and_nothing_is_a_switch(site: Path, page: Page) -> None:
    go(page, site / "ddpm.html")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('main details')].every((element) => element.open)")
    assert not page.locator(".top").is_visible() and not page.locator(".contents").is_visible()


# --- for everybody ---


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_axe_finds_no_serious_fault(site: Path, browser: Browser, language: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page, axe = context.new_page(), Axe()
    for path in with_words(site):
        go(page, path, f"?lang={language}")
        page.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in found if fault["impact"] in ("serious", "critical")]
        assert not serious, f"{path}: {serious}"
    context.close()
