"""The stage in the page: the figure, the player over it, and the feed of live tracks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from resviz.chunks import Chunk
from resviz.figures import Figure
from resviz.figures.stage import stage, three_panels, two_panels
from resviz.figures.theme import SECTORS, sectors
from resviz.ui.session import Session, opener

HERE = Path(__file__).parent

player = st.components.v2.component(
    "resviz_player", js=(HERE.parent / "player.js").read_text(encoding="utf-8")
)
feed = st.components.v2.component("resviz_feed", js=(HERE / "feed.js").read_text(encoding="utf-8"))

ALT = {
    "A": "Two square panels of the kept run A. Left: particles move through the layers of its "
    "residual network. Right: the same particles on the cheapest way to the same end.",
    "B": "Two square panels. Left: particles move through the layers of a residual network "
    "onto the target cloud. Right: the same particles on the cheapest way to the same end.",
    "both": "Three square panels. Left: particles move through the network of the kept run A. "
    "Middle: through that of the present run B. Right: on the cheapest way to B's end.",
}


def figure(session: Session) -> Figure:
    """The figure of what the A | B | both switch asks for."""
    panels = {
        "A": lambda: two_panels(session.kept, kept=True),
        "B": lambda: two_panels(session.run),
        "both": lambda: three_panels(session.kept, session.run),
    }[session.view]()
    return stage(panels, session.figure_name)


@cache
def opening_figure() -> Figure:
    """The figure that every visitor sees first, made once."""
    return figure(Session(linked=opener().spec))


def show(session: Session) -> None:
    """Mount the figure and, over it, the player. The figure changes only with the picture."""
    cached = st.session_state.get("_stage")
    if cached is None or cached[0] != session.figure_name:
        first = session.run is opener() and session.view == "B"
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
    elif chunk is None or chunk is session.sent:
        data = _packed({"live": True, "news": False}, session.messages)
    else:
        data = _live(session.job.spec.depth, chunk, session.messages)
    feed(data=data, key="feed")
    session.sent = chunk  # only now: a rerun may end this one before the message goes out


def _live(depth: int, chunk: Chunk, count: int) -> bytes:
    particles = chunk.tracks.shape[1]
    # The geodesic is straight: its two ends are all of it.
    paths = {
        "network": chunk.tracks,
        "geodesic": np.stack([chunk.tracks[0], chunk.tracks[-1][chunk.plan]]),
    }
    header = {
        "live": True,
        "news": True,
        "step": chunk.state.step,
        "colours": SECTORS,
        "sprite": sectors(chunk.tracks[0]).tolist(),
        "target": len(chunk.target),
        "particles": particles,
        "panels": [
            {"name": name, "depth": depth, "moments": len(path)} for name, path in paths.items()
        ],
    }
    return _packed(header, count, chunk.target, *paths.values())


def _packed(header: dict[str, object], count: int, *arrays: np.ndarray) -> bytes:
    """The form that player.js reads: length, JSON, padding to four, float32 numbers.

    The count makes every message differ from those before it: one that came back could be
    looked up in the browser's cache and missed there, which ends the session.
    """
    text = json.dumps(header | {"count": count}).encode()
    numbers = b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)
    return len(text).to_bytes(4, "little") + text + bytes(-len(text) % 4) + numbers
