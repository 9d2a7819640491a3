"""The stage: particles walking side by side, as a Plotly figure with native frames.

The figure is whole by itself: base traces hold the target cloud and the tracks, one
frame for each moment holds the particles, and a slider and a play button move them,
wherever Plotly runs. player.js, where it runs, reads the same frames and paints them
at the display's rate. What it needs beside them stands in `meta`:

    layout.meta  {"id", "times", "panels": [{"name", "title", "depth"}, …]}
    trace.meta   {"role": "target" | "track" | "particles", "panel": index}
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from resviz.figures.theme import QUIET, SECTORS, TARGET, TITLE_PX, WINDOW, bare_layout, sectors
from resviz.records import Run

BAR_PX = 52  # the strip under the panels: Plotly's slider, or the player's own
HEAD_PX = 34
GUTTER = 0.02
TARGET_DASH = 0.035  # data units


@dataclass(frozen=True)
class Panel:
    """One way of one cloud, under one title."""

    name: str  # what a live feed calls it: "network", "geodesic", "kept", "kept_geodesic"
    title: str
    path: np.ndarray  # (L+1, n, 2)
    target: np.ndarray | None = None  # (k, 2), drawn faintly behind

    @property
    def times(self) -> np.ndarray:
        return np.arange(len(self.path)) / (len(self.path) - 1)


def two_panels(run: Run, kept: bool = False) -> tuple[Panel, ...]:
    """A run's network beside the cheapest way to the same end."""
    prefix, letter = ("kept_", " A") if kept else ("", "")
    return (
        Panel(f"{prefix}network", f"ResNet{letter}", run.tracks, run.target),
        Panel(f"{prefix}geodesic", f"Cheapest way{letter}", run.geodesic, run.target),
    )


def three_panels(kept: Run, run: Run) -> tuple[Panel, ...]:
    """The kept run A, the present run B, and the cheapest way to B's end."""
    return (
        Panel("kept_network", "A: ResNet", kept.tracks, kept.target),
        Panel("network", "B: ResNet", run.tracks, run.target),
        Panel("geodesic", "B: cheapest way", run.geodesic, run.target),
    )


def stage(panels: Sequence[Panel], identity: str) -> go.Figure:
    """The animated figure of `panels`, which share one clock t in [0, 1].

    `identity` names the picture for the player. Panels of different depth are shown
    at every layer of each; between its layers a residual network moves in straight
    lines, so what is filled in is the path itself.
    """
    times = np.unique(np.concatenate([panel.times for panel in panels]))
    paths = [_at(panel, times) for panel in panels]
    colours = [sectors(panel.path[0]) for panel in panels]
    traces: list[go.Scatter] = []
    moving: list[tuple[int, int]] = []
    for index, (panel, path, colour) in enumerate(zip(panels, paths, colours, strict=True)):
        if panel.target is not None:
            traces.append(_target(panel.target, index))
        traces.extend(_tracks(path[:, colour == c], c, index) for c in np.unique(colour))
    first_moving = len(traces)
    for index, colour in enumerate(colours):
        for c in np.unique(colour):
            traces.append(_particles(c, index))
            moving.append((index, c))
    frames = [
        {
            "name": f"{t:.4f}",
            "traces": list(range(first_moving, len(traces))),
            "data": [
                _markers(paths[index][moment, colours[index] == c], c, index) for index, c in moving
            ],
        }
        for moment, t in enumerate(times)
    ]
    return go.Figure(data=traces, frames=frames, layout=_layout(panels, times, identity))


def _at(panel: Panel, times: np.ndarray) -> np.ndarray:
    """The panel's path at `times`, straight between its layers: float32 (len(times), n, 2)."""
    place = times * (len(panel.path) - 1)
    before = np.minimum(np.floor(place + 1e-9).astype(int), len(panel.path) - 2)
    part = (place - before)[:, None, None]
    way = (1 - part) * panel.path[before] + part * panel.path[before + 1]
    return way.astype(np.float32)


def _axis_names(panel: int) -> dict[str, str]:
    number = "" if panel == 0 else str(panel + 1)
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _target(points: np.ndarray, panel: int) -> go.Scatter:
    # Short dashes on one path: hundreds of markers, a node each, would hold up the first paint.
    half = np.array([TARGET_DASH / 2, 0.0])
    dashes = np.stack([points - half, points + half, np.full_like(points, np.nan)], axis=1)
    return _line(dashes.reshape(-1, 2), panel, "target", {"color": TARGET, "width": 4}, 0.35)


