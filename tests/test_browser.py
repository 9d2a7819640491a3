"""The app in a real Chromium: what a person sees, and what the network sees."""

import math
import re

import numpy as np
import pytest
from browsing import (
    PROJECTOR,
    QUICK,
    assert_no_torch_in,
    open_sidebar,
    press,
    scores,
    set_number,
    train_to_the_end,
    wait_for,
)
from playwright.sync_api import Browser, Page, expect

from resviz import words
from resviz.__main__ import main
from resviz.presets import PRESETS
from resviz.ui.session import opener

pytestmark = pytest.mark.browser


def test_first_paint_moves_without_a_click_and_without_torch(open_page, server):
    page = open_page()
    before = page.evaluate("window.resviz.pixels(0)")
    wait_for(page, "window.resviz.t > 0.3")
    after = page.evaluate("window.resviz.pixels(0)")
    assert before != after
    assert_no_torch_in(server)


def test_first_paint_shows_a_difference(open_page):
    assert max(opener().scores.gap) >= 0.5
    page = open_page()
    expect(page.locator(".st-key-look")).to_contain_text(PRESETS["the-long-way"].look)
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(0.75)")
    left, right = (page.evaluate(f"window.resviz.pixels({panel})") for panel in (0, 1))
    spread = [max(side[1::2]) - min(side[1::2]) for side in (left, right)]
    assert spread[0] > 1.2 * spread[1]  # left, the cloud is flung wider than it needs to be


CONTRACT = ("train", "pause", "stop", "reset", "keep", "progress", "stage", "scores")


def assert_all_inside(page: Page, charts: str = "charts") -> None:
    """All of the page's parts; of the charts perhaps their names alone, `charts` "chart"."""
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    for key in (*CONTRACT, charts):
        box = page.locator(f".st-key-{key}").first.bounding_box()
        assert box["x"] >= 0, key
        assert box["y"] >= 0, key
        assert box["x"] + box["width"] <= width, key
        assert box["y"] + box["height"] <= height, key
    bar = page.locator(".resviz-bar").bounding_box()
    assert bar["y"] + bar["height"] <= page.locator(".st-key-scores").bounding_box()["y"] + 2
    main = page.locator(".stMain")
    assert main.evaluate("m => m.scrollWidth <= m.clientWidth")
    if charts == "charts":
        assert main.evaluate("m => m.scrollHeight <= m.clientHeight")


@pytest.mark.parametrize(
    "size", [(1280, 720), (1920, 1080), (1280, 570)], ids=lambda s: "x".join(map(str, s))
)
def test_all_is_inside_the_window_without_scrolling(open_page, size):
    assert_all_inside(open_page(size=dict(zip(("width", "height"), size, strict=True))))


def test_all_is_inside_the_projectors_window_while_training_and_comparing(open_page):
    page = open_page("?kinetic=0.01&steps=20000")
    press(page, "keep")
    press(page, "train")
    wait_for(page, "window.resviz.live")
    expect(page.locator(".st-key-scores")).to_contain_text("→")
    assert_all_inside(page, "chart")
    press(page, "stop")
    wait_for(page, "!window.resviz.live && window.resviz.playing")
    assert_all_inside(page, "chart")


def test_the_two_panels_have_equal_scale(open_page):
    layout = open_page().evaluate(
        "(() => { const l = document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout;"
        " return ['xaxis', 'yaxis', 'xaxis2', 'yaxis2'].map(n => Math.abs(l[n]._m)) })()"
    )
    assert layout == pytest.approx([layout[0]] * 4, rel=1e-6)


def test_particles_are_painted_where_plotly_would_put_them(open_page):
    page = open_page()
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(0)")
    run = opener()
    for panel, path in enumerate((run.tracks, run.geodesic)):
        number = "" if panel == 0 else "2"
        # At once: the page may settle between two questions.
        painted, expected = page.evaluate(
            "([points, n, panel]) => { const l = document.querySelector("
            "'.st-key-stage .js-plotly-plot')._fullLayout; const x = l['xaxis' + n],"
            " y = l['yaxis' + n]; return [window.resviz.pixels(panel),"
            " points.map(([a, b]) => [x._offset + x.l2p(a), y._offset + y.l2p(b)])] }",
            [path[0].tolist(), number, panel],
        )
        np.testing.assert_allclose(np.reshape(painted, (-1, 2)), expected, atol=0.5)


