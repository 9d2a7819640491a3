"""What travels between the modules: plain frozen records of numpy arrays.

No torch and no POT here, so that the page's own process holds states, scores and
finished runs without loading either.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resviz.files import write_whole
from resviz.saved import pack, unpack
from resviz.spec import RunSpec

# What takes plans for every layer is, in a run's course, measured on so many of its particles.
COURSE_PARTICLES = 100


@dataclass(frozen=True)
class TrainState:
    """Training after `step` steps: everything that the next step needs, and no more."""

    step: int
    parameters: np.ndarray  # float32 (P,), see networks.py
    first_moment: np.ndarray  # float32 (P,), Adam's
    second_moment: np.ndarray  # float32 (P,), Adam's
    loss: float = math.nan  # the objective that the last step saw
    diverged: int | None = None  # the step that was taken back, and ended training


@dataclass(frozen=True)
class Scores:
    """Every score of a run; formulas and units are in scores.py.

    NaN means undefined for these tracks (a network that does not move has no
    pairing to score); None means not measured (no target was given, or scores per
    layer were not asked for). In a run's course swirl, curve, gap and pace are those of its
    first particles (`COURSE_PARTICLES`), since they take two plans for every layer.
    """

    line_shape: float  # LSS: the median over particles
    line_shape_harmonic: float
    still_particles: int  # particles without a counted step, left out of LSS
    optimal_transport: float  # OTS
    map_error: float
    match_rate: float
    monotonicity: float
    action: float
    displacement: float
    w2_squared: float
    action_ratio: float
    path_factor: float
    speed_factor: float
    bend_factor: float
    map_factor: float
    swirl_factor: float | None = None
    curve_factor: float | None = None
    gap: np.ndarray | None = None  # (L+1,)
    gap_any_pace: np.ndarray | None = None  # (L+1,)
    speed: np.ndarray | None = None  # (L,)
    pace: np.ndarray | None = None  # (L,): speed in units of W2
    exact_gap: np.ndarray | None = None  # (L+1,), where source and target are Gaussian
    exact_gap_noise: np.ndarray | None = None  # (L+1,), what sampling alone would give
    fit: float | None = None
    fit_floor: float | None = None
    fit_floor_sd: float | None = None
    unmoved: float | None = None
    undershoot: float | None = None
    jacobian_asymmetry: float | None = None  # needs the network, not its tracks alone
    jacobian_indefinite: float | None = None  # share of particles; needs the network, too
    accuracy: float | None = None  # of the head, in classification
    majority: float | None = None  # accuracy of always naming the largest class

    @property
    def arrived(self) -> bool:
        """Whether the fit is at most half of unmoved, or at the floor, as far as both are
        measured; if not, the path says little.

        The floor matters where source and target are much the same: there unmoved is
        itself at the floor. In classification: whether the head is wrong at most half as
        often as a guess of the largest class.
        """
        if self.accuracy is not None:
            return 1 - self.accuracy <= 0.5 * (1 - self.majority)
        if self.fit is None:
            return True
        at_floor = self.fit_floor is not None and self.fit <= self.fit_floor + self.fit_floor_sd
        return at_floor or self.fit <= 0.5 * self.unmoved


class LayerCosts(NamedTuple):
    """Squared W2 distances of one layer's cloud μ_l, each an exact plan or a few."""

    hop: float  # to μ_{l+1}
    gap: float  # to the geodesic at t = l/L
    gap_any_pace: float  # to the geodesic at the nearest time


@dataclass(frozen=True)
class Measures:
    """The costly part of a run's last scores, as far as it has been taken."""

    floors: tuple[float, ...] = ()  # W2² of pairs of target samples
    layers: tuple[LayerCosts, ...] = ()  # L in the end


@dataclass(frozen=True)
class Record:
    """One point of a run's course: the network after `step` steps, and its scores."""

    step: int
    loss: float
    scores: Scores  # per layer gap and pace alone; none in files of old
    class_scores: Scores | None  # see Run
    parameters: np.ndarray  # float32 (P,), the state's
    plan: np.ndarray  # int16 (n,): the cheapest way takes particle i to where plan[i] ends


@dataclass(frozen=True)
class Regions:
    """The class that the network would give each place, had a particle been there at layer l."""

    half: float  # the square [−half, half]² is covered
    classes: np.ndarray  # int8 (L+1, side, side), [layer, row from below, column from the left]


