"""The colours of a picture that are not its particles': on a light ground and on a dark one."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.colors import to_rgb

from resviz.figures.theme import (
    INK,
    INK_ON_DARK,
    PAGE,
    PAGE_ON_DARK,
    WARNING,
    WARNING_ON_DARK,
    run_colours,
)

SEEN = 3.0  # the least contrast of a mark with the page, as WCAG 2.2 asks (1.4.11)


@dataclass(frozen=True)
class Ground:
    """A page's own colour, and what is seen on it."""

    page: str
    ink: str
    quiet: str
    warning: str
    runs: tuple[str, str]  # A and B
    rim: tuple[float, float, float, float]  # around each dot
    outline: str  # around a dot whose own colour is hardly seen here
    future: float  # how strongly a track is drawn that is still to be walked, 0 … 1
    past: float
    target: float

    def of_run(self, name: str, otherwise: str) -> str:
        """The colour of "A" or "B"; `otherwise` of what is of neither."""
        return {"A": self.runs[0], "B": self.runs[1], "": otherwise}[name]

    def rim_of(self, colour: str) -> str | tuple[float, float, float, float]:
        """What bounds a dot of this colour, so that it is seen on the page."""
        return self.rim if contrast(colour, self.page) >= SEEN else self.outline


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio of relative luminances, 1 … 21."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


LIGHT = Ground(
    PAGE, INK, "#6B6F7B", WARNING, run_colours(False), (1, 1, 1, 0.85), "#767B86",
    0.14, 0.55, 0.34,
)  # fmt: skip
DARK = Ground(
    PAGE_ON_DARK, INK_ON_DARK, "#A3A8B4", WARNING_ON_DARK, run_colours(True),
    (0.08, 0.09, 0.11, 0.85), "#C9CDD6", 0.2, 0.7, 0.36,
)  # fmt: skip
