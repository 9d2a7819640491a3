"""A lab's rows on file: one a line, each written whole behind the others, by one lab at a time.

Whole means whole rows: a file that is only ever added to need not be moved into its place, but
what a full disk or a power cut left of a last row is cut off again.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from resviz.lab.rows import BEGINNING, OtherRowsError, Row, from_line, to_line
from resviz.spec import RunSpec

# What a disk answers that knows no locks.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class BusyError(Exception):
    """Another lab writes this file; the reason is a sentence that says which."""


def read(path: Path) -> dict[RunSpec, Row]:
    """The rows of a file, by spec; none if there is no file.

    A last line that was cut off in the writing is left out. Raises `OtherRowsError` naming the
    file and the line that is something else.
    """
    return _parsed(path)[0]


def mend(path: Path) -> bool:
    """Cut off a last row that was not written to its end; whether there was one.

    Raises `OtherRowsError` for a file that is no lab's.
    """
    if not path.exists():
        return False
    whole = _parsed(path)[1]
    if cut := path.stat().st_size > whole:
        os.truncate(path, whole)
    return cut


class Journal:
    """A file to which rows are added."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def add(self, row: Row) -> Row:
        """Write a row behind the others; it, as it is read back, with six digits.

        Raises `OSError`, and then the file ends with the row before.
        """
        line, end = to_line(row), os.fstat(self._file.fileno()).st_size
        data = line.encode() + b"\n"
        try:
            if self._file.write(data) < len(data):
                raise OSError(28, "No space left on device")
            os.fsync(self._file.fileno())
        except BaseException:
            with suppress(OSError):
                self._file.truncate(end)
            raise
        return from_line(line)

    def close(self) -> None:
        self._file.close()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the file against other labs. Raises `BusyError` that says who has it.

    The lock is the operating system's, so it is gone with the process, however that ends.
    """
    place = path.with_name(f".{path.name}.lock")

    def sign(descriptor: int) -> None:
        own = {"process": os.getpid(), "machine": socket.gethostname()}
        with suppress(OSError):  # on Windows none but the holder may read it, either
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps(own).encode())

    lock = FileLock(place, blocking=False, on_acquired=sign)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"{path}: {_holder(place)} is at work on it; wait for that to end, or give another "
            "folder or --name"
        ) from None
    except OSError as reason:
        if reason.errno not in NO_LOCKS:
            raise
        yield  # whoever has such a disk has to take care
        return
    try:
        yield
    finally:
        with suppress(OSError):  # first: whoever gets the lock then finds that it has no name
            place.unlink()
        lock.release()


def _holder(place: Path) -> str:
    try:
        own = json.loads(place.read_text(encoding="utf-8"))
        return f"the lab of process {int(own['process'])} on {own['machine']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another lab"


def _parsed(path: Path) -> tuple[dict[RunSpec, Row], int]:
    """The rows of a file, and how many of its bytes are whole rows."""
    if not path.exists():
        return {}, 0
    rows, whole = {}, 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        last = number == len(lines)
        try:
            row = from_line(line.decode(errors="replace"))
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")
        except ValueError as reason:
            if last and _may_be_half(line):
                break
            where = "last line" if last and not line.endswith(b"\n") else f"line {number}"
            raise OtherRowsError(f"{path}, {where}: {reason}") from None
        rows[row.spec] = row
        whole += len(line)
    return rows, whole


def _may_be_half(line: bytes) -> bool:
    """Whether this may be the beginning of a row, or the zeros that a power cut leaves."""
    begun, expected = line.rstrip(b"\r\n\0"), BEGINNING.encode()
    if line.endswith(b"\n") and begun.endswith(b"}}"):
        return False  # it has its end, so it is a row of something else
    return begun[: len(expected)] == expected[: len(begun)]
