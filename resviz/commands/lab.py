"""`python -m resviz lab …`: many runs, compared; resumed where it was left."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from resviz.commands import console, interrupts
from resviz.commands.options import add_fields, given_fields
from resviz.commands.progress import Bar
from resviz.files import check_file, why_not, write_whole
from resviz.lab.design import MOST_SEEDS, Lab, Moment, grid
from resviz.lab.journal import BusyError, read
from resviz.lab.named import LABS
from resviz.lab.rows import OtherRowsError, Row
from resviz.lab.runner import carry_out
from resviz.processes import MOST_WORKERS
from resviz.spec import FIELDS, RunSpec, Whole

SEEDS = 10
GRID = "grid"
ENDINGS = (".jsonl", ".csv", "-runs.csv", ".html")  # of the files that a lab has
# A seed alone says nothing here: --seeds says how many there are.
BASE_FIELDS = tuple(name for name in FIELDS if name != "seed")


def add(commands: argparse._SubParsersAction) -> None:
    """The options of `lab`."""
    command = commands.add_parser(
        "lab",
        allow_abbrev=False,  # --seed would pass for --seeds
        help="train many networks over seeds, and compare them where they fit equally well",
        description=(
            "Train every combination of what --vary names, over seeds, and compare them with the "
            "first one; or carry out a named lab. Rows are kept in FOLDER/NAME.jsonl: the same "
            "command goes on where it was left."
        ),
    )
    command.add_argument(
        "lab", nargs="?", metavar="NAME", help=f"a named lab: {', '.join(LABS)}"
    )  # fmt: skip
    command.add_argument(
        "--vary", action="append", default=[], metavar="FIELD=VALUE,VALUE,…",
        help="a field of the run and the values it takes; may be given more than once",
    )  # fmt: skip
    command.add_argument(
        "--seeds", metavar="N", help=f"how many seeds, from 0 on. Default: {SEEDS}."
    )
    command.add_argument(
        "--tune", metavar="RATE,RATE,…",
        help="learning rates, of which each arm is shown at the one with the least objective",
    )  # fmt: skip
    command.add_argument(
        "--at", action="append", default=[], metavar="MOMENT",
        help="when runs are compared: end, fit=V (squared W2), excess=V (share of the way left) or "
        "frontier=V (the best of all rates and points with so much left); may be given more than "
        "once. Default: the lab's own.",
    )  # fmt: skip
    command.add_argument(
        "--name", help=f"what the files of a free grid are called. Default: {GRID}."
    )
    command.add_argument(
        "-o", "--output", default="lab", type=Path, metavar="FOLDER",
        help="where the files go. Default: lab.",
    )  # fmt: skip
    command.add_argument(
        "--workers", metavar="N", help="how many runs at a time. Default: one a core."
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    fields = command.add_argument_group("what all runs of a free grid share")
    add_fields(fields, BASE_FIELDS)
    command.set_defaults(prepare=prepare)


def prepare(options: argparse.Namespace) -> Callable[[], int]:
    """What the options ask for. Raises `ValueError` for what is not allowed."""
    moments = tuple(dict.fromkeys(map(Moment.parse, options.at)))
    lab = _named(options) if options.lab else _free(options)
    workers = None if options.workers is None else _whole("workers", options.workers, MOST_WORKERS)
    lab = replace(lab, moments=moments) if moments else lab
    check_moments(lab)
    make_folder(options.output)
    order = Order(
        lab=lab,
        folder=options.output,
        workers=workers,
        quiet=options.quiet,
        command=options.command_line,
    )
    for ending in ENDINGS:
        check_file("output", order.file(ending))
    return order


def _named(options: argparse.Namespace) -> Lab:
    if options.lab not in LABS:
        raise ValueError(f"lab: {options.lab!r} is unknown; known are {', '.join(LABS)}")
    own = ("vary", "tune", "seeds", "name", *BASE_FIELDS)
    given = [name.replace("_", "-") for name in own if getattr(options, name) not in (None, [])]
    if given:
        raise ValueError(
            f"lab: {options.lab} has its own runs, so --{', --'.join(given)} is not allowed beside "
            "it; allowed are --at, --workers, -o and -q"
        )
    return LABS[options.lab]


def _free(options: argparse.Namespace) -> Lab:
    seeds = SEEDS if options.seeds is None else _whole("seeds", options.seeds, MOST_SEEDS)
    name = GRID if options.name is None else options.name
    if not re.fullmatch(r"\w[\w.-]*", name) or name in LABS:
        raise ValueError(
            f"name: {name!r} is not allowed; allowed is a word of letters, digits, _, - and ., "
            f"other than {', '.join(LABS)}"
        )
    base = given_fields(options, BASE_FIELDS)
    if not (base or options.vary or options.tune or options.seeds):
        raise ValueError(f"lab: a name or --vary is needed; known names are {', '.join(LABS)}")
    return grid(base, options.vary, seeds, options.tune, name)


def check_moments(lab: Lab) -> None:
    """Refuse a moment that a task has not got."""
    tasks = {spec.task for _, spec in lab.runs()}
    for moment in lab.moments:
        if moment.kind == "fit" and "classify" in tasks:
            raise ValueError(
                f"at: '{moment}' is squared W2, which classification has none of; allowed is end, "
                "or one of excess, frontier with a number"
            )


def _whole(name: str, text: str, most: int) -> int:
    try:
        return Whole(1, most).parse(text)
    except ValueError as reason:
        raise ValueError(f"{name}: {text!r} {reason}") from None


def make_folder(folder: Path) -> None:
    """Refuse before training a folder that could not be written after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise ValueError(
            f"output: {str(folder)!r} cannot be made ({reason.strerror}); a folder's name is needed"
        ) from None


