"""Pieces of work in local processes, some of which are killed."""

import operator
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import wait
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest
from patience import PATIENCE as TIMEOUT
from patience import wait_until

from resviz.workers import LocalWorkers, NoWorkerError, WorkerDiedError, local, open_workers

ROOT = Path(__file__).parents[1]


class Gate:
    """A piece of work, `enter`, that lasts until it is let through."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.enter = path.read_text  # opening waits for a writer, and reading for its end
        self._path = path

    def wait_until_entered(self) -> None:
        """Return once a worker is at it: a writer is let in when there is a reader."""

        def entered() -> bool:
            try:
                self._writer = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return False
            return True

        wait_until(entered)

    def let_through(self) -> None:
        os.close(self._writer)


@pytest.fixture
def gates(tmp_path):
    return [Gate(tmp_path / f"gate {k}") for k in range(2)]


@pytest.fixture
def one():
    """One worker, which the test may kill."""
    with closing(LocalWorkers(1)) as workers:
        yield workers


@pytest.fixture
def two():
    with closing(LocalWorkers(2)) as workers:
        yield workers


# ---- pieces of the tests' own


def die_in_the_next_answer() -> None:
    """End the process when a part of it has been sent."""

    def begin_to_send(pipe: Connection, answer: bytes) -> None:
        os.write(pipe.fileno(), len(answer).to_bytes(4, "big") + answer[:1000])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection.send_bytes = begin_to_send


def die_unless(path: Path) -> None:
    if not path.exists():
        os._exit(3)


class UnsendableError(Exception):
    """Takes two arguments and hands one on, so that it cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def fail_unsendably() -> None:
    raise UnsendableError("a", "b")


# ---- there and back


def test_what_a_piece_gives_comes_back(two):
    assert two.slots == 2
    assert two.name == "2 local processes"
    assert two.submit(operator.add, 1, 2).result(TIMEOUT) == 3
    assert two.submit(bytes, 3_000_000).result(TIMEOUT) == bytes(3_000_000)


def test_what_a_piece_raises_comes_back_and_says_where(one):
    error = one.submit(operator.truediv, 1, 0).exception(TIMEOUT)
    assert isinstance(error, ZeroDivisionError)
    assert str(error) == "division by zero"
    assert "Traceback" in "".join(error.__notes__)


def test_what_cannot_be_sent_is_told_and_the_worker_lives(one):
    before = one.submit(os.getpid).result(TIMEOUT)
    assert "pickle" in str(one.submit(lambda: None).exception(TIMEOUT))
    assert "pickle" in str(one.submit(threading.Lock).exception(TIMEOUT))
    error = one.submit(fail_unsendably).exception(TIMEOUT)
    assert isinstance(error, RuntimeError)
    assert str(error) == "UnsendableError: ab"
    assert one.submit(os.getpid).result(TIMEOUT) == before


def test_pieces_beyond_the_slots_wait_in_line(one):
    done = []
    pieces = [one.submit(operator.neg, number) for number in range(100)]
    for piece in pieces:
        piece.add_done_callback(lambda piece: done.append(-piece.result()))
    wait(pieces, TIMEOUT)
    assert done == list(range(100))


def test_a_piece_goes_where_the_fewest_are(two, gates):
    held = two.submit(gates[0].enter)
    gates[0].wait_until_entered()
    others = {two.submit(os.getpid).result(TIMEOUT) for _ in range(5)}
    assert len(others) == 1
    gates[0].let_through()
    assert held.result(TIMEOUT) == ""


def test_a_cancelled_piece_stays_so(one, gates):
    held = one.submit(gates[0].enter)
    behind = [one.submit(operator.neg, number) for number in range(3)]
    assert behind[1].cancel()
    gates[0].wait_until_entered()
    gates[0].let_through()
    wait([held, *behind], TIMEOUT)
    assert [piece.cancelled() for piece in behind] == [False, True, False]
    assert behind[2].result() == -2


# ---- deaths


