"""What a particle's colour says: where it started, its class, or where it leaves the geodesic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from resviz.figures.theme import SECTORS, sectors
from resviz.records import Run

# Quiet where the geodesic is kept, loud where it is left; apart in lightness alone, too.
LEAVING = ("#A9B4C2", "#56B4E9", "#E69F00", "#D55E00", "#8C1C5B", "#1B0033")
CLASS_ORDER = (0, 4, 2, 1, 5, 3)  # of the palette: the first two are the farthest apart
BENDS = (1.05, 1.2, 1.5, 2.0, 3.0)  # upper bounds of LSS
ASTRAY = (0.05, 0.1, 0.2, 0.4, 0.8)  # upper bounds of the map error, in units of W2


@dataclass(frozen=True)
class Colouring:
    """The colour of each particle, the same in every panel of a run."""

    name: str  # the key of COLOURINGS
    palette: tuple[str, ...]
    index: np.ndarray  # int (n,), into the palette
    legend: str  # what the colours are of; empty where they speak for themselves
    names: tuple[str, ...] = ()  # of each colour of the palette
    bounds: tuple[float, ...] = ()  # upper ones of what each colour but the last stands for


def of_starts(points: np.ndarray) -> Colouring:
    """The direction that each of `points` (n, 2) lies in, seen from the cloud's middle."""
    return Colouring("start", SECTORS, sectors(points), "")


def of_classes(labels: np.ndarray) -> Colouring:
    """One colour a class, labels int (n,); with more classes than colours some share one."""
    count = int(labels.max()) + 1
    palette = class_palette(count)
    names = tuple(map(str, range(count))) if count <= len(SECTORS) else ()
    return Colouring("class", palette, labels, "class", names)


def class_palette(count: int) -> tuple[str, ...]:
    """A colour for each of `count` classes."""
    return tuple(SECTORS[CLASS_ORDER[k % len(SECTORS)]] for k in range(count))


def while_training(points: np.ndarray, labels: np.ndarray | None) -> tuple[Colouring, ...]:
    """What is known of particles before their run is scored: their starts and their classes.

    Bend and pairing are told when training ends; until then a colour is a start.
    """
    return (of_starts(points), *(() if labels is None else (of_classes(labels),)))


def by_start(run: Run) -> Colouring:
    """The direction that a particle started in."""
    return of_starts(run.tracks[0])


def by_class(run: Run) -> Colouring:
    """The class of the source; the direction where it has none."""
    return by_start(run) if run.labels is None else of_classes(run.labels)


def by_bend(run: Run) -> Colouring:
    """How bent a particle's own track is: its LSS, 1 = straight."""
    shapes = np.nan_to_num(run.line_shapes, nan=1.0, posinf=np.inf)  # a still one bends nothing
    return Colouring(
        "bend", LEAVING, np.searchsorted(BENDS, shapes), "LSS up to", _ranges(BENDS), BENDS
    )


def by_pairing(run: Run) -> Colouring:
    """How far a particle ends from where the cheapest way would take it, over W2."""
    least = np.sqrt(run.scores.w2_squared)
    astray = run.map_errors / least if least > 0 else np.zeros_like(run.map_errors)
    legend = "off by up to (of W2)"
    return Colouring(
        "pairing", LEAVING, np.searchsorted(ASTRAY, astray), legend, _ranges(ASTRAY), ASTRAY
    )


# What a colour says unless somebody chose otherwise.
USUAL = {"match": "start", "classify": "class"}
COLOURINGS: Mapping[str, Callable[[Run], Colouring]] = {
    "start": by_start,
    "class": by_class,
    "bend": by_bend,
    "pairing": by_pairing,
}


def _ranges(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*(f"{bound:g}" for bound in bounds), "more")
