"""What a lab runs: settings × arms × learning rates × seeds, each a validated `RunSpec`.

And when its runs are compared, since a network that stops short of its target has an
easier way there: at a *moment*.

    end            after all steps; what a diverged run had is not counted
    fit=V          at the first point of the course with a fit (squared W2) of at most V
    excess=V       at the first point where at most the part V of the way is left
    frontier=V     the best that any rate and any such point offers, each score for itself
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resviz.spec import FIELDS, RULES, RunSpec

# What is asked of the network; all other fields say how it goes about it. Scores compare
# within one setting alone.
SETTING = ("task", "source", "target", "particles")
TUNED = "learning_rate"
# Fields whose values speak for themselves.
PLAIN_WORDS = ("network", "activation", "loss")
MOST_SEEDS = 1000
LEVELS = ("fit", "excess", "frontier")


@dataclass(frozen=True)
class Moment:
    """When runs are compared."""

    kind: str
    level: float = math.nan

    def __str__(self) -> str:
        return self.kind if self.kind == "end" else f"{self.kind}={self.level:g}"

    @classmethod
    def parse(cls, text: str) -> Moment:
        """`end`, `fit=0.1`, `excess=0.1` or `frontier=0.1`. Raises `ValueError` for others."""
        if text == "end":
            return END
        kind, _, level = text.partition("=")
        try:
            number = float(level) if kind in LEVELS else math.nan
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise ValueError(
                f"at: {text!r} is not allowed; allowed is end, or one of {', '.join(LEVELS)} with "
                "a number from 0: fit=0.1"
            )
        return cls(kind, number)


END = Moment("end")
DEFAULT_MOMENTS = (END, Moment("excess", 0.1), Moment("frontier", 0.1))


@dataclass(frozen=True)
class Arm:
    """One way of going about it, and the arm that it is compared with, seed by seed."""

    name: str
    fields: Mapping[str, Any]
    against: str | None = None


@dataclass(frozen=True)
class Claim:
    """A sentence that a difference may bear out: `arm` is nearer the geodesic than `against`."""

    text: str
    arm: str
    against: str


@dataclass(frozen=True)
class Lab:
    """A grid of runs.

    Each arm is run in each setting, with each rate and each seed. `rates` are tuned: a
    table shows, for each arm in each setting, the rate with the least median objective
    at the end of training; where it is empty the specs' own rate is taken. `moments` are
    those at which its runs are compared.

    Raises `ValueError` if a list is empty, two arms share a name or mean the same, two
    settings share a name, an arm is compared with one that is not there, or a spec is not
    allowed.
    """

    name: str
    title: str
    base: Mapping[str, Any]
    settings: tuple[Mapping[str, Any], ...]
    arms: tuple[Arm, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    claims: tuple[Claim, ...] = ()
    moments: tuple[Moment, ...] = DEFAULT_MOMENTS

    def __post_init__(self) -> None:
        for what in ("settings", "arms", "seeds", "moments"):
            if not getattr(self, what):
                raise ValueError(f"{what}: the list is empty; allowed is one entry or more")
        names = [arm.name for arm in self.arms]
        compared = [arm.against for arm in self.arms if arm.against is not None]
        compared += [name for claim in self.claims for name in (claim.arm, claim.against)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"arms: {name!r} is there {names.count(name)} times; allowed is once"
                )
        for name in compared:
            if name not in names:
                raise ValueError(f"arms: {name!r} is compared and not there; there are {names}")
        for listed in zip(*self.runs(), strict=True):  # places, then specs
            found, times = Counter(listed).most_common(1)[0]
            if times > 1:
                raise ValueError(f"grid: {times} runs share {found}; allowed is one")

    def runs(self) -> Iterator[tuple[Place, RunSpec]]:
        """Every run and its place: seeds outermost, so that a lab cut short is a smaller lab."""
        rates = self.rates or (None,)
        sizes = {setting.get("particles") for setting in self.settings}
        for seed, setting, arm, rate in itertools.product(
            self.seeds, self.settings, self.arms, rates
        ):
            tuned = {} if rate is None else {TUNED: rate}
            spec = RunSpec(**{**self.base, **setting, **arm.fields, **tuned, "seed": seed})
            name = setting_name(spec) + f", {spec.particles} particles" * (len(sizes) > 1)
            yield Place(name, arm.name, spec.learning_rate, seed), spec

    def shortened(self, **fields: Any) -> Lab:
        """The same lab with other base fields: fewer steps, say, for a trial."""
        return dataclasses.replace(self, base={**self.base, **fields})


@dataclass(frozen=True, order=True)
class Place:
    """Where a run stands in its lab."""

    setting: str
    arm: str
    rate: float
    seed: int


def setting_name(spec: RunSpec) -> str:
    """*gaussian → moons*, or *moons, classified*."""
    return {
        "match": f"{spec.source} → {spec.target}",
        "classify": f"{spec.source}, classified",
    }[spec.task].replace("_", " ")


def grid(
    base: Mapping[str, Any],
    vary: Sequence[str],
    seeds: int,
    tune: str | None = None,
    name: str = "grid",
) -> Lab:
    """The lab of a command line: `vary` holds texts such as `network=residual,plain`.

    Every combination is run with seeds 0 … `seeds` − 1 and compared with the first one.
    `tune` is a text such as `1e-3,1e-2`: learning rates of which the table shows the best.
    `base` holds the fields that all runs share and that are not at their defaults.

    Raises `ValueError` naming the field, what was given and what is allowed.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise ValueError(
            f"seeds: {seeds} is not allowed; allowed is a whole number from 1 to {MOST_SEEDS}"
        )
    axes: dict[str, list[Any]] = {}
    for text in vary:
        field, values = _axis(text)
        if field in axes:
            raise ValueError(f"vary: {field} is given twice; allowed is once")
        axes[field] = values
    rates: tuple[float, ...] = ()
    if tune is not None:
        if TUNED in axes:
            raise ValueError(f"tune: {TUNED} is varied already; allowed is one of the two")
        rates = tuple(_axis(f"{TUNED}={tune}")[1])
    for field in (*axes, *((TUNED,) if rates else ())):
        if field in base:
            raise ValueError(
                f"{field}: {base[field]!r} is given for all runs, and a list to vary or tune; "
                "allowed is one of the two"
            )
    settings = tuple(_combinations({f: v for f, v in axes.items() if f in SETTING}))
    ways = tuple(_combinations({f: v for f, v in axes.items() if f not in SETTING}))
    names = [_arm_name(way) for way in ways]
    arms = tuple(
        Arm(arm, way, None if arm == names[0] else names[0])
        for arm, way in zip(names, ways, strict=True)
    )
    title = "Runs over " + (", ".join(_label(field) for field in axes) or "seeds")
    return Lab(name, title, dict(base), settings, arms, rates, tuple(range(seeds)))