def test_a_killed_process_loses_its_own_pieces_alone(two, gates):
    # In turn: the first process has the first gate and what is behind it, the second the other.
    held = [two.submit(gate.enter) for gate in gates]
    behind = [two.submit(operator.neg, number) for number in range(4)]
    for gate in gates:
        gate.wait_until_entered()
    again = []
    held[0].add_done_callback(lambda _: again.append(two.submit(os.getpid)))
    victim, other = two.processes()
    os.kill(victim, signal.SIGKILL)
    lost = [piece.exception(TIMEOUT) for piece in (held[0], behind[0], behind[2])]
    assert all(isinstance(error, WorkerDiedError) for error in lost)
    assert [error.guilty for error in lost] == [True, False, False]
    assert str(lost[0]) == "A worker process was ended by SIGKILL over this piece of work."
    assert "before it came to this piece" in str(lost[1])
    wait_until(lambda: again)
    fresh = again[0].result(TIMEOUT)
    assert fresh not in (victim, other)
    assert two.processes() == [fresh, other]
    assert not behind[1].done()
    gates[1].let_through()
    assert [piece.result(TIMEOUT) for piece in (held[1], behind[1], behind[3])] == ["", -1, -3]
    os.close(gates[0]._writer)


def test_a_process_that_dies_in_the_midst_of_its_answer_is_not_waited_for(one):
    one.submit(die_in_the_next_answer).result(TIMEOUT)
    error = one.submit(bytes, 100_000).exception(TIMEOUT)
    assert isinstance(error, WorkerDiedError)
    assert error.guilty
    assert one.submit(operator.neg, 1).result(TIMEOUT) == -1


def test_a_process_that_ends_itself_is_told_by_its_code(one):
    assert "ended with exit code 7 over this" in str(one.submit(os._exit, 7).exception(TIMEOUT))


def test_a_warm_process_that_is_killed_at_rest_is_replaced_by_a_warm_one(tmp_path):
    warmed = tmp_path / "warmed"
    with closing(LocalWorkers(1, warmed.touch)) as workers:
        workers.wait_until_warm(TIMEOUT)
        warmed.unlink()  # raises if it is not there
        victim = workers.processes()
        os.kill(*victim, signal.SIGKILL)
        wait_until(warmed.exists)
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1
        assert workers.processes() != victim


def test_callbacks_may_hand_over_more_whatever_dies(two):
    """Every death is answered by two more pieces, from the threads that tell of it."""
    lock, errors, good = threading.Lock(), [], []
    over = threading.Event()

    def collect(piece) -> None:
        with lock:
            if error := piece.exception():
                errors.append(error)
                more = [os.getpid] * 2 if len(errors) > 10 else [partial(os._exit, 1), os.getpid]
            else:
                good.append(piece.result())
                more = []
            if len(errors) > 10 and len(good) > 10:
                over.set()
        for work in more:
            two.submit(work).add_done_callback(collect)

    for _ in range(4):
        two.submit(partial(os._exit, 1)).add_done_callback(collect)
    assert over.wait(TIMEOUT)
    assert all(isinstance(error, WorkerDiedError) for error in errors)


# ---- workers that hang


def loop() -> None:
    while True:
        pass


def test_a_stopped_process_is_ended_and_replaced(one):
    victim = one.submit(os.getpid).result(TIMEOUT)
    os.kill(victim, signal.SIGSTOP)
    held, behind = (one.submit(operator.neg, number, seconds=1) for number in range(2))
    error = held.exception(TIMEOUT)
    assert isinstance(error, WorkerDiedError)
    assert (error.guilty, error.hung) == (True, True)
    told = "A worker process did not come to an end within 1 s over this piece of work."
    assert str(error) == told
    error = behind.exception(TIMEOUT)
    assert (error.guilty, error.hung) == (False, True)
    assert one.submit(os.getpid, seconds=TIMEOUT).result(TIMEOUT) != victim


def test_an_endless_piece_is_ended_and_one_that_lasts_is_waited_for(two, gates):
    lasting = two.submit(gates[0].enter, seconds=TIMEOUT)
    gates[0].wait_until_entered()
    assert two.submit(loop, seconds=0.5).exception(TIMEOUT).hung
    gates[0].let_through()
    assert lasting.result(TIMEOUT) == ""


