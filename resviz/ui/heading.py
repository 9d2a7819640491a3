"""The page's first two rows: title, and the presets with one sentence of what to look at."""

from __future__ import annotations

import re
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from resviz import words
from resviz.presets import PRESETS
from resviz.ui import beside, controls, links, restore, share, shelf, take_home
from resviz.ui.plain import plain
from resviz.ui.session import Session
from resviz.ui.shown import Shown, on_stage

# The player listens for clicks on [data-resviz].
BUTTONS = (
    '<button data-resviz="present" title="Stage, scores and transport alone (p)">Present</button>'
    '<button data-resviz="help" aria-label="Keys" title="Keys (?)">?</button>'
)


def title_row(session: Session) -> None:
    """The title and the subtitle; what to show others, and what to take home."""
    lines = re.sub(r"\. (?=[A-Z])", ".<br>", words.SUBTITLES[session.shown_spec.task])
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.html(f'<div class="resviz-head"><h1>{words.TITLE}</h1><p>{lines}</p></div>')
        if "share" not in session.hidden:
            share.popover(session)
        if "take_home" not in session.hidden:
            take_home.popover(session)
        st.html(f'<div class="resviz-head-buttons">{BUTTONS}</div>', width="content")


def look_row(session: Session) -> DeltaGenerator:
    """Which preset, and those before and after; the place for `look`, which is returned."""
    with st.container(horizontal=True, vertical_alignment="center", key="look_row"):
        if "preset" not in session.hidden:
            chooser(session)
        place = st.container(key="look")
        restore.button(session)
        if "preset" not in session.hidden:
            for word, steps in (("Previous", -1), ("Next", 1)):
                st.button(
                    word,
                    key=f"{word.lower()}_preset",
                    icon=f":material/skip_{word.lower()}:",
                    disabled="preset" in session.locked,
                    on_click=lambda steps=steps: show(session, shelf.along(session.walked, steps)),
                )
    return place


def chooser(session: Session) -> None:
    """The list of presets; none is chosen once something else is on the stage."""
    st.session_state["preset"] = session.preset
    st.selectbox(
        "Preset",
        shelf.offered(),
        index=None if session.preset is None else 0,  # what is chosen cannot be cleared
        format_func=lambda name: PRESETS[name].title,
        key="preset",
        placeholder="Presets",
        label_visibility="collapsed",
        disabled="preset" in session.locked,
        on_change=lambda: show(session, st.session_state["preset"]),
    )


def show(session: Session, name: str) -> None:
    """A preset's runs on the stage, and its settings in the controls."""
    try:
        session.show(name)
    except ValueError as reason:
        session.failure = f"This preset cannot be shown. {reason}."
    else:
        controls.set_widgets(session.chosen)


def look(session: Session) -> None:
    """One line: an error, a warning, a note, or where to look."""
    ending = how_it_ended(on_stage(session))
    changed = settings_changed(session)
    if session.conflict:
        st.error(f"These settings cannot be trained. {plain(session.conflict)}.")
    elif session.refusal and session.refusal[0] == session.chosen:
        st.error(plain(session.refusal[1]))
    elif session.failure:
        st.error(" ".join([plain(session.failure), *changed]))
    elif session.lost:
        restore.sentence(session)
    elif session.twin_failure:
        st.warning(" ".join([plain(session.twin_failure), *changed]))
    elif ending:
        st.warning(" ".join([ending, *changed]))
    elif changed:
        st.info(*changed)
    else:
        st.html(f'<p class="resviz-look">{escape(look_at(session))}</p>')


def how_it_ended(stage: tuple[Shown, ...]) -> str | None:
    """A sentence on a run that is shown as it ended, but did not take all its steps.

    Beside B the kept run's own end is no news.
    """
    for shown in stage[-1:] if stage[0].of == "kept" else stage:
        if shown.ended and (said := words.ending(shown.run)):
            return f"{shown.name}: {said}" if len(stage) > 1 else said
    return None


def settings_changed(session: Session) -> list[str]:
    """A sentence, if the picture is not that of the settings."""
    if session.chosen == session.shown_spec:
        return []
    if session.chosen == session.linked and session.preset:
        title = PRESETS[session.preset].title
        return [f"This link's settings are not trained yet: press Train. Below is “{title}”."]
    return ["Settings changed: press Train. The picture is still that of the settings before."]


def look_at(session: Session) -> str:
    """Where to look: at the way there while training, else at what the preset or scores tell.

    What a preset tells is of its runs' ends.
    """
    stage = on_stage(session)
    if any(shown.live for shown in stage):
        return "Look at the tracks: this is the way through the layers as it is learned."
    if stage[-1].of == "twin":
        return beside.sentence(*stage)
    preset = session.preset and PRESETS[session.preset]
    ended = all(shown.ended for shown in stage)
    if preset and ended and session.view == ("both" if preset.kept else "B"):
        return preset.look
    runs, records = ([getattr(shown, name) for shown in stage] for name in ("run", "record"))
    return words.compare(*runs, *records) if len(stage) == 2 else words.look_at(*runs, *records)


def notices(session: Session) -> None:
    """What the address asked for and did not get."""
    with st.container(key="notices"):
        if session.complaints:
            told = plain(links.told(session.complaints))
            st.warning(f"This link was not understood in full. {told}")
        shelf.notice()
