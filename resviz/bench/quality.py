"""How long until the cloud has arrived: training's seconds to a fit, ours and the usual loop's.

Both train the same spec on the same batches in one process, one record's steps in turn, and
what is counted is training alone: held-out particles are looked at with the clock stopped.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from resviz import pipeline
from resviz.bench.idiomatic import Training
from resviz.bench.rows import Aim, Row, Side, Spread, ratios
from resviz.bench.timing import no_collector, seconds_of, threads
from resviz.records import Record, Run, TrainState
from resviz.scores import FLOOR_PAIRS, floor_distance, mean_and_sd
from resviz.spec import RunSpec
from resviz.training import advance, initial_state

MOONS = RunSpec(target="moons")
# Closer than the default settings come: of the rates, batches and numbers of steps that were tried
# this is soonest there. It costs ten times the least effort.
CLOSE_MOONS = RunSpec(target="moons", steps=1500, batch=512, learning_rate=0.04)
# For the aim of a fit at the floor, by nearly the cheapest way, in five seconds.
STRAIGHT = RunSpec(target="moons", kinetic=0.01)
OVER_THE_FLOOR, STRAIGHT_ENOUGH, SOON = 0.01, 1.05, 5.0
DEFAULT_SECONDS = 5.0  # DESIGN §5: the default run, to its end


@dataclass(frozen=True)
class Moment:
    """Where one training stood at a recorded step."""

    step: int
    seconds: float  # of training until then
    fit: float  # squared W2 to the target, on held-out points
    action_ratio: float


Course = tuple[Moment, ...]


@dataclass(frozen=True)
class Pair:
    """One spec trained by both."""

    theirs: Course
    ours: Course


def trained_by_both(spec: RunSpec) -> Pair:
    """The courses of the usual loop and of ours, which trained in turn."""
    loop, state = Training(spec), initial_state(spec)
    seconds, courses = [0.0, 0.0], ([], [])
    with threads(1), no_collector():
        _warm_up(spec)
        for goal in pipeline.record_steps(spec):
            began = time.perf_counter()
            loop.take(goal - loop.step)
            seconds[0] += time.perf_counter() - began
            began = time.perf_counter()
            state = advance(spec, state, goal - state.step)
            seconds[1] += time.perf_counter() - began
            for course, spent, at in zip(courses, seconds, (state_of(loop), state), strict=True):
                course.append(_moment(spec, at, spent))
    return Pair(*map(tuple, courses))


def state_of(loop: Training) -> TrainState:
    """The usual loop's network as a state that can be looked at."""
    flat = loop.network.flat().numpy()
    return TrainState(loop.step, flat, np.zeros_like(flat), np.zeros_like(flat))


def to_fit(pairs: Iterable[Pair], spec: RunSpec, fit: float) -> Row:
    """Training's seconds until the held-out fit is at most `fit`; one pair a seed."""
    pairs = tuple(pairs)
    reached = [(first(p.theirs, fit), first(p.ours, fit)) for p in pairs]
    both = [pair for pair in reached if None not in pair]
    some = 0 < len(both) < len(pairs)
    return Row(
        what=f"training, {spec.source} → {spec.target}, until the held-out fit is ≤ {fit:g}"
        f" (rate {spec.learning_rate:g}, batch {spec.batch})",
        ours=_side([ours for _, ours in reached]),
        against="idiomatic loop",
        other=_side([theirs for theirs, _ in reached]),
        ratio=_sooner(both),
        note=f"by both with {len(both)} of {len(pairs)} seeds" if some else "",
    )


def at_the_end(pairs: Iterable[Pair], spec: RunSpec) -> Row:
    """All steps, and the fits after them: the quicker way must not be the worse one."""
    theirs, ours = zip(*((p.theirs[-1], p.ours[-1]) for p in pairs), strict=True)
    return Row(
        what=f"training, {spec.source} → {spec.target}, all {spec.steps} steps",
        ours=_side(ours, "fit"),
        against="idiomatic loop",
        other=_side(theirs, "fit"),
        ratio=_sooner(zip(theirs, ours, strict=True)),
        note=f"fit: squared W2 to unseen points; of a fresh target sample {floor(spec):.3f}",
    )


def same_fit(pair: Pair) -> Row:
    """The default run's training to the same fit: the one that both have reached at the end."""
    fit = max(pair.theirs[-1].fit, pair.ours[-1].fit)
    moments = first(pair.theirs, fit), first(pair.ours, fit)
    return Row(
        what=f"the default run's training until the fit is ≤ {fit:.3f}, where both end",
        ours=_side(moments[1:]),
        against="idiomatic loop",
        other=_side(moments[:1]),
        ratio=_sooner([moments]),
    )


