"""Whose turn it is, and what becomes of pieces that go wrong: workers moved by hand."""

from concurrent.futures import Future

import numpy as np
import pytest

import resviz.engine
import resviz.job
from resviz.chunks import Chunk
from resviz.engine import AHEAD, Engine, Job, Phase
from resviz.records import Record, TrainState
from resviz.shared import TURN_SECONDS
from resviz.spec import RunSpec
from resviz.workers import WorkerDiedError

SPEC = RunSpec(steps=20000)


class ByHand:
    """Workers that hold every piece until they are told what became of it."""

    name, slots = "a hand", 1

    def __init__(self) -> None:
        self.pieces: list[tuple[tuple, Future]] = []

    def submit(self, work, *arguments, seconds=None) -> Future:
        self.pieces.append((arguments, Future()))
        return self.pieces[-1][1]

    def finish(self, seconds: float = 0.1) -> int:
        """Do the oldest piece; the seed of whose it was."""
        (spec, before, *_), future = self.pieces.pop(0)
        step = before.step + 1 if before else 0
        nothing, points = np.zeros(1, np.float32), np.zeros((2, 1, 2), np.float32)
        state = TrainState(step, nothing, nothing, nothing)
        no_plan = np.zeros(1, np.int16)
        record = Record(step, 0.0, None, None, nothing, no_plan) if step == 0 else None
        future.set_result(Chunk(state, record, points, np.zeros(1, int), None, None, seconds))
        return spec.seed


@pytest.fixture
def workers(monkeypatch) -> ByHand:
    by_hand = ByHand()
    monkeypatch.setattr(resviz.engine, "open_workers", lambda *_: by_hand)
    monkeypatch.setattr(resviz.job, "LEASE_SECONDS", 1e9)
    return by_hand


def begin(engine: Engine, workers: ByHand, count: int) -> list[Job]:
    """Jobs with seeds 0, 1, …, that have had their first pictures."""
    jobs = [engine.start(RunSpec(steps=20000, seed=seed)) for seed in range(count)]
    while not all(job.chunk for job in jobs):
        workers.finish()
    return jobs


def test_turns_go_round(workers):
    jobs = begin(Engine(), workers, 5)
    turns = [workers.finish() for _ in range(50)]
    assert max(job.step for job in jobs) - min(job.step for job in jobs) <= 1
    assert all(set(turns[k : k + 5]) == set(range(5)) for k in range(0, 50, 5))
    assert len(workers.pieces) == AHEAD


def test_whoever_takes_as_long_as_many_passes_over_as_many_turns(workers):
    jobs = begin(Engine(), workers, 4)
    spent = [0.0] * len(jobs)
    for _ in range(400):
        seed = workers.pieces[0][0][0].seed
        seconds = 10 * TURN_SECONDS if seed == 0 else TURN_SECONDS
        spent[workers.finish(seconds)] += seconds
    assert spent[0] == pytest.approx(np.mean(spent[1:]), rel=0.2)
    assert spent[1] == pytest.approx(spent[2], rel=0.1)


def test_one_alone_never_passes_over_a_turn(workers):
    (job,) = begin(Engine(), workers, 1)
    for _ in range(20):
        workers.finish(100 * TURN_SECONDS)
    assert job.step == 20


def test_a_newcomer_waits_for_the_pieces_under_way_alone(workers):
    engine = Engine()
    others = begin(engine, workers, 30)
    for _ in range(30):  # which pays back what so many first pictures had in advance
        workers.finish()
    steps = sum(job.step for job in others)
    newcomer = engine.start(RunSpec(seed=99))
    for _ in range(AHEAD + 1):
        assert newcomer.chunk is None
        last = workers.finish()
    assert last == 99
    assert sum(job.step for job in others) <= steps + AHEAD
    assert newcomer.chunk is not None


def test_pieces_that_cannot_be_handed_over_end_their_trainings_and_no_more(workers, monkeypatch):
    """However many: none fails from within the failing of another."""
    engine = Engine()
    others = begin(engine, workers, 2)
    jobs = [engine.start(RunSpec(steps=20000, seed=seed)) for seed in range(10, 1000)]

    def nowhere(*_: object, **__: object) -> Future:
        raise OSError("no room for a process")

    with monkeypatch.context() as broken:
        broken.setattr(workers, "submit", nowhere)
        while workers.pieces:
            workers.finish()
    assert {job.phase for job in jobs} == {Phase.FAILED}
    assert "no room for a process" in jobs[0].failure
    assert {job.phase for job in others} == {Phase.FAILED}
    late = engine.start(RunSpec(seed=5000))
    workers.finish()
    assert late.chunk is not None


def test_a_result_that_cannot_be_taken_in_ends_its_training_and_the_next_goes_on(workers):
    engine = Engine()
    first, second = begin(engine, workers, 2)
    (spec, *_), future = workers.pieces.pop(0)
    future.set_result("no chunk")
    broken, whole = (first, second) if spec.seed == 0 else (second, first)
    assert broken.phase is Phase.FAILED
    assert "could not go on" in broken.failure
    step = whole.step
    workers.finish()
    assert (whole.phase, whole.step) == (Phase.RUNNING, step + 1)


def test_a_piece_that_only_waited_behind_a_death_is_counted_innocent(workers):
    engine = Engine()
    jobs = begin(engine, workers, 2)
    for _ in range(10):
        _, future = workers.pieces.pop(0)
        future.set_exception(WorkerDiedError("It died.", guilty=False))
    assert {job.phase for job in jobs} == {Phase.RUNNING}
    while workers.pieces:
        (spec, *_), future = workers.pieces[0]
        if spec.seed == 0:  # whose every piece ends its worker
            workers.pieces.pop(0)
            future.set_exception(WorkerDiedError("It died.", guilty=True))
        elif jobs[0].phase is Phase.FAILED:
            break
        else:
            workers.finish()
    assert "ended 3 workers in a row" in jobs[0].failure
    assert jobs[1].phase is Phase.RUNNING


def test_a_prepared_run_whose_first_look_fails_says_so(workers):
    job = Engine().prepare(SPEC)
    _, future = workers.pieces.pop(0)
    future.set_exception(MemoryError("none left"))
    assert job.phase is Phase.FAILED
    assert "none left" in job.failure


def test_a_paused_run_keeps_its_picture_though_the_training_fails(workers):
    engine = Engine()
    (job,) = begin(engine, workers, 1)
    job.pause()
    _, future = workers.pieces.pop(0)
    future.set_exception(MemoryError("none left"))
    assert job.phase is Phase.PAUSED
    job.resume()
    assert job.phase is Phase.FAILED


def test_a_replay_ends_between_two_looks_at_the_clock(workers, monkeypatch):
    engine = Engine()
    (first,) = begin(engine, workers, 1)
    first._shared.reel += [first._shared.reel[0]] * 3

    class Running:
        """A clock that moves with every look at it."""

        now = 0.0

        def monotonic(self) -> float:
            self.now += 0.4 * resviz.job.REPLAY_SECONDS
            return self.now

    monkeypatch.setattr(resviz.job, "time", Running())
    late = engine.start(RunSpec(steps=20000, seed=0))
    assert late.replaying
    while late.replaying:
        assert late.chunk is not None
        assert late.seconds_left is None or late.seconds_left >= 0
