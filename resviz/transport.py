"""Exact optimal transport between clouds of equal weights, and the geodesics it gives.

All costs are squared Euclidean distances. Peyré & Cuturi, *Computational Optimal
Transport* (2019), is [PC] below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The network simplex stops after this many pivots; 2000 points need a few hundred thousand.
MOST_PIVOTS = 10_000_000
# Where all given pairs together cost less than so many pairs at random, as in most layers, few are
# wrong, and an exact plan is found up to four times as fast without potentials.
NEARLY_PAIRED = 2.0
# Before an exact plan of n to n points: Sinkhorn's ε over the mean cost, and rounds with it.
SINKHORN = ((0.1, 5), (0.01, 10))


@dataclass(frozen=True)
class Pairing:
    """Two paired clouds of n points measured against their cheapest pairing.

    Both figures come from one float64 cost matrix of the centred clouds, and
    `w2_squared` is never over `displacement`.
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
    cost, shift = _centred_cost(x, y)
    plan = np.arange(len(x))
    for members in _classes(labels, len(x)):
        plan[members] = members[_assignment(cost[np.ix_(members, members)])]
    given = float(cost.diagonal().mean())
    cheapest = min(float(cost[np.arange(len(x)), plan].mean()), given)
    displacement, w2_squared = given + shift, cheapest + shift
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
    [PC] eq. (2.11). The clouds are centred first: W2² is that of the centred clouds
    plus the squared distance of their means ([PC] remark 2.19).
    """
    x, y = _cloud("x", x), _cloud("y", y)
    cost, shift = _centred_cost(x, y)
    if len(x) == len(y):  # some permutation is as cheap as any coupling ([PC] proposition 2.1)
        return float(cost[np.arange(len(x)), _assignment(cost)].mean()) + shift
    return float((_exact_coupling(cost) * cost).sum()) + shift


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

    ‖m_x − m_y‖² + tr(Σ_x + Σ_y − 2 (Σ_x^½ Σ_y Σ_x^½)^½). [PC] eqs. (2.41), (2.42).
    """
    import ot

    return float(ot.gaussian.bures_wasserstein_distance(mean_x, mean_y, cov_x, cov_y) ** 2)


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

    A = Σ_x^−½ (Σ_x^½ Σ_y Σ_x^½)^½ Σ_x^−½, b = m_y − A m_x. [PC] eq. (2.40).
    """
    import ot

    means = (np.asarray(m, float)[None] for m in (mean_x, mean_y))
    matrix, shift = ot.gaussian.bures_wasserstein_mapping(*means, cov_x, cov_y)
    return matrix, shift[0]


def _cloud(name: str, points: np.ndarray) -> np.ndarray:
    cloud = np.asarray(points, float)
    if cloud.ndim != 2 or not len(cloud) or cloud.shape[1] != 2:
        raise ValueError(f"{name}: shape {cloud.shape} is not allowed; allowed is (points, 2)")
    if not np.isfinite(cloud).all():
        raise ValueError(f"{name}: holds numbers that are not finite; allowed are finite ones")
    return cloud


def _centred_cost(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """‖x_i − y_j‖² of the clouds moved to mean 0, and the squared distance of the means.

    Centred, a shift of a thousand times the clouds' width costs no digits.
    """
    shift = y.mean(axis=0) - x.mean(axis=0)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    # One coordinate after the other: NumPy sums pairs in an inner axis a tenth as fast.
    cost, along = (np.subtract.outer(x[:, k], y[:, k]) for k in (0, 1))
    cost *= cost
    along *= along
    cost += along
    return cost, float(shift @ shift)


def _assignment(cost: np.ndarray) -> np.ndarray:
    """σ that minimises Σ_i c_iσ(i) over permutations, exactly: cost (n, n) → int (n,).

    SciPy's shortest augmenting paths (Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016)) on
    the reduced cost c_ij − f_i − g_j. Whatever f and g are, every permutation's cost falls by the
    same Σ f + Σ g, so the best remains the best; but with f and g near the dual optimum most
    rows find their partner at once, and a few rounds of Sinkhorn lead there.
    """
    # Not on the way to the first paint.
    from scipy.optimize import linear_sum_assignment

    if cost.trace() < NEARLY_PAIRED * cost.mean():
        return linear_sum_assignment(cost)[1]
    reduced = _least_removed(cost)
    unit = reduced.mean()
    for part, rounds in SINKHORN if unit else ():
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


def _exact_coupling(cost: np.ndarray) -> np.ndarray:
    # Importing POT takes about 3 s: here, not on the way to the first paint.
    import ot

    weights = (np.full(n, 1 / n) for n in cost.shape)
    # The solver's tolerance is absolute: the plan must not depend on the unit of length.
    unit = cost.max() or 1.0
    coupling, log = ot.emd(*weights, cost / unit, numItermax=MOST_PIVOTS, log=True)
    if log["warning"]:
        raise RuntimeError(f"no exact plan for {cost.shape} points: {log['warning']}")
    return coupling
