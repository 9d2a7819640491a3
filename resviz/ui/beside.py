"""The other kind of network beside the present run: its switch, and what is said of the two."""

from __future__ import annotations

import streamlit as st

from resviz.spec import RunSpec
from resviz.ui.session import OTHER, Session
from resviz.ui.shown import Shown, told_steps
from resviz.words import number

# λ with its usual aim is another wish to each kind of network.
APART = (
    "λ draws residual layers towards the identity and plain ones towards a constant map: "
    "it does not ask the same of both."
)
SWITCH = {"plain": "+ plain network", "residual": "+ ResNet"}


def switch(session: Session) -> None:
    """Train the other kind of network with the same settings, and show it beside."""
    st.session_state["beside"] = session.beside
    st.toggle(
        SWITCH[OTHER[session.shown_spec.network]],
        key="beside",
        disabled="beside" in session.locked,
        on_change=lambda: session.stand_beside(st.session_state["beside"]),
    )


def sentence(run: Shown, twin: Shown) -> str:
    """What their efforts are, where the two stand side by side, and when."""
    both = run, twin
    when = f"At {told_steps(both)}: effort" if any(one.past for one in both) else "Effort:"
    ours, theirs = (f"{one.name} {number(one.scores.action_ratio)}" for one in both)
    return f"The same settings, two kinds of layers. {when} {ours}, {theirs}; 1 is the cheapest."


def note(one: RunSpec, other: RunSpec) -> str | None:
    """What must be known to compare the two, or None."""
    charged = any(spec.l2 > 0 and spec.l2_towards == "zero" for spec in (one, other))
    return APART if charged and one.network != other.network else None
