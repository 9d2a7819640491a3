"""What is put on the stage, under AppTest: presets, the other network, themes, and their names."""

import subprocess
import sys
from html import escape
from types import SimpleNamespace

import pytest
from pages import (  # fmt: skip
    PAGE,
    ROOT,
    TIMEOUT,
    address,
    html,
    opened,
    press,
    progress,
    session,
    small,
    texts,
    trained,
)
from streamlit.testing.v1 import AppTest

from resviz import RunSpec, presets, words
from resviz.engine import Job, Phase, close_shared_engine, shared_engine
from resviz.limits import Limits
from resviz.presets import PRESETS, load
from resviz.ui import beside, moment, stage
from resviz.ui.moment import Moment
from resviz.ui.session import Session, first_preset, opener, twin_of
from resviz.ui.shelf import shelf

COMPARED = next(name for name, preset in PRESETS.items() if preset.kept)
ALONE = next(n for n, preset in PRESETS.items() if not preset.kept and n != first_preset())


@pytest.fixture(scope="module", autouse=True)
def _workers_end_with_the_module():
    yield
    close_shared_engine()


@pytest.fixture
def app():
    return AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)


def choose(app: AppTest, name: str) -> None:
    app.selectbox(key="preset").set_value(name).run()
    assert not app.exception


def toggle(app: AppTest, on: bool = True) -> None:
    app.toggle(key="beside").set_value(on).run()
    assert not app.exception


def settled(app: AppTest) -> None:
    """Let all trainings end, and the page see it."""
    for job in session(app).jobs:
        assert job.wait_until(lambda job: job.phase in (Phase.DONE, Phase.FAILED), TIMEOUT)
    app.run()
    assert not app.exception
    assert session(app).jobs == ()


# ---- Presets ---------------------------------------------------------------------------


def test_the_first_preset_is_the_opener():
    assert opener() is presets.load(first_preset())[1]
    assert opener().spec == RunSpec()


@pytest.mark.parametrize("name", [COMPARED, ALONE])
def test_a_chosen_preset_is_shown_said_and_set(app, name):
    opened(app)
    choose(app, name)
    kept, run = presets.load(name)
    shown = session(app)
    assert (shown.kept, shown.run, shown.job) == (kept, run, None)
    assert shown.view == ("both" if kept else "B")
    assert escape(PRESETS[name].look) in html(app)
    assert address(app) == run.spec.to_query() | {"preset": name}
    assert float(app.text_input(key="kinetic").value) == run.spec.kinetic
    assert not texts(app)


def test_next_walks_through_all_presets_and_begins_again(app):
    opened(app)
    seen = [session(app).preset]
    for _ in PRESETS:
        press(app, "next_preset")
        seen.append(session(app).preset)
        assert escape(PRESETS[seen[-1]].look) in html(app)
        assert app.selectbox(key="preset").value == seen[-1]
    assert seen == [*PRESETS, first_preset()]


@pytest.mark.parametrize("name", [COMPARED, ALONE])
def test_a_link_opens_on_a_preset(app, name):
    opened(app, preset=name)
    assert session(app).run is presets.load(name)[1]
    assert address(app) == PRESETS[name].run.to_query() | {"preset": name}
    assert not texts(app)


def test_an_unknown_preset_is_named_with_those_that_there_are(app):
    opened(app, preset="vortex")
    assert "preset: 'vortex' is unknown" in texts(app)
    assert all(name in texts(app) for name in PRESETS)
    assert session(app).run is opener()


def test_a_preset_leaves_the_address_with_its_settings_and_comes_back_with_them(app):
    opened(app, preset=COMPARED)
    seed = PRESETS[COMPARED].run.seed
    app.text_input(key="seed").set_value(str(seed + 1)).run()
    assert "preset" not in address(app)
    assert "Settings changed" in texts(app)
    app.text_input(key="seed").set_value(str(seed)).run()
    assert address(app)["preset"] == COMPARED
    assert PRESETS[COMPARED].look in html(app)


def test_a_link_of_other_settings_shows_its_preset_until_they_are_trained(app):
    opened(app, preset=ALONE, seed="7")
    assert session(app).run is presets.load(ALONE)[1]
    assert f"not trained yet: press Train. Below is “{PRESETS[ALONE].title}”" in texts(app)
    assert address(app)["seed"] == "7"


def test_choosing_a_preset_ends_a_training(app):
    opened(app, steps="20000", particles="20")
    press(app, "train")
    job = session(app).job
    assert session(app).preset is None
    choose(app, COMPARED)
    assert job.phase is Phase.CANCELLED
    assert session(app).jobs == ()
    assert app.button(key="pause").disabled


