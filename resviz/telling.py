"""What each layer does to the cloud, in a sentence: for a picture in slow motion.

The step Δ = X_{l+1} − X_l falls into parts at right angles to one another, so that their mean
squares add up to E‖Δ‖² (but for THIN): a shift of the mean; what the best linear map A of the
centred cloud does, by least squares; and the rest, which bends the cloud or tears it. By its
polar decomposition A = R P turns by R what P has stretched (Higham, *Functions of Matrices*,
2008, chapter 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LONGEST = 90  # characters of a sentence
STILL = 0.01  # a root mean square step below this, in radii of the first cloud, is none
MATTERS = 0.15  # of the step's mean square, for a part to be named
ALIKE = 0.3  # stretches 1 + u and 1 + v whose u and v differ by less than this share are one
IN_TWO = 0.85  # of the variance lies between two halves: there is a gap that one sees
PARTED = 0.02  # of the variance, by which a layer must change that to be said to part or to join
THIN = 1e-4  # of the variance: a direction with less of it does not tell how A acts there
ROUND_THE_CLOCK = (
    *("right", "up and right", "up", "up and left"),
    *("left", "down and left", "down", "down and right"),
)


@dataclass(frozen=True)
class Move:
    """One layer's step of a cloud, taken apart. Shares are of its mean square E‖Δ‖²."""

    length: float  # E‖Δ‖, in data units
    rms: float  # √E‖Δ‖², in data units
    shift: np.ndarray  # (2,) E Δ, in data units
    angle: float  # of R, in degrees, anticlockwise
    mirrored: bool  # R turns the plane over
    stretches: np.ndarray  # (2,) the factors of P
    axes: np.ndarray  # (2, 2) the directions that they stretch, a row each
    shifted: float  # the shift's share
    turned: float  # the share E‖(R − I) P x‖², x the centred cloud
    stretched: np.ndarray  # (2,) the share E‖(P − I) x‖² along each axis
    bent: float  # the share of the rest
    halves: tuple[float, float]  # shares of the variance between halves: but for the rest, with it


def layer_sentences(tracks: np.ndarray, geodesic: np.ndarray | None = None) -> tuple[str, ...]:
    """A sentence of at most 90 characters for each layer of tracks (L+1, n, 2).

    It ends in the layer's share of the way, E‖Δ_l‖ / Σ_k E‖Δ_k‖. With the `geodesic` (L+1, n, 2)
    of the same ends it ends in the step's length over that of the cheapest way's even steps,
    √E‖Δ_l‖² · L / W2: the mean of their squares over the layers is the action ratio.

    Raises `ValueError` for another shape or numbers that are not finite.
    """
    tracks = _tracks("tracks", tracks)
    depth = len(tracks) - 1
    moves = [layer_move(start, end) for start, end in pairwise(tracks)]
    still = STILL * np.sqrt(np.square(tracks[0] - tracks[0].mean(axis=0)).sum(axis=1).mean())
    least = 0.0
    if geodesic is not None:
        ends = _tracks("geodesic", geodesic)
        least = np.sqrt(np.square(ends[-1] - ends[0]).sum(axis=1).mean()) / depth
    whole = sum(move.length for move in moves)
    return tuple(
        f"Layer {layer} of {depth} hardly moves anything."
        if move.rms <= still
        else _sentence(f"Layer {layer} of {depth}", move, _measure(move, whole, least))
        for layer, move in enumerate(moves, 1)
    )


def layer_move(start: np.ndarray, end: np.ndarray) -> Move:
    """What takes the points `start` (n, 2) to `end` (n, 2), float64, taken apart."""
    step = end - start
    energy = np.square(step).sum(axis=1).mean()
    shift = step.mean(axis=0)
    x, y = start - start.mean(axis=0), end - end.mean(axis=0)
    linear = _linear_map(x, y)
    turn, stretches, axes = _polar(linear)
    pressed = x @ (axes.T * stretches) @ axes  # P x
    rest = y - x @ linear.T
    along = np.square(x @ axes.T).mean(axis=0)
    unit = energy or 1.0
    return Move(
        length=float(np.sqrt(np.square(step).sum(axis=1)).mean()),
        rms=float(np.sqrt(energy)),
        shift=shift,
        angle=float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))),
        mirrored=bool(np.linalg.det(turn) < 0),
        stretches=stretches,
        axes=axes,
        shifted=float(shift @ shift / unit),
        turned=float(np.square(pressed @ turn.T - pressed).sum(axis=1).mean() / unit),
        stretched=np.square(stretches - 1) * along / unit,
        bent=float(np.square(rest).sum(axis=1).mean() / unit),
        halves=_halves(y - rest, y),
    )


