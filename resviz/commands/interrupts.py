"""Ctrl-C, and the order to end (SIGTERM): what the first does depends on what is at work.

A second one, in the same piece of work, ends the process at once. Standard library only, and
little of it: this is there before anything else is imported.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130  # what a shell expects of a command that Ctrl-C ended
ORDERS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # those that the system has


class InterruptedBySignal(KeyboardInterrupt):
    """Raised in the midst of work by the first signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Asked:
    """Whether work was asked to end."""

    def __init__(self) -> None:
        self.code: int | None = None  # that the process is to end with

    def __call__(self) -> bool:
        return self.code is not None


def code_of(reason: KeyboardInterrupt) -> int:
    """The exit code of an interrupted command: 128 and the signal's number."""
    return getattr(reason, "code", INTERRUPTED)


@contextmanager
def ends_at_once() -> Iterator[Asked]:
    """Nothing can be lost: a sentence, and the end. An import in C might swallow an exception."""
    with _handled(_end) as asked:
        yield asked


@contextmanager
def raises() -> Iterator[Asked]:
    """`InterruptedBySignal` is raised: the work is left where it is."""

    def leave(code: int) -> None:
        raise InterruptedBySignal(code)

    with _handled(leave) as asked:
        yield asked


@contextmanager
def noted(told: str) -> Iterator[Asked]:
    """`told` is said, and the work looks by itself whether it is to end."""
    with _handled(lambda code: _tell(told)) as asked:
        yield asked


@contextmanager
def _handled(react: Callable[[int], None]) -> Iterator[Asked]:
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # no other may set handlers
        return

    def receive(number: int, frame: FrameType | None) -> None:
        first, asked.code = asked.code is None, 128 + number
        if not first:
            _end(asked.code)
        react(asked.code)

    before = {}
    for name in ORDERS:
        number = getattr(signal, name, None)
        # What is ignored stays so: `nohup`, or a job in the background.
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, receive)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(code: int) -> None:
    _tell("interrupted")
    os._exit(code)


def _tell(text: str) -> None:
    """Not by `sys.stderr`, which may be in the midst of a line."""
    with suppress(OSError):
        os.write(2, f"{chr(10) if os.isatty(2) else ''}{text}\n".encode())
