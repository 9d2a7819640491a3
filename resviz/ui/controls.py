"""The sidebar: a widget for every setting, made from the spec's own rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import streamlit as st

from resviz.spec import (
    FIELDS,
    RULES,
    TEXT,
    TEXT_DOC,
    Choice,
    Cloud,
    Real,
    Rule,
    RunSpec,
    Whole,
    class_count,
    word_of,
)

# Row by row, so that all down to κ is in view at a projector's height.
GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Data": (("source",), ("target",), ("task", "particles")),
    "Network": (("network", "depth"), ("activation", "width"), ("step_size", "start")),
    "Objective": (("l2",), ("kinetic",), ("l2_on", "l2_towards"), ("loss",)),
    "Training": (("steps", "batch"), ("learning_rate", "seed")),
}
# Settings that say nothing beside others are not there to be moved.
SHOWN_IF: Mapping[str, Callable[[Mapping[str, object]], bool]] = {
    "target": lambda now: now["task"] == "match",
    "loss": lambda now: now["task"] == "match",
    "projections": lambda now: now["task"] == "match" and now["loss"] == "sliced",
    "epsilon": lambda now: now["task"] == "match" and now["loss"] == "sinkhorn",
    "head_decay": lambda now: now["task"] == "classify",
}
# What stands below the field that brings it up.
BELOW: Mapping[str, tuple[str, ...]] = {"loss": ("projections", "epsilon", "head_decay")}

SLIDERS = ("depth", "width")
STEPS: Mapping[str, float] = {
    "l2": 1e-4,
    "kinetic": 0.01,
    "head_decay": 1e-3,
    "epsilon": 0.05,
    "learning_rate": 0.005,
    "steps": 100,
    "batch": 32,
    "particles": 100,
}
# Where classification begins if the source that was chosen has no classes.
LABELLED = "moons"


def set_widgets(spec: RunSpec) -> None:
    """Put every control where `spec` has it."""
    for name in RULES:
        st.session_state[name] = getattr(spec, name)


def settings() -> RunSpec:
    """The settings as they stand, also before the controls are drawn and in a callback.

    Raises `ValueError` with a sentence where they are not allowed together.
    """
    return RunSpec(**{name: st.session_state[name] for name in RULES})


def sidebar(hidden: Collection[str] = (), locked: Collection[str] = ()) -> None:
    """Draw the controls, but for the hidden ones; the locked ones stand as they are."""
    with st.sidebar:
        for group, rows in GROUPS.items():
            lines = [line for row in rows for line in (row, *(BELOW.get(n, ()) for n in row))]
            shown = [names for names in (_shown(line, hidden) for line in lines) if names]
            if shown:
                st.subheader(group)
            for names in shown:
                for name, place in zip(names, st.columns(len(names)), strict=True):
                    with place:
                        _widget(name, locked)


def _shown(names: tuple[str, ...], hidden: Collection[str]) -> list[str]:
    now = st.session_state
    there = [name for name in names if name not in SHOWN_IF or SHOWN_IF[name](now)]
    return [name for name in there if name not in hidden]


def _widget(name: str, locked: Collection[str]) -> None:
    rule, told = RULES[name], FIELDS[name].metadata
    label = told["label"]
    # The value outlives the control: one that comes up again stands where it was left.
    common = {
        "key": name,
        "help": told["doc"] + _choices(rule),
        "persist_state": "session",
        "disabled": name in locked,
    }
    match rule:
        case Cloud(names):
            word = [st.session_state[name]] if st.session_state[name] not in names else []
            st.selectbox(
                label, [*names, *word], format_func=_spoken, accept_new_options=True,
                on_change=_take_word, args=(name,), **common,
            )  # fmt: skip
        case Choice(names):
            changed = _suit_source if name == "task" and "source" not in locked else None
            st.selectbox(label, list(names), format_func=_spoken, on_change=changed, **common)
        case Whole(low, high, even) if name in SLIDERS:
            st.slider(label, low, high, step=2 if even else 1, **common)
        case Whole(low, high):
            st.number_input(label, low, high, step=int(STEPS.get(name, 1)), **common)
        case Real(low, high):
            st.number_input(label, low, high, step=STEPS[name], format="%.6g", **common)
        case _:
            raise TypeError(f"{name}: no widget for {rule}")


def _take_word(name: str) -> None:
    """What is typed into a list of clouds is a word, also without its prefix."""
    typed = st.session_state[name]
    if typed not in RULES[name].names and word_of(f"{TEXT}{typed}") is not None:
        st.session_state[name] = f"{TEXT}{typed}"


def _suit_source() -> None:
    """Classification needs classes: it begins with a source that has some, and gives back."""
    now = st.session_state
    if now["task"] == "classify" and class_count(now["source"]) < 2:
        now["_replaced_source"], now["source"] = now["source"], LABELLED
    elif now["task"] == "match" and now["source"] == LABELLED and "_replaced_source" in now:
        now["source"] = now.pop("_replaced_source")


def _choices(rule: Rule) -> str:
    """What each of a field's names means, as a list under its help."""
    if not isinstance(rule, Choice):
        return ""
    names = {_spoken(name): doc for name, doc in rule.names.items()}
    if isinstance(rule, Cloud):
        names |= {"or type a word": TEXT_DOC}
    return "\n" + "".join(f"\n- **{name}**: {doc}" for name, doc in names.items())


def _spoken(name: str) -> str:
    return name.replace("_", " ")
