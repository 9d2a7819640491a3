"""Which workers there are to be."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from resviz.workers.interface import Workers
from resviz.workers.local import LocalWorkers, begin_quietly

SCHEDULER = "RESVIZ_SCHEDULER"


def open_workers(
    count: int | None = None,
    warm_up: Callable[[], object] | None = None,
    scheduler: str | None = None,
    begin: Callable[[], object] = begin_quietly,
) -> Workers:
    """Local processes, or the Dask cluster whose scheduler has the address `scheduler`.

    By default the address is that in the environment variable `RESVIZ_SCHEDULER`. If the
    cluster cannot be used a warning says why, and the work is done here. Every worker calls
    `warm_up` before its first piece. There are `count` local processes, by default one core
    less than there are, and each calls `begin` first of all: a cluster has its own size, and
    its workers have begun.
    """
    scheduler = scheduler or os.environ.get(SCHEDULER)
    if scheduler:
        try:
            from resviz.workers.cluster import ClusterWorkers

            return ClusterWorkers(scheduler, warm_up)
        except ModuleNotFoundError as reason:
            why = f"cannot be used without the package {reason.name}: pip install {reason.name}"
        except Exception as reason:
            why = (
                f"cannot be reached ({str(reason).rstrip('.')}): start its scheduler, or correct "
                f"or unset {SCHEDULER}"
            )
        logging.getLogger("resviz").warning(
            "The Dask cluster at %s %s. Until then local processes do the work.", scheduler, why
        )
    return LocalWorkers(count, warm_up, begin)
