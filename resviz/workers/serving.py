"""What a worker's process does: take a piece from the pipe, work, answer, take the next.

The pieces are read while one is worked on, so that the next is there when it is done, and
whoever sends it is not held up.
"""

from __future__ import annotations

import io
import pickle
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue


def dumps(value: object) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def serve(pipe: Connection, begin: Callable[[], object]) -> None:
    """Answer pieces until the other end of the pipe is closed.

    A piece is its number, then the function and its arguments; an answer is the piece's
    number and whether it went well, then the result or the exception. Each half is pickled
    by itself: should the second not be readable, one knows at least whose it is.
    """
    begin()
    pieces: SimpleQueue[bytes | None] = SimpleQueue()
    threading.Thread(target=_read, args=(pipe, pieces), daemon=True).start()
    with suppress(BrokenPipeError):  # nobody is left to answer
        while (piece := pieces.get()) is not None:
            pipe.send_bytes(_answer(piece))


def _read(pipe: Connection, pieces: SimpleQueue[bytes | None]) -> None:
    with suppress(EOFError, OSError):
        while True:
            pieces.put(pipe.recv_bytes())
    pieces.put(None)


def _answer(piece: bytes) -> bytes:
    stream = io.BytesIO(piece)
    number = pickle.load(stream)
    try:
        work, arguments = pickle.load(stream)
        good, told = True, dumps(work(*arguments))
    except Exception as reason:
        good, told = False, _told(reason)
    return dumps((number, good)) + told


def _told(reason: Exception) -> bytes:
    """The exception, and where it was raised; if it does not bear the way, its words."""
    reason.add_note("In the worker:\n" + "".join(traceback.format_exception(reason)))
    try:
        told = dumps(reason)
        pickle.loads(told)
    except Exception:
        return dumps(RuntimeError(f"{type(reason).__name__}: {reason}"))
    return told
