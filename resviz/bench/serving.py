"""The engine with its local workers: how soon, how many at once, how fair, how hard to kill.

Asked from outside alone, as the page asks it, so that its insides may change. Each training has
a seed of its own: an engine may share what equal specs ask for, and that is not measured here.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from resviz import pipeline
from resviz.bench.rows import AS_LONG, AS_MANY, Aim, Row, Side, Spread, milliseconds, ratios
from resviz.bench.steps import step_seconds
from resviz.bench.timing import seconds_of
from resviz.engine import Engine, Job, Phase
from resviz.spec import RunSpec
from resviz.training import advance, initial_state

PATIENCE = 600.0  # seconds until something that did not happen is told as a sentence
GLANCE = 0.005  # seconds between two looks at the jobs
SETTLE = 0.3  # seconds, more than a piece of work takes
TOUCH = 1.0  # seconds between two signs that somebody still watches
# Hardly any work, so that what is left is the way.
FEATHER = RunSpec(depth=1, width=2, steps=1, batch=2, particles=2)
LONG = 20000  # steps: more than any measurement takes
# Windows has no SIGKILL; there SIGTERM ends a process just as roughly.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@dataclass(frozen=True)
class Served:
    """A warm engine."""

    engine: Engine
    seconds: float  # that its start took


@contextmanager
def warm_engine(workers: int | None = None) -> Iterator[Served]:
    """An engine whose workers have loaded what they need; closed at the end."""
    began = time.perf_counter()
    engine = Engine(workers)
    try:
        engine.wait_until_warm()
        yield Served(engine, time.perf_counter() - began)
    finally:
        engine.close()


def way_to_a_worker(served: Served, runs: int) -> Row:
    """A piece's way there and back: a feather's weight of work, less the work itself."""
    work, way = [], []
    for run in range(runs + 1):
        spec = unlike_any(FEATHER)
        here = seconds_of(lambda spec=spec: _first_look(spec))
        began = time.perf_counter()
        job = served.engine.start(spec)
        _wait(job, lambda job: job.chunk is not None, "the first picture of a small run")
        there = time.perf_counter() - began
        _end([job], SETTLE / 2)
        if run:  # the first is the warm-up
            work.append(here)
            way.append(there - here)
    step = step_seconds(RunSpec(), 20)
    return Row(
        what="a piece's way to a worker and back",
        ours=milliseconds(way),
        against="one step of the default run",
        other=milliseconds([step]),
        ratio=Spread(tuple(seconds / step for seconds in way)),
        meaning=AS_LONG,
        note=f"{1000 * Spread(tuple(work)).median:.1f} ms of work taken off",
    )


def first_picture(served: Served, runs: int, spec: RunSpec | None = None) -> Row:
    """From `start` to a picture that has moved, against the same work in this process."""
    untrained, moving, here = [], [], []
    for run in range(runs + 1):
        asked = unlike_any(replace(spec or RunSpec(), steps=LONG))
        began = time.perf_counter()
        job = served.engine.start(asked)
        _wait(job, lambda job: job.chunk is not None, "the first picture")
        first = time.perf_counter() - began
        _wait(job, lambda job: job.step > 0, "the first moving picture")
        second, steps = time.perf_counter() - began, job.step
        _end([job])
        if run:
            untrained.append(first)
            moving.append(second)
            here.append(seconds_of(lambda s=asked, n=steps: (_first_look(s), _later_look(s, n))))
    also = (("the untrained one after", Spread(tuple(untrained)).median, "s"),)
    return Row(
        what="start to the first moving picture, workers warm",
        ours=Side(Spread(tuple(moving)), "s", also),
        against="the same work in this process",
        other=Side(Spread(tuple(here)), "s"),
        ratio=ratios(moving, here),
        meaning=AS_LONG,
        aim=Aim(1, at_least=False, unit="s"),
    )


@dataclass(frozen=True)
class Pace:
    """How fast several trainings went at once."""

    trainings: int
    rate: float  # steps a second, all together
    fairness: float  # the steps of the one that has fewest over those of the one that has most


def pace(served: Served, trainings: int, seconds: float, spec: RunSpec | None = None) -> Pace:
    """Start so many, wait until each has moved, and count their steps for some seconds.

    From one arrival of steps to another, so that half a piece is no error.
    """
    spec = replace(spec or RunSpec(), steps=LONG)
    jobs = [served.engine.start(unlike_any(spec)) for _ in range(trainings)]
    try:
        _watch(jobs, lambda steps: min(steps) > 0, f"each of {trainings} trainings to move")
        began, before = _arrival(jobs)
        _watch(jobs, lambda steps: time.perf_counter() >= began + seconds, "the time to pass")
        ended, after = _arrival(jobs)
    finally:
        _end(jobs)
    rate = (sum(after) - sum(before)) / (ended - began)
    return Pace(trainings, rate, min(after) / max(after))


def many_at_once(
    served: Served, trainings: Sequence[int], seconds: float, spec: RunSpec | None = None
) -> tuple[Row, ...]:
    """Steps a second of one training against the same without an engine, of many against one."""
    spec = spec or RunSpec()
    workers = served.engine.workers
    note = f"with {workers} worker{'' if workers == 1 else 's'}"
    alone = pace(served, 1, seconds, spec)
    here = 1 / step_seconds(spec, 50)
    rows = [
        Row(
            what="steps a second of one training, with its pictures",
            ours=_rate(alone.rate),
            against="training alone, in this process",
            other=_rate(here),
            ratio=Spread((alone.rate / here,)),
            meaning=AS_MANY,
        )
    ]
    for count in trainings:
        together = pace(served, count, seconds, spec)
        rows.append(
            Row(
                what=f"steps a second of {count} trainings, all together",
                ours=_rate(together.rate, ("fewest/most steps", together.fairness, "")),
                against="one training",
                other=_rate(alone.rate),
                ratio=Spread((together.rate / alone.rate,)),
                meaning=AS_MANY,
                note=note,
            )
        )
    return tuple(rows)


def after_a_kill(served: Served, runs: int, spec: RunSpec | None = None) -> Row:
    """A worker is killed in the middle of its work: when has every training a new picture?

    As many trainings as workers, so that one of them has lost its piece.
    """
    spec = replace(spec or RunSpec(), steps=LONG)
    seconds = tuple(_kill_one(served, spec) for _ in range(runs))
    return Row(
        what="from a worker's SIGKILL to the next picture",
        ours=Side(Spread(seconds), "s"),
        against="starting the engine",
        other=Side(Spread((served.seconds,)), "s"),
        ratio=Spread(tuple(s / served.seconds for s in seconds)),
        meaning=AS_LONG,
    )


def _kill_one(served: Served, spec: RunSpec) -> float:
    if not served.engine.processes():
        raise RuntimeError("No worker can be killed: the engine has no process on this machine.")
    jobs = [served.engine.start(unlike_any(spec)) for _ in range(served.engine.workers)]
    try:
        _watch(jobs, lambda steps: min(steps) > 0, "the trainings to move")
        _, before = _arrival(jobs)
        os.kill(served.engine.processes()[0], KILL)
        began = time.perf_counter()
        _watch(
            jobs,
            lambda steps: all(now > then for now, then in zip(steps, before, strict=True)),
            "a new picture after a worker was killed",
        )
        return time.perf_counter() - began
    finally:
        _end(jobs)


ENDED = (Phase.DONE, Phase.FAILED, Phase.CANCELLED)


def unlike_any(spec: RunSpec) -> RunSpec:
    """The spec with a seed that nobody has asked for."""
    return replace(spec, seed=secrets.randbelow(2**31 - 1))


def _first_look(spec: RunSpec) -> None:
    state = initial_state(spec)
    pipeline.look(spec, state).record(state)


def _later_look(spec: RunSpec, steps: int) -> None:
    pipeline.look(spec, advance(spec, initial_state(spec), steps))


def _rate(rate: float, *also: tuple[str, float, str]) -> Side:
    return Side(Spread((rate,)), "steps/s", also)


def _wait(job: Job, reached: Callable[[Job], bool], what: str) -> None:
    if not job.wait_until(lambda job: reached(job) or job.phase in ENDED, PATIENCE):
        raise RuntimeError(f"The engine took more than {PATIENCE:g} s for {what}.")
    if not reached(job):
        raise RuntimeError(f"The engine ended a run before {what}.")


def _watch(jobs: Sequence[Job], reached: Callable[[list[int]], bool], what: str) -> None:
    """Wait for a state of all jobs' steps, and keep the jobs awake meanwhile."""
    end, touched = time.perf_counter() + PATIENCE, 0.0
    while not reached([job.step for job in jobs]):
        now = time.perf_counter()
        if now >= end:
            raise RuntimeError(f"The engine took more than {PATIENCE:g} s for {what}.")
        if now - touched >= TOUCH:
            touched = now
            for job in jobs:
                job.touch()
        time.sleep(GLANCE)


def _arrival(jobs: Sequence[Job]) -> tuple[float, list[int]]:
    """The next moment at which steps arrive, and what all have then."""
    before = [job.step for job in jobs]
    _watch(jobs, lambda steps: steps != before, "the next picture")
    return time.perf_counter(), [job.step for job in jobs]


def _end(jobs: Sequence[Job], settle: float = SETTLE) -> None:
    """End them, and let what is under way come back, so that it is in nobody's way."""
    for job in jobs:
        job.cancel()
    time.sleep(settle)
