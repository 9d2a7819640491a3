"""What reaches Streamlit: its own pages' websockets, requests that only read, and no question."""

import asyncio
import logging
import resource

import pytest
from starlette.websockets import WebSocketDisconnect
from streamlit import net_util
from streamlit.web.server.starlette.starlette_websocket import create_websocket_routes

from resviz import descriptors
from resviz.ui import gate
from resviz.ui.gate import Gate, is_welcome

OPTIONS = {
    "server.enableCORS": True,
    "server.corsAllowedOrigins": [],
    "server.baseUrlPath": "",
}


class App:
    """An application that records what reaches it."""

    def __init__(self):
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)


def headers(**given):
    return [(name.replace("_", "-").encode(), text.encode()) for name, text in given.items()]


def through(app, scope, **options):
    """What the gate sends for this request; empty where it hands the request on."""
    sent = []

    async def receive():
        raise AssertionError("a body was asked for")

    async def send(message):
        sent.append(message)

    asked = Gate(app, (OPTIONS | options).__getitem__)
    asyncio.run(asked({"path": "/", "method": "GET", **scope}, receive, send))
    return sent


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8501", "localhost:8501"),
        ("http://Class.Example", "class.example:80"),
        ("https://class.example", "CLASS.example:443"),
        ("https://class.example:443", "class.example"),
        ("http://[::1]:8501", "[::1]:8501"),
        ("http://class.example.", "class.example"),
    ],
)
def test_a_page_of_this_very_host_is_welcome(origin, host):
    assert is_welcome(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "localhost:8501"),
        ("http://class.example", "127.0.0.1:8501"),  # a proxy wrote the Host anew
        ("http://class.example:8080", "class.example"),  # … and here left out its port
        ("http://localhost:3000", "localhost:8501"),
        ("https://class.example", "class.example:80"),
        ("http://[::1]:8501", "[::2]:8501"),
        ("null", "localhost:8501"),
        ("null", "null"),
        ("file://", "localhost:8501"),
        ("", ""),
        ("http://", ""),
        ("http://class.example", ""),
        ("http://class.example", "class.example:http"),
        ("http://class.example", "class.example:99999"),
        ("http://class.example", "class.example/path"),
        ("http://class.example", "user@class.example"),
        ("http://user@class.example", "class.example"),
        ("http://class.example", "class.example#"),
        ("http://[::1", "[::1"),
        ("http://class.example.evil.example", "class.example"),
    ],
)
def test_every_other_one_is_foreign(origin, host):
    assert not is_welcome(origin, host)


def test_pages_that_are_listed_are_welcome_at_any_host():
    listed = ["https://Blog.example", "lab.example:8080"]
    assert is_welcome("https://blog.example", "localhost:8501", listed)
    assert is_welcome("http://lab.example:8080", "localhost:8501", listed)
    assert not is_welcome("http://blog.example", "localhost:8501", listed)
    assert not is_welcome("http://lab.example", "localhost:8501", listed)


def streamlits(monkeypatch):
    """Streamlit's own websocket route, beside a runtime that counts; asking anybody fails."""

    def asked():
        raise AssertionError("a public service was asked for this server's address")

    for name in ("get_external_ip", "get_internal_ip"):
        monkeypatch.setattr(net_util, name, asked)

    class Runtime:
        def connect_session(self, **_):
            raise WebSocketDisconnect

    return create_websocket_routes(Runtime(), "")[0].app


@pytest.mark.parametrize(
    ("given", "options", "answer"),
    [
        ({"origin": "http://h.example", "host": "h.example"}, {}, "websocket.accept"),
        ({"origin": "http://H.example", "host": "h.example:80"}, {}, "websocket.accept"),
        ({"host": "h.example"}, {}, "websocket.accept"),
        (
            {"origin": "https://blog.example", "host": "h.example"},
            {"server.corsAllowedOrigins": ["https://blog.example"]},
            "websocket.accept",
        ),
        ({"origin": "http://evil.example", "host": "h.example"}, {}, "websocket.close"),
        ({"origin": "http://h.example", "host": "127.0.0.1"}, {}, "websocket.close"),
        ({"origin": "null", "host": "h.example"}, {}, "websocket.close"),
    ],
)
def test_streamlit_takes_or_never_sees_it_and_asks_nobody(given, options, answer, monkeypatch):
    scope = {
        "type": "websocket",
        "path": "/_stcore/stream",
        "headers": headers(**given),
        "query_string": b"",
    }
    sent, connected = [], [{"type": "websocket.connect"}]

    async def receive():
        return connected.pop()

    async def send(message):
        sent.append(message["type"])

    asked = Gate(streamlits(monkeypatch), (OPTIONS | options).__getitem__)
    asyncio.run(asked(scope, receive, send))
    assert sent == [answer]


def test_two_origins_are_refused_and_the_log_says_what_a_proxy_must_do(caplog):
    twice = headers(host="h.example", origin="http://h.example")
    twice += headers(origin="http://evil.example")
    with caplog.at_level(logging.WARNING):
        sent = through(App(), {"type": "websocket", "headers": twice})
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert "Behind a proxy the Host that the browser named must be passed on" in caplog.text


@pytest.mark.parametrize(
    "scope",
    [
        {"method": "PUT", "path": "/_stcore/upload_file/session/file"},
        {"method": "DELETE"},
        {"method": "POST"},
        {"headers": headers(content_length="1000000")},
        {"headers": headers(transfer_encoding="chunked")},
    ],
)
def test_nothing_can_be_sent_and_not_a_byte_is_read(scope):
    app = App()
    sent = through(app, {"type": "http", "headers": [], **scope})
    assert app.scopes == []
    assert sent[0]["status"] == 405
    assert (b"connection", b"close") in sent[0]["headers"]


def test_what_only_reads_goes_on_as_it_is():
    app = App()
    scopes = [
        {"type": "http", "method": "HEAD", "headers": headers(content_length="0")},
        {"type": "http", "method": "GET", "headers": headers(origin="null", host="x:y")},
        {"type": "lifespan"},
    ]
    for scope in scopes:
        assert through(app, scope) == []
    assert len(app.scopes) == 3


def test_one_line_opens_a_path_to_what_is_sent(monkeypatch):
    monkeypatch.setattr(gate, "TAKEN", ("_stcore/upload_file/",))
    app, base = App(), {"server.baseUrlPath": "/demo"}
    put = {"type": "http", "method": "PUT", "headers": headers(content_length="9")}
    assert through(app, put | {"path": "/demo/_stcore/upload_file/a/b"}, **base) == []
    assert through(app, put | {"path": "/demo/"}, **base)[0]["status"] == 405
    assert len(app.scopes) == 1


# ---- Open files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((256, 4096), 4096),
        ((256, 1_000_000), descriptors.ENOUGH),
        ((256, resource.RLIM_INFINITY), descriptors.ENOUGH),
        ((100_000, 1_000_000), 100_000),
    ],
)
def test_the_limit_of_open_files_is_raised_and_never_lowered(before, after, monkeypatch):
    now = list(before)
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: now.__setitem__(0, limits[0]))
    assert descriptors.raise_descriptor_limit() == after
    assert now[0] == after


def test_where_it_remains_low_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with caplog.at_level(logging.WARNING):
        assert descriptors.raise_descriptor_limit() == 256
    assert "only 256 files open, enough for about 64 pages at once" in caplog.text
