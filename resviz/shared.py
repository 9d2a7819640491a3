"""One training under way, shared by everybody who asked for the same spec.

Its work is cut into pieces, each a pure function of (spec, state), so that whoever watches
stays responsive and everyone moves. At most one piece is under way at a time; one that died
with its worker is taken again from the same state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from typing import Any, Protocol
from weakref import WeakSet

from resviz.chunks import CHUNK_SECONDS, Chunk, Scoring, take_chunk, take_scores
from resviz.records import Measures, Record, Run
from resviz.spec import RunSpec

# What a piece of scoring takes at a time: as much as a chunk, a look and a record.
TURN_SECONDS = 3 * CHUNK_SECONDS
# A worker that has been at a piece for so many seconds hangs: by far more than pieces of its
# kind have taken in this training so far, or more than any takes if none has been taken.
LEAST_PATIENCE, FIRST_PATIENCE = 20.0, 60.0
PATIENCE = 50.0  # times the longest
TROUBLE_SECONDS = 10.0  # for which it is told what befell a worker, once another has taken over


class Watcher(Protocol):
    """Somebody's view of a training."""

    visitor: str | None  # whose it is, where that is known

    @property
    def waits(self) -> bool:
        """Whether it waits for the next piece, and somebody is there to see it."""


class Shared:
    """Where the computation of a spec stands. The engine's lock guards every use."""

    def __init__(self, spec: RunSpec, reel: tuple[Chunk, ...] = (), last: Chunk | None = None):
        self.spec = spec
        self.watchers: WeakSet[Watcher] = WeakSet()
        self.reel = list(reel)  # the pictures at the recorded steps, from the first
        self.chunk = last  # the newest picture; None until the first is there
        self.stopping = False  # what there is shall be scored
        self.measures = Measures()
        self.run: Run | None = None
        self.failure: str | None = None
        self.busy = False  # a piece is in the queue or with a worker
        self.deaths = 0  # workers that ended over it since a piece went well
        self.round = 0.0  # worker seconds since it left the line
        self.price = CHUNK_SECONDS  # worker seconds that its last piece took
        self._account = object()  # where its pieces are charged if nobody known waits for them
        self.payers: tuple[Hashable, ...] = (self._account,)  # of the next piece
        self._longest: dict[str, float] = {}  # worker seconds, of each kind of piece
        self._trouble: str | None = None
        self._overcome = math.inf  # when a piece went well again
        self._seconds = 0.0
        self._steps = 0
        self._asked = 0.0

    @classmethod
    def stopped(cls, spec: RunSpec, reel: tuple[Chunk, ...], last: Chunk | None) -> Shared:
        """Another computation that begins where this one was when somebody stopped it."""
        branch = cls(spec, reel, last)
        branch.stopping = True
        return branch

    @property
    def ended(self) -> bool:
        return self.run is not None or self.failure is not None

    @property
    def scoring(self) -> bool:
        """Whether training is over and the last scores are being taken."""
        if self.stopping or self.chunk is None:
            return self.stopping
        state = self.chunk.state
        return state.step >= self.spec.steps or state.diverged is not None

    @property
    def first(self) -> bool:
        """Whether it waits for its first picture."""
        return self.chunk is None

    @property
    def visitors(self) -> set[str]:
        """Who is known and waits for the next piece."""
        return {w.visitor for w in self.watchers if w.visitor is not None and w.waits}

    @property
    def kind(self) -> str:
        """What the next piece is."""
        if self.first:
            return "first picture"
        return "scores" if self.scoring else "training"

    @property
    def patience(self) -> float:
        """After so many seconds a worker that is at the next piece hangs."""
        longest = self._longest.get(self.kind)
        return FIRST_PATIENCE if longest is None else max(LEAST_PATIENCE, PATIENCE * longest)

    @property
    def trouble(self) -> str | None:
        """What has befallen a worker of late, as a clause."""
        if time.monotonic() > self._overcome + TROUBLE_SECONDS:
            return None
        return self._trouble

    @trouble.setter
    def trouble(self, clause: str) -> None:
        self._trouble, self._overcome = clause, math.inf

    @property
    def scored(self) -> float:
        """How much of the last scores is taken, from 0 to 1."""
        return len(self.measures.layers) / self.spec.depth

    @property
    def seconds_a_step(self) -> float | None:
        """So far, waiting in the queue included; None before there is one."""
        return self._seconds / self._steps if self._steps else None

    def wanted(self) -> bool:
        """Whether somebody waits for the next piece."""
        return not self.ended and any(watcher.waits for watcher in self.watchers)

    def ask(self) -> None:
        """The next piece is wanted from now on; all who wait for it pay."""
        self.payers = tuple(self.visitors) or (self._account,)
        self.busy, self._asked = True, time.monotonic()

    def piece(self) -> tuple[Callable[..., Chunk | Scoring], tuple[Any, ...]]:
        """The next piece: a function and its arguments."""
        if self.chunk is None:
            return take_chunk, (self.spec, None)
        state, records = self.chunk.state, history(self.reel)
        if self.scoring:
            return take_scores, (self.spec, state, records, self.measures, TURN_SECONDS)
        return take_chunk, (self.spec, state, self.chunk.plan, records[-1].step)

    def take(self, result: Chunk | Scoring) -> None:
        """Take in what a worker sent back."""
        self._longest[self.kind] = max(result.seconds, self._longest.get(self.kind, 0.0))
        self.busy, self.deaths, self.price = False, 0, result.seconds
        self.round += result.seconds
        self._overcome = min(self._overcome, time.monotonic())
        if isinstance(result, Scoring):
            self.measures, self.run = result.measures, result.run
            return
        if self.chunk is not None:
            self._seconds += time.monotonic() - self._asked
            self._steps += result.state.step - self.chunk.state.step
        self.chunk = result
        if result.record is not None:
            self.reel.append(result)

    def fail(self, sentence: str) -> None:
        self.busy, self.failure = False, sentence


def history(reel: list[Chunk] | tuple[Chunk, ...]) -> tuple[Record, ...]:
    """The course of a run up to the last of these pictures."""
    return tuple(picture.record for picture in reel)
