"""`python -m resviz train …`: one run, its scores, and what -o names."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from resviz import words
from resviz.commands import interrupts
from resviz.commands.console import say
from resviz.commands.options import add_fields, given_fields
from resviz.commands.outputs import add_outputs, check_outputs, given_options, write_outputs
from resviz.commands.progress import Bar
from resviz.exports import Options
from resviz.records import Record, Run, Scores
from resviz.spec import RunSpec

STOPPING = "interrupted: what is there is scored and written; once more, and it ends at once"
TableRow = tuple[str, float, str]  # name, value, what to compare it with


def add(commands: argparse._SubParsersAction) -> None:
    """The options of `train`."""
    command = commands.add_parser(
        "train",
        help="train one network, print its scores, write what -o names",
        description="Train one network, move held-out particles through it, score their way.",
    )
    add_fields(command)
    add_outputs(command)
    command.set_defaults(prepare=prepare)


def prepare(arguments: argparse.Namespace) -> Callable[[], int]:
    """What the options ask for. Raises `ValueError` for what is not allowed."""
    spec, options = RunSpec(**given_fields(arguments)), given_options(arguments)
    check_outputs(arguments.output, options)
    return partial(train, spec, arguments.output, options, arguments.quiet)


def train(spec: RunSpec, outputs: Sequence[Path], options: Options, quiet: bool = False) -> int:
    """Train, print the table of scores, write the files; the exit code.

    Training that is interrupted stops at the step that it has reached, and what is there is
    scored and written.
    """
    with interrupts.ends_at_once():
        from resviz import run  # PyTorch takes seconds
    with interrupts.noted(STOPPING) as asked, Bar(spec.steps, "steps", quiet=quiet) as bar:

        def show(record: Record) -> None:
            note = f"loss {words.number(record.loss)}, {reached(record.scores)}"
            bar.to(record.step, note)

        result = run(spec, show, asked)
    said = say(table(result) + "\n")
    code = write_outputs(outputs, result, None, options, quiet, keep=True)
    return code or asked.code or said


def reached(s: Scores) -> str:
    """*miss 0.08*, or *right 97 %*."""
    return f"miss {words.number(s.fit)}" if s.accuracy is None else f"right {s.accuracy:.0%}"


def table(result: Run) -> str:
    """The scores of a run, one a line, with the value that a geodesic has."""
    s, state = result.scores, result.state
    rows = (
        *_goal(s),
        ("action ratio", s.action_ratio, "1"),
        ("  = path factor", s.path_factor, "1"),
        ("      = speed factor", s.speed_factor, "1"),
        ("      × bend factor", s.bend_factor, "1"),
        ("  × map factor", s.map_factor, "1"),
        ("  = swirl factor", s.swirl_factor, "1"),
        ("  × curve factor", s.curve_factor, "1"),
        ("LSS, median", s.line_shape, "1"),
        ("LSS, harmonic", s.line_shape_harmonic, "1"),
        ("OTS", s.optimal_transport, "1"),
        ("map error", s.map_error, "0"),
        ("match rate", s.match_rate, "1"),
        ("monotonicity", s.monotonicity, "1"),
        ("Jacobian asymmetry", s.jacobian_asymmetry, "0"),
        ("Jacobian indefinite", s.jacobian_indefinite, "0"),
        ("largest gap (of W2)", max(s.gap), "0"),
        ("  at any pace", max(s.gap_any_pace), "0"),
        *_exact(s),
        *_by_class(result.class_scores),
    )
    lines = [f"{state.step} steps, loss {state.loss:.5f}", f"{'':30}{'value':>10}  geodesic"]
    lines += [f"{name:30}{value:10.4f}  {ideal}" for name, value, ideal in rows]
    notes = [words.ending(result), None if s.arrived else words.not_there(s)]
    return "\n".join(lines + [note for note in notes if note])


def _goal(s: Scores) -> list[TableRow]:
    """How well the task is done: the fit with what it compares with, or the accuracy."""
    if s.accuracy is not None:
        return [("accuracy (held out)", s.accuracy, f"a guess {s.majority:.4f}")]
    floor = f"floor {s.fit_floor:.4f} ± {s.fit_floor_sd:.4f}"
    return [
        ("fit (squared W2, held out)", s.fit, floor),
        ("unmoved (squared W2)", s.unmoved, ""),
        ("undershoot", s.undershoot, "about 1"),
    ]


def _exact(s: Scores) -> list[TableRow]:
    """Against the geodesic in closed form, where source and target are Gaussian."""
    if s.exact_gap is None:
        return []
    worst = int(np.argmax(s.exact_gap))
    chance = f"by chance {s.exact_gap_noise[worst]:.4f}"
    return [("  to the exact geodesic", s.exact_gap[worst], chance)]


def _by_class(s: Scores | None) -> list[TableRow]:
    """In classification: against the cheapest way that keeps classes apart."""
    if s is None:
        return []
    return [
        ("by class: action ratio", s.action_ratio, "1"),
        ("  × map factor", s.map_factor, "1"),
        ("  OTS", s.optimal_transport, "1"),
        ("  map error", s.map_error, "0"),
    ]
