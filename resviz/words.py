"""The field's terms in the words of the screen: names, tooltips and sentences of scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resviz.records import COURSE_PARTICLES, Record, Run, Scores
from resviz.spec import FIELDS, RunSpec

TITLE = "Does a ResNet take the shortest way?"
SUBTITLES = {
    "match": "Left: a small network moves one cloud onto another, layer by layer. "
    "Right: the cheapest way to the same end.",
    "classify": "Left: a small network moves classes apart, layer by layer. "
    "Right: the cheapest way to the same end.",
}


@dataclass(frozen=True)
class Term:
    """A score's name on the screen and what a tooltip says of it."""

    name: str
    tooltip: str


EFFORT = Term(
    "Effort",
    "Energy of the network's walk over the least that any walk between the same clouds needs; "
    "1 = the geodesic. (Action ratio.)",
)
BENDS = Term("bends", "Effort lost to bent tracks or uneven pace; 1 = none. (Path factor.)")
PAIRING_FACTOR = Term(
    "pairing", "Effort lost to sending points to dearer places; 1 = none. (Map factor.)"
)
BEND = Term(
    "Bend (LSS)",
    "1 = all steps point the same way; 2 = half of them cancel out. Step length is ignored. "
    "The median over particles.",
)
PAIRING = Term(
    "Pairing (OTS)",
    "Least possible squared cost from these starts to these ends, over the network's own; "
    "1 = cheapest. The name is the paper's, the formula ours.",
)
MISS = Term(
    "Miss",
    "Squared W2 distance from the output to the target on unseen points; at the floor it equals "
    "a fresh sample of the target.",
)
GAP = Term(
    "Off the route",
    "Distance at this layer between the network's cloud and the cheapest way's, in units of the "
    "whole way.",
)
EXACT_GAP = Term(
    "Off the exact one",
    GAP.tooltip + " Dashed: mean and covariance against the geodesic between the two Gaussian "
    "laws, known in closed form: a lower bound, in units of the laws' own distance; grey: what so "
    "many points of that geodesic would show by chance.",
)
PACE = Term(
    "Pace",
    "How fast the whole cloud moves in this layer; the cheapest way keeps the dotted pace.",
)
RIGHT = Term(
    "Right",
    "Share of unseen points whose class the head names. The bar is the share that is wrong, "
    "against a guess of the largest class.",
)
BY_CLASS = Term(
    "by class",
    "The same, where the cheapest way must keep each class to itself. In classification the "
    "end is free, so that the whole cloud's cheapest way may let classes change places.",
)
FIRST_SPLIT = Term(
    "Effort = pace × bend × pairing",
    "Effort lost to uneven pace, to bent tracks, and to sending points to dearer places; each 1 "
    "on the cheapest way.",
)
SECOND_SPLIT = Term(
    "Effort = swirl × curve",
    "Effort lost inside the layers, by maps that are not the cheapest between their two clouds "
    "(swirl), and by the clouds' own detour (curve); each 1 on the cheapest way. While it "
    f"trains, of the first {COURSE_PARTICLES} particles.",
)
# Scores of runs that differ in these are of different things; OTS depends on the number too.
CLOUDS = ("task", "source", "target", "particles")
NOT_ARRIVED = "It has not arrived: the path says little."
NOT_LEARNED = "It has not learned the classes: the path says little."


