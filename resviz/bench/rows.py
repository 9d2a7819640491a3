"""What a measurement gives back: two sides and their ratio, in numbers. No torch here."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

FASTER, AS_LONG, AS_MANY = "× faster", "× as long", "× as many"


@dataclass(frozen=True)
class Spread:
    """The values of one quantity in several runs."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("values: there are none; a spread needs at least one")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Side:
    """One of the two things compared: what the clock said, and what else was seen of it."""

    seen: Spread
    unit: str  # s, ms, steps/s …
    also: tuple[tuple[str, float, str], ...] = ()  # name, number and unit, which may be empty


@dataclass(frozen=True)
class Aim:
    """The bar of the ratio, or with a unit that of what we take."""

    bar: float
    at_least: bool = True
    unit: str = ""

    def met(self, seen: Spread) -> int:
        """In how many of the runs it was reached."""
        return sum(v >= self.bar if self.at_least else v <= self.bar for v in seen.values)


@dataclass(frozen=True)
class Row:
    """One measurement. The ratio reads with its `meaning`: *2.5× faster*, *1.2× as long*."""

    what: str
    ours: Side | None  # None where it was not reached
    against: str = ""  # what `other` is
    other: Side | None = None
    ratio: Spread | None = None
    meaning: str = FASTER
    aim: Aim | None = None
    note: str = ""

    @property
    def aimed(self) -> Spread | None:
        """What the aim is about; None where it was not reached at all."""
        if self.aim and self.aim.unit:
            return self.ours and self.ours.seen
        return self.ratio


def ratios(above: Iterable[float], below: Iterable[float]) -> Spread:
    """Run by run, since what else the machine did met both sides of a run alike."""
    return Spread(tuple(a / b for a, b in zip(above, below, strict=True)))


def faster(
    what: str,
    against: str,
    other: Iterable[float],
    ours: Iterable[float],
    aim: Aim | None = None,
    note: str = "",
) -> Row:
    """The row of two ways to do one thing, from the seconds of each in the same runs."""
    other, ours = tuple(other), tuple(ours)
    return Row(
        what,
        milliseconds(ours),
        against,
        milliseconds(other),
        ratios(other, ours),
        aim=aim,
        note=note,
    )


def milliseconds(seconds: Iterable[float]) -> Side:
    """A side that took so many seconds in each run, told in thousandths."""
    return Side(Spread(tuple(1000 * s for s in seconds)), "ms")
