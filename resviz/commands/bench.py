"""`python -m resviz bench …`: how fast it is, as ratios that were taken here and now."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resviz.commands import console, interrupts
from resviz.commands.progress import Bar
from resviz.files import check_files, why_not, write_whole

if TYPE_CHECKING:
    from resviz.bench.report import Report
    from resviz.bench.rows import Row

FORMS: Mapping[str, Callable[[Report], str]] = {
    ".md": lambda report: report.markdown(),
    ".json": lambda report: report.json(),
}


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
        if path.suffix.lower() not in FORMS:
            known = ", ".join(FORMS)
            raise ValueError(f"output: {str(path)!r} has no known ending; known are {known}")
    check_files("output", options.output)
    return Order(options.quick, tuple(options.output), options.quiet, options.command_line)


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
        except KeyboardInterrupt as reason:
            failures.append("interrupted")
            code = interrupts.code_of(reason)
        report = Report(this_machine(), self.command, tuple(rows))
        code = console.say(report.markdown()) or code
        # Of nothing measured there is no report, and an older one stays.
        for path in self.outputs if rows else ():
            try:
                write_whole(path, FORMS[path.suffix.lower()](report))
            except OSError as reason:
                failures.append(f"output: {str(path)!r} was not written ({why_not(reason)})")
                code = code or console.FAILED
            else:
                console.say(f"wrote {path} ({path.stat().st_size / 1000:,.0f} KB)\n")
        for failure in failures:
            console.warn(failure)
        return code

    def _measure(self, rows: list[Row], failures: list[str]) -> None:
        """Add what each part has measured, or why it could not."""
        from resviz.bench.plan import FULL, QUICK, parts

        with ExitStack() as stack:
            todo = parts(QUICK if self.quick else FULL, stack)
            with Bar(len(todo), "parts", quiet=self.quiet) as bar:
                for done, part in enumerate(todo):
                    bar.to(done, part.name)
                    try:
                        rows.extend(part.measure())
                    except RuntimeError as reason:
                        failures.append(f"{part.name}: {reason}")
                    bar.to(done + 1)