@dataclass(frozen=True)
class Order:
    """A lab to be carried out, and where its files go."""

    lab: Lab
    folder: Path
    workers: int | None
    quiet: bool
    command: str

    def file(self, ending: str) -> Path:
        """*FOLDER/NAME.jsonl*, *FOLDER/NAME-runs.csv* …"""
        return self.folder / f"{self.lab.name}{ending}"

    def __call__(self) -> int:
        """Run what is missing, print the table, write the files; the exit code."""
        with interrupts.noted("interrupted: what is done is written") as asked:
            try:
                rows = self._rows(asked)
            except (OtherRowsError, BusyError) as reason:
                console.warn(str(reason))
                return console.REFUSED
            except RuntimeError as reason:
                console.warn(f"{reason}\n{self._how_to_resume()}")
                return console.FAILED
            except OSError as reason:
                console.warn(
                    f"{self.file('.jsonl')}: could not be written ({why_not(reason)})\n"
                    f"{self._how_to_resume()}"
                )
                return console.FAILED
            except KeyboardInterrupt as reason:
                console.warn(self._how_to_resume())
                return asked.code or interrupts.code_of(reason)
        from resviz.lab.text import to_text  # SciPy's statistics take most of a second

        said = console.say(to_text(self.lab, rows))
        return self._write(rows) or asked.code or said

    def _write(self, rows: Mapping[RunSpec, Row]) -> int:
        """Every form, those that can be; the exit code."""
        from resviz.figures.lab import to_html
        from resviz.lab.table import runs_csv, table, to_csv

        contents = {
            ".csv": to_csv(table(self.lab, rows)),
            "-runs.csv": runs_csv(self.lab, rows),
            ".html": to_html(self.lab, rows, self.command),
        }
        code = 0
        for path, content in ((self.file(ending), text) for ending, text in contents.items()):
            try:
                write_whole(path, content)
            except OSError as reason:
                console.warn(f"output: {str(path)!r} was not written ({why_not(reason)})")
                code = console.FAILED
            else:
                console.say(f"wrote {path} ({path.stat().st_size / 1000:,.0f} KB)\n")
        return code

    def _rows(self, stop: Callable[[], bool]) -> Mapping[RunSpec, Row]:
        bars: list[Bar] = []
        with ExitStack() as stack:

            def show(done: int, total: int) -> None:
                if not bars:  # what an earlier command did is done, and not of this rate
                    bar = Bar(total, "runs", done=done, quiet=self.quiet)
                    bars.append(stack.enter_context(bar))
                bars[0].to(done)

            path = self.file(".jsonl")
            return carry_out(self.lab, path, self.workers, show, stop, console.warn)

    def _how_to_resume(self) -> str:
        path = self.file(".jsonl")
        known = read(path)
        runs = [spec in known for _, spec in self.lab.runs()]
        return (
            f"{sum(runs)} of {len(runs)} runs are on file in {path}; the same command goes on from "
            f"there:\n{self.command}"
        )
