"""The distances as one writes them with the libraries at hand: `torch.cdist`, and POT."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from resviz.losses import directions

_DIRECTIONS = 2  # the first word of the key of the directions' generators, as in `losses`
# POT's own number is 1000, with a tolerance that float32 never meets: with it the loop would
# be slower still, and no better.
SINKHORN_ITERATIONS = 100


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """2 E‖X−Y‖ − E‖X−X′‖ − E‖Y−Y′‖ of x (n, 2) and y (k, 2)."""
    within = torch.cdist(x, x).mean() + torch.cdist(y, y).mean()
    return 2 * torch.cdist(x, y).mean() - within


def sliced_w2_squared(x: Tensor, y: Tensor, projections: Tensor) -> Tensor:
    """The square of `ot.sliced_wasserstein_distance` along `projections` (2, m)."""
    import ot

    return ot.sliced_wasserstein_distance(x, y, projections=projections.to(x), p=2) ** 2


def sinkhorn_divergence(
    x: Tensor, y: Tensor, epsilon: float, iterations: int = SINKHORN_ITERATIONS
) -> Tensor:
    """S_ε by `ot.solve_sample`: the log domain, debiased, the gradient by the envelope theorem."""
    import ot

    with warnings.catch_warnings():  # it stops where it was told to
        warnings.filterwarnings("ignore", "Sinkhorn did not converge")
        solved = ot.solve_sample(
            x, y, reg=epsilon, debias=True, grad="envelope", max_iter=iterations
        )
    return solved.value


def optimal_plan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cheapest permutation of x (n, 2) to y (n, 2) by `ot.emd`."""
    import ot

    return ot.emd([], [], ot.dist(x, y)).argmax(axis=1)


DISTANCE = {
    "energy": lambda spec, x, y, step: energy_distance(x, y),
    "sliced": lambda spec, x, y, step: sliced_w2_squared(
        x, y, directions(spec.projections, np.random.default_rng([_DIRECTIONS, spec.seed, step]))
    ),
    "sinkhorn": lambda spec, x, y, step: sinkhorn_divergence(x, y, spec.epsilon),
}
