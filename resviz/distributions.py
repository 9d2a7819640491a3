"""The clouds: name → sampler(n, generator) → points (n, 2) and labels (n,) or None.

All share one scale: they lie inside the window [−2.2, 2.2]² but for a few points
in a hundred thousand, so that pictures of different runs compare. Names and descriptions
are `spec.DISTRIBUTIONS`; a test holds the two registries together. Beside them any short
word is a distribution, `text:WORD`, of the letters in `letters.SCRIPTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from sklearn.datasets import make_circles, make_moons

from resviz.letters import runs_leftwards
from resviz.spec import TEXT, TEXT_DOC, word_of

if TYPE_CHECKING:
    from PIL import ImageFont

WINDOW = 2.2  # half the side of the square that every cloud lies in
Sample = tuple[np.ndarray, np.ndarray | None]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """How a distribution is drawn, with its mean and its standard deviation along x and y."""

    sampler: Callable[[int, Generator], Sample]
    mean: Pair
    deviation: Pair


def _gaussian(n: int, generator: Generator) -> Sample:
    return generator.normal(scale=0.5, size=(n, 2)), None


def _anisotropic_gaussian(n: int, generator: Generator) -> Sample:
    along, across = generator.normal(scale=[0.6, 0.15], size=(n, 2)).T
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    return np.column_stack([along * cos - across * sin, along * sin + across * cos]), None


def _clusters(n: int, generator: Generator, centres: np.ndarray, deviation: float) -> Sample:
    labels = generator.integers(len(centres), size=n)
    return centres[labels] + generator.normal(scale=deviation, size=(n, 2)), labels


def _two_blobs(n: int, generator: Generator) -> Sample:
    return _clusters(n, generator, np.array([[-1.2, 0.0], [1.2, 0.0]]), 0.25)


def _two_blobs_turned(n: int, generator: Generator) -> Sample:
    return _clusters(n, generator, np.array([[0.0, -1.2], [0.0, 1.2]]), 0.25)


def _eight_gaussians(n: int, generator: Generator) -> Sample:
    angle = np.arange(8) * (np.pi / 4)
    return _clusters(n, generator, 1.5 * np.column_stack([np.cos(angle), np.sin(angle)]), 0.1)


def _twenty_five_gaussians(n: int, generator: Generator) -> Sample:
    return _clusters(n, generator, 0.75 * (np.argwhere(np.ones((5, 5))) - 2.0), 0.06)


def _xor(n: int, generator: Generator) -> Sample:
    corners = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    points, corner = _clusters(n, generator, corners, 0.25)
    return points, corner // 2  # 1 where one of the signs is negative and the other is not


def _square(n: int, generator: Generator) -> Sample:
    return generator.uniform(-1.4, 1.4, size=(n, 2)), None


def _unit_disk(n: int, generator: Generator) -> np.ndarray:
    # The square root spreads points evenly over the disk, whose area grows as radius².
    radius = np.sqrt(generator.uniform(size=n))
    angle = generator.uniform(0.0, 2 * np.pi, n)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _disk(n: int, generator: Generator) -> Sample:
    return 1.5 * _unit_disk(n, generator), None


# E√|x| over the unit disk.
_HEART_LIFT = math.gamma(3 / 4) / (math.sqrt(math.pi) * math.gamma(9 / 4))


def _heart(n: int, generator: Generator) -> Sample:
    # x² + (5y/4 − √|x|)² ≤ 1: the unit disk with each column lifted, which leaves areas as
    # they are, then flattened. So it is as evenly filled as the disk.
    x, y = _unit_disk(n, generator).T
    return 1.5 * np.column_stack([x, 0.8 * (y + np.sqrt(np.abs(x)) - _HEART_LIFT)]), None


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


def _two_rings(n: int, generator: Generator) -> Sample:
    labels = generator.integers(2, size=n)
    angle = generator.uniform(0.0, 2 * np.pi, n)
    points = 0.7 * np.column_stack([np.cos(angle), np.sin(angle)])
    points[:, 0] += 2 * labels - 1
    return points + generator.normal(scale=0.05, size=(n, 2)), labels


def _pinwheel(n: int, generator: Generator) -> Sample:
    labels = generator.integers(5, size=n)
    along, across = generator.normal([1.0, 0.0], [0.3, 0.1], size=(n, 2)).T
    angle = labels * (2 * np.pi / 5) + 0.25 * np.exp(along)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([along * cos - across * sin, along * sin + across * cos]), labels


def _checkerboard(n: int, generator: Generator) -> Sample:
    row = generator.integers(4, size=n)
    column = 2 * generator.integers(2, size=n) + row % 2
    corner = np.column_stack([column, row])
    return 0.8 * (corner + generator.uniform(size=(n, 2))) - 1.6, None


def _two_colour_board(n: int, generator: Generator) -> Sample:
    corner = generator.integers(4, size=(n, 2))
    points = 0.8 * (corner + generator.uniform(size=(n, 2))) - 1.6
    return points, corner.sum(axis=1) % 2  # 0 on the dark squares


def _spiral(n: int, generator: Generator) -> Sample:
    # The square root spreads points evenly along the arm, whose length grows as angle².
    turned = np.sqrt(generator.uniform(0.02, 1.0, n))
    angle = 5 * np.pi * turned
    points = 1.7 * turned[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + generator.normal(scale=0.05, size=(n, 2)), None


def _coil(start: float, end: float, n: int, generator: Generator) -> np.ndarray:
    """t (cos t, sin t) for t from `start` to `end`, spread evenly along the arm, as in `_spiral`.

    Where both are odd multiples of π/2, E x² and E y² are (start² + end² ∓ 3) / 4.
    """
    angle = np.sqrt(generator.uniform(start**2, end**2, n))
    return angle[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


_ARM = 1.7 / (3.5 * math.pi)  # the scale of the two arms


def _two_spirals(n: int, generator: Generator) -> Sample:
    # The arms start a quarter turn out, so that the classes do not meet in the middle.
    labels = generator.integers(2, size=n)
    arm = _ARM * _coil(0.5 * np.pi, 3.5 * np.pi, n, generator)
    points = np.where(labels[:, None] == 0, arm, -arm)
    return points + generator.normal(scale=0.05, size=(n, 2)), labels


_ROLL = 1.7 / (4.5 * math.pi)  # the scale of the roll
_ROLL_CENTRE = 2.5 - 4 / (9 * math.pi**2), 4 / (3 * math.pi)  # its mean before scaling


def _swiss_roll(n: int, generator: Generator) -> Sample:
    # scikit-learn's curve, but even along its length: there it is even in angle.
    points = _ROLL * (_coil(1.5 * np.pi, 4.5 * np.pi, n, generator) - _ROLL_CENTRE)
    return points + generator.normal(scale=0.05, size=(n, 2)), None


def _s_curve(n: int, generator: Generator) -> Sample:
    # scikit-learn's curve and its density, which is even along the length: two arcs.
    angle = generator.uniform(-1.5 * np.pi, 1.5 * np.pi, n)
    points = 0.85 * np.column_stack([np.sin(angle), np.sign(angle) * (np.cos(angle) - 1.0)])
    return points + generator.normal(scale=0.05, size=(n, 2)), None


def font_of(letter: str, size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, which has the letters of English; for others the one of matplotlib."""
    from PIL import ImageFont

    if letter.isascii():
        return ImageFont.load_default(size=size)
    # Found without loading matplotlib, which takes longer than everything here.
    fonts = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), size)


