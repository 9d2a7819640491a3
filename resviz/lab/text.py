"""A lab in words: moments, intervals and verdicts as a person reads them, and a text table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from resviz import words
from resviz.lab.design import Lab, Moment
from resviz.lab.intervals import FEWEST, Interval
from resviz.lab.rows import Row
from resviz.lab.table import CHIEF, Cells, Line, Verdict, table, verdicts
from resviz.spec import FIELDS, RunSpec

# What tables for people show, and what they call it; the CSV has all.
COLUMNS: Mapping[str, str] = {
    "step": "step",
    "fit": "fit",
    "accuracy": "accuracy",
    "undershoot": "undershoot",
    "action_ratio": "action ratio",
    "path_factor": "path",
    "map_factor": "map",
    "line_shape": "LSS",
    "optimal_transport": "OTS",
    "action_ratio_by_class": "action ratio by class",
    "optimal_transport_by_class": "OTS by class",
}
MOST_PLACES = 5  # of a difference
SIGNS: Mapping[str, str] = {"holds": "✓", "does not hold": "✗", "undecided": "?"}

# (setting, moment) → arm → score → line
Blocks = Mapping[tuple[str, str], Mapping[str, Mapping[str, Line]]]


def blocks(lines: Sequence[Line]) -> Blocks:
    """The lines of a table, one block for each setting at each moment."""
    found: dict = {}
    for line in lines:
        block = found.setdefault((line.setting, line.at), {})
        block.setdefault(line.arm, {})[line.score] = line
    return found


def moment_words(moment: Moment) -> str:
    """When a moment is, as part of a sentence."""
    left = f"at most {100 * moment.level:g} % of the way left"
    return {
        "end": "after all steps of training",
        "fit": f"at the first point of training with a fit of at most {moment.level:g}",
        "excess": f"at the first point of training with {left}",
        "frontier": f"the best of all rates and points of training with {left}",
    }[moment.kind]


def nobody_words(moment: Moment) -> str:
    """A sentence on a moment that no run comes to."""
    left = f"comes so far that at most {100 * moment.level:g} % of the way is left"
    return {
        "end": "Every run diverged before the end of its training.",
        "fit": f"No run reaches a fit of at most {moment.level:g}.",
        "excess": f"No run at its arm's own rate {left}.",
        "frontier": f"No run, at any rate, {left}.",
    }[moment.kind]


def no_frontier_words(left: float) -> str:
    """A sentence on a setting in which no frontier can be drawn."""
    return (
        f"No frontier is drawn: no arm comes with {FEWEST} seeds or more so far that at most "
        f"{100 * left:g} % of the way is left."
    )


def measured_by(row: Row) -> str:
    """What a row's fit is measured by: *floor 0.076, unmoved 0.42 (squared W2)*."""
    floor, unmoved = map(words.number, row.reach)
    if row.spec.task == "classify":
        return f"always naming the largest class is wrong in {unmoved} of cases"
    return f"floor {floor}, unmoved {unmoved} (squared W2)"


def told_median(line: Line) -> str:
    """A line's median as a person reads it."""
    return told(line.score, line.value.median)


def told(score: str, value: float) -> str:
    """A number as a person reads it; steps are whole."""
    return f"{value:.0f}" if score == "step" and math.isfinite(value) else words.number(value)


def base_words(lab: Lab) -> str:
    """The fields that all runs share and that are not at their defaults."""
    fields = [f"{FIELDS[name].metadata['label']} {value}" for name, value in lab.base.items()]
    return ", ".join(fields) or "all at their defaults"


def span(line: Line) -> str:
    """A median's interval: *[1.30, 1.61]*; empty where there is none."""
    low, high = line.value.low, line.value.high
    return "" if math.isnan(low) else f"[{told(line.score, low)}, {told(line.score, high)}]"


def rate_words(line: Line) -> str:
    """The rate that a line is of, *edge* if it is the first or last tried; *all* on a frontier."""
    if math.isnan(line.rate):
        return "all"
    return f"{line.rate:g} (edge)" if line.edge else f"{line.rate:g}"


