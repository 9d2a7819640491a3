"""What a tab remembers comes back: whole, in part, or as a sentence on what is lost."""

from dataclasses import replace

import pytest
from pages import PAGE, TIMEOUT, address, opened, press, session, small, texts, trained
from streamlit.testing.v1 import AppTest

from resviz.engine import Phase, shared_engine
from resviz.presets import PRESETS
from resviz.spec import RunSpec
from resviz.ui import restore
from resviz.ui.note import Note, told

SPEC = RunSpec(target="moons", l2=0.001)


def page(**query: str) -> AppTest:
    return opened(AppTest.from_file(PAGE, default_timeout=TIMEOUT), **query)


def come_back(before: AppTest, note: Note | None = None, reloaded: bool = True) -> AppTest:
    """Another session at the same address, which is told what the tab kept of the one before."""
    app = page(**address(before))
    kept = (note or restore.note_of(session(before))).plain()
    restore.hear(session(app), {"reloaded": reloaded, "note": kept})
    app.run()
    assert not app.exception
    return app


def test_a_note_is_read_as_it_was_written():
    note = Note("the-swirl", SPEC, 40, RunSpec(), None, SPEC, True, True, "both")
    assert Note.read(note.plain()) == note
    assert Note.read(Note().plain()) == Note()


@pytest.mark.parametrize(
    "given",
    [
        {"run": {"depth": "0"}},
        {"run": {"depth": 4}},
        {"run": [1]},
        {"preset": "no-such"},
        {"preset": ["the-swirl"]},
        {"view": {}},
        {"stopped": -1},
        {"stopped": True},
        {"beside": 1},
        {},
    ],
)
def test_what_is_not_allowed_in_it_is_as_if_it_were_not_there(given):
    assert Note.read(given) == Note()


@pytest.mark.parametrize("given", [None, [], "note", 3])
def test_what_is_no_note_is_none(given):
    assert Note.read(given) is None


def test_the_sentence_says_what_is_lost_and_why():
    lost = told(False, True, True, False, (None, None))
    assert lost == "The connection to the server was lost, and with it your run and A."
    assert told(True, False, True, False, (None, None)) == "The server no longer has A."
    three = told(True, True, True, True, (None, None))
    assert three == "The server no longer has your run, A and the network beside it."
    stopped = told(True, True, False, False, (40, None))
    assert stopped.endswith("It was stopped at step 40: trained again, it goes to its end.")
    assert told(False, False, False, False, (None, None)).endswith("all is back.")
    assert told(True, False, False, False, (None, None)) is None


def test_runs_that_the_server_has_are_back_at_once():
    before = page(**small())
    trained(before)
    press(before, "keep")
    before.text_input(key="seed").set_value("7").run()
    trained(before)
    app = come_back(before)
    assert session(app).run is session(before).run
    assert session(app).kept is session(before).kept
    assert session(app).view == session(before).view == "both"
    assert session(app).lost is None
    assert address(app) == address(before)
    assert "link" not in texts(app)


def test_what_it_has_not_is_said_and_one_click_trains_it(monkeypatch: pytest.MonkeyPatch):
    before = page(**small())
    spec = session(before).chosen
    kept = replace(spec, l2=0.25)
    note = Note(run=spec, kept=kept, view="both")
    app = come_back(before, note, reloaded=False)
    assert "The connection to the server was lost, and with it your run and A." in texts(app)
    assert "link" not in texts(app)
    # Lost again before the click, it is still known.
    assert restore.note_of(session(app)) == replace(note, view="B")
    press(app, "again")
    for job in session(app).jobs:
        assert job.wait_until(lambda job: job.phase is Phase.DONE, TIMEOUT)
    app.run()
    assert session(app).run.spec == spec
    assert session(app).kept.spec == kept
    assert session(app).view == "both"
    assert session(app).lost is None


def test_a_training_under_way_is_watched_again():
    before = page(**small(steps=4000))
    press(before, "train")
    press(before, "pause")
    job = session(before).job
    app = come_back(before)
    assert session(app).job.spec == job.spec
    assert session(app).lost is None
    for one in (job, session(app).job):
        one.cancel()


def test_a_stopped_run_is_said_to_be_gone():
    before = page(**small(steps=4000))
    press(before, "train")
    job = session(before).job
    assert job.wait_until(lambda job: job.chunk, TIMEOUT)
    press(before, "stop")
    assert job.wait_until(lambda job: job.phase is Phase.DONE, TIMEOUT)
    before.run()
    step = session(before).run.state.step
    app = come_back(before)
    assert f"It was stopped at step {step}: trained again, it goes to its end." in texts(app)
    assert session(app).lost.run == session(before).run.spec


def test_the_other_network_stands_beside_again():
    before = page(**small())
    trained(before)
    before.toggle(key="beside").set_value(True).run()
    job = session(before).twin_job
    assert job is None or job.wait_until(lambda job: job.phase is Phase.DONE, TIMEOUT)
    before.run()
    app = come_back(before)
    assert session(app).twin is session(before).twin
    assert session(app).lost is None


def test_a_preset_with_other_settings_is_below_them_again():
    before = page(preset="the-swirl")
    before.text_input(key="seed").set_value("7").run()
    app = come_back(before)
    assert session(app).preset == "the-swirl"
    assert session(app).run.spec == PRESETS["the-swirl"].run
    assert session(app).chosen.seed == 7


def test_a_presets_two_runs_are_seen_as_they_were():
    before = page(preset="pay-for-steps")
    before.segmented_control(key="view").set_value("A").run()
    app = come_back(before)
    assert session(app).preset == "pay-for-steps"
    assert session(app).view == "A"
    assert session(app).lost is None


def test_a_whole_run_does_not_pass_for_the_one_that_was_stopped():
    app = page(**small())
    opening = PRESETS["the-long-way"].run
    note = Note(run=opening, kept=opening, kept_stopped=40)
    restore.restore(session(app), note, reloaded=True)
    assert session(app).kept is None
    assert session(app).lost.kept == opening
    assert session(app).lost.run is None


def test_it_is_heard_once_and_nothing_under_way_is_disturbed():
    app = page(**small())
    note = Note(run=SPEC).plain()
    restore.hear(session(app), {"reloaded": False, "note": note})
    first = session(app).lost
    assert first.run == SPEC
    restore.hear(session(app), {"reloaded": False, "note": Note(run=RunSpec()).plain()})
    assert session(app).lost is first
    busy = page(**small(steps=4000))
    press(busy, "train")
    restore.hear(session(busy), {"reloaded": False, "note": note})
    assert session(busy).lost is None
    session(busy).job.cancel()


def test_the_engine_tells_what_it_has():
    app = page(**small())
    spec = session(app).chosen
    engine = shared_engine()
    assert engine.finished(spec) is None
    assert not engine.has_under_way(spec)
    trained(app)
    assert engine.finished(spec) is session(app).run
