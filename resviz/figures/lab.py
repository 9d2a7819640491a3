"""A lab as one HTML page for a projector and a referee: verdicts, pictures, numbers.

Only where things stand on the page is worked out here; every number is from
`resviz.lab.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from resviz.figures.lab_charts import (
    LEVELS,
    NAMES,
    Look,
    arm_looks,
    frontier_chart,
    moment_name,
    reached,
    score_name,
    strip_chart,
    strip_moments,
)
from resviz.figures.lab_page import CHOSEN, PAGE
from resviz.figures.theme import FONT, INK, QUIET, SECTORS
from resviz.lab import text
from resviz.lab.design import Claim, Lab, Moment
from resviz.lab.intervals import FEWEST
from resviz.lab.rows import Row
from resviz.lab.table import CHIEF, JUDGED, Cells, Line, Verdict, table, verdicts
from resviz.spec import RunSpec


def to_html(lab: Lab, rows: Mapping[RunSpec, Row], command: str | None = None) -> str:
    """The page of a finished lab, with plotly.js inside and no request to anywhere.

    `command` is what made it, word for word; a named lab's own if None.
    """
    cells, looks = Cells.of(lab, rows), arm_looks(lab.arms)
    lines = text.blocks(table(lab, rows))
    sections = [_verdict_section(lab, cells, verdicts(lab, rows))] if lab.claims else []
    for setting in cells.settings:
        pictures = _pictures(lab, cells, setting, looks)
        numbers = [
            _at(k, _numbers(lab, cells, moment, setting, lines[setting, str(moment)]))
            for k, moment in enumerate(lab.moments)
        ]
        reach = escape(text.measured_by(cells.example(setting)))
        sections.append(
            f"<section><h2>{escape(setting)}</h2>"
            f"<p>{_sentence(reach)}. <span class=quiet>{_hint(looks)}</span></p>"
            f"{''.join(pictures)}{''.join(numbers)}</section>"
        )
    first = _first_shown(lab.moments, cells)
    return PAGE.format(
        title=escape(lab.title),
        page_title=escape(f"{lab.title} {len(list(lab.runs()))} runs"),
        made=_made(lab, rows, command or f"python -m resviz lab {lab.name}"),
        method=METHOD.format(left=_left(cells)),
        ink=INK,
        font=FONT,
        rule=QUIET,
        plotly=get_plotlyjs(),
        chosen="\n  ".join(
            CHOSEN.format(k=k, ink=INK, focus=SECTORS[4]) for k in range(len(lab.moments))
        ),
        radios="\n".join(
            f'<input type="radio" name="at" id="at-{k}"{" checked" * (k == first)}>'
            for k in range(len(lab.moments))
        ),
        labels="Compared "
        + "".join(
            f'<label for="at-{k}">{escape(moment_name(moment))}</label>'
            for k, moment in enumerate(lab.moments)
        ),
        sections="\n".join(sections),
    )


METHOD = (
    "Stopping short of the target is an easy way to go straight, so runs are compared where "
    "equally much of the way is left, {left}: at the first such point of training, at each arm's "
    "own rate (that with the least median objective in the last tenth of training), or on the "
    "<i>frontier</i>, the best that any rate and any such point offers. Medians over seeds; [95 % "
    "bootstrap intervals of the median]; differences paired by seed. The intervals are over seeds "
    "alone: all arms are measured on the same held-out points. <i>Holds</i>: the whole interval "
    "lies on the claim's side; how much it matters, the difference says. Of 20 comparisons of "
    "equals about one would look decided."
)
LEFT = {
    "match": "(fit − floor) / (unmoved − floor)",
    "classify": "the share of wrong answers over that of always naming the largest class",
}


def _made(lab: Lab, rows: Mapping[RunSpec, Row], command: str) -> str:
    own = [rows[spec] for _, spec in lab.runs()]
    diverged = sum(row.diverged is not None for row in own)
    settings = f"{len(lab.settings)} settings" if len(lab.settings) > 1 else "one setting"
    rates = f"{max(len(lab.rates), 1)} learning rates ({', '.join(f'{r:g}' for r in lab.rates)})"
    return (
        f"<code>{escape(command)}</code><br>{settings} × {len(lab.arms)} arms × "
        f"{rates if lab.rates else 'one learning rate'} × {len(lab.seeds)} seeds = "
        f"{len(own)} runs, of which {diverged} diverged. "
        f"All share: {escape(text.base_words(lab))}."
    )


def _left(cells: Cells) -> str:
    tasks = dict.fromkeys(cells.example(setting).spec.task for setting in cells.settings)
    return ", or in classification ".join(LEFT[task] for task in sorted(tasks, reverse=True))


def _first_shown(moments: Sequence[Moment], cells: Cells) -> int:
    """Where there is something to see, in most settings; of those moments equal fits rather than
    equal steps, and all rates rather than one.
    """
    liking = ("frontier", "excess", "fit", "end")

    def rank(k: int) -> tuple[int, int]:
        empty = sum(not reached(cells, setting, moments[k]) for setting in cells.settings)
        return empty, liking.index(moments[k].kind)

    return min(range(len(moments)), key=rank)


def _pictures(lab: Lab, cells: Cells, setting: str, looks: Sequence[Look]) -> list[str]:
    """The setting's charts; where one would be empty, a sentence that says why."""
    frontiers = frontier_chart(cells, setting, looks)
    shown, empty = strip_moments(lab, cells, setting)
    parts = [_drawn(frontiers) if frontiers.data else _nobody(text.no_frontier_words(LEVELS[0]))]
    if shown:
        parts.append(_drawn(strip_chart(lab, cells, setting, looks)))
    return parts + [_nobody(text.nobody_words(moment)) for moment in empty]


