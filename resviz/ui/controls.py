"""The sidebar: a widget for every setting, made from the spec's own rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

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
    cut,
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
# Typed as text, and read by the field's own rule. A browser's field for numbers takes what it
# does not understand for another number: a decimal comma, grouped thousands, an exponent.
TYPED = tuple(n for n, rule in RULES.items() if isinstance(rule, Real | Whole) and n not in SLIDERS)
# Where classification begins if the source that was chosen has no classes.
LABELLED = "moons"


def set_widgets(spec: RunSpec) -> None:
    """Put every control where `spec` has it."""
    for name in RULES:
        value = getattr(spec, name)
        st.session_state[name] = written(value) if name in TYPED else value


def settings(before: RunSpec) -> RunSpec:
    """The settings as they stand, also before the controls are drawn and in a callback.

    What stands in a control that is not there says nothing, and is not judged: where it is not
    allowed its field is as `before`.

    Raises `ValueError` with a sentence where they are not allowed, alone or together.
    """
    now = st.session_state
    values = {}
    for name in RULES:
        try:
            values[name] = _value(name)
        except ValueError:
            if is_there(name, now):
                raise
            values[name] = getattr(before, name)
    return RunSpec(**values)


def _value(name: str) -> object:
    """What stands in a control. Raises `ValueError` with its label, and what is allowed."""
    held, rule = st.session_state[name], RULES[name]
    try:
        return rule.parse(held) if name in TYPED else rule.check(held)
    except ValueError as reason:
        raise ValueError(f"{FIELDS[name].metadata['label']}: {cut(repr(held))} {reason}") from None


def written(value: float) -> str:
    """A number as its field shows it: read back, it is the same."""
    short = f"{value:.6g}"
    return short if isinstance(value, float) and float(short) == value else repr(value)


def is_there(name: str, now: Mapping[str, object]) -> bool:
    """Whether a setting has a control beside the others as they are `now`."""
    return name not in SHOWN_IF or SHOWN_IF[name](now)


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
    return [name for name in names if is_there(name, now) and name not in hidden]


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
        case Whole() | Real():
            st.text_input(label, on_change=_take_number, args=(name,), **common)
        case _:
            raise TypeError(f"{name}: no widget for {rule}")


def _take_word(name: str) -> None:
    """What is typed into a list of clouds is a word, also without its prefix."""
    typed = st.session_state[name]
    if typed not in RULES[name].names and not typed.startswith(TEXT):
        typed = f"{TEXT}{typed.strip()}"
    with suppress(ValueError):  # then it stays as it was typed, and `settings` says why
        typed = RULES[name].check(typed)
    st.session_state[name] = typed


def _take_number(name: str) -> None:
    """Show how what was typed is understood; what is not understood stays as it was typed."""
    with suppress(ValueError):
        shown = written(RULES[name].parse(st.session_state[name]))
        # What is set is sent back, and takes the place of what is being typed by then.
        if shown != st.session_state[name]:
            st.session_state[name] = shown


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
