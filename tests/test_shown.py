"""What is on the stage: whatever is under way and wherever the slider stands, one step of each."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import pytest

from resviz.presets import PRESETS, load
from resviz.records import COURSE_PARTICLES, Record, Run
from resviz.ui.moment import Moment, read
from resviz.ui.readings import CHARTS, draw_chart
from resviz.ui.session import Session, twin_of
from resviz.ui.shown import beside_it, on_stage, told_steps, trainings

ON_STAGE = {"A": ("kept",), "B": ("present", "twin"), "both": ("kept", "present")}
JOBS = ("none", "waiting", "live")
MOMENTS = ("ends", "earlier", "of another figure", "never recorded")


def job(run: Run, phase: str) -> SimpleNamespace | None:
    """A training of the run's settings: waiting for its first picture, or some way on."""
    if phase == "none":
        return None
    chunk, history = None, ()
    if phase == "live":
        history = run.history[:4]
        step = history[-1].step + 1  # between two recorded ones
        chunk = SimpleNamespace(state=SimpleNamespace(step=step, loss=0.5))
    return SimpleNamespace(spec=run.spec, chunk=chunk, picture=(chunk, history), history=history)


@pytest.fixture(scope="module")
def runs(tiny_run: Run) -> dict[str, Run]:
    """Some runs, each of other settings; told apart by their floors."""
    kept = replace(
        tiny_run, spec=replace(tiny_run.spec, kinetic=0.5), history=tiny_run.history[::2]
    )
    twin = replace(tiny_run, spec=twin_of(tiny_run.spec))
    floors = {"kept": 1.0, "present": 2.0, "twin": 3.0}
    return {
        of: replace(run, scores=replace(run.scores, fit_floor=floors[of]))
        for of, run in (("kept", kept), ("present", tiny_run), ("twin", twin))
    }


def session(runs: dict[str, Run], view: str, jobs: tuple[str, str], twin: bool, moment: str):
    spec = runs["present"].spec
    made = Session(
        spec, spec, run=runs["present"], kept=runs["kept"], view=view, number="1", kept_number="2",
        job=job(runs["present"], jobs[0]), twin_job=job(runs["twin"], jobs[1]),
        beside=twin or jobs[1] != "none", other=runs["twin"] if twin else None,
    )  # fmt: skip
    figure = "another" if moment == "of another figure" else made.figure_name
    step = 777 if moment == "never recorded" else 4
    if moment != "ends":
        made.moment = Moment(figure, dict.fromkeys(ON_STAGE[view], step))
    return made


@pytest.mark.parametrize("view", ON_STAGE)
@pytest.mark.parametrize("jobs", list(product(JOBS, JOBS)), ids="-".join)
def test_each_run_is_shown_at_one_step(runs, view, jobs):
    for twin, moment in product((False, True), MOMENTS):
        is_shown_at_one_step(runs, view, jobs, twin, moment)


def is_shown_at_one_step(runs, view, jobs, twin, moment):
    now = session(runs, view, jobs, twin, moment)
    stage = on_stage(now)
    live = {of for of, phase in zip(("present", "twin"), jobs, strict=True) if phase == "live"}
    live &= set(ON_STAGE[view])
    expected = [of for of in ON_STAGE[view] if of != "twin" or twin or "twin" in live]
    assert [shown.of for shown in stage] == expected
    for shown in stage:
        run = runs[shown.of]
        assert shown.live is (shown.of in live)
        # The player shows no earlier moment beside what trains.
        assert shown.past is (moment == "earlier" and not live)
        assert shown.ended is not (shown.live or shown.past)
        if shown.live:
            assert (shown.step, shown.loss) == (run.history[3].step + 1, 0.5)
            assert shown.record is run.history[3]
            assert shown.scores is run.history[3].scores
        elif shown.past:
            record: Record = next(r for r in run.history if r.step == 4)
            assert (shown.step, shown.loss, shown.record) == (4, record.loss, record)
            assert shown.scores == replace(
                record.scores, fit_floor=run.scores.fit_floor, fit_floor_sd=run.scores.fit_floor_sd
            )
        else:
            assert (shown.step, shown.scores) == (run.state.step, run.scores)
    assert set(trainings(now)) <= set(ON_STAGE[view])


@pytest.mark.parametrize("view", ON_STAGE)
@pytest.mark.parametrize(
    ("phase", "moment"), [("none", "ends"), ("none", "earlier"), ("live", "ends")]
)
def test_charts_are_of_what_is_on_the_stage(runs, view, phase, moment):
    now = session(runs, view, (phase, phase), True, moment)
    stage = {shown.of: shown for shown in on_stage(now)}
    kept = beside_it(now, tuple(stage.values())) or stage.get("kept")
    drawn = [shown.scores for shown in (kept, stage.get("present")) if shown]
    gaps = [trace.y for trace in draw_chart(now, "Layers").data if trace.yaxis == "y"]
    assert [list(gap) for gap in gaps] == [list(scores.gap) for scores in drawn]
    for chart in CHARTS[1:]:
        traces = draw_chart(now, chart).data
        own = stage["present"].history if "present" in stage else ()
        assert [len(traces[0].x), len(traces[5].x)] == [len(now.kept.history), len(own)]


def test_what_a_is_compared_with(runs):
    def compared(view, jobs=("none", "none"), moment="ends"):
        now = session(runs, view, jobs, False, moment)
        return beside_it(now, on_stage(now))

    assert compared("A") is None
    assert compared("B").ended
    assert compared("B", ("live", "none")).ended
    assert compared("B", moment="earlier") is None  # not B's beginning with A's end
    assert compared("both", moment="earlier").past
    same = session(runs, "both", ("none", "none"), False, "ends")
    same.kept = same.run
    assert beside_it(same, on_stage(same)) is None


def test_steps_are_told_of_each_run_where_they_differ(runs):
    stage = on_stage(session(runs, "both", ("none", "none"), False, "earlier"))
    assert told_steps(stage) == "step 4"
    assert told_steps((replace(stage[0], step=2), stage[1])) == "A step 2, B step 4"
    # Between two recorded steps the scores are those of the last.
    between = on_stage(session(runs, "B", ("live", "none"), False, "ends"))
    assert told_steps(between) == f"step {runs['present'].history[3].step}"


@pytest.mark.parametrize(
    "told",
    [None, 3, [], {}, {"figure": "x"}, {"figure": 1, "steps": {"kept": 2}}, {"figure": "x",
     "steps": [2]}, {"figure": "x", "steps": {"kept": "2"}}, {"figure": "x", "steps": {"a": True}}],
)  # fmt: skip
def test_what_no_player_tells_is_no_moment(told):
    assert read(told) is None


def test_what_a_player_tells_is_a_moment():
    assert read({"figure": "x", "steps": {"kept": 2}}) == Moment("x", {"kept": 2})


@pytest.mark.parametrize("name", PRESETS)
def test_the_last_moment_of_a_preset_is_its_end(name):
    for run in filter(None, load(name)):
        last = run.history[-1]
        assert run.at(last) == (run.scores, run.class_scores)
        for score in ("action_ratio", "path_factor", "map_factor", "line_shape", "fit", "accuracy",
                      "optimal_transport", "unmoved"):  # fmt: skip
            assert getattr(last.scores, score) == getattr(run.scores, score)
        # Its layers are known at every step, of its first particles.
        assert run.spec.particles > COURSE_PARTICLES
        assert all(len(r.scores.gap) == len(r.scores.pace) + 1 == run.spec.depth + 1
                   for r in run.history)  # fmt: skip
