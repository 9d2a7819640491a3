"""What a command says to a person or a program, who may have stopped reading."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

FAILED, REFUSED = 1, 2  # exit codes: something could not be done; what was asked is not allowed


def say(text: str) -> int:
    """Print a result; the exit code, which is not 0 if it is lost: on a full disk.

    Where nobody reads any more (`| head`) the work goes on in silence.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as reason:
        _silence(sys.stdout)
        warn(f"what is printed could not be written ({reason.strerror})")
        return FAILED
    return 0


def warn(text: str) -> None:
    """Print a sentence about what went wrong, if anybody can be told."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def prepare() -> None:
    """Streams that can print every letter, and that are there."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this, or there is no console
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a λ is no reason to fail where there is none


def _silence(stream: TextIO) -> None:
    """Let go of what was not written: at the end Python would try again, and complain."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
