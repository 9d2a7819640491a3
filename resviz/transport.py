"""Exact optimal transport between clouds of equal weights, and the geodesics it gives.

All costs are squared Euclidean distances. Peyré & Cuturi, *Computational Optimal
Transport* (2019), is [PC] below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# The network simplex stops after this many pivots; 2000 points need a few hundred thousand.
MOST_PIVOTS = 10_000_000
# Where all given pairs together cost less than so many pairs at random, as in most layers, few are
# wrong, and an exact plan is found up to four times as fast without potentials.
NEARLY_PAIRED = 2.0
# Before an exact plan of n to n points: Sinkhorn's ε over the mean cost, and rounds with it.
SINKHORN = ((0.1, 5), (0.01, 10))
# Potentials that are subtracted from a cost leave rounding errors of so many parts in 1e16 of the
# dearest pair: where that costs more than so many times what the plan does, they are left out.
FAR = 1e5
FARTHEST = 1e150  # a coordinate: the squares of what is farther apart do not fit into float64
LEAST_W2_SQUARED = 1e-300  # below that float64 loses digits
MOST_FLAT = 1e12  # the largest over the least variance of a law that a map leads from
GAP = 1e-9  # of its cost: how far a coupling may be from the dual's lower bound
# Clouds of n and k points, each point as often as makes them equally many, are so large at most.
MOST_COPIES = 3000


@dataclass(frozen=True)
class Pairing:
    """Two paired clouds of n points measured against their cheapest pairing.

    Both figures are sums over the pairs' own differences, and `w2_squared` is never over
    `displacement`.
    """

    plan: np.ndarray  # int (n,): x[i] goes to y[plan[i]] at least cost
    displacement: float  # 𝒟 = E‖y_i − x_i‖²
    w2_squared: float  # W2² = E‖y_plan(i) − x_i‖²


def optimal_plan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """σ that minimises E‖x_i − y_σ(i)‖² over permutations: (n, 2), (n, 2) → int (n,).

    Where the given pairing is itself optimal, up to 1e-9 of its cost, σ is the
    identity. Exact: see `_assignment`. [PC] §3.1, eq. (2.2).
    """
    return pairing(x, y).plan


def pairing(x: np.ndarray, y: np.ndarray, labels: np.ndarray | None = None) -> Pairing:
    """The optimal plan from x (n, 2) to y (n, 2), its cost and that of i ↔ i.

    With `labels` (n,) the cheapest among the plans that stay within each class.
    """
    x, y = _cloud("x", x), _cloud("y", y)
    if len(x) != len(y):
        raise ValueError(f"x and y: {len(x)} and {len(y)} points; a plan needs equal numbers")
    plan = _cheapest(x, y, _classes(labels, len(x)))
    displacement = _mean_squared_length(y - x)
    w2_squared = min(_mean_squared_length(y[plan] - x), displacement)
    if displacement <= w2_squared * (1 + 1e-9):
        plan, w2_squared = np.arange(len(x)), displacement
    return Pairing(plan, displacement, w2_squared)


def _classes(labels: np.ndarray | None, n: int) -> list[np.ndarray]:
    """The indices of each class; all n are one where there are no labels."""
    if labels is None:
        return [np.arange(n)]
    if len(labels) != n:
        raise ValueError(f"labels: {len(labels)} of them; allowed is one a point, {n}")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def wasserstein2_squared(x: np.ndarray, y: np.ndarray) -> float:
    """W2²(x, y), exact, in squared data units: (n, 2), (k, 2) → float.

    The least Σ π_ij ‖x_i − y_j‖² over couplings π with marginals 1/n and 1/k.
    [PC] eq. (2.11). Equally many points: some permutation is as cheap as any coupling
    ([PC] proposition 2.1).

    Raises `ValueError` for what float64 cannot tell exactly: see `_cloud`, `_coupled`, and a W2²
    below 1e-300.
    """
    x, y = _cloud("x", x), _cloud("y", y)
    if len(x) != len(y):
        return _coupled(x, y)
    return _mean_squared_length(y[_cheapest(x, y, _classes(None, len(x)))] - x)


def displacement_interpolation(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """McCann's geodesic Z_t = (1−t) x + t y∘σ: (n, 2), (n, 2), (k,) → (k, n, 2).

    σ is the optimal plan and t lies in [0, 1]; Z_0 is x and Z_1 is y in the order of
    the plan. McCann, *A convexity principle for interacting gases*, Adv. Math. 128
    (1997); [PC] eq. (7.8).
    """
    times = np.asarray(times, float)
    if times.ndim != 1 or not ((times >= 0) & (times <= 1)).all():
        raise ValueError(f"times: {times} is not allowed; allowed is a list of numbers from 0 to 1")
    x, y = _cloud("x", x), _cloud("y", y)
    return straight_way(x, y[optimal_plan(x, y)], times)


def straight_way(start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(1−t) start + t end at each of `times` (k,): (n, 2), (n, 2) → (k, n, 2), in their dtype."""
    t = np.asarray(times, start.dtype)[:, None, None]
    return (1 - t) * start + t * end


