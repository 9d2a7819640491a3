"""One worker's process, as seen from here.

Not a `ProcessPoolExecutor` of one: that keeps a copy of its process's end of the pipe open,
so when the process is killed in the midst of an answer the rest is waited for, for ever. And
it calls a future's callbacks with locks of its own held, in some versions of Python, so that
one which hands over more work may never return.
"""

from __future__ import annotations

import io
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, spawn
from multiprocessing.context import SpawnContext
from queue import SimpleQueue
from typing import Any

from resviz.workers.promises import drop, settle
from resviz.workers.serving import dumps, serve

Work = Callable[..., Any]
KILL_SECONDS = 2.0  # for a process that was killed to be gone


@dataclass(frozen=True)
class _Piece:
    future: Future
    patience: float | None  # seconds after which a process that is at it hangs


class WorkerProcess:
    """A process that works on its pieces one after the other, in the order they came in.

    It calls `begin` first of all, and `warm_up` is its first piece, which `warm` is promised
    for and which may take `warm_up_seconds`. `on_end` is called once, when the process has ended
    for whatever reason, with the pieces that were not done, the oldest first, and how it ended:
    "was ended by SIGKILL".
    """

    def __init__(
        self,
        begin: Callable[[], object],
        warm_up: Callable[[], object] | None,
        on_end: Callable[[WorkerProcess, Sequence[Future], str], None],
        warm_up_seconds: float | None = None,
    ) -> None:
        self._pipe, far_end = Pipe()
        self._process = SpawnContext().Process(target=serve, args=(far_end, begin), daemon=True)
        try:
            with _starting, _main_left_alone():
                self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            far_end.close()  # with the process its last copy goes, and the pipe says so
        self.pid: int = self._process.pid
        self._on_end = on_end
        self._lock = threading.Lock()
        self._ended = False
        self._count = 0
        self._undone: dict[int, _Piece] = {}  # the oldest first: that is being worked on
        self._spent = 0.0  # seconds at the oldest
        self.hung: str | None = None  # how it hung, if it did
        self._outbox: SimpleQueue[tuple[int, Future, Work, tuple] | None] = SimpleQueue()
        self.warm: Future[Any] = Future()
        if warm_up:
            self.take(self.warm, warm_up, (), warm_up_seconds)
        else:
            self.warm.set_result(None)
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._receiver = threading.Thread(target=self._receive, daemon=True)
        self._sender.start()
        self._receiver.start()

    @property
    def load(self) -> int:
        """How many pieces it has not done yet, the warm-up included."""
        return len(self._undone)

    def take(
        self, future: Future, work: Work, arguments: tuple, patience: float | None = None
    ) -> bool:
        """Take a piece that `future` is promised for; whether the process was still there."""
        with self._lock:
            if self._ended:
                return False
            if not self._undone:
                self._spent = 0.0
            self._count += 1
            self._undone[self._count] = _Piece(future, patience)
            self._outbox.put((self._count, future, work, arguments))
            return True

    def drop_waiting(self) -> None:
        """Cancel what is not being worked on, and the warm-up."""
        with self._lock:
            numbers = list(self._undone)[1 if self.warm.done() else 0 :]
            dropped = [self._undone.pop(number).future for number in numbers]
        for future in dropped:
            drop(future)

    def spend(self, seconds: float) -> None:
        """So much time has passed. Kills the process if it hangs, a stopped one, too."""
        with self._lock:
            self._spent += seconds
            oldest = next(iter(self._undone.values()), None)
            if oldest is None or oldest.patience is None or self._spent <= oldest.patience:
                return
            self.hung = f"did not come to an end within {oldest.patience:.0f} s"
        self._process.kill()

    def end(self, grace: float) -> None:
        """Give it so many seconds for what it has still to do, and end it, whatever it does."""
        with self._lock:
            undone = [piece.future for piece in self._undone.values()]
        wait(undone, grace)
        self._process.kill()
        self._receiver.join(KILL_SECONDS)

    def _send(self) -> None:
        while (piece := self._outbox.get()) is not None:
            number, future, work, arguments = piece
            if future.cancelled():
                self._settle(number, False, None)
                continue
            try:
                message = dumps(number) + dumps((work, arguments))
            except Exception as reason:
                self._settle(number, False, reason)
                continue
            with suppress(OSError):  # it has ended: the receiver says so
                self._pipe.send_bytes(message)
            del piece, future, work, arguments, message

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._take_in(self._pipe.recv_bytes())
        self._process.join()
        with self._lock:
            self._ended = True
            undone = [piece.future for piece in self._undone.values()]
            self._undone.clear()
        self._outbox.put(None)
        self._sender.join()
        self._pipe.close()
        pieces = [future for future in undone if future is not self.warm]
        self._on_end(self, pieces, self.hung or self._how_it_ended())

    def _take_in(self, answer: bytes) -> None:
        stream = io.BytesIO(answer)
        number, good = pickle.load(stream)
        try:
            value = pickle.load(stream)
        except Exception as reason:
            good, value = False, reason
        self._settle(number, good, value)

    def _settle(self, number: int, good: bool, value: object) -> None:
        with self._lock:
            piece = self._undone.pop(number, None)
            self._spent = 0.0  # answers come in order
        if piece is not None:  # else it was dropped
            settle(piece.future, good, value)

    def _how_it_ended(self) -> str:
        code = self._process.exitcode
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


_starting = threading.Lock()


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """Strip the main module from what a spawned process is told to import.

    In a Streamlit server that is the page's script, or Streamlit's own command line:
    neither is any use to a worker, and the first would run there.
    """
    original = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, object]:
        told = original(name)
        return {k: v for k, v in told.items() if not k.startswith("init_main_from")}

    spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        spawn.get_preparation_data = original
