"""The page's address: read when the page is opened, and kept a link to what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from resviz.presets import PRESETS
from resviz.ui import links
from resviz.ui.session import Session


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
    query |= links.players_part(now)
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