def _linear_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A with y ≈ A x by least squares; next to 0 along directions in which x hardly extends."""
    spread = x.T @ x
    floor = THIN * np.trace(spread)
    if floor == 0:
        return np.eye(2)
    return np.linalg.solve(spread + floor * np.eye(2), x.T @ y).T


def _polar(linear: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R (2, 2), the factors (2,) of P and its axes (2, 2), a row each, of A = R P."""
    out, stretches, axes = np.linalg.svd(linear)
    if np.linalg.det(out @ axes) < 0 and stretches[1] < 0.05 * stretches[0]:
        out[:, 1] *= -1  # pressed onto a line, which has no other side: the sign is rounding
    return out @ axes, stretches, axes


def _halves(affine: np.ndarray, end: np.ndarray) -> tuple[float, float]:
    """What lies between two halves of `affine` (n, 2) and of `end`, where they differ most."""
    rest = end - affine
    direction = np.linalg.eigh(rest.T @ rest)[1][:, -1]
    return _between_halves(affine @ direction), _between_halves(end @ direction)


def _between_halves(values: np.ndarray) -> float:
    """The largest share of the variance of centred values (n,) that a cut in two explains.

    2/π for a Gaussian, 3/4 if they are evenly spread, 1 for two points.
    """
    total = np.square(values).sum()
    if len(values) < 2 or total == 0:
        return 0.0
    count = np.arange(1, len(values))
    below = np.cumsum(np.sort(values))[:-1]
    return float((below**2 * len(values) / (count * count[::-1])).max() / total)


def _sentence(layer: str, move: Move, measure: str) -> str:
    """The strongest part of a move, a second one if there is room for it, and the measure."""
    named = sorted(_parts(move), reverse=True)
    first, *others = (phrase for share, phrase in named if share >= MATTERS or share == named[0][0])
    phrases = [first.format("the cloud")]
    both = [f"{phrases[0]} and {other.format('it')}" for other in others]
    longer = [f"{layer} {phrase}; {measure}." for phrase in both + phrases]
    return next(s for s in [*longer, f"{layer} {phrases[0]}."] if len(s) <= LONGEST)


def _parts(move: Move) -> Iterator[tuple[float, str]]:
    """Each part's share of a move and its words, with a gap for the cloud's name."""
    toward = ROUND_THE_CLOCK[round(np.degrees(np.arctan2(*move.shift[::-1])) / 45) % 8]
    yield move.shifted, f"moves {{}} {_figures(np.hypot(*move.shift))} {toward}"
    yield move.turned, "turns {} over" if move.mirrored else f"turns {{}} {_angle(move.angle)}"
    u, v = move.stretches - 1
    if abs(u - v) <= ALIKE * max(abs(u), abs(v)):
        both = move.stretches.mean()
        yield move.stretched.sum(), f"{'swells' if both > 1 else 'shrinks'} {{}} {_amount(both)}"
    else:
        for share, stretch, axis in zip(move.stretched, move.stretches, move.axes, strict=True):
            yield share, f"{_stretching(axis, stretch > 1)} {_amount(stretch)}"
    without, halves = move.halves
    if max(without, halves) < IN_TWO or abs(halves - without) < PARTED:
        yield move.bent, "bends {}"
    elif halves > without:
        yield max(MATTERS, move.bent), "parts {} in two"  # one sees it, though A does most of it
    else:
        yield max(MATTERS, move.bent), "closes the gap in {}"


def _angle(degrees: float) -> str:
    if abs(degrees) < 0.5:
        return "slightly"
    return f"{abs(degrees):.0f}° {'clockwise' if degrees < 0 else 'anticlockwise'}"


def _amount(factor: float) -> str:
    if factor >= 2:
        return f"{_figures(factor)}-fold"
    if abs(factor - 1) < 0.005:
        return "slightly"
    return f"by {abs(factor - 1):.0%}"


def _stretching(axis: np.ndarray, longer: bool) -> str:
    """The verb for a direction within 30° of the level or the upright, or between the two."""
    across, up = np.abs(axis)
    if up < across / np.sqrt(3):
        return "widens {}" if longer else "narrows {}"
    if across < up / np.sqrt(3):
        return "stretches {} up and down" if longer else "flattens {}"
    return "stretches {} diagonally" if longer else "squeezes {} diagonally"


def _measure(move: Move, whole: float, least: float) -> str:
    if least > 0:
        return f"{_figures(move.rms / least)} times the cheapest step"
    share = move.length / whole
    return f"{share:.0%} of the way" if share >= 0.005 else "under 1% of the way"


def _figures(value: float) -> str:
    """Two figures, or all before the point."""
    return f"{value:.0f}" if 9.5 <= value < 1e5 else f"{value:#.2g}".rstrip(".")


def _tracks(name: str, points: np.ndarray) -> np.ndarray:
    tracks = np.asarray(points, float)
    if tracks.ndim != 3 or len(tracks) < 2 or not tracks.shape[1] or tracks.shape[2] != 2:
        raise ValueError(f"{name}: shape {tracks.shape} is not allowed; allowed is (L+1, n, 2)")
    if not np.isfinite(tracks).all():
        raise ValueError(f"{name}: holds numbers that are not finite; allowed are finite ones")
    return tracks
