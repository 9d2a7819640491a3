"""Does a ResNet take the shortest way? Train one, move particles, compare with transport.

Each name is imported when it is first asked for: `run` loads PyTorch and POT, some seconds'
work, and the command line is to answer Ctrl-C before it has loaded anything.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resviz.pipeline import run
    from resviz.records import Record, Run, Scores, TrainState
    from resviz.spec import RunSpec

__all__ = ["Record", "Run", "RunSpec", "Scores", "TrainState", "run"]

_MODULES = {"RunSpec": "resviz.spec", "run": "resviz.pipeline"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'resviz' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "resviz.records")), name)
