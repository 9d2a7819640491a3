"""What one server takes on: limits that its owner sets in the environment.

They hold for the app, where a stranger's click costs everybody. The command line and Python
know those of `RunSpec` alone.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from resviz.spec import RunSpec

MEGABYTE = 2**20


class LimitError(ValueError):
    """A run that is allowed, and too large for this server."""


def _limit(default: int, doc: str) -> int:
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Limits:
    """Each is a whole number, set by the environment variable `RESVIZ_MAX_…` of its name."""

    trainings: int = _limit(64, "runs in training at once; whoever comes later waits in line")
    trainings_each: int = _limit(6, "of those, runs of one visitor, in all tabs of a browser")
    particles: int = _limit(1000, "particles of one run")
    steps: int = _limit(20_000, "training steps of one run")
    units: int = _limit(4096, "hidden units of one run's network: depth × width")
    batch: int = _limit(1024, "points of source and target in one step")
    # A step that lasts holds up everybody: these keep one near half a second.
    sinkhorn_batch: int = _limit(512, "points in one step with the Sinkhorn distance")
    shadows: int = _limit(2**19, "directions × batch in one step with the sliced distance")
    exports: int = _limit(2, "files to take home that are made at once")
    exports_each: int = _limit(1, "of those, files of one visitor")
    cache_mb: int = _limit(128, "megabytes of finished runs that are kept to be replayed")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """The defaults, but for what the environment sets.

        Raises `ValueError` that names the variable, the value and what is allowed.
        """
        given = {}
        for field in dataclasses.fields(cls):
            text = environment.get(variable(field.name))
            if text is not None:
                lowest = 0 if field.name == "cache_mb" else 1
                if not re.fullmatch("[0-9]{1,12}", text) or int(text) < lowest:
                    raise ValueError(
                        f"{variable(field.name)}: {text!r} is not allowed; allowed is a whole "
                        f"number from {lowest}"
                    )
                given[field.name] = int(text)
        return cls(**given)

    def check(self, spec: RunSpec) -> None:
        """Raises `LimitError`, a sentence that names the limit, if `spec` is over one."""
        asked = {
            "particles": ("particles", spec.particles),
            "steps": ("steps", spec.steps),
            "batch": ("batch", spec.batch),
            "units": ("depth × width", spec.depth * spec.width),
        }
        if "loss" not in spec.idle:
            asked |= {
                "sinkhorn": {"sinkhorn_batch": ("batch with the Sinkhorn distance", spec.batch)},
                "sliced": {"shadows": ("directions × batch", spec.projections * spec.batch)},
            }.get(spec.loss, {})
        for name, (what, number) in asked.items():
            most = getattr(self, name)
            if number > most:
                raise LimitError(
                    f"{what}: {number} is over this server's limit of {most} "
                    f"({variable(name)}, which its owner may raise)"
                )


def variable(name: str) -> str:
    """The environment variable that sets the limit of this name."""
    return f"RESVIZ_MAX_{name.upper()}"
