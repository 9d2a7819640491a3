"""How far a network's way is from the geodesic: every score, as a function of bare tracks.

Tracks X (L+1, n, 2) hold n particles at L+1 layers; Δ_l = X_{l+1} − X_l. E is the mean
over particles. The chain that the scores come from, by Cauchy–Schwarz, the triangle
inequality and the definition of W2:

    𝒜 = L Σ_l E‖Δ_l‖²  ≥  E[ℓ²], ℓ = Σ_l ‖Δ_l‖  ≥  𝒟 = E‖X_L − X_0‖²  ≥  W2²(μ_0, μ_L)

with equality throughout if and only if the particles walk the geodesic at constant
speed. (Its continuum form is Benamou & Brenier, Numer. Math. 84 (2000).)

What is the paper's (Gai & Zhang, arXiv:2102.09235) and what is ours:

    the paper's      the line-shape score; the optimal transport score, by name; that the curve
                     of distributions be the geodesic, which gap and curve factor put in numbers
    others'          monotonicity (Rockafellar), symmetry of the Jacobian (Brenier), the energy
                     bound (Benamou & Brenier), the Bures distance (Gelbrich)
    ours             the formula of the optimal transport score, W2²/𝒟; that LSS is quoted as a
                     median; the action ratio and its two splits; map error, match rate, pace,
                     fit with its floor, undershoot; pairings that stay within classes
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from resviz.distributions import sample
from resviz.records import LayerCosts, Scores
from resviz.transport import (
    FARTHEST,
    Pairing,
    gaussian_geodesic,
    gaussian_w2_squared,
    pairing,
    wasserstein2_squared,
)

Law = tuple[np.ndarray, np.ndarray]  # mean (2,) and covariance (2, 2) of a Gaussian

# A step shorter than this part of its track's length has no direction worth counting.
COUNTED_STEP = 1e-6
# A cloud that moved less than this part of its variance has not moved.
MOVED = 1e-12
FLOOR_PAIRS = 20
# Of a matrix of all pairs: so many at a time stay in the processor's cache.
MONOTONE_ROWS = 32
NOISE_DRAWS = 20
# The second split of a cloud that did not move.
UNMOVED = {"swirl_factor": np.nan, "curve_factor": np.nan}
# What says nothing of a cloud that did not move.
PAIRING_SCORES = (
    "optimal_transport",
    "map_error",
    "match_rate",
    "action_ratio",
    "path_factor",
    "speed_factor",
    "bend_factor",
    "map_factor",
)


def score(
    tracks: np.ndarray,
    target: np.ndarray | None = None,
    *,
    labels: np.ndarray | None = None,
    floor: tuple[float, float] | None = None,
    per_layer: bool = True,
    layers: Sequence[LayerCosts] | None = None,
    paired: Pairing | None = None,
    unmoved: float | None = None,
    shape: np.ndarray | None = None,
) -> Scores:
    """Every score that needs no network beyond its tracks.

    `tracks` (L+1, n, 2) with L ≥ 1; `target` (k, 2) are points of the target that
    training never saw; `floor` is what `fit_floor` gives. Without `per_layer` the
    scores that need an exact plan for every layer (gap, speed, swirl, curve) are None.
    With `labels` (n,) W2² is the least cost of the plans that stay within each class,
    Σ_c n_c W2²(class c) / n, and nothing is scored per layer.
    What is known already is not worked out again: `layers` = layer_costs of every layer,
    `paired` = pairing(tracks[0], tracks[-1], labels), `unmoved` = W2²(tracks[0], target),
    `shape` = line_shape(tracks).

    Raises `ValueError` for tracks of another shape, or that are not finite.
    """
    tracks = _checked(tracks)
    paired = paired or pairing(tracks[0], tracks[-1], labels)
    walk = _walk(tracks, paired)
    shape = line_shape(tracks) if shape is None else shape
    counted = shape[~np.isnan(shape)]
    scores = {
        "line_shape": float(np.median(counted)) if counted.size else np.nan,
        "line_shape_harmonic": _ratio(1.0, np.mean(1 / counted)) if counted.size else np.nan,
        "still_particles": int(np.isnan(shape).sum()),
        "match_rate": float(np.mean(paired.plan == np.arange(len(shape)))),
        "monotonicity": monotonicity(tracks[0], tracks[-1]),
        **walk,
    }
    if not _moved(tracks, paired):
        scores |= dict.fromkeys(PAIRING_SCORES, np.nan)
    if per_layer and labels is None:
        if layers is None:
            layers = [layer_costs(tracks, paired.plan, layer) for layer in range(len(tracks) - 1)]
        scores |= _per_layer(tracks, paired, layers, walk["action"])
    if target is not None:
        if unmoved is None:
            unmoved = wasserstein2_squared(tracks[0], target)
        scores |= {
            "fit": wasserstein2_squared(tracks[-1], target),
            "unmoved": unmoved,
            "undershoot": _ratio(paired.displacement, unmoved),
        }
    if floor is not None:
        scores["fit_floor"], scores["fit_floor_sd"] = floor
    return Scores(**scores)


def line_shape(tracks: np.ndarray) -> np.ndarray:
    """LSS of each particle, (n,): counted steps / ‖Σ_l Δ_l/‖Δ_l‖‖, at least 1.

    1 where all steps point the same way, ∞ where they cancel; a step counts if it is
    longer than 1e-6 of its track; NaN for a particle with no counted step. It ignores
    the steps' lengths, and with one layer it is 1 by definition. In 2D its
    distribution has a tail like s⁻², so quote medians. (Gai & Zhang, §4.)
    """
    steps = np.diff(_checked(tracks), axis=0)
    lengths = np.linalg.norm(steps, axis=2)
    counts = lengths > COUNTED_STEP * lengths.sum(axis=0)
    directions = steps / np.where(counts, lengths, np.inf)[..., None]
    counted = counts.sum(axis=0)
    resultant = np.linalg.norm(directions.sum(axis=0), axis=1)
    # Unit vectors that cancel leave rounding errors, not zeros.
    resultant = np.where(resultant > 1e-12 * counted, resultant, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(counted / resultant, 1.0)


def map_errors(end: np.ndarray, plan: np.ndarray) -> np.ndarray:
    """‖X_L − X_L∘σ‖ of each particle, (n,): how far its end is from the cheapest one.

    `end` (n, 2) is X_L and `plan` (n,) the optimal σ from X_0.
    """
    end = np.asarray(end, float)
    return np.linalg.norm(end - end[plan], axis=1)


def monotonicity(x: np.ndarray, y: np.ndarray) -> float:
    """Share of pairs i < j with ⟨x_i − x_j, y_i − y_j⟩ ≥ −1e-9 ‖x_i − x_j‖ ‖y_i − y_j‖.

    1 is necessary for x_i ↦ y_i to be optimal, not sufficient (Rockafellar asks it of
    every cycle). x, y: (n, 2). NaN for fewer than two points.
    """
    n = len(x)
    if n < 2:
        return np.nan
    monotone = 0
    for first in range(0, n, MONOTONE_ROWS):
        rows = slice(first, first + MONOTONE_ROWS)
        inner, x_squared, y_squared = 0.0, 0.0, 0.0
        for k in (0, 1):
            dx = np.subtract.outer(x[rows, k], x[first:, k])
            dy = np.subtract.outer(y[rows, k], y[first:, k])
            inner, x_squared, y_squared = inner + dx * dy, x_squared + dx * dx, y_squared + dy * dy
        room = 1e-9 * np.sqrt(x_squared) * np.sqrt(y_squared)
        monotone += np.count_nonzero(np.triu(inner >= -room, k=1))
    return float(monotone / (n * (n - 1) / 2))


def jacobian_scores(jacobians: np.ndarray) -> dict[str, float]:
    """How far J = ∂X_L/∂X_0 (n, 2, 2) is from the Hessian of a convex function.

    asymmetry: E ‖J − Jᵀ‖_F / (2 ‖J‖_F) in [0, 1], 0 for symmetric J and J = 0, 1 for a
    quarter turn. indefinite: the share of particles where the symmetric part of J has an
    eigenvalue below 0. The optimal map is the gradient of a convex function, so has 0 and
    0 (Brenier, Comm. Pure Appl. Math. 44 (1991)).
    """
    transposed = jacobians.transpose(0, 2, 1)
    size = 2 * np.linalg.norm(jacobians, axis=(1, 2))
    apart = np.linalg.norm(jacobians - transposed, axis=(1, 2))
    asymmetry = np.divide(apart, size, out=np.zeros_like(size), where=size > 0)
    least = np.linalg.eigvalsh((jacobians + transposed) / 2)[:, 0]
    return {
        "jacobian_asymmetry": float(asymmetry.mean()),
        "jacobian_indefinite": float(np.mean(least < 0)),
    }


def class_accuracy(guesses: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share of guesses (n,) that are the labels (n,), and that of always naming the largest."""
    return {
        "accuracy": float(np.mean(guesses == labels)),
        "majority": float(np.bincount(labels).max() / len(labels)),
    }


