"""Makes the README's pictures: `python tests/screenshots.py`, from the project's root."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ASSETS = Path(__file__).parents[1] / "assets"
PORT = 8507


def main() -> None:
    """Start the app, drive it, and photograph four moments at a projector's size."""
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
            page.set_default_timeout(120_000)
            photograph(page)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def photograph(page: Page) -> None:
    """First paint, a run in training, a finished comparison of A with B, a classification."""
    page.goto(f"http://localhost:{PORT}/")
    page.wait_for_function("window.resviz?.t > 0.2")
    hold(page, 0.7)
    page.screenshot(path=ASSETS / "first-paint.png")

    page.locator(".st-key-keep button").click()
    page.get_by_test_id("stExpandSidebarButton").click()
    field = page.locator(".st-key-kinetic input")
    field.fill("0.01")
    field.press("Enter")
    page.get_by_text("Settings changed").wait_for()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.get_by_test_id("stExpandSidebarButton").wait_for()
    page.locator(".st-key-chart").get_by_text("Training").click()
    page.locator(".st-key-train button").click()
    page.wait_for_function("window.resviz.live")
    page.wait_for_function(
        "+document.querySelector('.st-key-progress').innerText.match(/step (\\d+)/)[1] > 200"
    )
    page.screenshot(path=ASSETS / "training.png")

    page.wait_for_function("!window.resviz.live && window.resviz.playing")
    page.locator(".st-key-chart").get_by_text("Layers").click()
    page.get_by_text("Pace").wait_for()
    hold(page, 0.7)
    page.mouse.move(640, 700)
    page.screenshot(path=ASSETS / "comparison.png")

    page.goto(f"http://localhost:{PORT}/?task=classify&source=circles&steps=300")
    page.get_by_text("press Train").wait_for()
    page.locator(".st-key-train button").click()
    page.wait_for_function("window.resviz?.figure?.endsWith('/1/class') && !window.resviz.live")
    page.locator(".st-key-scores").get_by_text("Right").wait_for()
    hold(page, 0.75)
    page.mouse.move(640, 700)
    page.screenshot(path=ASSETS / "classification.png")


def hold(page: Page, t: float) -> None:
    """Stop at a moment, and wait until it is painted."""
    page.evaluate(f"window.resviz.setPlaying(false); window.resviz.seek({t})")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    main()
