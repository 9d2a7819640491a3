"""After a lost connection, or a reload: the tab's note, and the runs that it names, back again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from resviz.engine import Job, shared_engine
from resviz.limits import LimitError
from resviz.presets import PRESETS
from resviz.records import Run
from resviz.spec import RunSpec
from resviz.ui import address, controls, links, shelf
from resviz.ui.note import Lost, Note, stopped_at, told
from resviz.ui.session import Session, twin_of

component = st.components.v2.component(
    "resviz_remember", js=Path(__file__).with_name("remember.js").read_text(encoding="utf-8")
)


def place_of(query: Mapping[str, Sequence[str]]) -> str:
    """The address but for what the player writes into it, to be compared."""
    return urlencode([(n, query[n]) for n in sorted(query) if n not in links.PLAYERS], doseq=True)


def remember(session: Session) -> None:
    """Have the tab keep what is on the stage; a session that is new is told what it kept."""
    component(
        key="remember",
        data={
            "session": session.id,
            "fresh": session.fresh,
            "arrived": session.arrived,
            "address": place_of(address.fields()),
            "note": note_of(session).plain(),
        },
        on_before_change=lambda: hear(session, st.session_state["remember"].get("before")),
        on_asked_change=lambda: (
            None
        ),  # after a lost connection: whether this session is still known
    )


def note_of(session: Session) -> Note:
    """What is on the stage and, in its place, what is lost and may still be wanted."""
    lost = session.lost or Lost("")
    return Note(
        preset=None if lost.trainable else session.preset,
        run=lost.run or session.run.spec,
        stopped=None if lost.run else stopped_at(session.run),
        kept=lost.kept or (session.kept.spec if session.kept else _spec_of(session.kept_job)),
        kept_stopped=None if lost.kept else stopped_at(session.kept),
        job=_spec_of(session.job),
        paused=session.paused,
        beside=session.beside or lost.beside,
        view=session.view,
    )


def _spec_of(job: Job | None) -> RunSpec | None:
    return job.spec if job else None


def hear(session: Session, before: object) -> None:
    """What the tab has kept of an earlier session; once, and unless something is under way."""
    if not session.fresh or not isinstance(before, Mapping):
        return
    session.fresh = False
    note = Note.read(before.get("note"))
    if note is not None and not session.jobs:
        restore(session, note, before.get("reloaded") is True)


def restore(session: Session, note: Note, reloaded: bool) -> None:
    """Put back on the stage what is known here, and note what is not."""
    chosen = session.chosen
    if note.preset is not None:
        if note.preset != session.preset and shelf.shelf().holds(note.preset):
            session.show(note.preset)
            session.chosen = chosen
            controls.set_widgets(chosen)
        if session.kept and session.preset == note.preset:
            session.view = note.view
        run = kept = None
    else:
        kept = find(note.kept) if note.kept_stopped is None else None
        run = find(note.run) if note.stopped is None else None
        session.place(kept, run, note.view)
    lost_run = note.run if note.preset is None and run is None else None
    lost_kept = note.kept if note.preset is None and kept is None else None
    if note.job is not None and not _joined(session, note):
        lost_run = note.job
    elif session.job is not None:
        lost_run = None  # it gives way to what is trained
    beside = note.beside and (lost_run is not None or not _has_twin(session))
    sentence = told(
        reloaded,
        lost_run is not None,
        lost_kept is not None,
        beside,
        (note.stopped if lost_run == note.run else None, note.kept_stopped if lost_kept else None),
    )
    session.lost = sentence and Lost(sentence, lost_run, lost_kept, beside)


def find(spec: RunSpec | None) -> Run | None:
    """The whole run of these settings, if this server has it: from a preset, or trained."""
    if spec is None:
        return None
    return shared_engine().finished(spec) or shelf.run_of(spec)


def _joined(session: Session, note: Note) -> bool:
    """Whether the training that was under way still is, and is watched again."""
    engine = shared_engine()
    if engine.finished(note.job) is None and not engine.has_under_way(note.job):
        return False
    try:
        session.rejoin(note.job, engine.prepare if note.paused else engine.start)
    except LimitError:  # of a server that was started anew meanwhile
        return False
    return True


def _has_twin(session: Session) -> bool:
    """Whether the other network stands beside the present run again, or there is none to be had."""
    try:
        twin = find(twin_of(session.run.spec))
    except ValueError:
        return True
    if twin is None or session.job is not None:
        return False
    session.place_twin(twin)
    return True


def sentence(session: Session) -> None:
    """What is lost."""
    lost = session.lost
    below = f" Below is “{PRESETS[session.preset].title}”." if session.preset else ""
    (st.warning if lost.trainable else st.info)(lost.sentence + below)


def button(session: Session) -> None:
    """One click that trains again what is lost. It belongs to no fragment's containers."""
    wanted = session.lost is not None and session.lost.trainable
    if wanted and not {"train"} & {*session.hidden, *session.locked}:
        st.button("Train again", key="again", on_click=lambda: train_again(session))


def train_again(session: Session) -> None:
    """All that was lost, at once."""
    lost = session.lost
    try:
        session.train_again(lost)
    except LimitError as reason:
        session.refusal = session.chosen, f"This server does not take that on. {reason}."
    else:
        if lost.run is not None:
            session.chosen, session.conflict = lost.run, None
            controls.set_widgets(lost.run)
