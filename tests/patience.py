"""How long a test waits before it says that something hangs: no test judges by the clock.

What takes long on a machine that does other things is no error, so that this is minutes where
the thing itself takes moments. How fast things are is told by `python -m resviz bench`.
"""

import threading
import time
from collections.abc import Callable

PATIENCE = 600.0  # seconds


def wait_until(reached: Callable[[], object]) -> None:
    """Look again and again until it is so, where there is no event to wait for."""
    end, tick = time.monotonic() + PATIENCE, threading.Event()
    while not reached():
        assert time.monotonic() < end, "it was waited for in vain"
        tick.wait(0.01)
