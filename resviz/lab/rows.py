"""One run as one line of JSON: what was run, the course of its scores, and its end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resviz.records import Scores, TrainState
from resviz.spec import RunSpec

# Points of a run's course: more than a page shows, so that "the first step where the fit
# passes a value" is told to a fortieth of training.
POINTS = 40
# What the course holds of the whole cloud's scores, and of those class by class.
COURSE = (
    "fit",
    "undershoot",
    "accuracy",
    "action_ratio",
    "path_factor",
    "speed_factor",
    "bend_factor",
    "map_factor",
    "line_shape",
    "line_shape_harmonic",
    "optimal_transport",
    "map_error",
)
BY_CLASS = ("action_ratio", "optimal_transport")
BEGINNING = '{"spec":'  # of every line


class OtherRowsError(ValueError):
    """A file holds something else than this lab's rows, by this code."""


@dataclass(frozen=True)
class Row:
    """One run.

    `course` maps each score to its values at the steps `step`; `loss` there is the
    objective of the step before. An undefined number is NaN. `reach` is what the miss is
    measured by: (floor, unmoved), squared W2, or in classification (0, share of points
    outside the largest class).
    """

    spec: RunSpec
    diverged: int | None
    reach: tuple[float, float]
    course: Mapping[str, Sequence[float]]
    # Scores that take a plan for every layer, or the network, so are of the end alone.
    end: Mapping[str, float]

    def excess(self) -> list[float]:
        """What is left of the way at each point of the course: 1 unmoved, 0 at the floor.

        (fit − floor) / (unmoved − floor), or in classification the share of points that
        are wrong over that of a guess of the largest class. NaN where there is no way to
        go: source and target are much the same, or all points are of one class.
        """
        floor, unmoved = self.reach
        if not unmoved > floor:
            return [math.nan] * len(self.course["miss"])
        return [(miss - floor) / (unmoved - floor) for miss in self.course["miss"]]


def take_row(spec: RunSpec) -> Row:
    """Train the network of `spec` and score the course of its training.

    A run that diverges is a row, too: its course ends with its last finite network.
    """
    from resviz import pipeline
    from resviz.scores import second_split
    from resviz.training import advance, initial_state

    state: TrainState = initial_state(spec)
    course: dict[str, list[float]] = {}
    points = sorted({round(spec.steps * k / POINTS) for k in range(POINTS + 1)})
    for step in points:
        state = advance(spec, state, step - state.step)
        if course and state.step == course["step"][-1]:
            break  # it diverged before its next step
        seen = pipeline.look(spec, state)
        whole, by_class = seen.score(per_layer=False), seen.class_scores()
        for name, value in _point(state, whole, by_class).items():
            course.setdefault(name, []).append(value)
        if state.diverged is not None:
            break
    return Row(
        spec=spec,
        diverged=state.diverged,
        reach=_reach(spec, whole),
        course=course,
        end={
            "monotonicity": whole.monotonicity,
            **second_split(seen.tracks, seen.paired),
            **pipeline.network_scores(spec, state),
        },
    )


def _reach(spec: RunSpec, scores: Scores) -> tuple[float, float]:
    from resviz.scores import fit_floor

    if spec.task == "classify":
        return 0.0, 1 - scores.majority
    return fit_floor(spec.target, spec.particles)[0], scores.unmoved


def _point(state: TrainState, whole: Scores, by_class: Scores | None) -> dict[str, float]:
    found = {"step": state.step, "loss": state.loss}
    found["miss"] = whole.fit if whole.accuracy is None else 1 - whole.accuracy
    found |= {name: value for name in COURSE if (value := getattr(whole, name)) is not None}
    if by_class is not None:
        found |= {f"{name}_by_class": getattr(by_class, name) for name in BY_CLASS}
    return found


def to_line(row: Row) -> str:
    """The row as one line of JSON. Numbers keep six digits; NaN is null, ∞ is "inf"."""
    plain = {
        "spec": row.spec.to_query(),
        "diverged": row.diverged,
        "reach": [_short(value) for value in row.reach],
        "course": {name: [_short(v) for v in values] for name, values in row.course.items()},
        "end": {name: _short(value) for name, value in row.end.items()},
    }
    return json.dumps(plain, allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Row:
    """The row that `to_line` wrote. Raises `ValueError` if the line is not one."""
    try:
        plain = json.loads(line)
        return Row(
            spec=RunSpec.from_query(plain["spec"]),
            diverged=plain["diverged"],
            reach=tuple(map(_number, plain["reach"])),
            course={name: [*map(_number, values)] for name, values in plain["course"].items()},
            end={name: _number(value) for name, value in plain["end"].items()},
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as reason:
        raise ValueError(f"{line[:60]!r}… is not a lab's row ({reason})") from reason


def _short(value: float) -> float | str | None:
    if isinstance(value, int):
        return value
    if math.isnan(value):
        return None
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)


def _number(value: float | str | None) -> float:
    return math.nan if value is None else float(value) if isinstance(value, str) else value
