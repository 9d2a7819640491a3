"""The stage: particles walking side by side, as a Plotly figure with native frames.

The figure is whole by itself: base traces hold the target cloud and the tracks, one
frame for each moment holds the particles, and a slider and a play button move them,
wherever Plotly runs. player.js, where it runs, reads the same frames and paints them
at the display's rate. What it needs beside them stands in `meta`:

    layout.meta  {"id", "times", "half", "ink", "colour", "runs": {name: what told.py says of it},
                  "panels": [{"name", "title", "depth", "note", "of", "way", "regions"?}, …]}
    trace.meta   {"role": "target" | "track" | "particles", "panel": index}
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import plotly.graph_objects as go

from resviz.figures.colours import COLOURINGS, USUAL, Colouring, class_palette
from resviz.figures.theme import QUIET, TARGET, TEXT_PX, TITLE_PX, WINDOW, bare_layout
from resviz.figures.told import Told, colourings_told, typed
from resviz.records import Regions, Run
from resviz.spec import RunSpec

BAR_PX = 90  # the strip under the panels: Plotly's slider, or the player's own two rows
LEGEND_PX = 24  # above it, where the colours have names
HEAD_PX = 34
GUTTER = 0.02
TARGET_DASH = 0.035  # data units
LEAP = 1.5  # of a live window; and how much larger than the clouds' own a finished run's may be
RIM = 1.03  # room for a dot at the edge


@dataclass(frozen=True)
class Panel:
    """One way of one cloud, under one title."""

    name: str  # what a live feed calls it: see `network_panel` and `geodesic_panel`
    title: str
    path: np.ndarray  # (L+1, n, 2)
    colours: Colouring
    target: np.ndarray | None = None  # (k, 2), drawn faintly behind
    note: str = ""  # what must be known to read the picture
    regions: Regions | None = None  # painted behind, by the player alone
    of: str = "present"  # the run whose way it is: "present", "kept" or "twin"
    way: str = "network"  # or "geodesic"

    @property
    def times(self) -> np.ndarray:
        return np.arange(len(self.path)) / (len(self.path) - 1)


NAMES = {"residual": "ResNet", "plain": "Plain network"}
BETWEEN = "between layers: a drawing aid"


def network_name(spec: RunSpec) -> str:
    """What a panel calls the network."""
    return NAMES[spec.network]


def network_note(spec: RunSpec) -> str:
    """What must be known of the network to read its picture."""
    return {"residual": "", "plain": BETWEEN}[spec.network]


def network_panel(run: Run, title: str, of: str = "present", colour_by: str = "") -> Panel:
    """The way of a run's network, named "network", "kept_network" or "twin_network"."""
    return Panel(
        f"{_prefix(of)}network", title, run.tracks, _coloured(run, colour_by), run.target,
        network_note(run.spec), run.regions, of,
    )  # fmt: skip


def geodesic_panel(run: Run, title: str, of: str = "present", colour_by: str = "") -> Panel:
    """The cheapest way to the end of a run's network, named "geodesic" or "kept_geodesic"."""
    colours = _coloured(run, colour_by)
    return Panel(
        f"{_prefix(of)}geodesic", title, run.geodesic, colours, run.target, of=of, way="geodesic"
    )


def _prefix(of: str) -> str:
    return "" if of == "present" else f"{of}_"


def _coloured(run: Run, colour_by: str) -> Colouring:
    return COLOURINGS[colour_by or USUAL[run.spec.task]](run)


def two_panels(run: Run, kept: bool = False, colour_by: str = "") -> tuple[Panel, ...]:
    """A run's network beside the cheapest way to the same end; colours as is usual, or chosen."""
    of, letter = ("kept", " A") if kept else ("present", "")
    return (
        network_panel(run, f"{network_name(run.spec)}{letter}", of, colour_by),
        geodesic_panel(run, f"Cheapest way{letter}", of, colour_by),
    )


def twin_panels(run: Run, twin: Run, kept: bool = False) -> tuple[Panel, ...]:
    """A run, the other kind of network trained with the same settings, and the cheapest way."""
    network, geodesic = two_panels(run, kept)
    return network, network_panel(twin, network_name(twin.spec), "twin"), geodesic


def waiting_panels(run: Run) -> tuple[Panel, ...]:
    """The same while the other network is in training: its particles rest where they start."""
    network, geodesic = two_panels(run)
    title = {"residual": NAMES["plain"], "plain": NAMES["residual"]}[run.spec.network]
    resting = np.repeat(run.tracks[:1], len(run.tracks), axis=0)
    twin = replace(network, name="twin_network", title=title, path=resting, note="", regions=None)
    return network, replace(twin, of="twin"), geodesic