@dataclass(frozen=True)
class Run:
    """A trained network's way through its layers, the geodesic beside it, and the scores."""

    spec: RunSpec
    state: TrainState
    tracks: np.ndarray  # float32 (L+1, n, 2); tracks[0] is the input
    geodesic: np.ndarray  # float32 (L+1, n, 2); [0] is tracks[0], [-1] is tracks[-1][plan]
    target: np.ndarray | None  # float32 (n, 2), unseen in training; None in classification
    labels: np.ndarray | None  # int (n,): the source's classes
    scores: Scores
    class_scores: Scores | None  # in classification: the pairing stays within each class
    regions: Regions | None  # in classification
    line_shapes: np.ndarray  # float64 (n,): LSS of each particle
    map_errors: np.ndarray  # float64 (n,): from each particle's end to its cheapest one
    history: tuple[Record, ...]

    @property
    def plan(self) -> np.ndarray:
        """int16 (n,): `geodesic[-1]` is `tracks[-1][plan]`."""
        return self.history[-1].plan

    def at(self, record: Record) -> tuple[Scores, Scores | None]:
        """The scores at a point of the run's course, and those class by class.

        At the last they are the run's own. The floor is the target's, the same at every step.
        """
        if record.step == self.state.step:
            return self.scores, self.class_scores
        own = self.scores
        floor = {"fit_floor": own.fit_floor, "fit_floor_sd": own.fit_floor_sd}
        return replace(record.scores, **floor), record.class_scores

    @property
    def complete(self) -> bool:
        """Whether every step of the spec was taken: then equal specs mean equal runs."""
        return self.state.step == self.spec.steps

    def summary(self) -> dict[str, Any]:
        """Spec, scores and course as JSON values: arrays are lists, undefined numbers None."""
        return _without_nan(
            {
                "spec": asdict(self.spec),
                "link": self.spec.to_query(),
                "step": self.state.step,
                "diverged": self.state.diverged,
                "scores": _lists(self.scores),
                "class_scores": _lists(self.class_scores),
                "history": [
                    {
                        "step": r.step,
                        "loss": r.loss,
                        "scores": _lists(r.scores),
                        "class_scores": _lists(r.class_scores),
                    }
                    for r in self.history
                ],
            }
        )

    def save(self, path: str | Path) -> None:
        """Write an `.npz` that `load` reads back: whole, or not at all. Raises `OSError`."""
        write_whole(path, self.to_npz())

    def to_npz(self) -> bytes:
        """What `save` writes.

        Arrays `tracks`, `geodesic`, `target`, `labels` and `regions` (empty where there are none),
        `line_shapes`, `map_errors`, the state's, those of the course, `course_parameters` and
        `course_plans`, and two JSON texts: `spec` and `record` (the rest).
        """
        record = {
            "step": self.state.step,
            "loss": self.state.loss,
            "diverged": self.state.diverged,
            "scores": _lists(self.scores),
            "class_scores": _lists(self.class_scores),
            "regions_half": self.regions.half if self.regions else None,
            "history": [
                [r.step, r.loss, _lists(r.scores), _lists(r.class_scores)] for r in self.history
            ],
        }
        return pack(
            asdict(self.spec),
            record,
            tracks=self.tracks,
            geodesic=self.geodesic,
            target=np.empty((0, 2), np.float32) if self.target is None else self.target,
            labels=np.empty(0, int) if self.labels is None else self.labels,
            regions=self.regions.classes if self.regions else np.empty(0, np.int8),
            line_shapes=self.line_shapes,
            map_errors=self.map_errors,
            course_parameters=np.stack([r.parameters for r in self.history]),
            course_plans=np.stack([r.plan for r in self.history]),
            **{name: getattr(self.state, name) for name in STATE_ARRAYS},
        )

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run that `save` wrote. Raises `ValueError`, one sentence, if the file is not one.

        Then its shapes, types and numbers are those of a run of its spec: see saved.py.
        """
        saved = unpack(Path(path))
        record, arrays = saved.record, saved.arrays
        try:
            scores, class_scores = _scores(record["scores"]), _scores(record["class_scores"])
            course = [
                (step, loss, _scores(whole), _scores(by_class))
                for step, loss, whole, by_class in record["history"]
            ]
        except ValueError as reason:  # of another version: more scores, or fewer
            raise ValueError(f"{path}: is not a saved run ({reason})") from None
        plans = zip(arrays["course_parameters"], arrays["course_plans"], strict=True)
        return cls(
            spec=saved.spec,
            state=TrainState(
                step=record["step"],
                loss=record["loss"],
                diverged=record["diverged"],
                **{name: arrays[name] for name in STATE_ARRAYS},
            ),
            tracks=arrays["tracks"],
            geodesic=arrays["geodesic"],
            target=arrays["target"],
            labels=arrays["labels"],
            scores=scores,
            class_scores=class_scores,
            regions=Regions(record["regions_half"], arrays["regions"])
            if record["regions_half"]
            else None,
            line_shapes=arrays["line_shapes"],
            map_errors=arrays["map_errors"],
            history=tuple(
                Record(*point, *network) for point, network in zip(course, plans, strict=True)
            ),
        )


STATE_ARRAYS = ("parameters", "first_moment", "second_moment")


def _lists(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(scores).items()}


def _scores(plain: dict[str, Any] | None) -> Scores | None:
    """Those of a file. What it does not name was not measured; raises `ValueError` for others."""
    if plain is None:
        return None
    known = {field.name: field.default is not MISSING for field in fields(Scores)}
    for name in plain.keys() - known.keys():
        raise ValueError(f"scores: {name[:40]!r} is no score")
    for name, optional in known.items():
        if not optional and not isinstance(plain.get(name), int | float):
            raise ValueError(f"scores: {name} is missing")
    arrays = {name: np.array(v, float) for name, v in plain.items() if isinstance(v, list)}
    return Scores(**(plain | arrays))


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: those become None, however deep they lie."""
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
