"""How a run is taken home: what of it, how large, how fast, in which colours."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from resviz.spec import Choice, Real, Whole

Progress = Callable[[int, int], None]  # how many of how many are done; what it raises, cancels

COLOURS: Mapping[str, str] = {
    "usual": "where it started, or its class where classes are learned",
    "start": "the direction in which it started",
    "class": "the class of its source",
    "bend": "how bent its own track is (LSS)",
    "pairing": "how far it ends from where the cheapest way takes it",
}


SIDE = Whole(240, 3840, even=True)  # pixels
SLIMMEST = 4  # times as long as wide: what is slimmer has no room for text beside its panels
HALF = Real(0.1, 1000.0)  # data units
AUTO = "auto"


@dataclass(frozen=True)
class Size:
    """The rule of a field that takes a width and a height, both even, in pixels.

    Even, because films keep one colour for two by two pixels.
    """

    @property
    def allowed(self) -> str:
        return f"WIDTHxHEIGHT, each {SIDE.allowed}, neither over {SLIMMEST} times the other"

    def check(self, value: Any) -> tuple[int, int]:
        try:
            width, height = map(SIDE.check, value)
            if max(width, height) > SLIMMEST * min(width, height):
                raise ValueError
            return width, height
        except (TypeError, ValueError):
            raise ValueError(f"is not allowed; allowed is {self.allowed}") from None

    def parse(self, text: str) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
        return self.check(found and tuple(map(int, found.groups())))


@dataclass(frozen=True)
class HalfWidth:
    """The rule of a field that is a length in data units, or left to what is to be shown."""

    @property
    def allowed(self) -> str:
        return f"{AUTO}, or {HALF.allowed}"

    def check(self, value: Any) -> float | str:
        if isinstance(value, str) and value == AUTO:
            return AUTO
        try:
            return HALF.check(value)
        except (TypeError, ValueError):
            raise ValueError(f"is not allowed; allowed is {self.allowed}") from None

    def parse(self, text: str) -> float | str:
        try:
            return AUTO if text == AUTO else self.check(HALF.parse(text))
        except ValueError:
            raise ValueError(f"is not allowed; allowed is {self.allowed}") from None


@dataclass(frozen=True)
class Switch:
    """The rule of a field that is on or off."""

    allowed: str = "True or False"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"is not allowed; allowed is {self.allowed}")
        return value


def _field(default: Any, rule: Any, doc: str) -> Any:
    return dataclasses.field(default=default, metadata={"rule": rule, "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that a form of a run may be asked for; each form reads what concerns it.

    Raises `ValueError` naming the field, the value and what is allowed.
    """

    t: float = _field(
        1.0,
        Real(0.0, 1.0),
        "Stills: the moment that is shown, from 0, the input, to 1, the output.",
    )
    size: tuple[int, int] = _field(
        (1280, 720),
        Size(),
        "Stills and films: pixels. Where there is little room letters shrink, and the settings and "
        "then the details of the scores are left out.",
    )
    zoom: float | str = _field(
        AUTO,
        HalfWidth(),
        "Pages, stills and films: half the side of the square that is shown, in data units; the "
        "clouds lie within 2.2. By itself it is as wide as the run is.",
    )
    seconds: float = _field(
        6.0,
        Real(1.0, 60.0),
        "Films: how long one way through the layers takes, with its rests at both ends.",
    )
    rate: int = _field(25, Whole(5, 60), "Films: pictures a second.")
    eased: bool = _field(
        False,
        Switch(),
        "Films: leave slowly and arrive slowly, at a pace that is then not the network's.",
    )
    colour: str = _field("usual", Choice(COLOURS), "What a particle's colour says.")
    dark: bool = _field(False, Switch(), "On a dark ground.")
    present: bool = _field(
        False,
        Switch(),
        "Pages: a talk by itself. It plays at once, with large captions, A and then B, and begins "
        "again after 40 s.",
    )

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, rule.check(value))
            except ValueError as reason:
                raise ValueError(f"{name}: {value!r} {reason}") from None

    @property
    def colour_by(self) -> str:
        """As the panels take it: empty for what is usual."""
        return "" if self.colour == "usual" else self.colour

    @property
    def half(self) -> float | None:
        """Half the side of the square that is shown; None for what holds the run."""
        return None if self.zoom == AUTO else self.zoom


FIELDS: Mapping[str, dataclasses.Field] = {f.name: f for f in dataclasses.fields(Options)}
RULES: Mapping[str, Any] = {name: f.metadata["rule"] for name, f in FIELDS.items()}
DEFAULTS = Options()
