"""The command line: `python -m resviz train …`, `… export …`, `… lab …` and others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resviz.commands import console, interrupts

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """The options of all commands."""
    import argparse

    # NumPy and its like take a part of a second, in which Ctrl-C is answered already.
    from resviz.commands import bench, export, lab, presets, train

    top = argparse.ArgumentParser(
        prog="python -m resviz", description="Does a ResNet take the shortest way?"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    train.add(commands)
    export.add(commands)
    lab.add(commands)
    presets.add(commands)
    bench.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code.

    0, 1 for what failed, 2 for input that is not allowed, 130 after Ctrl-C and 143 after SIGTERM.
    """
    console.prepare()
    with interrupts.ends_at_once():
        import shlex

        top, arguments = parser(), sys.argv[1:] if arguments is None else arguments
        options = top.parse_args(arguments)
        options.command_line = shlex.join(["python", "-m", "resviz", *arguments])
        try:
            run = options.prepare(options)
        except ValueError as reason:
            top.exit(console.REFUSED, f"{top.prog}: {reason}\n")
    with interrupts.raises() as asked:
        try:
            return run()
        except KeyboardInterrupt as reason:
            console.warn("interrupted")
            return interrupts.code_of(reason)
        except Exception:
            if asked.code is None:
                raise
            console.warn("interrupted")  # what a library made of it
            return asked.code


if __name__ == "__main__":
    sys.exit(main())