def _tracks(path: np.ndarray, colour: int, panel: int) -> go.Scatter:
    """All tracks of one colour as one line, broken by NaN between particles."""
    broken = np.concatenate([path, np.full((1, *path.shape[1:]), np.nan, np.float32)])
    line = broken.transpose(1, 0, 2).reshape(-1, 2)
    return _line(line, panel, "track", {"color": SECTORS[colour], "width": 1}, 0.22)


def _line(
    points: np.ndarray, panel: int, role: str, line: dict[str, object], opacity: float
) -> go.Scatter:
    return go.Scatter(
        x=_encoded(points[:, 0]),
        y=_encoded(points[:, 1]),
        mode="lines",
        line=line | {"simplify": False},
        opacity=opacity,
        hoverinfo="skip",
        meta={"role": role, "panel": panel},
        **_axis_names(panel),
    )


def _encoded(values: np.ndarray) -> dict[str, str]:
    """Plotly's own form of a typed array, made once and not again for each visitor."""
    return {"dtype": "f4", "bdata": b64encode(values.astype("<f4").tobytes()).decode()}


def _particles(colour: int, panel: int) -> go.Scatter:
    # Empty until a frame fills it: markers in the base traces would be drawn twice over
    # at every mount, once here and once by the first frame.
    return go.Scatter(
        x=[],
        y=[],
        mode="none",
        marker={"color": SECTORS[colour], "size": 7},
        hoverinfo="skip",
        meta={"role": "particles", "panel": panel},
        **_axis_names(panel),
    )


def _markers(points: np.ndarray, colour: int, panel: int) -> dict[str, object]:
    # A dict: hundreds of go.Scatter would take longer to make than the rest of the page.
    return {
        "type": "scatter",
        "x": _encoded(points[:, 0]),
        "y": _encoded(points[:, 1]),
        "mode": "markers",
        "marker": {"color": SECTORS[colour], "size": 7},
        **_axis_names(panel),
    }


def _layout(panels: Sequence[Panel], times: np.ndarray, identity: str) -> go.Layout:
    play = {"frame": {"duration": 250, "redraw": False}, "transition": {"duration": 0}}
    pause = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    titles = [
        {
            "text": f"<b>{panel.title}</b>",
            **{f"{axis[0]}ref": f"{name} domain" for axis, name in _axis_names(index).items()},
            "x": 0.5,
            "y": 1,
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": TITLE_PX},
        }
        for index, panel in enumerate(panels)
    ]
    steps = [
        {"method": "animate", "label": f"{t:.2f}", "args": [[f"{t:.4f}"], pause]} for t in times
    ]
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play | {"fromcurrent": True}]},
        {"label": "Pause", "method": "animate", "args": [[None], pause]},
    ]
    return bare_layout(
        **_axes(len(panels)),
        showlegend=False,
        height=460,
        margin={"l": 4, "r": 4, "t": HEAD_PX, "b": BAR_PX, "pad": 0},
        annotations=titles,
        dragmode="zoom",
        sliders=[
            {
                "steps": steps,
                "x": 0.2,
                "len": 0.8,
                "y": 0,
                "pad": {"t": 2},
                "ticklen": 0,
                "currentvalue": {"visible": False},
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "buttons": buttons,
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yanchor": "top",
                "pad": {"t": 10},
                "showactive": False,
            }
        ],
        meta={
            "id": identity,
            "times": times.tolist(),
            "panels": [
                {"name": panel.name, "title": panel.title, "depth": len(panel.path) - 1}
                for panel in panels
            ],
        },
    )


def _axes(count: int) -> dict[str, dict[str, object]]:
    """Square panels of one scale in a row; zooming one zooms all."""
    width = (1 - GUTTER * (count - 1)) / count
    shared = {
        "range": [-WINDOW, WINDOW],
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        "ticks": "",
        "showline": True,
        "mirror": True,
        "linecolor": QUIET,
        "constrain": "domain",
    }
    axes: dict[str, dict[str, object]] = {}
    for panel in range(count):
        number = "" if panel == 0 else str(panel + 1)
        left = panel * (width + GUTTER)
        x, y = {"domain": [left, left + width], "anchor": f"y{number}"}, {"anchor": f"x{number}"}
        y["constraintoward"] = "top"  # blank space, if any, lies below
        if panel:
            x, y = x | {"matches": "x"}, y | {"matches": "y"}
        else:
            y = y | {"scaleanchor": "x"}
        axes |= {f"xaxis{number}": shared | x, f"yaxis{number}": shared | y}
    return axes