def exact_gaps(tracks: np.ndarray, source: Law, target: Law) -> dict[str, np.ndarray]:
    """Distance of each layer's cloud from the closed-form geodesic of two Gaussians, (L+1,).

    exact_gap: the Bures distance between N(mean, covariance of X_l) and the geodesic of
    the two *laws* at t = l/L, in units of their W2; it is at most W2(μ_l, geodesic)
    (Gelbrich, Math. Nachr. 147 (1990)). exact_gap_noise: the root mean square of the same
    for `NOISE_DRAWS` samples of n points of the geodesic itself: what a perfect network
    would show on so many particles.
    """
    tracks = _checked(tracks)
    least = np.sqrt(gaussian_w2_squared(*source, *target))
    generator = np.random.default_rng(tracks.shape[1])
    gap, noise = [], []
    for t, cloud in zip(np.linspace(0, 1, len(tracks)), tracks, strict=True):
        law = gaussian_geodesic(*source, *target, t)
        gap.append(_bures(cloud, law))
        draws = generator.multivariate_normal(*law, size=(NOISE_DRAWS, len(cloud)))
        noise.append(np.sqrt(np.mean([_bures(draw, law) ** 2 for draw in draws])))
    return {
        "exact_gap": np.array(gap) / least,
        "exact_gap_noise": np.array(noise) / least,
    }


