"""The stage in the page: the figure, the player over it, and the feed of live tracks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from resviz.chunks import Chunk
from resviz.figures import Figure
from resviz.figures.colours import USUAL, while_training
from resviz.figures.stage import (
    live_window,
    network_name,
    network_note,
    stage,
    three_panels,
    twin_panels,
    two_panels,
    waiting_panels,
)
from resviz.figures.told import colourings_told, network_told, run_told
from resviz.player import module
from resviz.spec import RunSpec
from resviz.ui.reels import reel_address
from resviz.ui.session import Session, opener, twin_of
from resviz.ui.shown import trainings

HERE = Path(__file__).parent
# How often a picture that rests is sent at first, and that each so many messages bring it again:
# a message that is still to be sent when the next one comes is replaced by it, and a server whose
# event loop is late may lose any number so.
SENDS, AGAIN = 3, 8

player = st.components.v2.component("resviz_player", js=module())
feed = st.components.v2.component("resviz_feed", js=(HERE / "feed.js").read_text(encoding="utf-8"))

ALT = {
    "A": "Two square panels of the kept run A. Left: particles move through the layers of its "
    "network. Right: the same particles on the cheapest way to the same end.",
    "B": "Two square panels. Left: particles move through the layers of a network. "
    "Right: the same particles on the cheapest way to the same end.",
    "both": "Three square panels. Left: particles move through the network of the kept run A. "
    "Middle: through that of the present run B. Right: on the cheapest way to B's end.",
}

ALT_TWIN = (
    "Three square panels. Left: particles move through the layers of a {}. Middle: through those "
    "of a {} trained with the same settings. Right: on the cheapest way to the first one's end."
)


def figure(session: Session) -> Figure:
    """The figure of what the A | B | both switch asks for, with the other network beside it."""
    kept, run, twin = session.kept, session.run, session.twin
    match session.view:
        case "A":
            panels, runs = two_panels(kept, True), {"kept": kept}
        case "B" if twin:
            panels, runs = twin_panels(run, twin), {"present": run, "twin": twin}
        case "B" if session.twin_awaited:
            panels, runs = waiting_panels(run), {"present": run}
        case "B":
            panels, runs = two_panels(run), {"present": run}
        case "both":
            panels, runs = three_panels(kept, run), {"kept": kept, "present": run}
        case view:
            raise ValueError(f"view: {view!r} is unknown; known are A, B and both")
    told = {name: run_told(each, {"url": reel_address(each)}) for name, each in runs.items()}
    return stage(panels, session.figure_name, told, session.dark, tracks=False)


@cache
def preset_figure(name: str, dark: bool) -> Figure:
    """The figure of a preset, made once for all visitors and each theme."""
    session = Session(linked=opener().spec, chosen=opener().spec, dark=dark)
    session.show(name)
    return figure(session)


def stage_figure(session: Session) -> Figure:
    """The figure of what is asked for, made already if it is a preset's."""
    if session.preset:
        made = preset_figure(session.preset, session.dark)
        if made.layout.meta["id"] == session.figure_name:
            return made
    return figure(session)


def show(session: Session) -> None:
    """Mount the figure and, over it, the player. The figure changes only with the picture."""
    cached = st.session_state.get("_stage")
    if cached is None or cached[0] != session.figure_name:
        cached = st.session_state["_stage"] = session.figure_name, stage_figure(session)
    player(key="player")  # before the chart: it waits for it, and is ready when it comes
    st.plotly_chart(
        cached[1],
        key="stage",
        height="stretch",
        theme=None,
        # Streamlit's own Fullscreen button empties the frames for good.
        config={"displayModeBar": False, "doubleClick": "reset"},
        alt=alternative(session),
    )


def alternative(session: Session) -> str:
    """What the stage shows, for those who do not see it."""
    if session.panels == 3 and session.view == "B":
        specs = session.shown_spec, twin_of(session.shown_spec)
        return ALT_TWIN.format(*(network_name(spec) for spec in specs))
    return ALT[session.view]


def send_live(session: Session) -> None:
    """Feed the player the newest tracks, or tell it which finished picture takes over."""
    session.messages += 1
    jobs = trainings(session)
    chunks = {name: job.chunk for name, job in jobs.items() if job.chunk}
    sent = *((name, chunk.state.step) for name, chunk in chunks.items()), session.figure_name
    if not jobs:
        session.sent = ()  # the player forgets them now
        data = _packed({"live": False, "figure": session.figure_name}, session.messages)
    elif not chunks or (session.sent.count(sent) == SENDS and session.messages % AGAIN):
        data = _packed({"live": True, "news": False}, session.messages)
    else:
        specs = {name: jobs[name].spec for name in chunks}
        compared = session.view == "both"
        data = _live(specs, chunks, compared, session.number, session.messages)
    feed(data=data, key="feed")
    # Only now: a rerun may end this one before the message goes out.
    if chunks:
        session.sent = (*session.sent, sent)[-SENDS:]


def _live(
    specs: dict[str, RunSpec],
    chunks: dict[str, Chunk],
    compared: bool,
    after: str,
    messages: int,
) -> bytes:
    """The pictures of the trainings under way, by the names of their runs.

    `after` is the number of the run that they follow (`Session.number`): a figure of another
    one takes over from them.
    """
    panels, runs, parts, parameters = [], {}, [], []
    for of, chunk in chunks.items():
        spec = specs[of]
        letter = "B: " if compared and of == "present" else ""
        # The geodesic is straight: its two ends are all of it.
        ways = {
            "network": (f"{letter}{network_name(spec)}", network_note(spec), chunk.tracks),
            "geodesic": ("", "", np.stack([chunk.tracks[0], chunk.tracks[-1][chunk.plan]])),
        }
        prefix = "" if of == "present" else f"{of}_"
        target = np.empty((0, 2)) if chunk.target is None else chunk.target
        for way, (title, note, path) in ways.items():
            parts += [target, path]
            panels.append(
                {
                    "name": f"{prefix}{way}", "title": title, "note": note, "depth": spec.depth,
                    "of": of, "way": way, "moments": len(path), "particles": path.shape[1],
                    "target": len(target),
                }
            )  # fmt: skip
        runs[of] = {
            "colourings": colourings_told(while_training(chunk.tracks[0], chunk.labels)),
            "plan": chunk.plan.tolist(),
            "network": network_told(spec),
            "parameterCount": len(chunk.state.parameters),
        }
        parameters.append(chunk.state.parameters)
    header = {
        "live": True,
        "news": True,
        "step": next(iter(chunks.values())).state.step,
        "after": after,
        "half": max(live_window(chunk.tracks, chunk.target) for chunk in chunks.values()),
        "colour": USUAL[next(iter(specs.values())).task],
        "runs": runs,
        "panels": panels,
    }
    return _packed(header, messages, *parts, *parameters)


def _packed(header: dict[str, object], count: int, *arrays: np.ndarray) -> bytes:
    """The form that player.js reads: length, JSON, padding to four, float32 numbers.

    The count makes every message differ from those before it: one that came back could be
    looked up in the browser's cache and missed there, which ends the session.
    """
    text = json.dumps(header | {"count": count}).encode()
    numbers = b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)
    return len(text).to_bytes(4, "little") + text + bytes(-len(text) % 4) + numbers
