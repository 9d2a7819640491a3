"""The page under Streamlit's AppTest: every control, link and button, no picture."""

import subprocess
import sys

import numpy as np
import pytest
from pages import (
    PAGE,
    ROOT,
    SMALL,
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

from resviz import RunSpec, run, words
from resviz.engine import Phase, close_shared_engine, shared_engine
from resviz.limits import Limits
from resviz.presets import PRESETS
from resviz.spec import FIELDS, RULES, Choice, Real, Whole
from resviz.ui.controls import BELOW, GROUPS, SHOWN_IF, TYPED, is_there
from resviz.ui.session import first_preset, opener

WIDGETS = [
    *(name for rows in GROUPS.values() for row in rows for name in row),
    *(name for names in BELOW.values() for name in names),
]
# What must be set for a control to be there, or for its field to be moved at all.
BESIDE = {
    "task": {"source": "moons"},
    "projections": {"loss": "sliced"},
    "epsilon": {"loss": "sinkhorn"},
    "head_decay": {"task": "classify", "source": "moons"},
}


@pytest.fixture(scope="module", autouse=True)
def _workers_end_with_the_module():
    yield
    close_shared_engine()


@pytest.fixture
def app():
    return AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)


def another(name: str):
    """A value of the field that is allowed and not its default."""
    default = getattr(RunSpec(), name)
    match RULES[name]:
        case Choice(names):
            return next(other for other in names if other != default)
        case Whole():
            return default + 2
        case Real(_, high):
            return min(high, default + 0.005)


def widget(app: AppTest, name: str):
    kinds = (app.selectbox, app.slider, app.text_input)
    return next(w for kind in kinds for w in kind if w.key == name)


def typed(name: str, value):
    return str(value) if name in TYPED else value


def test_opens_on_the_run_made_beforehand(app):
    opened(app)
    assert session(app).run is opener()
    assert PRESETS[first_preset()].look in html(app)
    assert not texts(app)
    assert address(app) == RunSpec().to_query() | {"preset": first_preset()}


def test_first_paint_loads_neither_torch_nor_pot_nor_scikit_learn():
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "if __name__ == '__main__':\n"
        f"    app = AppTest.from_file({str(PAGE)!r}, default_timeout={TIMEOUT}).run()\n"
        "    assert not app.exception\n"
        "    heavy = {'torch', 'ot', 'sklearn'} & set(sys.modules)\n"
        "    sys.stdout.write(' '.join(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_field_has_one_control():
    assert sorted(WIDGETS) == sorted(RULES)


@pytest.mark.parametrize("name", WIDGETS)
def test_every_widget_moves_its_setting_and_nothing_else(app, name):
    beside = BESIDE.get(name, {})
    opened(app, **beside)
    value = another(name)
    widget(app, name).set_value(typed(name, value)).run()
    assert not app.exception
    expected = RunSpec(**beside | {name: value})
    assert address(app) == expected.to_query()
    assert "Settings changed: press Train" in texts(app)
    assert session(app).run is opener()  # the picture stays


def controls(app: AppTest) -> set[str]:
    return {w.key for kind in (app.selectbox, app.slider, app.text_input) for w in kind}


@pytest.mark.parametrize(
    ("settings", "there", "away"),
    [
        ({}, {"target", "loss"}, {"projections", "epsilon", "head_decay"}),
        ({"loss": "sliced"}, {"projections"}, {"epsilon"}),
        ({"loss": "sinkhorn"}, {"epsilon"}, {"projections"}),
        (
            {"task": "classify", "source": "xor", "loss": "sliced"},
            {"head_decay"},
            {"target", "loss", "projections", "epsilon"},
        ),
    ],
)
def test_a_control_that_would_do_nothing_is_not_there(app, settings, there, away):
    opened(app, **settings)
    assert there <= controls(app)
    assert not away & controls(app)


def test_a_setting_outlives_its_control(app):
    opened(app, loss="sliced", target="moons", source="xor")
    widget(app, "projections").set_value("17").run()
    widget(app, "task").set_value("classify").run()
    widget(app, "depth").set_value(5).run()
    assert "projections" not in controls(app)
    widget(app, "task").set_value("match").run()
    expected = RunSpec(loss="sliced", target="moons", source="xor", projections=17, depth=5)
    assert address(app) == expected.to_query()


