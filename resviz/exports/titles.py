"""What a picture or a page is called: which clouds, which network, and how well it did."""

from __future__ import annotations

from resviz import words
from resviz.figures.stage import network_name
from resviz.records import Run
from resviz.spec import RunSpec


def clouds(spec: RunSpec) -> str:
    """*gaussian → two blobs*."""
    names = {"match": (spec.source, spec.target), "classify": (spec.source,)}[spec.task]
    return " → ".join(map(plainly, names))


def network(spec: RunSpec) -> str:
    """*ResNet of 12 layers*."""
    layers = "1 layer" if spec.depth == 1 else f"{spec.depth} layers"
    return f"{network_name(spec)} of {layers}"


def title(run: Run, kept: Run | None = None) -> str:
    """*gaussian → two blobs, ResNet of 12 layers: effort 6.7*, or of A and of B."""
    if kept is None:
        return f"{_subject(run.spec)}: {_outcome(run)}"
    if _subject(kept.spec) == _subject(run.spec):
        return f"{_subject(run.spec)}: A {_outcome(kept)}; B {_outcome(run)}"
    return "; ".join(
        f"{letter} {_subject(each.spec)}: {_outcome(each)}"
        for letter, each in (("A", kept), ("B", run))
    )


def plainly(value: str | float) -> str:
    """A field's value as a person reads it."""
    return value.replace("_", " ") if isinstance(value, str) else f"{value:g}"


def steps(run: Run) -> str:
    """*1000*, or *40 of 1000* where training ended before."""
    return str(run.spec.steps) if run.complete else f"{run.state.step} of {run.spec.steps}"


def _subject(spec: RunSpec) -> str:
    return f"{clouds(spec)}, {network(spec)}"


def _outcome(run: Run) -> str:
    effort = f"effort {words.number(run.scores.action_ratio)}"
    if run.state.diverged is not None:
        return f"{effort}, diverged at step {run.state.diverged} of {run.spec.steps}"
    return effort if run.complete else f"{effort}, stopped at step {steps(run)}"
