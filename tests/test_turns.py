"""Whose turn it is, and what becomes of pieces that go wrong: workers moved by hand."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from patience import wait_until

import resviz.engine
import resviz.job
from resviz.chunks import Chunk
from resviz.engine import AHEAD, ROUND_SECONDS, Engine, Job, Phase
from resviz.limits import LimitError, Limits
from resviz.records import Record, TrainState
from resviz.shared import FIRST_PATIENCE, LEAST_PATIENCE, PATIENCE, TURN_SECONDS
from resviz.spec import RunSpec
from resviz.turns import HEAD_START
from resviz.workers import WorkerDiedError

SPEC = RunSpec(steps=20000)


class ByHand:
    """Workers that hold every piece until they are told what became of it."""

    name, slots = "a hand", 1

    def __init__(self) -> None:
        self.pieces: list[tuple[tuple, Future]] = []

    def submit(self, work, *arguments, seconds=None) -> Future:
        self.patience = seconds
        self.pieces.append((arguments, Future()))
        return self.pieces[-1][1]

    def finish(self, seconds: float | Callable[[RunSpec], float] = 0.1) -> int:
        """Do the oldest piece, which takes so long; the seed of whose it was."""
        (spec, before, *_), future = self.pieces.pop(0)
        seconds = seconds(spec) if callable(seconds) else seconds
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


def test_one_worker_is_shared_evenly_by_two_though_one_has_long_pieces(workers):
    """A piece that lies ready with the worker has been given its turn, too."""
    jobs = begin(Engine(), workers, 2)
    spent = Counter()
    for _ in range(300):
        seconds = 1.0 if workers.pieces[0][0][0].seed == 0 else 0.1
        spent[workers.finish(seconds)] += seconds
    assert spent[0] == pytest.approx(spent[1], abs=3.1)  # of 57, in pieces of one
    assert min(job.step for job in jobs) > 10


# ---- first pictures without end


def look_again_and_again(
    engine: Engine, workers: ByHand, threads: int, pieces: int, visitor: str | None = None
) -> Counter:
    """Some loop over `cancel` and `prepare`, each time as another task; worker seconds by seed.

    Their first pictures take half a second, all other pieces a tenth of one.
    """
    new, looking = iter(range(1000, 10**6)), []
    spent: Counter[int] = Counter()

    def seconds(spec: RunSpec) -> float:
        return 0.5 if spec.seed >= 1000 else 0.1

    for _ in range(pieces):
        for job in [job for job in looking if job.chunk]:
            job.cancel()
            looking.remove(job)
        while len(looking) < threads:
            looking.append(engine.prepare(RunSpec(seed=next(new)), visitor))
        whose = workers.finish(seconds)
        spent[min(whose, 1000)] += 0.5 if whose >= 1000 else 0.1
    return spent


@pytest.mark.parametrize("threads", [2, 6])
def test_first_pictures_without_end_take_half_of_the_time_at_most(workers, threads):
    engine = Engine()
    jobs = begin(engine, workers, 1)
    spent = look_again_and_again(engine, workers, threads, 600)
    assert spent[1000] <= spent[0] + HEAD_START + 1.0
    assert jobs[0].phase is Phase.RUNNING


def test_what_cancelled_tasks_have_cost_is_their_visitors_debt(workers):
    engine = Engine()
    honest = [engine.start(replace(SPEC, seed=seed), f"visitor {seed}") for seed in range(3)]
    while not all(job.chunk for job in honest):
        workers.finish()
    spent = look_again_and_again(engine, workers, 6, 900, "looking")
    share = sum(spent.values()) / 4
    assert spent[1000] <= share + 2 * HEAD_START
    for seed in range(3):
        assert spent[seed] == pytest.approx(share, rel=0.1)


def test_several_runs_of_one_visitor_have_one_visitors_time(workers):
    engine = Engine()
    jobs = [engine.start(replace(SPEC, seed=seed), "many" if seed else "one") for seed in range(5)]
    while not all(job.chunk for job in jobs):
        workers.finish()
    spent = Counter(workers.finish() for _ in range(400))
    assert spent[0] == pytest.approx(200, abs=10)
    assert min(spent[seed] for seed in range(1, 5)) >= 40


# ---- limits of one visitor, and a line that moves


def test_over_a_visitors_limit_a_run_is_refused_and_others_are_not(workers):
    engine = Engine(limits=Limits(trainings_each=2))
    jobs = [engine.start(replace(SPEC, seed=seed), "greedy") for seed in range(2)]
    told = r"You have 2 runs in training, .*\(RESVIZ_MAX_TRAININGS_EACH, .*stop one"
    for ask in (engine.start, engine.prepare):
        with pytest.raises(LimitError, match=told):
            ask(replace(SPEC, seed=2), "greedy")
    jobs.append(engine.start(replace(SPEC, seed=2), "other"))
    jobs.append(engine.start(replace(SPEC, seed=3)))  # of whom nothing is known
    jobs.append(engine.start(replace(SPEC, seed=1), "greedy"))  # under way, and costs nothing more
    jobs.append(engine.start(replace(SPEC, seed=4), "greedy", instead_of=jobs[:1]))
    jobs[0].cancel()
    with pytest.raises(LimitError):
        engine.start(replace(SPEC, seed=5), "greedy")


def test_runs_that_one_visitor_resumes_at_once_stand_in_line_one_behind_the_other(workers):
    engine = Engine(limits=Limits(trainings_each=1))
    jobs = []
    for seed in range(3):
        jobs.append(engine.start(replace(SPEC, seed=seed), "greedy"))
        while not jobs[-1].chunk:
            workers.finish()
        jobs[-1].pause()
    for job in jobs:
        job.resume()
    for _ in range(6):  # what was under way when they were paused, too
        workers.finish()
    assert sorted(job.position or 0 for job in jobs) == [0, 1, 2]
    other = engine.start(replace(SPEC, seed=9), "other")
    while not other.step:
        workers.finish()
    assert other.position is None


def test_a_newcomer_gets_in_though_all_places_are_held(workers):
    engine = Engine(limits=Limits(trainings=8))
    jobs = begin(engine, workers, 8)
    newcomer = engine.start(RunSpec(steps=20000, seed=99))
    pieces = 0
    while not newcomer.step:
        pieces += 1
        assert pieces <= 8 * ROUND_SECONDS / 0.1 + 20
        workers.finish()
        for job in (*jobs, newcomer):
            job.touch()
    # And so on, in turn: all have about the same in the long run.
    steps = [job.step for job in (*jobs, newcomer)]
    for _ in range(9 * 4 * round(ROUND_SECONDS / 0.1)):
        workers.finish()
    gained = [job.step - step for job, step in zip((*jobs, newcomer), steps, strict=True)]
    assert min(gained) >= 0.5 * max(gained)


def test_where_nobody_stands_in_line_nobody_is_sent_there(workers):
    jobs = begin(Engine(limits=Limits(trainings=2)), workers, 2)
    for _ in range(300):
        workers.finish()
        assert [job.position for job in jobs] == [None, None]


# ---- workers that end, and whose fault it is


def lose(workers: ByHand, hung: bool = False, guilty: bool = True) -> int:
    """The worker ends over the oldest piece; the seed of whose it was."""
    (spec, *_), future = workers.pieces.pop(0)
    future.set_exception(WorkerDiedError("It ended.", guilty, hung))
    return spec.seed


def test_deaths_over_several_trainings_are_nobodys_fault(workers):
    jobs = begin(Engine(), workers, 2)
    assert {lose(workers) for _ in range(5)} == {0, 1}  # so that one has lost three
    assert {job.phase for job in jobs} == {Phase.RUNNING}
    for _ in range(20):
        workers.finish()
    assert sum(job.step for job in jobs) == 20


def test_two_trainings_that_end_workers_in_turn_are_given_up_all_the_same(workers):
    jobs = begin(Engine(), workers, 3)
    for _ in range(200):
        if not all(job.phase is Phase.FAILED for job in jobs[:2]):
            seed = workers.pieces[0][0][0].seed
            lose(workers) if seed < 2 else workers.finish()
    assert [job.phase for job in jobs] == [Phase.FAILED, Phase.FAILED, Phase.RUNNING]


def test_a_training_that_hangs_again_and_again_is_given_up_with_its_own_sentence(workers):
    jobs = begin(Engine(), workers, 2)
    seen = set()
    while jobs[0].phase is not Phase.FAILED:
        if workers.pieces[0][0][0].seed:
            workers.finish()
        else:
            lose(workers, hung=True)
            seen.add(jobs[0].trouble)
    assert "a worker stopped answering and was replaced" in seen
    assert "3 workers in a row stopped answering over it and were replaced" in jobs[0].failure
    assert jobs[1].phase is Phase.RUNNING


def test_a_worker_has_more_patience_with_a_piece_than_any_of_its_kind_has_needed(workers):
    engine = Engine()
    job = engine.start(SPEC)
    assert workers.patience == FIRST_PATIENCE
    workers.finish(0.2)  # the first picture says nothing of training
    assert workers.patience == FIRST_PATIENCE
    workers.finish(0.2)
    assert workers.patience == LEAST_PATIENCE
    workers.finish(3.0)
    assert workers.patience == 3.0 * PATIENCE
    job.stop()
    workers.finish()
    assert workers.patience == FIRST_PATIENCE


def test_a_silent_worker_is_spoken_of(workers, monkeypatch):
    (job,) = begin(Engine(), workers, 1)
    assert job.trouble is None
    monkeypatch.setattr(resviz.job, "SILENT_SECONDS", -1.0)
    assert "no answer from its worker for 0 s" in job.trouble
    job.pause()
    assert job.trouble is None


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
    jobs = [engine.start(RunSpec(steps=20000, seed=seed)) for seed in range(10, 400)]

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


def test_a_page_that_asks_while_a_turn_is_settled_gets_no_second_piece(workers, monkeypatch):
    engine = Engine()
    (job,) = begin(engine, workers, 1)
    settle = Engine._settle

    def settle_and_be_asked(*arguments) -> None:
        settle(*arguments)
        monkeypatch.setattr(Engine, "_settle", settle)  # one page, once
        page = threading.Thread(target=engine.wake, args=(job.work,))
        page.start()
        page.join(0.05)  # or until it need not wait for its turn at the lock

    step = job.step
    monkeypatch.setattr(Engine, "_settle", settle_and_be_asked)
    for k in range(1, 6):
        workers.finish()
        wait_until(lambda: workers.pieces or job.phase is Phase.FAILED)
        assert len(workers.pieces) == 1
        assert job.step == step + k


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
