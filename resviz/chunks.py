"""What a worker does at a time: a short piece of training or scoring, and a look at it.

Each piece is a pure function of what came before, so that it can be taken again, in any
process. Nothing here imports torch before it is called: the page's process imports these
names, and only the workers call them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    records: tuple[Record, ...]  # the points of the run's course that it came by
    tracks: np.ndarray  # float32 (L+1, n, 2)
    plan: np.ndarray  # int (n,), where the cheapest way ends: tracks[-1][plan]
    target: np.ndarray | None  # float32 (n, 2)
    labels: np.ndarray | None  # int (n,)


def take_chunk(
    spec: RunSpec, before: Chunk | None, last_recorded: int, seconds: float = CHUNK_SECONDS
) -> Chunk:
    """Train for about `seconds`, taking the records on the way; from nothing, look only.

    `before` is the chunk that this one follows, and `last_recorded` the last step on the
    run's course so far (−1 for none). How training is cut changes no bit of it.
    """
    from resviz import pipeline, training

    deadline = time.perf_counter() + seconds
    if before is None:
        state = training.initial_state(spec)
        seen = pipeline.look(spec, state)
        return _chunk(state, seen, [seen.record(state)])
    course = [step for step in pipeline.record_steps(spec) if step > last_recorded]
    state, seen, records = before.state, None, []
    for goal in course or [spec.steps]:
        state = _train_for(spec, state, goal, deadline)
        ended = state.step == spec.steps or state.diverged is not None
        seen = None
        if state.step == goal or (ended and state.step > last_recorded):
            seen = pipeline.look(spec, state)
            records.append(seen.record(state))
        if ended or time.perf_counter() >= deadline:
            break
    if seen is None:
        quick = before.plan if spec.particles > LIVE_PLANS else None
        seen = pipeline.look(spec, state, quick)
    return _chunk(state, seen, records)


def _chunk(state: TrainState, seen: Look, records: Sequence[Record]) -> Chunk:
    own = seen.held_out
    return Chunk(state, tuple(records), seen.tracks, seen.plan, own.target, own.labels)


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


def take_scores(
    spec: RunSpec,
    state: TrainState,
    history: tuple[Record, ...],
    before: Scoring | None,
    seconds: float = CHUNK_SECONDS,
) -> Scoring:
    """Go on with the last scores for about `seconds`; the run, when they are complete."""
    from resviz import pipeline

    taken = before.measures if before else Measures()
    taken = pipeline.measure(spec, state, taken, seconds)
    done = len(taken.layers) == spec.depth
    return Scoring(taken, pipeline.finish(spec, state, history, taken) if done else None)


def warm_up() -> None:
    """Load torch and POT and take one step of everything, before the first click."""
    from resviz.pipeline import run

    run(RunSpec(depth=2, width=2, steps=1, batch=2, particles=2))
