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


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"status": 200, "content_type": "text/html", "body": "<p>A page"}, "not sent, but a page"),
        ({"status": 200, "content_type": "application/octet-stream", "body": "a"}, "1 bytes of"),
        ({"status": 404, "body": "gone"}, "no longer kept"),
        ({"status": 502, "body": "bad gateway"}, "not sent: error 502"),
        (None, "could not be fetched: no connection"),
    ],
)
def test_what_comes_instead_of_a_training_is_said(server: Server, page: Page, answer, told):
    page.route("**/reels/*", lambda r: r.fulfill(**answer) if answer else r.abort())
    opened(page, server.address).evaluate("window.resviz.setMoment(0.4)")
    page.wait_for_function("told => document.body.innerText.includes(told)", arg=told)


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
    lost = page.locator(".st-key-lost").inner_text()
    assert "The connection to the server was lost, and with it your run and A." in lost
    note = json.loads(page.evaluate("sessionStorage.getItem('resviz.stage')"))["note"]
    assert note["run"]["steps"] == note["kept"]["steps"] == "30"
    again.click()
    wait_for(page, "window.resviz.figure.startsWith('both/') && !window.resviz.live")
    assert page.locator(".st-key-lost").count() == 0
