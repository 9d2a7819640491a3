"""The clouds: name → sampler(n, generator) → points (n, 2) and labels (n,) or None.

All share one scale: they lie inside the window [−2.2, 2.2]² but for a few points
in a hundred thousand, so that pictures of different runs compare. Names and descriptions
are `spec.DISTRIBUTIONS`; a test holds the two registries together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.random import Generator
from sklearn.datasets import make_circles, make_moons

Sample = tuple[np.ndarray, np.ndarray | None]


def _gaussian(n: int, generator: Generator) -> Sample:
    return generator.normal(scale=0.5, size=(n, 2)), None


def _clusters(n: int, generator: Generator, centres: np.ndarray, deviation: float) -> Sample:
    labels = generator.integers(len(centres), size=n)
    return centres[labels] + generator.normal(scale=deviation, size=(n, 2)), labels


def _two_blobs(n: int, generator: Generator) -> Sample:
    return _clusters(n, generator, np.array([[-1.2, 0.0], [1.2, 0.0]]), 0.25)


def _eight_gaussians(n: int, generator: Generator) -> Sample:
    angle = np.arange(8) * (np.pi / 4)
    return _clusters(n, generator, 1.5 * np.column_stack([np.cos(angle), np.sin(angle)]), 0.1)


@cache
def _curves(maker: Callable[..., Sample], **options: float) -> Sample:
    """scikit-learn's shape without noise, as 4096 points to draw from.

    Its own samples sit at even spacing, so two of them are closer than two random
    samples could be, and a fit's floor taken from them would be out of reach.
    """
    return maker(4096, shuffle=False, **options)


def _drawn(curves: Sample, n: int, generator: Generator, noise: float) -> Sample:
    points, labels = curves
    chosen = generator.integers(len(points), size=n)
    return points[chosen] + generator.normal(scale=noise, size=(n, 2)), labels[chosen]


def _moons(n: int, generator: Generator) -> Sample:
    points, labels = _drawn(_curves(make_moons), n, generator, 0.05)
    return 1.2 * (points - [0.5, 0.25]), labels


def _circles(n: int, generator: Generator) -> Sample:
    points, labels = _drawn(_curves(make_circles, factor=0.5), n, generator, 0.05 / 1.4)
    return 1.4 * points, labels


def _ring(n: int, generator: Generator) -> Sample:
    angle = generator.uniform(0.0, 2 * np.pi, n)
    points = 1.3 * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + generator.normal(scale=0.08, size=(n, 2)), None


def _checkerboard(n: int, generator: Generator) -> Sample:
    row = generator.integers(4, size=n)
    column = 2 * generator.integers(2, size=n) + row % 2
    corner = np.column_stack([column, row])
    return 0.8 * (corner + generator.uniform(size=(n, 2))) - 1.6, None


def _spiral(n: int, generator: Generator) -> Sample:
    # The square root spreads points evenly along the arm, whose length grows as angle².
    turned = np.sqrt(generator.uniform(0.02, 1.0, n))
    angle = 5 * np.pi * turned
    points = 1.7 * turned[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + generator.normal(scale=0.05, size=(n, 2)), None


SAMPLERS: Mapping[str, Callable[[int, Generator], Sample]] = {
    "gaussian": _gaussian,
    "two_blobs": _two_blobs,
    "moons": _moons,
    "circles": _circles,
    "ring": _ring,
    "eight_gaussians": _eight_gaussians,
    "checkerboard": _checkerboard,
    "spiral": _spiral,
}


def sample(name: str, n: int, generator: Generator) -> Sample:
    """`n` points of the named distribution: float64 (n, 2), and labels int (n,) or None."""
    if name not in SAMPLERS:
        raise ValueError(f"distribution: {name!r} is unknown; known are {', '.join(SAMPLERS)}")
    return SAMPLERS[name](n, generator)
