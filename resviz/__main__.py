"""The command line: `python -m resviz train …`, `… export …`, `… lab …` and others."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Sequence

from resviz.commands import bench, export, lab, presets, train


def parser() -> argparse.ArgumentParser:
    """The options of all commands."""
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
    """Run one command; the exit code is 0, or 2 for input that is not allowed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a λ is no reason to fail where there is none
    top, arguments = parser(), sys.argv[1:] if arguments is None else arguments
    options = top.parse_args(arguments)
    options.command_line = shlex.join(["python", "-m", "resviz", *arguments])
    try:
        run = options.prepare(options)
    except ValueError as reason:
        top.exit(2, f"{top.prog}: {reason}\n")
    return run()


if __name__ == "__main__":
    sys.exit(main())