def test_after_a_training_no_preset_is_chosen_and_next_goes_on_from_the_last(app):
    opened(app, **small())
    press(app, "next_preset")
    last = session(app).preset
    app.text_input(key="steps").set_value("30").run()
    app.text_input(key="particles").set_value("20").run()
    trained(app)
    assert (session(app).preset, app.selectbox(key="preset").value) == (None, None)
    press(app, "next_preset")
    names = list(PRESETS)
    assert session(app).preset == names[names.index(last) + 1]


def test_a_preset_whose_file_is_gone_is_said_so_and_nothing_is_lost(app, monkeypatch, request):
    request.addfinalizer(shelf.cache_clear)
    opened(app)

    def gone(name: str):
        raise ValueError("a.npz: cannot be read (no such file)")

    monkeypatch.setattr(presets, "load", gone)
    app.selectbox(key="preset").set_value(COMPARED).run()
    assert "This preset cannot be shown. Its file is damaged or missing." in texts(app)
    assert session(app).run.spec == RunSpec()


def test_presets_load_neither_torch_nor_pot():
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "if __name__ == '__main__':\n"
        f"    app = AppTest.from_file({str(PAGE)!r}, default_timeout={TIMEOUT}).run()\n"
        "    app.button(key='next_preset').click().run()\n"
        "    assert not app.exception\n"
        "    sys.stdout.write(' '.join({'torch', 'ot', 'matplotlib', 'av'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stdout) == (0, "")


# ---- The other network -----------------------------------------------------------------


def test_beside_a_finished_run_its_own_settings_are_trained(app):
    opened(app, **small())
    trained(app)
    run = session(app).run
    app.text_input(key="seed").set_value("8").run()
    toggle(app)
    assert session(app).job is None
    assert session(app).twin_job.spec == twin_of(run.spec)
    assert "Plain network · step" in progress(app)
    settled(app)
    assert session(app).run is run
    assert session(app).twin.spec == twin_of(run.spec)
    assert session(app).figure_name.split("/")[3] == "1"
    assert "<strong>Plain network</strong>" in html(app)


def test_both_are_trained_paused_stopped_and_taken_in_together(app):
    opened(app, **small(steps=20000))
    app.toggle(key="beside").set_value(True)
    press(app, "train")
    ours, twin = session(app).jobs
    assert (ours.spec.network, twin.spec.network) == ("residual", "plain")
    press(app, "pause")
    assert (ours.phase, twin.phase) == (Phase.PAUSED, Phase.PAUSED)
    press(app, "pause")
    assert (ours.phase, twin.phase) == (Phase.RUNNING, Phase.RUNNING)
    for job in (ours, twin):
        assert job.wait_until(lambda job: job.step > 0, TIMEOUT)
    press(app, "stop")
    settled(app)
    assert session(app).run is ours.run
    assert session(app).twin is twin.run


def test_the_quicker_of_the_two_waits_for_the_other(app):
    opened(app, **small())
    app.toggle(key="beside").set_value(True)
    press(app, "train")
    ours, twin = session(app).jobs
    twin.pause()
    assert ours.wait_until(lambda job: job.phase is Phase.DONE, TIMEOUT)
    app.run()
    assert session(app).jobs == (ours, twin)
    assert app.button(key="pause").label == "Resume"
    press(app, "pause")
    settled(app)
    assert (session(app).run, session(app).twin) == (ours.run, twin.run)


def test_switched_off_it_is_no_longer_trained_nor_shown_and_is_not_forgotten(app):
    opened(app, **small())
    trained(app)
    toggle(app)
    settled(app)
    twin = session(app).twin
    toggle(app, on=False)
    assert session(app).twin is None
    assert "Plain network" not in html(app)
    toggle(app)
    assert session(app).twin is twin
    assert session(app).jobs == ()


def test_a_twin_of_other_settings_is_not_shown(app):
    opened(app, **small())
    trained(app)
    toggle(app)
    settled(app)
    spec = session(app).run.spec
    session(app).run = opener()
    assert session(app).twin is None
    assert session(app).other.spec == twin_of(spec)


def test_where_the_other_network_cannot_have_the_settings_it_is_said(app):
    opened(app, **small(width=2))
    app.toggle(key="beside").set_value(True)
    trained(app)
    assert "cannot be trained beside this one" in texts(app)
    assert "width 2" in texts(app)
    assert session(app).run.spec.width == 2


