"""Does a ResNet take the shortest way? Train one, move particles, compare with transport.

`run` loads PyTorch and POT, some seconds' work, so it is imported when first asked for.
"""

from typing import Any

from resviz.records import Record, Run, Scores, TrainState
from resviz.spec import RunSpec

__all__ = ["Record", "Run", "RunSpec", "Scores", "TrainState", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from resviz.pipeline import run

        return run
    raise AttributeError(f"module 'resviz' has no attribute {name!r}")
