"""The network: L layers f_l(x) = B_l σ(A_l x + a_l) + b_l, and the one loop over them.

All parameters lie in one flat vector, layer after layer within each of the four
blocks A (L, m, 2), a (L, m), B (L, 2, m), b (L, 2): one tensor for the optimiser,
one array in a state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import gelu, linear, relu, softplus

from resviz.spec import RunSpec

ACTIVATION = {"tanh": torch.tanh, "relu": relu, "softplus": softplus, "gelu": gelu}


class Parameters(NamedTuple):
    """The four blocks: views of one flat vector."""

    inner: Tensor  # A (L, m, 2)
    inner_bias: Tensor  # a (L, m)
    outer: Tensor  # B (L, 2, m)
    outer_bias: Tensor  # b (L, 2)


def _shapes(spec: RunSpec) -> tuple[tuple[int, ...], ...]:
    depth, width = spec.depth, spec.width
    return (depth, width, 2), (depth, width), (depth, 2, width), (depth, 2)


def parameter_count(spec: RunSpec) -> int:
    """P, the length of the flat vector."""
    return sum(int(np.prod(shape)) for shape in _shapes(spec))


def unflatten(spec: RunSpec, flat: Tensor) -> Parameters:
    """The flat vector's four blocks, without a copy."""
    shapes = _shapes(spec)
    parts = flat.split([int(np.prod(shape)) for shape in shapes])
    return Parameters(*(part.view(shape) for part, shape in zip(parts, shapes, strict=True)))


def initial_parameters(spec: RunSpec, generator: Generator) -> np.ndarray:
    """The flat vector before training, float32 (P,).

    `start="identity"`: A and a as `torch.nn.Linear` draws them; B so small that the
    whole network moves points by about 0.02 at any depth, width and step size; b = 0.
    `start="random"`: all four as `torch.nn.Linear` draws them.
    """
    inner, inner_bias, outer, outer_bias = _shapes(spec)
    reach = 1 / np.sqrt(2)  # nn.Linear's bound: 1/√(number of inputs)
    first = [generator.uniform(-reach, reach, shape) for shape in (inner, inner_bias)]
    if spec.start == "identity":
        # L independent steps of length h add up to h√L of one of them.
        growth = max(1.0, spec.step_length * np.sqrt(spec.depth))
        scale = 0.02 / np.sqrt(spec.width) / growth
        second = [generator.normal(scale=scale, size=outer), np.zeros(outer_bias)]
    elif spec.start == "random":
        reach = 1 / np.sqrt(spec.width)
        second = [generator.uniform(-reach, reach, shape) for shape in (outer, outer_bias)]
    else:
        raise ValueError(f"start: {spec.start!r} has no initial parameters")
    return np.concatenate([block.ravel() for block in first + second]).astype(np.float32)


def layer_states(spec: RunSpec, parameters: Parameters, points: Tensor) -> Iterator[Tensor]:
    """Yields X_0, …, X_L, each (n, 2): X_{l+1} = X_l + h (B_l σ(A_l X_l + a_l) + b_l)."""
    activate, h = ACTIVATION[spec.activation], spec.step_length
    yield points
    for inner, inner_bias, outer, outer_bias in zip(*parameters, strict=True):
        hidden = activate(linear(points, inner, inner_bias))
        points = points + h * linear(hidden, outer, outer_bias)
        yield points


def tracks(spec: RunSpec, flat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The particles after each layer: points (n, 2) → float32 (L+1, n, 2)."""
    with torch.inference_mode():
        parameters = unflatten(spec, torch.tensor(flat))
        start = torch.tensor(points, dtype=torch.float32)
        return torch.stack(list(layer_states(spec, parameters, start))).numpy()
