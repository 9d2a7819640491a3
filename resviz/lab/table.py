"""A lab's rows as numbers to quote: medians, 95 % intervals, paired differences, verdicts.

Runs are compared at a *moment* (design.py). Every interval is a bootstrap over seeds of
the median. Differences are taken seed by seed, between runs that saw the same batches,
of the seeds of which both arms come to the moment: their number is always told, since
those that do not come there may be of another kind.

What is not a finite number is not passed over in silence. An infinite score (tracks whose
steps cancel) counts as larger than every number; two that are infinite tie. An undefined
one (NaN: a network that does not move has no pairing) is left out, and the count falls. A
run that diverged counts in its course as far as it came, and never at the end.

The tuned rate is taken as given: no interval tells the doubt about it. Where another rate's
objective is not decidedly worse (`rivals`), other seeds might have chosen that one, and
with it other scores; where it is the first or last of those tried (`edge`), a better one may
lie beyond. A frontier does not depend on the choice.

A frontier is a best of many tries, so it flatters every arm. Each arm has the same number
of them, rates times points of the course; one that arrives early has more that qualify.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from resviz.lab.design import Claim, Lab, Moment, Place
from resviz.lab.intervals import Interval, interval
from resviz.lab.rows import Row
from resviz.spec import RunSpec

# Which way each score goes towards the geodesic.
NEARER: Mapping[str, int] = {
    "action_ratio": -1,
    "path_factor": -1,
    "speed_factor": -1,
    "bend_factor": -1,
    "map_factor": -1,
    "swirl_factor": -1,
    "curve_factor": -1,
    "line_shape": -1,
    "line_shape_harmonic": -1,
    "optimal_transport": 1,
    "map_error": -1,
    "monotonicity": 1,
    "jacobian_asymmetry": -1,
    "jacobian_indefinite": -1,
    "action_ratio_by_class": -1,
    "optimal_transport_by_class": 1,
}
# Not scores of the way, but what it led to, and what that is measured by: each table shows
# them beside the scores. On a frontier they are those of the point with the best of `CHIEF`.
BESIDE = ("step", "fit", "accuracy", "floor", "unmoved", "majority", "excess", "undershoot")
CHIEF = "action_ratio"
TAIL = 5  # points of the course, of 41
# The scores that claims are judged by.
JUDGED = (
    CHIEF,
    "line_shape",
    "optimal_transport",
    "action_ratio_by_class",
    "optimal_transport_by_class",
)

Scored = Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """One score of one arm in one setting at one moment, and its difference to another arm's.

    `value.count` seeds come to the moment, `difference.count` of both arms.
    """

    setting: str
    arm: str
    at: str
    rate: float  # the tuned one; NaN on a frontier, which takes them all
    rivals: tuple[float, ...]  # other rates with an objective that is not decidedly worse
    edge: bool  # whether the tuned rate is the first or last that was tried
    runs: int  # that the moment looks at: of all seeds at one rate, or at all rates
    diverged: int  # of those
    score: str
    value: Interval
    against: str | None
    difference: Interval | None


def table(
    lab: Lab, rows: Mapping[RunSpec, Row], moments: Sequence[Moment] | None = None
) -> list[Line]:
    """Every score of every arm in every setting, at every moment (the lab's own if None)."""
    cells = Cells.of(lab, rows)
    against = {arm.name: arm.against for arm in lab.arms}
    lines = []
    for moment in lab.moments if moments is None else moments:
        for setting, arm in cells.places():
            mine = cells.at(setting, arm, moment)
            other = against[arm]
            theirs = {} if other is None else cells.at(setting, other, moment)
            looked_at = cells.looked_at(setting, arm, moment)
            every_rate = moment.kind == "frontier"
            rate = math.nan if every_rate else cells.tuned(setting, arm)
            rivals = () if every_rate else cells.rivals(setting, arm)
            edge = not every_rate and cells.at_edge(setting, arm)
            for score in cells.scores(setting, arm, moment):
                lines.append(
                    Line(
                        setting=setting,
                        arm=arm,
                        at=str(moment),
                        rate=rate,
                        rivals=rivals,
                        edge=edge,
                        runs=len(looked_at),
                        diverged=sum(row.diverged is not None for row in looked_at),
                        score=score,
                        value=interval(tuple(values(mine, score).values())),
                        against=other,
                        difference=None if other is None else paired(mine, theirs, score),
                    )
                )
    return lines


@dataclass(frozen=True)
class Cells:
    """The rows of a lab, by setting and arm, then rate and seed."""

    rows: Mapping[tuple[str, str], Mapping[float, Mapping[int, Row]]]

    @classmethod
    def of(cls, lab: Lab, rows: Mapping[RunSpec, Row]) -> Cells:
        cells: dict = defaultdict(lambda: defaultdict(dict))
        for place, spec in lab.runs():
            cells[place.setting, place.arm][place.rate][place.seed] = rows[spec]
        return cls(cells)

    @property
    def settings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(setting for setting, _ in self.rows))

    def places(self) -> Iterator[tuple[str, str]]:
        """(setting, arm), in the lab's order."""
        yield from (key for setting in self.settings for key in self.rows if key[0] == setting)

    def example(self, setting: str) -> Row:
        """One of the setting's rows: what it reaches for is the same for all."""
        return next(self._all(*next(key for key in self.rows if key[0] == setting)))

    def tuned(self, setting: str, arm: str) -> float:
        """The rate with the least median objective at the end; diverged counts as infinite.

        The objective is what training was asked to make small, penalties included, so
        that no score has a say in it. It is the mean over the last `TAIL` points of the
        course, where the rate is nearly 0: one batch's alone is largely chance.
        """
        objectives = self._objectives(setting, arm)
        return min(objectives, key=lambda rate: float(np.median(list(objectives[rate].values()))))

    def rivals(self, setting: str, arm: str) -> tuple[float, ...]:
        """The other rates whose objectives, paired by seed, are not decidedly above the least."""
        objectives, tuned = self._objectives(setting, arm), self.tuned(setting, arm)
        worse = {
            rate: interval(_differences(found, objectives[tuned])).low
            for rate, found in objectives.items()
            if rate != tuned
        }
        return tuple(rate for rate, by in worse.items() if not by > 0)  # NaN decides nothing

    def at_edge(self, setting: str, arm: str) -> bool:
        """Whether the tuned rate is the first or last tried: a better one may lie beyond."""
        tried, tuned = self.rows[setting, arm], self.tuned(setting, arm)
        return len(tried) > 1 and tuned in (min(tried), max(tried))

    def _objectives(self, setting: str, arm: str) -> dict[float, dict[int, float]]:
        """What each seed had left of its objective at the end, by rate."""
        return {
            rate: {
                seed: math.inf if row.diverged is not None else _mean(row.course["loss"][-TAIL:])
                for seed, row in rows.items()
            }
            for rate, rows in self.rows[setting, arm].items()
        }

    def at(self, setting: str, arm: str, moment: Moment) -> dict[int, Scored]:
        """The scores of each seed's run at the moment, for those that come to it."""
        by_rate = self.rows[setting, arm]
        if moment.kind == "frontier":
            found = {
                seed: frontier([rows[seed] for rows in by_rate.values()], moment.level)
                for seed in self._seeds(setting, arm)
            }
        else:
            rows = by_rate[self.tuned(setting, arm)]
            found = {seed: scores_at(row, moment) for seed, row in rows.items()}
        return {seed: scored for seed, scored in found.items() if scored}

    def looked_at(self, setting: str, arm: str, moment: Moment) -> list[Row]:
        """The rows that `at` takes its scores from."""
        if moment.kind == "frontier":
            return list(self._all(setting, arm))
        return list(self.rows[setting, arm][self.tuned(setting, arm)].values())

    def scores(self, setting: str, arm: str, moment: Moment) -> tuple[str, ...]:
        """What may be known there, whether or not any run comes to the moment."""
        row = next(self._all(setting, arm))
        ends = row.end if moment.kind == "end" else {}
        known = {**_points(row)[0], **ends}
        return tuple(name for name in (*BESIDE, *NEARER) if name in known)

    def curve(
        self, setting: str, arm: str, score: str, levels: Sequence[float]
    ) -> tuple[Interval, ...]:
        """The frontier: the best `score` at each of `levels` of excess, over the seeds.

        The same numbers as `at` gives for frontier=level, for many levels at once.
        """
        by_rate, sign = self.rows[setting, arm], NEARER[score]
        best = []
        for seed in self._seeds(setting, arm):
            rows = [rows[seed] for rows in by_rate.values()]
            left = np.concatenate([row.excess() for row in rows])
            value = sign * np.concatenate([row.course[score] for row in rows])
            known = ~(np.isnan(left) | np.isnan(value))
            order = np.argsort(left[known], kind="stable")
            running = np.maximum.accumulate(value[known][order])
            passed = np.searchsorted(left[known][order], levels, side="right")
            best.append(sign * np.append(math.nan, running)[passed])
        return tuple(interval(found[~np.isnan(found)]) for found in np.array(best).T)

    def _seeds(self, setting: str, arm: str) -> tuple[int, ...]:
        return tuple(dict.fromkeys(s for rows in self.rows[setting, arm].values() for s in rows))

    def _all(self, setting: str, arm: str) -> Iterator[Row]:
        yield from (row for rows in self.rows[setting, arm].values() for row in rows.values())


