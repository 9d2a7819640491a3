"""What a worker does at a time: a short piece of training or scoring, and a look at it.

Each piece is a pure function of what came before, so that it can be taken again, in any
process. Nothing here imports torch before it is called: the page's process imports these
names, and only the workers call them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resviz.records import Measures, Record, Run, TrainState
from resviz.spec import RunSpec

if TYPE_CHECKING:
    from resviz.pipeline import Look

CHUNK_SECONDS = 0.12  # with the plan and the way to the page, five new pictures a second
LIVE_PLANS = 500  # over so many particles the plan of a live picture is that of the last record


@dataclass(frozen=True)
class Chunk:
    """What a worker sends back: the state, and the picture of it."""

    state: TrainState
    record: Record | None  # where the chunk ends at a point of the run's course
    tracks: np.ndarray  # float32 (L+1, n, 2)
    plan: np.ndarray  # int (n,), where the cheapest way ends: tracks[-1][plan]
    target: np.ndarray | None  # float32 (n, 2)
    labels: np.ndarray | None  # int (n,)
    seconds: float  # of a processor that it took: other programs do not count


def take_chunk(
    spec: RunSpec,
    state: TrainState | None,
    plan: np.ndarray | None = None,
    last_recorded: int = -1,
    seconds: float = CHUNK_SECONDS,
) -> Chunk:
    """Train from `state` for about `seconds`, at most to the next record; from None, look only.

    `last_recorded` is the last step on the run's course so far (−1 for none), and `plan` that
    of the picture before. How training is cut changes no bit of it.
    """
    from resviz import pipeline, training

    began, paid = time.perf_counter(), time.thread_time()
    if state is None:
        state = training.initial_state(spec)
        return _chunk(state, pipeline.look(spec, state), True, paid)
    course = (step for step in pipeline.record_steps(spec) if step > last_recorded)
    goal = next(course, spec.steps)
    state = _train_for(spec, state, goal, began + seconds)
    ended = state.step == spec.steps or state.diverged is not None
    recorded = state.step == goal or (ended and state.step > last_recorded)
    quick = plan if spec.particles > LIVE_PLANS and not recorded else None
    return _chunk(state, pipeline.look(spec, state, quick), recorded, paid)


def _chunk(state: TrainState, seen: Look, recorded: bool, paid: float) -> Chunk:
    own, record = seen.held_out, seen.record(state) if recorded else None
    spent = time.thread_time() - paid
    return Chunk(state, record, seen.tracks, seen.plan, own.target, own.labels, spent)


def _train_for(spec: RunSpec, state: TrainState, goal: int, deadline: float) -> TrainState:
    """Advance to `goal`, or until the time is over; at least one step."""
    from resviz.training import advance

    stride = 1
    while state.step < goal and state.diverged is None:
        began = time.perf_counter()
        state = advance(spec, state, min(stride, goal - state.step))
        now = time.perf_counter()
        if now >= deadline:
            break
        # Each call looks once more at what its last step has led to: few calls, long strides.
        stride = max(1, int(stride * (deadline - now) / (now - began)))
    return state


@dataclass(frozen=True)
class Scoring:
    """What a worker sends back of a run's last scores while they are being taken."""

    measures: Measures
    run: Run | None  # once all measures are taken
    seconds: float  # of a processor that it took


def take_scores(
    spec: RunSpec,
    state: TrainState,
    history: tuple[Record, ...],
    measures: Measures,
    seconds: float = CHUNK_SECONDS,
) -> Scoring:
    """Go on with the last scores for about `seconds`; the run, when they are complete.

    What is left to do then lasts as long as another piece, so it is one if the time is over.
    """
    from resviz import pipeline

    began, paid, taken, run = time.perf_counter(), time.thread_time(), measures, None
    if len(taken.layers) < spec.depth:
        taken = pipeline.measure(spec, state, measures, seconds)
    in_time = taken is measures or time.perf_counter() - began < seconds
    if len(taken.layers) == spec.depth and in_time:
        run = pipeline.finish(spec, state, history, taken)
    return Scoring(taken, run, time.thread_time() - paid)


def warm_up() -> None:
    """Load torch and POT and take one step of everything, before the first click.

    And what every run of the opening settings measures itself on.
    """
    from resviz.pipeline import own_points, run
    from resviz.scores import fit_floor

    run(RunSpec(depth=2, width=2, steps=1, batch=2, particles=2))
    own_points(RunSpec())
    fit_floor(RunSpec().target, RunSpec().particles)
