"""What every pool of worker processes here needs to know."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading

# More than a pool on Windows can wait for is refused there.
MOST_WORKERS = 61 if sys.platform == "win32" else 256


def own_cores() -> int:
    """How many cores this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


def end_with_the_parent() -> None:
    """In a worker: end when the process that started it is gone.

    One that was killed cannot say so to its workers, which would wait for ever.
    """
    threading.Thread(target=_await_the_parent, daemon=True).start()


def _await_the_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
