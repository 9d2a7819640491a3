"""What is on the stage now: its runs, and of each the step that its picture is of.

The one place that knows. Progress, scores, sentence, charts and captions read all that they say
from here, so that they speak of the same steps of the same runs as the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from resviz.engine import Job
from resviz.figures.stage import network_name
from resviz.records import Record, Run, Scores
from resviz.spec import RunSpec
from resviz.ui.session import Session


@dataclass(frozen=True)
class Shown:
    """One run on the stage, at the step that its picture is of."""

    of: str  # what the stage calls it: "kept", "present" or "twin"
    name: str  # what people call it; empty where it stands alone
    spec: RunSpec
    step: int  # of the picture
    loss: float  # there
    history: tuple[Record, ...]  # its whole course, as far as it is known
    run: Run | None = None  # None while it trains

    @property
    def record(self) -> Record | None:
        """The newest point of its course up to this step: the one that its scores are of."""
        return next((r for r in reversed(self.history) if r.step <= self.step), None)

    @property
    def live(self) -> bool:
        """Whether it trains."""
        return self.run is None

    @property
    def ended(self) -> bool:
        """Whether it is a finished run, as it ended."""
        return self.run is not None and self.step == self.run.state.step

    @property
    def past(self) -> bool:
        """Whether it is a finished run at an earlier step."""
        return self.run is not None and not self.ended

    @property
    def scores(self) -> Scores | None:
        """None before the first are taken."""
        return self._scored()[0]

    @property
    def class_scores(self) -> Scores | None:
        return self._scored()[1]

    def _scored(self) -> tuple[Scores | None, Scores | None]:
        record = self.record
        if record is None:
            return None, None
        return self.run.at(record) if self.run else (record.scores, record.class_scores)


def on_stage(session: Session) -> tuple[Shown, ...]:
    """The runs whose networks the stage shows, from the left."""
    running = {of: job for of, job in trainings(session).items() if job.chunk}
    finished = {"kept": session.kept, "present": session.run, "twin": session.twin}
    steps = {} if running else moment_steps(session)
    paired = session.view == "B" and ("twin" in running or session.twin is not None)
    shown = []
    for of in {"A": ("kept",), "B": ("present", "twin"), "both": ("kept", "present")}[session.view]:
        spec = running[of].spec if of in running else finished[of] and finished[of].spec
        if spec is None:
            continue  # a twin that is not wanted, or has no picture yet
        letter = {"kept": "A", "present": "B" if session.view == "both" else ""}.get(of, "")
        name = network_name(spec) if paired else letter
        if of in running:
            shown.append(_under_way(of, name, running[of]))
        else:
            shown.append(_finished(of, name, finished[of], steps.get(of)))
    return tuple(shown)


def trainings(session: Session) -> dict[str, Job]:
    """The trainings under way whose runs the stage shows, or will show, by what it calls them."""
    jobs = {"present": session.job, "twin": session.twin_job}
    there = {"A": (), "B": ("present", "twin"), "both": ("present",)}[session.view]
    return {of: jobs[of] for of in there if jobs[of]}


def moment_steps(session: Session) -> dict[str, int]:
    """The steps at which the player shows the present figure's runs; empty at their ends."""
    moment = session.moment
    fits = moment is not None and moment.figure == session.figure_name
    return dict(moment.steps) if fits else {}


def _under_way(of: str, name: str, job: Job) -> Shown:
    chunk, history = job.picture
    return Shown(of, name, job.spec, chunk.state.step, chunk.state.loss, history)


def _finished(of: str, name: str, run: Run, step: int | None) -> Shown:
    recorded = {record.step: record.loss for record in run.history}
    if step not in recorded:  # a browser may tell anything
        step = run.state.step
    return Shown(of, name, run.spec, step, recorded[step], run.history, run)


def beside_it(session: Session, stage: tuple[Shown, ...]) -> Shown | None:
    """The kept run that the present one's numbers are compared with, if it is another.

    Where it is not on the stage itself it is taken as it ended, unless the present run is shown
    at an earlier step.
    """
    kept, present = session.kept, next((s for s in stage if s.of == "present"), None)
    if kept is None or present is None or present.run is kept:
        return None
    if session.view == "both":
        return next(s for s in stage if s.of == "kept")
    return None if present.past else _finished("kept", "A", kept, None)


def told_steps(stage: tuple[Shown, ...]) -> str:
    """*step 40*, or *A step 8, B step 160* where they differ: of the scores."""
    steps = [(s.name, s.record.step if s.record else s.step) for s in stage]
    if len({step for _, step in steps}) == 1:
        return f"step {steps[0][1]}"
    return ", ".join(f"{name} step {step}".strip() for name, step in steps)
