"""Every run that a lab's file lacks, on all cores or a cluster, each appended as it comes."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import closing
from pathlib import Path

from resviz.lab.design import Lab
from resviz.lab.rows import OtherRowsError, Row, from_line, mend, read, take_row, to_line
from resviz.processes import MOST_WORKERS, end_with_the_parent, own_cores
from resviz.spec import RunSpec
from resviz.workers import WorkerDiedError, Workers, open_workers

MOST_DEATHS = 3  # workers that die in a row, and not a single row comes in between
# Of a run whose worker hangs: the default one, of 1e9 units, has half an hour.
LEAST_PATIENCE, SECONDS_A_UNIT, SCORING_UNITS = 600.0, 1e-6, 100


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
    missing = [spec for spec in specs if spec not in rows]
    count = workers or min(own_cores(), MOST_WORKERS)
    with closing(open_workers(count, begin=_begin_worker)) as pool:
        if rows:
            first = next(iter(rows.values()))
            again = next(_rows_of([first.spec], pool))
            if to_line(again) != to_line(first):
                raise OtherRowsError(
                    f"{path}: its first row is not what this code gives on this machine; move "
                    "the file away to run the lab anew"
                )
        mend(path)
        on_row(len(specs) - len(missing), len(specs))
        with path.open("a", encoding="utf-8") as file:
            for done, row in enumerate(_rows_of(missing, pool), len(specs) - len(missing) + 1):
                line = to_line(row)
                file.write(line + "\n")
                file.flush()
                rows[row.spec] = from_line(line)  # with six digits: as after a resumption
                on_row(done, len(specs))
    return {spec: rows[spec] for spec in specs}


def _rows_of(specs: Sequence[RunSpec], workers: Workers) -> Iterator[Row]:
    """The rows as they come, in no order.

    No more runs are handed over than can be worked on: none waits behind a long one while
    another worker is free, and an interrupt waits for few. One that its worker died over is
    tried again when all others are done.
    """
    left, running, deaths = deque(specs), {}, 0
    while left or running:
        while left and len(running) < workers.slots:
            spec = left.popleft()
            running[workers.submit(take_row, spec, seconds=patience(spec))] = spec
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            spec = running.pop(future)
            try:
                row = future.result()
            except WorkerDiedError as death:
                left.append(spec)
                deaths += death.guilty
                if deaths == MOST_DEATHS:
                    raise RuntimeError(
                        f"workers died {deaths} times in a row, perhaps for want of memory: "
                        f"{len(left) + len(running)} runs are left; the rest is on file"
                    ) from None
            else:
                deaths = 0
                yield row


def patience(spec: RunSpec) -> float:
    """Seconds after which a worker that is at this run hangs: far more than any machine takes.

    A run of the default settings takes some seconds, and ten times as long with the dearest
    distance; scores grow with the square of the particles, and each layer has its own.
    """
    training = spec.steps * spec.batch * spec.depth * (spec.width + spec.batch)
    scoring = spec.depth * spec.particles**2
    return LEAST_PATIENCE + SECONDS_A_UNIT * (training + SCORING_UNITS * scoring)


def _begin_worker() -> None:
    """In a worker: an interrupt ends it in silence, and so does the end of the lab."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_the_parent()
