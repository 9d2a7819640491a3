"""What `train` and `export` share: where a run is written, in which forms, and how."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from resviz.commands import console, interrupts
from resviz.commands.progress import Bar
from resviz.exports import FORMATS, Options, export, known
from resviz.exports.options import FIELDS, RULES, Switch
from resviz.files import check_files, places, why_not, write_beside, write_whole
from resviz.records import Run

MOST_STEM = 100  # characters of a name that is made up from another one


def add_outputs(command: argparse.ArgumentParser, required: bool = False) -> None:
    """`-o`, and an option for each thing that a form may be asked for."""
    command.add_argument(
        "-o", "--output", action="append", default=[], type=Path, metavar="FILE",
        required=required,
        help=f"what to write, by ending: {', '.join(FORMATS)}; may be given more than once",
    )  # fmt: skip
    for name, field in FIELDS.items():
        rule, doc = RULES[name], field.metadata["doc"]
        if isinstance(rule, Switch):
            command.add_argument(f"--{name}", action="store_true", help=doc)
            continue
        default = "x".join(map(str, field.default)) if name == "size" else field.default
        command.add_argument(
            f"--{name}", metavar="", help=f"{doc} Allowed: {rule.allowed}. Default: {default}."
        )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bars")


def given_options(arguments: argparse.Namespace) -> Options:
    """What was asked for. Raises `ValueError` naming the option and what is allowed."""
    given = {}
    for name, rule in RULES.items():
        value = getattr(arguments, name)
        if isinstance(value, str):
            try:
                value = rule.parse(value)
            except ValueError as reason:
                raise ValueError(f"{name}: {value!r} {reason}") from None
        if value is not None:
            given[name] = value
    return Options(**given)


def check_outputs(paths: Sequence[Path], options: Options, two: bool = False) -> None:
    """Refuse beforehand what could not be written afterwards, for one run or for two."""
    for path in paths:
        if path.suffix.lower() not in FORMATS:
            names = ", ".join(FORMATS)
            raise ValueError(f"output: {str(path)!r} has no known ending; known are {names}")
        known(path.suffix).check(options, two)
    check_files("output", paths)


def write_outputs(
    paths: Sequence[Path],
    run: Run,
    kept: Run | None,
    options: Options,
    quiet: bool,
    keep: bool = False,
) -> int:
    """Write each file whole or not at all, and say so; the exit code.

    A file that fails is told, and the others are still written; an interrupt leaves out those
    that are not written yet. With `keep` the run, which is nowhere else, is then saved where
    there is room.
    """
    left, written, code = list(paths), [], 0
    try:
        with interrupts.raises():
            for path in paths:
                if _written(path, run, kept, options, quiet):
                    written.append(path)
                else:
                    code = console.FAILED
                left.remove(path)
    except KeyboardInterrupt as reason:
        code = interrupts.code_of(reason)
        console.warn(f"interrupted: not written: {', '.join(map(str, left))}")
    if code and keep and not any(map(_holds_all, written)):
        keep_run(run, paths[0])
    return code


def _written(path: Path, run: Run, kept: Run | None, options: Options, quiet: bool) -> bool:
    try:
        data = _made(path, run, kept, options, quiet)
        write_whole(path, data)
    except Exception as reason:  # whatever a codec says: the run must not be lost by it
        why = why_not(reason) if isinstance(reason, OSError) else str(reason) or repr(reason)
        console.warn(f"output: {str(path)!r} was not written ({why})")
        return False
    return not console.say(f"wrote {path} ({len(data) / 1000:,.0f} KB)\n")


def keep_run(run: Run, path: Path) -> None:
    """Save a run that could not be written to `path`, replacing nothing, and say where."""
    name = f"{path.stem[:MOST_STEM]}.npz"
    try:
        found = write_beside(places(path), name, run.to_npz())
    except OSError as reason:
        console.warn(f"the run could not be kept anywhere ({why_not(reason)})")
        return
    console.warn(
        f"the run is kept in {found}; to write it: "
        f"{shlex.join(['python', '-m', 'resviz', 'export', str(found), '-o', 'FILE'])}"
    )


def _holds_all(path: Path) -> bool:
    """Whether this is a run's own file, and there."""
    return path.suffix.lower() == ".npz" and path.is_file()


def _made(path: Path, run: Run, kept: Run | None, options: Options, quiet: bool) -> bytes:
    hidden = quiet or not known(path.suffix).long
    with Bar(None, "pictures", name=path.name, quiet=hidden) as bar:
        return export(
            path.suffix, run, kept, options, lambda done, total: bar.to(done, total=total)
        )
