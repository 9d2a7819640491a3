"""What training minimises: a distance between two clouds, and two penalties."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.autograd.function import once_differentiable

from resviz.parameters import Parameters, parameter_count, unflatten
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
    """2 E‖X−Y‖ − E‖X−X′‖ − E‖Y−Y′‖ of x (n, 2) and y (k, 2), in data units.

    A V-statistic (the zero distances of points to themselves count), so it is 0 at
    equal samples and never negative. Székely & Rizzo, *Energy statistics*, J. Stat.
    Plan. Inference 143 (2013), eq. (5). Differentiable in x.
    """
    with torch.no_grad():
        spread, _ = EnergyPull(len(y), len(y), y.dtype)(y, y)  # 2 E‖Y−Y′‖ − E‖Y−Y′‖
    return _Energy.apply(x, y) - spread


class EnergyPull:
    """2 E‖X−Y‖ − E‖X−X′‖ of x (n, 2) and y (k, 2), all of the energy distance that x can
    change, and its gradient in x from the same differences.

    The gradient at x_i is the weighted sum of the unit vectors from all points of x and y to
    it, 0 where they coincide. Differences, no product of matrices: that is inexact near 0,
    where the diagonal lies. So many rows are taken at a time as fit a core's cache, in memory
    that is asked for once.
    """

    BLOCK = 2**17  # differences at a time

    def __init__(self, n: int, k: int, dtype: torch.dtype = torch.float32) -> None:
        self._weights = torch.cat(
            [torch.full((n,), -1 / n**2, dtype=dtype), torch.full((k,), 2 / (n * k), dtype=dtype)]
        )
        self._pulls = self._weights.clone()
        self._pulls[:n] *= 2  # each pair of x pulls at both its ends
        rows = max(1, min(n, self.BLOCK // (n + k)))
        self._memory = torch.empty(3, rows, n + k, dtype=dtype)
        self._blocks = [slice(first, min(first + rows, n)) for first in range(0, n, rows)]

    def __call__(self, x: Tensor, y: Tensor, step: int = 0) -> tuple[Tensor, Tensor]:
        """The value, a scalar, and the gradient, (n, 2); every step is alike."""
        x = x.mT  # features first: (2, n)
        points, spread = torch.cat([x, y.mT], dim=1), x.new_empty(x.shape[1])
        gradient = torch.empty_like(x, memory_format=torch.contiguous_format)
        for block in self._blocks:
            across, along, inverse = self._memory[:, : block.stop - block.start]
            torch.sub(x[0, block, None], points[0], out=across)
            torch.sub(x[1, block, None], points[1], out=along)
            torch.mul(across, across, out=inverse).addcmul_(along, along)
            # Where points coincide the unit vector becomes 0, and the distance as good as 0.
            inverse.clamp_min_(torch.finfo(x.dtype).tiny).rsqrt_()
            torch.mv(across.mul_(inverse), self._pulls, out=gradient[0, block])
            torch.mv(along.mul_(inverse), self._pulls, out=gradient[1, block])
            torch.mv(inverse.reciprocal_(), self._weights, out=spread[block])
        return spread.sum(), gradient.mT


class _Energy(torch.autograd.Function):
    """`EnergyPull` to autograd."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        value, gradient = EnergyPull(len(x), len(y), x.dtype)(x, y)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return given * gradient, None


def directions(count: int, generator: Generator) -> Tensor:
    """`count` unit vectors of independent, evenly distributed angles, float64 (2, count)."""
    angles = generator.uniform(0, 2 * np.pi, count)
    return torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)]))


def _directions_of(spec: RunSpec, step: int) -> Tensor:
    """Those that training with this spec looks along in this step."""
    return directions(spec.projections, np.random.default_rng([_DIRECTIONS, spec.seed, step]))


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
    "sliced": lambda spec, x, y, step: sliced_w2_squared(x, y, _directions_of(spec, step)),
    "sinkhorn": lambda spec, x, y, step: sinkhorn_divergence(x, y, spec.epsilon),
}


class SlicedPull:
    """Sliced W2² of x and y, n points each, and its gradient in x, with two sorts.

    Along a direction the cheapest plan pairs by rank: the mean over ranks of the squared
    differences. NumPy sorts rows with vector instructions, and torch does not.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec

    def __call__(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The value, a scalar, and the gradient, (n, 2); the step draws the directions."""
        along = _directions_of(self._spec, step).to(x)  # (2, m)
        shadows = (along.mT @ x.mT).numpy()  # (m, n)
        order = shadows.argsort(axis=1)
        moves = np.take_along_axis(shadows, order, axis=1)
        moves -= np.sort((along.mT @ y.mT).numpy(), axis=1)
        with np.errstate(over="ignore"):  # whoever looks at the value sees it
            value = np.square(moves).mean()
        pulls = np.empty_like(moves)
        np.put_along_axis(pulls, order, moves * (2 / moves.size), axis=1)
        return torch.tensor(value), (along @ torch.from_numpy(pulls)).mT


class SinkhornPull:
    """The Sinkhorn divergence and its gradient in x, by autograd."""

    def __init__(self, spec: RunSpec) -> None:
        self._epsilon = spec.epsilon

    def __call__(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The value, a scalar, and the gradient, (n, 2)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = sinkhorn_divergence(x, y, self._epsilon)
            return value.detach(), torch.autograd.grad(value, x)[0]


# For training, where a step needs value and gradient of two batches: both at once, (x, y, step) →
# scalar and (n, 2). With the energy distance the value lacks −E‖Y−Y′‖, which no network can
# change.
PULL: Mapping[str, Callable[[RunSpec], Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]]] = {
    "energy": lambda spec: EnergyPull(spec.batch, spec.batch),
    "sliced": SlicedPull,
    "sinkhorn": SinkhornPull,
}


def cross_entropy_pull(
    parameters: Parameters, end: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross-entropy of the head C x + c on X_L (n, 2), and its gradients in X_L and [C, c].

    With p the head's probabilities the gradient in the logits is (p − 1 of the label) / n.
    """
    logits = torch.addmm(parameters.head_bias, end, parameters.head.mT)
    likely = torch.log_softmax(logits, dim=1)
    value = -likely.gather(1, labels[:, None]).mean()
    of_logits = likely.exp_()
    of_logits[torch.arange(len(labels)), labels] -= 1
    of_logits /= len(labels)
    of_head = torch.cat([(of_logits.mT @ end).ravel(), of_logits.sum(dim=0)])
    return value, of_logits @ parameters.head, of_head


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


def charges(spec: RunSpec) -> Tensor:
    """What the square of each parameter costs, (P,): λ h where λ acts, the head's decay on C.

    Both penalties are Σ charges (θ − θ*)² over the flat vector, so that their gradient is
    2 charges (θ − θ*).
    """
    price = torch.zeros(parameter_count(spec))
    blocks = unflatten(spec, price)
    charged = {"both": (blocks.inner, blocks.outer), "outer": (blocks.outer,)}[spec.l2_on]
    for block in charged:
        block.fill_(spec.l2 * spec.step_length)
    blocks.head.fill_(spec.head_decay)
    return price


def add_pull_of_action(states: Tensor, price: float, pulls: Tensor) -> None:
    """Add to `pulls` the gradient of `price` 𝒜 in each of the states, both (L+1, 2, n).

    With Δ_l = X_{l+1} − X_l it is 2 L/n (Δ_{l−1} − Δ_l) in X_l.
    """
    depth, n = len(states) - 1, states.shape[2]
    steps = states.diff(dim=0).mul_(2 * price * depth / n)
    pulls[1:] += steps
    pulls[:-1] -= steps
