"""The page, from top to bottom. Streamlit runs this script at every interaction."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from resviz import words
from resviz.engine import Phase, shared_engine
from resviz.figures import Figure
from resviz.figures.charts import layers_chart, splits_chart, training_chart
from resviz.figures.colours import COLOURINGS
from resviz.limits import LimitError
from resviz.records import Record
from resviz.spec import RunSpec
from resviz.ui import controls, scores, stage
from resviz.ui.session import ASSETS, VIEWS, Session, opener

# Seconds between two updates while training: of the picture, of charts and scores, of a pause.
PICTURE_PULSE, READING_PULSE, PAUSED_PULSE = 0.2, 0.6, 1.0
# So many trainings to a worker get new pictures as often as that. Among more the news are rarer,
# and so is asking for them, up to so many times: a class of thirty asks thirty times a second.
CALM, SLOWEST = 3, 5
CHARTS = ("Layers", "Training", "Effort")
STYLE = Path(__file__).with_name("style.css")


def main() -> None:
    st.set_page_config(
        page_title=words.TITLE,
        page_icon=str(ASSETS / "icon.png"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(STYLE)
    session = open_session()
    session.take_result()
    job, standing = session.job, session.standing
    read_settings(session)
    controls.write_address(session.chosen)
    heading(session)
    with st.container(horizontal=True, vertical_alignment="center", key="transport"):
        buttons(session)
        progress = st.container(key="progress")
    picture, charts = st.columns([room(session), 1], gap="small")
    with picture, st.container(key="stage_box"):
        stage.show(session)
    with charts, st.container(key="charts"):
        with st.container(horizontal=True, key="chart_bar"):
            chart = st.segmented_control(
                "Chart",
                CHARTS,
                default=CHARTS[0],
                required=True,
                key="chart",
                label_visibility="collapsed",
            )
            colour_choice(session)
        chart_box = st.container(key="chart_box")
    score_box = st.container(key="scores")
    notices(session)
    # After the stage: the browser loads plotly.js while the controls are on their way.
    controls.sidebar()

    slower = slowness() if job else 1.0

    def picture_moves() -> None:
        if session.take_result() or session.standing != standing:
            st.rerun()  # the buttons, too, must know
        if job and not slower / 2 < slowness() < slower * 2:
            st.rerun()  # so that the pulse is another
        if session.job:
            session.job.touch()
        with progress:
            show_progress(session)
        stage.send_live(session)

    def readings_move() -> None:
        with chart_box:
            show_chart(session, chart)
        with score_box:
            show_scores(session)

    # Last, and into containers made before: called earlier, what follows it can vanish.
    paused = job and standing[0] is Phase.PAUSED and standing[2]
    for update, pulse in ((readings_move, READING_PULSE), (picture_moves, PICTURE_PULSE)):
        every = None if not job else PAUSED_PULSE if paused else pulse * slower
        st.fragment(update, run_every=every)()


def slowness() -> float:
    """How many times longer than alone a training waits for its next picture, within reason."""
    return min(max(1.0, shared_engine().crowd / CALM), SLOWEST)


def open_session() -> Session:
    """What this visitor has; at the first run of the page, made from its address."""
    if "_session" not in st.session_state:
        spec, complaints = controls.read_address()
        controls.set_widgets(spec)
        st.session_state["_session"] = Session(linked=spec, chosen=spec, complaints=complaints)
    return st.session_state["_session"]


def read_settings(session: Session) -> None:
    """Take in what the controls say; where that is not allowed, why, and keep what was."""
    try:
        session.chosen, session.conflict = controls.settings(), None
    except ValueError as reason:
        session.conflict = str(reason)


def heading(session: Session) -> None:
    """The title, and one line under it: what must be known now, else where to look."""
    subtitle = words.SUBTITLES[session.shown_spec.task]
    st.html(f'<div class="resviz-head"><h1>{words.TITLE}</h1><p>{subtitle}</p></div>')
    ending = None if session.job else words.ending(session.run)
    changed = settings_changed(session)
    with st.container(key="look"):
        if session.conflict:
            st.error(f"These settings cannot be trained. {plain(session.conflict)}.")
        elif session.refusal and session.refusal[0] == session.chosen:
            st.error(plain(session.refusal[1]))
        elif session.failure:
            st.error(" ".join([plain(session.failure), *changed]))
        elif ending:
            st.warning(" ".join([ending, *changed]))
        elif changed:
            st.info(*changed)
        else:
            st.html(f'<p class="resviz-look">{look_at(session)}</p>')


def settings_changed(session: Session) -> list[str]:
    """A sentence, if the picture is not that of the settings."""
    if session.chosen == session.shown_spec:
        return []
    if session.chosen == session.linked and session.run is opener() and not session.job:
        return ["This link's settings are not trained yet: press Train. Below is the opening run."]
    return ["Settings changed: press Train. The picture is still that of the settings before."]


def plain(text: str) -> str:
    """Text from elsewhere as an alert shows it: no links, no images, no other Markdown."""
    return re.sub(r"[\\`*<>!$~\[\]]|(?<=http):|(?<=https):|(?<=www)\.", r"\\\g<0>", text)


def look_at(session: Session) -> str:
    """Where to look: at the way there while training, else at what the scores tell."""
    if session.job:
        return "Look at the tracks: this is the way through the layers as it is learned."
    if session.view == "both":
        return words.compare(session.kept, session.run)
    return words.look_at(session.kept if session.view == "A" else session.run)


def room(session: Session) -> float:
    """The stage's width over that of the charts; tells the style sheet how high to be."""
    panels, width = {"A": (2, 2.3), "B": (2, 2.3), "both": (3, 3.4)}[session.view]
    shares = f"--resviz-stage: {1 / panels:.4f}; --resviz-charts: {width / panels:.4f}"
    st.html(f"<style>:root {{ {shares} }}</style>")
    return width


