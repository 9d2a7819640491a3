"""Makes the README's pictures: `python tests/screenshots.py`, from the project's root."""

import shutil
import subprocess
import sys
from pathlib import Path

from browsing import choose
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the package is, installed or not

from resviz.files import write_whole

ASSETS = Path(__file__).parents[1] / "assets"
PORT = 8507


def main() -> None:
    """Start the app, drive it, and photograph a first visit at a projector's size."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    server = subprocess.Popen(
        [*command, f"--server.port={PORT}"], cwd=ASSETS.parent, stdout=subprocess.PIPE, text=True
    )
    try:
        next(line for line in server.stdout if str(PORT) in line)
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=flags
            )
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.set_default_timeout(40_000)
            photograph(page)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def photograph(page: Page) -> None:
    """A first visit: look, compare, train, look closer, present, take home; and a classifier."""
    page.goto(f"http://localhost:{PORT}/")
    page.wait_for_function("window.resviz?.t > 0.2")
    hold(page, 0.7)
    write_whole(ASSETS / "first-paint.png", page.screenshot())

    page.locator(".st-key-next_preset button").click()
    page.locator(".st-key-stage .js-plotly-plot[data-panels='3']").wait_for()
    page.wait_for_function("window.resviz.figure.startsWith('both')")
    hold(page, 0.7)
    page.mouse.move(640, 700)
    write_whole(ASSETS / "comparison.png", page.screenshot())

    page.locator(".st-key-chart").get_by_text("Training").click()
    page.evaluate("window.resviz.setMoment(0.12)")
    page.locator(".resviz-moment:visible").first.wait_for()
    page.locator(".resviz-cursor").wait_for()
    write_whole(ASSETS / "training-replayed.png", page.screenshot())
    page.evaluate("window.resviz.setMoment(1)")

    page.keyboard.press("8")
    page.wait_for_function(
        "document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.xaxis.range[1] > 3"
    )
    hold(page, 0.7)
    write_whole(ASSETS / "unrolled.png", page.screenshot())
    page.keyboard.press("8")
    page.keyboard.press("p")
    page.wait_for_function(
        "document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.xaxis.range[1] < 3"
    )
    hold(page, 0.7)
    write_whole(ASSETS / "presentation.png", page.screenshot())
    page.keyboard.press("p")

    page.locator(".st-key-take_home button").first.click()
    choose(page, "form", "Moving picture")
    choose(page, "take_size", "640")
    page.locator(".st-key-make button").click()
    save = page.locator(".st-key-save button")
    save.wait_for()
    write_whole(ASSETS / "take-home.png", page.screenshot())
    with page.expect_download() as download:
        save.click()
    write_whole(ASSETS / "pay-for-steps.gif", download.value.path().read_bytes())
    page.keyboard.press("Escape")

    page.get_by_test_id("stExpandSidebarButton").click()
    field = page.locator(".st-key-kinetic input")
    field.fill("0.003")
    field.press("Enter")
    page.get_by_text("Settings changed").wait_for()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.get_by_test_id("stExpandSidebarButton").wait_for()
    page.locator(".st-key-train button").click()
    page.wait_for_function("window.resviz.live")
    page.wait_for_function(
        "+document.querySelector('.st-key-progress').innerText.match(/step (\\d+)/)[1] > 200"
    )
    write_whole(ASSETS / "training.png", page.screenshot())

    page.goto(f"http://localhost:{PORT}/?preset=classes-apart")
    page.wait_for_function("window.resviz?.figure?.startsWith('B')")
    page.locator(".st-key-scores").get_by_text("Right").wait_for()
    hold(page, 0.75)
    page.mouse.move(640, 700)
    write_whole(ASSETS / "classification.png", page.screenshot())


def hold(page: Page, t: float) -> None:
    """Stop at a moment, and wait until it is painted."""
    page.evaluate(f"window.resviz.setPlaying(false); window.resviz.seek({t})")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    main()
