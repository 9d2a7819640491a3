"""What is measured: how far training is, the charts, and the scores."""

from __future__ import annotations

import streamlit as st

from resviz import words
from resviz.engine import Job, Phase, shared_engine
from resviz.figures import Figure
from resviz.figures.charts import layers_chart, splits_chart, training_chart
from resviz.figures.stage import network_name
from resviz.records import COURSE_PARTICLES
from resviz.ui import beside, scores
from resviz.ui.session import Session
from resviz.ui.shown import Shown, beside_it, on_stage, told_steps

CHARTS = ("Layers", "Training", "Effort")


def show_progress(session: Session) -> None:
    """Where training stands: step, loss and time left; at rest, which step is shown."""
    jobs = session.jobs
    if not jobs:
        st.progress(*_at_rest(on_stage(session)))
        return
    # Of a pair the one that is behind.
    job = min(jobs, key=lambda job: (job.phase is Phase.DONE, job.step / job.spec.steps))
    name = network_name(job.spec) if session.twin_job else "" if session.view == "B" else "B"
    st.progress(job.step / job.spec.steps, " · ".join([*filter(None, [name]), *_standing(job)]))


def _at_rest(stage: tuple[Shown, ...]) -> tuple[float, str]:
    """How far the present run is, or the only one; each one's step, and its loss there."""
    chief = next((shown for shown in stage if shown.of == "present"), stage[0])
    steps = [f"step {shown.step} of {shown.spec.steps}" for shown in stage]
    losses = [words.number(shown.loss) for shown in stage]
    if len(stage) > 1:
        names = [shown.name for shown in stage]
        losses = [f"{name} {loss}" for name, loss in zip(names, losses, strict=True)]
        if len(set(steps)) > 1:
            told = " · ".join(f"{name} {step}" for name, step in zip(names, steps, strict=True))
            return chief.step / chief.spec.steps, f"{told} · loss {', '.join(losses)}"
    return chief.step / chief.spec.steps, f"{steps[0]} · loss {', '.join(losses)}"


def _standing(job: Job) -> list[str]:
    chunk = job.chunk
    parts = [f"step {chunk.state.step if chunk else 0} of {job.spec.steps}"]
    if job.replaying:
        parts.insert(0, "replayed")
    if chunk is not None:
        parts.append(f"loss {words.number(chunk.state.loss)}")
    if job.phase is Phase.SCORING:
        parts.append(f"taking the scores, {job.scored:.0%}")
    elif job.phase is Phase.PAUSED:
        parts.append("paused" if chunk and chunk.state.step else "untrained")
    elif (place := job.position) is not None:
        most = shared_engine().limits.trainings
        runs = "run" if most == 1 else "runs"
        parts.append(f"place {place} in line: this server trains {most} {runs} at once")
    elif chunk is None:
        parts.append("waiting for a worker")
    elif job.seconds_left is not None and job.trouble is None:
        parts.append(f"{job.seconds_left:.0f} s left")
    if job.trouble is not None:
        parts.append(job.trouble)
    return parts


def choose_chart() -> str:
    """Which chart to show."""
    return st.segmented_control(
        "Chart",
        CHARTS,
        default=CHARTS[0],
        required=True,
        key="chart",
        label_visibility="collapsed",
    )


def show_chart(session: Session, chart: str) -> None:
    """The chosen chart; drawn anew when there is news, since that takes ten milliseconds."""
    stage = on_stage(session)
    # In a chart of the course the player's cursor moves, and the curves stay.
    moments = [s.record and s.record.step for s in stage] if chart == "Layers" else []
    runs = [(s.of, s.name, s.spec, s.live, len(s.history)) for s in stage]
    drawn_of = (
        *(chart, session.dark, session.view, session.number, session.kept_number),
        *(session.kept is None, runs, moments),
    )
    cached = st.session_state.get("_chart")
    if cached is None or cached[0] != drawn_of:
        cached = st.session_state["_chart"] = drawn_of, draw_chart(session, chart)
    st.plotly_chart(
        cached[1],
        key="chart_figure",
        theme=None,
        height="stretch",
        config={"displayModeBar": False},
        alt=f"{chart} chart{_when(stage) if chart == 'Layers' else ''}",
    )


def draw_chart(session: Session, chart: str) -> Figure:
    """Of the present run, as far as the stage has it; behind it A, on the stage or kept for later.

    While the stage shows A alone, of A alone.
    """
    stage, dark = on_stage(session), session.dark
    kept, run = (next((s for s in stage if s.of == of), None) for of in ("kept", "present"))
    if chart == "Layers":
        kept = kept or beside_it(session, stage)
        scores = [shown and shown.scores for shown in (run, kept)]
        return layers_chart(*scores, dark, _layers_note(stage))
    course = run.history if run else ()
    behind = kept.history if kept else session.kept and session.kept.history
    steps = (run or kept).spec.steps
    match chart:
        case "Training":
            return training_chart(course, steps, behind, dark)
        case "Effort":
            return splits_chart(course, steps, behind, dark)
        case _:
            raise ValueError(f"chart: {chart!r} is unknown; known are {', '.join(CHARTS)}")


def _layers_note(stage: tuple[Shown, ...]) -> list[str]:
    """Of which step the layers are, and of how many particles, if not of all at the end."""
    drawn = tuple(shown for shown in stage if shown.of != "twin")
    if all(shown.ended for shown in drawn):
        return []
    missing = [shown for shown in drawn if shown.scores is None or shown.scores.gap is None]
    if missing:
        return ["not measured at", *told_steps(tuple(missing)).split(", ")]
    few = [s for s in drawn if not s.ended and s.spec.particles > COURSE_PARTICLES]
    whose = "" if len(few) == len(drawn) else "".join(f"{shown.name} " for shown in few)
    return [told_steps(drawn), *([f"{whose}of {COURSE_PARTICLES} particles"] if few else [])]


def _when(stage: tuple[Shown, ...]) -> str:
    """*, step 40*, where a run is not shown as it ended."""
    return "" if all(s.ended for s in stage) else f", {told_steps(stage)}"


def show_scores(session: Session) -> None:
    """The scores of what is on the stage, and what they were in the kept run."""
    stage = on_stage(session)
    kept = beside_it(session, stage)
    chief = next((s for s in stage if s.of == "present"), stage[0])
    twin = next((s for s in stage if s.of == "twin" and s.scores), None)
    if chief.scores is None:
        st.html('<div class="resviz-scores">…</div>')
        return
    scores.show(
        *(chief.scores, chief.class_scores),
        *((kept.scores, kept.class_scores) if kept else (None, None)),
        twin=twin and scores.Line(twin.name, twin.scores, twin.class_scores, _step(twin)),
        note=_note(session),
        step=_step(chief, kept if session.view == "both" else None),
        few=not chief.ended and chief.spec.particles > COURSE_PARTICLES,
    )


def _step(shown: Shown, kept: Shown | None = None) -> scores.Steps | None:
    """Of which steps scores are; None for the ends of finished runs."""
    if all(s.ended for s in (shown, kept) if s):
        return None
    own = shown.record.step
    return scores.Steps(kept and kept.record.step, own, behind=own < shown.step)


def _note(session: Session) -> str | None:
    """What must be known to compare what stands side by side."""
    other = {
        "A": None,
        "B": session.twin_job or session.twin,
        "both": session.kept,
    }[session.view]
    return other and beside.note(session.shown_spec, other.spec)