def test_transport_bar(open_page):
    page = open_page()
    play = page.locator(".resviz-play")
    play.click()
    wait_for(page, "!window.resviz.playing")
    slider = page.get_by_label("Time t from input to output")
    slider.fill("0.5")
    assert page.evaluate("window.resviz.t") == 0.5
    expect(page.locator(".resviz-bar output")).to_have_text("t 0.50, layer 6 of 12")
    page.get_by_role("button", name="One layer forward").click()
    assert page.evaluate("window.resviz.t") == pytest.approx(7 / 12)
    page.get_by_role("button", name="One layer back").click()
    page.get_by_role("button", name="One layer back").click()
    assert page.evaluate("window.resviz.t") == pytest.approx(5 / 12)
    play.click()
    wait_for(page, "window.resviz.t > 0.6")


def test_train_is_live_finishes_and_changes_the_scores(open_page, server):
    page = open_page("?depth=6&width=8&particles=100&steps=800")
    before = scores(page)
    page.evaluate(
        "window.steps = new Set(); window.addEventListener('resviz:feed', ({detail}) => {"
        ' const step = new TextDecoder().decode(detail).match(/"step": (\\d+)/);'
        " if (step) window.steps.add(step[1]); }); window.resviz.seek(0.2)"
    )
    press(page, "train")
    wait_for(page, "window.resviz.live")
    assert page.evaluate("[window.resviz.t, window.resviz.playing]") == [1, False]
    expect(page.locator(".st-key-progress")).to_contain_text("of 800")
    wait_for(page, "!window.resviz.live && window.resviz.playing")
    assert page.evaluate("window.steps.size") >= 4  # pictures of so many moments
    assert page.evaluate("window.resviz.t") < 0.9  # the loop starts anew
    assert scores(page) != before
    expect(page.locator(".st-key-look")).not_to_contain_text("press Train")
    assert_no_torch_in(server)  # the page's own process never trains


def test_the_figure_of_the_next_run_takes_over_before_it_is_announced(open_page):
    page = open_page("?depth=4&width=8&particles=100&steps=100")
    before = page.evaluate(
        "const own = window.dispatchEvent.bind(window), words = new TextDecoder();"
        " window.dispatchEvent = (event) => event.type === 'resviz:feed' &&"
        " words.decode(event.detail).includes('\"live\": false') ? true : own(event);"
        " window.resviz.figure"
    )
    press(page, "train")
    wait_for(page, "window.resviz.live")
    assert page.evaluate("window.resviz.figure") == before
    wait_for(page, "!window.resviz.live && window.resviz.playing")
    assert page.evaluate("window.resviz.figure") != before


def test_train_pressed_while_training_begins_anew(open_page):
    page = open_page("?steps=20000")
    press(page, "train")
    wait_for(page, "window.resviz.live")
    open_sidebar(page)
    set_number(page, "steps", "100")
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed")
    press(page, "train")
    expect(page.locator(".st-key-progress")).to_contain_text("step 100 of 100")
    wait_for(page, "!window.resviz.live && window.resviz.playing")


def test_keys(open_page):
    page = open_page()
    page.locator(".resviz-play").click()
    wait_for(page, "!window.resviz.playing")
    page.keyboard.press("Home")
    assert page.evaluate("window.resviz.t") == 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.resviz.t") == pytest.approx(1 / 12)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("window.resviz.t") == pytest.approx(11 / 12)
    page.keyboard.press(" ")
    wait_for(page, "window.resviz.playing")


def test_space_after_a_click_on_keep_plays_and_does_not_keep_again(open_page):
    page = open_page()
    press(page, "keep")
    expect(page.locator(".st-key-view")).to_be_visible()
    playing = page.evaluate("window.resviz.playing")
    page.keyboard.press(" ")
    wait_for(page, f"window.resviz.playing !== {str(playing).lower()}")


def test_controls_work_while_training(open_page):
    page = open_page("?steps=20000")
    press(page, "train")
    wait_for(page, "window.resviz.live")
    press(page, "pause")
    expect(page.locator(".st-key-progress")).to_contain_text("paused")
    press(page, "pause")
    expect(page.locator(".st-key-progress")).to_contain_text("left")
    open_sidebar(page)
    set_number(page, "kinetic", "0.02")
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed: press Train")
    assert page.evaluate("window.resviz.live")
    press(page, "stop")
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed: press Train")
    wait_for(page, "!window.resviz.live && window.resviz.playing")
    set_number(page, "kinetic", "0")
    expect(page.locator(".st-key-look")).to_contain_text("Stopped at step")


