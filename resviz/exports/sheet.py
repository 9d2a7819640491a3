"""What a still or a film shows: panels, and the lines of text that stand under them."""

from __future__ import annotations

from dataclasses import dataclass

from resviz import words
from resviz.figures.stage import Panel, network_name, three_panels, two_panels
from resviz.records import Run
from resviz.spec import FIELDS, RunSpec

TOLD = ("task", "source", "target", "network", "depth", "seed")  # by `_settings`, in its own words


@dataclass(frozen=True)
class Line:
    """One line of text, which may be broken between its parts."""

    parts: tuple[str, ...]
    size: float  # of its letters, in 720ths of a picture's height
    run: str = ""  # "A" or "B": in its colour; empty for what is of neither
    chief: bool = False  # in bold letters
    quiet: bool = False


@dataclass(frozen=True)
class Sheet:
    """One picture's contents, whatever its size and moment."""

    panels: tuple[Panel, ...]
    lines: tuple[Line, ...]


def sheet(run: Run, kept: Run | None = None, colour_by: str = "") -> Sheet:
    """A run beside the cheapest way, or A, B and B's cheapest way, with their scores."""
    if kept is None:
        chief, *rest = _scores(run)
        lines = (Line((chief,), 27, chief=True), Line(tuple(rest), 19))
        return Sheet(two_panels(run, colour_by=colour_by), (*lines, _settings(run.spec)))
    lines = [
        line
        for name, of in (("A", kept), ("B", run))
        for chief, *rest in [_scores(of)]
        for line in (Line((f"{name}: {chief}",), 24, name, chief=True), Line(tuple(rest), 17))
    ]
    changed = Line(
        tuple(f"{part}." for part in words.compare(kept, run).rstrip(".").split(". ")), 17
    )
    settings = _settings(run.spec, "B: ")
    return Sheet(three_panels(kept, run, colour_by), (*lines, changed, settings))


def _scores(run: Run) -> list[str]:
    return words.score_line(run.scores, run.class_scores).split(" · ")


def _settings(spec: RunSpec, whose: str = "") -> Line:
    """*gaussian → two blobs · ResNet of 12 layers · Pay for steps (κ) 0.01 · Seed 0*."""
    clouds = {"match": (spec.source, spec.target), "classify": (spec.source,)}[spec.task]
    others = [
        f"{field.metadata['label']} {_text(getattr(spec, name))}"
        for name, field in FIELDS.items()
        if name not in spec.idle and name not in TOLD and getattr(spec, name) != field.default
    ]
    layers = "1 layer" if spec.depth == 1 else f"{spec.depth} layers"
    network = f"{network_name(spec)} of {layers}"
    parts = (whose + " → ".join(map(_text, clouds)), network, *others, f"Seed {spec.seed}")
    return Line(parts, 14, quiet=True)


def _text(value: str | float) -> str:
    return value.replace("_", " ") if isinstance(value, str) else f"{value:g}"
