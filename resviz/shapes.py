"""How a network's parameters lie in one flat vector: the shape of each block, in order.

Standard library only: whoever names the weights of a run needs no PyTorch for it.
"""

from __future__ import annotations

from resviz.spec import RunSpec


def block_shapes(spec: RunSpec) -> dict[str, tuple[int, ...]]:
    """A (L, m, 2), a (L, m), B (L, 2, m), b (L, 2), and the head's C (k, 2) and c (k,).

    Layer after layer within each; k classes, 0 where clouds are matched.
    """
    depth, width, classes = spec.depth, spec.width, spec.classes
    return {
        "inner": (depth, width, 2),
        "inner_bias": (depth, width),
        "outer": (depth, 2, width),
        "outer_bias": (depth, 2),
        "head": (classes, 2),
        "head_bias": (classes,),
    }
