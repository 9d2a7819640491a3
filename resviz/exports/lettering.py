"""All text of a picture, in the font that Matplotlib brings along; one point is one pixel."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text

from resviz.exports.grounds import Ground
from resviz.exports.layout import Layout, Words
from resviz.figures.theme import KEPT, PRESENT

FONT = "DejaVu Sans"
TITLE, CLOCK, LEGEND, SMALL = 23, 19, 17, 16  # sizes of letters, in 720ths of a height


def font(size: float, bold: bool = False) -> FontProperties:
    """Letters of `size` pixels."""
    return FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")


def measure(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is, in pixels."""
    ruler = RendererAgg(1, 1, 72)
    return ruler.get_text_width_height_descent(text, font(size, bold), ismath=False)[0]


def write(
    figure: Figure, text: str, x: float, y: float, letters: FontProperties, colour: str, ha: str
) -> Text:
    """A text whose base is at (x, y), in pixels from the lower left corner."""
    across, up = figure.get_size_inches() * 72
    return figure.text(
        x / across, y / up, text, ha=ha, va="baseline", color=colour, fontproperties=letters,
        parse_math=False,
    )  # fmt: skip


def write_title(figure: Figure, text: str, k: int, places: Layout, ground: Ground) -> None:
    """The title over panel `k`."""
    left, bottom = places.squares[k]
    size = TITLE * places.letters
    x, y = left + places.side / 2, bottom + places.side + 0.36 * size
    write(figure, text, x, y, font(size, True), ground.ink, "center")


def write_line(figure: Figure, words: Words, ground: Ground) -> None:
    """One of the lines under the panels."""
    own = {"A": KEPT, "B": PRESENT, "": ground.quiet if words.line.quiet else ground.ink}
    letters = font(words.size, words.line.chief)
    write(figure, words.text, words.x, words.y, letters, own[words.line.run], "center")


def write_legend(
    figure: Figure, legend: Sequence[tuple[str, str]], places: Layout, ground: Ground
) -> None:
    """What colours are of, and a dot and a name for each: (text, colour), the first without."""
    size = LEGEND * places.letters
    gap = 0.9 * size
    pieces = [
        piece
        for name, colour in legend
        for piece in ([("●", colour, 0.35 * size)] if colour else []) + [(name, ground.ink, gap)]
    ]
    widths = [measure(text, size) + after for text, _, after in pieces]
    x = (figure.get_size_inches()[0] * 72 - sum(widths) + gap) / 2
    for (text, colour, _), width in zip(pieces, widths, strict=True):
        write(figure, text, x, places.legend - 0.36 * size, font(size), colour, "left")
        x += width


def draw_clock(
    figure: Figure, widest: str, places: Layout, ground: Ground
) -> tuple[Text, Line2D, tuple[float, float]]:
    """A text for t, and beside it a line that is as long as the way is far gone.

    `widest` is the longest text that will stand there. Returns both, and where the line's two
    ends may be, in shares of the figure's width.
    """
    across, up = figure.get_size_inches() * 72
    left = min(x for x, _ in places.squares)
    right = max(x for x, _ in places.squares) + places.side
    letters = font(min(CLOCK * places.letters, 0.9 * places.side / len(widest) / 0.6), True)
    size = letters.get_size()
    text = write(figure, "", left, places.clock - 0.36 * size, letters, ground.ink, "left")
    start = left + measure(widest, size, True) + size
    y = places.clock / up
    reach = start / across, max(start + 1, right) / across
    for colour, alpha in ((ground.quiet, 0.35), (ground.ink, 1.0)):
        hand = Line2D(
            reach, (y, y), color=colour, alpha=alpha, linewidth=0.3 * size,
            solid_capstyle="butt", transform=figure.transFigure,
        )  # fmt: skip
        figure.add_artist(hand)
    return text, hand, reach


def write_corner(
    axes: Axes, text: str, places: Layout, colour: str, ground: Ground, outside: bool
) -> Text:
    """Small print on a patch of the page's colour: in a panel's upper left, or its lower right."""
    inset = 8 * places.unit / places.side
    x, y = (1 - inset, inset) if outside else (inset, 1 - inset)
    return axes.text(
        x, y, text, ha="right" if outside else "left", va="bottom" if outside else "top",
        transform=axes.transAxes, color=colour, zorder=5, parse_math=False,
        fontproperties=font(SMALL * places.unit, True),
        bbox={"facecolor": ground.page, "alpha": 0.85, "edgecolor": "none", "pad": 2},
    )  # fmt: skip
