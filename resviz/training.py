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

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.optim.adam import adam

from resviz.distributions import sample
from resviz.flow import Flow
from resviz.losses import (
    PULL,
    action,
    add_pull_of_action,
    charges,
    cross_entropy_pull,
    distance,
    head_penalty,
    weight_penalty,
)
from resviz.networks import class_logits
from resviz.parameters import initial_parameters, parameter_count, unflatten
from resviz.records import STATE_ARRAYS, TrainState
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
    own decay is added. A step after which D on the next batch (the energy distance without
    −E‖Y−Y′‖) is not finite, or over `DIVERGED_BEYOND`, is taken back: its number stands in the
    state's `diverged` and training has ended. So every state that is returned moves points to
    finite places.

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
    flat, first, second = (torch.from_numpy(getattr(state, name).copy()) for name in STATE_ARRAYS)
    slope, count = _Slope(spec), torch.tensor(float(state.step))
    step, usable, before = state.step, (flat.clone(), first.clone(), second.clone()), None
    while True:
        finite = slope.look(flat, step) <= slope.beyond  # NaN is not
        if finite:
            before = usable[0] if step > state.step else None
            usable = flat.clone(), first.clone(), second.clone()
        if step == last or not finite:
            break
        adam(
            [flat], [slope.gradient(flat)], [first], [second], [], [count],
            fused=True, amsgrad=False, maximize=False, beta1=0.9, beta2=0.999, eps=1e-8,
            lr=learning_rate(spec, step), weight_decay=0.0,
        )  # fmt: skip
        step += 1
    stands = step if finite else max(step - 1, state.step)
    return TrainState(
        step=stands,
        parameters=usable[0].numpy(),
        first_moment=usable[1].numpy(),
        second_moment=usable[2].numpy(),
        loss=state.loss if before is None else objective(spec, before, stands - 1).item(),
        diverged=None if finite else stands + 1,
    )


def objective(spec: RunSpec, flat: torch.Tensor, step: int) -> torch.Tensor:
    """What the step after `step` steps makes smaller: a scalar, differentiable in flat (P,)."""
    source, goal = _batch(spec, step, flat.dtype)
    states = Flow(spec, spec.batch, flat.dtype)(flat, source)
    parameters = unflatten(spec, flat)
    match spec.task:
        case "match":
            miss = distance(spec, states[-1], goal, step)
        case "classify":
            miss = cross_entropy(class_logits(parameters, states[-1]), goal)
        case task:
            raise ValueError(f"task: {task!r} has no objective")
    start = torch.from_numpy(initial_state(spec).parameters).to(flat)
    charge = spec.l2 * weight_penalty(spec, parameters, unflatten(spec, start))
    return (
        miss + charge + spec.kinetic * action(states) + spec.head_decay * head_penalty(parameters)
    )


class _Slope:
    """The gradient of `objective` in two halves, by hand, and in memory that is asked for once."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._flow = Flow(spec, spec.batch)
        self._pulls = torch.zeros(spec.depth + 1, 2, spec.batch)  # the states' own
        self._prices = charges(spec)
        self._charged = bool(self._prices.any())
        self._origin = {
            "zero": lambda: torch.zeros_like(self._prices),
            "start": lambda: _layers_alone(spec, initial_state(spec).parameters),
        }[spec.l2_towards]()
        self._distance = PULL[spec.loss](spec)
        self.beyond = DIVERGED_BEYOND["cross-entropy" if spec.classes else spec.loss]

    def look(self, flat: torch.Tensor, step: int) -> float:
        """How far the batch of this step is from its goal: the miss, without all penalties."""
        spec = self._spec
        source, goal = _batch(spec, step)
        self._states = self._flow.forward(flat, source)
        end, self._of_head = self._states[-1].mT, None
        if spec.classes:
            value, pull, self._of_head = cross_entropy_pull(unflatten(spec, flat), end, goal)
        else:
            value, pull = self._distance(end, goal, step)
        self._pull = pull.mT
        return value.item()

    def gradient(self, flat: torch.Tensor) -> torch.Tensor:
        """The objective's gradient, (P,), where `look` has just looked."""
        self._pulls[:-1], self._pulls[-1] = 0, self._pull
        if self._spec.kinetic:
            add_pull_of_action(self._states, self._spec.kinetic, self._pulls)
        gradient, _ = self._flow.backward(self._pulls)
        if self._of_head is not None:
            gradient[-len(self._of_head) :] = self._of_head
        if self._charged:
            gradient.addcmul_(self._prices, flat - self._origin, value=2)
        return gradient


def _layers_alone(spec: RunSpec, flat: np.ndarray) -> torch.Tensor:
    """The flat vector, with zeros in place of the head."""
    vector = torch.from_numpy(flat.copy())
    vector[len(vector) - 3 * spec.classes :] = 0
    return vector


def learning_rate(spec: RunSpec, step: int) -> float:
    """The rate of the step after `step` steps: a linear warm-up over the first
    twentieth of the run, then a half cosine down to 0 at `spec.steps`.
    """
    warm_up = spec.steps / 20
    falling = 0.5 * (1 + math.cos(math.pi * step / spec.steps))
    return spec.learning_rate * min(1.0, (step + 1) / warm_up) * falling


def _batch(
    spec: RunSpec, step: int, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fresh points of the source, and what they should become: target points, or classes."""
    generator = np.random.default_rng([_BATCH, spec.seed, step])
    points, labels = sample(spec.source, spec.batch, generator)
    source = torch.from_numpy(points).to(dtype)
    if spec.task == "classify":
        return source, torch.from_numpy(labels.astype(np.int64))
    points, _ = sample(spec.target, spec.batch, generator)
    return source, torch.from_numpy(points).to(dtype)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums split over threads depend on their number, and these arrays gain nothing by it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
