"""The colours of a picture that are not its particles': on a light ground and on a dark one."""

from __future__ import annotations

from dataclasses import dataclass

from resviz.figures.theme import INK, INK_ON_DARK


@dataclass(frozen=True)
class Ground:
    """A page's own colour, and what is seen on it."""

    page: str
    ink: str
    quiet: str
    warning: str
    rim: tuple[float, float, float, float]  # around each dot
    future: float  # how strongly a track is drawn that is still to be walked, 0 … 1
    past: float
    target: float


LIGHT = Ground("#FFFFFF", INK, "#6B6F7B", "#B3261E", (1, 1, 1, 0.85), 0.14, 0.55, 0.34)
DARK = Ground(
    "#0E1117", INK_ON_DARK, "#A3A8B4", "#FF9C93", (0.08, 0.09, 0.11, 0.85), 0.2, 0.7, 0.36
)
