"""The row of buttons: train, pause, stop, reset, keep, the other network, and which run to see."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from resviz.limits import LimitError
from resviz.spec import RunSpec
from resviz.ui import beside, controls
from resviz.ui.note import VIEWS
from resviz.ui.session import Session


def buttons(session: Session) -> None:
    """The row, but for what the address hides.

    No `help` on them: Streamlit then puts a second, hidden button under each key, and its
    tooltip over the line above.
    """
    hidden, locked = session.hidden, session.locked
    running, paused = session.running, session.paused
    refused = session.conflict is not None
    if "train" not in hidden:
        st.button(
            "Train",
            key="train",
            type="primary",
            disabled=refused or "train" in locked,
            on_click=lambda: start(session, session.train),
        )
    stoppable = not {"train", "reset", "beside"} <= set(hidden)  # else nothing can begin
    if stoppable and "pause" not in hidden:
        st.button(
            "Resume" if paused else "Pause",
            key="pause",
            disabled=not (running or paused) or "pause" in locked,
            on_click=lambda: session.resume() if paused else session.pause(),
        )
    if stoppable and "stop" not in hidden:
        st.button(
            "Stop",
            key="stop",
            disabled=not (running or paused) or "stop" in locked,
            on_click=session.stop,
        )
    if session.replaying:
        st.button("Skip", key="skip", on_click=session.skip)
    if "reset" not in hidden:
        st.button(
            "Reset",
            key="reset",
            disabled=refused or "reset" in locked,
            on_click=lambda: start(session, session.reset),
        )
    if "keep" not in hidden:
        st.button("Keep as A", key="keep", disabled="keep" in locked, on_click=session.keep)
    if session.kept:
        which(session)
    if "beside" not in hidden:
        beside.switch(session)


def which(session: Session) -> None:
    """A, B or both."""
    st.session_state["view"] = session.view
    st.segmented_control(
        "Look at",
        VIEWS,
        required=True,
        key="view",
        label_visibility="collapsed",
        on_change=lambda: setattr(session, "view", st.session_state["view"]),
    )


def read_settings(session: Session) -> None:
    """Take in what the controls say; where that is not allowed, why, and keep what was."""
    try:
        session.chosen, session.conflict = controls.settings(session.chosen), None
    except ValueError as reason:
        session.conflict = str(reason)


def start(session: Session, begin: Callable[[RunSpec], None]) -> None:
    """Begin with the settings as they are now, unless a last change forbids it."""
    session.take_result()  # one that ended since the page was last drawn
    read_settings(session)
    if session.conflict is None:
        try:
            begin(session.chosen)
        except LimitError as reason:
            session.refusal = session.chosen, f"This server does not take that on. {reason}."
