"""The stage in the app, in a real Chromium: what a speaker does with it."""

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from browsing import (
    PROJECTOR,
    QUICK,
    choose,
    open_sidebar,
    press,
    scores,
    set_number,
    train_to_the_end,
    wait_for,
)
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from resviz import words
from resviz.presets import PRESETS, load
from resviz.ui.session import opener

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_a_thousand_particles_a_panel_are_moved(open_page):
    page = open_page("?particles=1000&steps=40&batch=64&width=16")
    train_to_the_end(page)
    starts = page.evaluate("window.resviz.seek(0); [0, 1].map((k) => window.resviz.pixels(k))")
    assert [len(points) for points in starts] == [2000, 2000]
    page.evaluate("window.resviz.setPlaying(true)")
    wait_for(page, "window.resviz.t > 0.2")
    assert page.evaluate("window.resviz.pixels(0)") != starts[0]


@pytest.mark.slow
def test_every_preset_plays_when_it_is_chosen(open_page):
    page = open_page()
    for name in [*list(PRESETS)[1:], next(iter(PRESETS))]:
        before = page.evaluate("window.resviz.figure")
        page.locator(".st-key-next_preset button").click()
        page.wait_for_function(
            "before => window.resviz.figure !== before && window.resviz.playing", arg=before
        )
        expect(page.locator(".st-key-look")).to_contain_text(PRESETS[name].look)
        panels = 3 if PRESETS[name].kept else 2
        expect(page.locator(".st-key-stage .js-plotly-plot")).to_have_attribute(
            "data-panels", str(panels)
        )


def test_a_new_figure_fits_the_projector_as_it_comes(open_page):
    page = open_page()
    before = page.evaluate(
        "window.laidOut = 0; const relayout = window.Plotly.relayout;"
        " window.Plotly.relayout = (...all) => { window.laidOut++; return relayout(...all); };"
        " window.resviz.figure"
    )
    page.locator(".st-key-next_preset button").click()
    page.wait_for_function(
        "before => window.resviz.figure !== before && window.resviz.t > 0.2", arg=before
    )
    assert page.evaluate("window.laidOut") == 0


def test_no_figure_is_laid_out_before_it_has_its_height(open_page):
    """Else Streamlit may give it back the height that it had."""
    page = open_page(size={"width": 1920, "height": 1080})
    page.evaluate(
        "window.heights = []; const relayout = window.Plotly.relayout;"
        " window.Plotly.relayout = (chart, ...all) => {"
        "  const stage = chart.closest('.st-key-stage');"
        "  if (stage) window.heights.push([chart.layout.height, stage.clientHeight]);"
        "  return relayout(chart, ...all); }; true"
    )
    for _ in range(4):
        before = page.evaluate("window.resviz.figure")
        page.locator(".st-key-next_preset button").click()
        page.wait_for_function(
            "before => window.resviz.figure !== before && window.resviz.t > 0.4", arg=before
        )
    heights = page.evaluate("window.heights")
    assert heights  # at 24 px a rem titles are laid out anew
    assert all(own == pytest.approx(place, abs=2) for own, place in heights), heights


def test_a_preset_is_a_link(open_page):
    page = open_page("?preset=pay-for-steps")
    expect(page.locator(".st-key-look")).to_contain_text(PRESETS["pay-for-steps"].look)
    assert "preset=pay-for-steps" in page.url
    assert "kinetic=0.01" in page.url
    kept, run = load("pay-for-steps")
    assert page.evaluate("window.resviz.pixels(2).length") == 2 * run.spec.particles
    assert kept.spec.kinetic == 0


def test_the_course_of_a_run_is_fetched_when_it_is_asked_for(open_page):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(1)")
    last = page.evaluate("window.resviz.pixels(0)")
    assert not [url for url in asked if "/reels/" in url]
    page.locator(".st-key-chart").get_by_text("Training").click()
    page.evaluate("window.resviz.setMoment(0.2)")
    page.locator(".resviz-moment:visible").first.wait_for()
    assert page.evaluate("window.resviz.moment") == 200
    assert page.evaluate("window.resviz.pixels(0)") != last
    assert len([url for url in asked if "/reels/" in url]) == 1
    # The cursor stands in the chart of the course, a fifth of the way.
    cursor = page.locator(".resviz-cursor")
    cursor.wait_for()
    x = cursor.bounding_box()["x"]
    left, right = page.evaluate(
        "() => { const chart = document.querySelector('.st-key-chart_figure .js-plotly-plot');"
        " const axis = chart._fullLayout.xaxis, box = chart.getBoundingClientRect();"
        " return [box.x + axis._offset, box.x + axis._offset + axis._length]; }"
    )
    assert (x - left) / (right - left) == pytest.approx(0.2, abs=0.03)
    page.evaluate("window.resviz.setMoment(1)")
    expect(cursor).to_be_hidden()


