"""Where chunks of training run: in worker processes, never in the page's own.

A `Job` is one training under way. Its work is cut into chunks, each a pure function of
(spec, state), so that whoever watches stays responsive and everyone moves: a worker
that is free takes the next chunk in the queue, and a job has at most one chunk there.
Pausing is not asking for the next one. A chunk that died with its worker is taken again
from the same state.

Nothing here imports torch: the workers do, before anyone clicks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from enum import Enum
from multiprocessing import spawn
from multiprocessing.context import SpawnContext

from resviz.chunks import Chunk, Scoring, take_chunk, take_scores, warm_up
from resviz.processes import end_with_the_parent, own_cores
from resviz.records import Record, Run
from resviz.spec import RunSpec

LEASE_SECONDS = 5.0  # a job that nobody has asked after for so long gets no more chunks
STOPPING = "The server is stopping."
MOST_DEATHS = 3  # workers that one job may lose in a row before it is given up


class Phase(Enum):
    """Where a job stands."""

    RUNNING = "running"
    PAUSED = "paused"
    SCORING = "scoring"  # training has ended, or was stopped; the last scores are being taken
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job:
    """One training under way. Methods may be called from any thread and return at once."""

    def __init__(self, engine: Engine, spec: RunSpec, phase: Phase) -> None:
        self.spec = spec
        self._engine = engine
        self._lock = threading.Condition()
        self._phase = phase
        self._chunk: Chunk | None = None
        self._history: tuple[Record, ...] = ()
        self._scoring: Scoring | None = None
        self._run: Run | None = None
        self._failure: str | None = None
        self._busy = False
        self._deaths = 0
        self._asked = time.monotonic()
        self._trained_seconds = 0.0
        self._chunk_began = 0.0

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def chunk(self) -> Chunk | None:
        """The newest picture; None until the first is there."""
        return self._chunk

    @property
    def history(self) -> tuple[Record, ...]:
        return self._history

    @property
    def run(self) -> Run | None:
        """The finished run, once the phase is DONE."""
        return self._run

    @property
    def failure(self) -> str | None:
        """Why the phase is FAILED, as a sentence."""
        return self._failure

    @property
    def scored(self) -> float:
        """How much of the last scores is taken, from 0 to 1."""
        if self._scoring is None:
            return 0.0
        return len(self._scoring.measures.layers) / self.spec.depth

    @property
    def step(self) -> int:
        return self._chunk.state.step if self._chunk else 0

    @property
    def seconds_left(self) -> float | None:
        """How long the remaining steps take at the pace so far; None before there is one."""
        if not self.step or not self._trained_seconds:
            return None
        return (self.spec.steps - self.step) * self._trained_seconds / self.step

    def touch(self) -> None:
        """Say that somebody still watches: without it a job sleeps after a few seconds."""
        self._asked = time.monotonic()
        self._wake()

    def pause(self) -> None:
        """Ask for no more chunks; the one under way is still taken in."""
        self._move({Phase.RUNNING}, Phase.PAUSED)

    def resume(self) -> None:
        self._move({Phase.PAUSED}, Phase.RUNNING)

    def stop(self) -> None:
        """End training here and score what there is."""
        self._move({Phase.RUNNING, Phase.PAUSED}, Phase.SCORING)

    def cancel(self) -> None:
        """End it without a result."""
        self._move({Phase.RUNNING, Phase.PAUSED, Phase.SCORING}, Phase.CANCELLED)

    def wait_until(self, reached: Callable[[Job], bool], timeout: float) -> bool:
        """Watch until `reached(self)` or `timeout` seconds are over; whether it was reached."""
        end = time.monotonic() + timeout
        while not reached(self) and time.monotonic() < end:
            self.touch()
            with self._lock:
                self._lock.wait_for(lambda: reached(self), min(1.0, LEASE_SECONDS / 2))
        return reached(self)

    def _move(self, origins: set[Phase], phase: Phase) -> None:
        with self._lock:
            if self._phase in origins:
                self._phase = phase
                self._lock.notify_all()
        self._asked = time.monotonic()
        self._wake()

    def _wake(self) -> None:
        """Ask the engine for the next piece of work, if there is one and none is under way."""
        with self._lock:
            asleep = time.monotonic() - self._asked > LEASE_SECONDS
            first_look = self._phase is Phase.PAUSED and self._chunk is None
            wanted = self._phase in (Phase.RUNNING, Phase.SCORING) or first_look
            if self._busy or asleep or not wanted:
                return
            self._busy = True
        self._engine._enqueue(self)

    def _work(self) -> tuple[Callable[..., Chunk | Scoring], tuple[object, ...]]:
        """The next piece: a function and its arguments, chosen when a worker is free."""
        with self._lock:
            self._chunk_began = time.perf_counter()
            if self._phase is Phase.SCORING and self._chunk is not None:
                return take_scores, (self.spec, self._chunk.state, self._history, self._scoring)
            last_recorded = self._history[-1].step if self._history else -1
            return take_chunk, (self.spec, self._chunk, last_recorded)

    def _take(self, result: Chunk | Scoring) -> None:
        with self._lock:
            self._busy, self._deaths = False, 0
            self._lock.notify_all()
            if self._phase is Phase.CANCELLED:
                return
            if isinstance(result, Scoring):
                self._scoring, self._run = result, result.run
                self._phase = Phase.DONE if result.run else Phase.SCORING
            else:
                self._take_chunk(result)
        self._wake()

    def _take_chunk(self, chunk: Chunk) -> None:
        if self._chunk:
            self._trained_seconds += time.perf_counter() - self._chunk_began
        self._chunk = chunk
        self._history += chunk.records
        ended = chunk.state.step >= self.spec.steps or chunk.state.diverged is not None
        if ended and self._phase in (Phase.RUNNING, Phase.PAUSED):
            self._phase = Phase.SCORING

    def _fail(self, sentence: str) -> None:
        with self._lock:
            self._busy = False
            if self._phase is not Phase.CANCELLED:
                self._phase, self._failure = Phase.FAILED, sentence
            self._lock.notify_all()

    def _lost_worker(self) -> bool:
        """Count a death; whether the same piece may be tried again."""
        with self._lock:
            self._deaths += 1
            return self._deaths < MOST_DEATHS


class Engine:
    """Workers, each a process of its own, and one queue of jobs that want a chunk.

    One executor a worker: a killed process breaks its whole executor, and so takes
    only its own chunk with it.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or max(1, own_cores() - 1)
        self._lock = threading.Lock()
        self._queue: deque[Job] = deque()
        self._closed = False
        self._free = [_worker() for _ in range(self.workers)]
        self._all = list(self._free)
        self._warm = [_submit(executor, warm_up) for executor in self._free]

    def start(self, spec: RunSpec) -> Job:
        """Train `spec` from its first step."""
        return self._open(spec, Phase.RUNNING)

    def prepare(self, spec: RunSpec) -> Job:
        """The untrained network of `spec`, paused before its first step."""
        return self._open(spec, Phase.PAUSED)

    def wait_until_warm(self, timeout: float | None = None) -> None:
        """Return once every worker has loaded what it needs."""
        for future in self._warm:
            future.result(timeout)

    def close(self) -> None:
        """End the workers once their present chunk is done; every job fails with a sentence."""
        with self._lock:
            self._closed = True
            waiting, executors = list(self._queue), list(self._all)
            self._queue.clear()
        for job in waiting:
            job._fail(STOPPING)
        for executor in executors:
            executor.shutdown(wait=True, cancel_futures=True)

    def _open(self, spec: RunSpec, phase: Phase) -> Job:
        job = Job(self, spec, phase)
        job._wake()
        return job

    def _enqueue(self, job: Job) -> None:
        with self._lock:
            closed = self._closed
            if not closed:
                self._queue.append(job)
        if closed:
            job._fail(STOPPING)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give the longest-waiting jobs to the free workers."""
        while True:
            with self._lock:
                if self._closed or not self._queue or not self._free:
                    return
                job = self._queue.popleft()
                if job.phase is Phase.CANCELLED:
                    continue
                executor = self._free.pop()
            self._send(job, executor)

    def _send(self, job: Job, executor: ProcessPoolExecutor) -> None:
        work, arguments = job._work()
        try:
            future = _submit(executor, work, *arguments)
        except Exception as reason:  # a dead pool, no memory for a process, a closed engine
            future = Future()
            future.set_exception(reason)
        future.add_done_callback(lambda done: self._collect(job, executor, done))

    def _collect(
        self, job: Job, executor: ProcessPoolExecutor, done: Future[Chunk | Scoring]
    ) -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        dead = isinstance(error, BrokenProcessPool)
        with self._lock:
            closed = self._closed
            if dead and not closed:
                self._all.remove(executor)
                executor = _worker()
                self._all.append(executor)
            self._free.append(executor)
        if closed:
            job._fail(STOPPING)
        elif dead and job._lost_worker():
            self._enqueue(job)
        elif dead:
            job._fail(
                f"This run ended {MOST_DEATHS} workers in a row, perhaps for want of memory: "
                "try fewer particles, a smaller batch or a smaller network."
            )
        elif error:
            job._fail(f"This run could not go on: {error or type(error).__name__}.")
        else:
            job._take(done.result())
        self._dispatch()


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=1, mp_context=SpawnContext(), initializer=end_with_the_parent
    )


_submitting = threading.Lock()


def _submit(executor: ProcessPoolExecutor, work: Callable, *arguments: object) -> Future:
    """Submit; the process that this may start does not import the server's main module."""
    with _submitting, _main_left_alone():
        return executor.submit(work, *arguments)


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """Strip the main module from what a spawned child is told to import.

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


_engine: Engine | None = None
_engine_lock = threading.Lock()


def shared_engine() -> Engine:
    """The process's one engine, started at the first call (the server's start, in the app)."""
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = Engine()
        return _engine


def close_shared_engine() -> None:
    """End the shared engine's workers; the next `shared_engine` starts new ones."""
    global _engine
    with _engine_lock:
        engine, _engine = _engine, None
    if engine:
        engine.close()
