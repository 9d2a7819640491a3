"""What training minimises: a distance between two clouds, and two penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from resviz.networks import Parameters
from resviz.spec import RunSpec
from resviz.transport import MOST_PIVOTS

# The first word of the key of the directions' generators; training has 0 and 1.
_DIRECTIONS = 2

# Sinkhorn's iterations stop when the column sums are off by less than this share, or here.
# Batches of 256 against 5000 iterations at ε = 0.01, 0.1, 1, worst of three: from gaussian to
# two_blobs S_ε is off by 4e-5, 4e-6, 3e-9 and its gradient by 3%, 0.7%, 0.003%; between two
# batches of two_blobs by 8e-5, 4e-4, 6e-5 and 13%, 14%, 5% (of a gradient that is mostly
# sampling noise). Started at 0, 50 iterations leave 0.05, 7e-4, 3e-6, and between two_blobs
# at ε = 0.1 or less a gradient that is all wrong. Training with 5, 30 or 200 misses alike.
SINKHORN_ITERATIONS = 20
SINKHORN_TOLERANCE = 1e-4
# The same for a cloud against itself, where nothing worse than 1e-8 is left at any ε.
SELF_ITERATIONS = 10


def distance(spec: RunSpec, x: Tensor, y: Tensor, step: int) -> Tensor:
    """The distance that `spec.loss` names, of x (n, 2) and y (k, 2): a scalar.

    In data units for the energy distance, in their squares for the others. `step` draws
    the directions of the sliced one, so that every step looks along others.
    """
    return DISTANCE[spec.loss](spec, x, y, step)


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """2 E‖X−Y‖ − E‖X−X′‖ − E‖Y−Y′‖ of x (n, d) and y (k, d), in data units.

    A V-statistic (the zero distances of points to themselves count), so it is 0 at
    equal samples and never negative. Székely & Rizzo, *Energy statistics*, J. Stat.
    Plan. Inference 143 (2013), eq. (5).
    """

    def mean_distance(p: Tensor, q: Tensor) -> Tensor:
        # The matrix-product path is inexact near 0, where the diagonal lies.
        return torch.cdist(p, q, compute_mode="donot_use_mm_for_euclid_dist").mean()

    return 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)


def directions(count: int, generator: Generator) -> Tensor:
    """`count` unit vectors of independent, evenly distributed angles, float64 (2, count)."""
    angles = generator.uniform(0, 2 * np.pi, count)
    return torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)]))


def sliced_w2_squared(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Mean over θ of W2²(⟨X, θ⟩, ⟨Y, θ⟩), in squared data units.

    For x (n, 2), y (k, 2) and unit vectors `directions` (2, m). A shift by v moves a shadow
    by ⟨v, θ⟩ only: over all directions the mean is ‖v‖²/2, half of W2². Bonneel, Rabin,
    Peyré & Pfister, *Sliced and Radon Wasserstein barycenters of measures*, J. Math.
    Imaging Vis. 51 (2015), with the mean for their integral over the circle. No root is
    taken, which would have no gradient at equal samples.
    """
    # Importing POT takes about 2 s: here, not on the way to an energy distance.
    import ot

    directions = directions.to(x)
    return ot.wasserstein_1d(x @ directions, y @ directions, p=2).mean()


def sinkhorn_divergence(x: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """S_ε(x, y) = OT_ε(x, y) − ½ OT_ε(x, x) − ½ OT_ε(y, y), in squared data units.

    OT_ε = min ⟨π, C⟩ + ε KL(π | α ⊗ β) over couplings π of the uniform weights α and β of
    x (n, 2) and y (k, 2), with C_ij = ‖x_i − y_j‖². Feydy et al., *Interpolating between
    optimal transport and MMD using Sinkhorn divergences*, AISTATS 2019, eqs. (1) and (3);
    Peyré & Cuturi, *Computational Optimal Transport* (2019), §4.4, for the log domain.

    S_ε tends to W2² as ε falls. Like W2² it is that of the centred clouds plus the squared
    distance of their means, at any ε. It is not clamped at 0: a clamp has no gradient. The
    potentials are held fixed in the gradient (envelope theorem).
    """
    given = x.dtype
    x, y = x.double(), y.double()  # at small ε float32's denormal numbers cost more time
    shift = y.mean(dim=0) - x.mean(dim=0)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    cross, self_x, self_y = (_squared_distances(p, q) for p, q in ((x, y), (x, x), (y, y)))
    if not cross.isfinite().all():
        return cross.mean().to(given)  # there is no plan, and POT would warn
    with torch.no_grad():
        log_u, log_w = _self_scaling(self_x, epsilon), _self_scaling(self_y, epsilon)
        log_v = _scaling(cross, log_u, epsilon)
    halves = _entropic_cost(self_x, log_u, epsilon) + _entropic_cost(self_y, log_w, epsilon)
    return (shift @ shift + _entropic_cost(cross, log_v, epsilon) - halves / 2).to(given)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] - y[None]).square().sum(dim=2)