def test_classification_begins_with_a_source_that_has_classes(app):
    opened(app)
    widget(app, "task").set_value("classify").run()
    assert not app.exception
    assert address(app) == RunSpec(task="classify", source="moons").to_query()
    widget(app, "task").set_value("match").run()
    # The source that was there before.
    assert address(app) == RunSpec().to_query() | {"preset": first_preset()}


def test_settings_that_do_not_go_together_are_said_so_and_nothing_is_lost(app):
    opened(app, width="2", seed="7")
    before = address(app)
    widget(app, "network").set_value("plain").run()
    assert not app.exception
    assert "cannot be trained" in texts(app)
    assert "width 2" in texts(app)
    assert app.button(key="train").disabled
    assert app.button(key="reset").disabled
    assert address(app) == before
    widget(app, "width").set_value(4).run()
    assert "cannot be trained" not in texts(app)
    assert not app.button(key="train").disabled
    assert address(app) == RunSpec(network="plain", width=4, seed=7).to_query()


def test_a_control_is_there_unless_its_field_is_absent():
    cases = [
        RunSpec(task=task, source="moons", loss=loss)
        for task in RULES["task"].names
        for loss in RULES["loss"].names
    ]
    for spec in cases:
        now = {name: getattr(spec, name) for name in RULES}
        assert {name for name in SHOWN_IF if not is_there(name, now)} == spec.absent


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("kinetic", "0,01", 0.01), ("l2", "1e-5", 1e-5), ("steps", "1.000", 1000), ("seed", "7.0", 7)],
)
def test_a_number_is_read_as_it_was_meant_and_shown_as_it_was_read(app, name, text, value):
    opened(app)
    app.text_input(key=name).set_value(text).run()
    assert getattr(session(app).chosen, name) == value
    assert float(app.text_input(key=name).value) == value
    assert "cannot be trained" not in texts(app)


@pytest.mark.parametrize(("name", "text"), [("kinetic", "0,0,1"), ("steps", "2,5"), ("seed", "")])
def test_a_number_that_is_not_understood_stays_as_typed_and_nothing_is_trained(app, name, text):
    opened(app)
    before = address(app)
    app.text_input(key=name).set_value(text).run()
    assert app.text_input(key=name).value == text
    label = FIELDS[name].metadata["label"]
    assert f"cannot be trained. {label}: '{text}' is not allowed; allowed is" in texts(app)
    assert app.button(key="train").disabled
    assert address(app) == before


@pytest.mark.parametrize(
    ("name", "text", "task"),
    [("target", "Alexandra", "classify"), ("projections", "many", "classify")],
)
def test_what_is_wrong_in_a_control_that_goes_stops_nothing(app, name, text, task):
    opened(app, source="moons", loss="sliced", target="ring")
    control = widget(app, name)
    if name == "target":
        control.options.append(text)  # AppTest types nothing new into a list
    control.set_value(text).run()
    assert app.button(key="train").disabled
    widget(app, "task").set_value(task).run()
    assert not app.exception
    assert "cannot be trained" not in texts(app)
    assert not app.button(key="train").disabled
    assert session(app).chosen == RunSpec(task=task, source="moons", loss="sliced", target="ring")
    widget(app, "task").set_value("match").run()
    assert "cannot be trained" in texts(app)  # what was typed is there again


def test_what_would_be_wrong_alone_goes_with_its_own_control(app):
    opened(app, loss="sinkhorn", source="moons")
    widget(app, "epsilon").set_value("-1").run()
    assert app.button(key="train").disabled
    widget(app, "loss").set_value("energy").run()
    assert not app.button(key="train").disabled


def test_a_word_in_a_link_is_a_cloud_and_stays_one(app):
    opened(app, target="text:OT")
    assert widget(app, "target").value == "text:OT"
    widget(app, "depth").set_value(5).run()
    assert not app.exception
    assert address(app) == RunSpec(target="text:OT", depth=5).to_query()