def _bures(cloud: np.ndarray, law: Law) -> float:
    """Distance of the Gaussian of a cloud's own moments, which may be flat, from another one."""
    return np.sqrt(gaussian_w2_squared(cloud.mean(axis=0), np.cov(cloud.T, bias=True), *law))


def fit_floor(target: str, n: int) -> tuple[float, float]:
    """Mean and sd of W2² between two samples of n points of the named target, 20 pairs.

    No network can be asked for a better fit than this. The same for every run.
    """
    return mean_and_sd([floor_distance(target, n, pair) for pair in range(FLOOR_PAIRS)])


@lru_cache(maxsize=4096)
def floor_distance(target: str, n: int, pair: int) -> float:
    """W2² between the two samples of one pair, from a generator keyed by all three."""
    generator = np.random.default_rng([n, *target.encode(), pair])
    clouds = [sample(target, n, generator)[0] for _ in range(2)]
    return wasserstein2_squared(*clouds)


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation."""
    return float(np.mean(values)), float(np.std(values, ddof=1))


def _checked(tracks: np.ndarray) -> np.ndarray:
    tracks = np.asarray(tracks, float)
    if tracks.ndim != 3 or len(tracks) < 2 or not tracks.shape[1] or tracks.shape[2] != 2:
        raise ValueError(
            f"tracks: shape {tracks.shape} is not allowed; "
            "allowed is (layers + 1, particles, 2) with at least one layer and one particle"
        )
    if not np.isfinite(tracks).all():
        raise ValueError("tracks: hold numbers that are not finite; allowed are finite ones")
    if (farthest := float(np.abs(tracks).max())) > FARTHEST:
        raise ValueError(
            f"tracks: hold {farthest:g}, whose square float64 does not; allowed are coordinates up "
            f"to {FARTHEST:g}"
        )
    return tracks


def _moved(tracks: np.ndarray, paired: Pairing) -> bool:
    spread = tracks[0].var(axis=0).sum()
    return paired.displacement > MOVED * spread


def _ratio(numerator: float, denominator: float) -> float:
    """numerator / denominator, with 0/0 undefined and x/0 infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(denominator))


def _walk(tracks: np.ndarray, paired: Pairing) -> dict[str, float]:
    """The chain and its first split: action ratio = speed × bend × map.

    Uneven pace, bent tracks, wrong pairing: 𝒜/E[ℓ²] × E[ℓ²]/𝒟 × 𝒟/W2².
    """
    lengths = np.linalg.norm(np.diff(tracks, axis=0), axis=2)
    displacement, w2_squared = paired.displacement, paired.w2_squared
    # On a geodesic all are equal; rounding must not turn the chain round.
    length_squared = max(float(np.square(lengths.sum(axis=0)).mean()), displacement)
    action = max(len(lengths) * float(np.square(lengths).sum(axis=0).mean()), length_squared)
    misplaced = float(np.square(map_errors(tracks[-1], paired.plan)).mean())
    speed, bend = _ratio(action, length_squared), _ratio(length_squared, displacement)
    return {
        "action": action,
        "displacement": displacement,
        "w2_squared": w2_squared,
        "action_ratio": _ratio(action, w2_squared),
        "speed_factor": speed,
        "bend_factor": bend,
        "path_factor": speed * bend,
        "map_factor": _ratio(displacement, w2_squared),
        "optimal_transport": _ratio(w2_squared, displacement),
        "map_error": float(np.sqrt(_ratio(misplaced, displacement))),
    }


def layer_costs(tracks: np.ndarray, plan: np.ndarray, layer: int) -> LayerCosts:
    """The costs of layer 0 ≤ l < L of tracks (L+1, n, 2); `plan` is the optimal one, 0 to L."""
    tracks = np.asarray(tracks, float)
    hop = pairing(tracks[layer], tracks[layer + 1]).w2_squared
    if layer == 0:  # where the geodesic begins
        return LayerCosts(hop, 0.0, 0.0)
    ends = tracks[0], tracks[-1][plan]
    return LayerCosts(hop, *_distances_to_geodesic(tracks[layer], *ends, layer / (len(tracks) - 1)))