def _nobody(told: str) -> str:
    return f'<p class="nobody">{escape(told)}</p>'


def _numbers(
    lab: Lab, cells: Cells, moment: Moment, setting: str, arms: Mapping[str, Mapping[str, Line]]
) -> str:
    if not reached(cells, setting, moment):
        return _nobody(text.nobody_words(moment))
    return _number_table(lab, moment, arms)


def _hint(looks: Sequence[Look]) -> str:
    told = (
        f"Above, the frontier of each arm, where {FEWEST} seeds or more get so far; below, each "
        "seed, with its arm's median and interval, and how many seeds get there if not all."
    )
    if all(look.shown for look in looks):
        return told
    return f"{told} Click in the legend for the other arms."


def _at(k: int, content: str) -> str:
    return f'<div class="at at-{k}">{content}</div>'


def _drawn(figure: go.Figure) -> str:
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displaylogo": False, "displayModeBar": False, "responsive": True},
    )
    return _wide(drawn, "wide picture")


def _wide(content: str, kind: str = "wide") -> str:
    """What may be wider than the window, and is then moved by itself: also by keys."""
    return f'<div class="{kind}" tabindex="0">{content}</div>'


# ---- verdicts


def _verdict_section(lab: Lab, cells: Cells, found: Sequence[Verdict]) -> str:
    parts = []
    for k, moment in enumerate(lab.moments):
        if not any(reached(cells, setting, moment) for setting in cells.settings):
            parts.append(_at(k, _nobody(text.nobody_words(moment))))
            continue
        here = [verdict for verdict in found if verdict.at == str(moment)]
        warning = ""
        if moment.kind == "end":
            warning = (
                "<p>After equal steps the arms' fits differ: part of a difference here may be "
                "bought by stopping short.</p>"
            )
        when = f"<p>{escape(_sentence(text.moment_words(moment)))}: {_tally(here)}.</p>"
        parts.append(_at(k, warning + when + _verdict_table(here)))
    return f"<section><h2>What it says</h2>{''.join(parts)}</section>"


def _sentence(told: str) -> str:
    return told[0].upper() + told[1:]


