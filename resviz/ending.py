"""The server's end takes seconds, whatever holds it up.

Once it is told to end, the web server first waits for every connection to say goodbye, and a
browser on a laptop that sleeps never does. Only then would the workers be ended.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

# From the signal on: until the workers are ended without waiting for anybody, which itself takes
# a few seconds at most, and until the process ends without waiting for anything.
PATIENCE, LAST = 3.0, 9.0


def end_in_time(
    end_workers: Callable[[], object], patience: float = PATIENCE, last: float = LAST
) -> None:
    """From now on SIGTERM and SIGINT end this process in time. For the main thread alone.

    What they did before is done first; `end_workers` is called once more if it must be.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # another server's business: there no signal can be taken up
    for number in (signal.SIGTERM, signal.SIGINT):
        usual = signal.getsignal(number)
        if callable(usual):
            signal.signal(number, _ending(usual, end_workers, patience, last))


def _ending(
    usual: Callable[[int, FrameType | None], object],
    end_workers: Callable[[], object],
    patience: float,
    last: float,
) -> Callable[[int, FrameType | None], None]:
    def end(number: int, frame: FrameType | None) -> None:
        for seconds, act in ((patience, end_workers), (last, lambda: os._exit(128 + number))):
            timer = threading.Timer(seconds, act)
            timer.daemon = True
            timer.start()
        usual(number, frame)

    return end
