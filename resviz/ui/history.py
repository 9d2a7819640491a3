"""What the browser's Back and Forward bring up again: the preset or the settings of that time."""

from __future__ import annotations

from streamlit.runtime.scriptrunner import get_script_run_ctx

from resviz.ui import address, controls, heading, links
from resviz.ui.session import Session


def follow(session: Session) -> None:
    """Show what the address asks for, if Back or Forward has brought it."""
    if not brought():
        return
    link, session.complaints = links.read(address.fields())
    if link.preset is None:
        session.bring_back(link.spec)
    elif link.preset != session.preset:  # else its picture is still on the stage
        heading.show(session, link.preset)
    session.chosen, session.conflict = link.spec, None
    controls.set_widgets(link.spec)


def brought() -> bool:
    """Whether the address of this run is one that the browser went back or forward to.

    Of any other run it is what Streamlit last wrote, or has not heard of yet.
    """
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
