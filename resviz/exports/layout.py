"""Where things stand in a picture of any size: squares as large as they can be, text around them.

All in pixels, from the lower left corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resviz.exports.sheet import Line

# In 720ths of the height of a picture that is 16 wide and 9 high.
MARGIN, GUTTER, TITLE, CLOCK, LEGEND = 16, 20, 36, 34, 28
LEADING = 1.34  # heights of a line's letters
SMALLEST = 0.55  # of their usual size, however small the picture: what is quiet, goes first
LARGER = (1.45, 1.3, 1.15, 1.0)  # what letters may grow by where there is room to spare

Measure = Callable[[str, float, bool], float]  # text, size, bold -> its width


@dataclass(frozen=True)
class Words:
    """A line of text that has found its place."""

    text: str
    x: float  # its middle
    y: float  # its base
    size: float
    line: Line


@dataclass(frozen=True)
class Layout:
    """The places of a picture."""

    unit: float
    letters: float  # what letters have grown by
    squares: tuple[tuple[int, int], ...]  # left and lower edge of each panel
    side: int
    clock: float  # the middle of the row that shows t
    legend: float  # the middle of the legend's row
    words: tuple[Words, ...]


def layout(
    count: int, lines: Sequence[Line], size: tuple[int, int], legend: bool, measure: Measure
) -> Layout:
    """Places for `count` panels and the `lines` below them; `measure` tells how wide a text is."""
    width, height = size
    unit = (width * height / (1280 * 720)) ** 0.5
    tried = [_placed(count, lines, size, legend, measure, unit, larger) for larger in LARGER]
    # Letters may take room that squares cannot use, and no other.
    return next(one for one in tried if one.side >= tried[-1].side)


def _placed(
    count: int,
    lines: Sequence[Line],
    size: tuple[int, int],
    legend: bool,
    measure: Measure,
    unit: float,
    larger: float,
) -> Layout:
    width, height = size
    grown = max(SMALLEST, unit * larger)
    if unit < SMALLEST:
        lines = [line for line in lines if not line.quiet]
    margin, gutter, title = MARGIN * unit, GUTTER * unit, TITLE * grown
    broken = [part for line in lines for part in _broken(line, grown, width - 2 * margin, measure)]
    text = sum(LEADING * letters for _, letters, _ in broken)
    below = (CLOCK + LEGEND * legend) * grown + text + 0.5 * margin
    room = height - below - margin
    sides = {
        columns: min(
            (width - 2 * margin - (columns - 1) * gutter) / columns,
            room / (count // columns) - title,
        )
        for columns in {count, 1}
    }
    columns = max(sides, key=sides.get)
    rows, side = count // columns, int(max(sides[columns], 1))
    spare = max(0.0, room - rows * (side + title))
    left = (width - columns * side - (columns - 1) * gutter) / 2
    top = height - 0.5 * margin - spare / 3
    squares = tuple(
        (
            round(left + (k % columns) * (side + gutter)),
            round(top - (k // columns + 1) * (side + title)),
        )
        for k in range(count)
    )
    y = min(bottom for _, bottom in squares) - spare / 6
    clock, y = y - 0.55 * CLOCK * grown, y - CLOCK * grown
    key, y = y - 0.5 * LEGEND * grown, y - LEGEND * grown * legend
    words = []
    for part, letters, line in broken:
        y -= LEADING * letters
        words.append(Words(part, width / 2, y + 0.3 * letters, letters, line))
    return Layout(unit, grown, squares, side, clock, key, tuple(words))


def _broken(
    line: Line, unit: float, width: float, measure: Measure
) -> list[tuple[str, float, Line]]:
    """The line in as many as it takes, each with the size of its letters."""
    letters, found = line.size * unit, []
    joint = " · " if not line.parts[0].endswith(".") else " "
    for part in line.parts:
        longer = f"{found[-1]}{joint}{part}" if found else part
        if found and measure(longer, letters, line.chief) <= width:
            found[-1] = longer
        else:
            found.append(part)
    widest = max(measure(text, letters, line.chief) for text in found)
    letters *= min(1.0, width / widest)
    return [(text, letters, line) for text in found]
