"""What is measured: how far training is, the charts, and the scores."""

from __future__ import annotations

import streamlit as st

from resviz import words
from resviz.engine import Job, Phase, shared_engine
from resviz.figures import Figure
from resviz.figures.charts import layers_chart, splits_chart, training_chart
from resviz.figures.stage import network_name
from resviz.records import Record, Scores
from resviz.ui import beside, scores
from resviz.ui.session import Session

CHARTS = ("Layers", "Training", "Effort")


def show_progress(session: Session) -> None:
    """Where training stands: step, loss and time left."""
    jobs = session.jobs
    if not jobs:
        run = session.run
        done = run.state.step / run.spec.steps
        st.progress(done, f"step {run.state.step} of {run.spec.steps} · loss {_loss(run.history)}")
        return
    # Of a pair the one that is behind.
    job = min(jobs, key=lambda job: (job.phase is Phase.DONE, job.step / job.spec.steps))
    name = [network_name(job.spec)] if session.twin_job else []
    st.progress(job.step / job.spec.steps, " · ".join([*name, *_standing(job)]))


def _standing(job: Job) -> list[str]:
    parts = [f"step {job.step} of {job.spec.steps}"]
    if job.replaying:
        parts.insert(0, "replayed")
    if job.history:
        parts.append(f"loss {_loss(job.history)}")
    if job.phase is Phase.SCORING:
        parts.append(f"taking the scores, {job.scored:.0%}")
    elif job.phase is Phase.PAUSED:
        parts.append("paused" if job.step else "untrained")
    elif (place := job.position) is not None:
        most = shared_engine().limits.trainings
        runs = "run" if most == 1 else "runs"
        parts.append(f"place {place} in line: this server trains {most} {runs} at once")
    elif job.chunk is None:
        parts.append("waiting for a worker")
    elif job.seconds_left is not None and job.trouble is None:
        parts.append(f"{job.seconds_left:.0f} s left")
    if job.trouble is not None:
        parts.append(job.trouble)
    return parts


def _loss(history: tuple[Record, ...]) -> str:
    return words.number(history[-1].loss) if history else "–"


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
    course = session.job and (session.job.spec, len(session.job.history))
    drawn_of = (
        *(chart, session.dark, session.number, session.kept_number, session.kept is None),
        bool(session.job) if chart == "Layers" else course,  # layers are measured at the end
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
        alt=f"{chart} chart",
    )


def draw_chart(session: Session, chart: str) -> Figure:
    """Of the training under way, else of the present run; A behind it."""
    job, kept, dark = session.job, session.kept, session.dark
    shown = job or session.run
    course = shown.history, shown.spec.steps, kept and kept.history
    match chart:
        case "Layers":
            return layers_chart(None if job else session.run, kept, dark)
        case "Training":
            return training_chart(*course, dark)
        case "Effort":
            return splits_chart(*course, dark)
        case _:
            raise ValueError(f"chart: {chart!r} is unknown; known are {', '.join(CHARTS)}")


def show_scores(session: Session) -> None:
    """The scores of what is on the stage, and what they were in the kept run."""
    shown = _shown(session)
    if shown is None:
        st.html('<div class="resviz-scores">…</div>')
        return
    apart = session.kept and (session.job or session.kept is not session.run)
    compared = apart and session.view != "A"
    kept = (session.kept.scores, session.kept.class_scores) if compared else (None, None)
    scores.show(*shown, *kept, twin=_twin(session), note=_note(session))


def _shown(session: Session) -> tuple[Scores, Scores | None] | None:
    if session.view == "A":
        return session.kept.scores, session.kept.class_scores
    if session.job is None:
        return session.run.scores, session.run.class_scores
    return _last(session.job.history)


def _last(history: tuple[Record, ...]) -> tuple[Scores, Scores | None] | None:
    return (history[-1].scores, history[-1].class_scores) if history else None


def _twin(session: Session) -> scores.Line | None:
    """The scores of the other network, while it is on the stage."""
    if session.view != "B":
        return None
    if job := session.twin_job:
        last = _last(job.history)
        return last and scores.Line(network_name(job.spec), *last)
    if (twin := session.twin) and not session.job:
        return scores.Line(network_name(twin.spec), twin.scores, twin.class_scores)
    return None


def _note(session: Session) -> str | None:
    """What must be known to compare what stands side by side."""
    beside_it = {
        "A": None,
        "B": session.twin_job or session.twin,
        "both": session.kept,
    }[session.view]
    return beside_it and beside.note(session.shown_spec, beside_it.spec)
