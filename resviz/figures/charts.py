"""The two charts beside the stage: the layers of a finished run, and the course of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from resviz import words
from resviz.figures.theme import KEPT, PRESENT, QUIET, bare_layout
from resviz.records import Record, Run

HEIGHT_PX = 400


def layers_chart(run: Run | None, kept: Run | None = None) -> go.Figure:
    """Gap (above) and speed (below) against t, for the run and the kept one.

    Both are in units of W2(μ_0, μ_L), so that the cheapest way has gap 0 and speed 1.
    """
    figure = _two_rows(
        ("<b>Off the route</b>", words.GAP.tooltip), ("<b>Pace</b>", words.PACE.tooltip)
    )
    for shown, colour, name in ((kept, KEPT, "A"), (run, PRESENT, "B" if kept else "")):
        if shown is None:
            continue
        gap, speed = shown.scores.gap, shown.scores.speed
        least = np.sqrt(shown.scores.w2_squared)
        t = np.arange(len(gap)) / (len(gap) - 1)
        line = {"color": colour, "width": 3}
        figure.add_scatter(x=t, y=gap, line=line, mode="lines", name=name, xaxis="x", yaxis="y")
        pace = np.append(speed, speed[-1]) / least if least > 0 else np.full(len(t), np.nan)
        # A layer's pace holds from its beginning to its end: a stair, not a slope.
        figure.add_scatter(
            x=t, y=pace, line=line | {"shape": "hv"}, mode="lines", name=name, xaxis="x", yaxis="y2"
        )
    if kept:
        figure.add_annotation(_letters())
    if run is None:
        figure.add_annotation(_note("measured when training ends"))
    dotted = {"color": "#808495", "dash": "dot", "width": 2}
    for y, axis in ((0, "y"), (1, "y2")):
        figure.add_shape(type="line", x0=0, x1=1, y0=y, y1=y, line=dotted, xref="x", yref=axis)
    figure.update_layout(
        xaxis={"range": [0, 1], "title": {"text": "t, from input to output"}},
        yaxis={"rangemode": "tozero"},
        yaxis2={"rangemode": "tozero"},
    )
    return figure


def training_chart(
    history: Sequence[Record], steps: int, kept: Sequence[Record] | None = None
) -> go.Figure:
    """Loss and miss (above), effort, bend and pairing (below), against the training step."""
    figure = _two_rows(
        ("<b>Loss</b> — and <b>miss</b> ···", words.MISS.tooltip),
        ("<b>Effort</b> —, <b>LSS</b> - -, <b>OTS</b> ···", words.EFFORT.tooltip),
    )
    for course, colour in ((kept or (), KEPT), (history, PRESENT)):
        step = [record.step for record in course]
        for values, axis, dash in (
            ([record.loss for record in course], "y", "solid"),
            ([record.scores.fit for record in course], "y", "dot"),
            ([record.scores.action_ratio for record in course], "y2", "solid"),
            ([record.scores.line_shape for record in course], "y2", "dash"),
            ([record.scores.optimal_transport for record in course], "y2", "dot"),
        ):
            positive = [v if v is not None and 0 < v < np.inf else None for v in values]
            line = {"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash}
            figure.add_scatter(x=step, y=positive, line=line, mode="lines", xaxis="x", yaxis=axis)
    if kept:
        figure.add_annotation(_letters())
    last = max([steps, *(record.step for record in kept or ())])
    figure.update_layout(
        xaxis={"range": [0, last], "title": {"text": "training step"}},
        yaxis={"type": "log", "dtick": 1},
        yaxis2={"type": "log"},
    )
    return figure


def _two_rows(upper: tuple[str, str], lower: tuple[str, str]) -> go.Figure:
    """Two charts over one x-axis, each with a title and what the title says when asked."""
    axis = {"gridcolor": QUIET, "zeroline": False, "nticks": 4, "automargin": True}
    layout = bare_layout(
        height=HEIGHT_PX,
        showlegend=False,
        margin={"l": 44, "r": 10, "t": 30, "b": 44},
        xaxis=axis | {"anchor": "y2", "showgrid": False},
        yaxis=axis | {"domain": [0.57, 1.0]},
        yaxis2=axis | {"domain": [0.0, 0.43]},
        hovermode="x",
    )
    figure = go.Figure(layout=layout)
    for (text, tip), top in ((upper, 1.0), (lower, 0.43)):
        figure.add_annotation(
            text=text, hovertext=tip, xref="paper", yref="paper", x=0, y=top,
            xanchor="left", yanchor="bottom", showarrow=False, font={"size": 16},
        )  # fmt: skip
    return figure


def _letters() -> dict[str, object]:
    """Which colour is which run."""
    return {
        "text": f'<b style="color:{KEPT}">A</b>  <b style="color:{PRESENT}">B</b>',
        "xref": "paper", "yref": "paper", "x": 1, "y": 1.0,
        "xanchor": "right", "yanchor": "bottom", "showarrow": False, "font": {"size": 18},
    }  # fmt: skip


def _note(text: str) -> dict[str, object]:
    return {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.94, "showarrow": False}
