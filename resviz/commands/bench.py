"""`python -m resviz bench …`: how fast it is, as ratios that were taken here and now."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from resviz.bench.report import Report
    from resviz.bench.rows import Row

FORMS: Mapping[str, Callable[[Report], str]] = {
    ".md": lambda report: report.markdown(),
    ".json": lambda report: report.json(),
}
INTERRUPTED = 130  # what a shell expects of a command that Ctrl-C ended


def add(commands: argparse._SubParsersAction) -> None:
    """The options of `bench`."""
    command = commands.add_parser(
        "bench",
        help="measure speed and time to quality against the loop that is usually written",
        description=(
            "Measure training steps, distances, time to quality and the engine, each against the "
            "usual way to do the same, in one run on this machine, and print a Markdown table. "
            "Leave the machine alone meanwhile."
        ),
    )
    command.add_argument(
        "--quick", action="store_true", help="less than a minute; else it takes several"
    )
    command.add_argument(
        "-o", "--output", action="append", default=[], type=Path, metavar="FILE",
        help=f"what to write, by ending: {', '.join(FORMS)}; may be given more than once",
    )  # fmt: skip
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    command.set_defaults(prepare=prepare)


def prepare(options: argparse.Namespace) -> Callable[[], int]:
    """What the options ask for. Raises `ValueError` for what is not allowed."""
    for path in options.output:
        check_output(path)
    return Order(options.quick, tuple(options.output), options.quiet, options.command_line)


def check_output(path: Path) -> None:
    """Refuse before measuring what could not be written after it."""
    if path.suffix.lower() not in FORMS:
        known = ", ".join(FORMS)
        raise ValueError(f"output: {str(path)!r} has no known ending; known are {known}")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"output: {str(path)!r} lies in a folder that does not exist")
    if path.is_dir():
        raise ValueError(f"output: {str(path)!r} is a folder; a file's name is needed")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"output: {str(path)!r} lies in a folder that may not be written")


@dataclass(frozen=True)
class Order:
    """What is to be measured, and where it is written."""

    quick: bool
    outputs: Sequence[Path]
    quiet: bool
    command: str

    def __call__(self) -> int:
        """Measure, print the table, write the files; the exit code.

        A part that fails is told, and the others are still measured.
        """
        from resviz.bench.machine import this_machine
        from resviz.bench.report import Report

        rows: list[Row] = []
        failures: list[str] = []
        try:
            self._measure(rows, failures)
            code = 1 if failures else 0
        except KeyboardInterrupt:
            failures.append("interrupted")
            code = INTERRUPTED
        report = Report(this_machine(), self.command, tuple(rows))
        for path in self.outputs:
            path.write_text(FORMS[path.suffix.lower()](report), encoding="utf-8")
        sys.stdout.write(report.markdown())
        for path in self.outputs:
            sys.stdout.write(f"wrote {path} ({path.stat().st_size / 1000:,.0f} KB)\n")
        sys.stderr.writelines(f"{failure}\n" for failure in failures)
        return code

    def _measure(self, rows: list[Row], failures: list[str]) -> None:
        """Add what each part has measured, or why it could not."""
        from resviz.bench.plan import FULL, QUICK, parts

        with ExitStack() as stack:
            todo = parts(QUICK if self.quick else FULL, stack)
            bar = tqdm(total=len(todo), unit=" parts", disable=self.quiet, file=sys.stderr)
            with bar:
                for part in todo:
                    bar.set_postfix_str(part.name)
                    try:
                        rows.extend(part.measure())
                    except RuntimeError as reason:
                        failures.append(f"{part.name}: {reason}")
                    bar.update()