def _tally(found: Sequence[Verdict]) -> str:
    """*by effort 12 of 21 hold, 3 do not, 6 are undecided; by LSS …*."""
    parts = []
    for score in JUDGED:
        says = [verdict.says for verdict in found if verdict.score == score]
        if says:
            parts.append(
                f"by {escape(text.COLUMNS[score])} {says.count('holds')} of {len(says)} hold, "
                f"{says.count('does not hold')} do not, {says.count('undecided')} are undecided"
            )
    return "; ".join(parts)


def _verdict_table(found: Sequence[Verdict]) -> str:
    settings = list(dict.fromkeys(verdict.setting for verdict in found))
    head = "".join(f"<th>{escape(setting)}</th>" for setting in settings)
    body = []
    for told, of_text in groupby(found, lambda verdict: verdict.claim.text):
        title = f'<th colspan="{2 + len(settings)}">{escape(_sentence(told))}?</th>'
        body.append(f'<tr class="claim">{title}</tr>')
        for claim, of_claim in groupby(of_text, lambda verdict: verdict.claim):
            body += _claim_rows(claim, list(of_claim))
    return _wide(
        f"<table><thead><tr><th>arm</th><th>by</th>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _claim_rows(claim: Claim, found: Sequence[Verdict]) -> list[str]:
    """One row a score, with a cell for each setting."""
    first = (
        f'<tr class="first"><th rowspan="{len({verdict.score for verdict in found})}">'
        f'{escape(claim.arm)}<br><span class="quiet">against {escape(claim.against)}</span></th>'
    )
    rows = []
    for score in dict.fromkeys(verdict.score for verdict in found):
        says = "".join(_verdict_cell(verdict) for verdict in found if verdict.score == score)
        rows.append(f'{first}<td class="by">{escape(NAMES[score])}</td>{says}</tr>')
        first = "<tr>"
    return rows


def _verdict_cell(found: Verdict) -> str:
    numbers = text.difference_words(found.difference) if found.difference.count else ""
    return (
        f'<td class="says {found.says.replace(" ", "-")}"><b>{text.SIGNS[found.says]}</b>'
        f"{escape(text.verdict_words(found))} <span>{escape(numbers)}</span></td>"
    )


# ---- numbers


def _number_table(lab: Lab, moment: Moment, arms: Mapping[str, Mapping[str, Line]]) -> str:
    shown = [name for name in text.COLUMNS if name in next(iter(arms.values()))]
    head = ("arm", "rate", "seeds", "diverged", *(_heading(name) for name in shown))
    body = []
    for arm, by_score in arms.items():
        chief = by_score[CHIEF]
        rate = f"{text.rate_words(chief)}<small>{text.rivals_words(chief)}</small>"
        cells = [
            f"<th>{escape(arm)}</th>",
            f'<td class="rate">{rate}</td>',
            f"<td>{chief.value.count} of {len(lab.seeds)}</td>",
            f"<td>{chief.diverged} of {chief.runs}</td>",
            *(_number_cell(by_score[name]) for name in shown),
            _difference_cell(chief),
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    titles = "".join(f"<th>{title}</th>" for title in (*head, "effort compared"))
    note = ""
    if moment.kind == "frontier":
        note = "Step, fit and undershoot are of the point with the best effort."
    elif any(by_score[CHIEF].rivals for by_score in arms.values()):
        note = "<i>Or</i> names a rate whose objective is not decidedly worse."
    return (
        f"<h3>Numbers {escape(text.moment_words(moment))}. <span class=quiet>{note}</span></h3>"
        + _wide(
            f'<table class="numbers"><thead><tr>{titles}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )
    )


def _heading(name: str) -> str:
    return escape(score_name(name)).replace(" (", "<br>(")


def _number_cell(line: Line) -> str:
    return f"<td>{text.told_median(line)}<small>{text.span(line)}</small></td>"


def _difference_cell(line: Line) -> str:
    if line.difference is None:
        return "<td></td>"
    return (
        f"<td>{escape(text.difference_words(line.difference))}"
        f"<small>against {escape(line.against)}</small></td>"
    )
