"""Every run that a lab's file lacks, on all cores, each appended as it comes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

from resviz.lab.design import Lab
from resviz.lab.rows import OtherRowsError, Row, from_line, mend, read, take_row, to_line
from resviz.processes import MOST_WORKERS, end_with_the_parent, own_cores
from resviz.spec import RunSpec

# A worker that was killed takes the pool with it; what was not done is given to a new one.
MOST_DEATHS = 3  # pools in a row that end without a single row


def carry_out(
    lab: Lab,
    path: Path,
    workers: int | None = None,
    on_row: Callable[[int, int], None] = lambda done, total: None,
) -> dict[RunSpec, Row]:
    """The rows of every run of `lab`, those that `path` lacks run and appended to it.

    `on_row` is told how many of how many are there, at the beginning and after each. The
    first row of a file that is resumed is run again: rows that other code made, or another
    machine, would not compare.

    Raises `OtherRowsError` if `path` holds something else, or rows of other code, and
    `RuntimeError` if workers die again and again.
    """
    rows, specs = read(path), [spec for _, spec in lab.runs()]
    if rows:
        first = next(iter(rows.values()))
        if to_line(take_row(first.spec)) != to_line(first):
            raise OtherRowsError(
                f"{path}: its first row is not what this code gives on this machine; move the "
                "file away to run the lab anew"
            )
    mend(path)
    missing = [spec for spec in specs if spec not in rows]
    on_row(len(specs) - len(missing), len(specs))
    new_rows = _rows_of(missing, workers or min(own_cores(), MOST_WORKERS))
    with path.open("a", encoding="utf-8") as file, closing(new_rows):
        for done, row in enumerate(new_rows, len(specs) - len(missing) + 1):
            line = to_line(row)
            file.write(line + "\n")
            file.flush()
            rows[row.spec] = from_line(line)  # with six digits: the same as after a resumption
            on_row(done, len(specs))
    return {spec: rows[spec] for spec in specs}


def _rows_of(specs: Sequence[RunSpec], workers: int) -> Iterator[Row]:
    """The rows as they come, in no order."""
    left, deaths = dict.fromkeys(specs), 0
    # Forked children would share the parent's threads' locks.
    context = multiprocessing.get_context("spawn")
    while left:
        with ProcessPoolExecutor(workers, context, _begin_worker) as pool:
            try:
                for row in _in_turn(pool, list(left), 2 * workers):
                    deaths = 0
                    del left[row.spec]
                    yield row
            except BrokenProcessPool:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise RuntimeError(
                        f"workers died {deaths} times in a row, perhaps for want of memory: "
                        f"{len(left)} runs are left; the rest is on file"
                    ) from None
            finally:
                pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """In a worker: an interrupt ends it in silence, and so does the end of the lab."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_the_parent()


def _in_turn(pool: ProcessPoolExecutor, specs: Sequence[RunSpec], ahead: int) -> Iterator[Row]:
    """Few runs at a time are handed over, so that an interrupt waits for few."""
    waiting, running = list(reversed(specs)), set()
    while waiting or running:
        while waiting and len(running) < ahead:
            running.add(pool.submit(take_row, waiting.pop()))
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
