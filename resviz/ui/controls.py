"""The sidebar: a widget for every setting, made from the spec's own rules."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from resviz.spec import FIELDS, RULES, Choice, Real, Rule, RunSpec, Whole, read_query

# Row by row, so that all down to κ is in view at a projector's height.
GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Data": (("source",), ("target",), ("particles",)),
    "Network": (("depth", "width"), ("activation", "step_size"), ("start",)),
    "Objective": (("l2",), ("l2_on",), ("kinetic",)),
    "Training": (("steps",), ("batch",), ("learning_rate",), ("seed",)),
}
# `task`, `network` and `loss` have one name each today: a control would do nothing.

SLIDERS = ("depth", "width")
STEPS: Mapping[str, float] = {
    "l2": 1e-4,
    "kinetic": 0.01,
    "learning_rate": 0.005,
    "steps": 100,
    "batch": 32,
    "particles": 100,
}


def read_address() -> tuple[RunSpec, dict[str, str]]:
    """The spec in the page's address, and a sentence for each field that is not allowed."""
    return read_query({name: st.query_params.get_all(name) for name in st.query_params})


def write_address(spec: RunSpec) -> None:
    """Make the page's address a link to these settings."""
    query = spec.to_query()
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def set_widgets(spec: RunSpec) -> None:
    """Put every control where `spec` has it."""
    for name in RULES:
        st.session_state[name] = getattr(spec, name)


def settings() -> RunSpec:
    """The settings as they stand, also before the controls are drawn and in a callback."""
    return RunSpec(**{name: st.session_state[name] for name in RULES})


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        for group, rows in GROUPS.items():
            st.subheader(group)
            for row in rows:
                for name, place in zip(row, st.columns(len(row)), strict=True):
                    with place:
                        _widget(name)


def _widget(name: str) -> None:
    rule, told = RULES[name], FIELDS[name].metadata
    label, common = told["label"], {"key": name, "help": told["doc"] + _choices(rule)}
    match rule:
        case Choice(names):
            st.selectbox(label, list(names), format_func=_spoken, **common)
        case Whole(low, high, even) if name in SLIDERS:
            st.slider(label, low, high, step=2 if even else 1, **common)
        case Whole(low, high):
            st.number_input(label, low, high, step=int(STEPS.get(name, 1)), **common)
        case Real(low, high):
            st.number_input(label, low, high, step=STEPS[name], format="%.6g", **common)
        case _:
            raise TypeError(f"{name}: no widget for {rule}")


def _choices(rule: Rule) -> str:
    """What each of a field's names means, as a list under its help."""
    names = rule.names.items() if isinstance(rule, Choice) else ()
    return "\n" + "".join(f"\n- **{_spoken(name)}**: {doc}" for name, doc in names)


def _spoken(name: str) -> str:
    return name.replace("_", " ")
