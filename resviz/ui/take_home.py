"""The popover "Take home": what is on the stage as a page, film, picture, table or script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import streamlit as st

from resviz.exports import FORMATS, Format, Options
from resviz.exports.options import COLOURS
from resviz.figures.stage import network_name
from resviz.limits import LimitError
from resviz.records import Run
from resviz.spec import RunSpec
from resviz.ui import address
from resviz.ui.making import Order, shared_workshop
from resviz.ui.plain import plain
from resviz.ui.session import Session
from resviz.ui.shown import trainings

PULSE = 0.5  # seconds between two looks at a file in the making
STILLS = (".png", ".svg", ".pdf")
SIZES = ("640x360", "960x540", "1280x720", "1920x1080")
RATES = (10, 15, 25, 30, 50)


def popover(session: Session) -> None:
    """Filled when it is opened: few do."""
    box = st.popover(
        "Take home",
        icon=":material/download:",
        key="take_home",
        on_change="rerun",
        disabled="take_home" in session.locked,
    )
    if box.open:
        busy = making_now(session)

        def contents() -> None:
            if busy != making_now(session):
                st.rerun()  # so that it is looked at as often as that needs
            fill(session)

        with box:
            st.fragment(contents, run_every=PULSE if busy else None)()


def making_now(session: Session) -> bool:
    return session.making is not None and not session.making.ended


def fill(session: Session) -> None:
    """What to make, how far it is, or the file."""
    making = session.making
    if making is None:
        order_form(session)
    elif not making.ended:
        told = f"making {plain(making.order.name)}"
        st.progress(
            making.part or 0.0, told if making.part is None else f"{told}: {making.part:.0%}"
        )
        st.button("Cancel", key="cancel_making", on_click=making.cancel)
    elif making.failure:
        st.error(plain(making.failure))
        st.button("Back", key="new_file", on_click=lambda: setattr(session, "making", None))
    else:
        name, size = making.order.name, len(making.data)
        st.download_button(
            f"Save {plain(name)}" + (f" ({size / 1e6:.1f} MB)" if size > 1e5 else ""),
            data=making.data,
            file_name=name,
            mime=FORMATS[ending_of(name)].mime,
            key="save",
            type="primary",
            on_click="ignore",
        )
        st.button("Make another", key="new_file", on_click=lambda: setattr(session, "making", None))


def order_form(session: Session) -> None:
    """Which form, and what matters for it."""
    ending = st.selectbox(
        "Form",
        list(FORMATS),
        format_func=lambda ending: f"{FORMATS[ending].label} ({ending})",
        key="form",
        persist_state="session",
    )
    form = FORMATS[ending]
    options: list[str] = []
    names = asked_of(form)
    for pair in (names[k : k + 2] for k in range(0, len(names), 2)):
        for name, place in zip(pair, st.columns(len(pair)), strict=True):
            with place:
                options += FIELDS[name](session)
    run, kept, told = what(session, form)
    st.caption(told)
    st.button(
        "Make",
        key="make",
        type="primary",
        on_click=make,
        args=(session, Order(run, kept, f"{title(run.spec)}{ending}", tuple(options))),
    )
    if refusal := st.session_state.pop("_making_refused", None):
        st.warning(plain(refusal))


def make(session: Session, order: Order) -> None:
    """Begin, if there is a place."""
    try:
        session.making = shared_workshop().start(order, session.visitor)
    except LimitError as reason:
        st.session_state["_making_refused"] = f"{reason}."


def what(session: Session, form: Format) -> tuple[Run, Run | None, str]:
    """The run, the run A beside it, and a sentence that says which, and at which steps.

    A file is of finished runs, whatever moment the stage shows.
    """
    kept, run, before = session.kept, session.run, ""
    if trainings(session):
        before = " The training under way is not in it."
    elif session.view == "B" and session.twin:
        before = f" The {network_name(session.twin.spec)} beside it is not in it."
    match session.view:
        case "A":
            return kept, None, f"Of the kept run A{_end(kept)}."
        case "both" if form.two:
            return run, kept, f"Of A{_end(kept)}, and B{_end(run)}.{before}"
        case "both":
            return run, None, f"Of B{_end(run)}: this form holds one run.{before}"
        case _:
            which = "last finished run" if trainings(session) else "run on the stage"
            return run, None, f"Of the {which}{_end(run)}.{before}"


def _end(run: Run) -> str:
    return f" at step {run.state.step} of {run.spec.steps}, its last"


def title(spec: RunSpec) -> str:
    """A file's name that says what is in it."""
    ends = (spec.source, spec.target) if spec.task == "match" else (spec.task, spec.source)
    parts = (*ends, *([] if spec.network == "residual" else [spec.network]))
    return re.sub(r"[^\w-]+", "-", "-".join(parts))


def ending_of(name: str) -> str:
    return name[name.rindex(".") :]


def asked_of(form: Format) -> tuple[str, ...]:
    """The options that matter for a form."""
    if form.long:
        return ("size", "seconds", "rate", "colour", "dark")
    if form.ending in STILLS:
        return ("t", "size", "colour", "dark")
    return ("colour", "dark", "present") if form.ending == ".html" else ()


# ---- A control for each option: what the command is told ----------------------------


def _t(session: Session) -> list[str]:
    return [f"--t={st.slider('Moment t', 0.0, 1.0, 1.0, 0.01, key='take_t')}"]


def _size(session: Session) -> list[str]:
    usual = SIZES.index("x".join(map(str, Options().size)))
    size = st.selectbox(
        "Size in pixels", SIZES, usual, format_func=lambda s: s.replace("x", " × "), key="take_size"
    )
    return [f"--size={size}"]


def _seconds(session: Session) -> list[str]:
    usual = Options().seconds
    return [f"--seconds={st.slider('Seconds a loop', 2.0, 20.0, usual, 0.5, key='take_seconds')}"]


def _rate(session: Session) -> list[str]:
    usual = RATES.index(Options().rate)
    return [f"--rate={st.selectbox('Pictures a second', RATES, usual, key='take_rate')}"]


def _colour(session: Session) -> list[str]:
    now, asked = st.session_state, address.players_fields("seen_colour").get("colour")
    shown = asked[-1] if asked and asked[-1] in COLOURS else "usual"  # by the player
    if "take_colour" not in now or now["_colour_shown"] != shown:
        now["take_colour"] = now["_colour_shown"] = shown
    return [f"--colour={st.selectbox('Colours', list(COLOURS), key='take_colour')}"]


def _dark(session: Session) -> list[str]:
    return ["--dark"] if st.toggle("On a dark ground", session.dark, key="take_dark") else []


def _present(session: Session) -> list[str]:
    talk = st.toggle("A talk by itself: large captions, begins again after 40 s", key="take_talk")
    return ["--present"] if talk else []


FIELDS: Mapping[str, Callable[[Session], list[str]]] = {
    "t": _t,
    "size": _size,
    "seconds": _seconds,
    "rate": _rate,
    "colour": _colour,
    "dark": _dark,
    "present": _present,
}
