"""Where things stand in a picture of any size: squares as large as they can be, text around them.

All in pixels, from the lower left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from resviz.exports.sheet import Line
from resviz.exports.wrapping import Measure, shrunk, wrapped

# In 720ths of the height of a picture that is 16 wide and 9 high.
MARGIN, GUTTER, TITLE, CLOCK, LEGEND = 16, 20, 36, 34, 28
TITLE_LETTERS, CLOCK_LETTERS, LEGEND_LETTERS = 23, 19, 17
LEADING = 1.34  # heights of a line's letters
SMALLEST = 0.55  # of their usual size, however small the picture
LARGER = (1.45, 1.3, 1.15, 1.0)  # what letters may grow by where there is room to spare
SMALLER = (1.0, 0.85, 0.7)  # what they may shrink by where there is little
ENOUGH = 0.6  # of the side that panels would have without any text below them
LEAST = 8  # pixels: smaller letters than these no line is given, but broken once more


@dataclass(frozen=True)
class Words:
    """A line of text that has found its place."""

    text: str
    x: float  # its middle
    y: float  # its base
    size: int
    line: Line


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    text: str
    colour: str  # of the dot before it; empty where there is none
    x: float  # its left end: the dot's, or the text's
    y: float  # the middle of its row


@dataclass(frozen=True)
class Layout:
    """The places of a picture."""

    unit: float
    letters: float  # what letters have grown by
    squares: tuple[tuple[int, int], ...]  # left and lower edge of each panel
    side: int
    titles: int  # the size of the panels' titles
    clock: float  # the middle of the row that shows t
    legend: int  # the size of its letters
    keys: tuple[Key, ...]
    words: tuple[Words, ...]

    @property
    def span(self) -> tuple[float, float]:
        """From the left edge of the first panel to the right edge of the last."""
        return min(x for x, _ in self.squares), max(x for x, _ in self.squares) + self.side


def layout(
    titles: Sequence[str],
    lines: Sequence[Line],
    size: tuple[int, int],
    legend: Sequence[tuple[str, str]],
    measure: Measure,
) -> Layout:
    """Places for a panel under each of `titles`, the `legend` of (text, colour), and the `lines`.

    `measure` tells how wide a text is. Where there is little room letters shrink; then the quiet
    lines are left out, and then all but those that are chief and those that warn.
    """
    unit = (size[0] * size[1] / (1280 * 720)) ** 0.5
    placed = partial(_placed, titles, size=size, legend=legend, measure=measure, unit=unit)
    tried = [placed(lines=lines, larger=larger) for larger in LARGER]
    # Letters may take room that squares cannot use, and no other.
    best = next(one for one in tried if one.side >= tried[-1].side)
    wanted = ENOUGH * placed(lines=(), larger=1.0).side
    if best.side >= wanted:
        return best
    loud = [line for line in lines if not line.quiet]
    chief = [line for line in loud if line.chief or line.warns]
    tried = [placed(lines=some, larger=k) for some in (lines, loud, chief) for k in SMALLER]
    return next((one for one in tried if one.side >= wanted), max(tried, key=lambda one: one.side))


def _placed(
    titles: Sequence[str],
    lines: Sequence[Line],
    size: tuple[int, int],
    legend: Sequence[tuple[str, str]],
    measure: Measure,
    unit: float,
    larger: float,
) -> Layout:
    width, height = size
    count, grown = len(titles), larger * max(SMALLEST, unit)
    margin, gutter, title = MARGIN * unit, GUTTER * unit, TITLE * grown
    broken = [part for line in lines for part in _broken(line, grown, width - 2 * margin, measure)]
    letters = max(int(LEGEND_LETTERS * grown), LEAST)
    rows = _rows(legend, letters, width - 2 * margin, measure)
    keys_high = LEGEND / LEGEND_LETTERS * letters
    text = sum(LEADING * letters for _, letters, _ in broken)
    below = CLOCK * grown + keys_high * len(rows) + text + 0.5 * margin
    room = height - below - margin
    sides = {
        columns: min(
            (width - 2 * margin - (columns - 1) * gutter) / columns,
            room / (count // columns) - title,
        )
        for columns in {count, 1}
    }
    columns = max(sides, key=sides.get)
    stacked, side = count // columns, int(max(sides[columns], 1))
    spare = max(0.0, room - stacked * (side + title))
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
    keys = []
    for row, wide in rows:
        keys += [Key(*entry, x + (width - wide) / 2, y - 0.5 * keys_high) for entry, x in row]
        y -= keys_high
    words = []
    for part, high, line in broken:
        y -= LEADING * high
        words.append(Words(part, width / 2, y + 0.3 * high, high, line))
    widest = TITLE_LETTERS * grown
    heading = min(shrunk(text, widest, side, measure, bold=True) for text in titles)
    return Layout(unit, grown, squares, side, heading, clock, letters, tuple(keys), tuple(words))


def _broken(line: Line, unit: float, width: float, measure: Measure) -> list[tuple[str, int, Line]]:
    """The line in as many as it takes, each with the size of its letters."""
    usual = max(1, int(line.size * unit))
    least = min(usual, max(LEAST, int(0.6 * usual)))
    fits = min(shrunk(part, usual, width, measure, line.chief) for part in line.parts)
    letters = max(least, fits)
    found: list[str] = []
    joint = " · " if not line.parts[0].endswith(".") else " "
    for part in line.parts:
        longer = f"{found[-1]}{joint}{part}" if found else part
        if found and measure(longer, letters, line.chief) <= width:
            found[-1] = longer
        else:
            found += wrapped(part, letters, width, measure, line.chief)
    return [(text, letters, line) for text in found]


def _rows(
    legend: Sequence[tuple[str, str]], letters: int, width: float, measure: Measure
) -> list[tuple[list[tuple[tuple[str, str], float]], float]]:
    """The legend's entries, each with how far it stands from its row's left end, and the row's
    width.
    """
    gap, rows = 0.9 * letters, []
    for text, colour in legend:
        wide = measure(text, letters, False) + dot_room(letters, colour)
        if not rows or rows[-1][1] + gap + wide > width:
            rows.append(([((text, colour), 0.0)], wide))
        else:
            row, taken = rows[-1]
            rows[-1] = ([*row, ((text, colour), taken + gap)], taken + gap + wide)
    return rows


def dot_room(letters: int, colour: str) -> float:
    """What the dot before a legend's text takes of its row."""
    return 1.05 * letters if colour else 0.0
