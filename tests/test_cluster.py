"""Pieces of work in a real Dask cluster, some of whose workers are killed."""

import dataclasses
import json
import logging
import operator
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import wait
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE as TIMEOUT
from patience import wait_until
from test_workers import Gate, UnsendableError, fail_unsendably

from resviz.chunks import take_chunk, warm_up
from resviz.lab.design import grid
from resviz.lab.rows import to_line
from resviz.lab.runner import carry_out
from resviz.spec import RunSpec
from resviz.workers import LocalWorkers, WorkerDiedError, open_workers

ROOT = Path(__file__).parents[1]
PATHS = (str(ROOT), str(ROOT / "tests"))
SMALL = RunSpec(depth=4, width=8, steps=300, batch=32, particles=40)
TINY = {"depth": 2, "width": 4, "batch": 16, "steps": 10, "particles": 20}


class Cluster:
    """A scheduler and workers as processes of this machine, one for each number of threads."""

    def __init__(self, folder: Path, threads: tuple[int, ...], **settings: str) -> None:
        self._folder, self._settings, self._processes = folder, settings, []
        told = folder / "scheduler.json"
        self.scheduler = self._begin("scheduler", "--port=0", f"--scheduler-file={told}")
        wait_until(lambda: told.exists() and told.read_text().endswith("}"))
        self.address = json.loads(told.read_text())["address"]
        common = [self.address, "--no-nanny", f"--local-directory={folder}"]
        self.workers = [self._begin("worker", *common, f"--nthreads={n}") for n in threads]
        self.threads = sum(threads)

    def open(self, warm_up=None):
        """Workers of this cluster, when all have come."""
        workers = open_workers(1, warm_up, self.address)
        wait_until(lambda: workers.slots == self.threads)
        return workers

    def end(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _begin(self, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard", "--host=127.0.0.1"]
        with (self._folder / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)} | self._settings,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process


@contextmanager
def cluster_of(folder: Path, *threads: int, **settings: str):
    with ExitStack() as stack:
        cluster = Cluster(folder, threads, **settings)
        stack.callback(cluster.end)
        yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers, one of them with two threads."""
    with cluster_of(tmp_path_factory.mktemp("cluster"), 1, 2) as cluster:
        yield cluster


def train(workers, specs, on_piece=lambda: None):
    """The finished state of each, all trained at once, a piece after the other."""
    chunks, recorded = {}, dict.fromkeys(specs, -1)
    pieces = {workers.submit(take_chunk, spec, None): spec for spec in specs}
    while pieces:
        for piece in wait(pieces, TIMEOUT, "FIRST_COMPLETED").done:
            spec = pieces.pop(piece)
            chunk = chunks[spec] = piece.result()
            if chunk.record:
                recorded[spec] = chunk.record.step
            if chunk.state.step < spec.steps:
                following = (spec, chunk.state, chunk.plan, recorded[spec])
                pieces[workers.submit(take_chunk, *following)] = spec
            on_piece()
    return {spec: chunk.state for spec, chunk in chunks.items()}


def assert_trained_here(states) -> None:
    """Bit for bit what training in this process gives."""
    from resviz.training import advance, initial_state

    for spec, state in states.items():
        here = advance(spec, initial_state(spec), spec.steps)
        for field in dataclasses.fields(here):
            assert np.array_equal(getattr(state, field.name), getattr(here, field.name)), field


@pytest.mark.slow
def test_pieces_run_on_every_worker_and_come_back(cluster):
    with closing(cluster.open()) as workers:
        assert workers.name == f"the Dask cluster at {cluster.address}"
        seen = set()

        def everywhere() -> bool:
            pieces = [workers.submit(os.getpid) for _ in range(6)]
            seen.update(piece.result(TIMEOUT) for piece in pieces)
            return seen == {worker.pid for worker in cluster.workers}

        wait_until(everywhere)
        assert workers.submit(bytes, 3_000_000).result(TIMEOUT) == bytes(3_000_000)
        with pytest.raises(ZeroDivisionError):
            workers.submit(operator.truediv, 1, 0).result(TIMEOUT)
        assert "pickle" in str(workers.submit(lambda: None).exception(TIMEOUT))
        assert "pickle" in str(workers.submit(threading.Lock).exception(TIMEOUT))
        with pytest.raises(UnsendableError):  # Dask knows how
            workers.submit(fail_unsendably).result(TIMEOUT)
        with pytest.raises(FileNotFoundError):  # of the work, not of the way to it
            workers.submit(os.stat, "/no/such/file").result(TIMEOUT)


@pytest.mark.slow
def test_training_in_a_cluster_changes_no_bit(cluster):
    specs = [
        dataclasses.replace(SMALL, seed=seed, width=width) for seed in (0, 1) for width in (8, 64)
    ]
    with closing(cluster.open(warm_up)) as workers:
        workers.wait_until_warm(TIMEOUT)
        assert_trained_here(train(workers, specs))


@pytest.mark.slow
def test_a_lab_in_a_cluster_has_the_same_rows(cluster, tmp_path, monkeypatch):
    lab = grid(TINY, ["network=residual,plain"], 4)
    here = carry_out(lab, tmp_path / "here.jsonl", 1)
    monkeypatch.setenv("RESVIZ_SCHEDULER", cluster.address)
    there = carry_out(lab, tmp_path / "there.jsonl", 1)
    assert list(map(to_line, there.values())) == list(map(to_line, here.values()))
    # And it is resumed there.
    assert carry_out(lab, tmp_path / "there.jsonl", 1).keys() == there.keys()


@pytest.mark.slow
def test_closing_cancels_what_is_not_done_and_leaves_the_cluster(cluster, tmp_path):
    gate = Gate(tmp_path / "gate")
    workers = cluster.open()
    held = workers.submit(gate.enter)
    gate.wait_until_entered()
    workers.close()
    assert wait([held], TIMEOUT).done
    assert held.cancelled()
    assert workers.submit(operator.neg, 1).cancelled()
    with closing(cluster.open()) as workers:
        gate.let_through()
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1


@pytest.mark.slow
def test_a_killed_worker_costs_no_bit(tmp_path):
    specs = [dataclasses.replace(SMALL, seed=seed) for seed in range(4)]
    with cluster_of(tmp_path, 1, 1) as cluster, closing(cluster.open(warm_up)) as workers:
        workers.wait_until_warm(TIMEOUT)
        victim, pieces = cluster.workers[0], []

        def kill_one() -> None:
            pieces.append(True)
            if len(pieces) >= 6 and victim.poll() is None:
                wait_until(lambda: all(workers._client.processing().values()))  # in mid-work
                victim.kill()
                victim.wait()

        assert_trained_here(train(workers, specs, kill_one))
        assert victim.returncode == -signal.SIGKILL
        wait_until(lambda: workers.slots == 1)


@pytest.mark.slow
def test_a_stopped_worker_is_struck_off_and_its_pieces_go_to_another(tmp_path):
    with cluster_of(tmp_path, 1, 1) as cluster, closing(cluster.open()) as workers:
        pids = {workers.submit(os.getpid).result(TIMEOUT) for _ in range(10)}
        victim = next(worker for worker in cluster.workers if worker.pid in pids)
        os.kill(victim.pid, signal.SIGSTOP)
        pieces = [workers.submit(os.getpid, seconds=1.0) for _ in range(8)]
        errors = [piece.exception(TIMEOUT) for piece in pieces]
        lost = [error for error in errors if error]
        assert lost
        assert all(isinstance(error, WorkerDiedError) and error.hung for error in lost)
        wait_until(lambda: workers.slots == 1)
        assert workers.submit(os.getpid, seconds=TIMEOUT).result(TIMEOUT) != victim.pid


@pytest.mark.slow
def test_what_a_cluster_cannot_save_fails_with_a_sentence(tmp_path):
    strict = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with cluster_of(tmp_path, 1, **strict) as cluster, closing(cluster.open()) as workers:
        error = workers.submit(os._exit, 1).exception(TIMEOUT)
        assert isinstance(error, WorkerDiedError)
        assert error.guilty
        assert str(error).startswith(f"1 worker of {workers.name} died over this piece of work")
        assert workers.slots == 1  # none, but one may come
        waiting = workers.submit(operator.neg, 1)
        cluster.scheduler.kill()
        error = waiting.exception(TIMEOUT)
        assert isinstance(error, WorkerDiedError)
        assert not error.guilty
        assert str(error) == f"A piece of work was lost by {workers.name}."
        # It is looked for once more before it is given up.
        errors = []

        def given_up() -> bool:
            errors.append(workers.submit(operator.neg, 1).exception(TIMEOUT))
            return isinstance(errors[-1], ConnectionError)

        wait_until(given_up)
        assert "was lost and did not come back: start it, then this program anew" in str(errors[-1])
        assert not any(error.guilty for error in errors[:-1])


@pytest.mark.slow
def test_without_its_scheduler_the_work_is_done_here(caplog):
    with (
        caplog.at_level(logging.WARNING, "resviz"),
        closing(open_workers(1, scheduler="tcp://127.0.0.1:1")) as workers,
    ):
        assert isinstance(workers, LocalWorkers)
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1
    (told,) = (record.getMessage() for record in caplog.records if record.name == "resviz")
    assert told.startswith("The Dask cluster at tcp://127.0.0.1:1 cannot be reached (Timed out")
    assert told.endswith(
        "start its scheduler, or correct or unset RESVIZ_SCHEDULER. "
        "Until then local processes do the work."
    )


@pytest.mark.parametrize("address", ["tcp://nowhere", "nonsense://host:1", "here"])
def test_an_address_that_is_none_is_told_at_once(address, caplog):
    with closing(open_workers(1, scheduler=address)) as workers:
        assert isinstance(workers, LocalWorkers)
    assert f"The Dask cluster at {address} cannot be reached" in caplog.text


def test_without_dask_the_work_is_done_here(monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "resviz.workers.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setenv("RESVIZ_SCHEDULER", "tcp://127.0.0.1:1")
    with closing(open_workers(1)) as workers:
        assert isinstance(workers, LocalWorkers)
    assert "without the package distributed: pip install distributed" in caplog.text