def default_run(runs: int, with_rival: bool, spec: RunSpec | None = None) -> Row:
    """`run(RunSpec())` from start to end: training, the course's records, and all scores."""
    spec = spec or RunSpec()
    ways = {"ours": pipeline.run} | ({"other": idiomatic_run} if with_rival else {})
    taken: dict[str, list[float]] = {name: [] for name in ways}
    _warm_up(spec)
    for _ in range(runs):
        for name, run in ways.items():
            for remembered in (floor_distance, pipeline.held_out):
                remembered.cache_clear()  # a first run has them to work out, and so has each here
            with threads(1), no_collector():
                taken[name].append(seconds_of(lambda run=run: run(spec)))
    row = Row(
        what="the default run, start to end, with records and scores",
        ours=Side(Spread(tuple(taken["ours"])), "s"),
        aim=Aim(DEFAULT_SECONDS, at_least=False, unit="s"),
    )
    if not with_rival:
        return row
    return replace(
        row,
        against="idiomatic loop, same records and scores",
        other=Side(Spread(tuple(taken["other"])), "s"),
        ratio=ratios(taken["other"], taken["ours"]),
    )


def idiomatic_run(spec: RunSpec) -> Run:
    """`pipeline.run` with the usual loop in it."""
    loop, history = Training(spec), []
    for step in pipeline.record_steps(spec):
        loop.take(step - loop.step)
        state = state_of(loop)
        history.append(pipeline.look(spec, state).record(state))
    return pipeline.finish(spec, state, tuple(history))


def straight_and_soon(spec: RunSpec = STRAIGHT) -> Row:
    """How near a run comes to the aim: at the floor, by nearly the cheapest way, soon.

    With the records that it takes on its way, as whoever watches has it.
    """
    lowest, state = floor(spec), initial_state(spec)
    _warm_up(spec)
    with threads(1), no_collector():
        began = time.perf_counter()
        for step in pipeline.record_steps(spec):
            state = advance(spec, state, step - state.step)
            record = pipeline.look(spec, state).record(state)
            seconds, near = time.perf_counter() - began, _is_near(record, lowest)
            if near:
                break
    fit, ratio = record.scores.fit, record.scores.action_ratio
    where = "" if near else f"; at the end fit {fit:.3f}, action ratio {ratio:.3f}"
    also = (("step", record.step, ""), ("fit", fit, ""), ("action ratio", ratio, ""))
    return Row(
        what=f"{spec.source} → {spec.target}, κ = {spec.kinetic:g}, with its records: fit within "
        f"{OVER_THE_FLOOR:g} of the floor, action ratio ≤ {STRAIGHT_ENOUGH:g}",
        ours=Side(Spread((seconds,)), "s", also) if near else None,
        aim=Aim(SOON, at_least=False, unit="s"),
        note=f"floor {lowest:.3f}{where}",
    )


def _is_near(record: Record, lowest: float) -> bool:
    scores = record.scores
    fits = scores.fit <= lowest + OVER_THE_FLOOR
    return fits and scores.action_ratio <= STRAIGHT_ENOUGH


def first(course: Course, fit: float) -> Moment | None:
    """The first recorded moment that fits so well; None if there is none."""
    return next((moment for moment in course if moment.fit <= fit), None)


def floor(spec: RunSpec) -> float:
    """The fit of a fresh sample of the target."""
    return _floor(spec.target, spec.particles)


@cache
def _floor(target: str, particles: int) -> float:
    return mean_and_sd([floor_distance(target, particles, k) for k in range(FLOOR_PAIRS)])[0]


def _moment(spec: RunSpec, state: TrainState, seconds: float) -> Moment:
    scores = pipeline.look(spec, state).score(per_layer=False)
    return Moment(state.step, seconds, scores.fit, scores.action_ratio)


def _side(moments: Iterable[Moment | None], of: str = "step") -> Side | None:
    """Training's seconds, and the medians of one thing and the action ratio, where reached."""
    there = [moment for moment in moments if moment is not None]
    if not there:
        return None
    also = tuple(
        (name.replace("_", " "), statistics.median(getattr(moment, name) for moment in there), "")
        for name in (of, "action_ratio")
    )
    return Side(Spread(tuple(moment.seconds for moment in there)), "s", also)


def _sooner(both: Iterable[tuple[Moment, Moment]]) -> Spread | None:
    """How many times sooner ours got there, where neither was there before the first step."""
    moved = [(theirs.seconds, ours.seconds) for theirs, ours in both if theirs.step and ours.step]
    return ratios(*zip(*moved, strict=True)) if moved else None


def _warm_up(spec: RunSpec) -> None:
    """What is loaded at the first call is not timed: POT, the held-out points, the kernels."""
    Training(spec).take(2)
    state = advance(spec, initial_state(spec), 2)
    pipeline.look(spec, state).record(state)