def test_reset_rests_on_the_untrained_network(open_page):
    page = open_page(f"?{QUICK}")
    press(page, "reset")
    wait_for(page, "window.resviz.live")
    expect(page.locator(".st-key-progress")).to_contain_text("untrained")
    painted = page.evaluate("window.resviz.painted")
    wait_for(page, f"window.resviz.painted > {painted}")  # what has come is on the stage
    start, end = (
        page.evaluate(f"window.resviz.seek({t}); window.resviz.pixels(0)") for t in (0, 1)
    )
    assert max(abs(a - b) for a, b in zip(start, end, strict=True)) < 20


def test_a_and_b_show_their_difference(open_page):
    page = open_page()
    press(page, "keep")
    open_sidebar(page)
    set_number(page, "kinetic", "0.05")
    set_number(page, "steps", "200")
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed")
    train_to_the_end(page)
    kept = words.number(opener().scores.action_ratio)
    look = page.locator(".st-key-look")
    expect(look).to_contain_text("Pay for steps (κ) 0 → 0.05, Training steps 1000 → 200.")
    expect(look).to_contain_text(f"Effort {kept} →")
    assert re.search(rf"Effort\s+{kept} →\s+1\.\d\d", scores(page))
    assert page.evaluate("[0, 1, 2].map(k => window.resviz.pixels(k).length)") == [800] * 3
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(0.75)")
    a, b = (page.evaluate(f"window.resviz.pixels({k})") for k in (0, 1))
    assert a != b
    for view, titles in (("A", "ResNet A"), ("B", "ResNet"), ("both", "A: ResNet")):
        page.locator(".st-key-view").get_by_text(view, exact=True).click()
        expect(page.locator(".st-key-stage .annotation-text").first).to_have_text(titles)


def test_a_link_reopens_with_the_same_settings_and_numbers(open_page):
    first = open_page(f"?{QUICK}&target=moons&seed=3")
    train_to_the_end(first)
    second = open_page("?" + first.url.split("?")[1])
    assert second.url.split("?")[1] == first.url.split("?")[1]
    train_to_the_end(second)
    assert scores(second) == scores(first)


def test_a_bad_link_opens_with_one_warning(open_page):
    page = open_page("?target=pentagon&depth=999&l2=nan&seed=&width=8&width=16")
    alert = page.locator(".st-key-notices .stAlert")
    expect(alert).to_have_count(1)
    for name in ("target", "depth", "l2", "seed", "width"):
        expect(alert).to_contain_text(f"{name}:")
    assert "depth=12" in page.url


def test_a_diverging_run_says_so_and_keeps_its_picture(open_page):
    page = open_page("?learning_rate=10&particles=100")
    press(page, "train")
    expect(page.locator(".st-key-look")).to_contain_text("Training diverged at step")
    expect(page.locator(".st-key-scores")).to_contain_text("It has not arrived")
    assert all(math.isfinite(v) for v in page.evaluate("window.resviz.pixels(0)"))


@pytest.mark.parametrize(("typed", "told"), [("OT", None), ("Wasserstein", "cannot be trained")])
def test_a_word_is_typed_into_a_list_of_clouds(open_page, typed, told):
    page = open_page()
    open_sidebar(page)
    page.locator(".st-key-target input").fill(typed)
    page.keyboard.press("Enter")
    if told is None:
        wait_for(page, "location.search.includes('target=text%3AOT')")
    else:
        expect(page.locator(".st-key-look")).to_contain_text(told)
        expect(page.locator(".st-key-train button")).to_be_disabled()
        assert "target=two_blobs" in page.url