def test_waiting_behind_others_is_no_hanging(one, gates):
    """Each piece's time begins when the process comes to it."""
    held = one.submit(gates[0].enter)
    behind = one.submit(operator.neg, 1, seconds=30)
    (process,) = (slot.process for slot in one._slots)
    process.spend(1000.0)
    gates[0].wait_until_entered()
    gates[0].let_through()
    assert held.result(TIMEOUT) == ""
    assert behind.result(TIMEOUT) == -1


def test_no_time_passes_while_this_process_sleeps(one, gates, monkeypatch):
    """A laptop's night, or a server that was stopped and goes on, is no fault of a worker."""
    held = one.submit(gates[0].enter, seconds=100)
    gates[0].wait_until_entered()

    class Sleepy:
        """A clock by which each look comes an hour after the one before."""

        looks = 0

        def monotonic(self) -> float:
            self.looks += 1
            return 3600.0 * self.looks

    clock = Sleepy()
    monkeypatch.setattr(local, "time", clock)
    wait_until(lambda: clock.looks >= 4)
    monkeypatch.undo()
    gates[0].let_through()
    assert held.result(TIMEOUT) == ""


# ---- warming up


def test_a_death_in_warming_up_is_told_and_not_repeated(tmp_path):
    flag = tmp_path / "flag"
    with closing(LocalWorkers(1, partial(die_unless, flag))) as workers:
        with pytest.raises(WorkerDiedError, match="ended with exit code 3 while it warmed up"):
            workers.wait_until_warm(TIMEOUT)
        assert workers.processes() == []
        # No piece is at fault that was never begun.
        error = workers.submit(operator.neg, 1).exception(TIMEOUT)
        assert isinstance(error, WorkerDiedError)
        assert not error.guilty
        assert workers.processes() == []
        flag.touch()
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1
        workers.wait_until_warm(TIMEOUT)


def test_workers_that_can_never_be_started_are_told_for_good(tmp_path, monkeypatch):
    """So that whoever tries again and again comes to an end."""
    monkeypatch.setattr(local, "MOST_STILLBORN", 3)
    flag = tmp_path / "flag"
    with closing(LocalWorkers(1, partial(die_unless, flag))) as workers:
        errors = [workers.submit(operator.neg, 1).exception(TIMEOUT) for _ in range(4)]
        assert [type(error) for error in errors[-2:]] == [NoWorkerError, NoWorkerError]
        assert "no worker can be started on this server" in str(errors[-1])
        assert "ended with exit code 3 while it warmed up" in str(errors[-1])
        flag.touch()  # what was wrong is mended
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1
        # And forgotten: once more it takes as many.
        flag.unlink()
        os.kill(*workers.processes(), signal.SIGKILL)
        wait_until(lambda: workers.processes() == [])
        assert isinstance(workers.submit(operator.neg, 1).exception(TIMEOUT), WorkerDiedError)


def test_a_warm_up_that_hangs_is_ended(gates):
    told = "did not come to an end within 1 s while it warmed up"
    with (
        closing(LocalWorkers(1, gates[0].enter, warm_up_seconds=1.0)) as workers,
        pytest.raises(WorkerDiedError, match=told),
    ):
        workers.wait_until_warm(TIMEOUT)


def test_nobody_waits_for_warm_workers_for_ever(gates):
    workers = LocalWorkers(1, gates[0].enter)
    waiting = workers.submit(operator.neg, 1)
    gates[0].wait_until_entered()
    with pytest.raises(TimeoutError):
        workers.wait_until_warm(0.01)
    workers.close()  # at once: what warms up is not at any piece
    assert waiting.cancelled()
    gates[0].let_through()


def test_a_warm_up_that_raises_is_told_and_the_worker_works():
    with closing(LocalWorkers(1, partial(operator.truediv, 1, 0))) as workers:
        with pytest.raises(ZeroDivisionError):
            workers.wait_until_warm(TIMEOUT)
        assert workers.submit(operator.neg, 1).result(TIMEOUT) == -1