def number(value: float | None) -> str:
    """A score as a person reads it: about three figures, a dash where it is not defined."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    size = abs(value)
    if size < 1:
        return f"{value:.3f}" if 0 < size < 0.0995 else f"{value:.2f}"
    if size < 100:
        return f"{value:#.3g}".rstrip(".")
    return f"{value:.0f}" if size < 1e5 else f"{value:.1e}"


def effort_sentence(scores: Scores) -> str:
    """*Effort 7.0 = 6.1 bends × 1.15 pairing*."""
    if math.isnan(scores.action_ratio):
        return "Effort –: it did not move"
    return (
        f"Effort {number(scores.action_ratio)} = {number(scores.path_factor)} bends "
        f"× {number(scores.map_factor)} pairing"
    )


def splits_sentence(scores: Scores) -> str:
    """*Here 1.20 pace × 4.19 bend × 1.34 pairing, and 1.08 swirl × 6.23 curve.*"""
    first = (
        f"Here {number(scores.speed_factor)} pace × {number(scores.bend_factor)} bend × "
        f"{number(scores.map_factor)} pairing"
    )
    if scores.swirl_factor is None:
        return f"{first}."
    swirl, curve = number(scores.swirl_factor), number(scores.curve_factor)
    return f"{first}, and {swirl} swirl × {curve} curve."


def miss_sentence(scores: Scores) -> str:
    """*Miss 0.08 squared (floor 0.06 ± 0.05, unmoved 0.76)*, or *Right 97 % (guess 50 %)*."""
    if scores.accuracy is not None:
        return f"Right {scores.accuracy:.0%} (guess {scores.majority:.0%})"
    floor = (
        f"floor {number(scores.fit_floor)} ± {number(scores.fit_floor_sd)}, "
        if scores.fit_floor is not None
        else ""
    )
    return f"Miss {number(scores.fit)} squared ({floor}unmoved {number(scores.unmoved)})"


def score_line(scores: Scores, by_class: Scores | None = None) -> str:
    """Every headline score in one line of text, in classification class by class, too."""
    effort, pairing = (
        f", by class {number(getattr(by_class, name))}" if by_class else ""
        for name in ("action_ratio", "optimal_transport")
    )
    line = (
        f"{effort_sentence(scores)}{effort} · Bend (LSS) {number(scores.line_shape)} · "
        f"Pairing (OTS) {number(scores.optimal_transport)}{pairing} · {miss_sentence(scores)}"
    )
    return line if scores.arrived else f"{line} · {not_there(scores)}"


def not_there(scores: Scores) -> str:
    """Why the scores of a way are grey."""
    return NOT_ARRIVED if scores.accuracy is None else NOT_LEARNED


def look_at(run: Run, record: Record | None = None) -> str:
    """One sentence that says where to look in the picture of a run, as it ended.

    Or as it was at a `record` of its course: then the sentence begins with the step.
    """
    record = record or run.history[-1]
    said = _look_at(run.spec, *run.at(record))
    if record.step == run.state.step:
        return said
    return f"Step {record.step} of {run.spec.steps}. {said}"


def _look_at(spec: RunSpec, s: Scores, by_class: Scores | None) -> str:
    if math.isnan(s.action_ratio):
        return "Nothing moves: the network leaves every point where it is."
    if not s.arrived and spec.task == "classify":
        return "Look left: the classes are still mixed; their way says little."
    if not s.arrived:
        return "Look left: the particles have not reached the grey target; their way says little."
    if spec.task == "classify":
        mixed = by_class.optimal_transport - s.optimal_transport > 0.05
        return "Look left: the classes part until a straight line can tell them apart" + (
            "; the cheapest way swaps some." if mixed else "."
        )
    if (spec.source, spec.target) == ("gaussian", "two_blobs") and s.bend_factor > 1.5:
        return "Look: left squeezes and swings the cloud; right simply parts it."
    if s.action_ratio < 1.15:
        return "Look: left and right can hardly be told apart; the network walks the geodesic."
    if s.path_factor < 1.15 and s.map_factor < 1.15:
        return "Look: left and right are much alike; the network keeps near the geodesic."
    if spec.network == "plain" and s.path_factor > 5:
        return "Look left: a plain layer may put the cloud anywhere; it leaps from place to place."
    if s.path_factor < 1.15:
        return "Look at the colours: left goes straight, but sends points to dearer places."
    if s.map_factor < 1.15:
        return "Look at the tracks: left bends or hurries, though its pairing is cheap."
    return "Look: left bends its tracks, and its colours end in other places than on the right."


def compare(
    kept: Run, run: Run, kept_record: Record | None = None, record: Record | None = None
) -> str:
    """One sentence on what differs between A and B: settings, then effort.

    As they ended, or at a record of each one's course: then it names their steps.
    """
    idle = kept.spec.idle & run.spec.idle
    differ = [
        name
        for name in FIELDS
        if name not in idle and getattr(kept.spec, name) != getattr(run.spec, name)
    ]
    changed = [
        f"{FIELDS[name].metadata['label']} {_setting(kept, name)} → {_setting(run, name)}"
        for name in differ
    ]
    if kept.state.step != run.state.step and not (kept.complete and run.complete):
        changed.append(f"step {kept.state.step} → {run.state.step}")
    settings = ", ".join(changed) or "the same settings"
    moments = [(r, at or r.history[-1]) for r, at in ((kept, kept_record), (run, record))]
    a, b = (number(r.at(at)[0].action_ratio) for r, at in moments)
    effort = f"Effort {a} → {b}"
    if any(at.step < r.state.step for r, at in moments):
        steps = list(dict.fromkeys(str(at.step) for _, at in moments))
        effort = f"At step {' → '.join(steps)}: effort {a} → {b}"
    compared = f"A → B: {settings}. {effort}; 1 is the cheapest way."
    if not set(CLOUDS).isdisjoint(differ):
        compared += " Other clouds: the scores do not compare."
    return compared


def _setting(run: Run, name: str) -> str:
    value = getattr(run.spec, name)
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def ending(run: Run) -> str | None:
    """A sentence on a run that did not take all its steps, or None."""
    state, spec = run.state, run.spec
    if state.diverged is not None:
        return (
            f"Training diverged at step {state.diverged} of {spec.steps} with learning rate "
            f"{spec.learning_rate:g}; the picture is the last finite one, of step {state.step}. "
            "Try a lower rate."
        )
    if not run.complete:
        return f"Stopped at step {state.step} of {spec.steps}: a finished run may differ."
    return None


def ended(run: Run) -> str:
    """A sentence on where a run's training ended, and why."""
    return ending(run) or f"All {run.spec.steps} training steps were taken."
