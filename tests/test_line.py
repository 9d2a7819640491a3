"""The app under a prefix, in a browser: its own addresses, its line lost, its server restarted."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from browsing import PATIENCE, PROJECTOR, ROOT, press, train_to_the_end, wait_for
from playwright.sync_api import Browser, BrowserContext, Page

from resviz.player import HERE

pytestmark = pytest.mark.browser

SMALL = "?depth=3&width=4&batch=16&particles=20&steps=30"
BASE = "demo"


class Server:
    """The app under a prefix, which can be ended and started again at the same address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://localhost:{port}/{BASE}"
        self.start()

    def start(self) -> None:
        options = ["--server.port", str(self.port), "--server.headless", "true"]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
        self.process = subprocess.Popen(
            [*command, "--server.baseUrlPath", BASE],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert any(str(self.port) in line for line in self.process.stdout), "it ended"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("localhost", self.port)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def server(browser: Browser, free_port: int) -> Iterator[Server]:
    server = Server(free_port)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=PROJECTOR) as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    with context.new_page() as page:
        yield page


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    wait_for(page, "window.resviz?.painted > 0")
    return page


def test_foreign_pages_and_bodies_end_at_the_gate(server: Server):
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    stream = f"/{BASE}/_stcore/stream"
    own = f"http://localhost:{server.port}"
    assert server.ask(stream, **handshake, Origin="http://evil.example").status == 403
    assert server.ask(stream, **handshake, Origin=own, Host="127.0.0.1").status == 403
    assert server.ask(stream, **handshake, Origin=own).status == 101
    upload = f"/{BASE}/_stcore/upload_file/session/file"
    assert server.ask(upload, "PUT", **{"Content-Length": "1000000"}).status == 405


def test_an_address_without_its_slash_is_sent_to_the_one_with_it(server: Server):
    answer = server.ask(f"/{BASE}?preset=the-swirl")
    assert answer.status == 307
    assert answer.headers["Location"] == "demo/?preset=the-swirl"


def test_the_training_slider_moves_under_a_prefix(server: Server, page: Page):
    with page.expect_response(lambda answer: "/reels/" in answer.url) as asked:
        opened(page, server.address).evaluate("window.resviz.setMoment(0.4)")
    assert urlsplit(asked.value.url).path.startswith(f"/{BASE}/resviz/reels/")
    wait_for(page, "window.resviz.moment === 400")
    wait_for(page, "document.body.innerText.includes('step 400')")


def test_a_page_that_comes_instead_of_a_training_is_said(server: Server, page: Page):
    page.route("**/reels/*", lambda route: route.fulfill(content_type="text/html", body="<p>"))
    opened(page, server.address).evaluate("window.resviz.setMoment(0.4)")
    wait_for(page, "document.body.innerText.includes('was not sent, but a page')")


FETCH = """async ([text, answer]) => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { fetchReel } = await import(url);
  window.fetch = async () => {
    if (!answer) throw new TypeError();
    const [status, type, body] = answer;
    return new Response(body, { status, headers: { "Content-Type": type } });
  };
  try {
    return String(await fetchReel("http://localhost/reel", 4));
  } catch ({ message }) {
    return message;
  }
}"""
BYTES = "application/octet-stream"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([200, BYTES, "abcd"], "97,98,99,100"),
        ([200, BYTES, "a"], "this run's training came damaged: 1 bytes of 4"),
        ([200, "text/html; charset=utf-8", "abcd"], "this run's training was not sent, but a page"),
        ([404, "text/plain", "gone"], "this run's training is no longer kept"),
        ([502, "text/html", "bad"], "this run's training was not sent: error 502"),
        (None, "this run's training could not be fetched: no connection"),
    ],
)
def test_what_the_server_answers_is_checked(page: Page, answer, told):
    page.goto("about:blank")
    text = (HERE / "reel.js").read_text(encoding="utf-8")
    assert page.evaluate(FETCH, [text, answer]) == told


def test_a_reload_brings_the_runs_back_and_a_link_is_followed(server: Server, page: Page):
    train_to_the_end(opened(page, server.address + SMALL))
    press(page, "keep")
    wait_for(page, "JSON.parse(sessionStorage.getItem('resviz.stage')).note.kept !== null")
    opened(page, page.url)  # as typed again
    page.locator(".st-key-view").wait_for()
    assert "link" not in page.locator(".st-key-look").inner_text()
    opened(page, f"{server.address}/?preset=the-swirl")
    wait_for(page, "window.resviz.figure.startsWith('B/-/the-swirl/')")
    assert page.locator(".st-key-view").count() == 0


def test_a_restarted_server_says_what_is_lost_and_one_click_trains_it(server: Server, page: Page):
    train_to_the_end(opened(page, server.address + SMALL))
    press(page, "keep")
    wait_for(page, "JSON.parse(sessionStorage.getItem('resviz.stage')).note.kept !== null")
    server.stop()
    page.get_by_text("The connection to the server is lost.").wait_for()
    server.start()
    again = page.locator(".st-key-again button")
    again.wait_for()
    lost = page.locator(".st-key-look")
    lost.get_by_text(
        "The connection to the server was lost, and with it your run and A."
    ).wait_for()
    note = json.loads(page.evaluate("sessionStorage.getItem('resviz.stage')"))["note"]
    assert note["run"]["steps"] == note["kept"]["steps"] == "30"
    again.click()
    wait_for(page, "window.resviz.figure.startsWith('both/') && !window.resviz.live")
    assert page.locator(".st-key-again").count() == 0
