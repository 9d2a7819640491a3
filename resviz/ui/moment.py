"""Which earlier steps of training the player shows, as it tells the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

KEY = "moment"

teller = st.components.v2.component(
    "resviz_moment", js=Path(__file__).with_name("moment.js").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Moment:
    """The recorded steps at which a figure's runs are shown, by what the stage calls them."""

    figure: str
    steps: Mapping[str, int]


def read(told: object) -> Moment | None:
    """What a browser told; None where it shows the ends, or told what no player tells."""
    match told:
        case {"figure": str(figure), "steps": dict(steps)}:
            known = {of: step for of, step in steps.items() if type(step) is int}
            return Moment(figure, known) if known else None
        case _:
            return None


def listen(take: Callable[[Moment | None], None]) -> None:
    """Hear of every change, in the fragment that this is called in: it alone runs again.

    A session that takes over from one that is gone hears of no change: it finds what was told.
    """
    found = teller(
        key=KEY,
        on_shown_change=lambda: take(read(st.session_state[KEY].get("shown"))),
    )
    if (told := read(found.get("shown"))) is not None:
        take(told)
