"""What one visitor has: the present run B, a kept run A, and a training under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from resviz.engine import Job, Phase, shared_engine
from resviz.figures.colours import USUAL
from resviz.records import Run
from resviz.spec import RunSpec

ASSETS = Path(__file__).parents[2] / "assets"
OPENER = ASSETS / "opener.npz"

VIEWS = ("A", "B", "both")


@cache
def opener() -> Run:
    """The run that the page opens with, made beforehand."""
    return Run.load(OPENER)


@dataclass
class Session:
    """One visitor's state. Every change of it is one of these methods."""

    linked: RunSpec  # what the address asked for
    chosen: RunSpec  # what the controls say, when last it was allowed
    conflict: str | None = None  # why what they say now is not
    run: Run = field(default_factory=opener)
    kept: Run | None = None
    job: Job | None = None
    view: str = "B"
    colour_choice: str | None = None  # what a colour says, once somebody asked for it
    just_kept: bool = False  # no training has begun since
    failure: str | None = None
    refusal: tuple[RunSpec, str] | None = None  # what this server does not take on, and why
    complaints: dict[str, str] = field(default_factory=dict)
    number: int = 0  # of the present run, so that each picture has a name
    kept_number: int = 0
    messages: int = 0  # sent to the player
    sent: tuple[tuple[int, str], ...] = ()  # the last live pictures: step, and figure beneath

    @property
    def shown_spec(self) -> RunSpec:
        """The spec of the picture: of the training under way, else of the present run."""
        return self.job.spec if self.job else self.run.spec

    @property
    def standing(self) -> tuple[Phase, bool, bool] | None:
        """Where the training under way stands: what the buttons and the pulse must know."""
        return self.job and (self.job.phase, self.job.replaying, self.job.chunk is not None)

    def colour_of(self, spec: RunSpec) -> str:
        """What a colour says of such a run: unless chosen, its class where classes are learned."""
        return self.colour_choice or USUAL[spec.task]

    @property
    def colour_by(self) -> str:
        """What a colour says in the picture that is on the stage, beneath a live one."""
        return self.colour_of(self.kept.spec if self.view == "A" else self.run.spec)

    @property
    def figure_name(self) -> str:
        return f"{self.view}/{self.kept_number}/{self.number}/{self.colour_by}"

    def train(self, spec: RunSpec) -> None:
        """Raises `LimitError` if this server does not take on such a run; all stays as it was."""
        self._open(shared_engine().start(spec))

    def reset(self, spec: RunSpec) -> None:
        """Raises as `train`."""
        self._open(shared_engine().prepare(spec))

    def _open(self, job: Job) -> None:
        self.take_result()  # one that ended since the page was last drawn
        if self.job:
            self.job.cancel()
        self.job, self.sent, self.complaints = job, (), {}
        self.failure = self.refusal = None
        if self.kept and (self.just_kept or self.view == "A"):
            self.view = "both"
        self.just_kept = False

    def keep(self) -> None:
        """The present run becomes A; the next one is B."""
        self.take_result()
        self.kept, self.kept_number, self.just_kept = self.run, self.number, True

    def take_result(self) -> bool:
        """Take in a training that has ended; whether there was one."""
        if self.job is None or self.job.phase not in (Phase.DONE, Phase.FAILED):
            return False
        if self.job.run:
            self.run = self.job.run
            self.number += 1
        self.failure = self.job.failure
        self.job = None
        return True
