"""The stage uses the room that there is, at every size, and what stands around it can be read."""

import math
from pathlib import Path

import pytest
from browsing import open_sidebar
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SIGHT = Path(__file__).with_name("sight.js").read_text(encoding="utf-8")
LOOKS = 5  # at a page that may still be laying itself out
SETTLED = 40  # frames in which nothing moves, longer than the player waits between its own looks

SIZES = (
    *((360, 640), (390, 844), (844, 390), (820, 1180), (1024, 768)),
    *((1280, 720), (1366, 768), (1440, 900), (1920, 1080), (2560, 1440)),
)
SHARE = 0.97  # of the largest side that the rule allows
IN_VIEW, IN_VIEW_ON_PHONE = 0.6, 0.9  # of the side with the window for the stage alone
CHARTS_REM, NAMES_REM = 15, 2.9  # beside the stage; below it
BAR_REM = 30  # the least stage beside charts
GUTTER, MARGINS = 0.02, 8
PROJECTED = {2: 424, 3: 392}  # px at 1280 x 720: no change of the page may cost the back row any


def largest(look: dict, width: float, height: float) -> float:
    """The side of the largest square panels, in the best of all grids, with titles and bar."""
    count, title, foot = len(look["panels"]), look["title"], look["foot"]

    def side(columns: int) -> float:
        rows = math.ceil(count / columns)
        wide = (width - MARGINS) * (1 - GUTTER * (columns - 1)) / columns
        return min(wide, (height - foot - rows * title) / rows)

    return max(side(columns) for columns in range(1, count + 1))


def allowed(look: dict, room: dict) -> float:
    """The side that the rule allows.

    Charts stand beside or below, whichever is better for the panels; other rows stay in view,
    unless that costs the panels too much: then the stage has the whole window.
    """
    rem, width = look["rem"], room["width"]
    left = width - CHARTS_REM * rem
    beside = room["charts"] and left >= BAR_REM * rem

    def best(height: float, names: float) -> float:
        sides = [largest(look, width, height - names)]
        return max(sides + [largest(look, left, height)] * beside)

    in_view = best(room["height"] - room["rest"], NAMES_REM * rem * room["charts"])
    alone = best(room["height"], 0)
    phone = min(width, room["height"]) < 30 * rem
    return alone if in_view < (IN_VIEW_ON_PHONE if phone else IN_VIEW) * alone else in_view


def faults(page: Page) -> list[str]:
    """What is wrong with the page as it stands."""
    look, room = page.evaluate(f"(() => {{ {SIGHT} return [look(), room()]; }})()")
    found = look["faults"]
    for left, top, right, bottom in look["panels"]:
        side = min(right - left, bottom - top)
        if abs((right - left) - (bottom - top)) > 1.5:
            found.append(f"a panel of {right - left:.0f} x {bottom - top:.0f} px")
        if side < SHARE * allowed(look, room) - 1.5:
            found.append(f"a panel of {side:.0f} px where {allowed(look, room):.0f} are allowed")
        if page.viewport_size == {"width": 1280, "height": 720} and room["width"] > 1200:
            least = PROJECTED[len(look["panels"])]
            found += [f"{side:.0f} px on a projector, not {least}"] * (side < least - 1)
    tall = look["bar"][3] - min(panel[1] for panel in look["panels"]) + look["title"]
    if tall > room["height"] + 1:
        found.append(f"panels and bar need {tall:.0f} of {room['height']} px")
    if look["bar"][0] < 0 or look["bar"][2] > look["window"][0] + 1:
        found.append("the bar leaves the window")
    return found


def settles(page: Page) -> list[str]:
    """What is wrong once the page has laid itself out: nothing, if that is so and stays so."""
    found = []
    for _ in range(LOOKS):
        page.evaluate(f"(() => {{ {SIGHT} return rests({SETTLED}); }})()")
        if not (found := faults(page)):
            break
    return found


@pytest.mark.parametrize("preset", ["the-long-way", "pay-for-steps"])
def test_the_stage_uses_its_room_and_all_words_can_be_read(open_page, preset):
    """Both with settings shut and open, in use and in presentation; at ten sizes of a window."""
    page = open_page(f"?preset={preset}")
    page.locator(".st-key-scores .resviz-scores").wait_for()
    wrong = {}

    def look_at_all_sizes(state: str) -> None:
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            if found := settles(page):
                wrong[f"{width}x{height} {state}"] = found

    look_at_all_sizes("shut")
    page.evaluate("window.resviz.setPresent(true)")
    look_at_all_sizes("presentation")
    page.evaluate("window.resviz.setPresent(false)")
    page.set_viewport_size({"width": 1280, "height": 720})
    open_sidebar(page)
    look_at_all_sizes("open")
    assert wrong == {}


def test_what_a_term_means_is_told_inside_the_window(open_page):
    page = open_page(size={"width": 360, "height": 640})
    terms = page.locator(".st-key-scores [data-tip]")
    terms.first.wait_for()
    for k in range(terms.count()):
        terms.nth(k).focus()
        box = page.locator(".resviz-term-tip:visible").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 640
    page.keyboard.press("Escape")
    assert page.locator(".resviz-term-tip:visible").count() == 0


def test_the_charts_words_keep_the_pages_size_whatever_layout_comes_back(open_page):
    """Streamlit lays a chart out anew from a copy of parts that the player has changed since."""
    page = open_page(size={"width": 2560, "height": 1440})
    page.locator(".st-key-scores .resviz-scores").wait_for()

    def words_fit() -> None:
        page.wait_for_function(
            """() => {
              const { layout } = document.querySelector(".st-key-chart_figure .js-plotly-plot");
              const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
              const { "font.size": text, "margin.l": left } = layout.meta.sizes;
              const by = Math.max(1, rem / 16), near = (a, b) => Math.abs(a - b) < 0.02 * b;
              return near(layout.font.size, text * by) && near(layout.margin.l, left * by);
            }"""
        )

    words_fit()
    before = page.evaluate_handle(
        "({ ...document.querySelector('.st-key-chart_figure .js-plotly-plot').layout })"
    )
    page.set_viewport_size({"width": 1280, "height": 720})
    words_fit()
    page.evaluate(
        """(before) => {
          const chart = document.querySelector(".st-key-chart_figure .js-plotly-plot");
          return Plotly.react(chart, chart.data, before).then(() => {});
        }""",
        before,
    )
    words_fit()