def gaussian_w2_squared(
    mean_x: np.ndarray, cov_x: np.ndarray, mean_y: np.ndarray, cov_y: np.ndarray
) -> float:
    """W2² of N(mean_x, cov_x) and N(mean_y, cov_y), in closed form (Bures).

    ‖m_x − m_y‖² + tr(Σ_x + Σ_y − 2 (Σ_x^½ Σ_y Σ_x^½)^½), [PC] eqs. (2.41), (2.42). That trace is
    min ‖Σ_x^½ − Σ_y^½ U‖² over rotations U (Bhatia, Jain & Lim, Expo. Math. 37 (2019), Theorem
    1), a sum of squares: of laws that are near each other no digits cancel, and a flat one,
    whose covariance has no inverse, is as good as any. Raises `ValueError` for a covariance that
    is none.
    """
    # Not on the way to the first paint.
    from scipy.linalg import orthogonal_procrustes

    root_x, root_y = _root("cov_x", cov_x), _root("cov_y", cov_y)
    turn, _ = orthogonal_procrustes(root_y, root_x)
    apart = np.asarray(mean_y, float) - np.asarray(mean_x, float)
    return float(np.square(apart).sum() + np.square(root_x - root_y @ turn).sum())


def _root(name: str, covariance: np.ndarray) -> np.ndarray:
    """Σ^½ of a covariance (d, d): symmetric, with no eigenvalue below 0 but for rounding."""
    covariance = np.asarray(covariance, float)
    square = covariance.ndim == 2 and covariance.shape[0] == covariance.shape[1]
    if square and np.isfinite(covariance).all():
        size = np.abs(covariance).max()
        values, axes = np.linalg.eigh(covariance)
        if np.allclose(covariance, covariance.T, rtol=0, atol=1e-9 * size) and (
            values[0] >= -1e-9 * size
        ):
            return axes * np.sqrt(np.maximum(values, 0.0)) @ axes.T
    raise ValueError(
        f"{name}: {covariance.tolist()} is no covariance; allowed is a symmetric matrix of finite "
        "numbers without negative eigenvalues"
    )


def gaussian_geodesic(
    mean_x: np.ndarray, cov_x: np.ndarray, mean_y: np.ndarray, cov_y: np.ndarray, t: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) at time t of the geodesic between two Gaussians.

    With the Monge map x ↦ m_y + A (x − m_x), symmetric positive definite A:
    m_t = (1−t) m_x + t m_y and Σ_t = ((1−t) I + t A) Σ_x ((1−t) I + t A). [PC] remark 7.1.
    """
    matrix, _ = gaussian_monge_map(mean_x, cov_x, mean_y, cov_y)
    part = (1 - t) * np.eye(len(matrix)) + t * matrix
    return (1 - t) * np.asarray(mean_x) + t * np.asarray(mean_y), part @ cov_x @ part


def gaussian_monge_map(
    mean_x: np.ndarray, cov_x: np.ndarray, mean_y: np.ndarray, cov_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The optimal map x ↦ A x + b between two Gaussians: A (d, d), b (d,).

    A = Σ_x^−½ (Σ_x^½ Σ_y Σ_x^½)^½ Σ_x^−½, b = m_y − A m_x. [PC] eq. (2.40). Raises
    `ValueError` for covariances that are none, and if Σ_x has no inverse: a flat law has no map.
    """
    import ot

    _root("cov_y", cov_y)
    if (condition := np.linalg.cond(_root("cov_x", cov_x)) ** 2) > MOST_FLAT:
        raise ValueError(
            f"cov_x: {np.asarray(cov_x).tolist()} is flat (condition {condition:.0g}), and no map "
            f"leads from there; allowed are conditions up to {MOST_FLAT:g}"
        )
    means = (np.asarray(m, float)[None] for m in (mean_x, mean_y))
    matrix, shift = ot.gaussian.bures_wasserstein_mapping(*means, cov_x, cov_y)
    return matrix, shift[0]


