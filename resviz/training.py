"""Training as a pure function on a small state: state in, state out.

`advance(spec, advance(spec, s, 100), 100)` equals `advance(spec, s, 200)` to the last
bit, in any process: batches come from a generator keyed by (seed, step), Adam's
moments are part of the state, and one thread does the sums. So a live view is
"advance a little, look", a pause is not asking for more, and a chunk that a killed
worker lost is taken again from the same state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from resviz.distributions import sample
from resviz.losses import action, distance, head_penalty, weight_penalty
from resviz.networks import (
    Parameters,
    class_logits,
    initial_parameters,
    layer_states,
    parameter_count,
    unflatten,
)
from resviz.records import TrainState
from resviz.spec import RunSpec

# The clouds are a few units wide, and the wildest random start is some 30 away from its
# target. An output this far from it (50, or its square) will not come back, nor will a head
# that is wrong by a thousand nats.
DIVERGED_BEYOND = {"energy": 50.0, "sliced": 2500.0, "sinkhorn": 2500.0, "cross-entropy": 1000.0}

# Streams of random numbers that never meet: the first word of each generator's key.
_START, _BATCH = 0, 1


def initial_state(spec: RunSpec) -> TrainState:
    """The state before the first step, fixed by the spec's seed and network."""
    parameters = initial_parameters(spec, np.random.default_rng([_START, spec.seed]))
    zeros = np.zeros_like(parameters)
    return TrainState(0, parameters, zeros, zeros)


def advance(spec: RunSpec, state: TrainState, steps: int) -> TrainState:
    """Take up to `steps` steps of Adam; fewer where `spec.steps` is reached.

    Minimises D(X_L, Y) + λ h Σ_l (‖A_l‖² + ‖B_l‖²) + κ 𝒜 over fresh batches X ~ source,
    Y ~ target; in classification D is the cross-entropy of the head on X_L, and the head's
    own decay is added. A step after which D on the next batch is not finite, or over
    `DIVERGED_BEYOND`, is taken back: its number stands in the state's `diverged` and
    training has ended. So every state that is returned moves points to finite places.

    Raises `ValueError` if `steps` is negative or the state belongs to another network.
    """
    if steps < 0:
        raise ValueError(f"steps: {steps} is not allowed; allowed is 0 or more")
    if state.parameters.shape != (parameter_count(spec),):
        raise ValueError(
            f"state: has {state.parameters.size} parameters; the network of this spec has "
            f"{parameter_count(spec)}"
        )
    last = min(state.step + steps, spec.steps)
    if state.diverged is not None or last <= state.step:
        return state
    with one_thread():
        return _advance(spec, state, last)


def _advance(spec: RunSpec, state: TrainState, last: int) -> TrainState:
    flat = torch.from_numpy(state.parameters.copy()).requires_grad_()
    parameters = unflatten(spec, flat)
    start = unflatten(spec, torch.from_numpy(initial_state(spec).parameters))
    beyond = DIVERGED_BEYOND["cross-entropy" if spec.task == "classify" else spec.loss]
    adam = _adam(flat, state)
    usable, step, loss = state, state.step, state.loss
    while True:
        source, goal = _batch(spec, step)
        states = list(layer_states(spec, parameters, source))
        miss = _miss(spec, parameters, states[-1], goal, step)
        if not miss.item() <= beyond:  # NaN is not
            return replace(usable, diverged=max(step, usable.step + 1))
        usable = _state(flat, adam, step, loss)
        if step == last:
            return usable
        objective = miss + _penalties(spec, parameters, start, states)
        adam.zero_grad()
        objective.backward()
        adam.param_groups[0]["lr"] = learning_rate(spec, step)
        adam.step()
        step, loss = step + 1, objective.item()


def _miss(
    spec: RunSpec, parameters: Parameters, end: torch.Tensor, goal: torch.Tensor, step: int
) -> torch.Tensor:
    """What the task itself asks to be small: D, or the head's cross-entropy."""
    match spec.task:
        case "match":
            return distance(spec, end, goal, step)
        case "classify":
            return cross_entropy(class_logits(parameters, end), goal)
        case task:
            raise ValueError(f"task: {task!r} has no objective")


def _penalties(
    spec: RunSpec, parameters: Parameters, start: Parameters, states: list[torch.Tensor]
) -> torch.Tensor | float:
    """What the spec charges for beside it; nothing is worked out that is not charged for."""
    charge = 0.0
    if spec.l2:
        charge = charge + spec.l2 * weight_penalty(spec, parameters, start)
    if spec.kinetic:
        charge = charge + spec.kinetic * action(states)
    if spec.task == "classify" and spec.head_decay:
        charge = charge + spec.head_decay * head_penalty(parameters)
    return charge


def _state(flat: torch.Tensor, adam: torch.optim.Adam, step: int, loss: float) -> TrainState:
    """A copy of where training stands."""
    moments = adam.state[flat]
    tensors = (flat.detach(), moments["exp_avg"], moments["exp_avg_sq"])
    return TrainState(step, *(tensor.numpy().copy() for tensor in tensors), loss)


def learning_rate(spec: RunSpec, step: int) -> float:
    """The rate of the step after `step` steps: a linear warm-up over the first
    twentieth of the run, then a half cosine down to 0 at `spec.steps`.
    """
    warm_up = spec.steps / 20
    falling = 0.5 * (1 + math.cos(math.pi * step / spec.steps))
    return spec.learning_rate * min(1.0, (step + 1) / warm_up) * falling


def _batch(spec: RunSpec, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Fresh points of the source, and what they should become: target points, or classes."""
    generator = np.random.default_rng([_BATCH, spec.seed, step])
    points, labels = sample(spec.source, spec.batch, generator)
    source = torch.from_numpy(points.astype(np.float32))
    if spec.task == "classify":
        return source, torch.from_numpy(labels.astype(np.int64))
    points, _ = sample(spec.target, spec.batch, generator)
    return source, torch.from_numpy(points.astype(np.float32))


def _adam(flat: torch.Tensor, state: TrainState) -> torch.optim.Adam:
    """PyTorch's own Adam, set to where `state` left it."""
    adam = torch.optim.Adam([flat], betas=(0.9, 0.999), fused=True)
    adam.state[flat] = {
        "step": torch.tensor(float(state.step)),
        "exp_avg": torch.from_numpy(state.first_moment.copy()),
        "exp_avg_sq": torch.from_numpy(state.second_moment.copy()),
    }
    return adam


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums split over threads depend on their number, and these arrays gain nothing by it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
