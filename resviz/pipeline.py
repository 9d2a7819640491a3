"""One run from spec to scores. The first file to read."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from resviz.distributions import WINDOW, gaussian_law, sample
from resviz.networks import decision_regions, jacobians, predicted_classes, tracks
from resviz.records import (
    COURSE_PARTICLES,
    Measures,
    Record,
    Regions,
    Run,
    Scores,
    TrainState,
)
from resviz.scores import (
    FLOOR_PAIRS,
    class_accuracy,
    course_layers,
    exact_gaps,
    floor_distance,
    jacobian_scores,
    layer_costs,
    line_shape,
    map_errors,
    mean_and_sd,
    score,
)
from resviz.spec import RunSpec
from resviz.training import advance, initial_state, one_thread
from resviz.transport import Pairing, pairing, straight_way, wasserstein2_squared

RECORDS = 25
# Cells along each side of a decision's picture: fewer where the network is so large that
# L pictures through L/2 layers on average would take more than a few seconds.
REGION_SIDES = 24, 96
REGION_WORK = 1e8
STRIDE = 20  # steps between two looks whether a run is to stop


def run(
    spec: RunSpec,
    on_record: Callable[[Record], None] = lambda record: None,
    stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Train the network that `spec` describes, move held-out particles, and score their way.

    `on_record` is called at each point of the course as it is reached. A run that
    diverges ends there, with the last finite network and `state.diverged` set. Once `stop` says
    so it ends where it is: its `state.step` tells.
    """
    state, history = initial_state(spec), []
    for step in record_steps(spec):
        state = _advance_until(spec, state, step, stop)
        if history and state.step == history[-1].step:
            break  # it diverged before its next step, or is to stop
        history.append(look(spec, state).record(state))
        on_record(history[-1])
    return finish(spec, state, tuple(history))


def _advance_until(
    spec: RunSpec, state: TrainState, step: int, stop: Callable[[], bool]
) -> TrainState:
    while state.step < step and state.diverged is None and not stop():
        state = advance(spec, state, min(STRIDE, step - state.step))
    return state


def record_steps(spec: RunSpec) -> tuple[int, ...]:
    """The steps at which the course of a run is recorded: 0, …, `spec.steps`."""
    return tuple(sorted({round(spec.steps * k / RECORDS) for k in range(RECORDS + 1)}))


@dataclass(frozen=True)
class HeldOut:
    """Points that training never sees, the same for every seed and network."""

    particles: np.ndarray  # float32 (n, 2)
    labels: np.ndarray | None  # int (n,): the source's classes
    target: np.ndarray | None  # float32 (n, 2); None in classification
    unmoved: float | None  # W2²(particles, target)


@lru_cache(maxsize=32)
def held_out(source: str, target: str | None, n: int) -> HeldOut:
    """The held-out points of a source, a target and a number, from a generator keyed by them."""
    key = hashlib.sha256(f"{source}/{target}/{n}".encode()).digest()
    generator = np.random.default_rng(np.frombuffer(key, np.uint32))
    particles, labels = sample(source, n, generator)
    points = unmoved = None
    if target is not None:
        points, _ = sample(target, n, generator)
        unmoved = wasserstein2_squared(particles, points)
        points = points.astype(np.float32)
    particles = particles.astype(np.float32)
    for array in (particles, labels, points):
        if array is not None:
            array.setflags(write=False)  # every later run is measured on these
    return HeldOut(particles, labels, points, unmoved)


def own_points(spec: RunSpec) -> HeldOut:
    """The held-out points that runs of this spec are measured on."""
    target = {"match": spec.target, "classify": None}[spec.task]
    return held_out(spec.source, target, spec.particles)


