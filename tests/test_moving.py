"""Pictures that move: their arrays against the processes and networks that they show, and their HTML; in a browser, moved by hand."""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from rediffuse.datasets.prepared import load
from rediffuse.errors import UserError
from rediffuse.files import write_arrays
from rediffuse.papers import tables
from rediffuse.papers.claims import one
from rediffuse.papers.sohl2015.common import generator_of
from rediffuse.paths import Layout
from rediffuse.presets import Preset, load_preset
from rediffuse.report import moving
from rediffuse.runs import LoadedRun, load_run

CPU = torch.device("cpu")
POINTS = 3000
PRESET = tiny.preset({"papers.sohl2015.fig1.n": POINTS, "datasets.roll.test": POINTS})
COMMANDS = """\
prepare roll
prepare digits
train roll
train digits
train classifier
sample sweep --shard 1
sample whole --shard 1
measure sohl2015 fig1
measure ddpm fig10
measure ddim grid table1
table ddim table1
figure sohl2015 fig1
figure ddpm fig14
figure ddim grid
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pictures that move are made of."""
    folder, before = tmp_path_factory.mktemp("moving"), Path.cwd()
    tiny.write(folder / "tiny.yaml", PRESET)
    os.chdir(folder)
    try:
        for command in COMMANDS.splitlines():
            assert tiny.rediffuse(*command.split(), "--preset", "tiny.yaml") == 0, command
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def layout(made: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(made)
    return Layout("tiny", load_preset(Path("tiny.yaml")))


@pytest.fixture
def all_of_them(layout: Layout) -> dict[str, moving.Moving]:
    return {picture.name: picture for paper in ("sohl2015", "ddpm", "ddim") for picture in moving.of(layout, paper)}


def arrays(layout: Layout, paper: str, name: str) -> dict[str, Any]:
    return dict(np.load(layout.artifact(paper, f"{name}.npz")))


def loaded(layout: Layout, run: str) -> LoadedRun:
    return load_run(layout.weights(run), CPU, layout.preset.runs[run])


def inside(picture: moving.Moving) -> dict[str, Any]:
    """The data that a picture carries."""
    found = re.search(r'<script type="application/json">(.*?)</script>', picture.html, re.DOTALL)
    assert found
    return json.loads(found[1])


def unpacked(text: str, dtype: str) -> Any:
    return np.frombuffer(base64.b64decode(text), dtype)


# --- what is measured ---


def test_a_forward_chain_is_a_walk_by_the_forward_kernel(layout: Layout) -> None:
    """Its innovations are standard normal, and independent of where it was and of each other: what q(x_t | x_0) at every t is not."""
    data = arrays(layout, "sohl2015", "fig1")
    x, beta = data["forward"].astype(float), data["beta"]
    assert x.shape == (7, 1500, 2) and beta.shape == (7,)
    np.testing.assert_array_equal(x[0], load(layout.dataset("roll")).x("test")[:1500])
    rate = beta[1:, None, None]
    innovations = (x[1:] - np.sqrt(1 - rate) * x[:-1]) / np.sqrt(rate)
    bound = 4.5 / np.sqrt(x[0].size)
    assert abs(innovations.mean(axis=(1, 2))).max() < bound
    assert abs((innovations**2).mean(axis=(1, 2)) - 1).max() < bound * 2**0.5
    assert abs((innovations * x[:-1]).mean(axis=(1, 2))).max() < bound
    assert abs((innovations[1:] * innovations[:-1]).mean(axis=(1, 2))).max() < bound


def test_the_chains_moments_are_the_processs(layout: Layout) -> None:
    data, alpha_bar = arrays(layout, "sohl2015", "fig1"), loaded(layout, "roll").gaussian.alpha_bar.numpy()
    x = data["forward"].astype(float)
    np.testing.assert_allclose(1 - data["beta"], loaded(layout, "roll").gaussian.alpha.numpy())
    for t in range(7):
        assert (x[t] * x[0]).mean() == pytest.approx(np.sqrt(alpha_bar[t]) * (x[0] ** 2).mean(), abs=0.08)
        assert (x[t] ** 2).mean() == pytest.approx(alpha_bar[t] * (x[0] ** 2).mean() + 1 - alpha_bar[t], abs=0.12)


def test_the_drift_at_a_t_is_figure_1s(layout: Layout) -> None:
    data = arrays(layout, "sohl2015", "fig1")
    assert data["drift_learned"].shape == data["drift_exact"].shape == (6, 23**2, 2)
    for t in data["drift_t"]:
        for name in ("learned", "exact", "log_density"):
            np.testing.assert_allclose(data[f"drift_{name}"][t - 1], data[f"{name}_{t}"], rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(data["drift_rms"][t - 1], data[f"rms_{t}"])


def test_the_drift_is_of_the_steps_that_are_taken(layout: Layout) -> None:
    """The learned one of the network at every t, and of the forward kernel at t = 1; the exact one by Tweedie's formula."""
    data, run, roll = arrays(layout, "sohl2015", "fig1"), loaded(layout, "roll"), generator_of(layout, "roll")
    x = np.stack(np.meshgrid(data["axis"], data["axis"]), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(data["drift_learned"][0], (np.sqrt(1 - data["beta"][1]) - 1) * x, atol=1e-6)
    t, points = 4, torch.from_numpy(x).float()
    with torch.inference_mode():
        mean = run.denoiser()(points, t).mean.numpy()
    np.testing.assert_allclose(data["drift_learned"][t - 1], mean - x, atol=1e-5)
    alpha_bar, beta, step = float(run.gaussian.alpha_bar[t]), data["beta"][t], 1e-4
    score = np.stack(
        [(roll.log_density(x + h, alpha_bar) - roll.log_density(x - h, alpha_bar)) / (2 * step) for h in step * np.eye(2)], axis=-1
    )
    np.testing.assert_allclose(data["drift_exact"][t - 1], (x + beta * score) / np.sqrt(1 - beta) - x, atol=1e-4)


def test_x0_hat_is_what_the_network_sees_in_x_t(layout: Layout) -> None:
    data, denoiser = arrays(layout, "ddpm", "fig10"), loaded(layout, "digits").reverse(clip=True)
    assert data["x_t"].shape == data["x0"].shape == (4, 3, 1, 8, 8)
    for t, x_t, x0 in zip(data["times"].tolist(), data["x_t"], data["x0"], strict=True):
        with torch.inference_mode():
            np.testing.assert_allclose(denoiser(torch.from_numpy(x_t), t).x0.numpy(), x0, atol=1e-5)
    np.testing.assert_array_equal(data["beta"], denoiser.process.beta.numpy())


# --- what is on the page ---


def test_chains_carry_their_numbers_to_a_part_in_thirty_thousand(layout: Layout, all_of_them: dict[str, moving.Moving]) -> None:
    data, content = arrays(layout, "sohl2015", "fig1"), inside(all_of_them["chains"])
    assert content["times"] == list(range(7))
    for name in ("forward", "reverse"):
        points = unpacked(content[name], "<i2").reshape(7, moving.POINTS, 2) / 32767 * content["widest"]
        np.testing.assert_allclose(points, data[name][:, : moving.POINTS], atol=content["widest"] / 32767)
    seen = unpacked(content["seen"], "u1").reshape(6, 23**2).astype(bool)
    for name in ("learned", "exact"):
        for t in range(1, 7):
            arrows = unpacked(content[name], "<i2").reshape(6, 23**2, 2)[t - 1] / 32767 * moving.REACH * content["longest"][t - 1]
            near = seen[t - 1] & (np.abs(data[f"drift_{name}"][t - 1]).max(1) < moving.REACH * content["longest"][t - 1])
            assert near.sum() > 20
            np.testing.assert_allclose(arrows[near], data[f"drift_{name}"][t - 1][near], atol=2e-3 * content["longest"][t - 1])
    assert content["longest"][3] == pytest.approx(np.linalg.norm(data["drift_exact"][3][seen[3]], axis=1).max(), rel=1e-3)


def test_images_are_carried_to_a_grey_level(layout: Layout, all_of_them: dict[str, moving.Moving]) -> None:
    data, content = arrays(layout, "ddpm", "fig10"), inside(all_of_them["progress"])
    assert content["size"] == [8, 8, 1]
    shown = unpacked(content["x0"], "u1").reshape(4, 3, 8, 8, 1) / 127.5 - 1
    np.testing.assert_allclose(np.moveaxis(shown, -1, 2), data["x0"].clip(-1, 1), atol=1 / 255 + 1e-6)
    table = tables.read(layout.artifact("ddpm", "fig10.csv"), "")
    for t, value in zip(content["times"], content["distance"], strict=True):
        steps = layout.preset.runs["digits"].process.T - t + 1
        assert value == pytest.approx(one(table, steps=steps, metric="FID")["value"], rel=1e-3)


def test_images_in_colour_keep_their_channels() -> None:
    image = np.zeros((3, 2, 4))
    image[0, 1, 2] = 1
    content = moving._images(image=image)
    assert content["size"] == [2, 4, 3]
    assert unpacked(content["image"], "u1").reshape(2, 4, 3)[1, 2].tolist() == [255, 128, 128]


def test_the_grid_says_table_1s_distances_where_it_has_them(layout: Layout, all_of_them: dict[str, moving.Moving]) -> None:
    content, table = inside(all_of_them["grid"]), tables.read(layout.artifact("ddim", "table1.csv"), "")
    assert (content["steps"], content["eta"], content["clipped"]) == ([2, 6], ["0", "1", "σ̂"], [False, False, True])
    (few, none, clipped), (_, _, absent) = content["distance"]
    for said, S, eta in ((few, 2, "0.0"), (clipped, 2, "sigma-hat")):
        row = one(table, steps=S, eta=eta, metric="FID")
        assert said == tables.number(row["value"], row["sd"])
    assert none == absent == "–"
    assert content["apart"][1][0] == 0 and min(content["apart"][0]) > 0
    assert content["tau"] == [[6, 3], [6, 5, 4, 3]]


def test_a_preset_without_table_1_has_a_grid_without_distances(layout: Layout) -> None:
    alone = Layout("tiny", Preset.model_validate(tiny.changed(tiny.preset(), {"papers.ddim.table1": tiny.GONE})))
    (picture,) = moving.of(alone, "ddim")
    assert {said for row in inside(picture)["distance"] for said in row} == {"–"}


def test_a_long_chain_shows_some_of_its_times(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "FRAMES", 3)
    data, content = arrays(layout, "sohl2015", "fig1"), inside(moving.chains(layout))
    assert content["times"] == [0, 3, 6] and len(content["rms"]) == len(content["longest"]) == 2
    points = unpacked(content["forward"], "<i2").reshape(3, moving.POINTS, 2) / 32767 * content["widest"]
    np.testing.assert_allclose(points[1], data["forward"][3, : moving.POINTS], atol=1e-3)
    assert content["rms"][0] == pytest.approx(data["drift_rms"][2], rel=1e-3)


@pytest.mark.parametrize(("paper", "artifact"), [("sohl2015", "fig1"), ("ddpm", "fig10"), ("ddim", "grid")])
def test_what_the_preset_leaves_out_does_not_move(layout: Layout, paper: str, artifact: str) -> None:
    left_out = Layout("tiny", Preset.model_validate(tiny.preset({f"papers.{paper}.{artifact}": tiny.GONE})))
    assert len(moving.of(layout, paper)) == 1
    assert moving.of(left_out, paper) == []
    assert moving.of(Layout("tiny", Preset.model_validate(tiny.preset(tiny.without(paper)))), paper) == []


def test_arrays_of_an_older_version_are_told_in_one_line(layout: Layout) -> None:
    path = layout.artifact("ddpm", "fig10.npz")
    before = path.read_bytes()
    try:
        write_arrays(path, {name: array for name, array in arrays(layout, "ddpm", "fig10").items() if name not in ("x_t", "beta")})
        with pytest.raises(UserError) as error:
            moving.of(layout, "ddpm")
    finally:
        path.write_bytes(before)
    assert str(error.value) == f"{path}: no array x_t, beta; expected what `rediffuse measure ddpm fig10` makes now"


class Page(HTMLParser):
    """The tags of some HTML, every one closed."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["chains", "progress", "grid"])
def test_the_html_is_whole_labelled_in_both_languages_and_asks_for_nothing(all_of_them: dict[str, moving.Moving], name: str) -> None:
    picture = all_of_them[name]
    tags = Page(picture.html).tags
    assert tags[0][0] == "figure" and [tag for tag, _ in tags].count("figcaption") == 1
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    sliders = [attributes["id"] for tag, attributes in tags if tag == "input" and attributes["type"] == "range"]
    labels = [attributes["for"] for tag, attributes in tags if tag == "label" and "for" in attributes]
    assert sliders == labels and len(sliders) == (2 if name == "grid" else 1)
    assert [attributes["lang"] for _, attributes in tags if "lang" in attributes].count("zh") == picture.html.count('data-lang="en"')
    (still,) = [attributes for tag, attributes in tags if tag == "img"]
    assert still["src"].startswith("data:image/png;base64,") and still["alt"]
    assert not re.search(r"https?:|\$\w+\$", picture.html)
    assert not re.search("[\u4e00-\u9fff][,:;(]|[,:;][\u4e00-\u9fff]", picture.html), "half a width beside Chinese"


def test_a_still_is_the_figure(layout: Layout, all_of_them: dict[str, moving.Moving]) -> None:
    import io

    found = re.search(r'src="data:image/png;base64,([^"]+)"', all_of_them["grid"].html)
    assert found
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as still, Image.open(layout.artifact("ddim", "grid.png")) as figure:
        assert still.size == figure.size
        apart = np.asarray(still.convert("L"), float) - np.asarray(figure.convert("L"), float)
    assert np.abs(apart).mean() < 3


# --- in a browser ---


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on the PATH")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, all_of_them: dict[str, moving.Moving], tmp_path: Path) -> Iterator[Any]:
    """All three on one page, opened from disk. No error is told, and no file but the page is asked for."""
    body = "".join(f"<h2>{picture.title_en}</h2>{picture.html}" for picture in all_of_them.values())
    style = f"<style>:root {{ color-scheme: light dark; background: Canvas }} {moving.STYLE.read_text(encoding='utf-8')}</style>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Moving</title>{style}'
    script = f"<script>{moving.SCRIPT.read_text(encoding='utf-8')}</script>"
    path = tmp_path / "page.html"
    whole = f"<head>{head}</head><body><main><h1>Moving</h1>{body}</main>{script}</body>"
    path.write_text(f'<!doctype html><html lang="en" data-language="en">{whole}</html>', encoding="utf-8")
    context = chromium.new_context(viewport={"width": 1000, "height": 900}, device_scale_factor=2)
    opened, told, asked = context.new_page(), [], []
    opened.on("console", lambda message: told.append(message.text))
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    assert told == []
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
    context.close()


def pixels(page: Any, name: str) -> list[str]:
    """The canvases of a picture, once what was asked for is painted."""
    return page.evaluate(
        """async (name) => {
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            return [...document.querySelectorAll(`[data-moving=${name}] canvas`)].map((canvas) => canvas.toDataURL());
        }""",
        name,
    )


SLIDERS = [
    ("chains", "t", "1 / 6", "t = 1 of 6", "t = 1，共 6 步"),
    ("progress", "t", "4 / 6", "t = 4 of 6", "t = 4，共 6 步"),
    ("grid", "S", "6", "S = 6 steps", "S = 6 步"),
    ("grid", "eta", "1", "eta = 1", "eta = 1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "slider", "shown", "said", "said_zh"), SLIDERS)
def test_a_slider_moves_by_keyboard_and_says_where_it_is(page: Any, name: str, slider: str, shown: str, said: str, said_zh: str) -> None:
    control = page.locator(f"[data-moving={name}] input[name={slider}]")
    control.focus()
    page.keyboard.press("Home")
    before = pixels(page, name)
    assert all(len(set(picture)) > 1 for picture in before)
    page.keyboard.press("ArrowRight")
    after = pixels(page, name)
    assert before != after
    output = page.locator(f"[data-moving={name}] output[for={control.get_attribute('id')}]")
    assert output.text_content() == shown
    assert control.get_attribute("aria-valuetext").startswith(said)
    page.evaluate("document.documentElement.dataset.language = 'zh'; document.dispatchEvent(new Event('languagechange'))")
    assert pixels(page, name) == after
    assert control.get_attribute("aria-valuetext").startswith(said_zh)
    page.keyboard.press("ArrowLeft")
    assert pixels(page, name) == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "slider"), [(name, slider) for name, slider, *_ in SLIDERS])
def test_a_slider_moves_by_mouse(page: Any, name: str, slider: str) -> None:
    control = page.locator(f"[data-moving={name}] input[name={slider}]")
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    seen = []
    for share in (0.02, 0.98):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        seen.append((control.input_value(), pixels(page, name)))
    assert seen[0][0] == "0" and seen[1][0] == control.get_attribute("max")
    assert seen[0][1] != seen[1][1]


@pytest.mark.slow
def test_the_arrows_are_learned_exact_or_none(page: Any) -> None:
    seen = []
    for field in ("learned", "exact", "none"):
        page.locator(f"input[value={field}]").check()
        seen.append(pixels(page, "chains"))
    assert len({reverse for _, reverse in seen}) == 3 and len({forward for forward, _ in seen}) == 1


@pytest.mark.slow
def test_it_plays_when_told_to_until_told_to_stop(page: Any) -> None:
    control, button = page.locator("[data-moving=chains] input[name=t]"), page.locator("[data-moving=chains] button")
    before = control.input_value()
    page.wait_for_timeout(500)
    assert control.input_value() == before, "nothing plays by itself"
    button.press("Enter")
    assert button.inner_text().endswith("Pause")
    page.wait_for_function("(before) => document.querySelector('[data-moving=chains] input[name=t]').value !== before", arg=before)
    button.click()
    assert button.inner_text().endswith("Play")
    stopped = control.input_value()
    page.wait_for_timeout(500)
    assert control.input_value() == stopped


@pytest.mark.slow
def test_every_number_is_filled_in_and_only_what_holds_is_noted(page: Any) -> None:
    for name, slider, *_ in SLIDERS:
        control = page.locator(f"[data-moving={name}] input[name={slider}]")
        control.focus()
        page.keyboard.press("Home")
        for _ in range(int(control.get_attribute("max")) + 1):
            pixels(page, name)
            filled = page.locator(f"[data-moving={name}] [data-value]").all_text_contents()
            assert all(filled) and not [text for text in filled if re.search("NaN|undefined|null", text)]
            notes = page.locator(f"[data-moving={name}] .moving-note > span:visible").count()
            assert notes == (name != "progress")
            page.keyboard.press("ArrowRight")


@pytest.mark.slow
def test_it_is_painted_anew_in_the_dark_sharp_and_no_wider_than_a_phone(page: Any) -> None:
    light = pixels(page, "chains")
    page.emulate_media(color_scheme="dark")
    assert pixels(page, "chains") != light
    page.set_viewport_size({"width": 390, "height": 844})
    pixels(page, "chains")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widths = "[...document.querySelectorAll('[data-moving=chains] canvas')].map((canvas) => [canvas.width, canvas.clientWidth])"
    assert all(250 < inside / 2 == shown for inside, shown in page.evaluate(widths))


@pytest.mark.slow
def test_a_still_is_printed_and_seen_without_a_script(chromium: Any, page: Any) -> None:
    stills, live = page.locator(".moving-still"), page.locator(".moving-live")
    assert [stills.nth(k).is_visible() for k in range(3)] == [False] * 3 and live.first.is_visible()
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    page.emulate_media(media="print")
    assert [stills.nth(k).is_visible() for k in range(3)] == [True] * 3 and not live.first.is_visible()
    context = chromium.new_context(java_script_enabled=False)
    without = context.new_page()
    without.goto(page.url)
    assert [without.locator(".moving-still").nth(k).is_visible() for k in range(3)] == [True] * 3
    assert not without.locator(".moving-live").first.is_visible()
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found if violation["impact"] in ("serious", "critical")] == []
