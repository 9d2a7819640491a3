"""Files to take home, each made by the command line in a process of its own.

A film takes seconds of one core, and codecs can crash: neither is for the process that serves
the page. No Streamlit here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from weakref import finalize

from filelock import FileLock, Timeout

from resviz.limits import LimitError, Limits, variable
from resviz.records import Run

MOST_SECONDS = 600.0  # a file that is not made by then will not be
ROOT = Path(__file__).parents[2]
# "43%|####    | 65/150 [00:03<…": how the command says how far it is.
PROGRESS = re.compile(r"(\d+)/(\d+) \[")
ERROR = re.compile(r"python -m resviz[ \w]*: (?:error: )?(.+)")
CANCELLED = "It was cancelled."
NICENESS = 5  # trainings go first
# A file is made in a folder of this prefix in the system's temporary one; a server that is there
# holds the lock in it.
PREFIX, LOCK = "resviz-", "server.lock"
CLOSING = 5.0  # seconds in which what is in the making ends with the server
# On Windows: no console of its own, and the same as niceness.
FLAGS = sum(
    getattr(subprocess, name, 0) for name in ("CREATE_NO_WINDOW", "BELOW_NORMAL_PRIORITY_CLASS")
)


@dataclass(frozen=True)
class Order:
    """What is to be made."""

    run: Run
    kept: Run | None  # A beside it
    name: str  # of the file, with its ending
    options: tuple[str, ...] = ()  # the command's


class Making:
    """One file in the making. Methods may be called from any thread, and return at once."""

    def __init__(self, order: Order, visitor: str | None = None) -> None:
        self.order = order
        self.visitor = visitor
        self.part: float | None = None  # done, from 0 to 1, where it is told
        self.data: bytes | None = None  # the file, once it is made
        self.failure: str | None = None
        self.thread = threading.Thread(target=self._make, daemon=True)
        self._lock = threading.Lock()  # guards the two below
        self._process: subprocess.Popen | None = None
        self._why_ended: str | None = None

    @property
    def ended(self) -> bool:
        return self.data is not None or self.failure is not None

    def cancel(self) -> None:
        """End it; nothing remains."""
        self._end(CANCELLED)

    def _end(self, why: str) -> None:
        with self._lock:
            self._why_ended = self._why_ended or why
            if self._process:
                self._process.kill()

    def _make(self) -> None:
        try:
            # On Windows a file that a killed process has just let go of may not be removable yet.
            with (
                TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder,
                FileLock(Path(folder) / LOCK),
            ):
                self.data = self._made(Path(folder))
        except Exception as reason:  # whatever it was, whoever waits must know
            self.failure = f"The file could not be made. {reason or type(reason).__name__}"

    def _made(self, folder: Path) -> bytes:
        order, files = self.order, []
        for name, run in (("b.npz", order.run), ("a.npz", order.kept)):
            if run is not None:
                run.save(folder / name)
                files.append(str(folder / name))
        path = folder / order.name
        attended = [sys.executable, "-m", "resviz.attended", str(folder)]
        command = [*attended, "export", *files, "-o", str(path)]
        with self._lock:
            if self._why_ended:
                raise ValueError(self._why_ended)
            self._process = process = subprocess.Popen(
                [*command, *order.options],
                cwd=ROOT,
                stdin=subprocess.PIPE,  # its end tells that this process is gone
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,  # a carriage return, with which a bar begins anew, ends a line, too
                encoding="utf-8",
                errors="replace",
                creationflags=FLAGS,
            )
        _let_others_go_first(process.pid)
        said = self._follow(process)
        if process.returncode:
            raise ValueError(self._why_ended or why(process.returncode, said))
        return path.read_bytes()

    def _follow(self, process: subprocess.Popen) -> list[str]:
        """To its end; the last lines that it said."""
        last: list[str] = []
        end_with_us = finalize(self, process.kill)  # when the server is stopped
        minutes = f"It was not done after {MOST_SECONDS / 60:.0f} minutes."
        too_long = threading.Timer(MOST_SECONDS, self._end, (minutes,))
        too_long.daemon = True
        too_long.start()
        try:
            for line in process.stderr:
                if found := PROGRESS.search(line):
                    self.part = min(1.0, int(found[1]) / max(1, int(found[2])))
                elif line.strip():
                    last = [*last[-9:], line.strip()]
            process.wait()
        finally:
            process.stderr.close()
            process.stdin.close()
            too_long.cancel()
            end_with_us.detach()
        return last


def _let_others_go_first(pid: int) -> None:
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, pid)
            os.setpriority(os.PRIO_PROCESS, pid, max(own, NICENESS))


def why(code: int, said: Sequence[str]) -> str:
    """A sentence on a process that ended with this code, having said these lines."""
    for line in reversed(said):
        if found := ERROR.search(line):
            return f"{found[1].rstrip('.')}."
    if code < 0:
        return f"Its process was ended by signal {-code}, perhaps for want of memory."
    return f"Its process ended with code {code}{f': {said[-1]}' if said else ''}."


class Workshop:
    """Where files are made: only so many at once, and so many for one visitor."""

    def __init__(self, most: int, each: int | None = None) -> None:
        self.most, self.each = most, each
        self._lock = threading.Lock()
        self._busy: list[Making] = []

    def start(self, order: Order, visitor: str | None = None) -> Making:
        """Begin to make a file. Raises `LimitError`, a sentence, if all places are taken."""
        with self._lock:
            self._busy = [making for making in self._busy if making.thread.is_alive()]
            own = sum(making.visitor == visitor is not None for making in self._busy)
            if self.each is not None and own >= self.each:
                files = "a file" if self.each == 1 else f"{self.each} files"
                raise LimitError(
                    f"You have {files} in the making, as many as one visitor of this server may "
                    f"have at once ({variable('exports_each')}, which its owner may raise): wait "
                    "until it is done, or cancel it, here or in another tab"
                )
            if len(self._busy) >= self.most:
                files = "1 file" if self.most == 1 else f"{self.most} files"
                raise LimitError(
                    f"This server makes {files} at once ({variable('exports')}, which its owner "
                    "may raise), and others are in the making: try again in a moment"
                )
            making = Making(order, visitor)
            making.thread.start()
            self._busy.append(making)
            return making

    def close(self) -> None:
        """End all that is in the making, and wait until nothing remains of it."""
        with self._lock:
            busy, self._busy = self._busy, []
        for making in busy:
            making.cancel()
        for making in busy:
            making.thread.join(CLOSING / len(busy))


def clear_what_was_left() -> None:
    """Remove the folders of servers that were killed together with what they made."""
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if not _is_own(folder) or not (folder / LOCK).is_file():
                continue
            with FileLock(folder / LOCK, blocking=False):
                pass  # nobody holds it
            shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user's: the place is everybody's."""
    known = folder.lstat()
    return stat.S_ISDIR(known.st_mode) and (os.name == "nt" or known.st_uid == os.getuid())


_workshop: Workshop | None = None
_workshop_lock = threading.Lock()


def shared_workshop() -> Workshop:
    """The process's one workshop. Raises `ValueError` for a limit that is not allowed."""
    global _workshop
    with _workshop_lock:
        if _workshop is None:
            limits = Limits.from_environment()
            _workshop = Workshop(limits.exports, limits.exports_each)
        return _workshop


def close_shared_workshop() -> None:
    """End what the shared workshop makes; the next `shared_workshop` is a new one."""
    global _workshop
    with _workshop_lock:
        workshop, _workshop = _workshop, None
    if workshop:
        workshop.close()
