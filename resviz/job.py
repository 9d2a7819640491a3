"""What one visitor asked for: a view of a shared training that can be paused, stopped, skipped.

Training is a pure function of the spec, so that a view needs no training of its own. Who
pauses keeps the picture that stands; who comes late, or goes on after a pause, is shown the
recorded steps that others have brought about, until there are no more. Who stops gets a branch
of their own from the picture that they see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Condition
from typing import Protocol

from resviz.chunks import Chunk
from resviz.records import Record, Run
from resviz.shared import Shared, history
from resviz.spec import RunSpec

LEASE_SECONDS = 4.0  # a job that nobody has asked after for so long gets no more pieces
SILENT_SECONDS = 5.0  # a worker that has said nothing for so long is spoken of
REPLAY_SECONDS = 0.2  # for each recorded step: a whole run in five


class Phase(Enum):
    """Where a job stands."""

    RUNNING = "running"
    PAUSED = "paused"
    SCORING = "scoring"  # training has ended, or was stopped; the last scores are being taken
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class _Held:
    """What a paused view shows."""

    chunk: Chunk | None
    recorded: int  # how many recorded steps it has seen


@dataclass(frozen=True)
class _Replay:
    """Recorded steps shown one after the other."""

    first: int
    began: float

    @property
    def at(self) -> int:
        return self.first + int((time.monotonic() - self.began) / REPLAY_SECONDS)


class Desk(Protocol):
    """Where pieces are asked for: the engine."""

    lock: Condition

    def wake(self, shared: Shared) -> None:
        """Queue the next piece of this training, if it is wanted and its turn has come."""

    def position(self, shared: Shared) -> int | None:
        """The place in the line of trainings that wait for others to end, from 1."""

    def silence(self, shared: Shared) -> float:
        """For how many seconds the worker that this training waits for has said nothing."""


class Job:
    """One visitor's training. Methods may be called from any thread and return at once."""

    def __init__(
        self, engine: Desk, shared: Shared, paused: bool, visitor: str | None = None
    ) -> None:
        self.spec: RunSpec = shared.spec
        self.visitor = visitor
        self._engine = engine
        self._shared = shared
        self._cancelled = False
        self._asked = time.monotonic()
        first = shared.reel[0] if shared.reel else None
        self._held = _Held(first, min(1, len(shared.reel))) if paused else None
        late = len(shared.reel) > 1 and not paused
        self._replay = _Replay(0, self._asked) if late else None
        shared.watchers.add(self)

    @property
    def phase(self) -> Phase:
        with self._engine.lock:
            if self._cancelled:
                return Phase.CANCELLED
            if self._held is not None and (self.chunk or self._shared.failure is None):
                return Phase.PAUSED
            if self._shared.failure is not None:
                return Phase.FAILED
            if self.replaying:
                return Phase.RUNNING
            if self._shared.run is not None:
                return Phase.DONE
            return Phase.SCORING if self._shared.scoring else Phase.RUNNING

    @property
    def replaying(self) -> bool:
        """Whether the steps that are shown were taken before."""
        with self._engine.lock:
            if self._replay and self._replay.at >= len(self._shared.reel):
                self._replay = None
            return self._replay is not None

    @property
    def chunk(self) -> Chunk | None:
        """The picture that this view shows; None until the first is there."""
        return self._shown()[0]

    @property
    def picture(self) -> tuple[Chunk | None, tuple[Record, ...]]:
        """The picture that this view shows, and the course up to it: both of one moment."""
        chunk, reel = self._shown()
        return chunk, history(reel)

    @property
    def history(self) -> tuple[Record, ...]:
        """The course up to the picture that this view shows."""
        return history(self._shown()[1])

    @property
    def step(self) -> int:
        chunk = self.chunk
        return chunk.state.step if chunk else 0

    @property
    def run(self) -> Run | None:
        """The finished run, once the phase is DONE."""
        return self._shared.run if self.phase is Phase.DONE else None

    @property
    def failure(self) -> str | None:
        """Why the phase is FAILED, as a sentence."""
        return self._shared.failure

    @property
    def scored(self) -> float:
        """How much of the last scores is taken, from 0 to 1."""
        return self._shared.scored

    @property
    def position(self) -> int | None:
        """The place in the line of those who wait for their turn on a full server, from 1."""
        return self._engine.position(self._shared)

    @property
    def trouble(self) -> str | None:
        """What keeps a worker from this run, or has done so of late, as a clause."""
        silence, trouble = self._engine.silence(self._shared), self._shared.trouble
        if trouble is None and silence > SILENT_SECONDS and self.work:
            return f"no answer from its worker for {silence:.0f} s"
        return trouble

    @property
    def work(self) -> Shared | None:
        """The training that goes on for this view; None while it wants none."""
        return self._shared if self.waits and not self._shared.ended else None

    @property
    def seconds_left(self) -> float | None:
        """How long the remaining steps take at the pace so far; None before there is one."""
        with self._engine.lock:
            if self.replaying and self._shared.run is not None:
                return max(0, len(self._shared.reel) - self._replay.at) * REPLAY_SECONDS
            pace, newest = self._shared.seconds_a_step, self._shared.chunk
            return None if pace is None else (self.spec.steps - newest.state.step) * pace

    @property
    def waits(self) -> bool:
        """Whether this view waits for the next piece, and somebody is there to see it."""
        present = time.monotonic() - self._asked <= LEASE_SECONDS
        moving = self._held is None or self._shared.chunk is None
        return present and moving and not self._cancelled

    def touch(self) -> None:
        """Say that somebody still watches: without it a job sleeps after a few seconds."""
        self._asked = time.monotonic()
        self._engine.wake(self._shared)

    def pause(self) -> None:
        """Keep this picture. If nobody else watches, no more pieces are asked for."""
        with self._engine.lock:
            if self.phase is Phase.RUNNING:
                self._hold()
        self._moved()

    def resume(self) -> None:
        """Go on; what others have brought about meanwhile is shown first."""
        with self._engine.lock:
            if self.phase is Phase.PAUSED:
                seen, self._held = self._held.recorded, None
                # A piece that was under way when this view was paused is no replay.
                if len(self._shared.reel) > seen + 1:
                    self._replay = _Replay(seen, time.monotonic())
        self._moved()

    def skip(self) -> None:
        """To the end of a replay."""
        with self._engine.lock:
            self._replay = None
        self._moved()

    def stop(self) -> None:
        """End training at the picture that is shown, and score it."""
        with self._engine.lock:
            if self.phase in (Phase.RUNNING, Phase.PAUSED):
                chunk, reel = self._shown()
                self._leave()
                self._shared = Shared.stopped(self.spec, tuple(reel), chunk)
                self._shared.watchers.add(self)
                self._held = self._replay = None
        self._moved()

    def cancel(self) -> None:
        """End it without a result."""
        with self._engine.lock:
            if self.phase not in (Phase.DONE, Phase.FAILED):
                self._hold()
                self._cancelled = True
                self._leave()
        self._moved()

    def wait_until(self, reached: Callable[[Job], bool], timeout: float) -> bool:
        """Watch until `reached(self)` or `timeout` seconds are over; whether it was reached."""
        end = time.monotonic() + timeout
        while not reached(self) and time.monotonic() < end:
            self.touch()
            with self._engine.lock:
                # A replay moves by the clock alone.
                pulse = REPLAY_SECONDS / 4 if self.replaying else LEASE_SECONDS / 4
                left = max(0.0, min(pulse, end - time.monotonic()))
                self._engine.lock.wait_for(lambda: reached(self), left)
        return reached(self)

    def _shown(self) -> tuple[Chunk | None, list[Chunk]]:
        """The picture, and the recorded ones up to it."""
        with self._engine.lock:
            reel = self._shared.reel
            if self._held is not None:
                if self._held.chunk is None and reel:  # the first look came after the pause
                    self._held = _Held(reel[0], 1)
                return self._held.chunk, reel[: self._held.recorded]
            if self.replaying:
                at = min(self._replay.at, len(reel) - 1)  # the clock has moved on
                return reel[at], reel[: at + 1]
            return self._shared.chunk, list(reel)

    def _hold(self) -> None:
        chunk, reel = self._shown()
        self._held, self._replay = _Held(chunk, len(reel)), None

    def _leave(self) -> None:
        self._shared.watchers.discard(self)

    def _moved(self) -> None:
        with self._engine.lock:
            self._engine.lock.notify_all()
        self.touch()