def rivals_words(line: Line) -> str:
    """*or 0.02, 0.04*: rates that might as well have been chosen."""
    rates = ", ".join(f"{rate:g}" for rate in line.rivals)
    return f"or {rates}" if rates else ""


def difference_words(found: Interval) -> str:
    """*−0.31 [−0.42, −0.12]*, as far as it is defined."""
    shown = [v for v in (found.median, found.low, found.high) if not math.isnan(v)]
    if not shown:
        return "–"
    # Two figures of the largest, and of what is smaller as many places, or one figure.
    places = min(max(min(map(_places, shown)) + 1, 0), MOST_PLACES)
    median, *bounds = (_signed(value, places) for value in shown)
    return f"{median} [{', '.join(bounds)}]" if bounds else median


def _places(value: float) -> int:
    """Decimal places of the first figure of a number."""
    if not math.isfinite(value):
        return MOST_PLACES
    return min(-math.floor(math.log10(max(abs(value), 1e-9))), MOST_PLACES)


def _signed(value: float, places: int) -> str:
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    told = f"{value:+.{max(places, _places(value))}f}"
    return "0" if float(told) == 0 else told.replace("-", "−")


def verdict_words(found: Verdict) -> str:
    """*holds*, *holds, 8 of 10 pairs*, *undecided: 3 of 10 pairs*, *undecided: equal*."""
    count = found.difference.count
    if found.difference.low == found.difference.high == 0:
        return f"{found.says}: equal"
    pairs = f"{count} of {found.seeds} pairs"
    if count < FEWEST:
        return f"{found.says}: {pairs}"
    return found.says if count == found.seeds else f"{found.says}, {pairs}"


def to_text(lab: Lab, rows: Mapping[RunSpec, Row], moments: Sequence[Moment] | None = None) -> str:
    """For each setting and moment a table of the arms: medians, and below them intervals."""
    moments, cells, said = moments or lab.moments, Cells.of(lab, rows), {}
    for v in verdicts(lab, rows, moments, (CHIEF,)):
        sentence = f"{SIGNS[v.says]} {verdict_words(v)}"
        said[v.setting, v.at, v.claim.arm, v.claim.against] = sentence
        # Where the arms are listed the other way round, it is said whom the claim is for.
        turned = (v.setting, v.at, v.claim.against, v.claim.arm)
        said.setdefault(turned, f"{sentence} ({v.claim.arm})")
    parts = [f"{lab.title}\nMedians over {len(lab.seeds)} seeds, [95 % bootstrap intervals] below."]
    when = {str(moment): moment_words(moment) for moment in moments}
    for (setting, at), arms in blocks(table(lab, rows, moments)).items():
        shown = [name for name in COLUMNS if name in next(iter(arms.values()))]
        content = [["", "rate", "seeds", "diverged", *(COLUMNS[name] for name in shown), "", ""]]
        for arm, by_score in arms.items():
            chief = by_score[CHIEF]
            verdict = said.get((setting, at, arm, chief.against), "")
            content += _arm_lines(by_score, shown, len(lab.seeds), verdict)
        reach = measured_by(cells.example(setting))
        parts.append(f"{setting}, {when[at]}; {reach}\n{_aligned(content)}")
    return "\n\n".join(parts) + "\n"


def _arm_lines(
    by_score: Mapping[str, Line], shown: Sequence[str], seeds: int, verdict: str
) -> list[list[str]]:
    """An arm's medians, and below them the intervals; at the end its difference to another."""
    chief = by_score[CHIEF]
    medians = [told_median(by_score[name]) for name in shown]
    spans = [span(by_score[name]) for name in shown]
    gap = chief.difference
    return [
        [
            chief.arm,
            rate_words(chief),
            f"{chief.value.count}/{seeds}",
            f"{chief.diverged}/{chief.runs}",
            *medians,
            "" if gap is None else f"{COLUMNS[CHIEF]} {difference_words(gap)}",
            verdict,
        ],
        [
            "",
            rivals_words(chief),
            "",
            "",
            *spans,
            "" if gap is None else f"against {chief.against}",
            "",
        ],
    ]


def _aligned(content: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*content, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in content)
    return "\n".join(line for line in lines if line)