@lru_cache(maxsize=16)
def _word_shape(word: str) -> Shape:
    """The ink of a word, evenly filled: a random pixel, and a random place inside it.

    At most 3.6 wide and 1.8 high, and centred as a box; a point's class is its letter, counted
    as the word is read.
    """
    # Pillow takes a moment to load, and only words need it.
    from PIL import Image, ImageDraw

    size = 160  # pixels: enough that no step in a letter's edge can be seen
    order = [*enumerate(word)]  # from left to right
    if runs_leftwards(word):
        order.reverse()
    fonts = [font_of(letter, size) for _, letter in order]
    widths = [font.getlength(letter) for font, (_, letter) in zip(fonts, order, strict=True)]
    # A letter may reach a little outside its own advance, hence a margin all round: above for
    # the accents of capitals.
    starts = np.cumsum([size, *map(round, widths)])
    letter_at = np.full((2 * size, starts[-1] + size), -1)
    for start, font, (index, letter) in zip(starts, fonts, order, strict=False):
        canvas = Image.new("L", letter_at.shape[::-1])
        pen = ImageDraw.Draw(canvas)
        pen.text((start, 1.5 * size), letter, fill=255, font=font, anchor="ls")
        letter_at[np.asarray(canvas) >= 128] = index

    row, column = np.nonzero(letter_at >= 0)
    letters = letter_at[row, column]
    corners = np.column_stack([column - column.min(), row.max() - row])  # rows count downwards
    extent = corners.max(axis=0) + 1
    pixel = min(3.6 / extent[0], 1.8 / extent[1])

    def sampler(n: int, generator: Generator) -> Sample:
        chosen = generator.integers(len(corners), size=n)
        points = pixel * (corners[chosen] + generator.uniform(size=(n, 2)) - extent / 2)
        return points, letters[chosen] if len(word) > 1 else None

    centres = pixel * (corners + 0.5 - extent / 2)
    x, y = np.hypot(centres.std(axis=0), pixel / math.sqrt(12))
    return Shape(sampler, tuple(centres.mean(axis=0).tolist()), (float(x), float(y)))