def _cloud(name: str, points: np.ndarray) -> np.ndarray:
    cloud = np.asarray(points, float)
    if cloud.ndim != 2 or not len(cloud) or cloud.shape[1] != 2:
        raise ValueError(f"{name}: shape {cloud.shape} is not allowed; allowed is (points, 2)")
    if not np.isfinite(cloud).all():
        raise ValueError(f"{name}: holds numbers that are not finite; allowed are finite ones")
    farthest = float(np.abs(cloud).max())
    if farthest > FARTHEST:
        raise ValueError(
            f"{name}: holds {farthest:g}, whose square float64 does not; allowed are coordinates "
            f"up to {FARTHEST:g}"
        )
    return cloud


def _mean_squared_length(steps: np.ndarray) -> float:
    """E‖s_i‖² of steps (n, 2), to a few ulps. Raises `ValueError` if it is too small to tell."""
    longest = float(np.abs(steps).max())
    if not longest:
        return 0.0
    unit = _power_of_two(longest)
    mean = float(np.square(steps / unit).sum(axis=1).mean()) * unit * unit
    if mean < LEAST_W2_SQUARED:
        raise ValueError(
            f"x and y: are {longest:g} apart at most, whose square float64 does not hold; measure "
            "them in a smaller unit of length"
        )
    return mean


def _power_of_two(value: float) -> float:
    """That next to a positive number: to divide by it costs no digits."""
    return float(np.ldexp(1.0, np.frexp(value)[1]))


def _cheapest(x: np.ndarray, y: np.ndarray, classes: Sequence[np.ndarray]) -> np.ndarray:
    """The plan of least cost within each class, exactly: int (n,).

    As a rule it is found in the cost of the centred clouds, with potentials subtracted. Where the
    dearest pair costs so much more than the plan that rounding it would count (a point that is
    far from all others, clouds that hardly differ), it is found once more in a cost without any.
    """
    cost = _centred_cost(x, y)
    enough = max(float(cost.max()) / FAR, LEAST_W2_SQUARED)
    if cost.diagonal().mean() > enough:  # else the plan, which costs no more, is no use either
        plan = _plan_of(cost, classes, _assignment)
        if cost[np.arange(len(x)), plan].mean() > enough:
            return plan
    return _plan_of(_careful_cost(x, y), classes, _bare_assignment)


