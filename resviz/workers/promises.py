"""A promised future is settled once, with a result or an exception, or it is dropped."""

from __future__ import annotations

from concurrent.futures import Future


def settle(future: Future, good: bool, value: object) -> None:
    """Keep the promise with a result, or if it is not `good` with an exception.

    One that was cancelled in the meantime stays so, and who waits for it is told.
    """
    if future.set_running_or_notify_cancel():
        (future.set_result if good else future.set_exception)(value)


def drop(future: Future) -> None:
    """Cancel it, and tell who waits for it."""
    future.cancel()
    future.set_running_or_notify_cancel()
