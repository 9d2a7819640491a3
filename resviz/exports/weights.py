"""A run's weights in the safetensors format, which other libraries and languages read."""

from __future__ import annotations

import math

import numpy as np
from safetensors.numpy import save

from resviz import words
from resviz.records import Run
from resviz.shapes import block_shapes
from resviz.spec import RunSpec

LAYERS = {
    "residual": "x + h * (outer[l] @ activation(inner[l] @ x + inner_bias[l]) + outer_bias[l])",
    "plain": "outer[l] @ activation(inner[l] @ x + inner_bias[l]) + outer_bias[l]",
}


def blocks(spec: RunSpec, flat: np.ndarray) -> dict[str, np.ndarray]:
    """The named blocks of a state's flat vector (P,), in the order in which they lie there.

    `inner` A (L, m, 2), `inner_bias` a (L, m), `outer` B (L, 2, m), `outer_bias` b (L, 2); where
    classes are told apart `head` C (k, 2) and `head_bias` c (k,), too.
    """
    shapes = block_shapes(spec)
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    named = zip(shapes.items(), parts, strict=True)
    return {name: part.reshape(shape) for (name, shape), part in named if part.size}


def safetensors(run: Run) -> bytes:
    """Every weight by its name, float32; the spec is in the metadata, a text a field.

    Beside it stand `layer`, what layer l does with x, `h`, `trained_steps`, and `ending`, a
    sentence on where training ended and why.
    """
    told = {
        "layer": LAYERS[run.spec.network],
        "h": repr(run.spec.step_length),
        "trained_steps": str(run.state.step),
        "ending": words.ended(run),
    }
    tensors = blocks(run.spec, run.state.parameters)
    return save(tensors, metadata=run.spec.to_query() | told)
