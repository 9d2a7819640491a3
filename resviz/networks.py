"""Looks at a trained network: where it moves points, and what it calls them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from resviz.flow import Flow, through
from resviz.parameters import Parameters, unflatten
from resviz.spec import RunSpec


def class_logits(parameters: Parameters, end: Tensor) -> Tensor:
    """The head's C x + c of points x on X_L: (n, 2) → (n, k)."""
    return linear(end, parameters.head, parameters.head_bias)


def tracks(spec: RunSpec, flat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The particles after each layer: points (n, 2) → float32 (L+1, n, 2)."""
    with torch.inference_mode():
        start = torch.tensor(points, dtype=torch.float32)
        states = Flow(spec, len(points)).forward(torch.tensor(flat), start)
        return np.ascontiguousarray(states.mT.numpy())


def predicted_classes(spec: RunSpec, flat: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The class that the head calls likeliest at each point of X_L: (n, 2) → int (n,)."""
    with torch.inference_mode():
        parameters = unflatten(spec, torch.tensor(flat))
        logits = class_logits(parameters, torch.tensor(end, dtype=torch.float32))
        return logits.argmax(dim=1).numpy()


def decision_regions(spec: RunSpec, flat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The class at each of `points` (n, 2), had a particle been there after layer l: int (L+1, n).

    Row l sends the points through layers l+1 … L and the head alone, so that row 0 is the
    network's own decision, and row L the head's, whose borders are straight.
    """
    with torch.inference_mode():
        vector = torch.tensor(flat)
        parameters = unflatten(spec, vector)
        everywhere = torch.tensor(points, dtype=torch.float32)
        ends = (through(spec, vector, everywhere, first) for first in range(spec.depth + 1))
        return torch.stack([class_logits(parameters, end).argmax(dim=1) for end in ends]).numpy()


def jacobians(spec: RunSpec, flat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """∂X_L/∂X_0 at each of `points` (n, 2): float64 (n, 2, 2), [particle, of output, by input].

    In double precision, the map's own derivative and no difference. No particle moves
    another, so that one way back through the layers gives a row of every Jacobian.
    """
    start = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    flow = Flow(spec, len(points), torch.float64)
    end = flow(torch.tensor(flat, dtype=torch.float64), start)[-1]
    rows = [torch.autograd.grad(end[:, k].sum(), start, retain_graph=k == 0) for k in (0, 1)]
    return torch.stack([row for (row,) in rows], dim=1).numpy()