def test_classes_are_trained_scored_and_coloured(app):
    opened(app, task="classify", source="moons", **small())
    trained(app)
    run = session(app).run
    assert run.target is None
    assert "Right" in html(app)
    assert "by class" in html(app)
    assert "Miss" not in html(app)


@pytest.mark.parametrize("chart", ["Layers", "Training", "Effort"])
def test_every_chart_is_drawn_of_a_finished_run(app, chart):
    opened(app)
    app.segmented_control(key="chart").set_value(chart).run()
    assert not app.exception


def test_a_link_opens_with_its_settings_and_training_it_gives_the_same_numbers(app):
    spec = RunSpec(**SMALL, target="moons", kinetic=0.0125, seed=5)
    opened(app, **spec.to_query())
    assert widget(app, "kinetic").value == "0.0125"
    assert widget(app, "target").value == "moons"
    trained(app)
    expected = run(spec)
    assert (session(app).run.tracks == expected.tracks).all()
    assert session(app).run.scores.fit == expected.scores.fit
    assert not texts(app)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("target", "pentagon"),
        ("depth", "65"),
        ("width", "7"),
        ("learning_rate", "nan"),
        ("seed", ""),
        ("seed", "2.5"),
        ("kinetic", "inf"),
        ("depht", "4"),
    ],
)
def test_a_bad_field_keeps_its_default_and_is_named_in_one_warning(app, name, text):
    opened(app, **{name: text, "batch": "64"})
    assert len(app.warning) == 1
    assert f"{name}:" in texts(app)
    assert address(app) == RunSpec(batch=64).to_query()


def test_a_repeated_field_keeps_its_default(app):
    opened(app, depth=["4", "5"])
    assert "depth: is given 2 times" in texts(app)
    assert widget(app, "depth").value == RunSpec().depth


def test_training_changes_the_scores_and_loops_again(app):
    opened(app, **{name: str(value) for name, value in SMALL.items()})
    trained(app)
    run_now, before = session(app).run, opener().scores.action_ratio
    assert run_now.spec == RunSpec(**SMALL)
    assert words.number(run_now.scores.action_ratio) in html(app)
    assert words.number(before) not in html(app)


def test_pause_resume_and_stop(app):
    opened(app, steps="20000", particles="20")
    press(app, "train")
    job = session(app).job
    assert app.button(key="pause").label == "Pause"
    press(app, "pause")
    assert job.phase is Phase.PAUSED
    assert app.button(key="pause").label == "Resume"
    press(app, "pause")
    assert job.phase is Phase.RUNNING
    assert job.wait_until(lambda j: j.step > 0, TIMEOUT)
    press(app, "stop")
    assert job.wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)
    app.run()
    assert 0 < session(app).run.state.step < 20000
    assert "Stopped at step" in texts(app)


def test_reset_shows_the_untrained_network_of_the_settings(app):
    opened(app, **{name: str(value) for name, value in SMALL.items()})
    press(app, "reset")
    job = session(app).job
    assert job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    assert (job.phase, job.step, job.spec) == (Phase.PAUSED, 0, RunSpec(**SMALL))


def test_a_setting_changed_while_training_leaves_the_run_alone(app):
    opened(app, steps="20000", particles="20")
    press(app, "train")
    job = session(app).job
    widget(app, "depth").set_value(5).run()
    assert session(app).job is job
    assert job.spec.depth == RunSpec().depth
    assert "Settings changed: press Train" in texts(app)
    job.cancel()


def test_a_value_typed_and_train_pressed_at_once_is_trained(app):
    """The browser sends both in one message; the callback must not see the old value."""
    opened(app, **small())
    app.text_input(key="seed").set_value("9")
    press(app, "train")
    assert session(app).job.spec.seed == 9


def test_a_diverging_run_says_so_and_at_which_step(app):
    opened(app, learning_rate="10", steps="1000", particles="20")
    trained(app)
    run = session(app).run
    assert f"Training diverged at step {run.state.diverged} of 1000" in texts(app)
    assert run.state.diverged == run.state.step + 1
    assert np.isfinite(run.tracks).all()
    assert np.isfinite(run.scores.fit)


