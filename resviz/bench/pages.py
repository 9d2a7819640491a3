"""The page in a browser: how soon a preset plays, and how smoothly the stage moves.

Measured only where Playwright and a Chromium or Chrome are there, as for the tests.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from resviz.bench.rows import AS_LONG, AS_MANY, Row, Side, Spread, ratios
from resviz.bench.serve import serving
from resviz.files import write_whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 600_000  # ms until something that did not happen is told as a sentence
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PROJECTOR = {"width": 1280, "height": 720}
STAGE = "?particles=1000&steps=40&batch=64&width=16"
# The least that a page of this kind does: a click, and a chart with nothing in it comes anew.
EMPTY_CHART = """
import plotly.graph_objects as go
import streamlit as st

st.session_state.setdefault("count", 0)
st.button("Next", key="next_preset", on_click=lambda: st.session_state.update(
    count=st.session_state.count + 1))
st.plotly_chart(go.Figure(layout={"meta": {"id": st.session_state.count}}), key="stage")
"""
CHART = "document.querySelector('.st-key-stage .js-plotly-plot')?.layout?.meta?.id"
# Frames a second: how often the page could paint, and how often the player did.
RATES = """seconds => new Promise((done) => {
  const painted = window.resviz?.painted ?? 0, began = performance.now();
  let frames = 0;
  const count = (now) => {
    frames++;
    if (now - began < 1000 * seconds) return requestAnimationFrame(count);
    const passed = (now - began) / 1000;
    done([frames / passed, ((window.resviz?.painted ?? 0) - painted) / passed]);
  };
  requestAnimationFrame(count);
})"""


def browser_path() -> str | None:
    """The browser that pages are measured in; None where there is none, or no Playwright."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def in_a_browser(path: str, walks: int, seconds: float) -> list[Row]:
    """Both rows. Raises `RuntimeError` if a page does not come."""
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright, serving() as app:
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
            rows = [preset_plays(browser, app.address, walks)]
            return [*rows, stage_frames(browser, app.address, seconds)]
    except Error as reason:
        raise RuntimeError(f"The page did not come: {str(reason).splitlines()[0]}") from reason


def preset_plays(browser: Browser, address: str, walks: int) -> Row:
    """From a click on Next to the next preset's particles in motion, over all presets."""
    from resviz.presets import PRESETS

    script = Path(tempfile.mkdtemp()) / "empty.py"
    write_whole(script, EMPTY_CHART)
    ours, empty = [], []
    try:
        with serving(script) as other, _page(browser, other.address) as chart:
            chart.wait_for_function(f"{CHART} === 0")
            with _page(browser, address) as page:
                page.wait_for_function("window.resviz?.painted > 0")
                for _ in range(walks * len(PRESETS)):
                    empty.append(_click(chart, CHART, "true"))
                    ours.append(_click(page, "window.resviz.figure", "window.resviz.playing"))
    finally:
        shutil.rmtree(script.parent)
    return Row(
        what="click to the next preset's particles in motion",
        ours=Side(Spread(tuple(ours)), "s"),
        against="click to another empty chart",
        other=Side(Spread(tuple(empty)), "s"),
        ratio=ratios(ours, empty),
        meaning=AS_LONG,
    )


def stage_frames(browser: Browser, address: str, seconds: float) -> Row:
    """Frames a second of 1000 particles in each of two panels, against an empty page's."""
    with _page(browser, "data:text/html,<p>nothing") as empty:
        possible = [empty.evaluate(RATES, seconds)[0] for _ in range(2)]
    with _page(browser, address + STAGE) as page:
        page.wait_for_function("window.resviz?.painted > 0")
        before = page.evaluate("window.resviz.figure.split('/')[2]")
        page.locator(".st-key-train button").click()
        page.wait_for_function(
            "n => window.resviz.figure.split('/')[2] !== n && !window.resviz.live", arg=before
        )
        for _ in range(2):
            page.keyboard.press("-")  # a quarter: no rest within the seconds that are looked at
        rates = []
        for _ in range(2):
            page.evaluate("window.resviz.setPlaying(true); window.resviz.seek(0)")
            rates.append(page.evaluate(RATES, seconds)[1])
    return Row(
        what="the stage's frames a second, 1000 particles in each of two panels",
        ours=Side(Spread(tuple(rates)), "frames/s"),
        against="an empty page",
        other=Side(Spread(tuple(possible)), "frames/s"),
        ratio=ratios(rates, possible),
        meaning=AS_MANY,
    )


@contextmanager
def _page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page(viewport=PROJECTOR)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    yield page
    page.close()


def _click(page: Page, name: str, ready: str) -> float:
    """Seconds from a click on Next until what is named has changed and is ready."""
    before = page.evaluate(name)
    began = time.perf_counter()
    page.locator(".st-key-next_preset button").click()
    page.wait_for_function(f"before => {name} !== before && {ready}", arg=before)
    return time.perf_counter() - began
