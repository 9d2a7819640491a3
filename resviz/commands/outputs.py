"""What `train` and `export` share: where a run is written, in which forms, and how."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from resviz.exports import FORMATS, Options, export, known
from resviz.exports.options import FIELDS, RULES, Switch
from resviz.records import Run


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
        folder = path.absolute().parent
        if path.suffix.lower() not in FORMATS:
            names = ", ".join(FORMATS)
            raise ValueError(f"output: {str(path)!r} has no known ending; known are {names}")
        if not folder.is_dir():
            raise ValueError(f"output: {str(path)!r} lies in a folder that does not exist")
        if not os.access(folder, os.W_OK):
            raise ValueError(f"output: {str(path)!r} lies in a folder that may not be written")
        if path.is_dir():
            raise ValueError(f"output: {str(path)!r} is a folder; a file's name is needed")
        known(path.suffix).check(options, two)


def write_outputs(
    paths: Sequence[Path], run: Run, kept: Run | None, options: Options, quiet: bool
) -> None:
    """Write each file whole or not at all, and say so; with a bar where it takes long."""
    for path in paths:
        data = _made(path, run, kept, options, quiet)
        write_whole(path, data)
        sys.stdout.write(f"wrote {path} ({len(data) / 1000:,.0f} KB)\n")


def _made(path: Path, run: Run, kept: Run | None, options: Options, quiet: bool) -> bytes:
    disable = quiet or not known(path.suffix).long
    with tqdm(unit=" pictures", desc=path.name, disable=disable, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return export(path.suffix, run, kept, options, show)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that whoever reads it finds the old one or the new one, never a part."""
    path = path.resolve()  # what a link points to is replaced, not the link
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
