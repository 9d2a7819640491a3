"""The popover "Link": what a class is sent, and which controls it finds there."""

from __future__ import annotations

import streamlit as st

from resviz.presets import PRESETS
from resviz.ui import address, links
from resviz.ui.session import Session

HERE = "the settings, as they stand"


def popover(session: Session) -> None:
    """Filled when it is opened: few do."""
    box = st.popover(
        "Link",
        icon=":material/link:",
        key="share",
        on_change="rerun",
        disabled="share" in session.locked,
    )
    if box.open:
        with box:
            builder(session)


@st.fragment
def builder(session: Session) -> None:
    """The link, and what it is to do."""
    preset = address.shown_preset(session)
    st.session_state.setdefault("link_hide", list(session.hidden))
    st.session_state.setdefault("link_lock", list(session.locked))
    of_preset = preset is not None and (
        st.radio(
            "It opens on",
            (f"the preset “{PRESETS[preset].title}”", HERE),
            key="link_opens",
            horizontal=True,
        )
        != HERE
    )
    present = st.toggle("In presentation: stage, scores and transport alone", key="link_present")
    hide, lock = (
        st.multiselect(
            label,
            list(links.CONTROLS),
            format_func=links.CONTROLS.__getitem__,
            key=key,
            placeholder="none",
            persist_state="session",
        )
        for label, key in (("Hidden controls", "link_hide"), ("Locked controls", "link_lock"))
    )
    query = links.query_of(
        None if of_preset else session.chosen,
        preset if of_preset else None,
        present,
        hide,
        [name for name in lock if name not in hide],
    )
    query |= links.players_part(address.players_fields("seen"))
    st.code(links.text(st.context.url or "", query), language=None, wrap_lines=True)
