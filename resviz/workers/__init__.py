"""Where a piece of work runs: in processes of this machine, or in a Dask cluster.

A piece is a function and its arguments, both picklable, and pure: whoever hands it over may
hand it over again, to any worker, and gets the same. That is all that keeping a run through
a killed process takes, and all that a cluster takes.

- interface: what all workers do, and what is said of a piece whose worker has died
- choice: which workers there are to be; `RESVIZ_SCHEDULER` names a cluster
- local: processes of this machine, one a slot
- process: one of them as seen from here; serving: the same as seen from within
- cluster: a Dask cluster that runs already
- promises: a future is settled once, or dropped
"""

from resviz.workers.choice import open_workers
from resviz.workers.interface import NoWorkerError, WorkerDiedError, Workers
from resviz.workers.local import LocalWorkers

__all__ = ["LocalWorkers", "NoWorkerError", "WorkerDiedError", "Workers", "open_workers"]
