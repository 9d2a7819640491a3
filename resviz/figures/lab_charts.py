"""A lab in pictures: how far each arm comes and how straight, and each seed of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from resviz import words
from resviz.figures.theme import INK, QUIET, SECTORS, bare_layout
from resviz.lab import text
from resviz.lab.design import Arm, Lab, Moment
from resviz.lab.intervals import FEWEST, Interval, interval
from resviz.lab.table import CHIEF, Cells, values

COLOURS = (INK, SECTORS[4], SECTORS[0], SECTORS[2], SECTORS[5], SECTORS[3], SECTORS[1])
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PLOT_PX = 16
READABLE = 6  # arms that one picture shows before anyone touches its legend
# Shares of the way left at which a frontier is drawn: with more than half of it left a
# network has not arrived, and its way says little.
LEVELS = np.geomspace(0.5, 0.02, 40)
LEFT_TICKS = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02)
# Ticks of a logarithmic axis of ratios from 1, by the greatest that it shows.
RATIO_TICKS = (
    (1.3, (1, 1.02, 1.05, 1.1, 1.15, 1.2, 1.3)),
    (2.5, (1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5)),
    (8.0, (1, 1.2, 1.5, 2, 3, 4, 5, 7)),
    (np.inf, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)),
)
FRONTIERS = ("action_ratio", "line_shape", "optimal_transport")
NAMES: Mapping[str, str] = text.COLUMNS | {
    "fit": "miss (fit)",
    "action_ratio": words.EFFORT.name,
    "path_factor": "bends (path factor)",
    "map_factor": "pairing (map factor)",
    "line_shape": words.BEND.name,
    "optimal_transport": words.PAIRING.name,
    "action_ratio_by_class": f"{words.EFFORT.name} by class",
    "optimal_transport_by_class": "OTS by class",
}


def score_name(score: str) -> str:
    """*Effort (action ratio)*, *Bend (LSS)*."""
    return f"{NAMES[score]} ({text.COLUMNS[score]})" if score == CHIEF else NAMES[score]


def moment_name(moment: Moment) -> str:
    """*at 30 % left*, *on the frontier, 10 % left*."""
    left = f"{100 * moment.level:g} % left"
    return {
        "end": "at the end of training",
        "fit": f"at fit {moment.level:g}",
        "excess": f"at {left}",
        "frontier": f"on the frontier, {left}",
    }[moment.kind]


@dataclass(frozen=True)
class Look:
    """How one arm is drawn in every picture."""

    name: str
    colour: str
    dash: str
    group: str  # arms that the legend shows and hides together
    shown: bool


def arm_looks(arms: Sequence[Arm]) -> tuple[Look, ...]:
    """A colour for each arm; where there are many, for each strength, and a dash for the rest.
    (Where strengths do not differ, colours come round again, with another dash.)

    Of many arms only those of the first dash are shown until the legend is asked for more.
    """
    strengths, kinds = _numbered(map(_strengths, arms)), _numbered(map(_kind, arms))
    many = len(arms) > READABLE and len(strengths) > 1
    looks = []
    for k, arm in enumerate(arms):
        kind = kinds[_kind(arm)] if many else 0
        again = 0 if many else k // len(COLOURS)
        colour = strengths[_strengths(arm)] if many else k
        looks.append(
            Look(
                name=escape(arm.name),
                colour=COLOURS[colour % len(COLOURS)],
                dash=DASHES[(kind + again) % len(DASHES)],
                group=str(kind if many else k),
                shown=kind == 0,
            )
        )
    return tuple(looks)


def _strengths(arm: Arm) -> tuple[tuple[str, float], ...]:
    return tuple((name, value) for name, value in arm.fields.items() if isinstance(value, float))


def _kind(arm: Arm) -> tuple[tuple[str, object], ...]:
    return tuple(item for item in arm.fields.items() if not isinstance(item[1], float))


def _numbered(found: Iterable[object]) -> dict[object, int]:
    return {thing: k for k, thing in enumerate(dict.fromkeys(found))}


def frontier_chart(cells: Cells, setting: str, looks: Sequence[Look]) -> go.Figure:
    """The best that each arm offers, by how much of the way is left: effort, LSS and OTS.

    Medians over seeds with their 95 % band, drawn where enough seeds get so far.
    """
    figure = _figure(len(FRONTIERS), height=470)
    arms = [arm for where, arm in cells.rows if where == setting]
    nearest = LEVELS[0]
    for panel, score in enumerate(FRONTIERS):
        curves, bottom, top = [], 1.0, 1.0
        for arm, look in zip(arms, looks, strict=True):
            found = cells.curve(setting, arm, score, LEVELS)
            drawn = [k for k, value in enumerate(found) if value.count >= FEWEST]
            if drawn:
                curves.append((look, LEVELS[drawn], [found[k] for k in drawn]))
                nearest = min(nearest, LEVELS[drawn[-1]])
                if look.shown:
                    ends = [v for k in drawn for v in (found[k].low, found[k].high)]
                    top, bottom = max(top, *ends), min(bottom, *ends)
        for add in (_add_band, _add_median):  # no band over a line
            for curve in curves:
                add(figure, panel, *curve)
        if not any(look.shown for look, *_ in curves):
            told = (
                "Only arms that the legend hides come so far." if curves else "None comes so far."
            )
            _note(figure, panel, told)
        _title(figure, panel, score_name(score))
        figure.update_layout({_axis("yaxis", panel): _score_axis(score, bottom, top)})
    for panel in range(len(FRONTIERS)):
        figure.update_layout({_axis("xaxis", panel): _left_axis(nearest)})
    return figure


def _add_band(
    figure: go.Figure, panel: int, look: Look, left: np.ndarray, found: Sequence[Interval]
) -> None:
    edges = {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    edges |= _line_of(panel, look, left)
    figure.add_scatter(y=[value.low for value in found], **edges)
    figure.add_scatter(
        y=[value.high for value in found], fill="tonexty", fillcolor=_faint(look.colour), **edges
    )


def _add_median(
    figure: go.Figure, panel: int, look: Look, left: np.ndarray, found: Sequence[Interval]
) -> None:
    figure.add_scatter(
        y=[value.median for value in found],
        line={"color": look.colour, "dash": look.dash, "width": 3},
        name=look.name,
        showlegend=panel == 0,
        customdata=[[value.low, value.high, value.count] for value in found],
        hovertemplate=(
            "%{y:.3g} [%{customdata[0]:.3g}, %{customdata[1]:.3g}], "
            "%{customdata[2]} seeds, %{x:.0%} left"
        ),
        **_line_of(panel, look, left),
    )


def _line_of(panel: int, look: Look, left: np.ndarray) -> dict[str, object]:
    """What an arm's band and median share."""
    return {
        "x": left,
        "mode": "lines",
        "legendgroup": look.group,
        "visible": True if look.shown else "legendonly",
        "xaxis": _axis("x", panel),
        "yaxis": _axis("y", panel),
    }