def test_a_run_that_was_just_trained_can_be_seen_in_training(open_page):
    page = open_page(f"?{QUICK}")
    train_to_the_end(page)
    page.evaluate("window.resviz.setPlaying(false); window.resviz.setMoment(0)")
    page.locator(".resviz-moment:visible").first.wait_for()
    assert page.evaluate("window.resviz.moment") == 0


def test_the_other_network_is_trained_and_shown_beside(open_page):
    page = open_page(f"?{QUICK}")
    train_to_the_end(page)
    page.locator(".st-key-beside").get_by_text("plain network").click()
    page.locator(".infolayer").get_by_text("Plain network").wait_for()
    expect(page.locator(".st-key-scores")).to_contain_text("Plain network")
    wait_for(page, "!window.resviz.live && window.resviz.playing")
    starts, moved = (
        page.evaluate(f"window.resviz.seek({t}); window.resviz.pixels(1)") for t in (0, 1)
    )
    assert starts != moved
    assert len(moved) == 200


PAGE = "document.querySelector('.stMain')"


@pytest.mark.parametrize("size", [(1280, 720), (1280, 570), (1920, 1080)])
@pytest.mark.parametrize("preset", ["the-long-way", "pay-for-steps"])
def test_a_presentation_fits_the_window(open_page, size, preset):
    width, height = size
    page = open_page(f"?present=1&preset={preset}", {"width": width, "height": height})
    assert page.evaluate("window.resviz.presenting")
    for key in ("train", "charts"):
        expect(page.locator(f".st-key-{key}").first).to_be_hidden()
    for part in (".st-key-stage", ".resviz-bar", ".st-key-scores"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= width, part
        assert box["y"] + box["height"] <= height + 1, part
    assert page.evaluate(f"{PAGE}.scrollHeight <= {PAGE}.clientHeight + 1")
    size_of = "getComputedStyle(document.querySelector('.resviz-scores')).fontSize"
    if height >= 720:
        assert float(page.evaluate(size_of).removesuffix("px")) >= 24
    page.keyboard.press("d")
    dark = "getComputedStyle(document.querySelector('.resviz-overlay')).color"
    page.wait_for_function(f"/25[0-5], 25[0-5], 25[0-5]/.test({dark})")
    page.keyboard.press("p")
    expect(page.locator(".st-key-train").first).to_be_visible()


def test_a_phone_stacks_all_and_never_scrolls_sideways(open_page):
    page = open_page(size={"width": 390, "height": 844})
    page.wait_for_function(
        "() => { const l = document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout;"
        " return l.yaxis2._offset > l.yaxis._offset + 50; }"
    )
    assert page.evaluate(f"{PAGE}.scrollWidth <= {PAGE}.clientWidth")
    boxes = [
        page.locator(part).first.bounding_box()
        for part in (".st-key-look", ".st-key-train", ".st-key-stage", ".st-key-scores")
    ]
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"] + 2
    assert boxes[2]["width"] > 340


def test_the_page_is_dark_where_the_viewer_is(browser: Browser, address):
    context = browser.new_context(viewport=PROJECTOR, color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("window.resviz?.painted > 0 && window.resviz.figure.endsWith('dark')")
    page.wait_for_function(
        "document.querySelector('.st-key-stage .js-plotly-plot').classList.contains("
        "'resviz-dark-stage')"
    )
    ink = page.locator(".st-key-chart_figure .infolayer text").first
    expect(ink).to_have_css("fill", re.compile(r"rgb\(2[45]\d, 2[45]\d, 2[45]\d\)"))
    context.close()


def test_a_link_for_a_class_hides_and_locks_controls(open_page):
    page = open_page("?hide=depth,reset,preset&lock=seed,train")
    expect(page.locator(".st-key-train button")).to_be_disabled()
    for key in ("reset", "preset"):
        assert page.locator(f".st-key-{key}").count() == 0
    open_sidebar(page)
    assert page.locator(".st-key-depth").count() == 0
    expect(page.locator(".st-key-seed input")).to_be_disabled()
    assert "hide=" in page.url
    assert "lock=" in page.url


@pytest.mark.slow
@pytest.mark.parametrize(("label", "ending"), [("Moving picture", "gif"), ("Film", "mp4")])
def test_what_is_shown_is_taken_home(open_page, tmp_path, label, ending):
    page = open_page()
    page.locator(".st-key-take_home button").first.click()
    choose(page, "form", label)
    choose(page, "take_size", "640")
    press(page, "make")
    button = page.locator(".st-key-save button")
    button.wait_for()
    with page.expect_download() as download:
        button.click()
    path = tmp_path / f"taken.{ending}"
    download.value.save_as(path)
    data = Path(path).read_bytes()
    if ending == "gif":
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.n_frames > 20
    else:
        assert data[4:8] == b"ftyp"


COUNTS = ("Nodes", "JSEventListeners")


def counted(page: Page, cdp) -> dict[str, float]:
    cdp.send("HeapProfiler.collectGarbage")
    cdp.send("HeapProfiler.collectGarbage")
    metrics = cdp.send("Performance.getMetrics")["metrics"]
    return {m["name"]: m["value"] for m in metrics if m["name"] in COUNTS}


@pytest.mark.slow
def test_fifty_changes_of_settings_leave_nothing_behind(open_page):
    page = open_page()
    open_sidebar(page)
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")

    def change(seed: int) -> None:
        set_number(page, "seed", str(seed))
        page.wait_for_function("seed => location.search.includes(`seed=${seed}`)", arg=seed)

    for seed in range(1, 11):  # what is made once is made by then
        change(seed)
    before = counted(page, cdp)
    painted = page.evaluate("window.resviz.painted")
    for seed in range(11, 61):
        change(seed)
    after = counted(page, cdp)
    assert page.evaluate("window.resviz.painted") > painted
    assert page.locator(".resviz-overlay").count() == 1
    for name in COUNTS:
        assert after[name] <= 1.1 * before[name] + 50, (name, before, after)


def test_a_click_on_the_pages_own_buttons_reaches_the_player(open_page):
    page = open_page()
    page.locator("[data-resviz=help]").click()
    page.get_by_text("play and pause").wait_for()
    page.keyboard.press("Escape")
    page.locator("[data-resviz=present]").click()
    assert page.evaluate("window.resviz.presenting")
    page.keyboard.press("Escape")
    press(page, "keep")
    expect(page.locator(".st-key-view")).to_be_visible()


def test_all_that_is_said_is_of_the_step_that_the_slider_shows(open_page):
    page = open_page()
    run, slider = opener(), page.get_by_label("Training step that is shown")
    record = run.history[1]
    end = [page.locator(f".st-key-{key}").inner_text() for key in ("scores", "look", "progress")]
    slider.fill("0.04")
    expect(page.locator(".st-key-scores")).to_contain_text(f"Step {record.step}")
    assert page.evaluate("window.resviz.shown.steps") == {"present": record.step}
    assert f"Effort {words.number(record.scores.action_ratio)} =" in scores(page)
    expect(page.locator(".st-key-look")).to_contain_text(words.look_at(run, record))
    expect(page.locator(".st-key-progress")).to_contain_text(f"step {record.step} of 1000")
    expect(page.locator(".st-key-chart_figure .xtitle")).to_contain_text(f"step {record.step}")
    expect(page.locator(".resviz-told")).to_have_text(f"step {record.step}")
    drawn = page.evaluate(
        "[...document.querySelector('.st-key-chart_figure .js-plotly-plot')._fullData[0].y]"
    )
    assert drawn == pytest.approx(list(record.scores.gap), nan_ok=True)
    # Played to its end, all comes to rest at the end.
    page.evaluate("window.resviz.setMoment(0.8)")
    page.keyboard.press("t")
    page.wait_for_function("window.resviz.shown === null && window.resviz.playing")
    for key, text in zip(("scores", "look", "progress"), end, strict=True):
        expect(page.locator(f".st-key-{key}")).to_have_text(text, use_inner_text=True)


def test_two_runs_are_each_told_at_their_own_step(open_page):
    page = open_page("?preset=longer-training")
    kept, run = load("longer-training")
    page.wait_for_function("window.resviz.figure.startsWith('both')")
    told = page.locator(".resviz-told")
    expect(told).to_have_text("A step 200 · B step 4000")
    page.locator(".st-key-chart").get_by_text("Training").click()
    page.get_by_label("Training step that is shown").fill("0.04")
    a, b = kept.history[1], run.history[1]
    expect(told).to_have_text("A step 8 · B step 160")
    expect(page.locator(".st-key-scores")).to_contain_text("Step 8 → 160")
    expect(page.locator(".st-key-look")).to_contain_text(words.compare(kept, run, a, b))
    expect(page.locator(".st-key-progress")).to_contain_text("A step 8 of 200 · B step 160 of 4000")
    efforts = [words.number(one.scores.action_ratio) for one in (a, b)]
    captions = page.locator(".resviz-moment:visible").all_inner_texts()
    assert captions == [
        f"step {one.step} · effort {effort} · miss {words.number(one.scores.fit)}"
        for one, effort in zip((a, b), efforts, strict=True)
    ]
    assert f"Effort {efforts[0]} → {efforts[1]}" in scores(page).replace("\n", " ")
    expect(page.locator(".resviz-cursor:visible")).to_have_count(2)  # one a run