def three_panels(kept: Run, run: Run, colour_by: str = "") -> tuple[Panel, ...]:
    """The kept run A, the present run B, and the cheapest way to B's end."""
    return (
        network_panel(kept, f"A: {network_name(kept.spec)}", "kept", colour_by),
        network_panel(run, f"B: {network_name(run.spec)}", "present", colour_by),
        geodesic_panel(run, "B: cheapest way", "present", colour_by),
    )


def window(panels: Sequence[Panel]) -> float:
    """Half the side of the square that is shown, in data units.

    The clouds' own, or more where free ends need it or a way leads out of it: it holds every
    particle at every layer, unless a few of them are so far away that the rest would be a speck.
    """
    half = max([WINDOW, *(panel.regions.half for panel in panels if panel.regions)])
    farthest = max(float(np.abs(panel.path).max()) for panel in panels)
    return half if farthest > LEAP * half else max(half, RIM * farthest)


def live_window(tracks: np.ndarray, target: np.ndarray | None) -> float:
    """The window of a training under way: where ends are free it grows and shrinks by leaps."""
    if target is not None:
        return WINDOW
    farthest = 1.05 * float(np.quantile(np.abs(tracks).max(axis=(0, 2)), 0.995))
    return WINDOW * LEAP ** math.ceil(math.log(max(1.0, farthest / WINDOW), LEAP))


def stage(
    panels: Sequence[Panel],
    identity: str,
    told: Mapping[str, Told] = MappingProxyType({}),
    dark: bool = False,
    tracks: bool = True,
    half: float | None = None,
) -> go.Figure:
    """The animated figure of `panels`, which share one clock t in [0, 1].

    `identity` names the picture for the player, and `told` is what it knows of each run
    (`told.run_told`). Without `tracks` they are left to the player, which paints its own from the
    frames: where it is sure to come, Plotly need not draw a thousand lines that it then hides.
    `half` is half the side of the square that is shown, `window(panels)` if None.
    Panels of different depth are shown at every layer of each; between its layers a residual
    network moves in straight lines, so what is filled in is the path itself.
    """
    half = window(panels) if half is None else half
    times = np.unique(np.concatenate([panel.times for panel in panels]))
    paths = [_at(panel, times) for panel in panels]
    colours = [panel.colours.index for panel in panels]
    palettes = [panel.colours.palette for panel in panels]
    traces: list[go.Scatter] = []
    moving: list[tuple[int, int]] = []
    for index, (panel, path, colour) in enumerate(zip(panels, paths, colours, strict=True)):
        if panel.target is not None:
            traces.append(_target(panel.target, index))
        lines = np.unique(colour) if tracks else ()
        traces.extend(_tracks(path[:, colour == c], palettes[index][c], index) for c in lines)
    first_moving = len(traces)
    for index, colour in enumerate(colours):
        for c in np.unique(colour):
            traces.append(_particles(palettes[index][c], index))
            moving.append((index, c))
    frames = [
        {
            "name": f"{t:.4f}",
            "traces": list(range(first_moving, len(traces))),
            "data": [
                _markers(paths[index][moment, colours[index] == c], index) for index, c in moving
            ],
        }
        for moment, t in enumerate(times)
    ]
    layout = _layout(panels, times, half, dark)
    layout.meta = _meta(panels, times, half, identity, told) | {"ink": layout.font.color}
    return go.Figure(data=traces, frames=frames, layout=layout)


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


def _tracks(path: np.ndarray, colour: str, panel: int) -> go.Scatter:
    """All tracks of one colour as one line, broken by NaN between particles."""
    broken = np.concatenate([path, np.full((1, *path.shape[1:]), np.nan, np.float32)])
    line = broken.transpose(1, 0, 2).reshape(-1, 2)
    return _line(line, panel, "track", {"color": colour, "width": 1}, 0.22)


def _line(
    points: np.ndarray, panel: int, role: str, line: dict[str, object], opacity: float
) -> go.Scatter:
    return go.Scatter(
        x=typed(points[:, 0], "f4"),
        y=typed(points[:, 1], "f4"),
        mode="lines",
        line=line | {"simplify": False},
        opacity=opacity,
        hoverinfo="skip",
        meta={"role": role, "panel": panel},
        **_axis_names(panel),
    )


def _particles(colour: str, panel: int) -> go.Scatter:
    # Empty until a frame fills it: markers in the base traces would be drawn twice over
    # at every mount, once here and once by the first frame.
    return go.Scatter(
        x=[],
        y=[],
        mode="none",
        marker={"color": colour, "size": 7},
        hoverinfo="skip",
        meta={"role": "particles", "panel": panel},
        **_axis_names(panel),
    )


