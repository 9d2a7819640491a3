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
    NAMES,
    Look,
    arm_looks,
    frontier_chart,
    moment_name,
    score_name,
    strip_chart,
)
from resviz.figures.theme import FONT, INK, QUIET, SECTORS
from resviz.lab import text
from resviz.lab.design import Claim, Lab, Moment
from resviz.lab.intervals import FEWEST
from resviz.lab.rows import Row
from resviz.lab.table import CHIEF, JUDGED, Cells, Line, Verdict, table, verdicts
from resviz.spec import RunSpec

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  html {{ font-size: clamp(16px, 0.45vw + 10.5px, 20px); }}
  body {{ margin: 0 auto; padding: 0.6rem 1.2rem 3rem; max-width: 1640px; color: {ink};
         font: 1rem/1.35 {font}; }}
  h1 {{ font-size: 1.7rem; margin: 0 0 0.2rem; }}
  h2 {{ font-size: 1.45rem; margin: 1.6rem 0 0.2rem; scroll-margin-top: 3rem; }}
  h3 {{ font-size: 1.1rem; margin: 0.9rem 0 0.2rem; }}
  p {{ margin: 0.25rem 0; max-width: 75rem; }}
  code {{ font-size: 0.9rem; }}
  .quiet {{ color: #5a5e69; font-size: 0.9rem; font-weight: 400; }}
  input[name=at] {{ position: absolute; opacity: 0; }}
  nav {{ position: sticky; top: 0; z-index: 9; background: white; padding: 0.4rem 0;
        border-bottom: 1px solid {rule}; }}
  nav label {{ display: inline-block; padding: 0.15rem 0.7rem; border: 1px solid {rule};
              border-radius: 1rem; cursor: pointer; margin-right: 0.25rem; }}
  .at {{ display: none; }}
  table {{ width: 100%; font-variant-numeric: tabular-nums; }}
  th, td {{ text-align: left; padding: 0.1rem 0.5rem 0.1rem 0; vertical-align: top; }}
  table {{ border-collapse: separate; border-spacing: 0; }}
  thead th {{ border-bottom: 2px solid {ink}; vertical-align: bottom; background: white;
             position: sticky; top: 2.6rem; z-index: 8; }}
  tbody th {{ font-weight: 600; }}
  .claim th {{ padding-top: 0.4rem; }}
  .first > * {{ border-top: 1px solid {rule}; padding-top: 0.3rem; }}
  .numbers td, .numbers th {{ font-size: 0.92rem; line-height: 1.2; padding-bottom: 0.25rem; }}
  .numbers tbody tr > * {{ border-top: 1px solid {rule}; padding-top: 0.2rem; }}
  .numbers small {{ color: #5a5e69; font-size: 0.76rem; white-space: nowrap; display: block; }}
  .numbers .rate small {{ white-space: normal; max-width: 5.6em; }}
  .says, .by {{ white-space: nowrap; }}
  .says b {{ display: inline-block; width: 1.35em; line-height: 1.35em; text-align: center;
            border-radius: 0.2em; color: white; margin-right: 0.3em; }}
  .holds b {{ background: #007a58; }}
  .does-not-hold b {{ background: #c04f00; }}
  .undecided b {{ background: #767b86; }}
  .holds {{ color: #00573f; font-weight: 600; }}
  .does-not-hold {{ color: #8f3b00; font-weight: 600; }}
  .undecided {{ color: #5a5e69; }}
  .says span {{ color: {ink}; font-weight: 400; font-size: 0.9rem; }}
  {chosen}
  @media print {{ .at {{ display: block; }} nav {{ display: none; }} }}
</style>
<script>{plotly}</script>
</head>
<body>
{radios}
<header>
<h1>{title}</h1>
<p>{made}</p>
<p>{method}</p>
</header>
<nav>{labels}</nav>
<main>
{sections}
</main>
</body>
</html>
"""
# The radio buttons stand before all that they switch, so no script is needed.
CHOSEN = (
    "#at-{k}:checked ~ main .at-{k} {{ display: block; }} "
    "#at-{k}:checked ~ nav label[for=at-{k}] {{ background: {ink}; color: white; }} "
    "#at-{k}:focus-visible ~ nav label[for=at-{k}] {{ outline: 3px solid {focus}; }}"
)


def to_html(lab: Lab, rows: Mapping[RunSpec, Row], command: str | None = None) -> str:
    """The page of a finished lab, with plotly.js inside and no request to anywhere.

    `command` is what made it, word for word; a named lab's own if None.
    """
    cells, looks = Cells.of(lab, rows), arm_looks(lab.arms)
    lines = text.blocks(table(lab, rows))
    sections = [_verdict_section(lab, verdicts(lab, rows))] if lab.claims else []
    for setting in cells.settings:
        pictures = [
            _drawn(frontier_chart(cells, setting, looks)),
            _drawn(strip_chart(lab, cells, setting, looks)),
        ]
        numbers = [
            _at(k, _number_table(lab, moment, lines[setting, str(moment)]))
            for k, moment in enumerate(lab.moments)
        ]
        reach = escape(text.measured_by(cells.example(setting)))
        sections.append(
            f"<section><h2>{escape(setting)}</h2>"
            f"<p>{_sentence(reach)}. <span class=quiet>{_hint(looks)}</span></p>"
            f"{''.join(pictures)}{''.join(numbers)}</section>"
        )
    first = _first_shown(lab.moments)
    return PAGE.format(
        title=escape(lab.title),
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


def _first_shown(moments: Sequence[Moment]) -> int:
    """Equal fits rather than equal steps, and all rates rather than one, if there is a choice."""
    liking = ("frontier", "excess", "fit", "end")
    return min(range(len(moments)), key=lambda k: liking.index(moments[k].kind))


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
    return figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displaylogo": False, "displayModeBar": False, "responsive": True},
    )


# ---- verdicts


def _verdict_section(lab: Lab, found: Sequence[Verdict]) -> str:
    parts = []
    for k, moment in enumerate(lab.moments):
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
    return (
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
        f'<table class="numbers"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
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
