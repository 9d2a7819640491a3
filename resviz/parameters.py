"""The parameters: how they lie in one flat vector, and what they are before training.

The network has L layers f_l(x) = B_l σ(A_l x + a_l) + b_l. Layer after layer within each of
the four blocks A (L, m, 2), a (L, m), B (L, 2, m), b (L, 2) lie in the vector, then the
head's C (k, 2) and c (k,) for k classes: one tensor for the optimiser, one array in a state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from torch import Tensor

from resviz.shapes import block_shapes
from resviz.spec import RunSpec

# How far the noise in B moves points, all layers together, in data units. Without it a
# plain network's layers would all begin as the same map.
PAIR_NOISE = 0.01


class Parameters(NamedTuple):
    """The blocks: views of one flat vector."""

    inner: Tensor  # A (L, m, 2)
    inner_bias: Tensor  # a (L, m)
    outer: Tensor  # B (L, 2, m)
    outer_bias: Tensor  # b (L, 2)
    head: Tensor  # C (k, 2), k = 0 where clouds are matched
    head_bias: Tensor  # c (k,)


def _shapes(spec: RunSpec) -> tuple[tuple[int, ...], ...]:
    return tuple(block_shapes(spec).values())


def parameter_count(spec: RunSpec) -> int:
    """P, the length of the flat vector."""
    return sum(int(np.prod(shape)) for shape in _shapes(spec))


def unflatten(spec: RunSpec, flat: Tensor) -> Parameters:
    """The flat vector's blocks, without a copy."""
    shapes = _shapes(spec)
    parts = flat.split([int(np.prod(shape)) for shape in shapes])
    return Parameters(*(part.view(shape) for part, shape in zip(parts, shapes, strict=True)))


def initial_parameters(spec: RunSpec, generator: Generator) -> np.ndarray:
    """The flat vector before training, float32 (P,).

    `start="identity"`, residual: A and a as `torch.nn.Linear` draws them; B so small that
    the whole network moves points by about 0.02 at any depth, width and step size; b = 0.
    Plain: mirrored pairs A = [W; −W], B = [W⁺, −W⁺]/c with σ(z) − σ(−z) = c z, so that
    each layer is the identity, and a little noise in B: c = 1 for ReLU, softplus and
    GELU; tanh, where c = 2 holds near 0 alone, has small W. b = 0.
    Either way rms‖X_L − X_0‖ is below a tenth of the cloud's radius.
    `start="random"`: all four as `torch.nn.Linear` draws them. So is the head, always.
    """
    inner, inner_bias, outer, outer_bias, head, head_bias = _shapes(spec)
    reach, outer_reach = 1 / np.sqrt(2), 1 / np.sqrt(spec.width)  # nn.Linear's: 1/√(inputs)
    match spec.start, spec.network:
        case "identity", "residual":
            # L independent steps of length h add up to h√L of one of them.
            growth = max(1.0, spec.step_length * np.sqrt(spec.depth))
            scale = 0.02 / np.sqrt(spec.width) / growth
            layers = [
                *(generator.uniform(-reach, reach, shape) for shape in (inner, inner_bias)),
                generator.normal(scale=scale, size=outer),
                np.zeros(outer_bias),
            ]
        case "identity", "plain":
            layers = _mirrored_pairs(spec, generator)
        case "random", _:
            layers = [
                *(generator.uniform(-reach, reach, shape) for shape in (inner, inner_bias)),
                *(generator.uniform(-outer_reach, outer_reach, s) for s in (outer, outer_bias)),
            ]
        case start:
            raise ValueError(f"start and network: {start} has no initial parameters")
    ends = [generator.uniform(-reach, reach, shape) for shape in (head, head_bias)]
    return np.concatenate([block.ravel() for block in layers + ends]).astype(np.float32)


def _mirrored_pairs(spec: RunSpec, generator: Generator) -> list[np.ndarray]:
    """A, a, B and b of layers that are the identity, with a little noise in B."""
    depth, pairs = spec.depth, spec.width // 2
    # Columns at right angles: then W⁺ is Wᵀ over a number, and no direction is weak.
    frames = np.linalg.qr(generator.normal(size=(depth, pairs, 2)))[0]
    spread = 1 / np.sqrt(6)  # of an entry of A as nn.Linear draws it
    bias, slope = np.zeros((depth, pairs)), np.ones((depth, pairs))
    if spec.activation == "tanh":
        # The mirror image of a tanh unit is the same unit. A bias of both sets them apart:
        # tanh(z + δ) − tanh(−z + δ) = 2 z / cosh² δ + O(z³), of which each layer may have 1/L.
        spread = min(spread, 0.15 / np.sqrt(depth))
        bias = generator.uniform(-0.5, 0.5, bias.shape)
        slope = 2 / np.cosh(bias) ** 2
    scale = spread * np.sqrt(pairs)
    half = scale * frames
    inverse = frames.transpose(0, 2, 1) / (scale * slope[:, None])
    outer = np.concatenate([inverse, -inverse], axis=2)
    noise = PAIR_NOISE / np.sqrt(spec.width * depth)
    return [
        np.concatenate([half, -half], axis=1),
        np.concatenate([bias, bias], axis=1),
        outer + generator.normal(scale=noise, size=outer.shape),
        np.zeros((depth, 2)),
    ]
