"""All text of a picture, in the font that Matplotlib brings along; one point is one pixel."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text

from resviz.exports.grounds import Ground
from resviz.exports.layout import CLOCK_LETTERS, LEAST, Layout, Words, dot_room
from resviz.exports.wrapping import shrunk, wrapped

FONT = "DejaVu Sans"
SMALL = 16  # letters in a panel's corners, in 720ths of a height
EVEN = 100  # pixels: letters so large are as wide as in a vector form, but for a hundredth
CLOCK_SHARE = 0.75  # of its row that the clock's text may take


def font(size: float, bold: bool = False) -> FontProperties:
    """Letters of `size` pixels."""
    return FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")


@lru_cache(maxsize=4096)
def measure(text: str, size: int, bold: bool = False) -> float:
    """How wide a text is at most, in pixels: drawn in pixels, or in a vector form."""
    even = _drawn_width(text, EVEN, bold) * size / EVEN
    return max(even, _drawn_width(text, size, bold))


@lru_cache(maxsize=4096)
def _drawn_width(text: str, size: int, bold: bool) -> float:
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
    size = places.titles
    x, y = left + places.side / 2, bottom + places.side + 0.36 * size
    write(figure, text, x, y, font(size, True), ground.ink, "center")


def write_line(figure: Figure, words: Words, ground: Ground) -> None:
    """One of the lines under the panels."""
    line = words.line
    rest = ground.warning if line.warns else ground.quiet if line.quiet else ground.ink
    letters, colour = font(words.size, line.chief), ground.of_run(line.run, rest)
    write(figure, words.text, words.x, words.y, letters, colour, "center")


def write_legend(figure: Figure, places: Layout, ground: Ground) -> None:
    """What colours are of, and a dot and a name for each."""
    size = places.legend
    across, up = figure.get_size_inches() * 72
    for key in places.keys:
        x = key.x + dot_room(size, key.colour)
        write(figure, key.text, x, key.y - 0.36 * size, font(size), ground.ink, "left")
        if key.colour:
            dot = Line2D(
                ((key.x + 0.4 * size) / across,), (key.y / up,), marker="o", markersize=0.7 * size,
                markerfacecolor=key.colour, markeredgecolor=ground.rim_of(key.colour),
                markeredgewidth=max(0.6, 0.06 * size), linestyle="none",
                transform=figure.transFigure,
            )  # fmt: skip
            figure.add_artist(dot)


def draw_clock(
    figure: Figure, widest: str, places: Layout, ground: Ground
) -> tuple[Text, Line2D, tuple[float, float]]:
    """A text for t, and beside it a line that is as long as the way is far gone.

    `widest` is the longest text that will stand there. Returns both, and where the line's two
    ends may be, in shares of the figure's width.
    """
    across, up = figure.get_size_inches() * 72
    left, right = places.span
    room = CLOCK_SHARE * (right - left)
    size = shrunk(widest, CLOCK_LETTERS * places.letters, room, measure, bold=True)
    text = write(figure, "", left, places.clock - 0.36 * size, font(size, True), ground.ink, "left")
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
    axes: Axes, text: str, widest: str, places: Layout, ground: Ground, outside: bool
) -> Text:
    """Small print on a patch of the page's colour: in a panel's upper left, or its lower right.

    `widest` is the longest text that will stand there.
    """
    inset = 8 * places.unit / places.side
    x, y = (1 - inset, inset) if outside else (inset, 1 - inset)
    room = (1 - 2 * inset) * places.side - 4
    usual = max(1, int(SMALL * places.unit))
    size = max(min(LEAST, usual), shrunk(widest, usual, room, measure, bold=True))
    return axes.text(
        x, y, "\n".join(wrapped(text, size, room, measure, bold=True)),
        ha="right" if outside else "left", va="bottom" if outside else "top",
        transform=axes.transAxes, color=ground.ink, zorder=5, parse_math=False,
        fontproperties=font(size, True),
        bbox={"facecolor": ground.page, "alpha": 0.85, "edgecolor": "none", "pad": 2},
    )  # fmt: skip
