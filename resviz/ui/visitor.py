"""Who a visitor is, for limits that hold for each: a browser, by the cookie that it has from us.

Not an address: a class of thirty stands behind one, and behind a proxy all the world has the
proxy's. One browser has one cookie in all its tabs, so that opening more gains nothing. Without
a cookie each session is somebody. Whoever forges cookies is several visitors, so that a limit for
each is for the careless and the greedy; that nobody waits for ever does not rest on it: turns,
rounds and first pictures are shared out whoever asks.
"""

from __future__ import annotations

import hashlib
import uuid

import streamlit as st

COOKIE = "_streamlit_xsrf"


def identity() -> str:
    """The same for all tabs of a browser, and for no other browser."""
    token = _token(st.context.cookies.get(COOKIE, "").strip("\"'"))
    if token is None:
        return f"session {uuid.uuid4()}"
    return f"browser {hashlib.sha256(token).hexdigest()}"  # the token itself is the browser's


def _token(cookie: str) -> bytes | None:
    """The secret in `2|mask|masked|time`, which every answer masks anew; None if it holds none."""
    try:
        version, mask, masked, _ = cookie.split("|")
        key, hidden = bytes.fromhex(mask), bytes.fromhex(masked)
    except ValueError:
        return None
    if version != "2" or not key or not hidden:
        return None
    return bytes(byte ^ key[place % len(key)] for place, byte in enumerate(hidden))
