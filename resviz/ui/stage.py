"""The stage in the page: the figure, the player over it, and the feed of live tracks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from resviz.chunks import Chunk
from resviz.figures import Figure
from resviz.figures.colours import while_training
from resviz.figures.stage import (
    live_window,
    network_name,
    network_note,
    stage,
    three_panels,
    two_panels,
)
from resviz.ui.session import Session, opener

HERE = Path(__file__).parent
# How often a picture that rests is sent: one message may be overtaken by the next before the
# browser has looked at it.
SENDS = 3

player = st.components.v2.component(
    "resviz_player", js=(HERE.parent / "player.js").read_text(encoding="utf-8")
)
feed = st.components.v2.component("resviz_feed", js=(HERE / "feed.js").read_text(encoding="utf-8"))

ALT = {
    "A": "Two square panels of the kept run A. Left: particles move through the layers of its "
    "network. Right: the same particles on the cheapest way to the same end.",
    "B": "Two square panels. Left: particles move through the layers of a network "
    "onto the target cloud. Right: the same particles on the cheapest way to the same end.",
    "both": "Three square panels. Left: particles move through the network of the kept run A. "
    "Middle: through that of the present run B. Right: on the cheapest way to B's end.",
}


def figure(session: Session) -> Figure:
    """The figure of what the A | B | both switch asks for."""
    panels = {
        "A": lambda: two_panels(session.kept, True, session.colour_by),
        "B": lambda: two_panels(session.run, False, session.colour_by),
        "both": lambda: three_panels(session.kept, session.run, session.colour_by),
    }[session.view]()
    return stage(panels, session.figure_name)


@cache
def opening_figure() -> Figure:
    """The figure that every visitor sees first, made once."""
    return figure(Session(linked=opener().spec, chosen=opener().spec))


def show(session: Session) -> None:
    """Mount the figure and, over it, the player. The figure changes only with the picture."""
    cached = st.session_state.get("_stage")
    if cached is None or cached[0] != session.figure_name:
        first = session.run is opener() and session.view == "B" and session.colour_by == "start"
        made = opening_figure() if first else figure(session)
        cached = st.session_state["_stage"] = (session.figure_name, made)
    player(key="player")  # before the chart: it waits for it, and is ready when it comes
    st.plotly_chart(
        cached[1],
        key="stage",
        height="stretch",
        theme=None,
        # Streamlit's own Fullscreen button empties the frames for good.
        config={"displayModeBar": False, "doubleClick": "reset"},
        alt=ALT[session.view],
    )


def send_live(session: Session) -> None:
    """Feed the player the newest tracks, or tell it which finished picture takes over."""
    session.messages += 1
    chunk = session.job.chunk if session.job else None
    if session.job is None:
        data = _packed({"live": False, "figure": session.figure_name}, session.messages)
    elif chunk is None or session.sent.count((chunk.state.step, session.figure_name)) == SENDS:
        data = _packed({"live": True, "news": False}, session.messages)
    else:
        data = _live(session, chunk)
    feed(data=data, key="feed")
    # Only now: a rerun may end this one before the message goes out.
    if chunk:
        session.sent = (*session.sent, (chunk.state.step, session.figure_name))[-SENDS:]


def _live(session: Session, chunk: Chunk) -> bytes:
    spec = session.job.spec
    particles = chunk.tracks.shape[1]
    target = np.empty((0, 2)) if chunk.target is None else chunk.target
    colours = while_training(session.colour_of(spec), chunk.tracks[0], chunk.labels)
    letter = "B: " if session.view == "both" else ""
    # The geodesic is straight: its two ends are all of it.
    paths = {
        "network": (f"{letter}{network_name(spec)}", network_note(spec), chunk.tracks),
        "geodesic": (None, "", np.stack([chunk.tracks[0], chunk.tracks[-1][chunk.plan]])),
    }
    header = {
        "live": True,
        "news": True,
        "step": chunk.state.step,
        "half": live_window(chunk.tracks, chunk.target),
        "colours": colours.palette,
        "sprite": colours.index.tolist(),
        "target": len(target),
        "particles": particles,
        "panels": [
            {"name": name, "title": title, "note": note, "depth": spec.depth, "moments": len(path)}
            for name, (title, note, path) in paths.items()
        ],
    }
    return _packed(header, session.messages, target, *(path for *_, path in paths.values()))


def _packed(header: dict[str, object], count: int, *arrays: np.ndarray) -> bytes:
    """The form that player.js reads: length, JSON, padding to four, float32 numbers.

    The count makes every message differ from those before it: one that came back could be
    looked up in the browser's cache and missed there, which ends the session.
    """
    text = json.dumps(header | {"count": count}).encode()
    numbers = b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)
    return len(text).to_bytes(4, "little") + text + bytes(-len(text) % 4) + numbers