def _mean(losses: Sequence[float]) -> float:
    return float(np.nanmean(losses))  # before the first step no batch has been seen


def scores_at(row: Row, moment: Moment) -> Scored:
    """The scores of a run at `end`, or where it first passes a level; empty if it does not."""
    if moment.kind == "end":
        return {} if row.diverged is not None else {**_points(row)[-1], **row.end}
    left = _PASSES[moment.kind](row)
    passed = next((k for k, value in enumerate(left) if value <= moment.level), None)
    return {} if passed is None else _points(row)[passed]


_PASSES: Mapping[str, Callable[[Row], Sequence[float]]] = {
    "fit": lambda row: row.course["miss"],
    "excess": Row.excess,
}


def frontier(rows: Iterable[Row], level: float) -> Scored:
    """The best value of each score among all points of all courses with excess ≤ level.

    `BESIDE` is of the point with the best action ratio; the other scores' best points may
    be others, of another network.
    """
    points = [point for row in rows for point in _points(row) if point["excess"] <= level]
    best: dict[str, float] = {}
    for score, sign in NEARER.items():
        known = [point for point in points if not math.isnan(point.get(score, math.nan))]
        if known:
            chosen = max(known, key=lambda point: sign * point[score])
            best[score] = chosen[score]
            if score == CHIEF:
                best |= {name: chosen[name] for name in BESIDE if name in chosen}
    return best


