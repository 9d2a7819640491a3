"""What the numbers were taken on, in one line."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from resviz.processes import own_cores


@dataclass(frozen=True)
class Machine:
    """The parts that the speed depends on."""

    processor: str
    cores: int  # that this process may use
    python: str
    torch: str
    numpy: str
    pot: str

    @property
    def line(self) -> str:
        """*AMD EPYC, 2 cores; Python 3.11, PyTorch 2.13, …*"""
        return (
            f"{self.processor}, {self.cores} core{'s' if self.cores > 1 else ''}; Python "
            f"{self.python}, PyTorch {self.torch}, NumPy {self.numpy}, POT {self.pot}; one thread "
            "on both sides where nothing else is said"
        )


def this_machine() -> Machine:
    """The one that this runs on."""
    torch, numpy, pot = map(version, ("torch", "numpy", "POT"))
    return Machine(_processor(), own_cores(), platform.python_version(), torch, numpy, pot)


def _processor() -> str:
    """Its model's name, as far as the system tells."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"
