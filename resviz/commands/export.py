"""`python -m resviz export …`: a saved run, or two, in other forms."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from resviz.commands.outputs import add_outputs, check_outputs, given_options, write_outputs
from resviz.records import Run


def add(commands: argparse._SubParsersAction) -> None:
    """The options of `export`."""
    command = commands.add_parser(
        "export",
        help="write a saved run, or A and B, as a page, film, picture, table, script or weights",
        description=(
            "Write runs that were trained before: FILE is one that `train -o NAME.npz` wrote, or "
            "the name of a preset. With a second one, A, the two are compared: B is FILE."
        ),
    )
    command.add_argument("run", metavar="FILE", help="a saved run (.npz), or a preset's name")
    command.add_argument(
        "kept", metavar="A", nargs="?",
        help="the run to compare it with. Default: the preset's own, where it has one.",
    )  # fmt: skip
    command.add_argument("--alone", action="store_true", help="of a preset, B alone")
    add_outputs(command, required=True)
    command.set_defaults(prepare=prepare)


def prepare(arguments: argparse.Namespace) -> Callable[[], int]:
    """What the options ask for. Raises `ValueError` for what is not allowed."""
    options = given_options(arguments)
    check_outputs(arguments.output, options)
    kept, run = read(arguments.run)
    if arguments.kept is not None:
        if arguments.alone:
            raise ValueError(f"alone: is given beside {arguments.kept!r}; allowed is one of both")
        kept = read(arguments.kept)[1]
    if arguments.alone:
        kept = None
    check_outputs(arguments.output, options, kept is not None)
    return partial(write_outputs, arguments.output, run, kept, options, arguments.quiet)


def read(name: str) -> tuple[Run | None, Run]:
    """The runs A (None where there is none) and B of a file or a preset."""
    from resviz import presets

    if name in presets.PRESETS:
        return presets.load(name)
    try:
        return None, Run.load(Path(name))
    except OSError as reason:
        known = ", ".join(presets.PRESETS)
        raise ValueError(
            f"run: {name!r} cannot be read ({reason.strerror}); allowed is a saved run, or a "
            f"preset: {known}"
        ) from None