def _points(row: Row) -> list[dict[str, float]]:
    """The row's scores at each point of its course, and what its miss is measured by."""
    floor, unmoved = row.reach
    measures = {
        "match": {"floor": floor, "unmoved": unmoved},
        "classify": {"majority": 1 - unmoved},
    }
    course = {**row.course, "excess": row.excess()}
    return [
        dict(zip(course, scores, strict=True), **measures[row.spec.task])
        for scores in zip(*course.values(), strict=True)
    ]


def values(scored: Mapping[int, Scored], score: str) -> dict[int, float]:
    """Each seed's value, where it is defined."""
    return {
        seed: found[score]
        for seed, found in scored.items()
        if not math.isnan(found.get(score, math.nan))
    }


def paired(mine: Mapping[int, Scored], theirs: Mapping[int, Scored], score: str) -> Interval:
    """Differences mine − theirs of the seeds that both have; equal infinities tie."""
    return interval(_differences(values(mine, score), values(theirs, score)))


def _differences(mine: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    both = sorted(mine.keys() & theirs.keys())
    return [0.0 if mine[seed] == theirs[seed] else mine[seed] - theirs[seed] for seed in both]


def verdict(score: str, difference: Interval) -> str:
    """*holds*, *does not hold* (the opposite does) or *undecided*, of "nearer the geodesic".

    Decided is what the whole interval says. Each is taken by itself: of 20 comparisons
    of equals about one will look decided.
    """
    if math.isnan(difference.low):
        return "undecided"
    sign = NEARER[score]
    low, high = sorted((sign * difference.low, sign * difference.high))
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "undecided"


@dataclass(frozen=True)
class Verdict:
    """What the lab says of one claim in one setting, by one score at one moment."""

    claim: Claim
    setting: str
    at: str
    score: str
    difference: Interval
    seeds: int  # so many pairs there would be if all came to the moment
    says: str


def verdicts(
    lab: Lab,
    rows: Mapping[RunSpec, Row],
    moments: Sequence[Moment] | None = None,
    scores: Sequence[str] = JUDGED,
) -> list[Verdict]:
    """Every claim of the lab, in every setting, at every moment, by each of `scores`."""
    cells = Cells.of(lab, rows)
    found = []
    for moment in lab.moments if moments is None else moments:
        at = {key: cells.at(*key, moment) for key in cells.places()}
        for claim in lab.claims:
            for setting in cells.settings:
                mine, theirs = at[setting, claim.arm], at[setting, claim.against]
                for score in cells.scores(setting, claim.arm, moment):
                    if score in scores:
                        gap = paired(mine, theirs, score)
                        says = verdict(score, gap)
                        found.append(
                            Verdict(claim, setting, str(moment), score, gap, len(lab.seeds), says)
                        )
    return found


def to_csv(lines: Sequence[Line]) -> str:
    """The table as CSV, one score of one arm a line; an empty cell is an undefined number."""
    parts = [f.name for f in fields(Interval)]
    header = [f.name for f in fields(Line) if f.name not in ("value", "difference")]
    content = []
    for line in lines:
        own = [getattr(line, name) for name in header]
        for part in (line.value, line.difference):
            own += asdict(part).values() if part else [None] * len(parts)
        content.append(own)
    return _csv([*header, *parts, *(f"difference_{part}" for part in parts)], content)


def runs_csv(lab: Lab, rows: Mapping[RunSpec, Row]) -> str:
    """Every run's last scores as CSV, one run a line."""
    names = (*BESIDE, *NEARER)
    content = []
    for place, spec in lab.runs():
        row = rows[spec]
        last = {**_points(row)[-1], **row.end}
        content.append([*asdict(place).values(), row.diverged, *(last.get(name) for name in names)])
    return _csv([*(f.name for f in fields(Place)), "diverged", *names], content)


def _csv(header: Sequence[str], content: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in line] for line in content)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(f"{part:.6g}" for part in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