def _axis(text: str) -> tuple[str, list[Any]]:
    """`l2=0,1e-3` → ("l2", [0.0, 0.001]), each value checked by the field's own rule."""
    field, equals, listed = text.partition("=")
    field = field.strip().replace("-", "_")
    if not equals:
        raise ValueError(f"vary: {text!r} is not allowed; allowed is FIELD=VALUE,VALUE,…")
    if field == "seed":
        raise ValueError("vary: seed is not allowed; --seeds says how many there are")
    if field not in RULES:
        raise ValueError(f"vary: there is no field {field!r}; known are {', '.join(RULES)}")
    texts = [part.strip() for part in listed.split(",") if part.strip()]
    if not texts:
        raise ValueError(f"vary: {field} has an empty list; allowed is {RULES[field].allowed}")
    values = []
    for part in texts:
        try:
            value = RULES[field].parse(part)
        except ValueError as reason:
            raise ValueError(f"{field}: {part!r} {reason}") from None
        if value in values:
            raise ValueError(f"vary: {field} has {part} twice; allowed is once")
        values.append(value)
    return field, values


def _combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _arm_name(fields: Mapping[str, Any]) -> str:
    return ", ".join(_setting_of(field, value) for field, value in fields.items()) or "all"


def _setting_of(field: str, value: Any) -> str:
    """*residual*, *λ 0.001*, *depth L 4*."""
    told = f"{value:g}" if isinstance(value, float) else str(value)
    return told if field in PLAIN_WORDS else f"{_label(field)} {told}"


def _label(field: str) -> str:
    label = FIELDS[field].metadata["label"]
    return {"l2": "λ", "kinetic": "κ"}.get(field, label[0].lower() + label[1:])