def _markers(points: np.ndarray, panel: int) -> dict[str, object]:
    # Colour and size are the base trace's: hundreds of markers said again would be a sixth of the
    # figure's memory, which the session of every visitor holds.
    return {
        "type": "scatter",
        "x": typed(points[:, 0], "f4"),
        "y": typed(points[:, 1], "f4"),
        "mode": "markers",
        **_axis_names(panel),
    }


def _layout(panels: Sequence[Panel], times: np.ndarray, half: float, dark: bool) -> go.Layout:
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
    legend = legend_text(panels)
    strip = LEGEND_PX if legend else 0
    notes = [_corner(panel.note, index) for index, panel in enumerate(panels) if panel.note]
    if legend:
        notes.append(_under(legend))
    steps = [
        {"method": "animate", "label": f"{t:.2f}", "args": [[f"{t:.4f}"], pause]} for t in times
    ]
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play | {"fromcurrent": True}]},
        {"label": "Pause", "method": "animate", "args": [[None], pause]},
    ]
    return bare_layout(
        dark=dark,
        **_axes(len(panels), half),
        showlegend=False,
        height=460,
        margin={"l": 4, "r": 4, "t": HEAD_PX, "b": BAR_PX + strip, "pad": 0},
        annotations=titles + notes,
        dragmode="zoom",
        sliders=[
            {
                "steps": steps,
                "x": 0.2,
                "len": 0.8,
                "y": 0,
                "pad": {"t": 2 + strip},
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
                "pad": {"t": 10 + strip},
                "showactive": False,
            }
        ],
    )


def _meta(
    panels: Sequence[Panel],
    times: np.ndarray,
    half: float,
    identity: str,
    told: Mapping[str, Told],
) -> dict[str, object]:
    """What the player needs to know beside the frames."""
    runs = {panel.of: dict(told.get(panel.of, {})) for panel in panels}
    for panel in panels:
        known = runs[panel.of].get("colourings", {})
        runs[panel.of]["colourings"] = {**known, **colourings_told([panel.colours])}
    return {
        "id": identity,
        "times": times.tolist(),
        "half": half,
        "colour": panels[0].colours.name,
        "runs": runs,
        "panels": [
            {
                "name": panel.name,
                "title": panel.title,
                "depth": len(panel.path) - 1,
                "note": panel.note,
                "of": panel.of,
                "way": panel.way,
                "drawn": panel.colours.name,
                **_painted(panel.regions),
            }
            for panel in panels
        ],
    }


def _painted(regions: Regions | None) -> dict[str, object]:
    """Regions as the player reads them, a byte a cell, and a colour a class."""
    if regions is None:
        return {}
    count = int(regions.classes.max()) + 1
    return {
        "regions": {
            "half": regions.half,
            "side": regions.classes.shape[1],
            "cells": b64encode(regions.classes.tobytes()).decode(),
            "colours": class_palette(count),
        }
    }


def _corner(text: str, panel: int) -> dict[str, object]:
    """Small print in a panel's lower left corner."""
    return {
        "text": text,
        **{f"{axis[0]}ref": f"{name} domain" for axis, name in _axis_names(panel).items()},
        "x": 0, "y": 0, "xanchor": "left", "yanchor": "bottom", "align": "left",
        "showarrow": False, "font": {"size": TEXT_PX}, "bgcolor": "rgba(255,255,255,0.7)",
    }  # fmt: skip


def _under(text: str) -> dict[str, object]:
    """A line under all panels, where it covers none."""
    return {
        "text": text, "xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left",
        "yanchor": "top", "align": "left", "showarrow": False, "font": {"size": TEXT_PX},
    }  # fmt: skip


def legend_text(panels: Sequence[Panel]) -> str:
    """What colours are of, and the name of each that occurs in any panel; empty if they have none.

    A name has one colour in all panels that share a stage.
    """
    named: dict[str, tuple[int, str]] = {}
    kinds = [panel.colours.legend for panel in panels if panel.colours.names]
    for colours in (panel.colours for panel in panels if panel.colours.names):
        for c in np.unique(colours.index):
            named.setdefault(colours.names[c], (int(c), colours.palette[c]))
    shown = [
        f'<span style="color:{colour}">●</span> {name}'
        for name, (_, colour) in sorted(named.items(), key=lambda item: item[1])
    ]
    return f"{kinds[0]} {'  '.join(shown)}" if shown else ""


def _axes(count: int, half: float) -> dict[str, dict[str, object]]:
    """Square panels of one scale, [−half, half]², in a row; zooming one zooms all."""
    width = (1 - GUTTER * (count - 1)) / count
    shared = {
        "range": [-half, half],
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