def reached(cells: Cells, setting: str, moment: Moment) -> bool:
    """Whether any seed of any arm comes to the moment with an effort that is defined."""
    arms = [arm for where, arm in cells.rows if where == setting]
    return any(values(cells.at(setting, arm, moment), CHIEF) for arm in arms)


def strip_moments(
    lab: Lab, cells: Cells, setting: str
) -> tuple[tuple[Moment, ...], tuple[Moment, ...]]:
    """The moments that each seed is shown at, and those that would be but nobody comes to."""
    matched = [m for m in lab.moments if m.kind in ("fit", "excess")] or lab.moments
    shown = tuple(moment for moment in matched if reached(cells, setting, moment))
    return shown, tuple(moment for moment in matched if moment not in shown)


def strip_chart(lab: Lab, cells: Cells, setting: str, looks: Sequence[Look]) -> go.Figure:
    """Each seed's effort at the matched moments, one line an arm, with median and interval.

    Without those that nobody comes to; `strip_moments` names them.
    """
    matched, _ = strip_moments(lab, cells, setting)
    arms = [arm for where, arm in cells.rows if where == setting]
    figure = _figure(len(matched), height=110 + 27 * len(arms), showlegend=False)
    for panel, moment in enumerate(matched):
        top = 1.0
        for row, (arm, look) in enumerate(zip(arms, looks, strict=True)):
            scored = values(cells.at(setting, arm, moment), CHIEF)
            _add_strip(figure, panel, row, look, scored, len(lab.seeds))
            top = max([top, *scored.values()])
        _title(figure, panel, f"{score_name(CHIEF)} of each seed {moment_name(moment)}")
        figure.update_layout(
            {
                _axis("xaxis", panel): _score_axis(CHIEF, 1.0, top) | {"tickangle": 0},
                _axis("yaxis", panel): {
                    "range": [len(arms) - 0.5, -0.5],
                    "tickvals": list(range(len(arms))),
                    "ticktext": [look.name for look in looks],
                    "showticklabels": panel == 0,
                    "automargin": True,
                    "gridcolor": QUIET,
                    "zeroline": False,
                },
            }
        )
    return figure


