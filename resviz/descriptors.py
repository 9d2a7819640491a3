"""How many files and connections this process may hold open at once."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

ENOUGH = 65_536
FEW = 1024
PER_PAGE = 4  # its websocket, and what the browser keeps open beside it

log = logging.getLogger(__name__)


def raise_descriptor_limit() -> int | None:
    """Raise the soft limit as far as the hard one lets us, and tell the log if that is not far.

    Each open page takes a few, and past the limit the next one is cut off without a word. The
    limit that holds now; None where there is none to be raised.
    """
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = ENOUGH if hard == unlimited else min(ENOUGH, hard)
    # macOS calls the hard limit unlimited and refuses more than 10 240.
    for wanted in (most, min(most, 10_240)):
        if soft == unlimited or soft >= wanted:
            break
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft != unlimited and soft < FEW:
        log.warning(
            "This server may hold only %d files open, enough for about %d pages at once. "
            "Its hard limit allows no more: `ulimit -Hn` shows it, and whoever starts the server "
            "may raise it.",
            soft,
            soft // PER_PAGE,
        )
    return soft