_ORIGIN = 0.0, 0.0


def _both(deviation: float) -> Pair:
    return deviation, deviation


# A deviation is the root of a sum of squares: those of the parts, of the noise, of the whole.
SHAPES: Mapping[str, Shape] = {
    "gaussian": Shape(_gaussian, _ORIGIN, _both(0.5)),
    "anisotropic_gaussian": Shape(
        _anisotropic_gaussian,
        _ORIGIN,
        (  # R diag(0.6², 0.15²) Rᵀ
            math.hypot(0.6 * math.cos(math.pi / 6), 0.15 * math.sin(math.pi / 6)),
            math.hypot(0.6 * math.sin(math.pi / 6), 0.15 * math.cos(math.pi / 6)),
        ),
    ),
    "two_blobs": Shape(_two_blobs, _ORIGIN, (math.hypot(1.2, 0.25), 0.25)),
    "two_blobs_turned": Shape(_two_blobs_turned, _ORIGIN, (0.25, math.hypot(1.2, 0.25))),
    # side / √12
    "square": Shape(_square, _ORIGIN, _both(2.8 / math.sqrt(12))),
    # radius / 2
    "disk": Shape(_disk, _ORIGIN, _both(0.75)),
    # radius / √2, and the noise; a quarter of the radii's squares where there are two
    "ring": Shape(_ring, _ORIGIN, _both(math.hypot(1.3 / math.sqrt(2), 0.08))),
    "two_rings": Shape(
        _two_rings,
        _ORIGIN,
        (math.hypot(1.0, 0.7 / math.sqrt(2), 0.05), math.hypot(0.7 / math.sqrt(2), 0.05)),
    ),
    # On a half circle E cos² = E sin² = 1/2, E sin = 2/π.
    "moons": Shape(
        _moons,
        _ORIGIN,
        (
            1.2 * math.sqrt(0.75 + 0.05**2),
            1.2 * math.sqrt(0.5 - 1 / math.pi + 0.25**2 + 0.05**2),
        ),
    ),
    "circles": Shape(_circles, _ORIGIN, _both(math.hypot(1.4 / 2, 0.7 / 2, 0.05))),
    "eight_gaussians": Shape(_eight_gaussians, _ORIGIN, _both(math.hypot(1.5 / math.sqrt(2), 0.1))),
    # Five even places 0.75 apart: 0.75 √((5² − 1) / 12).
    "twenty_five_gaussians": Shape(
        _twenty_five_gaussians, _ORIGIN, _both(math.hypot(0.75 * math.sqrt(2), 0.06))
    ),
    # Five blades alike leave no direction: half of E radius².
    "pinwheel": Shape(_pinwheel, _ORIGIN, _both(math.hypot(1.0, 0.3, 0.1) / math.sqrt(2))),
    "spiral": Shape(_spiral, (-0.0278, 0.2143), (0.8648, 0.8273)),  # by quadrature
    "two_spirals": Shape(
        _two_spirals,
        _ORIGIN,
        (  # see `_coil`
            math.hypot(_ARM * math.sqrt(12.5 * math.pi**2 - 3) / 2, 0.05),
            math.hypot(_ARM * math.sqrt(12.5 * math.pi**2 + 3) / 2, 0.05),
        ),
    ),
    # Every row and every column is as full as any other, with or without the light squares.
    "checkerboard": Shape(_checkerboard, _ORIGIN, _both(3.2 / math.sqrt(12))),
    "two_colour_board": Shape(_two_colour_board, _ORIGIN, _both(3.2 / math.sqrt(12))),
    "xor": Shape(_xor, _ORIGIN, _both(math.hypot(1.0, 0.25))),
    # Over three quarter turns E sin² = E cos² = 1/2, E cos = −2 / 3π.
    "s_curve": Shape(
        _s_curve,
        _ORIGIN,
        (
            math.hypot(0.85 / math.sqrt(2), 0.05),
            math.hypot(0.85 * math.sqrt(1.5 + 4 / (3 * math.pi)), 0.05),
        ),
    ),
    "swiss_roll": Shape(
        _swiss_roll,
        _ORIGIN,
        (  # see `_coil`; less the square of the centre
            math.hypot(_ROLL * math.sqrt((22.5 * math.pi**2 - 3) / 4 - _ROLL_CENTRE[0] ** 2), 0.05),
            math.hypot(_ROLL * math.sqrt((22.5 * math.pi**2 + 3) / 4 - _ROLL_CENTRE[1] ** 2), 0.05),
        ),
    ),
    # Over the unit disk E x² = E y² = 1/4, E|x| = 4 / 3π.
    "heart": Shape(
        _heart,
        _ORIGIN,
        (0.75, 1.2 * math.sqrt(0.25 + 4 / (3 * math.pi) - _HEART_LIFT**2)),
    ),
}


def shape_of(name: str) -> Shape:
    """The named distribution, or the word of `text:WORD`."""
    if name in SHAPES:
        return SHAPES[name]
    word = word_of(name)
    if word is None:
        raise ValueError(
            f"distribution: {name!r} is unknown; known are {', '.join(SHAPES)}, "
            f"and {TEXT}WORD, {TEXT_DOC}"
        )
    return _word_shape(word)


_TILT = np.array([[math.sqrt(3), -1.0], [1.0, math.sqrt(3)]]) / 2  # 30°
# The Gaussians' own laws, between which the geodesic has a closed form: mean, covariance.
_LAWS: Mapping[str, tuple[np.ndarray, np.ndarray]] = {
    "gaussian": (np.zeros(2), 0.25 * np.eye(2)),
    "anisotropic_gaussian": (np.zeros(2), _TILT @ np.diag([0.6**2, 0.15**2]) @ _TILT.T),
}


def gaussian_law(name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean (2,) and covariance (2, 2) of the named distribution, or None if it is no Gaussian."""
    return _LAWS.get(name)


def sample(name: str, n: int, generator: Generator) -> Sample:
    """`n` points of the named distribution: float64 (n, 2), and labels int (n,) or None."""
    return shape_of(name).sampler(n, generator)
