"""Workers in processes of this machine: one a slot, replaced when it dies."""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from resviz.processes import end_with_the_parent, own_cores
from resviz.workers.interface import NoWorkerError, WorkerDiedError
from resviz.workers.process import WorkerProcess
from resviz.workers.promises import drop, settle

WARM_UP_SECONDS = 90.0  # after which a process that is still warming up hangs
GRACE_SECONDS = 3.0  # at the end, for what is being worked on
LOOK_SECONDS = 0.5  # between looks whether one hangs
# Processes in a row that end before they are warm, until pieces are told that there are none.
# One that hangs takes its time, and counts as several.
MOST_STILLBORN, HUNG_COUNTS = 8, 3


def begin_quietly() -> None:
    """In a worker: an interrupt is for the process that started it, which ends it in peace."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_the_parent()


@dataclass
class _Slot:
    """A place for a process. Without one it is filled when a piece comes."""

    process: WorkerProcess | None = None
    failure: Exception | None = None  # why there is none, if one was to be there

    def load(self) -> tuple[int, bool]:
        """The slot with the least is the best for a piece: one that failed comes last."""
        if not self.process:
            return 0 if self.failure is None else 2, self.failure is not None
        return self.process.load, not self.process.warm.done()


class LocalWorkers:
    """`count` processes, by default one core less than there are; see `Workers`.

    Each calls `begin` first of all, and with a `warm_up` all are started at once and call
    that before any piece; without one they are started when they are needed. A process that
    dies loses its own pieces alone, and a fresh one has taken its place when their futures
    fail. One that dies in warming up, which is no piece's fault, is not replaced before the next
    piece comes; once several have done so in a row, the pieces that wait for them fail for good.
    A process that is at a piece for longer than it may be is killed, one that was stopped, too.
    """

    def __init__(
        self,
        count: int | None = None,
        warm_up: Callable[[], object] | None = None,
        begin: Callable[[], object] = begin_quietly,
        *,
        warm_up_seconds: float = WARM_UP_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        count = max(1, own_cores() - 1) if count is None else count
        if count < 1:
            raise ValueError(f"count: {count} is not allowed; allowed is 1 or more")
        self.name = f"{count} local process{'es' if count > 1 else ''}"
        self._warm_up, self._begin = warm_up, begin
        self._warm_up_seconds, self._grace = warm_up_seconds, grace
        self._stillborn = 0  # processes in a row
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._closed = False
        self._slots = [_Slot() for _ in range(count)]
        atexit.register(self.close)
        if warm_up:
            with self._lock:
                for slot in self._slots:
                    with suppress(Exception):  # who waits for warm workers is told
                        self._fill(slot)
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def slots(self) -> int:
        return len(self._slots)

    def submit(
        self, work: Callable[..., Any], *arguments: object, seconds: float | None = None
    ) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:  # nobody has the future yet, so it has no callbacks
            if self._closed:
                drop(future)
                return future
            slot = min(self._slots, key=_Slot.load)
            if slot.process and slot.process.take(future, work, arguments, seconds):
                return future
            try:
                self._fill(slot)
            except Exception as reason:  # no memory for a process
                settle(future, False, reason)
                return future
            if not slot.process.take(future, work, arguments, seconds):
                warm, how = slot.process.warm.done(), "ended as soon as it was started"
                settle(future, False, self._loss(how, 0, warm, False))
        return future

    def wait_until_warm(self, timeout: float | None = None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        for slot in self._slots:
            with self._lock:
                process, failure = slot.process, slot.failure
            if failure:
                raise failure
            if process:
                process.warm.result(None if end is None else max(0.0, end - time.monotonic()))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            processes = [slot.process for slot in self._slots if slot.process]
        self._over.set()
        for process in processes:
            process.drop_waiting()
        last = time.monotonic() + self._grace
        for process in processes:
            process.end(max(0.0, last - time.monotonic()))
        atexit.unregister(self.close)

    def processes(self) -> list[int]:
        """The ids of the processes that there are now."""
        with self._lock:
            return [slot.process.pid for slot in self._slots if slot.process]

    def _fill(self, slot: _Slot) -> None:
        """Start a process; raises `OSError` if there is no memory for one."""
        slot.process = slot.failure = None
        try:
            slot.process = WorkerProcess(
                self._begin, self._warm_up, self._replace, self._warm_up_seconds
            )
        except Exception as reason:
            slot.failure = reason
            raise

    def _watch(self) -> None:
        """Tell each process how long it has been at its work, for as long as we are awake.

        A laptop that slept, or a server that was stopped and goes on, has let no time pass.
        """
        before = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            before, passed = time.monotonic(), time.monotonic() - before
            with self._lock:
                processes = [slot.process for slot in self._slots if slot.process]
            for process in processes:
                process.spend(min(passed, 2 * LOOK_SECONDS))

    def _replace(self, process: WorkerProcess, pieces: Sequence[Future], how: str) -> None:
        warm, hung = process.warm.done(), process.hung is not None
        stillborn = None
        if not warm:
            stillborn = WorkerDiedError(f"A worker process {how} while it warmed up.", False, hung)
        with self._lock:
            self._stillborn = 0 if warm else self._stillborn + (HUNG_COUNTS if hung else 1)
            for slot in self._slots:
                if slot.process is process:
                    slot.process, slot.failure = None, stillborn
                    if self._warm_up and warm and not self._closed:
                        with suppress(Exception):  # the next piece tries again, and is told
                            self._fill(slot)
            losses = [self._loss(how, place, warm, hung) for place in range(len(pieces))]
        if stillborn:
            settle(process.warm, False, stillborn)
        for future, loss in zip(pieces, losses, strict=True):
            settle(future, False, loss)

    def _loss(self, how: str, place: int, warm: bool, hung: bool) -> Exception:
        """What is said of the piece in that place in the line of a process that ended."""
        others = any(slot.process and slot.process.warm.done() for slot in self._slots)
        if not warm and not others and self._stillborn >= MOST_STILLBORN:
            return NoWorkerError(
                "no worker can be started on this server; several in a row failed, and the last "
                f"one {how} while it warmed up"
            )
        guilty = warm and place == 0
        told = f"A worker process {how} {'over' if guilty else 'before it came to'} this piece of"
        return WorkerDiedError(f"{told} work.", guilty, hung)