# How many pixels have the colour of the first class, and not that of a start alone.
COLOURED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let k = 0; k < data.length; k += 4) {
    count += data[k] === 0xd5 && data[k + 1] === 0x5e && data[k + 2] === 0 && data[k + 3] === 255;
  }
  return count;
}"""


# How many different colours are painted behind a panel: none, or one a class.
BEHIND = """index => {
  const canvas = document.querySelector(".resviz-overlay canvas");
  const layout = document.querySelector(".st-key-stage .js-plotly-plot")._fullLayout;
  const axis = index ? [layout.xaxis2, layout.yaxis2] : [layout.xaxis, layout.yaxis];
  const [x, y] = axis, scale = canvas.width / layout.width;
  const cut = [x._offset, y._offset, x._length, y._length].map((v) => Math.round(v * scale));
  const { data } = canvas.getContext("2d").getImageData(...cut), seen = {};
  for (let k = 0; k < data.length; k += 4) {
    const colour = data.slice(k, k + 3).join();
    if (data[k + 3]) seen[colour] = (seen[colour] || 0) + 1;
  }
  return Object.values(seen).filter((count) => count > 0.02 * data.length / 4).length;
}"""


@pytest.mark.slow
def test_a_classifiers_decisions_are_painted_behind_its_particles(open_page):
    page = open_page("?task=classify&source=circles&steps=200&batch=64&depth=4&learning_rate=0.05")
    train_to_the_end(page)
    expect(page.locator(".st-key-scores")).to_contain_text("Right")
    assert page.evaluate("() => window.resviz.colour === 'class'")
    for t in (0, 1):
        painted = page.evaluate(
            "t => { const before = window.resviz.painted;"
            " window.resviz.setPlaying(false); window.resviz.seek(t); return before; }",
            t,
        )
        page.wait_for_function("before => window.resviz.painted > before", arg=painted)
        assert page.evaluate(BEHIND, 0) >= 2  # both classes have their place
        assert page.evaluate(BEHIND, 1) == 0  # the cheapest way decides nothing


INSIDE = """() => {
  const layout = document.querySelector(".st-key-stage .js-plotly-plot")._fullLayout;
  const { _offset: x, _length: w } = layout.xaxis, { _offset: y, _length: h } = layout.yaxis;
  const all = window.resviz.pixels(0);
  let inside = 0;
  for (let k = 0; k < all.length; k += 2) {
    inside += all[k] >= x && all[k] <= x + w && all[k + 1] >= y && all[k + 1] <= y + h;
  }
  return inside / (all.length / 2);
}"""


def test_the_window_follows_ends_that_are_free_and_comes_back(open_page):
    page = open_page("?task=classify&source=moons&steps=20000&learning_rate=0.02")
    press(page, "train")
    half = "document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.xaxis.range[1]"
    wait_for(page, f"{half} > 2.3")  # the classes have gone beyond the clouds' own window
    assert page.evaluate(INSIDE) > 0.95
    press(page, "stop")
    wait_for(page, "!window.resviz.live && window.resviz.figure.startsWith('B/-/1/')")
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(1)")
    assert page.evaluate(INSIDE) > 0.95
    # A training between clouds beside it has the clouds' window again.
    open_sidebar(page)
    page.locator(".st-key-task").click()
    page.get_by_role("option", name="match").click()
    wait_for(page, "location.search.includes('task=match')")
    press(page, "train")
    wait_for(page, f"window.resviz.live && Math.abs({half} - 2.2) < 1e-9")


def test_a_picture_in_training_can_be_coloured_by_class_and_not_by_scores(open_page):
    page = open_page("?source=moons&steps=5000")
    press(page, "reset")
    wait_for(page, "window.resviz.live")
    colours = page.locator(".resviz-views select")
    expect(colours.locator("option")).to_have_text(["by start", "by class"])
    colours.select_option("class")
    wait_for(page, "location.search.includes('colour=class')")
    assert page.evaluate("window.resviz.colour") == "class"
    top = page.locator(".resviz-overlay canvas").nth(3)
    assert top.evaluate(COLOURED) > 0


def test_a_plain_network_that_trains_is_called_one(open_page):
    page = open_page("?network=plain&steps=5000&batch=16&learning_rate=0.001")
    assert page.locator(".infolayer").get_by_text("ResNet").count() == 1  # the opening run
    press(page, "train")
    page.locator(".infolayer").get_by_text("Plain network").wait_for()
    press(page, "stop")
    # The figure before is there until the next one has taken over.
    wait_for(page, "!window.resviz.live && document.querySelectorAll('.resviz-taken').length == 1")
    assert page.locator(".infolayer").get_by_text("Plain network").count() == 1


def test_reduced_motion_is_honoured(open_page):
    page = open_page(motion="reduce")
    wait_for(page, "window.resviz.figure !== null")
    assert page.evaluate("[window.resviz.t, window.resviz.playing]") == [0, False]


def test_the_exported_page_plays_offline(browser: Browser, tmp_path):
    path = tmp_path / "run.html"
    options = ["--depth=4", "--width=4", "--steps=20", "--batch=16", "--particles=50"]
    assert main(["train", *options, "--quiet", "-o", str(path)]) == 0
    context = browser.new_context(offline=True, viewport=PROJECTOR, bypass_csp=True)
    page = context.new_page()
    errors, requests = [], []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("window.resviz?.t > 0.2")
    assert page.evaluate("window.resviz.pixels(1).length") == 100
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
