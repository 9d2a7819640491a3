"""The command line: `python -m resviz train …`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from resviz import words
from resviz.records import Record, Run
from resviz.spec import DEFAULTS, FIELDS, RULES, RunSpec


def write_html(run: Run, path: Path) -> None:
    """The animation, self-contained."""
    from resviz.figures.export import to_html

    path.write_text(to_html(run, words.score_line(run.scores)), encoding="utf-8")


def write_json(run: Run, path: Path) -> None:
    """Spec, scores and course."""
    text = json.dumps(run.summary(), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_npz(run: Run, path: Path) -> None:
    """Tracks, geodesic, labels, spec and state as arrays; `Run.load` reads it back."""
    run.save(path)


WRITERS: Mapping[str, Callable[[Run, Path], None]] = {
    ".html": write_html,
    ".json": write_json,
    ".npz": write_npz,
}


def parser() -> argparse.ArgumentParser:
    """Every field of `RunSpec` is an option, with its own rule and help."""
    top = argparse.ArgumentParser(
        prog="python -m resviz", description="Does a ResNet take the shortest way?"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    train = commands.add_parser(
        "train",
        help="train one network, print its scores, write what -o names",
        description="Train one network, move held-out particles through it, score their way.",
    )
    for name, field in FIELDS.items():
        rule = RULES[name]
        doc = f"{field.metadata['doc']} Allowed: {rule.allowed}. Default: {field.default}."
        train.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=DEFAULTS[name],
            metavar="",
            help=doc.replace("%", "%%"),
        )
    train.add_argument(
        "-o", "--output", action="append", default=[], type=Path, metavar="FILE",
        help=f"what to write, by ending: {', '.join(WRITERS)}; may be given more than once",
    )  # fmt: skip
    train.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 for input that is not allowed."""
    top = parser()
    options = top.parse_args(arguments)
    try:
        spec = spec_of(options)
        for path in options.output:
            check_output(path)
    except ValueError as reason:
        top.exit(2, f"{top.prog}: {reason}\n")
    return train(spec, options.output, options.quiet)


def spec_of(options: argparse.Namespace) -> RunSpec:
    """The spec that the options state. Raises `ValueError` naming the option."""
    given = {name: getattr(options, name) for name in FIELDS}
    return RunSpec.from_query({name: str(value) for name, value in given.items()})


def check_output(path: Path) -> None:
    """Refuse before training what could not be written after it."""
    if path.suffix.lower() not in WRITERS:
        known = ", ".join(WRITERS)
        raise ValueError(f"output: {str(path)!r} has no known ending; known are {known}")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"output: {str(path)!r} lies in a folder that does not exist")
    if not os.access(path.absolute().parent, os.W_OK):
        raise ValueError(f"output: {str(path)!r} lies in a folder that may not be written")
    if path.is_dir():
        raise ValueError(f"output: {str(path)!r} is a folder; a file's name is needed")


def train(spec: RunSpec, outputs: Sequence[Path], quiet: bool = False) -> int:
    """Train, print the table of scores, write the files."""
    from resviz import run

    with tqdm(total=spec.steps, unit=" steps", disable=quiet, file=sys.stderr) as bar:

        def show(record: Record) -> None:
            bar.update(record.step - bar.n)
            bar.set_postfix_str(
                f"loss {words.number(record.loss)}, miss {words.number(record.scores.fit)}"
            )

        result = run(spec, show)
    sys.stdout.write(table(result) + "\n")
    for path in outputs:
        WRITERS[path.suffix.lower()](result, path)
        sys.stdout.write(f"wrote {path} ({path.stat().st_size / 1000:,.0f} KB)\n")
    return 0


def table(result: Run) -> str:
    """The scores of a run, one a line, with the value that a geodesic has."""
    s = result.scores
    rows = (
        ("fit (squared W2, held out)", s.fit, f"floor {s.fit_floor:.4f} ± {s.fit_floor_sd:.4f}"),
        ("unmoved (squared W2)", s.unmoved, ""),
        ("undershoot", s.undershoot, "about 1"),
        ("action ratio", s.action_ratio, "1"),
        ("  = path factor", s.path_factor, "1"),
        ("      = speed factor", s.speed_factor, "1"),
        ("      × bend factor", s.bend_factor, "1"),
        ("  × map factor", s.map_factor, "1"),
        ("swirl factor", s.swirl_factor, "1"),
        ("curve factor", s.curve_factor, "1"),
        ("LSS, median", s.line_shape, "1"),
        ("LSS, harmonic", s.line_shape_harmonic, "1"),
        ("OTS", s.optimal_transport, "1"),
        ("map error", s.map_error, "0"),
        ("match rate", s.match_rate, "1"),
        ("monotonicity", s.monotonicity, "1"),
        ("largest gap (of W2)", max(s.gap), "0"),
        ("  at any pace", max(s.gap_any_pace), "0"),
    )
    state = result.state
    lines = [f"{state.step} steps, loss {state.loss:.5f}", f"{'':30}{'value':>10}  geodesic"]
    lines += [f"{name:30}{value:10.4f}  {ideal}" for name, value, ideal in rows]
    notes = [words.ending(result), None if s.arrived else words.NOT_ARRIVED]
    return "\n".join(lines + [note for note in notes if note])


if __name__ == "__main__":
    sys.exit(main())
