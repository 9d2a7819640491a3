"""The scores as sentences, each with its tooltip, and a bar of what is still missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import streamlit as st

from resviz import words
from resviz.records import COURSE_PARTICLES, Scores
from resviz.words import Term, number


class Steps(NamedTuple):
    """Of which steps of training scores are."""

    kept: int | None  # those of the kept run, if there is one
    own: int
    behind: bool = False  # whether the picture has gone on since


@dataclass(frozen=True)
class Line:
    """Scores of another run, under its name."""

    name: str
    scores: Scores
    by_class: Scores | None
    step: Steps | None = None


def show(
    scores: Scores,
    by_class: Scores | None,
    kept: Scores | None,
    kept_by_class: Scores | None = None,
    twin: Line | None = None,
    note: str | None = None,
    step: Steps | None = None,
    few: bool = False,
) -> None:
    """One row: effort and its factors, bend, pairing, miss. With a kept run: A → B.

    It begins with the `step` of training, where that is not the last one; `few` says that swirl
    and curve are of some of the particles.

    In classification effort and pairing class by class stand beside those of the whole
    cloud, and the share of right answers in the place of the miss. Under it the same of a twin,
    and what must be known to compare the two.
    """
    row = _row(scores, by_class, kept, kept_by_class, step, few)
    rows = [f'<div class="resviz-scores">{row}</div>']
    if twin:
        row = _row(twin.scores, twin.by_class, None, None, twin.step, few)
        row = f"<strong>{escape(twin.name)}</strong>{row}"
        rows.append(f'<div class="resviz-scores resviz-twin">{row}</div>')
    if note:
        rows.append(f'<p class="resviz-aside">{escape(note)}</p>')
    st.html("".join(rows))


def _row(
    scores: Scores,
    by_class: Scores | None,
    kept: Scores | None,
    kept_by_class: Scores | None,
    step: Steps | None,
    few: bool,
) -> str:
    quiet = "" if scores.arrived else " resviz-quiet"
    cells = "".join(
        (
            _cell(
                _effort(scores, kept, few) + _by_class("action_ratio", by_class, kept_by_class),
                "resviz-effort",
            ),
            _cell(_named(words.BEND, scores.line_shape, kept and kept.line_shape)),
            _cell(_pairing(scores, kept) + _by_class("optimal_transport", by_class, kept_by_class)),
        )
    )
    note = "" if scores.arrived else f'<span class="resviz-note">{words.not_there(scores)}</span>'
    when = _cell(_step(step), "resviz-step") if step else ""
    return f'<div class="resviz-say{quiet}">{when}{cells}</div>{_goal(scores, kept)}{note}'


def _step(steps: Steps) -> str:
    """*Step 160*, or with a kept run at another step *Step 8 → 160*."""
    kept, own, behind = steps
    before = "" if kept in (None, own) else f'<span class="resviz-kept">{kept} →</span> '
    return f"{'Scores of step' if behind else 'Step'} <b>{before}{own}</b>"


def _cell(content: str, name: str = "") -> str:
    return f'<div class="resviz-cell {name}">{content}</div>'


def _value(value: float | None, kept: float | None) -> str:
    """*1.04*, or with a kept run *7.0 → 1.04*."""
    before = "" if kept is None else f'<span class="resviz-kept">{number(kept)} →</span> '
    return f"<b>{before}{number(value)}</b>"


def _term(term: Term) -> str:
    # Focusable and labelled, so that the tooltip is in reach of keyboard and screen reader.
    name, tip = escape(term.name), escape(term.tooltip, quote=True)
    return (
        f'<span class="resviz-term" tabindex="0" role="note" aria-label="{name}: {tip}" '
        f'data-tip="{tip}">{name}</span>'
    )


def _named(term: Term, value: float | None, kept: float | None) -> str:
    return f"{_term(term)} {_value(value, kept)}"


def _effort(scores: Scores, kept: Scores | None, few: bool) -> str:
    tip = f"{words.EFFORT.tooltip} {words.splits_sentence(scores)}"
    if few:
        tip += f" (Swirl and curve of the first {COURSE_PARTICLES} particles.)"
    split = Term(words.EFFORT.name, tip)
    return (
        f"{_named(split, scores.action_ratio, kept and kept.action_ratio)} = "
        f"{_value(scores.path_factor, kept and kept.path_factor)} {_term(words.BENDS)} × "
        f"{_value(scores.map_factor, kept and kept.map_factor)} {_term(words.PAIRING_FACTOR)}"
    )


def _by_class(name: str, scores: Scores | None, kept: Scores | None) -> str:
    if scores is None or math.isnan(getattr(scores, name)):
        return ""
    return f", {_named(words.BY_CLASS, getattr(scores, name), kept and getattr(kept, name))}"


def _pairing(scores: Scores, kept: Scores | None) -> str:
    if math.isnan(scores.optimal_transport):
        return f"{_term(words.PAIRING)} <b>did not move</b>"
    return _named(words.PAIRING, scores.optimal_transport, kept and kept.optimal_transport)


def _goal(scores: Scores, kept: Scores | None) -> str:
    return _miss(scores, kept) if scores.accuracy is None else _right(scores, kept)


def _right(scores: Scores, kept: Scores | None) -> str:
    """The share of right answers, and a bar of the wrong ones against a guess."""
    wrong, guessed = 1 - scores.accuracy, 1 - scores.majority
    part = min(1.0, wrong / guessed) if guessed else 0.0
    before = "" if kept is None or kept.accuracy is None else f"{kept.accuracy:.0%} → "
    return (
        f'<div class="resviz-miss">{_term(words.RIGHT)} <b>'
        f'<span class="resviz-kept">{before}</span>{scores.accuracy:.0%}</b> '
        f'<span class="resviz-bar-miss" role="img" aria-label="wrong {wrong:.0%}, a guess '
        f'{guessed:.0%}"><i class="resviz-fill" '
        f'style="width:{100 * part:.1f}%"></i></span>'
        f"<small>wrong {wrong:.0%}, a guess {guessed:.0%}</small></div>"
    )


def _miss(scores: Scores, kept: Scores | None) -> str:
    """A bar from 0 to unmoved: how far the output still is, with a mark at the floor."""
    if scores.fit is None or not scores.unmoved:
        return ""

    def part(value: float) -> str:
        return f"{100 * min(1.0, value / scores.unmoved):.1f}%"

    floor = ""
    if scores.fit_floor is not None:
        tip = f"floor {number(scores.fit_floor)} ± {number(scores.fit_floor_sd)}"
        floor = f'<i class="resviz-floor" style="left:{part(scores.fit_floor)}"></i>'
    else:
        tip = "floor measured when training ends"
    return (
        f'<div class="resviz-miss">{_named(words.MISS, scores.fit, kept and kept.fit)} '
        f'<span class="resviz-bar-miss" role="img" aria-label="miss {number(scores.fit)} of '
        f'unmoved {number(scores.unmoved)}"><i class="resviz-fill" '
        f'style="width:{part(scores.fit)}"></i>{floor}</span>'
        f"<small>{tip}, unmoved {number(scores.unmoved)}</small></div>"
    )
