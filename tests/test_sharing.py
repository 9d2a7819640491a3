"""What is asked for twice is computed once; what is finished is shown again; limits hold."""

import gc
import json
import weakref
from dataclasses import replace

import pytest
from patience import PATIENCE as TIMEOUT

import resviz.engine
import resviz.job
from resviz import RunSpec, run
from resviz.chunks import take_chunk
from resviz.engine import Engine, Job, Phase
from resviz.limits import LimitError, Limits
from resviz.pipeline import record_steps

SMALL = RunSpec(depth=4, width=8, steps=60, batch=32, particles=40, target="moons")
LONG = replace(SMALL, steps=20000)
COURSE = len(record_steps(SMALL))


@pytest.fixture(scope="module")
def engine():
    with_workers = Engine(workers=1)
    with_workers.wait_until_warm(TIMEOUT)
    yield with_workers
    with_workers.close()


@pytest.fixture
def pieces(monkeypatch):
    """What the engine hands to its workers."""
    handed = []

    def watch(engine: Engine) -> list:
        submit = engine._workers.submit
        monkeypatch.setattr(
            engine._workers,
            "submit",
            lambda work, *arguments, **others: (
                handed.append((work, arguments)) or submit(work, *arguments, **others)
            ),
        )
        return handed

    return watch