def test_a_process_that_cannot_be_started_fails_its_piece_and_no_other(one, monkeypatch):
    def no_memory(self) -> None:
        raise OSError("no memory for a process")

    with monkeypatch.context() as broken:
        broken.setattr(SpawnProcess, "start", no_memory)
        assert str(one.submit(operator.neg, 1).exception(0)) == "no memory for a process"
        with closing(LocalWorkers(1, os.getpid)) as warm:
            with pytest.raises(OSError, match="no memory"):
                warm.wait_until_warm(TIMEOUT)
            broken.undo()
            warm.submit(operator.neg, 1).result(TIMEOUT)
    assert one.submit(operator.neg, 1).result(TIMEOUT) == -1


# ---- the end


def test_closing_waits_for_what_is_worked_on_and_cancels_what_waits(one, gates, monkeypatch):
    monkeypatch.setattr(one, "_grace", TIMEOUT)
    held = one.submit(gates[0].enter)
    behind = [one.submit(operator.neg, number) for number in range(3)]
    gates[0].wait_until_entered()
    (worker,) = one.processes()
    closing_thread = threading.Thread(target=one.close)
    closing_thread.start()
    wait(behind, TIMEOUT)
    assert all(piece.cancelled() for piece in behind)
    assert not held.done()
    gates[0].let_through()
    closing_thread.join(TIMEOUT)
    assert held.result(0) == ""
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert one.submit(operator.neg, 1).cancelled()
    one.close()


def test_closing_ends_a_process_whatever_it_does(gates):
    for do in ("stopped", "looping", "warming up", "stopped while warming up"):
        warm_up = gates[1].enter if "warming" in do else None
        workers = LocalWorkers(2, warm_up, grace=0.1)
        piece = workers.submit(loop if do == "looping" else gates[0].enter)
        if "stopped" in do:
            for process in workers.processes():
                os.kill(process, signal.SIGSTOP)
        ended = workers.processes()
        workers.close()
        assert piece.done(), do
        for process in ended:
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)


def test_an_interrupt_is_not_for_the_workers(one, gates):
    held = one.submit(gates[0].enter)
    gates[0].wait_until_entered()
    os.kill(*one.processes(), signal.SIGINT)
    gates[0].let_through()
    assert held.result(TIMEOUT) == ""


def test_there_is_one_process_or_more():
    with pytest.raises(ValueError, match="count: 0 is not allowed; allowed is 1 or more"):
        LocalWorkers(0)


SCRIPT = """
import sys, os
sys.stderr.write('main runs\\n')
if __name__ == '__main__':
    from resviz.workers import open_workers
    workers = open_workers(1, os.getpid)
    workers.wait_until_warm(600)
    sys.stdout.write(f'{workers.submit(os.getpid).result(600)}\\n')
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path):
    """A process whose worker is at rest, and its worker's id."""
    script = tmp_path / "server.py"
    script.write_text(SCRIPT)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, script]
    with subprocess.Popen(command, text=True, env=environment, **streams) as process:
        yield process, int(process.stdout.readline())
        process.kill()


def test_workers_do_not_import_the_main_module_and_end_in_silence(server):
    """Even where nobody closes them."""
    process, _ = server
    _, told = process.communicate("", timeout=TIMEOUT)
    assert process.returncode == 0
    assert told == "main runs\n"


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks processes up by their id")
def test_workers_do_not_outlive_a_killed_parent(server):
    process, worker = server
    ended = os.pidfd_open(worker)
    process.kill()
    assert select.select([ended], [], [], TIMEOUT)[0]  # readable once it has ended
    os.close(ended)


def test_local_processes_are_the_default(monkeypatch):
    monkeypatch.delenv("RESVIZ_SCHEDULER", raising=False)
    with closing(open_workers()) as workers:
        assert isinstance(workers, LocalWorkers)
        assert workers.slots >= 1
