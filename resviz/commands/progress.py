"""How far a command is: a bar that fits any terminal, or a plain line now and then.

tqdm draws the bar and tells times. What stands beside it is ours: its own line is cut off at the
end of a narrow terminal, bar included, and a file gets every line twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from tqdm import tqdm
from tqdm.std import Bar as Blocks
from tqdm.utils import disp_len, disp_trim

REDRAWN = 0.1  # seconds: how often at most
PARTS = 10  # lines in a file for all of the work, and more only where it takes long:
LINE_SECONDS, LINE_SHARE = 2.0, 0.1  # the least between them, and the share of what was spent
LEAST_BAR, MOST_BAR = 6, 30  # cells
USUAL_WIDTH = 80


class Bar:
    """The progress of `total` pieces of work, named `unit`, of which `done` were done before.

    `to` says how far it is. On a terminal a line is drawn anew; into a file or a pipe plain lines
    go, each once. `quiet` says nothing.
    """

    def __init__(
        self,
        total: int | None,
        unit: str,
        *,
        name: str = "",
        done: int = 0,
        quiet: bool = False,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.done, self._unit, self._name = total, done, unit, name
        self._note, self._before = "", done
        self._file = sys.stderr if file is None else file
        self._quiet, self._clock = quiet, clock
        self._terminal = self._file.isatty()
        self._began = self._shown_at = clock()
        self._shown_part, self._shown = 0, ""
        self._told: int | None = None  # what the last line in a file said to be done

    def to(self, done: int, note: str = "", total: int | None = None) -> None:
        """So many are done; `note` is the latest news."""
        self.done, self._note = done, note or self._note
        self.total = total or self.total
        if not self._quiet and self.total and self._is_time():
            self._show()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._quiet or not self.total:
            return
        self._show()
        if self._terminal:
            self._write("\n")

    def _is_time(self) -> bool:
        since = self._clock() - self._shown_at
        if self._terminal:
            return since >= REDRAWN
        share = LINE_SHARE * (self._clock() - self._began)
        return self._part() > self._shown_part or since >= max(LINE_SECONDS, share)

    def _part(self) -> int:
        return PARTS * self.done // self.total

    def _show(self) -> None:
        self._shown_at, self._shown_part = self._clock(), self._part()
        width = _width(self._file) if self._terminal else None
        text = line(
            self.done, self.total, self._unit, self._shown_at - self._began,
            before=self._before, name=self._name, note=self._note, width=width,
            ascii_only=not _can_draw(self._file),
        )  # fmt: skip
        if self._terminal:
            rest = min(disp_len(self._shown), width - 1) - disp_len(text)
            self._write("\r" + text + " " * rest)
        elif self.done != self._told:
            self._write(text + "\n")
            self._told = self.done
        self._shown = text

    def _write(self, text: str) -> None:
        with suppress(OSError):  # nobody watches any more
            self._file.write(text)
            self._file.flush()


def line(
    done: int,
    total: int,
    unit: str,
    seconds: float,
    *,
    before: int = 0,
    name: str = "",
    note: str = "",
    width: int | None = None,
    ascii_only: bool = False,
) -> str:
    """What is said of so much work after so many seconds, in less than `width` columns.

    From left to right: name, share, bar, count, times, rate, note. Where there is little room
    the bar and the count stay longest, then the times. Without a width there is no bar.
    """
    rate = (done - before) / seconds if seconds > 0 else 0.0
    left = tqdm.format_interval((total - done) / rate) if rate else "?"
    share, count = f"{100 * done // total:3d}%", f"{done}/{total}"
    times, speed = f"[{tqdm.format_interval(seconds)}<{left}]", f"{rate:.3g} {unit}/s"
    if width is None:
        begin = f"{name}: " if name else ""
        end = f", {note}" if note else ""
        return f"{begin}{share.strip()} {count} {times} {speed}{end}"
    room = width - 1 - len(share) - 1 - LEAST_BAR  # the last column would begin a new line
    parts = {}
    for key, text in (
        ("count", count), ("times", times), ("name", name), ("note", note), ("speed", speed)
    ):  # fmt: skip
        if text and disp_len(text) + 1 <= room:
            parts[key] = text
            room -= disp_len(text) + 1
    cells = min(MOST_BAR, LEAST_BAR + max(0, room))
    bar = format(Blocks(done / total, cells, charset=Blocks.ASCII if ascii_only else Blocks.UTF))
    order = ("count", "times", "speed", "note")
    tail = [parts[key] for key in order if key in parts]
    head = [parts["name"]] if "name" in parts else []
    return disp_trim(" ".join([*head, share, bar, *tail]), width - 1)


def _width(file: TextIO) -> int:
    """Columns of the terminal, which may change."""
    with suppress(OSError, ValueError):
        return os.get_terminal_size(file.fileno()).columns or USUAL_WIDTH
    return USUAL_WIDTH


def _can_draw(file: TextIO) -> bool:
    try:
        "█▏".encode(file.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
