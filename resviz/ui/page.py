"""The page, from top to bottom. Streamlit runs this script at every interaction."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from resviz import words
from resviz.engine import shared_engine
from resviz.ui import address, controls, history, links, moment, restore, stage, visitor
from resviz.ui.buttons import buttons, read_settings
from resviz.ui.heading import look, look_row, notices, show, title_row
from resviz.ui.readings import choose_chart, show_chart, show_progress, show_scores
from resviz.ui.session import ASSETS, Session
from resviz.ui.shelf import FIRST

# Seconds between two updates while training: of the picture, of charts and scores, of a pause.
PICTURE_PULSE, READING_PULSE, PAUSED_PULSE = 0.2, 0.6, 1.0
# Seconds for which the page waits for the first picture: a free worker has it in half of them.
FIRST_PICTURE = 0.1
# So many trainings to a worker get new pictures as often as that. Among more the news are rarer,
# and so is asking for them, up to so many times: a class of thirty asks thirty times a second.
CALM, SLOWEST = 3, 5
STYLE = Path(__file__).with_name("style.css")


def main() -> None:
    st.set_page_config(
        page_title=words.TITLE,
        page_icon=str(ASSETS / "icon.png"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")
    session = open_session()
    session.dark = st.context.theme.type == "dark"
    session.take_result()
    history.follow(session)
    standing = session.standing
    read_settings(session)
    address.write(session)
    title_row(session)
    look_box = look_row(session)
    with st.container(horizontal=True, vertical_alignment="center", key="transport"):
        buttons(session)
        progress = st.container(key="progress")
    room(session)
    picture, charts = st.columns(2, gap="small")
    with picture, st.container(key="stage_box"):
        stage.show(session)
    with charts, st.container(key="charts"):
        chart = choose_chart()
        chart_box = st.container(key="chart_box")
    score_box = st.container(key="scores")
    notices(session)
    restore.remember(session)
    # After the stage: the browser loads plotly.js while the controls are on their way.
    controls.sidebar(session.hidden, session.locked)

    session.wait_for_pictures(FIRST_PICTURE)
    slower = slowness() if standing else 1.0

    def picture_moves() -> None:
        if session.take_result() or session.standing != standing:
            st.rerun()  # the buttons, too, must know
        if standing and not slower / 2 < slowness() < slower * 2:
            st.rerun()  # so that the pulse is another
        session.touch()
        if standing:
            with progress:
                show_progress(session)
        stage.send_live(session)

    def readings_move() -> None:
        moment.listen(lambda told: setattr(session, "moment", told))
        if not standing:
            with progress:
                show_progress(session)
        with look_box:
            look(session)
        with chart_box:
            show_chart(session, chart)
        with score_box:
            show_scores(session)

    # Last, and into containers made before: called earlier, what follows them can vanish. Each
    # alone in a container of its own: a message that overtakes another may find one of two
    # neighbours gone, and the browser ends the session if the other is then out of its place.
    paused = standing and all(rests for _, _, rests in standing)
    for update, pulse in ((readings_move, READING_PULSE), (picture_moves, PICTURE_PULSE)):
        every = None if not standing else PAUSED_PULSE if paused else pulse * slower
        with st.container():
            st.fragment(update, run_every=every)()


def slowness() -> float:
    """How many times longer than alone a training waits for its next picture, within reason."""
    return min(max(1.0, shared_engine().crowd / CALM), SLOWEST)


def open_session() -> Session:
    """What this visitor has; at the first run of the page, made from its address."""
    if "_session" not in st.session_state:
        link, complaints = links.read(address.fields())
        session = Session(link.spec, link.spec, hidden=link.hidden, locked=link.locked)
        session.visitor = visitor.identity()
        session.arrived = restore.place_of(address.fields())
        opening = link.preset or session.preset
        if opening not in (None, FIRST):
            show(session, opening)
        if address.fields() or session.preset is None:
            session.chosen = link.spec
        session.complaints = complaints
        controls.set_widgets(session.chosen)
        st.session_state["_session"] = session
    return st.session_state["_session"]


def room(session: Session) -> None:
    """Tell the player how many panels are to come, before they do (player/fit.js)."""
    st.html(f"<style>:root {{ --resviz-panels: {session.panels} }}</style>")


main()