def _add_strip(
    figure: go.Figure, panel: int, row: int, look: Look, scored: Mapping[int, float], seeds: int
) -> None:
    axes = {"xaxis": _axis("x", panel), "yaxis": _axis("y", panel), "name": look.name}
    found = interval(tuple(scored.values()))
    # Beside the line that holds the interval, in the order of the seeds.
    spread = np.linspace(-0.28, 0.28, len(scored)) if len(scored) > 1 else np.zeros(len(scored))
    figure.add_scatter(
        x=list(scored.values()), y=row + spread, mode="markers", customdata=list(scored),
        marker={"color": look.colour, "size": 8, "opacity": 0.5},
        hovertemplate="seed %{customdata}: %{x:.3g}", **axes,
    )  # fmt: skip
    figure.add_scatter(
        x=[found.low, found.high], y=[row, row], mode="lines", hoverinfo="skip",
        line={"color": look.colour, "width": 5}, **axes,
    )  # fmt: skip
    figure.add_scatter(
        x=[found.median], y=[row], mode="markers",
        marker={"color": "white", "size": 11, "symbol": "diamond",
                "line": {"color": look.colour, "width": 3}},
        hovertemplate=f"median of {found.count} seeds: %{{x:.3g}}", **axes,
    )  # fmt: skip
    if len(scored) < seeds:
        figure.add_annotation(
            x=1, xref=f"{_axis('x', panel)} domain", xanchor="left", y=row,
            yref=_axis("y", panel), text=f" {len(scored)} of {seeds}", showarrow=False,
        )  # fmt: skip


def _axis(name: str, panel: int) -> str:
    return name if panel == 0 else f"{name}{panel + 1}"


def _figure(panels: int, **layout: object) -> go.Figure:
    """Empty panels side by side, a legend below them."""
    gutter = 0.07
    width = (1 - gutter * (panels - 1)) / panels
    axes: dict[str, object] = {}
    for panel in range(panels):
        left = panel * (width + gutter)
        x, y = _axis("x", panel), _axis("y", panel)
        axes[_axis("xaxis", panel)] = {"domain": [left, left + width], "anchor": y}
        axes[_axis("yaxis", panel)] = {"anchor": x}
    figure = go.Figure(
        layout=bare_layout(
            **axes,
            **layout,
            margin={"l": 50, "r": 70, "t": 34, "b": 50},
            legend={
                "orientation": "h", "y": -0.24, "yanchor": "top", "traceorder": "normal",
                "groupclick": "togglegroup",
            },
            hovermode="closest",
        )
    )  # fmt: skip
    return figure.update_layout(font_size=PLOT_PX)


def _score_axis(score: str, bottom: float, top: float) -> dict[str, object]:
    """An axis for values in [bottom, top]: logarithmic for ratios from 1, linear for OTS."""
    axis = {"gridcolor": QUIET, "zeroline": False}
    if score.startswith("optimal_transport"):
        # Differences of a thousandth should look like that.
        return axis | {"range": [min(bottom - 0.01, 0.9), 1.005], "nticks": 6}
    ticks = next(ticks for limit, ticks in RATIO_TICKS if top <= limit)
    return axis | {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def _left_axis(nearest: float) -> dict[str, object]:
    """Nearer the target is to the right, as far as anyone comes."""
    return {
        "type": "log",
        "range": [float(np.log10(LEVELS[0])), float(np.log10(min(nearest, 0.9 * LEVELS[0])))],
        "tickvals": LEFT_TICKS,
        "ticktext": [f"{100 * tick:g}" for tick in LEFT_TICKS],
        "tickangle": 0,
        "title": {"text": "% of the way left, at most", "standoff": 6},
        "gridcolor": QUIET,
        "zeroline": False,
    }


def _title(figure: go.Figure, panel: int, told: str) -> None:
    figure.add_annotation(
        text=f"<b>{escape(told)}</b>", x=0, xref=f"{_axis('x', panel)} domain", xanchor="left",
        y=1, yref="paper", yanchor="bottom", showarrow=False, font={"size": PLOT_PX + 1},
    )  # fmt: skip


def _note(figure: go.Figure, panel: int, told: str) -> None:
    """Why a panel is empty."""
    figure.add_annotation(
        text=told, x=0.5, xref=f"{_axis('x', panel)} domain", y=0.5, yref="paper", showarrow=False
    )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.11)"