def _entropic_cost(cost: Tensor, log_v: Tensor, epsilon: float) -> Tensor:
    """OT_ε = mean f + mean g, from the logarithm of the Sinkhorn scaling v = β exp(g/ε).

    f is the best partner of g (Feydy et al., eq. (8), maximised in f), so an error of v
    counts by its square only, and the gradient in the cost is the plan.
    """
    f = -epsilon * torch.logsumexp(log_v - cost / epsilon, dim=1)
    g = epsilon * (log_v + math.log(len(log_v)))
    return f.mean() + g.mean()


def _self_scaling(cost: Tensor, epsilon: float) -> Tensor:
    """log u of a cloud against itself, where u = v.

    The mean of old and new halves the error at least; taking the new might hardly lessen
    it. Feydy et al., §3.
    """
    log_weight = -math.log(len(cost))
    log_u = cost.new_full((len(cost),), log_weight)
    for _ in range(SELF_ITERATIONS):
        log_u = (log_u + log_weight - torch.logsumexp(log_u - cost / epsilon, dim=1)) / 2
    return log_u


def _scaling(cost: Tensor, log_u: Tensor, epsilon: float) -> Tensor:
    """log v of two clouds; `log_u` is the first one's against itself.

    The iterations start at that plus the exact problem's potentials: what carries mass
    across gaps, and would take Sinkhorn thousands of iterations, costs the simplex 5 ms.
    For equal clouds this is the solution.
    """
    import ot

    unit = cost.max().item() or 1.0  # the simplex's tolerance is absolute
    _, exact = ot.emd([], [], cost / unit, numItermax=MOST_PIVOTS, log=True)
    start = log_u + exact["u"] * (unit / epsilon)
    _, log = ot.sinkhorn(
        [],
        [],
        cost,
        epsilon,
        method="sinkhorn_log",
        numItermax=SINKHORN_ITERATIONS,
        stopThr=SINKHORN_TOLERANCE / math.sqrt(cost.shape[1]),
        warmstart=(start, None),  # the first iteration makes v of u
        warn=False,
        log=True,
    )
    return log["log_v"]


DISTANCE = {
    "energy": lambda spec, x, y, step: energy_distance(x, y),
    "sliced": lambda spec, x, y, step: sliced_w2_squared(
        x, y, directions(spec.projections, np.random.default_rng([_DIRECTIONS, spec.seed, step]))
    ),
    "sinkhorn": lambda spec, x, y, step: sinkhorn_divergence(x, y, spec.epsilon),
}


def weight_penalty(spec: RunSpec, parameters: Parameters, start: Parameters) -> Tensor:
    """h Σ_l (‖A_l − A*‖² + ‖B_l − B*‖²), or h Σ_l ‖B_l − B*‖² with `l2_on="outer"`.

    A* and B* are 0, or with `l2_towards="start"` those of `start`, before training. The h
    makes λ mean the same at every depth. Biases are free: a translation of the cloud
    costs nothing.
    """
    charged = {
        "both": ((parameters.inner, start.inner), (parameters.outer, start.outer)),
        "outer": ((parameters.outer, start.outer),),
    }[spec.l2_on]
    blocks = {
        "zero": lambda: (block for block, _ in charged),
        "start": lambda: (block - origin for block, origin in charged),
    }[spec.l2_towards]()
    return spec.step_length * sum(block.square().sum() for block in blocks)


def head_penalty(parameters: Parameters) -> Tensor:
    """‖C‖² of the linear head; its bias is free."""
    return parameters.head.square().sum()


def action(states: Sequence[Tensor]) -> Tensor:
    """𝒜 = L Σ_l E‖X_{l+1} − X_l‖² of L+1 layer states (n, 2), in squared data units."""
    path = torch.stack(list(states))
    return (len(path) - 1) * path.diff(dim=0).square().sum(dim=(0, 2)).mean()