@pytest.fixture
def clock(monkeypatch):
    """A replay's clock, moved by hand. Leases last."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    by_hand = Clock()
    monkeypatch.setattr(resviz.job, "time", by_hand)
    return by_hand


def done(job: Job) -> bool:
    return job.phase is Phase.DONE


def at_step(step: int):
    return lambda job: job.step >= step


def assert_same_run(job: Job, expected) -> None:
    assert job.phase is Phase.DONE, job.failure
    assert (job.run.tracks == expected.tracks).all()
    assert json.dumps(job.run.summary()) == json.dumps(expected.summary())


def trainings_of(spec: RunSpec, handed: list) -> int:
    """How often this spec was begun."""
    first = [arguments for work, arguments in handed if work is take_chunk]
    return sum(arguments[0] == spec and arguments[1] is None for arguments in first)


def test_equal_specs_under_way_are_one_training(engine, pieces):
    handed, spec = pieces(engine), replace(SMALL, seed=1, steps=400)
    first = engine.start(spec)
    others = [engine.start(RunSpec.from_query(spec.to_query())) for _ in range(29)]
    jobs = (first, *others)
    for job in jobs:
        assert job.wait_until(done, TIMEOUT)
    assert trainings_of(spec, handed) == 1
    states = [a[1].step for w, a in handed if w is take_chunk and a[0] == spec and a[1]]
    assert states == sorted(set(states))  # and no piece of it was taken twice
    for job in jobs:
        assert job.run is first.run
    assert_same_run(first, run(spec))


def test_a_finished_run_is_replayed_step_by_step_and_the_same(engine, pieces, clock):
    spec = replace(SMALL, seed=2)
    first = engine.start(spec)
    assert first.wait_until(done, TIMEOUT)
    handed = pieces(engine)
    again = engine.start(spec)
    assert (again.phase, again.replaying, again.step) == (Phase.RUNNING, True, 0)
    assert again.run is None
    assert again.seconds_left == pytest.approx(COURSE * resviz.job.REPLAY_SECONDS)
    seen = []
    while again.phase is Phase.RUNNING:
        assert again.chunk.state.step == again.step == again.history[-1].step
        seen.append(again.step)
        clock.now += 1.01 * resviz.job.REPLAY_SECONDS
    assert seen == list(record_steps(spec))
    assert not again.replaying
    assert_same_run(again, run(spec))
    assert handed == []
    assert clock.now == pytest.approx(5, abs=0.5)  # seconds: a class sees it happen


def test_skip_ends_a_replay_at_once(engine):
    spec = replace(SMALL, seed=2)
    assert engine.start(spec).wait_until(done, TIMEOUT)
    again = engine.start(spec)
    again.skip()
    assert again.phase is Phase.DONE


def test_a_replay_can_be_paused_resumed_and_stopped(engine, clock):
    spec = replace(SMALL, seed=3)
    assert engine.start(spec).wait_until(lambda j: j.run is not None or j._shared.run, TIMEOUT)
    again = engine.start(spec)
    clock.now += 5.5 * resviz.job.REPLAY_SECONDS
    again.pause()
    step = record_steps(spec)[5]
    clock.now += 100
    assert (again.phase, again.step, again.history[-1].step) == (Phase.PAUSED, step, step)
    again.resume()
    assert (again.phase, again.replaying) == (Phase.RUNNING, True)
    assert again.step == record_steps(spec)[6]
    again.pause()
    at = again.step
    again.stop()
    assert again.wait_until(done, TIMEOUT)
    assert again.run.state.step == at
    assert not again.run.complete


def test_who_comes_late_sees_the_steps_before_and_catches_up(engine, clock):
    spec = replace(LONG, seed=4)
    first = engine.start(spec)
    assert first.wait_until(lambda j: len(j.history) > 3, TIMEOUT)
    late = engine.start(spec)
    assert (late.replaying, late.step) == (True, 0)
    clock.now += 1.5 * resviz.job.REPLAY_SECONDS
    assert late.step == record_steps(spec)[1]
    late.skip()
    assert late.step == first.step > 0
    assert not late.replaying
    for job in (first, late):
        job.cancel()


def test_one_pauses_the_other_goes_on(engine):
    spec = replace(SMALL, seed=5, steps=600)
    paused, other = engine.start(spec), engine.start(spec)
    assert paused.wait_until(at_step(1), TIMEOUT)
    paused.pause()
    held, picture = paused.step, paused.chunk
    assert other.wait_until(done, TIMEOUT)
    assert (paused.phase, paused.step) == (Phase.PAUSED, held)
    assert paused.chunk is picture
    paused.resume()
    paused.skip()
    assert_same_run(paused, run(spec))


def test_one_stops_the_other_is_not_stopped(engine):
    spec = replace(SMALL, seed=6, steps=600)
    stopped, other = engine.start(spec), engine.start(spec)
    assert stopped.wait_until(at_step(1), TIMEOUT)
    stopped.stop()
    assert stopped.wait_until(done, TIMEOUT)
    assert 0 < stopped.run.state.step < spec.steps
    assert other.wait_until(done, TIMEOUT)
    assert_same_run(other, run(spec))
    # What was stopped half-way is nobody else's result.
    later = engine.start(spec)
    later.skip()
    assert later.run is other.run


def test_one_cancels_the_other_is_not_cancelled(engine):
    spec = replace(SMALL, seed=7, steps=600)
    gone, other = engine.start(spec), engine.start(spec)
    gone.cancel()
    assert other.wait_until(done, TIMEOUT)
    assert gone.phase is Phase.CANCELLED
    assert gone.run is None


def test_stop_before_the_first_picture_scores_the_untrained_network(engine):
    job = engine.start(replace(SMALL, seed=8))
    job.stop()
    assert job.wait_until(done, TIMEOUT)
    assert job.run.state.step == 0


def test_a_prepared_run_is_the_untrained_network_though_it_is_known(engine):
    spec = replace(SMALL, seed=9)
    assert engine.start(spec).wait_until(done, TIMEOUT)
    job = engine.prepare(spec)
    assert (job.phase, job.step) == (Phase.PAUSED, 0)
    assert job.chunk.state.step == 0
    job.resume()
    assert job.replaying
    job.skip()
    assert_same_run(job, run(spec))


def test_the_cache_is_bounded_in_bytes_and_lets_the_oldest_go(pieces):
    engine = Engine(workers=1, limits=Limits(cache_mb=1))
    try:
        handed = pieces(engine)
        specs = [replace(SMALL, seed=seed, particles=300) for seed in range(4)]
        for spec in specs:
            job = engine.start(spec)
            assert job.wait_until(done, TIMEOUT)
            assert 0 < engine.cached_bytes <= 2**20
        del job
        gc.collect()
        oldest, newest = engine.start(specs[0]), engine.start(specs[-1])
        assert (oldest.replaying, newest.replaying) == (False, True)
        assert oldest.wait_until(done, TIMEOUT)
        assert trainings_of(specs[0], handed) == 2
        assert trainings_of(specs[-1], handed) == 1
    finally:
        engine.close()


def test_without_a_cache_every_run_is_trained(pieces):
    engine = Engine(workers=1, limits=Limits(cache_mb=0))
    try:
        handed = pieces(engine)
        for _ in range(2):
            assert engine.start(SMALL).wait_until(done, TIMEOUT)
            gc.collect()
        assert trainings_of(SMALL, handed) == 2
        assert engine.cached_bytes == 0
    finally:
        engine.close()


def test_a_training_that_nobody_holds_is_forgotten(engine):
    job = engine.start(replace(LONG, seed=10))
    assert job.wait_until(at_step(1), TIMEOUT)
    shared = weakref.ref(job._shared)
    job.cancel()
    del job
    # The piece that is with a worker holds it still: another training passes through.
    assert engine.start(replace(SMALL, seed=11)).wait_until(done, TIMEOUT)
    gc.collect()
    assert shared() is None


def test_over_the_limit_a_job_waits_in_line_and_is_told_its_place():
    engine = Engine(workers=1, limits=Limits(trainings=2))
    try:
        jobs = [engine.start(replace(LONG, seed=seed)) for seed in range(5)]
        for job in jobs:  # each has its first picture, and two go on
            assert job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
        for job in jobs[:2]:
            assert job.wait_until(at_step(1), TIMEOUT)
        for job in jobs:
            job.touch()
        assert [job.position for job in jobs] == [None, None, 1, 2, 3]
        assert [job.step for job in jobs[2:]] == [0, 0, 0]
        jobs[3].cancel()
        jobs[0].pause()
        assert jobs[2].wait_until(at_step(1), TIMEOUT)
        for job in jobs:
            job.touch()
        assert [job.position for job in jobs] == [None, None, None, None, 1]
        # Who was paused stands in line again.
        jobs[0].resume()
        assert jobs[0].position == 2
        # Who stops is scored without standing in line, and makes room.
        jobs[1].stop()
        assert jobs[1].position is None
        assert jobs[1].wait_until(done, TIMEOUT)
        assert jobs[4].wait_until(at_step(1), TIMEOUT)
        for job in jobs:
            job.cancel()
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("limits", "spec", "told"),
    [
        (Limits(particles=99), RunSpec(particles=100), "particles: 100 is over .* of 99 .*PARTIC"),
        (Limits(steps=999), RunSpec(steps=1000), "steps: 1000 is over .* limit of 999 .*STEPS"),
        (Limits(units=383), RunSpec(), "depth × width: 384 is over .* limit of 383 .*UNITS"),
        (
            Limits(),
            RunSpec(loss="sinkhorn", batch=1024),
            "batch with the Sinkhorn distance: 1024 is over .* of 512 .*MAX_SINKHORN_BATCH",
        ),
        (
            Limits(),
            RunSpec(loss="sliced", batch=1024, projections=1024),
            "directions × batch: 1048576 is over .* of 524288 .*MAX_SHADOWS",
        ),
    ],
)
def test_a_limit_is_named_and_the_spec_at_it_is_allowed(limits, spec, told):
    with pytest.raises(LimitError, match=told):
        limits.check(spec)
    Limits(particles=400, steps=1000, units=384).check(RunSpec())
    for allowed in (
        RunSpec(batch=1024, projections=1024),
        RunSpec(loss="sinkhorn", batch=512),
        RunSpec(loss="sliced", batch=1024, projections=512),
        RunSpec(task="classify", source="moons", loss="sinkhorn", batch=1024),  # which has none
    ):
        Limits().check(allowed)


def test_the_engine_refuses_what_is_over_a_limit(engine, monkeypatch):
    monkeypatch.setattr(engine, "limits", Limits(particles=39))
    for ask in (engine.start, engine.prepare):
        with pytest.raises(LimitError, match="particles"):
            ask(SMALL)


def test_limits_come_from_the_environment():
    given = {"RESVIZ_MAX_TRAININGS": "3", "RESVIZ_MAX_CACHE_MB": "0", "RESVIZ_OTHER": "x"}
    assert Limits.from_environment(given) == Limits(trainings=3, cache_mb=0)
    assert Limits.from_environment({}) == Limits()


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "0", "1e3", " 4", "9" * 13])
def test_a_limit_that_is_not_allowed_is_a_sentence(text):
    with pytest.raises(ValueError, match=f"RESVIZ_MAX_STEPS: '{text}' is not allowed; allowed is"):
        Limits.from_environment({"RESVIZ_MAX_STEPS": text})