def test_a_run_that_fails_leaves_the_picture_and_says_why(app):
    opened(app)
    press(app, "train")
    session(app).job._shared.fail("The machine is on fire.")
    app.run()
    assert "The machine is on fire." in texts(app)
    assert session(app).run is opener()


def test_over_a_limit_the_page_says_which_and_keeps_what_there_is(app, monkeypatch):
    opened(app, **small())
    trained(app)
    before = session(app).run
    monkeypatch.setattr(shared_engine(), "limits", Limits(steps=29))
    for key in ("train", "reset"):
        press(app, key)
        assert "steps: 30 is over this server's limit of 29" in texts(app)
        assert session(app).run is before
        assert session(app).job is None
    monkeypatch.undo()
    trained(app)
    assert "limit" not in texts(app)


def test_a_known_run_is_replayed_and_can_be_skipped(app, monkeypatch):
    monkeypatch.setattr("resviz.job.REPLAY_SECONDS", TIMEOUT)  # it is skipped before it moves
    opened(app, **small())
    trained(app)
    first = session(app).run
    press(app, "train")
    assert progress(app).startswith("replayed · step 0 of 30")
    press(app, "skip")
    app.run()
    assert session(app).job is None
    assert session(app).run is first
    assert not progress(app).startswith("replayed")
    assert "skip" not in [button.key for button in app.button]


def test_on_a_full_server_the_page_says_the_place_in_line(app, monkeypatch):
    monkeypatch.setattr(shared_engine(), "limits", Limits(trainings=1))
    monkeypatch.setattr("resviz.job.LEASE_SECONDS", 1e9)  # on a machine that does other things
    monkeypatch.setattr("resviz.engine.ROUND_SECONDS", 1e9)
    others = [shared_engine().start(RunSpec(seed=seed, steps=20000)) for seed in (1, 2)]
    for job in others:  # the second one waits
        assert job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    assert others[0].wait_until(lambda j: j.step > 0, TIMEOUT)
    opened(app, **small())
    press(app, "train")
    assert session(app).job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    for job in (*others, session(app).job):
        job.touch()
    app.run()
    assert "place 2 in line: this server trains 1 run at once" in progress(app)
    for job in others:
        job.cancel()
    assert session(app).job.wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)


def test_the_end_of_a_run_is_told_though_a_setting_was_moved_meanwhile(app):
    opened(app, learning_rate="10", steps="1000", particles="20")
    press(app, "train")
    app.text_input(key="seed").set_value("1")
    job = session(app).job
    assert job is None or job.wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)
    app.run()
    assert "Training diverged at step" in texts(app)
    assert "Settings changed: press Train" in texts(app)


def test_a_result_is_not_lost_to_the_next_press(app):
    """It ended after the page was last drawn, and a callback runs before the page."""
    opened(app, **small())
    press(app, "reset")
    job = session(app).job
    job.resume()
    assert job.wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)
    press(app, "keep")
    assert session(app).kept is job.run


def test_a_link_cannot_write_markdown_into_the_page(app):
    opened(app, seed="![x](https://example.org/x.png)")
    shown = app.warning[0].value
    assert "https://" not in shown
    assert "![x](https://example.org/x.png)" in texts(app)  # what was wrong is still said


def test_a_link_with_other_settings_says_that_they_are_not_trained_yet(app):
    opened(app, seed="4")
    assert "This link's settings are not trained yet: press Train" in texts(app)


def test_keep_as_a_and_compare(app):
    opened(app, **small())
    press(app, "keep")
    assert session(app).kept is opener()
    trained(app)
    assert session(app).view == "both"
    kept, present = opener().scores, session(app).run.scores
    assert f"{kept.action_ratio:#.3g} →" in html(app)
    assert f"Effort {kept.action_ratio:#.3g} → {present.action_ratio:#.3g}" in html(app)
    for view in ("A", "B", "both"):
        app.button_group(key="view").set_value(view).run()
        assert not app.exception
        assert session(app).view == view
