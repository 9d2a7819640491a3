"""How much of the plane a picture shows: the clouds' own square, or as much as a run needs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from resviz.figures.theme import WINDOW

ROOM = 1.06  # around the farthest, so that a dot on the edge is whole
SHARE = 0.99  # of a panel's particles: what is beyond them may be an outlier
MOST = 1.5  # times as wide as those need: farther out others are not followed


def holding_window(
    paths: Iterable[np.ndarray], targets: Iterable[np.ndarray] = (), least: float = WINDOW
) -> float:
    """Half the side of the square that holds `paths` (L+1, n, 2) at every moment, and `targets`.

    One for all panels and all moments, since between two layers a picture goes straight. It is
    never smaller than `least`. A particle or two so far away that all others would be small are
    left out: whoever draws says how many.
    """
    reaches = [_reach(path[None] if path.ndim == 2 else path) for path in (*paths, *targets)]
    far = max((reach.max() for reach in reaches if reach.size), default=0.0)
    usual = max(
        (np.quantile(reach, SHARE, method="lower") for reach in reaches if reach.size), default=0.0
    )
    enough = max(least, ROOM * float(usual))
    return enough if ROOM * far > MOST * enough else max(enough, ROOM * float(far))


def _reach(path: np.ndarray) -> np.ndarray:
    """How far out each particle comes along the way, of those that are anywhere: (k,)."""
    reach = np.abs(path.astype(float)).max(axis=(0, 2))
    return reach[np.isfinite(reach)]
