"""One palette, one window and one type size for every picture."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

# Every distribution lies inside (distributions.WINDOW), and so do a tidy network's tracks.
WINDOW = 2.2

# Okabe & Ito's palette, which the common colour-vision deficiencies leave apart, in an
# order in which neighbours on the colour wheel stand side by side. One for each sector
# of start positions.
SECTORS = ("#D55E00", "#E69F00", "#009E73", "#56B4E9", "#0072B2", "#CC79A7")
TARGET = "#8A8F98"
INK, INK_ON_DARK = "#31333F", "#FAFAFA"  # text, on the page's light ground and on its dark one
# Run A, where two runs share a chart, and run B, or the only one: also as text on their ground.
KEPT, KEPT_ON_DARK = "#6A5F9C", "#B3A9E0"
PRESENT, PRESENT_ON_DARK = "#C2410C", "#FF8A5B"
QUIET = "rgba(128,132,149,0.35)"
PAGE, PAGE_ON_DARK = "#FFFFFF", "#0E1117"  # the grounds themselves
WARNING, WARNING_ON_DARK = "#B3261E", "#FF9C93"  # of what is wrong, as text on them

FONT = "Source Sans, Source Sans Pro, Liberation Sans, Arial, sans-serif"
TEXT_PX, TITLE_PX = 14, 20


def sectors(start: np.ndarray) -> np.ndarray:
    """The colour of each particle, int (n,) in 0 … 5, from its start position (n, 2).

    The direction from the cloud's middle, in six sectors that begin at the positive
    x-axis; the same particle has the same colour in every panel and run.
    """
    offset = start - start.mean(axis=0)
    turn = np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi)
    return np.floor((turn % 1.0) * len(SECTORS)).astype(int) % len(SECTORS)


def ink(dark: bool) -> str:
    """The colour of text."""
    return INK_ON_DARK if dark else INK


def run_colours(dark: bool) -> tuple[str, str]:
    """The colours of runs A and B."""
    return (KEPT_ON_DARK, PRESENT_ON_DARK) if dark else (KEPT, PRESENT)


def bare_layout(dark: bool = False, **more: object) -> go.Layout:
    """The layout that every figure starts from: no background, one font."""
    return go.Layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": TEXT_PX, "color": ink(dark)},
        **more,
    )