def _plan_of(
    cost: np.ndarray,
    classes: Sequence[np.ndarray],
    assignment: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    plan = np.arange(len(cost))
    for members in classes:
        plan[members] = members[assignment(cost[np.ix_(members, members)])]
    return plan


def _centred_cost(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """‖x_i − y_j‖² of the clouds moved to mean 0: a shift is no plan's affair."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    # One coordinate after the other: NumPy sums pairs in an inner axis a tenth as fast.
    cost, along = (np.subtract.outer(x[:, k], y[:, k]) for k in (0, 1))
    cost *= cost
    along *= along
    cost += along
    return cost


def _careful_cost(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """‖x_i − y_j + s‖², s the means' difference, each to a few ulps, in a unit of its own.

    A cloud that is moved to mean 0 is rounded to the digits of its farthest point. So it is the
    differences that are moved, and what they lost in rounding is added (Knuth's TwoSum).
    """
    parts = []
    for k in (0, 1):
        a, b = x[:, k, None], -y[None, :, k]
        shift = math.fsum(y[:, k]) / len(y) - math.fsum(x[:, k]) / len(x)
        total = a + b
        of_b = total - a
        lost = (a - (total - of_b)) + (b - of_b)
        parts.append((total + shift) + lost)
    unit = _power_of_two(max(float(np.abs(part).max()) for part in parts) or 1.0)
    return sum(np.square(part / unit) for part in parts)


def _bare_assignment(cost: np.ndarray) -> np.ndarray:
    """σ that minimises Σ_i c_iσ(i), of a cost that nothing is subtracted from.

    The algorithm's own sums grow no larger than the cost of the plan that it finds, so its
    rounding errors are ulps of that, however dear other pairs are.
    """
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(cost)[1]


def _assignment(cost: np.ndarray) -> np.ndarray:
    """σ that minimises Σ_i c_iσ(i) over permutations: cost (n, n) → int (n,).

    SciPy's shortest augmenting paths (Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016)) on
    the reduced cost c_ij − f_i − g_j. Whatever f and g are, every permutation's cost falls by the
    same Σ f + Σ g, so the best remains the best; but with f and g near the dual optimum most
    rows find their partner at once, and a few rounds of Sinkhorn lead there. Exact but for
    rounding, which is relative to the dearest pair: see `FAR`.
    """
    # Not on the way to the first paint.
    from scipy.optimize import linear_sum_assignment

    if cost.trace() < NEARLY_PAIRED * cost.mean():
        return linear_sum_assignment(cost)[1]
    reduced = _least_removed(cost)
    unit = reduced.mean()
    for part, rounds in SINKHORN if unit > LEAST_W2_SQUARED else ():
        reduced = _least_removed(_potentials_removed(reduced, part * unit, rounds))
    return linear_sum_assignment(reduced)[1]


def _least_removed(cost: np.ndarray) -> np.ndarray:
    """A cost less the least entry of each row, then of each column."""
    cost = cost - cost.min(axis=1, keepdims=True)
    cost -= cost.min(axis=0)
    return cost


def _potentials_removed(cost: np.ndarray, epsilon: float, rounds: int) -> np.ndarray:
    """c_ij − f_i − g_j for Sinkhorn's potentials f, g after so many rounds. [PC] §4.2, (4.15).

    `cost` has a zero in every row and column, so that no row and no column of the kernel is zero.
    """
    kernel = cost / -epsilon
    np.exp(kernel, out=kernel)
    v = np.ones(len(cost))
    for _ in range(rounds):
        u = 1 / (kernel @ v)
        v = 1 / (u @ kernel)
    cost = cost - epsilon * np.log(u)[:, None]
    cost -= epsilon * np.log(v)
    return cost


def _coupled(x: np.ndarray, y: np.ndarray) -> float:
    """W2² of clouds of n and k points, by network simplex.

    Its tolerance is relative to the dearest pair, so the answer is held against the dual's lower
    bound ([PC] proposition 2.4). Where that shows a gap each point is taken so often that both
    clouds are equally large, and the plan is an assignment; raises `ValueError` where that would
    be too large.
    """
    # Importing POT takes about 3 s: here, not on the way to the first paint.
    import ot

    cost = _careful_cost(x, y)
    weights = (np.full(n, 1 / n) for n in cost.shape)
    unit = cost.max() or 1.0
    coupling, log = ot.emd(*weights, cost / unit, numItermax=MOST_PIVOTS, log=True)
    g = np.min(cost - np.min(cost - log["v"] * unit, axis=1)[:, None], axis=0)
    f = np.min(cost - g, axis=1)
    least, found = f.mean() + g.mean(), float((coupling * cost).sum())
    marginals = abs(coupling.sum(axis=1) * len(x) - 1).max() < GAP
    if not log["warning"] and marginals and found - least <= GAP * found:
        i, j = np.nonzero(coupling)
        return _mean_squared_length((y[j] - x[i]) * np.sqrt(coupling[i, j] * len(i))[:, None])
    copies = math.lcm(len(x), len(y))
    if copies > MOST_COPIES:
        raise ValueError(
            f"x and y: {len(x)} and {len(y)} points, some so much farther from the others that "
            "float64 gives no exact plan; allowed are equal numbers, or clouds without such points"
        )
    x, y = (np.repeat(cloud, copies // len(cloud), axis=0) for cloud in (x, y))
    return wasserstein2_squared(x, y)
