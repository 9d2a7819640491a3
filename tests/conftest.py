"""Shared by all tests: one hypothesis profile, one tiny run, one browser and one server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from browsing import FLAGS, PATIENCE, PROJECTOR, is_own
from hypothesis import settings
from patience import PATIENCE as SECONDS
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from resviz.bench.serve import serving
from resviz.records import Run
from resviz.spec import RunSpec

# The same examples in every run: a red test is red again when it is looked at.
settings.register_profile("resviz", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("resviz")

# What begins the tests in the background may have them ignore an interrupt, and with them all
# that they start: commands that are to be interrupted would never end.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _leases_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of the tests' own process sleeps after so long, not because a machine is busy."""
    monkeypatch.setattr("resviz.job.LEASE_SECONDS", SECONDS)


@pytest.fixture(scope="session")
def tiny_spec() -> RunSpec:
    return RunSpec(
        source="two_blobs", target="ring", depth=3, width=4, steps=10, particles=30, batch=16
    )


@pytest.fixture(scope="session")
def tiny_classifier() -> Run:
    """A finished run of classification, of the plain network."""
    from resviz.pipeline import run

    return run(
        RunSpec(
            task="classify", source="moons", network="plain", depth=3, width=4, steps=10,
            particles=30, batch=16,
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_run(tiny_spec: RunSpec) -> Run:
    # Imported here: the tests of the spec and of the pages' records need no PyTorch.
    from resviz.pipeline import run

    return run(tiny_spec)


@pytest.fixture(scope="session")
def stopped_run(tiny_spec: RunSpec) -> Run:
    """A run that was stopped after four of its ten steps."""
    from resviz.pipeline import finish, look
    from resviz.training import advance, initial_state

    state = advance(tiny_spec, initial_state(tiny_spec), 4)
    return finish(tiny_spec, state, (look(tiny_spec, state).record(state),))


@pytest.fixture(scope="session")
def diverged_run(tiny_spec: RunSpec) -> Run:
    """A run that ended at its first step, by a rate that no network stands."""
    from resviz.pipeline import run

    wild = {"activation": "relu", "step_size": "1", "depth": 16, "width": 32}
    return run(replace(tiny_spec, learning_rate=10.0, **wild))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    found = found or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium or Chrome on this machine's PATH"
        if os.environ.get("RESVIZ_REQUIRE_BROWSER"):
            pytest.fail(f"{reason}, and RESVIZ_REQUIRE_BROWSER is set")
        pytest.skip(reason)
    return found


# Of a module: a browser that is open keeps an event loop running in the tests' own thread.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def server(chromium: str) -> Iterator[subprocess.Popen]:
    """The app, for all tests that look at it in a browser."""
    with serving() as process:
        yield process


@pytest.fixture
def address(server: subprocess.Popen) -> str:
    return server.address


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests: a new one would load and compile Streamlit's scripts again."""
    with browser.new_context(viewport=PROJECTOR) as context:
        context.set_default_timeout(PATIENCE)
        context.add_init_script("localStorage.clear()")  # where the sidebar's state is kept
        yield context


@pytest.fixture
def open_page(context: BrowserContext, address: str) -> Iterator[Callable[..., Page]]:
    """Opens pages and holds that none logs an error or asks another host for anything."""
    pages, errors, foreign = [], [], []

    def open_it(query: str = "", size: dict[str, int] = PROJECTOR, motion: str = "null") -> Page:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size(size)
        page.emulate_media(reduced_motion=motion)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda r: None if is_own(r.url, address) else foreign.append(r.url))
        page.on("websocket", lambda w: None if is_own(w.url, address) else foreign.append(w.url))
        page.goto(address + query)
        page.wait_for_function("window.resviz?.painted > 0")
        return page

    yield open_it
    for page in pages:
        page.close()
    assert errors == []
    assert foreign == []
