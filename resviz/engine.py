"""Who gets the workers next: never the page's own process, and everyone in turn.

A `Shared` is one training under way, a `Job` one visitor's view of it. A worker that is free
takes the next piece in the queue, and a training has at most one there; `Turns` shares the time
out evenly. Only so many trainings are admitted at once, of all and of each visitor, and the rest
stand in line: while somebody does, who has had a round goes to its end, so that nobody waits for
ever. What is finished is kept while there is room, and shown again to whoever asks for the same.

Nothing here imports torch: the workers do, before anyone clicks.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Collection
from concurrent.futures import CancelledError, Future
from weakref import WeakSet, WeakValueDictionary

from resviz.chunks import Chunk, Scoring, warm_up
from resviz.job import Job, Phase
from resviz.limits import MEGABYTE, LimitError, Limits, variable
from resviz.records import Run
from resviz.shared import Shared
from resviz.spec import RunSpec
from resviz.turns import Bill, Turns
from resviz.workers import WorkerDiedError, Workers, open_workers

__all__ = ["Engine", "Job", "Phase", "close_shared_engine", "shared_engine"]

STOPPING = "The server is stopping."
# Workers that end in a row, over one training and over no other: then it is given up. Where others
# lose workers as well, the cause lies outside, until it has lost so many without a result between.
MOST_DEATHS, MOST_SHARED_DEATHS = 3, 9
ROUND_SECONDS = 5.0  # of worker time that an admitted training has before others in line
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
        self._jobs: WeakSet[Job] = WeakSet()
        self._queue: list[Shared] = []
        self._turns = Turns()
        self._at_work: dict[Shared, tuple[Bill, float]] = {}  # and since when
        self._heard = 0.0  # when a worker last gave something back
        self._last_death: tuple[Shared | None, int] = None, 0  # over whom, and how many in a row
        self._admitted: dict[Shared, None] = {}
        self._line: dict[Shared, None] = {}
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

    def start(
        self, spec: RunSpec, visitor: str | None = None, instead_of: Collection[Job] = ()
    ) -> Job:
        """Train `spec` from its first step, or show again what has been trained.

        Where it is known who asks, `visitor`, they have so many trainings at once; those that
        this one is `instead_of`, and which they are about to give up, do not count.

        Raises `LimitError` if it is over a limit of this server.
        """
        return self._open(spec, False, visitor, instead_of)

    def prepare(
        self, spec: RunSpec, visitor: str | None = None, instead_of: Collection[Job] = ()
    ) -> Job:
        """The untrained network of `spec`, paused before its first step. As `start`."""
        return self._open(spec, True, visitor, instead_of)

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

    def silence(self, shared: Shared) -> float:
        """For how many seconds the worker that this training waits for has said nothing.

        If none is at it, for how many none has.
        """
        with self.lock:
            _, since = self._at_work.get(shared, (None, self._heard))
            return time.monotonic() - since if self._at_work else 0.0

    def close(self) -> None:
        """End the workers, within seconds whatever they do; every job fails with a sentence."""
        with self.lock:
            self._closed = True
            for shared in (*self._queue, *self._line):
                shared.fail(STOPPING)
            for waiting in (self._queue, self._line):
                waiting.clear()
            self.lock.notify_all()
        self._workers.close()

    def wake(self, shared: Shared) -> None:
        """Queue the next piece of this training, if it is wanted and its turn has come."""
        self._ask(shared)
        self._dispatch()

    def _ask(self, shared: Shared) -> None:
        with self.lock:
            if shared.busy or not shared.wanted():
                return
            if self._closed:
                shared.fail(STOPPING)
                self.lock.notify_all()
            elif shared.first or self._admits(shared):
                shared.ask()
                self._turns.join(shared)
                self._queue.append(shared)

    def _open(
        self, spec: RunSpec, paused: bool, visitor: str | None, instead_of: Collection[Job]
    ) -> Job:
        self.limits.check(spec)
        with self.lock:
            shared = self._known(spec) or Shared(spec)
            if not shared.ended:
                self._check_visitor(shared, visitor, instead_of)
                self._under_way[spec] = shared
            job = Job(self, shared, paused, visitor)
            self._jobs.add(job)
        self.wake(shared)
        return job

    def _check_visitor(
        self, shared: Shared, visitor: str | None, instead_of: Collection[Job]
    ) -> None:
        """Raises `LimitError` if this visitor has as many trainings as one may have."""
        others = [job for job in self._jobs if job.visitor == visitor and job not in instead_of]
        trainings = {id(job.work) for job in others if job.work} | {id(shared)}
        most = self.limits.trainings_each
        if visitor is not None and len(trainings) > most:
            runs = "1 run" if most == 1 else f"{most} runs"
            raise LimitError(
                f"You have {runs} in training, as many as one visitor of this server may have at "
                f"once ({variable('trainings_each')}, which its owner may raise): stop one, here "
                "or in another tab, or wait until one ends"
            )

    def _known(self, spec: RunSpec) -> Shared | None:
        """A training of this spec that is kept, or under way."""
        if spec in self._finished:
            self._finished.move_to_end(spec)
            return self._finished[spec][0]
        return self._under_way.get(spec)

    def _admits(self, shared: Shared) -> bool:
        """Whether this training is one of those that may run; else it stands in line."""
        self._forget_the_unwanted()
        if shared.scoring:  # which is short, and makes room
            return True
        if shared in self._admitted:
            if shared.round < ROUND_SECONDS or self._next_in_line() is None:
                return True
            del self._admitted[shared]
        self._line.setdefault(shared)
        while len(self._admitted) < self.limits.trainings:
            first = self._next_in_line()
            if first is None:
                break
            del self._line[first]
            self._admitted[first], first.round = None, 0.0
            if first is not shared:
                self._ask(first)
        return shared in self._admitted

    def _next_in_line(self) -> Shared | None:
        """Who is admitted next: the first whose visitor has not as many as one may have."""
        held = Counter(visitor for other in self._admitted for visitor in other.visitors)
        for shared in self._line:
            visitors = shared.visitors
            if not visitors or min(held[v] for v in visitors) < self.limits.trainings_each:
                return shared
        return None

    def _forget_the_unwanted(self) -> None:
        """Whoever ended, was paused or left makes room."""
        for waiting in (self._admitted, self._line):
            for other in [other for other in waiting if not other.wanted()]:
                del waiting[other]

    def _dispatch(self) -> None:
        """Give the pieces whose turn it is to the workers.

        One thread at a time: a piece that fails at once calls this again from within.
        """
        with self.lock:
            if self._dispatching:
                return
            self._dispatching = True
        while (shared := self._next()) is not None:
            try:
                work, arguments = shared.piece()
                future = self._workers.submit(work, *arguments, seconds=shared.patience)
            except Exception as reason:  # no memory for a process, a cluster that is gone
                future = Future()
                future.set_exception(reason)
            future.add_done_callback(lambda done, shared=shared: self._collect(shared, done))

    def _next(self) -> Shared | None:
        """Whose piece is next; None, and the end of dispatching, if nobody's is for now."""
        with self.lock:
            for shared in [shared for shared in self._queue if not shared.wanted()]:
                self._queue.remove(shared)
                shared.busy = False
            slots, bill = self._workers.slots, None
            if len(self._at_work) < AHEAD * slots and not self._closed:
                bills = [bill for bill, _ in self._at_work.values()]
                bill = self._turns.give(self._queue, bills, idle=len(bills) < slots)
            if bill is None:
                if not self._queue and not self._at_work:
                    self._turns.rest()
                self._dispatching = False
                return None
            self._queue.remove(bill.task)
            if not self._at_work:
                self._heard = time.monotonic()
            self._at_work[bill.task] = bill, time.monotonic()
            return bill.task

    def _collect(self, shared: Shared, done: Future[Chunk | Scoring]) -> None:
        """Take in what became of a piece; whatever goes wrong here ends this training alone.

        In one hold of the lock: a page that asked for the next piece before this one has left
        the workers would have it handed over while this one's turn is still being settled.
        """
        with self.lock:
            try:
                self._settle(shared, done)
            except Exception as reason:
                shared.fail(f"This run could not go on: {reason or type(reason).__name__}.")
            # Who comes back stands in the queue before the place with the workers is free.
            self._ask(shared)
            bill, _ = self._at_work.pop(shared)
            self._turns.settle(bill, shared.price)
            self._heard = time.monotonic()
            self.lock.notify_all()
        self._dispatch()

    def _settle(self, shared: Shared, done: Future[Chunk | Scoring]) -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        if self._closed:
            shared.fail(STOPPING)
        elif isinstance(error, WorkerDiedError):
            self._again(shared, error)
        elif error:
            shared.fail(f"This run could not go on: {error or type(error).__name__}.")
        else:
            shared.take(done.result())
            if self._last_death[0] is shared:
                self._last_death = None, 0
        whole = self._under_way.get(shared.spec) is shared
        if shared.ended and whole:
            del self._under_way[shared.spec]
        if shared.run is not None and whole:
            self._keep(shared)

    def _again(self, shared: Shared, error: WorkerDiedError) -> None:
        """A worker ended: the same piece, from the same state, unless it ends every worker."""
        shared.busy, shared.trouble = False, error.clause
        if not error.guilty:
            return
        shared.deaths += 1
        last, row = self._last_death
        self._last_death = shared, row + 1 if last is shared else 1
        if self._last_death[1] >= MOST_DEATHS or shared.deaths >= MOST_SHARED_DEATHS:
            shared.fail(_given_up(shared.deaths, error))

    def _keep(self, shared: Shared) -> None:
        """Keep a finished training, and let go of the oldest where there is no room."""
        size = len(pickle.dumps((shared.run, shared.reel), pickle.HIGHEST_PROTOCOL))
        room = self.limits.cache_mb * MEGABYTE
        if size > room:
            return
        self._finished[shared.spec] = shared, size
        while self.cached_bytes > room:
            self._finished.popitem(last=False)


def _given_up(deaths: int, error: WorkerDiedError) -> str:
    if error.hung:
        return (
            f"This run was given up: {deaths} workers in a row stopped answering over it and were "
            "replaced. Perhaps this server has too much to do: try fewer particles, a smaller "
            "batch or a smaller network, or the same again later."
        )
    return (
        f"This run ended {deaths} workers in a row, perhaps for want of memory: "
        "try fewer particles, a smaller batch or a smaller network."
    )


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