@dataclass(frozen=True)
class Look:
    """The held-out particles' way through the network at one moment of training."""

    held_out: HeldOut
    tracks: np.ndarray  # float32 (L+1, n, 2)
    plan: np.ndarray  # int (n,): the cheapest way takes particle i to tracks[-1][plan[i]]
    paired: Pairing | None  # of tracks[0] with tracks[-1]; None if the plan was given
    guesses: np.ndarray | None  # int (n,): the classes that the head names

    def record(self, state: TrainState) -> Record:
        """The moment as a point of the run's course."""
        whole = self.score(per_layer=False)
        few = self.tracks[:, :COURSE_PARTICLES]
        paired = self.paired if few.shape == self.tracks.shape else None
        whole = replace(whole, **course_layers(few, paired))
        plan = self.plan.astype(np.int16)
        return Record(state.step, state.loss, whole, self.class_scores(), state.parameters, plan)

    def score(self, **options: Any) -> Scores:
        """The scores of this way; `options` as for `scores.score`."""
        target, unmoved = self.held_out.target, self.held_out.unmoved
        scores = score(self.tracks, target, paired=self.paired, unmoved=unmoved, **options)
        if self.guesses is None:
            return scores
        return replace(scores, **class_accuracy(self.guesses, self.held_out.labels))

    def class_scores(self, shape: np.ndarray | None = None) -> Scores | None:
        """In classification the scores against the cheapest way that keeps classes apart.

        The end is free there, so that the cheapest pairing of the whole cloud may send
        one class to where the other went, which no classifier should do.
        """
        if self.guesses is None:
            return None
        return score(self.tracks, labels=self.held_out.labels, shape=shape)


def look(spec: RunSpec, state: TrainState, plan: np.ndarray | None = None) -> Look:
    """Move the held-out particles through the network of `state`.

    A `plan` of an earlier state saves the exact one, for a picture that must be quick.
    """
    points, guesses = own_points(spec), None
    with one_thread():
        way = tracks(spec, state.parameters, points.particles)
        if spec.task == "classify":
            guesses = predicted_classes(spec, state.parameters, way[-1])
    if plan is not None:
        return Look(points, way, plan, None, guesses)
    paired = pairing(way[0], way[-1])
    return Look(points, way, paired.plan, paired, guesses)


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
        if spec.task == "match" and len(floors) < FLOOR_PAIRS:
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
    shape = line_shape(seen.tracks)
    scores = seen.score(
        floor=mean_and_sd(measures.floors) if measures.floors else None,
        layers=measures.layers,
        shape=shape,
    )
    return Run(
        spec=spec,
        state=state,
        tracks=seen.tracks,
        geodesic=straight_way(seen.tracks[0], seen.tracks[-1][seen.plan], times),
        target=seen.held_out.target,
        labels=seen.held_out.labels,
        scores=replace(scores, **network_scores(spec, state), **_exact_reference(spec, seen)),
        class_scores=seen.class_scores(shape),
        regions=_regions(spec, state, seen.tracks) if spec.task == "classify" else None,
        line_shapes=shape,
        map_errors=map_errors(seen.tracks[-1], seen.plan),
        history=history,
    )


def _regions(spec: RunSpec, state: TrainState, tracks: np.ndarray) -> Regions:
    """The decision at each layer on a square that holds 199 in 200 particles all the way.

    The ends are free and lie where the head likes them, so the square grows with them.
    """
    farthest = np.quantile(np.abs(tracks).max(axis=(0, 2)), 0.995)
    half = max(WINDOW, 1.1 * float(farthest))
    affordable = math.isqrt(int(REGION_WORK / (spec.depth**2 * spec.width)))
    side = int(np.clip(affordable, *REGION_SIDES))
    middles = (np.arange(side) + 0.5) / side * 2 * half - half
    x, y = np.meshgrid(middles, middles)
    with one_thread():
        classes = decision_regions(spec, state.parameters, np.column_stack([x.flat, y.flat]))
    return Regions(half, classes.reshape(-1, side, side).astype(np.int8))


def network_scores(spec: RunSpec, state: TrainState) -> dict[str, float]:
    """What the network's own derivative tells, and its tracks do not."""
    with one_thread():
        return jacobian_scores(jacobians(spec, state.parameters, own_points(spec).particles))


def _exact_reference(spec: RunSpec, seen: Look) -> dict[str, np.ndarray]:
    """How far the way is from a geodesic in closed form, where there is one."""
    source, target = gaussian_law(spec.source), gaussian_law(spec.target)
    if spec.task != "match" or source is None or target is None or source is target:
        return {}
    return exact_gaps(seen.tracks, source, target)
