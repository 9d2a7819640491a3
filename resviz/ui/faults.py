"""What a page says when its own run fails: one sentence. What it was is told to the log."""

from __future__ import annotations

import streamlit as st

SENTENCE = (
    "This part of the page failed, and its server's log says why. Reload the page: the runs that "
    "the server still has come back with it."
)


def tell(_: Exception) -> bool:
    """Streamlit's `on_script_error`: it has logged the failure, and would show its traceback."""
    st.error(SENTENCE, icon=":material/error:")
    return True
