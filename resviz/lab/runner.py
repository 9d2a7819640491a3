"""Every run that a lab's file lacks, on all cores or a cluster, each appended as it comes."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from resviz.lab.design import Lab
from resviz.lab.journal import Journal, alone, mend, read
from resviz.lab.rows import OtherRowsError, Row, take_row, to_line
from resviz.processes import MOST_WORKERS, own_cores
from resviz.spec import RunSpec
from resviz.workers import WorkerDiedError, Workers, open_workers
from resviz.workers.local import begin_quietly

LOOK_SECONDS = 0.2  # between two looks whether to stop
MOST_DEATHS = 3  # workers that die in a row, and not a single row comes in between
# Of a run whose worker hangs: the default one, of 1e9 units, has half an hour.
LEAST_PATIENCE, SECONDS_A_UNIT, SCORING_UNITS = 600.0, 1e-6, 100


def carry_out(
    lab: Lab,
    path: Path,
    workers: int | None = None,
    on_row: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
    on_note: Callable[[str], None] = lambda note: None,
) -> dict[RunSpec, Row]:
    """The rows of every run of `lab`, those that `path` lacks run and appended to it.

    `on_row` is told how many of how many are there, at the beginning and after each. The
    first row of a file that is resumed is run again: rows that other code made, or another
    machine, would not compare. A last row that was cut off in the writing is dropped, which
    `on_note` is told, and run again.

    Once `stop` says so, which is asked whenever a signal or a row comes in, the rows that are
    done are written, the others' workers are ended, and `KeyboardInterrupt` is raised.

    Raises `OtherRowsError` if `path` holds something else, or rows of other code, `BusyError` if
    another lab is at work on it, `OSError` if a row cannot be written, and `RuntimeError` if
    workers die again and again.
    """
    with alone(path):
        rows, specs = read(path), [spec for _, spec in lab.runs()]
        missing = [spec for spec in specs if spec not in rows]
        count = workers or min(own_cores(), MOST_WORKERS)
        with closing(open_workers(count, begin=_begin_worker)) as pool:
            try:
                if rows:
                    _check_first(path, next(iter(rows.values())), pool, stop)
                if mend(path):
                    on_note(f"{path}: its last row was cut off in the writing, and is run again")
                on_row(len(specs) - len(missing), len(specs))
                with closing(Journal(path)) as journal:
                    there = len(specs) - len(missing)
                    for done, row in enumerate(_rows_of(missing, pool, stop), there + 1):
                        rows[row.spec] = journal.add(row)
                        on_row(done, len(specs))
            except BaseException:
                _end(pool)  # else it would be waited for what nobody will read
                raise
    return {spec: rows[spec] for spec in specs}


def _check_first(path: Path, first: Row, pool: Workers, stop: Callable[[], bool]) -> None:
    """Refuse rows that this code would not make on this machine."""
    (again,) = _rows_of([first.spec], pool, stop)
    if to_line(again) != to_line(first):
        raise OtherRowsError(
            f"{path}: its first row is not what this code gives on this machine; move the file "
            "away to run the lab anew"
        )


def _rows_of(specs: Sequence[RunSpec], workers: Workers, stop: Callable[[], bool]) -> Iterator[Row]:
    """The rows as they come, in no order; `KeyboardInterrupt` after those that are done.

    No more runs are handed over than can be worked on: none waits behind a long one while
    another worker is free. One that its worker died over is tried again when all others are
    done.
    """
    left, running, deaths = deque(specs), {}, 0
    while left or running:
        while left and len(running) < workers.slots and not stop():
            spec = left.popleft()
            with _signals_held():
                running[workers.submit(take_row, spec, seconds=patience(spec))] = spec
        for future in _done(running, stop):
            spec = running.pop(future)
            try:
                row = future.result()
            except WorkerDiedError as death:
                left.append(spec)
                deaths += death.guilty
                if deaths == MOST_DEATHS and not stop():
                    raise RuntimeError(
                        f"workers died {deaths} times in a row, perhaps for want of memory: "
                        f"{len(left) + len(running)} runs are left; the rest is on file"
                    ) from None
            else:
                deaths = 0
                yield row
        if stop():
            raise KeyboardInterrupt


def _done(running: Collection[Future[Row]], stop: Callable[[], bool]) -> set[Future[Row]]:
    """What is done, as soon as anything is, or when it is to stop."""
    while True:
        done = wait(running, LOOK_SECONDS, return_when=FIRST_COMPLETED).done
        if done or stop():
            return done


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process that is started here is never told of Ctrl-C, not even in its first moments.

    What comes for us meanwhile is there afterwards. Where there are no masks, as on Windows, a
    worker that has begun ignores it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: Workers) -> None:
    """End the workers in the midst of their work."""
    for pid in pool.processes():
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def patience(spec: RunSpec) -> float:
    """Seconds after which a worker that is at this run hangs: far more than any machine takes.

    A run of the default settings takes some seconds, and ten times as long with the dearest
    distance; scores grow with the square of the particles, and each layer has its own.
    """
    training = spec.steps * spec.batch * spec.depth * (spec.width + spec.batch)
    scoring = spec.depth * spec.particles**2
    return LEAST_PATIENCE + SECONDS_A_UNIT * (training + SCORING_UNITS * scoring)


def _begin_worker() -> None:
    """In a worker: an interrupt is the lab's affair, whose end ends it, too."""
    begin_quietly()
