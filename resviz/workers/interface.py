"""What all workers do, and what is said of a piece whose worker has died."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol


class WorkerDiedError(Exception):
    """A worker went away, and with it a piece that it had; the piece may be handed over again.

    `guilty` says that it was this piece that the worker was at, so that it may have been the
    cause; a piece that merely waited, behind another or until the worker was warm, is not.
    Whoever hands pieces over again counts the deaths of the guilty. `hung` says that the worker
    was ended because it did not come to an end of what it was at.
    """

    def __init__(self, sentence: str, guilty: bool, hung: bool = False) -> None:
        super().__init__(sentence)
        self.guilty, self.hung = guilty, hung

    @property
    def clause(self) -> str:
        """For whoever waits for the piece."""
        return f"a worker {'stopped answering' if self.hung else 'ended'} and was replaced"


class NoWorkerError(Exception):
    """No worker can be had: several in a row ended before they had warmed up."""


class Workers(Protocol):
    """Somewhere to have pieces of work done. Methods may be called from any thread."""

    name: str  # for messages: "2 local processes"

    @property
    def slots(self) -> int:
        """How many pieces can be worked on at once, now: at least 1. A cluster may grow."""

    def submit(
        self, work: Callable[..., Any], *arguments: object, seconds: float | None = None
    ) -> Future[Any]:
        """Hand over a piece; returns at once. More pieces than slots wait in line.

        A worker that is at it for more than `seconds` is ended.

        The future fails with `WorkerDiedError` if the piece is lost, with its own exception
        if it raises one, with `NoWorkerError` if no worker can be had, and with another if it
        cannot be handed over. It is cancelled if
        the workers are closed, and may be cancelled until it is settled. Its callbacks may
        hand over more.
        """

    def wait_until_warm(self, timeout: float | None = None) -> None:
        """Return once every worker has warmed up; raise what went wrong, or `TimeoutError`."""

    def processes(self) -> list[int]:
        """The ids of the processes of this machine that were started for the work."""

    def close(self) -> None:
        """Cancel what waits, and end what was started: at once what is at nothing, and within
        seconds what is, done or not.
        """
