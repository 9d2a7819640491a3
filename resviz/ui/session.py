"""What one visitor has: the present run B, a kept run A, a twin, and trainings under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

from resviz.engine import Job, Phase, shared_engine
from resviz.records import Run
from resviz.spec import FIELDS, RunSpec
from resviz.ui.making import Making
from resviz.ui.moment import Moment
from resviz.ui.note import Lost
from resviz.ui.shelf import FIRST, first_preset, opener, shelf

ASSETS = Path(__file__).parents[2] / "assets"

ENDED = (Phase.DONE, Phase.FAILED)
OTHER = {"residual": "plain", "plain": "residual"}


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
    id: str = field(default_factory=lambda: token_hex(8))
    arrived: str = ""  # the address that it began with
    fresh: bool = True  # the tab has not said what it had before
    lost: Lost | None = None  # … and what of that is not back
    conflict: str | None = None  # why what they say now is not
    hidden: tuple[str, ...] = ()  # controls that the address does not let a class see
    locked: tuple[str, ...] = ()  # … or move
    dark: bool = False  # the page's theme
    visitor: str | None = None  # whose it is, as far as that is known
    run: Run = field(default_factory=opener)
    kept: Run | None = None
    job: Job | None = None
    view: str = "B"
    preset: str | None = field(default_factory=first_preset)  # whose picture this is
    walked: str = FIRST  # the last one that was shown
    beside: bool = False  # the other kind of network is wanted beside the present run
    other: Run | None = None  # the last of those that was trained
    twin_job: Job | None = None
    kept_job: Job | None = None  # A, which was lost and is trained again
    twin_number: int = 0  # of `other`
    twin_failure: str | None = None
    making: Making | None = None  # a file to take home
    just_kept: bool = False  # no training has begun since
    failure: str | None = None
    refusal: tuple[RunSpec, str] | None = None  # what this server does not take on, and why
    complaints: dict[str, str] = field(default_factory=dict)
    opening: dict[str, str] | None = None  # the address that the page opened with, once written
    address: dict[str, str] = field(default_factory=dict)  # … and the one that it has now
    # What the present run and the kept one are called, so that each picture has a name: the same
    # for everybody if a preset shows it.
    number: str = field(default_factory=lambda: first_preset() or "0")
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
        """The trainings under way: of the run that follows the present one, of its twin, of A."""
        return tuple(job for job in (self.job, self.twin_job, self.kept_job) if job)

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

    def _open(self, spec: RunSpec, begin: Callable[..., Job]) -> None:
        job = begin(spec, self.visitor, self.jobs)
        self.take_result(at_once=True)  # one that ended since the page was last drawn
        self._cancel()
        self.job, self.sent, self.complaints, self.preset = job, (), {}, None
        self.failure = self.refusal = self.twin_failure = self.lost = None
        if self.beside:
            self._begin_twin(spec, begin)
        if self.kept and (self.just_kept or self.view == "A"):
            self.view = "both"
        self.just_kept = False

    def _begin_twin(self, spec: RunSpec, begin: Callable[..., Job]) -> None:
        """What keeps a twin from being trained is said, and costs the run itself nothing."""
        try:
            self.twin_job = begin(twin_of(spec), self.visitor)
        except ValueError as reason:  # a limit, or settings that the other network cannot have
            self.twin_failure = f"The other network cannot be trained beside this one. {reason}."

    def _cancel(self) -> None:
        for job in filter(None, (self.job, self.twin_job)):
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
            elif job is self.kept_job:
                self._take_kept(job)
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

    def _take_kept(self, job: Job) -> None:
        self.kept_job = None
        if job.run:
            self.kept, self.kept_number, self.view = job.run, self._next_number(), "both"
        else:
            self.failure = f"A could not be trained again. {job.failure}"

    def _next_number(self) -> str:
        self.trained += 1
        return str(self.trained)

    # ---- What was there before the connection was lost ----------------------------------

    def place(self, kept: Run | None, run: Run | None, view: str) -> None:
        """What this visitor had, as far as it is known, on the stage again."""
        if kept:
            self.kept, self.kept_number = kept, self._next_number()
        if run:
            self.run, self.number = run, self._next_number()
        if kept or run:
            self.preset = None
            self.view = view if kept and run else "A" if kept else "B"
            self.just_kept = kept is not None and kept is run

    def place_twin(self, twin: Run) -> None:
        """The other network beside the present run, trained before."""
        self.beside, self.other = True, twin
        self.twin_number += 1

    def rejoin(self, spec: RunSpec, begin: Callable[..., Job]) -> None:
        """Watch a training again. Raises as `train`."""
        self.job, self.preset = begin(spec, self.visitor), None

    def train_again(self, lost: Lost) -> None:
        """What was lost, all at once. Raises as `train`; all stays as it was."""
        again = shared_engine().start(lost.kept, self.visitor) if lost.kept else None
        if lost.run:
            before, self.beside = self.beside, lost.beside
            try:
                self.train(lost.run)
            except ValueError:
                self.beside = before
                if again:
                    again.cancel()
                raise
        elif lost.beside:
            self.stand_beside(True)
        self.kept_job, self.lost = again, None

    # ---- What is on the stage ----------------------------------------------------------

    def keep(self) -> None:
        """The present run becomes A; the next one is B."""
        self.take_result(at_once=True)
        self._forget_kept_job()
        self.kept, self.kept_number, self.just_kept = self.run, self.number, True
        self.preset = None

    def show(self, preset: str) -> None:
        """A preset's runs instead of all that there is. Raises `LeftOutError`, a sentence."""
        kept, run = shelf().take(preset)
        self._cancel()
        self._forget_kept_job()
        self.kept, self.run, self.other, self.beside = kept, run, None, False
        self.kept_number, self.number = f"{preset}-a", preset
        self.view = "both" if kept else "B"
        self.preset = self.walked = preset
        self.chosen, self.conflict, self.just_kept, self.sent = run.spec, None, False, ()
        self.failure = self.refusal = self.twin_failure = self.lost = None
        self.complaints = {}

    def bring_back(self, spec: RunSpec) -> None:
        """The run of these settings on the stage again, if it is still there; else all stays."""
        run = shared_engine().finished(spec)
        if run is None or run is self.run:
            return
        self._cancel()
        self._forget_kept_job()
        self.kept, self.sent = None, ()
        self.place(None, run, "B")
        self.failure = self.refusal = self.twin_failure = self.lost = None

    def _forget_kept_job(self) -> None:
        if self.kept_job:
            self.kept_job.cancel()
            self.kept_job = None

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
