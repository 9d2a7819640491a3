"""Workers of a Dask cluster that runs already.

Start it in an environment with this package, of the same versions as here, scheduler and
workers alike:

    python -m dask scheduler
    python -m dask worker tcp://<host>:8786 --nthreads 1 --nworkers <cores>

and name the scheduler in the environment variable `RESVIZ_SCHEDULER`.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from distributed import Client, KilledWorker, Scheduler, Worker, WorkerPlugin
from distributed import Future as RemoteFuture
from distributed.client import ClosedClientError
from distributed.comm import get_address_host_port

from resviz.workers.interface import WorkerDiedError
from resviz.workers.promises import drop, settle

CONNECT_SECONDS = 5.0  # for the scheduler to answer, at first and after it was lost
LOOK_SECONDS = 0.5  # between looks whether it was lost for good
# Pieces that a worker has at most, since as many again as can be worked on are handed over: Dask
# does not say when it began one.
AT_A_WORKER = 2


class ClusterWorkers:
    """The workers of the Dask scheduler at `address`; see `Workers`.

    Dask itself gives a piece whose worker died to another one. Only what lost more workers
    than the scheduler's setting `allowed-failures` is handed back, and then all that those
    workers had count as guilty: Dask does not say which one they were at.

    A worker that does not come to an end of a piece in time is struck off, and Dask gives what
    it had to others. It cannot be killed from here: one that goes on after all is told to end,
    and with a nanny begins anew.

    A worker of several threads gives the same bits as one of one thread: the number of
    threads that torch may use is each thread's own. But the threads wait for each other
    where Python is at work.

    Raises `OSError` or `ValueError` if the scheduler cannot be reached.
    """

    def __init__(self, address: str, warm_up: Callable[[], object] | None = None) -> None:
        get_address_host_port(address)  # a client of no address at all would not even close
        self.name = f"the Dask cluster at {address}"
        self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        self._loop: asyncio.AbstractEventLoop = self._client.loop.asyncio_loop
        self._lock = threading.Lock()
        self._closed = False
        self._undone: dict[Future, Future] = {}  # and what brings it
        self._struck = 0.0  # when a worker was last struck off
        self._watch = asyncio.run_coroutine_threadsafe(self._watch_the_client(), self._loop)
        self._warm: Future[Any] | None = None
        if warm_up:
            self._warm = asyncio.run_coroutine_threadsafe(self._warm_all(warm_up), self._loop)

    @property
    def slots(self) -> int:
        # Asking the scheduler takes a round trip; the client does so every two seconds.
        return max(1, self._client._scheduler_identity.get("total_threads", 1))

    def submit(
        self, work: Callable[..., Any], *arguments: object, seconds: float | None = None
    ) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            # As bytes: else Dask looks through the arguments for what it might know.
            piece = pickle.dumps((work, arguments), pickle.HIGHEST_PROTOCOL)
            key = f"{getattr(work, '__name__', 'work')}-{uuid.uuid4()}"
            with self._lock:
                if self._closed:
                    drop(future)
                    return future
                remote = self._client.submit(_carry_out, piece, key=key, pure=False)
                patience = None if seconds is None else AT_A_WORKER * seconds
                bring = self._bring(remote, future, patience)
                bringing = asyncio.run_coroutine_threadsafe(bring, self._loop)
                self._undone[future] = bringing
        except ClosedClientError:
            told = f"{self.name} was lost and did not come back: start it, then this program anew"
            settle(future, False, ConnectionError(told))
        except Exception as reason:  # it cannot be pickled
            settle(future, False, reason)
        return future

    def wait_until_warm(self, timeout: float | None = None) -> None:
        if self._warm:
            self._warm.result(timeout)

    def processes(self) -> list[int]:
        """None: they are the cluster's."""
        return []

    def close(self) -> None:
        """Cancel what is not done and leave the cluster, which goes on.

        What is being worked on is not waited for: no process of ours would be cut short, and
        nobody could be given the result.
        """
        with self._lock:
            self._closed = True
        for future in self._give_up():
            drop(future)
        self._watch.cancel()
        if self._warm:
            self._warm.cancel()
        self._client.close()

    def _give_up(self) -> list[Future]:
        """What is not done, which nobody is to bring any more."""
        with self._lock:
            undone = dict(self._undone)
            self._undone.clear()
        for bringing in undone.values():
            bringing.cancel()
        return list(undone)

    async def _watch_the_client(self) -> None:
        """Tell of what was submitted while the client closed by itself: Dask forgets it."""
        while self._client.status != "closed":
            await asyncio.sleep(LOOK_SECONDS)
        for future in self._give_up():
            settle(future, False, self._lost())

    def _lost(self) -> WorkerDiedError:
        return WorkerDiedError(f"A piece of work was lost by {self.name}.", guilty=False)

    async def _warm_all(self, warm_up: Callable[[], object]) -> None:
        await self._client.register_plugin(_WarmUp(warm_up))

    async def _bring(self, remote: RemoteFuture, future: Future, patience: float | None) -> None:
        """Settle `future` with what comes of `remote`, or with its loss if that takes too long."""
        answer = None
        try:
            gathering = asyncio.ensure_future(self._client.gather(remote, asynchronous=True))
            if await self._in_time(gathering, patience):
                answer = gathering.result()
            else:
                gathering.add_done_callback(_heed)
                await self._strike_off(remote)
        except KilledWorker as reason:
            deaths = reason.allowed_failures + 1
            told = (
                f"{deaths} worker{'s' if deaths > 1 else ''} of {self.name} died over this piece "
                f"of work, the last at {reason.last_worker.address}."
            )
            good, value = False, WorkerDiedError(told, guilty=True)
        except Exception as reason:
            good, value = False, reason
            if remote.status != "error":  # the piece raised nothing: it was lost on the way
                value = self._lost()
        else:
            if answer is None:
                told = f"A worker of {self.name} did not come to an end within {patience:.0f} s."
                good, value = False, WorkerDiedError(told, guilty=True, hung=True)
            else:
                good, value = _read(answer)
        with self._lock:
            mine = self._undone.pop(future, None)
        if mine:
            settle(future, good, value)

    async def _in_time(self, gathering: asyncio.Future, patience: float | None) -> bool:
        """Whether it comes in time, which begins anew where another worker was struck off."""
        done: object = None
        while not done:
            began = self._loop.time()
            done, _ = await asyncio.wait([gathering], timeout=patience)
            if not done and self._struck <= began:
                self._struck = self._loop.time()
                return False
        return True

    async def _strike_off(self, remote: RemoteFuture) -> None:
        """Have the scheduler do without the worker that has this piece."""
        with suppress(Exception):  # it is lost either way, and whoever hands it over again is told
            strike = self._client.run_on_scheduler(_strike_off_worker_of, remote.key)
            await asyncio.wait_for(strike, CONNECT_SECONDS)
        with suppress(Exception):
            await asyncio.wait_for(remote.cancel(asynchronous=True), CONNECT_SECONDS)


class _WarmUp(WorkerPlugin):
    """Warms every worker up, those that come later, too, in a thread that pieces wait for."""

    name = "resviz-warm-up"

    def __init__(self, warm_up: Callable[[], object]) -> None:
        self._warm_up = warm_up

    async def setup(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(worker.executors["default"], self._warm_up)


def _heed(gathering: asyncio.Future) -> None:
    """Nobody waits for it any more, and asyncio would complain of an exception unseen."""
    if not gathering.cancelled():
        gathering.exception()


async def _strike_off_worker_of(key: str, dask_scheduler: Scheduler) -> None:
    task = dask_scheduler.tasks.get(key)
    if task is not None and task.processing_on is not None:
        address = task.processing_on.address
        await dask_scheduler.remove_worker(address, stimulus_id=f"hung-{key}")


def _carry_out(piece: bytes) -> bytes:
    """The result as bytes, too: what cannot be sent is an error of the piece, and told at once."""
    work, arguments = pickle.loads(piece)
    return pickle.dumps(work(*arguments), pickle.HIGHEST_PROTOCOL)


def _read(answer: bytes) -> tuple[bool, Any]:
    try:
        return True, pickle.loads(answer)
    except Exception as reason:
        return False, reason