def test_over_a_limit_the_twin_alone_is_refused(app, monkeypatch):
    opened(app, **small())
    trained(app)
    run = session(app).run
    monkeypatch.setattr(shared_engine(), "limits", Limits(steps=29))
    toggle(app)
    assert "steps: 30 is over this server's limit of 29" in texts(app)
    assert (session(app).run, session(app).jobs) == (run, ())


def test_a_twin_that_fails_says_why_and_the_run_goes_on(app):
    opened(app, **small(steps=20000))
    app.toggle(key="beside").set_value(True)
    press(app, "train")
    ours, twin = session(app).jobs
    twin._shared.fail("The machine is on fire.")
    app.run()
    assert "The other network failed. The machine is on fire." in texts(app)
    assert session(app).jobs == (ours,)
    assert ours.phase is Phase.RUNNING
    press(app, "stop")
    settled(app)


def test_without_the_run_there_is_no_twin(app):
    opened(app, **small(steps=20000))
    app.toggle(key="beside").set_value(True)
    press(app, "train")
    ours, twin = session(app).jobs
    ours._shared.fail("The machine is on fire.")
    app.run()
    assert session(app).jobs == ()
    assert twin.phase is Phase.CANCELLED


def test_beside_a_plain_network_stands_a_residual_one(app):
    opened(app, **small(network="plain"))
    trained(app)
    assert app.toggle(key="beside").label == "+ ResNet"


def test_what_the_penalty_draws_each_kind_to_is_said_where_they_meet():
    charged = RunSpec(l2=0.01)
    assert beside.note(charged, twin_of(charged)) == beside.APART
    assert beside.note(charged, charged) is None
    assert beside.note(RunSpec(), twin_of(RunSpec())) is None
    fair = RunSpec(l2=0.01, l2_towards="start")
    assert beside.note(fair, twin_of(fair)) is None


def test_and_the_page_says_it(app):
    opened(app, **small(l2=0.01))
    app.toggle(key="beside").set_value(True)
    trained_both = session(app)
    press(app, "train")
    settled(app)
    assert trained_both.twin.spec.network == "plain"
    assert beside.APART in html(app)


# ---- The picture's name ----------------------------------------------------------------


def test_a_name_changes_when_the_picture_does_and_only_then(app):
    opened(app, **small())
    names = [session(app).figure_name]

    def same():
        assert session(app).figure_name == names[-1]

    def another():
        name = session(app).figure_name
        assert name not in names
        names.append(name)

    press(app, "keep")
    same()  # B is still what is on the stage
    app.text_input(key="seed").set_value("2").run()
    same()
    app.segmented_control(key="chart").set_value("Effort").run()
    same()
    trained(app)
    another()
    runs = [name.split("/")[2] for name in names]
    assert runs[0] != runs[1]  # the third part counts the runs
    for view in ("A", "B"):
        app.segmented_control(key="view").set_value(view).run()
        another()
    toggle(app)
    another()  # a place is kept for the twin
    settled(app)
    another()
    app.context = {"theme": "dark"}
    app.run()
    another()
    choose(app, COMPARED)
    another()


@pytest.mark.parametrize("name", [COMPARED, ALONE])
def test_a_presets_picture_has_one_name_for_everybody(app, name):
    """So that its figure is made once, for all."""
    opened(app, **small())
    trained(app)
    choose(app, name)
    other = Session(linked=RunSpec(seed=3), chosen=RunSpec(seed=3))
    other.show(name)
    assert session(app).figure_name == other.figure_name
    trained_since = session(app).figure_name
    press(app, "keep")
    trained(app)
    assert session(app).figure_name != trained_since


@pytest.mark.parametrize(("theme", "dark"), [("dark", True), ("light", False), (None, False)])
def test_the_page_follows_the_viewers_theme(app, theme, dark):
    app.context = {} if theme is None else {"theme": theme}
    opened(app)
    assert session(app).dark is dark
    assert session(app).figure_name.endswith("dark" if dark else "light")


@pytest.mark.parametrize(("phase", "again"), [(Phase.RUNNING, False), (Phase.PAUSED, True)])
def test_a_first_picture_lets_the_page_run_again_only_where_the_pulse_then_slows(phase, again):
    job = SimpleNamespace(phase=phase, replaying=False, chunk=None)
    visitor = Session(RunSpec(), RunSpec(), job=job)
    before = visitor.standing
    job.chunk = object()
    assert (visitor.standing != before) is again


