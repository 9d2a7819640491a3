"""How the browser tests drive the app: its address, its buttons, what it must not do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from patience import PATIENCE as SECONDS
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROJECTOR = {"width": 1280, "height": 720}
PATIENCE = 1000 * SECONDS  # in ms, as Playwright counts
expect.set_options(timeout=PATIENCE)
QUICK = "depth=6&width=8&batch=64&particles=100&steps=200"


def is_own(url: str, address: str) -> bool:
    host = address.removeprefix("http://")
    return url.startswith(("data:", "blob:", address, f"ws://{host}"))


def press(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} button").click()


def wait_for(page: Page, state: str) -> None:
    page.wait_for_function(state)


def train_to_the_end(page: Page) -> None:
    before = page.evaluate("window.resviz.figure.split('/')[2]")
    press(page, "train")
    # The third part of a figure's name counts the runs.
    page.wait_for_function(
        "n => window.resviz.figure.split('/')[2] !== n && !window.resviz.live", arg=before
    )


def scores(page: Page) -> str:
    return page.locator(".st-key-scores").inner_text()


def set_number(page: Page, name: str, value: str) -> None:
    field = page.locator(f".st-key-{name} input")
    field.fill(value)
    field.press("Enter")


def choose(page: Page, name: str, text: str) -> None:
    """Choose, in a list, the first that holds `text`."""
    field = page.locator(f".st-key-{name} input")
    field.click()
    field.fill(text)
    page.get_by_role("option", name=text).first.wait_for()
    field.press("Enter")
    expect(field).to_have_value(re.compile(re.escape(text)))


def open_sidebar(page: Page) -> None:
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(page.locator(".st-key-seed")).to_be_visible()
    # It slides in, and a list that is opened on the way closes again.
    sidebar = "document.querySelector('[data-testid=stSidebar]').getBoundingClientRect()"
    wait_for(page, f"{sidebar}.x === 0")


def assert_no_torch_in(server: subprocess.Popen) -> None:
    maps = Path(f"/proc/{server.pid}/maps")
    if maps.exists():
        assert "libtorch" not in maps.read_text()
