"""Damaged files and failures: the page opens all the same, and shows neither path nor traceback."""

import logging
import shutil
from collections.abc import Iterator
from functools import partialmethod
from html import escape
from pathlib import Path

import pytest
from pages import PAGE, TIMEOUT, html, opened, press, session, texts
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.testing.v1 import AppTest

from resviz import presets
from resviz.presets import PRESETS
from resviz.spec import RunSpec
from resviz.ui import faults, shelf
from resviz.ui.session import Session

RUNNER = ScriptRunner.__init__


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The presets' files, to be damaged."""
    folder = tmp_path / "presets"
    shutil.copytree(presets.ASSETS, folder)
    monkeypatch.setattr(presets, "ASSETS", folder)
    forget()
    yield folder
    forget()


def forget() -> None:
    presets._read.cache_clear()
    shelf.shelf.cache_clear()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def said(app: AppTest) -> str:
    return texts(app) + html(app)


def test_with_the_first_preset_damaged_the_page_opens_on_the_next_good_one(
    files: Path, caplog: pytest.LogCaptureFixture
):
    truncate(files / "the-long-way.npz")  # also A of the second
    with caplog.at_level(logging.WARNING):
        app = opened(AppTest.from_file(PAGE, default_timeout=TIMEOUT))
    assert session(app).preset == "the-papers-knob"
    assert session(app).kept.spec == PRESETS["the-papers-knob"].kept
    assert session(app).chosen == PRESETS["the-papers-knob"].run
    assert escape(PRESETS["the-papers-knob"].look) in html(app)
    assert "damaged or missing: “The long way”, “Pay for steps”." in texts(app)
    assert str(files) in caplog.text
    assert str(files) not in said(app)
    assert "The long way" not in app.selectbox(key="preset").options


def test_next_walks_past_a_missing_one_and_its_link_says_so(files: Path):
    (files / "pay-for-steps.npz").unlink()
    app = opened(AppTest.from_file(PAGE, default_timeout=TIMEOUT), preset="pay-for-steps")
    assert "This preset cannot be shown. Its file is damaged or missing." in texts(app)
    assert session(app).preset == shelf.FIRST
    press(app, "next_preset")
    assert session(app).preset == "the-papers-knob"
    assert str(files) not in said(app)


def test_a_file_that_is_mended_is_offered_again(files: Path):
    path = files / "the-swirl.npz"
    whole = path.read_bytes()
    truncate(path)
    assert not shelf.shelf().holds("the-swirl")
    assert "the-swirl" not in shelf.offered()
    path.write_bytes(whole)
    assert shelf.shelf().holds("the-swirl")
    assert "the-swirl" in shelf.offered()


def test_with_no_preset_at_all_the_page_opens_and_can_train(files: Path):
    shutil.rmtree(files)
    app = opened(AppTest.from_file(PAGE, default_timeout=TIMEOUT))
    assert session(app).preset is None
    assert session(app).run.spec == shelf.STAND_IN
    assert session(app).chosen == RunSpec()
    assert not app.button(key="train").disabled
    assert all(preset.title in texts(app) for preset in PRESETS.values())
    assert app.selectbox(key="preset").options == []


def test_a_failure_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def fail(_: Session) -> bool:
        raise FileNotFoundError("/somewhere/feed.js")

    monkeypatch.setattr(Session, "take_result", fail)
    # As `st.App` hands it on, which AppTest does not know.
    monkeypatch.setattr(
        ScriptRunner, "__init__", partialmethod(RUNNER, on_script_error=faults.tell)
    )
    app = AppTest.from_file(PAGE, default_timeout=TIMEOUT).run()
    assert [error.value for error in app.error] == [faults.SENTENCE]
    assert "/somewhere" not in said(app)
    assert not app.exception