def buttons(session: Session) -> None:
    """Train, pause or resume, stop, reset, keep as A, and which run to look at.

    No `help` on them: Streamlit then puts a second, hidden button under each key, and its
    tooltip over the line above.
    """
    job = session.job
    running = job is not None and job.phase is Phase.RUNNING
    paused = job is not None and job.phase is Phase.PAUSED
    st.button(
        "Train",
        key="train",
        type="primary",
        disabled=session.conflict is not None,
        on_click=lambda: start(session, session.train),
    )
    st.button(
        "Resume" if paused else "Pause",
        key="pause",
        disabled=not (running or paused),
        on_click=lambda: job.resume() if paused else job.pause(),
    )
    st.button(
        "Stop",
        key="stop",
        disabled=not (running or paused),
        on_click=lambda: job.stop(),
    )
    if running and job.replaying:
        st.button("Skip", key="skip", on_click=lambda: job.skip())
    st.button(
        "Reset",
        key="reset",
        disabled=session.conflict is not None,
        on_click=lambda: start(session, session.reset),
    )
    st.button(
        "Keep as A",
        key="keep",
        on_click=session.keep,
    )
    if session.kept:
        st.session_state["view"] = session.view
        st.segmented_control(
            "Look at",
            VIEWS,
            required=True,
            key="view",
            label_visibility="collapsed",
            on_change=lambda: setattr(session, "view", st.session_state["view"]),
        )


def start(session: Session, begin: Callable[[RunSpec], None]) -> None:
    """Begin with the settings as they are now, unless a last change forbids it."""
    session.take_result()  # one that ended since the page was last drawn
    read_settings(session)
    if session.conflict is None:
        try:
            begin(session.chosen)
        except LimitError as reason:
            session.refusal = session.chosen, f"This server does not take that on. {reason}."


def colour_choice(session: Session) -> None:
    """What a particle's colour says."""
    st.session_state["colour_by"] = session.colour_by
    st.selectbox(
        "Colour by",
        COLOURINGS,
        key="colour_by",
        format_func="colour: {}".format,
        label_visibility="collapsed",
        on_change=lambda: setattr(session, "colour_choice", st.session_state["colour_by"]),
    )


def show_progress(session: Session) -> None:
    """Where training stands: step, loss and time left."""
    job = session.job
    if job is None:
        run = session.run
        done = run.state.step / run.spec.steps
        st.progress(done, f"step {run.state.step} of {run.spec.steps} · loss {_loss(run.history)}")
        return
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
    elif job.seconds_left is not None:
        parts.append(f"{job.seconds_left:.0f} s left")
    st.progress(job.step / job.spec.steps, " · ".join(parts))


def _loss(history: tuple[Record, ...]) -> str:
    return words.number(history[-1].loss) if history else "–"


def show_chart(session: Session, chart: str) -> None:
    """The chosen chart; drawn anew when there is news, since that takes ten milliseconds."""
    course = session.job and (session.job.spec, len(session.job.history))
    drawn_of = chart, session.number, session.kept_number, session.kept is None, course
    if chart == "Layers" and session.job:  # measured when training ends
        drawn_of = (*drawn_of[:-1], True)
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
    job, kept = session.job, session.kept
    shown = job or session.run
    match chart:
        case "Layers":
            return layers_chart(None if job else session.run, kept)
        case "Training":
            return training_chart(shown.history, shown.spec.steps, kept and kept.history)
        case "Effort":
            return splits_chart(shown.history, shown.spec.steps, kept and kept.history)
        case _:
            raise ValueError(f"chart: {chart!r} is unknown; known are {', '.join(CHARTS)}")


def show_scores(session: Session) -> None:
    """The scores of what is on the stage, and what they were in the kept run."""
    apart = session.kept and (session.job or session.kept is not session.run)
    kept = (session.kept.scores, session.kept.class_scores) if apart else (None, None)
    if session.view == "A":
        scores.show(session.kept.scores, session.kept.class_scores, None)
    elif session.job is None:
        scores.show(session.run.scores, session.run.class_scores, *kept)
    elif session.job.history:
        last = session.job.history[-1]
        scores.show(last.scores, last.class_scores, *kept)
    else:
        st.html('<div class="resviz-scores">…</div>')


def notices(session: Session) -> None:
    """What the address asked for and did not get."""
    with st.container(key="notices"):
        if session.complaints:
            defaults = RunSpec().to_query()
            kept = {name: f"; it stays at {text}" for name, text in defaults.items()}
            sentences = [f"{why}{kept.get(name, '')}." for name, why in session.complaints.items()]
            st.warning("This link was not understood in full. " + plain(" ".join(sentences)))


main()
