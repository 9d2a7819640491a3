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
from resviz.workers.interface import WorkerDiedError
from resviz.workers.process import WorkerProcess
from resviz.workers.promises import drop, settle


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
        """The slot with the least is the best for a piece: a cold process comes last."""
        if not self.process:
            return 0, self.failure is not None
        return self.process.load, not self.process.warm.done()


class LocalWorkers:
    """`count` processes, by default one core less than there are; see `Workers`.

    Each calls `begin` first of all, and with a `warm_up` all are started at once and call
    that before any piece; without one they are started when they are needed. A process that
    dies loses its own pieces alone, and a fresh one has taken its place when their futures
    fail. One that dies in warming up is not replaced before the next piece comes, lest
    processes be started and die for ever; then the piece that waited for it is guilty.
    """

    def __init__(
        self,
        count: int | None = None,
        warm_up: Callable[[], object] | None = None,
        begin: Callable[[], object] = begin_quietly,
    ) -> None:
        count = max(1, own_cores() - 1) if count is None else count
        if count < 1:
            raise ValueError(f"count: {count} is not allowed; allowed is 1 or more")
        self.name = f"{count} local process{'es' if count > 1 else ''}"
        self._warm_up, self._begin = warm_up, begin
        self._lock = threading.Lock()
        self._closed = False
        self._slots = [_Slot() for _ in range(count)]
        atexit.register(self.close)
        if warm_up:
            with self._lock:
                for slot in self._slots:
                    with suppress(Exception):  # who waits for warm workers is told
                        self._fill(slot)

    @property
    def slots(self) -> int:
        return len(self._slots)

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:  # nobody has the future yet, so it has no callbacks
            if self._closed:
                drop(future)
                return future
            slot = min(self._slots, key=_Slot.load)
            if slot.process and slot.process.take(future, work, arguments):
                return future
            try:
                self._fill(slot)
            except Exception as reason:  # no memory for a process
                settle(future, False, reason)
                return future
            if not slot.process.take(future, work, arguments):
                told = "A worker process ended as soon as it was started for this piece of work."
                settle(future, False, WorkerDiedError(told, guilty=True))
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
        for process in processes:
            process.drop_waiting()
        for process in processes:
            process.end()
        atexit.unregister(self.close)

    def processes(self) -> list[int]:
        """The ids of the processes that there are now."""
        with self._lock:
            return [slot.process.pid for slot in self._slots if slot.process]

    def _fill(self, slot: _Slot) -> None:
        """Start a process; raises `OSError` if there is no memory for one."""
        slot.process = slot.failure = None
        try:
            slot.process = WorkerProcess(self._begin, self._warm_up, self._replace)
        except Exception as reason:
            slot.failure = reason
            raise

    def _replace(self, process: WorkerProcess, pieces: Sequence[Future], how: str) -> None:
        stillborn = None
        if not process.warm.done():
            stillborn = WorkerDiedError(f"A worker process {how} while it warmed up.", False)
        with self._lock:
            for slot in self._slots:
                if slot.process is process:
                    slot.process, slot.failure = None, stillborn
                    if self._warm_up and not stillborn and not self._closed:
                        with suppress(Exception):  # the next piece tries again, and is told
                            self._fill(slot)
        if stillborn:
            settle(process.warm, False, stillborn)
        for place, future in enumerate(pieces):
            when = "before it came to" if place else "over"
            told = f"A worker process {how} {when} this piece of work."
            settle(future, False, WorkerDiedError(told, guilty=place == 0))
