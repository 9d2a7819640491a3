"""What training minimises: a distance between two clouds, and two penalties."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from resviz.networks import Parameters
from resviz.spec import RunSpec


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


DISTANCE = {"energy": energy_distance}


def weight_penalty(spec: RunSpec, parameters: Parameters) -> Tensor:
    """h Σ_l (‖A_l‖² + ‖B_l‖²), or h Σ_l ‖B_l‖² with `l2_on="outer"`.

    The h makes λ mean the same at every depth. Biases are free: a translation of
    the cloud costs nothing.
    """
    charged = {
        "both": (parameters.inner, parameters.outer),
        "outer": (parameters.outer,),
    }[spec.l2_on]
    return spec.step_length * sum(block.square().sum() for block in charged)


def action(states: Sequence[Tensor]) -> Tensor:
    """𝒜 = L Σ_l E‖X_{l+1} − X_l‖² of L+1 layer states (n, 2), in squared data units."""
    path = torch.stack(list(states))
    return (len(path) - 1) * path.diff(dim=0).square().sum(dim=(0, 2)).mean()
