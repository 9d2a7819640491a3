"""Who gets the workers next: never the page's own process, and everyone in turn.

A `Shared` is one training under way, a `Job` one visitor's view of it. A worker that is free
takes the next piece in the queue, and a training has at most one there, so that each of k gets
about 1/k of the time. The first picture of a newcomer goes before all. What is finished is
kept while there is room, and shown again to whoever asks for the same.

Nothing here imports torch: the workers do, before anyone clicks.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict, deque
from concurrent.futures import CancelledError, Future
from weakref import WeakValueDictionary

from resviz.chunks import Chunk, Scoring, warm_up
from resviz.job import Job, Phase
from resviz.limits import MEGABYTE, Limits
from resviz.records import Run
from resviz.shared import Shared
from resviz.spec import RunSpec
from resviz.workers import WorkerDiedError, Workers, open_workers

__all__ = ["Engine", "Job", "Phase", "close_shared_engine", "shared_engine"]

STOPPING = "The server is stopping."
MOST_DEATHS = 3  # workers that one training may lose in a row before it is given up
# Pieces with the workers for each that can be worked on at once: one more, so that a worker
# never waits for this process's threads.
AHEAD = 2


class Engine:
    """One queue of trainings that want a piece, and the workers that take them."""

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.lock = threading.Condition()  # guards everything here, in jobs and in what they share
        self._under_way: WeakValueDictionary[RunSpec, Shared] = WeakValueDictionary()
        self._finished: OrderedDict[RunSpec, tuple[Shared, int]] = OrderedDict()
        self._newcomers: deque[Shared] = deque()
        self._queue: list[Shared] = []
        self._turn = 0.0  # the latest that has begun
        self._admitted: dict[Shared, None] = {}
        self._line: dict[Shared, None] = {}
        self._with_workers = 0
        self._dispatching = False
        self._closed = False
        self._workers: Workers = open_workers(workers, warm_up)

    @property
    def workers(self) -> int:
        """How many pieces can be worked on at once."""
        return self._workers.slots

    @property
    def crowd(self) -> float:
        """How many trainings share a worker, at least 1."""
        with self.lock:
            self._forget_the_unwanted()
            return max(1.0, len(self._admitted) / self._workers.slots)

    @property
    def cached_bytes(self) -> int:
        """What the finished runs that are kept take."""
        with self.lock:
            return sum(size for _, size in self._finished.values())

    def start(self, spec: RunSpec) -> Job:
        """Train `spec` from its first step, or show again what has been trained.

        Raises `LimitError` if it is over a limit of this server.
        """
        return self._open(spec, paused=False)

    def prepare(self, spec: RunSpec) -> Job:
        """The untrained network of `spec`, paused before its first step. Raises as `start`."""
        return self._open(spec, paused=True)

    def finished(self, spec: RunSpec) -> Run | None:
        """The run of `spec`, if it was trained here and is kept."""
        with self.lock:
            return self._finished[spec][0].run if spec in self._finished else None

    def has_under_way(self, spec: RunSpec) -> bool:
        """Whether `spec` is being trained."""
        with self.lock:
            shared = self._under_way.get(spec)
            return shared is not None and not shared.ended

    def wait_until_warm(self, timeout: float | None = None) -> None:
        """Return once every worker has loaded what it needs."""
        self._workers.wait_until_warm(timeout)

    def processes(self) -> list[int]:
        """The ids of the local workers' processes; none where a cluster works."""
        return self._workers.processes()

    def position(self, shared: Shared) -> int | None:
        """The place in the line of trainings that wait for others to end, from 1."""
        with self.lock:
            return list(self._line).index(shared) + 1 if shared in self._line else None

    def close(self) -> None:
        """End the workers once their present piece is done; every job fails with a sentence."""
        with self.lock:
            self._closed = True
            for shared in (*self._newcomers, *self._queue, *self._line):
                shared.fail(STOPPING)
            for waiting in (self._newcomers, self._queue, self._line):
                waiting.clear()
            self.lock.notify_all()
        self._workers.close()

    def wake(self, shared: Shared) -> None:
        """Queue the next piece of this training, if it is wanted and its turn has come."""
        with self.lock:
            if shared.busy or not shared.wanted():
                return
            if self._closed:
                shared.fail(STOPPING)
                self.lock.notify_all()
                return
            if shared.chunk is None:
                queue = self._newcomers
            elif self._admits(shared):
                queue = self._queue
            else:
                return
            shared.ask()
            shared.start = max(self._turn, shared.finish)
            queue.append(shared)
        self._dispatch()

    def _open(self, spec: RunSpec, paused: bool) -> Job:
        self.limits.check(spec)
        with self.lock:
            shared = self._known(spec) or Shared(spec)
            if not shared.ended:
                self._under_way[spec] = shared
            job = Job(self, shared, paused)
        self.wake(shared)
        return job

    def _known(self, spec: RunSpec) -> Shared | None:
        """A training of this spec that is kept, or under way."""
        if spec in self._finished:
            self._finished.move_to_end(spec)
            return self._finished[spec][0]
        return self._under_way.get(spec)

    def _admits(self, shared: Shared) -> bool:
        """Whether this training is one of those that may run; else it stands in line."""
        self._forget_the_unwanted()
        if shared in self._admitted or shared.scoring:  # which is short, and makes room
            return True
        self._line.setdefault(shared)
        free = self.limits.trainings - len(self._admitted)
        if list(self._line).index(shared) >= free:
            return False
        del self._line[shared]
        self._admitted[shared] = None
        return True

    def _forget_the_unwanted(self) -> None:
        """Whoever ended, was paused or left makes room."""
        for waiting in (self._admitted, self._line):
            for other in [other for other in waiting if not other.wanted()]:
                del waiting[other]

    def _dispatch(self) -> None:
        """Give the longest-waiting trainings to the workers.

        One thread at a time: a piece that fails at once calls this again from within.
        """
        with self.lock:
            if self._dispatching:
                return
            self._dispatching = True
        while (shared := self._next()) is not None:
            try:
                work, arguments = shared.piece()
                future = self._workers.submit(work, *arguments)
            except Exception as reason:  # no memory for a process, a cluster that is gone
                future = Future()
                future.set_exception(reason)
            future.add_done_callback(lambda done, shared=shared: self._collect(shared, done))

    def _next(self) -> Shared | None:
        """Whose piece is next; None, and the end of dispatching, if nobody's or no worker is free.

        Start-time fair queueing (Goyal, Vin & Cheng, SIGCOMM 1996): a piece may start when the one
        before has had its turns, and whoever comes back after a rest has saved up none.
        """
        with self.lock:
            while self._newcomers or self._queue:
                if self._closed or self._with_workers >= AHEAD * self._workers.slots:
                    break
                if self._newcomers:
                    shared = self._newcomers.popleft()
                else:
                    shared = min(self._queue, key=lambda waiting: waiting.start)
                    self._queue.remove(shared)
                if shared.wanted():
                    self._turn = max(self._turn, shared.start)
                    self._with_workers += 1
                    return shared
                shared.busy = False
            self._dispatching = False
            return None

    def _collect(self, shared: Shared, done: Future[Chunk | Scoring]) -> None:
        """Take in what became of a piece; whatever goes wrong here ends this training alone."""
        with self.lock:
            self._with_workers -= 1
        try:
            self._settle(shared, done)
        except Exception as reason:
            shared.fail(f"This run could not go on: {reason or type(reason).__name__}.")
        with self.lock:
            self.lock.notify_all()
        self.wake(shared)
        self._dispatch()

    def _settle(self, shared: Shared, done: Future[Chunk | Scoring]) -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        with self.lock:
            if self._closed:
                shared.fail(STOPPING)
            elif isinstance(error, WorkerDiedError):
                self._again(shared, error.guilty)
            elif error:
                shared.fail(f"This run could not go on: {error or type(error).__name__}.")
            else:
                shared.take(done.result())
            whole = self._under_way.get(shared.spec) is shared
            if shared.ended and whole:
                del self._under_way[shared.spec]
        if shared.run is not None and whole:
            self._keep(shared)

    def _again(self, shared: Shared, guilty: bool) -> None:
        """A worker died: the same piece, from the same state, unless it kills every worker."""
        shared.deaths += guilty
        if shared.deaths < MOST_DEATHS:
            self._queue.append(shared)  # its start is the earliest
            return
        shared.fail(
            f"This run ended {MOST_DEATHS} workers in a row, perhaps for want of memory: "
            "try fewer particles, a smaller batch or a smaller network."
        )

    def _keep(self, shared: Shared) -> None:
        """Keep a finished training, and let go of the oldest where there is no room."""
        size = len(pickle.dumps((shared.run, shared.reel), pickle.HIGHEST_PROTOCOL))
        room = self.limits.cache_mb * MEGABYTE
        if size > room:
            return
        with self.lock:
            self._finished[shared.spec] = shared, size
            while self.cached_bytes > room:
                self._finished.popitem(last=False)


_engine: Engine | None = None
_engine_lock = threading.Lock()


def shared_engine() -> Engine:
    """The process's one engine, started at the first call (the server's start, in the app).

    Raises `ValueError` if the environment sets a limit that is not allowed.
    """
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = Engine(limits=Limits.from_environment())
        return _engine


def close_shared_engine() -> None:
    """End the shared engine's workers; the next `shared_engine` starts new ones."""
    global _engine
    with _engine_lock:
        engine, _engine = _engine, None
    if engine:
        engine.close()
