"""What one visitor has: the present run B, a kept run A, a twin, and trainings under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from resviz import presets
from resviz.engine import Job, Phase, shared_engine
from resviz.records import Run
from resviz.spec import FIELDS, RunSpec
from resviz.ui.making import Making
from resviz.ui.moment import Moment

ASSETS = Path(__file__).parents[2] / "assets"

VIEWS = ("A", "B", "both")
ENDED = (Phase.DONE, Phase.FAILED)
OTHER = {"residual": "plain", "plain": "residual"}


def first_preset() -> str:
    """The preset that the page opens with."""
    return next(iter(presets.PRESETS))


def opener() -> Run:
    """The run that the page opens with, made beforehand."""
    return presets.load(first_preset())[1]


def twin_of(spec: RunSpec) -> RunSpec:
    """The same settings for the other kind of network.

    Raises `ValueError`, with a sentence, where it cannot have them.
    """
    return replace(spec, network=OTHER[spec.network])


@dataclass
class Session:
    """One visitor's state. Every change of it is one of these methods."""

    linked: RunSpec  # what the address asked for
    chosen: RunSpec  # what the controls say, when last it was allowed
    conflict: str | None = None  # why what they say now is not
    hidden: tuple[str, ...] = ()  # controls that the address does not let a class see
    locked: tuple[str, ...] = ()  # … or move
    dark: bool = False  # the page's theme
    run: Run = field(default_factory=opener)
    kept: Run | None = None
    job: Job | None = None
    view: str = "B"
    preset: str | None = field(default_factory=first_preset)  # whose picture this is
    walked: str = field(default_factory=first_preset)  # the last one that was shown
    beside: bool = False  # the other kind of network is wanted beside the present run
    other: Run | None = None  # the last of those that was trained
    twin_job: Job | None = None
    twin_number: int = 0  # of `other`
    twin_failure: str | None = None
    making: Making | None = None  # a file to take home
    just_kept: bool = False  # no training has begun since
    failure: str | None = None
    refusal: tuple[RunSpec, str] | None = None  # what this server does not take on, and why
    complaints: dict[str, str] = field(default_factory=dict)
    # What the present run and the kept one are called, so that each picture has a name: the same
    # for everybody if a preset shows it.
    number: str = field(default_factory=first_preset)
    kept_number: str = ""
    trained: int = 0  # runs so far
    messages: int = 0  # sent to the player
    sent: tuple[object, ...] = ()  # what the last live pictures were of
    moment: Moment | None = None  # an earlier step of training that the player shows

    @property
    def shown_spec(self) -> RunSpec:
        """The spec of the picture: of the training under way, else of the present run."""
        return self.job.spec if self.job else self.run.spec

    @property
    def twin(self) -> Run | None:
        """The other kind of network, trained with the present run's settings, if it is wanted."""
        if not self.beside or self.other is None:
            return None
        ours, theirs = self.run.spec, self.other.spec
        fits = all((getattr(ours, n) == getattr(theirs, n)) is (n != "network") for n in FIELDS)
        return self.other if fits else None

    @property
    def twin_awaited(self) -> bool:
        """Whether the picture keeps a place for a twin that is not trained yet."""
        return self.view == "B" and self.twin_job is not None and self.twin is None

    @property
    def panels(self) -> int:
        """How many panels the picture has."""
        beside = self.view == "B" and (self.twin is not None or self.twin_awaited)
        return 3 if self.view == "both" or beside else 2

    @property
    def figure_name(self) -> str:
        """Changes when the picture on the stage does, and only then. Its third part counts runs."""
        twin = self.twin_number if self.twin else "awaited" if self.twin_awaited else "-"
        parts = {
            "A": (self.kept_number, "-", "-"),
            "B": ("-", self.number, twin),
            "both": (self.kept_number, self.number, "-"),
        }[self.view]
        return "/".join(map(str, (self.view, *parts, "dark" if self.dark else "light")))

    # ---- Trainings under way -----------------------------------------------------------

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The trainings under way: of the run that follows the present one, and of its twin."""
        return tuple(job for job in (self.job, self.twin_job) if job)

    @property
    def standing(self) -> tuple[tuple[Phase, bool, bool], ...]:
        """Where they stand: what the buttons and the pulse must know.

        Of each its phase, whether it is replayed, and whether it is paused with a picture.
        """
        phases = [(job, job.phase) for job in self.jobs]
        return tuple(
            (phase, job.replaying, phase is Phase.PAUSED and job.chunk is not None)
            for job, phase in phases
        )

    @property
    def running(self) -> bool:
        return any(job.phase is Phase.RUNNING for job in self.jobs)

    @property
    def paused(self) -> bool:
        """Whether something waits to be resumed, and nothing moves."""
        return not self.running and any(job.phase is Phase.PAUSED for job in self.jobs)

    @property
    def replaying(self) -> bool:
        return any(job.phase is Phase.RUNNING and job.replaying for job in self.jobs)

    def train(self, spec: RunSpec) -> None:
        """Raises `LimitError` if this server does not take on such a run; all stays as it was."""
        self._open(spec, shared_engine().start)

    def reset(self, spec: RunSpec) -> None:
        """Raises as `train`."""
        self._open(spec, shared_engine().prepare)

    def _open(self, spec: RunSpec, begin: Callable[[RunSpec], Job]) -> None:
        job = begin(spec)
        self.take_result(at_once=True)  # one that ended since the page was last drawn
        self._cancel()
        self.job, self.sent, self.complaints, self.preset = job, (), {}, None
        self.failure = self.refusal = self.twin_failure = None
        if self.beside:
            self._begin_twin(spec, begin)
        if self.kept and (self.just_kept or self.view == "A"):
            self.view = "both"
        self.just_kept = False

    def _begin_twin(self, spec: RunSpec, begin: Callable[[RunSpec], Job]) -> None:
        """What keeps a twin from being trained is said, and costs the run itself nothing."""
        try:
            self.twin_job = begin(twin_of(spec))
        except ValueError as reason:  # a limit, or settings that the other network cannot have
            self.twin_failure = f"The other network cannot be trained beside this one. {reason}."

    def _cancel(self) -> None:
        for job in self.jobs:
            job.cancel()
        self.job = self.twin_job = None

    def pause(self) -> None:
        for job in self.jobs:
            job.pause()

    def resume(self) -> None:
        for job in self.jobs:
            job.resume()

    def stop(self) -> None:
        for job in self.jobs:
            job.stop()

    def skip(self) -> None:
        for job in self.jobs:
            job.skip()

    def wait_for_pictures(self, seconds: float) -> None:
        """Until every training that runs has one to show, or for so long."""
        for job in self.jobs:
            job.wait_until(lambda job: job.chunk or job.phase is not Phase.RUNNING, seconds)

    def touch(self) -> None:
        """Somebody still watches."""
        for job in self.jobs:
            job.touch()

    def take_result(self, at_once: bool = False) -> bool:
        """Take in trainings that have ended; whether there were any.

        A run and its twin are taken in together, unless one has failed, or `at_once` is asked.
        """
        jobs = self.jobs
        ended = [job for job in jobs if job.phase in ENDED]
        if not at_once and len(ended) < len(jobs):
            ended = [job for job in ended if job.phase is Phase.FAILED]
        for job in ended:
            if job is self.job:
                self._take_run(job)
            elif job is self.twin_job:  # else it went with the run that it stood beside
                self._take_twin(job)
        return bool(ended)

    def _take_run(self, job: Job) -> None:
        self.job, self.failure = None, job.failure
        if job.run:
            self.run = job.run
            self.trained += 1
            self.number = str(self.trained)
        elif self.twin_job:  # of a run that there is not
            self.twin_job.cancel()
            self.twin_job = None

    def _take_twin(self, job: Job) -> None:
        self.twin_job = None
        if job.run:
            self.other = job.run
            self.twin_number += 1
        else:
            self.twin_failure = f"The other network failed. {job.failure}"

    # ---- What is on the stage ----------------------------------------------------------

    def keep(self) -> None:
        """The present run becomes A; the next one is B."""
        self.take_result(at_once=True)
        self.kept, self.kept_number, self.just_kept = self.run, self.number, True
        self.preset = None

    def show(self, preset: str) -> None:
        """A preset's runs instead of all that there is. Raises `ValueError` as `presets.load`."""
        kept, run = presets.load(preset)
        self._cancel()
        self.kept, self.run, self.other, self.beside = kept, run, None, False
        self.kept_number, self.number = f"{preset}-a", preset
        self.view = "both" if kept else "B"
        self.preset = self.walked = preset
        self.chosen, self.conflict, self.just_kept, self.sent = run.spec, None, False, ()
        self.failure = self.refusal = self.twin_failure = None
        self.complaints = {}

    def stand_beside(self, wanted: bool) -> None:
        """Have the other kind of network beside the present run, or no more."""
        self.take_result(at_once=True)
        self.beside, self.twin_failure = wanted, None
        if self.twin_job:
            self.twin_job.cancel()
            self.twin_job = None
        if wanted:
            self.view = "B"
            if self.job or self.twin is None:
                engine = shared_engine()
                self._begin_twin(self.shown_spec, engine.prepare if self.paused else engine.start)
