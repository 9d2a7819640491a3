"""The page's address: read when the page is opened, and kept a link to what is shown.

Another preset, or settings of one's own after a preset's, is a new entry of the browser's
history; `history.py` follows when Back or Forward brings one up again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from resviz.presets import PRESETS
from resviz.ui import links
from resviz.ui.session import Session

HERE = Path(__file__).parent
# The player's fields and Streamlit's own: no entry of ours changes them.
OTHERS = (*links.PLAYERS, "embed", "embed_options")

entries = st.components.v2.component(
    "resviz_entries", js=(HERE / "entries.js").read_text(encoding="utf-8")
)
seen = st.components.v2.component("resviz_seen", js=(HERE / "seen.js").read_text(encoding="utf-8"))


def fields() -> Mapping[str, Sequence[str]]:
    """Every value that the address gives to each of its fields."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def shown_preset(session: Session) -> str | None:
    """The preset whose picture and settings are on the page, if they are one's."""
    preset = session.preset
    same = preset is not None and session.chosen == PRESETS[preset].run
    return preset if same and session.conflict is None else None


def write(session: Session) -> None:
    """Make the address a link to the settings, and to the preset while it is what is shown."""
    now = fields()
    query = links.query_of(
        session.chosen,
        shown_preset(session),
        links.wants_presentation(now),
        session.hidden,
        session.locked,
    )
    if session.conflict and session.address:
        query = session.address  # until what is typed can be had
    query |= links.players_part(now)
    if session.opening is None:
        session.opening = query  # written by `entries`: by Streamlit it would be a second entry
    elif st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    session.address = query
    entries(key="entries", data={"opening": urlencode(session.opening), "others": list(OTHERS)})


def players_fields(key: str) -> Mapping[str, Sequence[str]]:
    """What the player has in the address now: Streamlit knows of what it wrote itself alone.

    The browser is asked by a component of this `key`, and its answer runs the page again.
    """
    known = st.session_state.get(key, {}).get("seen") or {
        name: texts for name, texts in fields().items() if name in links.PLAYERS
    }
    seen(
        key=key,
        data={"names": list(links.PLAYERS), "known": {n: known.get(n, []) for n in links.PLAYERS}},
        on_seen_change=lambda: None,
    )
    return known
