"""What a sentence on a picture claims, as numbers that other seeds may be asked for, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from resviz.records import Run

FRAME = 2.2  # half the side of the square that a picture shows (distributions.WINDOW)


def turned(run: Run) -> float:
    """By how many degrees particles end turned round their cloud's middle: the median, 0 to 180."""
    start, end = (cloud - cloud.mean(axis=0) for cloud in (run.tracks[0], run.tracks[-1]))
    cross = start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0]
    dot = (start * end).sum(axis=1)
    return float(np.degrees(np.median(np.abs(np.arctan2(cross, dot)))))


def rift(path: np.ndarray) -> float:
    """The farthest that neighbours on a ring come apart on a path (L+1, n, 2), at any layer.

    Neighbours are next to each other as seen from the middle of path[0].
    """
    start = path[0] - path[0].mean(axis=0)
    around = path[:, np.argsort(np.arctan2(start[:, 1], start[:, 0]))]
    return float(np.linalg.norm(around - np.roll(around, 1, axis=1), axis=2).max())


def _largest(layers: np.ndarray | None) -> float | None:
    return None if layers is None else float(np.max(layers))


# What a claim may be about: each a number of one run, None where it is not measured.
MEASURES: Mapping[str, Callable[[Run], float | None]] = {
    "effort": lambda run: run.scores.action_ratio,
    "bends": lambda run: run.scores.path_factor,
    "LSS": lambda run: run.scores.line_shape,
    "OTS": lambda run: run.scores.optimal_transport,
    "OTS by class": lambda run: run.class_scores and run.class_scores.optimal_transport,
    "gap": lambda run: _largest(run.scores.gap),
    "exact gap": lambda run: _largest(run.scores.exact_gap),
    "miss / unmoved": lambda run: run.scores.fit and run.scores.fit / run.scores.unmoved,
    "undershoot": lambda run: run.scores.undershoot,
    "accuracy": lambda run: run.scores.accuracy,
    # Shares of particles, that leave the picture on the way, and that end outside.
    "outside": lambda run: float(np.mean(np.abs(run.tracks).max(axis=(0, 2)) > FRAME)),
    "outside at the end": lambda run: float(np.mean(np.abs(run.tracks[-1]).max(axis=1) > FRAME)),
    "turned": turned,
    "rift, network": lambda run: rift(run.tracks),
    "rift, cheapest way": lambda run: rift(run.geodesic),
}
# Whose number it is: of the kept run A, of the present run B, or how they differ.
OF: Mapping[str, Callable[[float, float], float]] = {
    "A": lambda a, b: a,
    "B": lambda a, b: b,
    "A − B": lambda a, b: a - b,
    "B − A": lambda a, b: b - a,
}


@dataclass(frozen=True)
class Claim:
    """A number of one or two runs, and the bounds that it keeps whatever the seed.

    Raises `ValueError` for an unknown `measure` or `of`, or where nothing is bounded.
    """

    measure: str
    of: str = "B"
    least: float = -math.inf
    most: float = math.inf

    def __post_init__(self) -> None:
        for name, known in (("measure", MEASURES), ("of", OF)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name}: {value!r} is unknown; known are {', '.join(known)}")
        bounded = math.isfinite(self.least) or math.isfinite(self.most)
        if not bounded or self.least > self.most:
            raise ValueError(
                f"claim: from {self.least} to {self.most} is not allowed; allowed is a lower "
                "bound, an upper one, or both in this order"
            )

    @property
    def text(self) -> str:
        """*effort of B ≥ 3*."""
        number = f"{self.measure} of {self.of}"
        if math.isinf(self.most):
            return f"{number} ≥ {self.least:g}"
        lower = "" if math.isinf(self.least) else f"{self.least:g} ≤ "
        return f"{lower}{number} ≤ {self.most:g}"

    def value(self, kept: Run | None, run: Run) -> float:
        """The number, for the runs A (None where there is none) and B; NaN if not measured."""
        return OF[self.of](*(self._measured(one) for one in (kept, run)))

    def _measured(self, run: Run | None) -> float:
        number = None if run is None else MEASURES[self.measure](run)
        return math.nan if number is None else number

    def allows(self, value: float) -> bool:
        """Whether a number keeps the bounds; NaN does not."""
        return self.least <= value <= self.most

    def holds(self, kept: Run | None, run: Run) -> bool:
        """Whether it is so for these two runs."""
        return self.allows(self.value(kept, run))
