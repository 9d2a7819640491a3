"""One run from spec to scores. The first file to read."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from resviz.distributions import sample
from resviz.networks import tracks
from resviz.records import Measures, Record, Run, Scores, TrainState
from resviz.scores import (
    FLOOR_PAIRS,
    floor_distance,
    layer_costs,
    mean_and_sd,
    score,
)
from resviz.spec import RunSpec
from resviz.training import advance, initial_state, one_thread
from resviz.transport import Pairing, pairing, straight_way, wasserstein2_squared

RECORDS = 25


def run(spec: RunSpec, on_record: Callable[[Record], None] = lambda record: None) -> Run:
    """Train the network that `spec` describes, move held-out particles, and score their way.

    `on_record` is called at each point of the course as it is reached. A run that
    diverges ends there, with the last finite network and `state.diverged` set.
    """
    state, history = initial_state(spec), []
    for step in record_steps(spec):
        state = advance(spec, state, step - state.step)
        if history and state.step == history[-1].step:
            break  # it diverged before its next step
        history.append(look(spec, state).record(state))
        on_record(history[-1])
    return finish(spec, state, tuple(history))


def record_steps(spec: RunSpec) -> tuple[int, ...]:
    """The steps at which the course of a run is recorded: 0, …, `spec.steps`."""
    return tuple(sorted({round(spec.steps * k / RECORDS) for k in range(RECORDS + 1)}))


@dataclass(frozen=True)
class HeldOut:
    """Points that training never sees, the same for every seed and network."""

    particles: np.ndarray  # float32 (n, 2)
    labels: np.ndarray | None  # int (n,): the source's classes
    target: np.ndarray  # float32 (n, 2)
    unmoved: float  # W2²(particles, target)


@lru_cache(maxsize=32)
def held_out(source: str, target: str, n: int) -> HeldOut:
    """The held-out points of a source, a target and a number, from a generator keyed by them."""
    key = hashlib.sha256(f"{source}/{target}/{n}".encode()).digest()
    generator = np.random.default_rng(np.frombuffer(key, np.uint32))
    particles, labels = sample(source, n, generator)
    points, _ = sample(target, n, generator)
    unmoved = wasserstein2_squared(particles, points)
    particles, points = particles.astype(np.float32), points.astype(np.float32)
    for array in (particles, labels, points):
        if array is not None:
            array.setflags(write=False)  # every later run is measured on these
    return HeldOut(particles, labels, points, unmoved)


@dataclass(frozen=True)
class Look:
    """The held-out particles' way through the network at one moment of training."""

    held_out: HeldOut
    tracks: np.ndarray  # float32 (L+1, n, 2)
    plan: np.ndarray  # int (n,): the cheapest way takes particle i to tracks[-1][plan[i]]
    paired: Pairing | None  # of tracks[0] with tracks[-1]; None if the plan was given

    def record(self, state: TrainState) -> Record:
        """The moment as a point of the run's course."""
        return Record(state.step, state.loss, self.score(per_layer=False))

    def score(self, **options: Any) -> Scores:
        """The scores of this way; `options` as for `scores.score`."""
        target, unmoved = self.held_out.target, self.held_out.unmoved
        return score(self.tracks, target, paired=self.paired, unmoved=unmoved, **options)


def look(spec: RunSpec, state: TrainState, plan: np.ndarray | None = None) -> Look:
    """Move the held-out particles through the network of `state`.

    A `plan` of an earlier state saves the exact one, for a picture that must be quick.
    """
    points = held_out(spec.source, spec.target, spec.particles)
    with one_thread():
        way = tracks(spec, state.parameters, points.particles)
    if plan is not None:
        return Look(points, way, plan, None)
    paired = pairing(way[0], way[-1])
    return Look(points, way, paired.plan, paired)


def measure(
    spec: RunSpec, state: TrainState, taken: Measures, seconds: float = math.inf
) -> Measures:
    """Take more measures for about `seconds`, at least one; the same if all are taken.

    In pieces, because a thousand particles and sixty layers take most of a minute: whoever
    asks can look up between two of them, or leave.
    """
    deadline = time.perf_counter() + seconds
    floors, layers = list(taken.floors), list(taken.layers)
    seen = look(spec, state)
    while len(layers) < spec.depth:
        if len(floors) < FLOOR_PAIRS:
            floors.append(floor_distance(spec.target, spec.particles, len(floors)))
        else:
            layers.append(layer_costs(seen.tracks, seen.plan, len(layers)))
        if time.perf_counter() >= deadline:
            break
    return Measures(tuple(floors), tuple(layers))


def finish(
    spec: RunSpec,
    state: TrainState,
    history: tuple[Record, ...],
    measures: Measures | None = None,
) -> Run:
    """The whole run: tracks, the geodesic between their ends, and every score."""
    measures = measures or measure(spec, state, Measures())
    seen = look(spec, state)
    if history[-1].step < state.step:  # it was stopped between two points of its course
        history = (*history, seen.record(state))
    times = np.arange(spec.depth + 1) / spec.depth
    return Run(
        spec=spec,
        state=state,
        tracks=seen.tracks,
        geodesic=straight_way(seen.tracks[0], seen.tracks[-1][seen.plan], times),
        target=seen.held_out.target,
        labels=seen.held_out.labels,
        scores=seen.score(floor=mean_and_sd(measures.floors), layers=measures.layers),
        history=history,
    )
