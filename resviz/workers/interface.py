"""What all workers do, and what is said of a piece whose worker has died."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol


class WorkerDiedError(Exception):
    """A worker went away, and with it a piece that it had; the piece may be handed over again.

    `guilty` says that it was this piece that the worker was at, so that it may have been the
    cause; a piece that is not merely waited behind it. Whoever hands pieces over again counts
    the deaths of the guilty.
    """

    def __init__(self, sentence: str, guilty: bool) -> None:
        super().__init__(sentence)
        self.guilty = guilty


class Workers(Protocol):
    """Somewhere to have pieces of work done. Methods may be called from any thread."""

    name: str  # for messages: "2 local processes"

    @property
    def slots(self) -> int:
        """How many pieces can be worked on at once, now: at least 1. A cluster may grow."""

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Hand over a piece; returns at once. More pieces than slots wait in line.

        The future fails with `WorkerDiedError` if the piece is lost, with its own exception
        if it raises one, and with another if it cannot be handed over. It is cancelled if
        the workers are closed, and may be cancelled until it is settled. Its callbacks may
        hand over more.
        """

    def wait_until_warm(self, timeout: float | None = None) -> None:
        """Return once every worker has warmed up; raise what went wrong, or `TimeoutError`."""

    def processes(self) -> list[int]:
        """The ids of the processes of this machine that were started for the work."""

    def close(self) -> None:
        """Wait for what is being worked on, cancel what waits, and end what was started."""
