"""What a still or a film shows: panels, and the lines of text that stand under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resviz import words
from resviz.exports import titles
from resviz.exports.options import DEFAULTS, Options
from resviz.figures.stage import Panel, three_panels, two_panels, window
from resviz.figures.window import holding_window
from resviz.records import Run
from resviz.spec import FIELDS

# By `_settings`, in its own words.
TOLD = ("task", "source", "target", "network", "depth", "steps", "seed")


@dataclass(frozen=True)
class Line:
    """One line of text, which may be broken between its parts."""

    parts: tuple[str, ...]
    size: float  # of its letters, in 720ths of a picture's height
    run: str = ""  # "A" or "B": in its colour; empty for what is of neither
    chief: bool = False  # in bold letters
    quiet: bool = False  # the first to be left out where there is little room
    warns: bool = False  # never left out, as what is chief is not


@dataclass(frozen=True)
class Sheet:
    """One picture's contents, whatever its size and moment."""

    panels: tuple[Panel, ...]
    lines: tuple[Line, ...]
    half: float  # half the side of the square that every panel shows
    title: str = ""
    about: str = ""  # where training ended, for whoever looks into the file


def sheet(run: Run, kept: Run | None = None, options: Options = DEFAULTS) -> Sheet:
    """A run beside the cheapest way, or A, B and B's cheapest way, with their scores."""
    if kept is None:
        panels = two_panels(run, colour_by=options.colour_by)
        chief, *rest = _scores(run)
        lines = [Line((chief,), 27, chief=True), Line(tuple(rest), 19), *_ending(run, 19)]
        lines.append(_settings(run))
    else:
        panels = three_panels(kept, run, options.colour_by)
        lines = [
            line
            for name, of in (("A", kept), ("B", run))
            for chief, *rest in [_scores(of)]
            for line in (
                Line((f"{name}: {chief}",), 24, name, chief=True),
                Line(tuple(rest), 17),
                *_ending(of, 17, f"{name}: "),
            )
        ]
        changed = words.compare(kept, run).rstrip(".").split(". ")
        lines.append(Line(tuple(f"{part}." for part in changed), 17))
        lines.append(_settings(run, "B: "))
    return Sheet(
        panels, tuple(lines), half_side(panels, options), titles.title(run, kept), about(run, kept)
    )


def half_side(panels: Sequence[Panel], options: Options) -> float:
    """Half the side of the square that is shown: what was asked for, or what holds every panel."""
    paths, targets = [p.path for p in panels], [p.target for p in panels if p.target is not None]
    return options.half or holding_window(paths, targets, window(panels))


def about(run: Run, kept: Run | None = None) -> str:
    """A sentence on where training ended, of each run."""
    if kept is None:
        return words.ended(run)
    return f"A: {words.ended(kept)} B: {words.ended(run)}"


def _scores(run: Run) -> list[str]:
    return words.score_line(run.scores, run.class_scores).split(" · ")


def _ending(run: Run, size: float, whose: str = "") -> list[Line]:
    """Where training ended, if that was before its last step."""
    said = words.ending(run)
    return [Line((f"{whose}{said}",), size, warns=True)] if said else []


def _settings(run: Run, whose: str = "") -> Line:
    """*gaussian → two blobs · ResNet of 12 layers · Training steps 1000 · Seed 0*."""
    spec = run.spec
    others = [
        f"{field.metadata['label']} {titles.plainly(getattr(spec, name))}"
        for name, field in FIELDS.items()
        if name not in spec.idle and name not in TOLD and getattr(spec, name) != field.default
    ]
    parts = (
        whose + titles.clouds(spec),
        titles.network(spec),
        *others,
        f"{FIELDS['steps'].metadata['label']} {titles.steps(run)}",
        f"Seed {spec.seed}",
    )
    return Line(parts, 14, quiet=True)