def test_the_first_picture_is_waited_for_where_one_will_come(monkeypatch):
    visitor, over = Session(RunSpec(), RunSpec()), []
    with monkeypatch.context() as waiting:
        waiting.setattr(Job, "wait_until", lambda job, reached, _: over.append(reached(job)))
        visitor.wait_for_pictures(TIMEOUT)  # nothing is trained
        visitor.reset(RunSpec(steps=20_000, depth=2, width=2, particles=20))
        visitor.wait_for_pictures(TIMEOUT)  # it is paused, and may have none for long
    assert over == [True]
    visitor.train(RunSpec(steps=20_000, depth=2, width=2, particles=30))
    visitor.wait_for_pictures(TIMEOUT)
    assert visitor.job.chunk is not None
    visitor.job.cancel()


def at_moment(app: AppTest, **steps: int) -> str:
    """Let the page hear that the player shows these steps; what it then says."""
    session(app).moment = Moment(session(app).figure_name, steps)
    app.run()
    assert not app.exception
    return html(app)


def test_all_that_is_said_is_of_the_step_that_the_player_shows(app):
    opened(app)
    run = opener()
    record = run.history[1]
    said = at_moment(app, present=record.step)
    effort = words.number(record.scores.action_ratio)
    assert f"Step <b>{record.step}</b>" in said
    assert f"<b>{effort}</b>" in said
    assert f"<b>{words.number(run.scores.action_ratio)}</b>" not in said
    assert words.look_at(run, record) in said
    assert PRESETS["the-long-way"].look not in said
    assert progress(app).startswith(f"step {record.step} of {run.spec.steps} · loss ")
    assert words.number(record.loss) in progress(app)
    # And of the end again, when the player shows that.
    session(app).moment = None
    app.run()
    assert PRESETS["the-long-way"].look in html(app)
    assert "Step <b>" not in html(app)


def test_a_new_session_speaks_of_the_step_that_the_player_was_at(app, monkeypatch):
    """The browser's word is there before any change of it."""
    record = opener().history[1]
    figure = Session(linked=opener().spec, chosen=opener().spec)
    figure.show("the-long-way")
    shown = {"figure": figure.figure_name, "steps": {"present": record.step}}
    monkeypatch.setattr(moment, "teller", lambda **_: {"shown": shown})
    opened(app)
    assert f"Step <b>{record.step}</b>" in html(app)


def test_runs_of_other_lengths_are_told_at_their_own_steps(app):
    opened(app, preset="longer-training")
    assert progress(app).startswith("A step 200 of 200 · B step 4000 of 4000 · loss ")
    kept, run = load("longer-training")
    a, b = kept.history[1], run.history[1]
    said = at_moment(app, kept=a.step, present=b.step)
    assert 'Step <b><span class="resviz-kept">8 →</span> 160</b>' in said
    assert words.compare(kept, run, a, b) in said
    assert progress(app).startswith("A step 8 of 200 · B step 160 of 4000 · loss ")


def test_a_network_that_is_not_shown_is_not_spoken_of(app):
    opened(app, preset="pay-for-steps")
    toggle(app)
    job = session(app).twin_job
    job.pause()
    app.segmented_control(key="view").set_value("both").run()
    assert not app.exception
    assert PRESETS["pay-for-steps"].look in html(app)  # and not of a way as it is learned
    assert "Plain network · " in progress(app)  # which trains
    job.cancel()


def test_a_picture_that_rests_is_sent_again_and_again(monkeypatch: pytest.MonkeyPatch):
    """A message that waits to be sent when the next one comes is replaced by it."""
    sent = []
    monkeypatch.setattr(stage, "feed", lambda data, key: sent.append(data))
    spec = RunSpec(depth=3, width=4, batch=16, particles=20, steps=10, seed=4711)
    visitor = Session(linked=spec, chosen=spec)
    visitor.reset(spec)
    assert visitor.job.wait_until(lambda job: job.chunk is not None, TIMEOUT)
    for _ in range(3 * stage.AGAIN):
        stage.send_live(visitor)
    pictures = [b'"news": true' in data for data in sent]
    assert all(pictures[: stage.SENDS])
    later = pictures[stage.SENDS :]
    assert sum(later) >= 2
    assert sum(later) < len(later) / 4  # the rest only say that there is nothing new


def test_a_number_that_is_understood_as_it_was_typed_is_not_sent_back(app):
    """It would take the place of what is being typed by then."""
    opened(app)
    for typed, sent_back in (("7", False), ("1,000", True), ("8", False)):
        app.text_input(key="seed").set_value(typed).run()
        assert app.text_input(key="seed").proto.set_value is sent_back
        assert session(app).chosen.seed == int(typed.replace(",", ""))
