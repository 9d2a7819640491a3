"""The presets as the page may show them: one whose file is damaged is left out, and said so."""

from __future__ import annotations

import logging
from functools import cache

import streamlit as st

from resviz import presets
from resviz.engine import Phase, shared_engine
from resviz.presets import PRESETS
from resviz.records import Run
from resviz.spec import RunSpec

FIRST = next(iter(PRESETS))
# Where no preset can be shown, the page opens on what is trained in a moment.
STAND_IN = RunSpec(depth=6, width=8, batch=64, particles=100, steps=1)
PATIENCE = 60.0  # seconds for that

log = logging.getLogger(__name__)


class LeftOutError(ValueError):
    """A preset that cannot be shown."""


class Shelf:
    """Which presets could not be read, when last somebody asked for them."""

    def __init__(self) -> None:
        self._left_out: dict[str, None] = {}

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(name for name in PRESETS if name in self._left_out)

    def take(self, name: str) -> tuple[Run | None, Run]:
        """A preset's runs A, if it has one, and B. Raises `LeftOutError`, a sentence."""
        try:
            runs = presets.load(name)
        except Exception as reason:  # whatever a damaged file makes of it
            if name not in self._left_out:
                log.warning("The preset %s is left out. %s", name, reason)
            if name in PRESETS:
                self._left_out[name] = None
            raise LeftOutError("Its file is damaged or missing") from reason
        self._left_out.pop(name, None)
        return runs

    def holds(self, name: str) -> bool:
        """Whether this preset can be shown."""
        try:
            self.take(name)
        except LeftOutError:
            return False
        return True


@cache
def shelf() -> Shelf:
    """The process's one shelf."""
    return Shelf()


def offered() -> list[str]:
    """The presets to choose from."""
    return [name for name in PRESETS if name not in shelf().left_out]


def first_preset() -> str | None:
    """The preset that the page opens with; None if none can be shown."""
    return next(filter(shelf().holds, PRESETS), None)


def along(name: str, direction: int) -> str:
    """The next preset that can be shown, or with −1 the one before; the first follows the last.

    `name` itself if there is no other.
    """
    names = list(PRESETS)[::direction]
    after = names.index(name) + 1
    return next(filter(shelf().holds, [*names[after:], *names[:after]]), name)


def opener() -> Run:
    """The run that the page opens with: a preset's or, where there is none, one of a moment.

    Raises `RuntimeError`, with a sentence, if there is neither.
    """
    name = first_preset()
    if name is not None:
        return shelf().take(name)[1]
    job = shared_engine().start(STAND_IN)
    job.wait_until(lambda job: job.phase in (Phase.DONE, Phase.FAILED), PATIENCE)
    if job.run is None:
        raise RuntimeError(job.failure or "There is nothing to show, and the workers are busy.")
    return job.run


def run_of(spec: RunSpec) -> Run | None:
    """The run of these settings that some preset shows; None if there is none to be shown."""
    for name, preset in PRESETS.items():
        if spec in (preset.kept, preset.run) and shelf().holds(name):
            kept, run = shelf().take(name)
            return run if spec == preset.run else kept
    return None


def notice() -> None:
    """Which presets are left out."""
    names = shelf().left_out
    if names:
        titles = ", ".join(f"“{PRESETS[name].title}”" for name in names)
        st.warning(f"Left out, because the file is damaged or missing: {titles}.")