def _per_layer(
    tracks: np.ndarray, paired: Pairing, layers: Sequence[LayerCosts], action: float
) -> dict[str, object]:
    """What needs an exact plan at every layer, in units of W2 = W2(μ_0, μ_L) where it says so.

    speed (L,): L · W2(μ_l, μ_{l+1}), in data units a unit of time.
    gap (L+1,): W2(μ_l, law of Z_{l/L}) / W2, Z the geodesic.
    gap_any_pace (L+1,): the same with Z_s at the nearest s instead of l/L.
    pace (L,): speed over W2.
    Both factors of the second split.
    """
    depth = len(tracks) - 1
    hops, *gaps = np.array(layers).T
    with np.errstate(divide="ignore", invalid="ignore"):
        # The last layer's cloud is the geodesic's own end.
        gaps = [np.sqrt(np.append(gap, 0.0) / paired.w2_squared) for gap in gaps]
        pace = depth * np.sqrt(hops / paired.w2_squared)
    moved = _moved(tracks, paired)
    return {
        "speed": depth * np.sqrt(hops),
        "pace": pace if moved else np.full(depth, np.nan),
        "gap": gaps[0] if moved else np.full(depth + 1, np.nan),
        "gap_any_pace": gaps[1] if moved else np.full(depth + 1, np.nan),
        **(
            _second_split(action, depth * float(hops.sum()), paired.w2_squared)
            if moved
            else UNMOVED
        ),
    }


def second_split(tracks: np.ndarray, paired: Pairing | None = None) -> dict[str, float]:
    """Swirl and curve factor of tracks (L+1, n, 2), by L exact plans.

    `paired` = pairing(tracks[0], tracks[-1]), where it is known already.
    """
    tracks = _checked(tracks)
    paired = paired or pairing(tracks[0], tracks[-1])
    if not _moved(tracks, paired):
        return dict(UNMOVED)
    hops = [pairing(x, y).w2_squared for x, y in pairwise(tracks)]
    action = _walk(tracks, paired)["action"]
    return _second_split(action, len(hops) * sum(hops), paired.w2_squared)


def course_layers(tracks: np.ndarray, paired: Pairing | None = None) -> dict[str, object]:
    """Gap (L+1,), pace (L,), swirl and curve factor of tracks (L+1, n, 2), as `score` has them.

    By 2L − 1 exact plans: the gap at any pace, which takes some more for each layer, is left
    out. `paired` = pairing(tracks[0], tracks[-1]), where it is known already.
    """
    tracks = _checked(tracks)
    paired = paired or pairing(tracks[0], tracks[-1])
    start, depth = tracks[0], len(tracks) - 1
    velocity = tracks[-1][paired.plan] - start
    layers = []
    for layer, (x, y) in enumerate(pairwise(tracks)):
        gap = pairing(x, start + layer / depth * velocity).w2_squared if layer else 0.0
        layers.append(LayerCosts(pairing(x, y).w2_squared, gap, np.nan))
    found = _per_layer(tracks, paired, layers, _walk(tracks, paired)["action"])
    return {name: found[name] for name in ("gap", "pace", "swirl_factor", "curve_factor")}


def _second_split(action: float, curve_action: float, w2_squared: float) -> dict[str, float]:
    """action ratio = swirl × curve: 𝒜 / L Σ_l W2²(μ_l, μ_{l+1}), and the latter over W2².

    Is each layer's map optimal, and is the curve of distributions the geodesic?
    """
    return {
        "swirl_factor": _ratio(action, curve_action),
        "curve_factor": _ratio(curve_action, w2_squared),
    }


def _distances_to_geodesic(
    cloud: np.ndarray, start: np.ndarray, end: np.ndarray, time: float, rounds: int = 5
) -> tuple[float, float]:
    """W2²(cloud, Z_time), and a local minimum over s of W2²(cloud, Z_s), started there.

    For a fixed plan the cost is a parabola in s, so plan and s are improved in turn;
    no round can raise the cost.
    """
    velocity = end - start
    s, costs = time, []
    for _ in range(rounds):
        paired = pairing(cloud, start + s * velocity)
        costs.append(paired.w2_squared)
        from_start = cloud - start[paired.plan]
        along = velocity[paired.plan]
        if not along.any():
            break  # a cloud that stays where it is has one moment only
        best = float(np.clip((from_start * along).sum() / np.square(along).sum(), 0.0, 1.0))
        if abs(best - s) < 1e-3:
            break
        s = best
    return costs[0], min(costs)
