"""The three charts beside the stage: a run's layers at one step, and the course of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go

from resviz import words
from resviz.figures.theme import QUIET, bare_layout, run_colours
from resviz.figures.ticks import log_axis
from resviz.records import Record, Scores

HEIGHT_PX = 400
LINE_PX = 17  # of a note under an axis title
TITLE_PX = 15
LEFT_PX = 44  # what stands left of the axes
LETTERS_PX = 23
STANDOFF_PX = 3  # from an axis to its numbers: the two at the corner are apart
RIGHT_PX = 22  # half of the last tick's number: Plotly leaves out one that would be cut
HOVER_PX = 13


def layers_chart(
    scores: Scores | None, kept: Scores | None = None, dark: bool = False, note: Sequence[str] = ()
) -> go.Figure:
    """Gap (above) and speed (below) against t, of a run's scores and of the kept one's.

    Both are in units of W2(μ_0, μ_L), so that the cheapest way has gap 0 and speed 1. The lines
    of the `note` say of what they are, or why there are none.
    """
    exact = any(shown and shown.exact_gap is not None for shown in (scores, kept))
    route = "<b>Off the route</b>" + (", - - <b>off the exact one</b>" if exact else "")
    tip = words.EXACT_GAP.tooltip if exact else words.GAP.tooltip
    figure = _two_rows((route, tip), ("<b>Pace</b>", words.PACE.tooltip), dark)
    own = run_colours(dark)
    for shown, colour, name in zip((kept, scores), own, ("A", "B" if kept else ""), strict=True):
        if shown is None or shown.gap is None:
            continue
        gap, pace = shown.gap, shown.pace
        t = np.arange(len(gap)) / (len(gap) - 1)
        line = {"color": colour, "width": 3}
        figure.add_scatter(x=t, y=gap, line=line, mode="lines", name=name, xaxis="x", yaxis="y")
        if shown.exact_gap is not None:
            figure.add_traces(_exact(t, shown, colour, name))
        # A layer's pace holds from its beginning to its end: a stair, not a slope.
        stair = np.append(pace, pace[-1])
        figure.add_scatter(
            x=t,
            y=stair,
            line=line | {"shape": "hv"},
            mode="lines",
            name=name,
            xaxis="x",
            yaxis="y2",
        )
    if kept:
        _tell_letters(figure, dark, both=scores is not None)
    dotted = {"color": "#808495", "dash": "dot", "width": 2}
    for y, axis in ((0, "y"), (1, "y2")):
        figure.add_shape(type="line", x0=0, x1=1, y0=y, y1=y, line=dotted, xref="x", yref=axis)
    figure.update_layout(
        xaxis={"range": [0, 1], "title": {"text": "<br>".join(("t, from input to output", *note))}},
        yaxis={"rangemode": "tozero"},
        yaxis2={"rangemode": "tozero"},
    )
    if note:
        figure.update_layout(margin={"b": figure.layout.margin.b + LINE_PX * len(note)})
    if not figure.data:
        figure.add_annotation(
            text="<br>".join(note), xref="paper", yref="paper", x=0.5, y=0.8, showarrow=False
        )
    return _told_to_player(figure)


def _exact(t: np.ndarray, scores: Scores, colour: str, name: str) -> list[go.Scatter]:
    """Distance to the geodesic in closed form, over what a sample of it would show itself.

    Of means and covariances alone, in units of W2 between the two laws.
    """
    noise = go.Scatter(
        x=t, y=scores.exact_gap_noise, mode="lines", line={"width": 0}, fill="tozeroy",
        fillcolor="rgba(128,132,149,0.25)", name="what sampling alone gives",
    )  # fmt: skip
    gap = go.Scatter(
        x=t, y=scores.exact_gap, mode="lines", name=f"{name} to the exact geodesic".strip(),
        line={"color": colour, "width": 2, "dash": "dash"},
    )  # fmt: skip
    return [noise, gap]


def training_chart(
    history: Sequence[Record],
    steps: int,
    kept: Sequence[Record] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Loss and miss (above), effort, bend and pairing (below), against the training step."""
    figure = _two_rows(
        (f"<b>Loss</b> — and <b>{_told(history or kept)}</b> ···", words.MISS.tooltip),
        ("<b>Effort</b> —, <b>LSS</b> - -, <b>OTS</b> ···", words.EFFORT.tooltip),
        dark,
    )
    shown: dict[str, list[float | None]] = {"y": [], "y2": []}
    for course, colour in zip((kept or (), history), run_colours(dark), strict=True):
        step = [record.step for record in course]
        for values, axis, dash in (
            ([record.loss for record in course], "y", "solid"),
            ([_missed(record.scores) for record in course], "y", "dot"),
            ([record.scores.action_ratio for record in course], "y2", "solid"),
            ([record.scores.line_shape for record in course], "y2", "dash"),
            ([record.scores.optimal_transport for record in course], "y2", "dot"),
        ):
            positive = [v if v is not None and 0 < v < np.inf else None for v in values]
            shown[axis] += positive
            line = {"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash}
            figure.add_scatter(x=step, y=positive, line=line, mode="lines", xaxis="x", yaxis=axis)
    if kept:
        _tell_letters(figure, dark, both=bool(history))
    last = max([steps, *(record.step for record in kept or ())])
    figure.update_layout(
        xaxis={"range": [0, last], "title": {"text": "training step"}},
        yaxis=log_axis(shown["y"]),
        yaxis2=log_axis(shown["y2"]),
    )
    return _told_to_player(figure, course=True)


def _missed(scores: Scores) -> float | None:
    """What the task asks to be small, on held-out points: the miss, or the share of errors."""
    return scores.fit if scores.accuracy is None else 1 - scores.accuracy


def _told(course: Sequence[Record] | None) -> str:
    classified = bool(course) and course[0].scores.accuracy is not None
    return "errors" if classified else "miss"


def splits_chart(
    history: Sequence[Record],
    steps: int,
    kept: Sequence[Record] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Both splits of the effort against the training step, each factor 1 on the geodesic."""
    figure = _two_rows(
        ("<b>Pace</b> ···, <b>bend</b> - -, <b>pairing</b> —", words.FIRST_SPLIT.tooltip),
        ("<b>Swirl</b> —, <b>curve</b> - -", words.SECOND_SPLIT.tooltip),
        dark,
    )
    shown: dict[str, list[float | None]] = {"y": [], "y2": []}
    for course, colour in zip((kept or (), history), run_colours(dark), strict=True):
        step = [record.step for record in course]
        for name, axis, dash in (
            ("speed_factor", "y", "dot"),
            ("bend_factor", "y", "dash"),
            ("map_factor", "y", "solid"),
            ("swirl_factor", "y2", "solid"),
            ("curve_factor", "y2", "dash"),
        ):
            values = [getattr(record.scores, name) for record in course]
            known = [v if v is not None and 0 < v < np.inf else None for v in values]
            shown[axis] += known
            line = {"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash}
            figure.add_scatter(
                x=step, y=known, line=line, mode="lines", xaxis="x", yaxis=axis,
                name=name.replace("_", " "),
            )  # fmt: skip
    if kept:
        _tell_letters(figure, dark, both=bool(history))
    last = max([steps, *(record.step for record in kept or ())])
    figure.update_layout(
        xaxis={"range": [0, last], "title": {"text": "training step"}},
        yaxis=log_axis(shown["y"]),
        yaxis2=log_axis(shown["y2"]),
    )
    return _told_to_player(figure, course=True)


def _two_rows(upper: tuple[str, str], lower: tuple[str, str], dark: bool) -> go.Figure:
    """Two charts over one x-axis, each with a title and what the title says when asked."""
    axis = {"gridcolor": QUIET, "zeroline": False, "nticks": 4, "automargin": True}
    axis |= {"ticklabelstandoff": STANDOFF_PX}
    layout = bare_layout(
        dark=dark,
        height=HEIGHT_PX,
        showlegend=False,
        margin={"l": LEFT_PX, "r": RIGHT_PX, "t": 30, "b": 44},
        xaxis=axis | {"anchor": "y2", "showgrid": False},
        yaxis=axis | {"domain": [0.57, 1.0]},
        yaxis2=axis | {"domain": [0.0, 0.43]},
        hovermode="x",
        hoverlabel={"font": {"size": HOVER_PX}},
    )
    figure = go.Figure(layout=layout)
    for (text, tip), top in ((upper, 1.0), (lower, 0.43)):
        figure.add_annotation(
            text=text, hovertext=tip, xref="paper", yref="paper", x=0, y=top,
            xanchor="left", yanchor="bottom", showarrow=False, font={"size": TITLE_PX},
            xshift=-LEFT_PX + 8,
        )  # fmt: skip
    return figure


def _tell_letters(figure: go.Figure, dark: bool, both: bool) -> None:
    """Which colour is which run, in a line of its own over the titles; A alone if not `both`."""
    a, b = run_colours(dark)
    letter_b = f'  <b style="color:{b}">B</b>' if both else ""
    figure.layout.margin.t += LETTERS_PX
    figure.add_annotation(
        text=f'<b style="color:{a}">A</b>{letter_b}',
        xref="paper", yref="paper", x=0, y=1.0, xshift=-LEFT_PX + 8, yshift=LETTERS_PX - 2,
        xanchor="left", yanchor="bottom", showarrow=False, font={"size": TITLE_PX},
    )  # fmt: skip


def _told_to_player(figure: go.Figure, course: bool = False) -> go.Figure:
    """The figure with what the player is to know of it, in `layout.meta`.

    Whether the x-axis counts training steps, and each size in pixels by its path, which the player
    makes larger where the page's words are. It takes them from here, not from the layout as it
    stands: Streamlit's chart puts parts of earlier layouts back.
    """
    figure.layout.meta = {"course": course, "sizes": dict(_sizes(figure.layout))}
    return figure


def _sizes(layout: go.Layout) -> Iterator[tuple[str, float]]:
    yield "font.size", layout.font.size
    yield "hoverlabel.font.size", layout.hoverlabel.font.size
    for side in "lrtb":
        yield f"margin.{side}", layout.margin[side]
    for axis in ("xaxis", "yaxis", "yaxis2"):
        yield f"{axis}.ticklabelstandoff", layout[axis].ticklabelstandoff
    for k, note in enumerate(layout.annotations):
        yield f"annotations[{k}].font.size", note.font.size or layout.font.size
        for shift in ("xshift", "yshift"):
            yield f"annotations[{k}].{shift}", note[shift] or 0
