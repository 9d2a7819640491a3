"""Where particles are at any t: straight between the layers of a path (L+1, n, 2)."""

from __future__ import annotations

import math

import numpy as np

NEAR = 1e-6  # of a layer: a time this close to it is there


def layer_at(t: float, depth: int) -> int:
    """The layer that is reached at time t in [0, 1] of `depth` layers."""
    return min(depth, math.floor(t * depth + NEAR))


def at(path: np.ndarray, t: float) -> np.ndarray:
    """The particles at time t: (L+1, n, 2) -> (n, 2)."""
    depth = len(path) - 1
    before = min(layer_at(t, depth), depth - 1)
    part = t * depth - before
    return (1 - part) * path[before] + part * path[before + 1]


def walked(path: np.ndarray, since: float, until: float) -> np.ndarray:
    """Each particle's track between two times, with the layers between: (n, k, 2)."""
    depth = len(path) - 1
    first = math.floor(since * depth + NEAR) + 1
    last = math.ceil(until * depth - NEAR) - 1
    knots = path[first : last + 1]
    return np.concatenate([at(path, since)[None], knots, at(path, until)[None]]).swapaxes(0, 1)
