"""The player on a page of its own, without the app: its clock, views, keys, marks, arrangements."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from browsing import PATIENCE, PROJECTOR
from PIL import Image
from playwright.sync_api import Browser, Page

from resviz import words
from resviz.exports import Options, export
from resviz.figures.stage import stage, two_panels
from resviz.figures.told import reel_inside, run_told
from resviz.networks import tracks
from resviz.player import module, script
from resviz.records import Run
from resviz.scores import line_shape
from resviz.spec import RunSpec

pytestmark = pytest.mark.browser

PAINTED = """act => { const before = window.resviz.painted; eval(act);
  return new Promise((done) => { const look = () => window.resviz.painted > before
    ? done() : requestAnimationFrame(look); look(); }); }"""
SEEN = """layer => { const canvas = document.querySelectorAll(".resviz-overlay canvas")[layer];
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0; for (let k = 3; k < data.length; k += 4) sum += data[k]; return sum; }"""
PAST, TOP = 2, 3
# The times that a clock of four layers shows, fifty a second, with some settings for some seconds.
WALKS = """async text => {
  const blob = new Blob([text], { type: "text/javascript" });
  const { createClock, advanceClock } = await import(URL.createObjectURL(blob));
  const walk = (settings, seconds) => {
    const clock = Object.assign(createClock(true), settings);
    return Array.from({ length: seconds * 50 }, () => {
      advanceClock(clock, 0.02, 4);
      return clock.t;
    });
  };
  return [walk({}, 9), walk({ bounce: true }, 9), walk({ slow: true }, 14), walk({ speed: 4 }, 1)];
}"""
LAYOUT = "document.querySelector('.js-plotly-plot')._fullLayout"


@pytest.fixture(scope="module")
def run() -> Run:
    from resviz.pipeline import run

    return run(RunSpec(depth=4, width=8, steps=60, batch=32, particles=60, learning_rate=0.05))


@pytest.fixture(scope="module")
def file(run: Run, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("player") / "run.html"
    path.write_bytes(export(".html", run, options=Options()))
    return path.as_uri()


@pytest.fixture
def open_file(browser: Browser, file: str) -> Iterator[Callable[..., Page]]:
    """Opens the exported page, paused, and holds that it logs no error."""
    contexts, errors = [], []

    def open_it(query: str = "", size: dict[str, int] = PROJECTOR, **options) -> Page:
        # The page allows no eval, which the tests' own expressions need.
        context = browser.new_context(viewport=size, bypass_csp=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file + query)
        page.wait_for_function("window.resviz?.painted > 0")
        page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(0)")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert errors == []


def ask(page: Page, what: str):
    return page.evaluate(f"window.resviz.{what}")


def do(page: Page, act: str) -> None:
    """Do it, and wait until it is painted."""
    page.evaluate(PAINTED, f"window.resviz.{act}")


def test_the_parts_join_to_one_module_and_to_one_script():
    for text in (module(), script()):
        assert not re.findall("^import ", text, re.MULTILINE)
        assert text.count("const PLAYER_CSS") == 1
    assert re.findall("^export .*", module(), re.MULTILINE) == ["export default function inApp() {"]
    assert not re.findall("^export ", script(), re.MULTILINE)


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("ArrowRight", 0.3, 0.5),
        ("ArrowLeft", 0.3, 0.25),
        ("Home", 0.3, 0.0),
        ("End", 0.3, 1.0),
    ],
)
def test_keys_move_time(open_file, key, before, after):
    page = open_file()
    ask(page, f"seek({before})")
    page.keyboard.press(key)
    assert ask(page, "t") == pytest.approx(after)
    assert ask(page, "playing") is False


def test_every_other_key(open_file):
    page = open_file()
    page.keyboard.press("+")
    assert ask(page, "clock.speed") == 2
    for _ in range(5):
        page.keyboard.press("-")
    assert ask(page, "clock.speed") == 0.25
    page.keyboard.press("l")
    page.keyboard.press("s")
    assert ask(page, "clock.bounce") is True
    assert ask(page, "clock.slow") is True
    colours = [ask(page, "colour")]
    for _ in range(3):
        page.keyboard.press("c")
        colours.append(ask(page, "colour"))
    assert colours == ["start", "bend", "pairing", "start"]  # a Gaussian has no classes
    page.keyboard.press("p")
    assert ask(page, "presenting") is True
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.classList.contains('resviz-dark')")
    page.keyboard.press("Escape")
    assert ask(page, "presenting") is False
    page.keyboard.press("?")
    page.get_by_text("play and pause").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement === document.body")
    page.keyboard.press(" ")
    page.wait_for_function("window.resviz.playing && window.resviz.t > 0")


def test_full_screen(open_file):
    page = open_file()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === document.documentElement")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === null")


def test_the_clock_bounces_or_begins_again_and_slow_mode_stops_at_layers(open_file):
    """Driven by hand: the clock is a plain object, and `elapsed` is what a test says."""
    page = open_file()
    text = f"{module()}\nexport {{ createClock, advanceClock }};"
    went = page.evaluate(WALKS, text)
    loop, bounce, slow, fast = map(np.array, went)
    assert loop.max() == 1
    assert np.diff(loop).min() == -1  # back to the start at once
    assert bounce.max() == 1
    assert np.diff(bounce).min() > -0.1  # back the way it came
    assert bounce[-1] < 0.5
    rests = [float(t) for t in np.unique(slow) if (slow == t).sum() > 50]
    assert rests == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert fast.max() == pytest.approx(0.98, abs=0.03)


def test_slow_mode_says_what_a_layer_does(open_file, run):
    page = open_file()
    says = run_told(run, {})["says"]
    page.get_by_role("button", name="Stop at every layer").click()
    for layer in (1, 3):
        do(page, f"seek({layer / 4})")
        assert page.locator(".resviz-says:visible").inner_text() == says[layer - 1]
    do(page, "seek(0)")
    assert page.locator(".resviz-says:visible").count() == 0


@pytest.mark.parametrize("view", ["grid", "arrows", "density"])
def test_views_are_painted_and_go_away_again(open_file, view):
    page = open_file()
    do(page, "toggleView('points')")
    do(page, "seek(0.5)")
    empty = page.evaluate(SEEN, TOP)
    do(page, f"toggleView('{view}')")
    assert page.evaluate(SEEN, TOP) > empty + 10_000
    do(page, f"toggleView('{view}')")
    assert page.evaluate(SEEN, TOP) == empty


@pytest.mark.parametrize("view", ["pairs", "target", "tracks"])
def test_what_rests_is_painted_and_goes_away_again(open_file, view):
    page = open_file("?views=points")
    do(page, "seek(0.5)")
    bare = page.evaluate(SEEN, 1)
    do(page, f"toggleView('{view}')")
    assert page.evaluate(SEEN, 1) > bare + 10_000
    do(page, f"toggleView('{view}')")
    assert page.evaluate(SEEN, 1) == bare


def test_the_past_of_the_tracks_grows_and_begins_anew(open_file):
    page = open_file()
    grown = []
    for t in (0.25, 0.5, 1.0):
        do(page, f"seek({t})")
        grown.append(page.evaluate(SEEN, PAST))
    assert grown == sorted(grown)
    assert grown[0] > 0
    do(page, "seek(0.25)")
    assert page.evaluate(SEEN, PAST) == pytest.approx(grown[0], rel=0.02)


def test_chips_and_the_address_say_which_views_are_on(open_file):
    page = open_file("?views=points,density&colour=bend")
    assert sorted(ask(page, "views")) == ["density", "points"]
    assert ask(page, "colour") == "bend"
    chips = page.locator(".resviz-views button[aria-pressed=true]")
    assert sorted(chips.all_inner_texts()) == ["density", "points"]
    page.locator(".resviz-views select").select_option("pairing")
    assert ask(page, "colour") == "pairing"


def layout_of(page: Page) -> dict:
    return page.evaluate(
        f"() => Object.fromEntries(['xaxis', 'yaxis', 'xaxis2', 'yaxis2'].map((n) => "
        f"{{ const a = {LAYOUT}[n]; return [n, {{ at: a._offset, long: a._length, range: a.range, "
        "scale: Math.abs(a._m) }]; }))"
    )


def test_unrolled_time_reads_from_left_to_right_and_straight_stays_straight(open_file):
    page = open_file()
    page.keyboard.press("8")
    page.wait_for_function(
        "() => { const l = document.querySelector('.js-plotly-plot')._fullLayout;"
        " return l.xaxis.range[1] > l.yaxis.range[1] + 1; }"
    )
    axes = layout_of(page)
    assert axes["yaxis"]["at"] + axes["yaxis"]["long"] < axes["yaxis2"]["at"]  # one over the other
    assert axes["xaxis"]["scale"] == pytest.approx(axes["yaxis"]["scale"], rel=1e-3)
    seen = [page.evaluate(f"window.resviz.seek({t}); window.resviz.pixels(1)") for t in (0, 0.5, 1)]
    start, middle, end = (np.reshape(points, (-1, 2)) for points in seen)
    np.testing.assert_allclose(middle, (start + end) / 2, atol=0.05)  # the cheapest way
    assert (end[:, 0] - start[:, 0]).min() > 100


def test_points_outside_are_counted_and_a_click_brings_them_in(open_file):
    page = open_file()
    page.evaluate(
        "Plotly.relayout(document.querySelector('.js-plotly-plot'),"
        " {'xaxis.range': [-0.2, 0.2], 'yaxis.range': [-0.2, 0.2]})"
    )
    mark = page.locator(".resviz-outside:visible").first
    mark.filter(has_text="outside").wait_for()
    mark.click()
    page.wait_for_function("![...document.querySelectorAll('.resviz-outside')].some("
                           "(n) => !n.hidden && n.textContent.includes('outside'))")  # fmt: skip
    page.get_by_text("zoom back").click()
    page.wait_for_function(f"Math.abs({LAYOUT}.xaxis.range[1] - {LAYOUT}.meta.half) < 1e-6")


def test_a_zoom_keeps_particles_on_plotlys_own_axes(open_file, run):
    page = open_file()
    page.evaluate(
        "Plotly.relayout(document.querySelector('.js-plotly-plot'),"
        " {'xaxis.range': [-1, 0.6], 'yaxis.range': [-1, 0.6]})"
    )
    page.wait_for_function(
        "Math.abs(document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0] + 1) < 0.3"
    )
    do(page, "seek(1)")
    painted, expected = page.evaluate(
        f"(points) => {{ const {{ xaxis: x, yaxis: y }} = {LAYOUT};"
        " return [window.resviz.pixels(0),"
        " points.map(([a, b]) => [x._offset + x.l2p(a), y._offset + y.l2p(b)])] }",
        run.tracks[-1].tolist(),
    )
    # In the particles' own order.
    assert np.abs(np.reshape(painted, (-1, 2)) - expected).max() < 1


def test_the_particle_under_the_pointer_is_told(open_file, run):
    page = open_file()
    do(page, "seek(1)")
    i = int(np.argmax(run.map_errors))
    x, y = np.reshape(ask(page, "pixels(0)"), (-1, 2))[i]
    box = page.locator(".js-plotly-plot .svg-container").first.bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_function("window.resviz.picked !== null")
    told = ask(page, "picked")
    found = int(told.split()[1])
    assert np.linalg.norm(run.tracks[-1][found] - run.tracks[-1][i]) < 0.05
    assert f"bend (LSS) {run.line_shapes[found]:.2f}" in told
    if run.plan[found] != found:
        assert f"where particle {run.plan[found]} ends" in told
    page.mouse.move(2, 2)
    page.wait_for_function("window.resviz.picked === null")


@pytest.mark.parametrize("record", [0, 2, -2])
def test_training_is_shown_again_as_it_was(open_file, run, record):
    page = open_file()
    moment = run.history[record]
    part = (record % len(run.history)) / (len(run.history) - 1)
    do(page, f"setMoment({part})")
    assert ask(page, "moment") == moment.step
    do(page, "seek(1)")
    layout = layout_of(page)["xaxis"]
    way = tracks(run.spec, moment.parameters, run.tracks[0])
    for panel, end in ((0, way[-1]), (1, way[-1][moment.plan])):
        painted = np.reshape(ask(page, f"pixels({panel})"), (-1, 2))
        offsets = (painted - painted[0]) / layout["scale"] * [1, -1]
        np.testing.assert_allclose(offsets, end - end[0], atol=1e-3)
    assert page.locator(".resviz-moment:visible").inner_text().startswith(f"step {moment.step} ")
    do(page, "setMoment(1)")
    assert ask(page, "moment") is None


def test_readings_at_an_earlier_step_are_of_that_step(open_file, run):
    page = open_file()
    moment = run.history[3]
    do(page, f"setMoment({3 / (len(run.history) - 1)})")
    do(page, "seek(1)")
    way = tracks(run.spec, moment.parameters, run.tracks[0])
    shapes = line_shape(way)
    x, y = np.reshape(ask(page, "pixels(0)"), (-1, 2))[int(np.argmax(shapes))]
    box = page.locator(".js-plotly-plot .svg-container").first.bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_function("window.resviz.picked !== null")
    told = ask(page, "picked")
    found = int(told.split()[1])
    shown = float(re.search(r"bend \(LSS\) ([\d.]+)", told)[1])
    assert shown == pytest.approx(shapes[found], abs=0.01)
    assert shown != pytest.approx(run.line_shapes[found], abs=0.01)  # which is the end's


def test_an_exported_pages_numbers_are_of_the_step_that_it_shows(open_file, run):
    page = open_file()
    ends = [page.locator(f".{name}").inner_text() for name in ("scores", "look")]
    moment = run.history[3]
    do(page, f"setMoment({3 / (len(run.history) - 1)})")
    page.wait_for_function("document.querySelector('.look').textContent.startsWith('Step ')")
    assert page.locator(".look").inner_text() == words.look_at(run, moment)
    told = page.locator(".scores").inner_text().strip()
    assert told == f"Step {moment.step} · {words.score_line(*run.at(moment))}"
    do(page, "setMoment(1)")
    page.wait_for_function("!document.querySelector('.look').textContent.startsWith('Step ')")
    assert [page.locator(f".{name}").inner_text() for name in ("scores", "look")] == ends


def test_training_is_played(open_file, run):
    page = open_file()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("t")
    assert ask(page, "t") == 1  # one clock at a time
    assert ask(page, "playing") is False
    page.wait_for_function("window.resviz.moment > 20")
    page.wait_for_function("window.resviz.moment === null && window.resviz.playing")


@pytest.mark.parametrize("key", ["[", "]"])
def test_training_goes_record_by_record(open_file, run, key):
    page = open_file()
    do(page, "setMoment(0.5)")
    before = ask(page, "moment")
    page.keyboard.press(key)
    steps = [record.step for record in run.history]
    assert ask(page, "moment") == steps[steps.index(before) + {"[": -1, "]": 1}[key]]


@pytest.mark.parametrize(("key", "code"), [("P", "KeyP"), ("з", "KeyP"), ("З", "KeyP")])
def test_keys_work_with_capslock_and_on_a_cyrillic_keyboard(open_file, key, code):
    page = open_file()
    press = f"new KeyboardEvent('keydown', {{key: '{key}', code: '{code}', bubbles: true}})"
    page.evaluate(f"document.body.dispatchEvent({press})")
    assert ask(page, "presenting") is True


def test_a_key_that_is_held_down_does_not_flicker(open_file):
    page = open_file()
    views = ask(page, "views")
    page.keyboard.down("3")
    page.keyboard.down("3")  # as a browser repeats it
    page.keyboard.down("3")
    assert set(ask(page, "views")) == {*views, "grid"}
    page.keyboard.down("ArrowRight")
    once = ask(page, "t")
    page.keyboard.down("ArrowRight")
    assert ask(page, "t") == pytest.approx(2 * once)


def test_without_motion_nothing_plays_and_one_large_button_begins(open_file):
    page = open_file(reduced_motion="reduce")
    page.reload()
    page.wait_for_function("window.resviz?.painted > 0")
    assert page.evaluate("[window.resviz.t, window.resviz.playing]") == [0, False]
    begin = page.locator(".resviz-begin")
    assert begin.bounding_box()["width"] > 60
    begin.click()
    page.wait_for_function("window.resviz.t > 0.05")
    assert not begin.is_visible()


def test_on_a_phone_panels_stand_one_over_the_other_and_all_is_in_reach(open_file):
    page = open_file(size={"width": 390, "height": 844})
    page.wait_for_function(
        "() => { const l = document.querySelector('.js-plotly-plot')._fullLayout;"
        " return l.yaxis2._offset > l.yaxis._offset + 50; }"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view = page.get_by_role("button", name="What is drawn")
    view.click()
    page.locator(".resviz-views button", has_text="density").click()
    assert "density" in ask(page, "views")


PHONE = {"size": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def on_a_panel(page: Page) -> tuple[float, float]:
    box = page.locator(".chart.shown .nsewdrag").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_swipe_on_a_panel_scrolls_the_page_and_zooms_nothing(open_file):
    page = open_file(**PHONE)
    before = layout_of(page)["xaxis"]["range"]
    x, y = on_a_panel(page)
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *heights: float) -> None:
        points = [{"x": x, "y": height} for height in heights]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", y)
    for moved in range(20, 220, 20):
        touch("touchMove", y - moved)
    touch("touchEnd")
    page.wait_for_function("document.scrollingElement.scrollTop > 60")
    assert layout_of(page)["xaxis"]["range"] == before


def test_a_finger_beside_a_mouse_zooms_nothing_and_the_mouse_does(open_file):
    page = open_file()
    x, y = on_a_panel(page)
    before = layout_of(page)["xaxis"]["range"]
    fingers = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        *(("touchMove", [{"x": x + d, "y": y + d}]) for d in range(10, 110, 10)),
        ("touchEnd", []),
    ):
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert layout_of(page)["xaxis"]["range"] == before
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 100, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{LAYOUT}.xaxis.range[1] < 2")


def test_a_tap_tells_of_a_particle_and_another_tap_elsewhere_hides_it(open_file, run):
    page = open_file(**PHONE)
    do(page, "seek(1)")
    box = page.locator(".chart.shown .svg-container").first.bounding_box()
    points = np.reshape(ask(page, "pixels(0)"), (-1, 2)) + np.array([box["x"], box["y"]])
    i = int(np.argmin(np.abs(points[:, 1] - points[:, 1].mean())))
    page.touchscreen.tap(*points[i])
    page.wait_for_function("window.resviz.picked !== null")
    told = ask(page, "picked")
    do(page, "seek(0)")  # it is the particle that is held, not the place
    assert ask(page, "picked") == told
    tip = page.locator(".resviz-tip").bounding_box()
    assert tip["x"] >= 0
    assert tip["x"] + tip["width"] <= 390
    page.touchscreen.tap(5, 5)
    page.wait_for_function("window.resviz.picked === null")


def test_a_presentation_is_left_without_keys(open_file):
    page = open_file(**PHONE)
    leave = page.locator(".resviz-leave")
    assert not leave.is_visible()
    page.evaluate("window.resviz.setPresent(true)")
    page.wait_for_function("document.querySelector('.resviz-leave.resviz-resting')")
    x, y = on_a_panel(page)
    page.touchscreen.tap(x, y)  # it comes back with the pointer
    page.wait_for_function("!document.querySelector('.resviz-leave.resviz-resting')")
    leave.tap()
    assert ask(page, "presenting") is False
    assert not leave.is_visible()


def test_what_is_pressed_is_told_in_colours_that_the_reader_has_chosen(open_file):
    page = open_file(forced_colors="active")
    grounds = []
    for pressed in ("true", "false"):
        button = page.locator(f".resviz-views button[aria-pressed={pressed}]").first
        with Image.open(io.BytesIO(button.screenshot())) as picture:
            grounds.append(picture.convert("RGB").getpixel((picture.width // 2, 4)))
    assert grounds[0] != grounds[1]


def test_points_outside_are_no_alarm_and_the_legend_covers_no_particle(open_file):
    page = open_file()
    ink = page.evaluate("getComputedStyle(document.querySelector('.resviz-overlay')).color")
    assert page.locator(".resviz-outside").first.evaluate("n => getComputedStyle(n).color") == ink
    do(page, "setColour('pairing')")
    legend = page.locator(".resviz-legend")
    legend.get_by_text("off by up to").wait_for()
    page.wait_for_function(
        f"() => {{ const {{ yaxis: y }} = {LAYOUT}, chart = document.querySelector('.chart.shown');"
        " const { top } = document.querySelector('.resviz-legend').getBoundingClientRect();"
        " return top >= chart.getBoundingClientRect().top + y._offset + y._length - 1; }"
    )
    assert legend.evaluate("n => n.scrollWidth <= n.clientWidth")


def test_a_figure_of_any_tracks_plays_without_a_run(browser: Browser, run, tmp_path):
    """A notebook's figure, of which the player is told nothing."""
    figure = stage(two_panels(replace(run, regions=None)), "bare")
    page = browser.new_page()
    text = figure.to_html(include_plotlyjs=True, auto_play=False)
    path = tmp_path / "bare.html"
    path.write_text(text.replace("</body>", f"<script type=module>{script()}\n"
        "play(() => document.querySelector('.js-plotly-plot'), {autoplay: true});</script></body>"),
        encoding="utf-8")  # fmt: skip
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function("window.resviz?.t > 0.1")
    page.evaluate("['grid', 'arrows', 'density', 'pairs'].forEach(window.resviz.toggleView)")
    page.wait_for_function("window.resviz.t > 0.15")
    assert page.evaluate("window.resviz.setMoment(0.5); window.resviz.moment") is None
    assert errors == []
    page.close()


def test_a_course_that_cannot_be_fetched_is_said_so(browser: Browser, run, tmp_path):
    told = {"present": run_told(run, {"url": "./not-there.bin"})}
    figure = stage(two_panels(run), "x", told)
    assert "data" not in told["present"]["reel"]
    assert "data" in run_told(run, reel_inside(run))["reel"]
    page = browser.new_page()
    path = tmp_path / "gone.html"
    path.write_text(figure.to_html(include_plotlyjs=True, auto_play=False).replace("</body>",
        f"<script type=module>{script()}\nplay(() => document.querySelector('.js-plotly-plot'),"
        " {autoplay: false});</script></body>"), encoding="utf-8")  # fmt: skip
    page.goto(path.as_uri())
    page.wait_for_function("window.resviz?.painted > 0")
    page.evaluate("window.resviz.setMoment(0.5)")
    page.get_by_text("could not be fetched").wait_for()
    page.close()
