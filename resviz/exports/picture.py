"""A sheet as a Matplotlib figure: what rests, and what moves with t.

Only Matplotlib's objects are used, no pyplot, and nothing of its global settings is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text

from resviz.exports.grounds import DARK, LIGHT, Ground
from resviz.exports.layout import Layout, layout
from resviz.exports.lettering import (
    draw_clock,
    measure,
    write_corner,
    write_legend,
    write_line,
    write_title,
)
from resviz.exports.paths import at, layer_at, walked
from resviz.exports.sheet import Sheet
from resviz.figures.colours import class_palette
from resviz.figures.stage import Panel
from resviz.figures.theme import TARGET

DOTS_A_SIDE = 112  # radii of a dot in a panel's side, as in the player
SMALLEST_DOT = 2.2  # pixels
TINT = 0.19  # of decision regions


@dataclass(frozen=True)
class Moving:
    """What changes with t in one panel."""

    axes: Axes
    regions: AxesImage | None
    past: tuple[tuple[np.ndarray, PathPatch], ...]  # particles of one colour, and their tracks
    dots: PathCollection
    note: Text  # over the dots, so drawn with them
    outside: Text


@dataclass(frozen=True)
class Picture:
    """A figure, and the parts of it that `place` moves."""

    figure: Figure
    sheet: Sheet
    panels: tuple[Moving, ...]
    clock: Text
    hand: Line2D
    reach: tuple[float, float]  # of the hand, from t = 0 to t = 1

    def moving(self) -> Iterator[Artist]:
        """What `place` changes, but for tracks and regions; from below."""
        for panel in self.panels:
            yield from (panel.dots, panel.note, panel.outside)
        yield from (self.clock, self.hand)

    def tracks(self) -> Iterator[Artist]:
        """The tracks that have been walked."""
        return (patch for panel in self.panels for _, patch in panel.past)


def picture(sheet: Sheet, size: tuple[int, int], dark: bool = False) -> Picture:
    """The sheet, drawn for `size` in pixels, at t = 0."""
    ground = DARK if dark else LIGHT
    width, height = size
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=ground.page)
    FigureCanvasAgg(figure)
    legend = _legend(sheet.panels)
    titles = [panel.title for panel in sheet.panels]
    places = layout(titles, sheet.lines, size, legend, measure)
    panels = tuple(
        _panel(figure, panel, k, places, sheet.half, ground) for k, panel in enumerate(sheet.panels)
    )
    for words in places.words:
        write_line(figure, words, ground)
    if legend:
        write_legend(figure, places, ground)
    made = Picture(figure, sheet, panels, *draw_clock(figure, told(sheet, 1.0), places, ground))
    place(made, 0.0)
    return made


def told(sheet: Sheet, t: float) -> str:
    """*t 0.50, layer 6 of 12*."""
    depths = dict.fromkeys(len(panel.path) - 1 for panel in sheet.panels)
    return f"t {t:.2f}, layer " + " | ".join(f"{layer_at(t, d)} of {d}" for d in depths)


def place(picture: Picture, t: float, since: float = 0.0) -> None:
    """Move everything to time t in [0, 1]; tracks are drawn from `since` on."""
    for panel, moving in zip(picture.sheet.panels, picture.panels, strict=True):
        points = at(panel.path, t)
        moving.dots.set_offsets(points)
        if moving.regions is not None:
            layer = layer_at(t, len(panel.path) - 1)
            moving.regions.set_data(_tints(panel.regions.classes, layer))
        for who, patch in moving.past:
            patch.set_path(_polylines(walked(panel.path[:, who], since, t)))
        count = int((np.abs(points) > moving.axes.get_xlim()[1]).any(axis=1).sum())
        moving.outside.set(text=_outside(count), visible=count > 0)
    picture.clock.set_text(told(picture.sheet, t))
    start, end = picture.reach
    picture.hand.set_xdata((start, start + t * (end - start)))


def _outside(count: int) -> str:
    return f"{'1 point' if count == 1 else f'{count} points'} outside"


def _polylines(ways: np.ndarray) -> Path:
    """Open lines (n, k, 2) as one path."""
    codes = np.full(ways.shape[:2], Path.LINETO, Path.code_type)
    codes[:, 0] = Path.MOVETO
    return Path(ways.reshape(-1, 2), codes.ravel())


def _panel(
    figure: Figure, panel: Panel, k: int, places: Layout, half: float, ground: Ground
) -> Moving:
    """Axes with all that rests in them, and the artists that do not."""
    (left, bottom), side = places.squares[k], places.side
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.set(xticks=[], yticks=[], facecolor=ground.page)
    axes.spines[:].set(color=ground.quiet, alpha=0.6)
    write_title(figure, panel.title, k, places, ground)
    regions = None if panel.regions is None else _regions(axes, panel)
    axes.set(xlim=(-half, half), ylim=(-half, half))
    dot = max(SMALLEST_DOT, side / DOTS_A_SIDE)
    if panel.target is not None:
        _dots(axes, panel.target, 0.7 * dot, TARGET, zorder=1, alpha=ground.target, linewidths=0)
    palette, index = panel.colours.palette, panel.colours.index
    past = []
    for c in np.unique(index):
        who = np.flatnonzero(index == c)
        ways = panel.path[:, who].swapaxes(0, 1)
        future = {"alpha": ground.future, "linewidths": max(0.8, dot / 4), "zorder": 2}
        # A path a track, so that crossings darken; what has been walked is one path a colour.
        axes.add_collection(LineCollection(ways, colors=palette[c], **future), autolim=False)
        patch = PathPatch(
            _polylines(ways[:, :1]), fill=False, edgecolor=palette[c], alpha=ground.past,
            linewidth=max(1.0, dot / 3), capstyle="butt", joinstyle="round", zorder=3,
        )  # fmt: skip
        axes.add_artist(patch)
        past.append((who, patch))
    rims = [ground.rim_of(colour) for colour in palette]
    dots = _dots(
        axes, panel.path[0], dot, [palette[c] for c in index], zorder=4,
        linewidths=max(0.5, 0.12 * dot), edgecolors=[rims[c] for c in index],
    )  # fmt: skip
    note = write_corner(axes, panel.note, panel.note, places, ground, outside=False)
    note.set_visible(bool(panel.note))
    outside = write_corner(axes, "", _outside(len(index)), places, ground, outside=True)
    return Moving(axes, regions, tuple(past), dots, note, outside)


def _dots(
    axes: Axes, points: np.ndarray, radius: float, colour: object, **more: object
) -> PathCollection:
    return axes.scatter(*points.T, s=(2 * radius) ** 2, c=colour, marker="o", **more)


def _regions(axes: Axes, panel: Panel) -> AxesImage:
    """The class of each place as a tint behind all else."""
    half = panel.regions.half
    return axes.imshow(
        _tints(panel.regions.classes, 0), origin="lower", extent=(-half, half, -half, half),
        zorder=0, aspect="auto", interpolation="bilinear",
    )  # fmt: skip


def _tints(classes: np.ndarray, layer: int) -> np.ndarray:
    """The colours at one layer, with their opacity: (side, side, 4)."""
    # A list: a pair would be read as a colour and its opacity.
    palette = to_rgba_array(list(class_palette(int(classes.max()) + 1)), TINT)
    return palette[classes[layer]]


def _legend(panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """What colours are of, without a colour, and the name and the colour of each that occurs."""
    for colours in (panel.colours for panel in panels):
        if colours.names:
            found = [(colours.names[c], colours.palette[c]) for c in np.unique(colours.index)]
            return [(colours.legend, ""), *found]
    return []
