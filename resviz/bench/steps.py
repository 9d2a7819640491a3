"""A training step: the usual loop's against ours, and against what no way can save."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim.adam import adam

from resviz.bench.idiomatic import Training, begun
from resviz.bench.rows import Aim, Row, faster, milliseconds, ratios
from resviz.bench.timing import in_turn, no_collector, seconds_of, threads
from resviz.flow import Flow
from resviz.processes import own_cores
from resviz.spec import RunSpec
from resviz.training import advance, initial_state

# DESIGN §5: the network alone, so against a loss that costs next to nothing.
NETWORK_ALONE = RunSpec(depth=20, width=32, batch=512)
Step = Callable[[], float]  # takes it, and gives the loss that it saw


def idiomatic_step(spec: RunSpec, **options: bool) -> Step:
    """One step of modules, autograd and PyTorch's Adam, against an MSE on a fixed batch."""
    source, goal = _batch(spec)
    network = begun(spec)
    optimiser = torch.optim.Adam(network.parameters(), lr=spec.learning_rate, **options)

    def step() -> float:
        optimiser.zero_grad()
        loss = mse_loss(network(source)[-1], goal)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def ours_step(spec: RunSpec) -> Step:
    """The same step by the parts that `training.advance` is made of: way, way back, Adam."""
    source, goal = _batch(spec)
    flow, goal = Flow(spec, spec.batch), goal.mT.contiguous()
    flat = torch.from_numpy(initial_state(spec).parameters.copy())
    first, second, count = torch.zeros_like(flat), torch.zeros_like(flat), torch.tensor(0.0)
    pulls = torch.zeros(spec.depth + 1, 2, spec.batch)

    def step() -> float:
        moved = flow.forward(flat, source)[-1] - goal
        loss = torch.dot(moved.flatten(), moved.flatten()).item() / moved.numel()
        torch.mul(moved, 2 / goal.numel(), out=pulls[-1])
        gradient, _ = flow.backward(pulls)
        adam(
            [flat], [gradient], [first], [second], [], [count],
            fused=True, amsgrad=False, maximize=False, beta1=0.9, beta2=0.999, eps=1e-8,
            lr=spec.learning_rate, weight_decay=0.0,
        )  # fmt: skip
        return loss

    return step


def floor_step(spec: RunSpec, tanh: Callable[[Tensor, Tensor], object]) -> Callable[[], None]:
    """The tanh and the products of a step forward and back, in our layout; nothing between.

    Into memory that is there, and biases as weights of a constant 1: a product costs no
    more with them.
    """
    depth, width, n = spec.depth, spec.width, spec.batch
    random = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    inner, outer = some(depth, width, 3), some(depth, 2, width + 1)
    states, grads = some(depth, 3, n), some(depth, 2, n)
    sums, units, pulled = some(depth, width, n), some(depth, width + 1, n), some(depth, width, n)
    moved, inner_t = some(2, n), inner[:, :, :2].transpose(1, 2).contiguous()
    outer_t = outer[:, :, :width].transpose(1, 2).contiguous()
    of_inner, of_outer = torch.empty_like(inner), torch.empty_like(outer)
    forward = list(zip(*(t.unbind() for t in (inner, outer, states, sums, units)), strict=True))
    back = list(zip(*(t.unbind() for t in (inner_t, outer_t, grads, pulled)), strict=True))

    def step() -> None:
        for a, b, x, z, s in forward:
            torch.mm(a, x, out=z)
            tanh(z, s[:width])
            torch.mm(b, s, out=moved)
        for a_t, b_t, g, u in back:
            torch.mm(b_t, g, out=u)
            torch.mm(a_t, u, out=moved)
        torch.bmm(pulled, states.transpose(1, 2), out=of_inner)
        torch.bmm(grads, units.transpose(1, 2), out=of_outer)

    return step


# Whichever is the quicker on this machine is the floor's.
TANH = {
    "torch": lambda z, s: torch.tanh(z, out=s),
    "numpy": lambda z, s: np.tanh(z.numpy(), out=s.numpy()),
}


def network_alone(
    runs: int, seconds: float, variants: bool, spec: RunSpec = NETWORK_ALONE
) -> tuple[Row, ...]:
    """The step against an MSE, its floor, and in `variants` the usual loop's own tunings."""
    ways = {"idiomatic": idiomatic_step(spec), "ours": ours_step(spec)}
    ways |= {f"floor, {name}": floor_step(spec, tanh) for name, tanh in TANH.items()}
    if variants:
        ways["fused"] = idiomatic_step(spec, fused=True)
        ways["threads"] = idiomatic_step(spec)
    taken = in_turn(ways, runs, seconds, split={"threads": own_cores()})
    ours = taken["ours"]
    floor = tuple(map(min, *(taken[f"floor, {name}"] for name in TANH)))
    shape = f"depth {spec.depth}, width {spec.width}, batch {spec.batch}"
    what = f"a step against an MSE, {shape}"
    rows = [
        faster(what, "idiomatic loop", taken["idiomatic"], ours, Aim(3)),
        Row(
            "… over its tanh and matrix products alone",
            milliseconds(ours),
            "no way can save these",
            milliseconds(floor),
            ratios(ours, floor),
            "× the floor",
        ),
    ]
    if variants:
        rows.append(
            faster("… against a tuned baseline", "idiomatic loop, Adam fused", taken["fused"], ours)
        )
        many = f"idiomatic loop, {own_cores()} threads"
        rows.append(faster("… against a tuned baseline", many, taken["threads"], ours))
    return tuple(rows)


def whole_steps(runs: int, steps: int, variants: bool, spec: RunSpec | None = None) -> list[Row]:
    """Batch, network, distance, gradient and Adam: both loops over the same steps of a run."""
    spec = spec or RunSpec()
    shape = f"{spec.loss} distance, depth {spec.depth}, batch {spec.batch}"
    rows = [_whole(runs, steps, spec, 1, f"a whole step, {shape}")]
    if variants:
        rows.append(_whole(runs, steps, spec, own_cores(), "… against a tuned baseline"))
    return rows


def _whole(runs: int, steps: int, spec: RunSpec, idiomatic_threads: int, what: str) -> Row:
    theirs, state = Training(spec), initial_state(spec)
    other, ours = [], []
    with no_collector():
        for _ in range(1 + runs):
            with threads(idiomatic_threads):
                began = time.perf_counter()
                theirs.take(steps)
                other.append((time.perf_counter() - began) / steps)
            began = time.perf_counter()
            state = advance(spec, state, steps)
            ours.append((time.perf_counter() - began) / steps)
    many = "" if idiomatic_threads == 1 else f", {idiomatic_threads} threads"
    return faster(what, f"idiomatic loop{many}", other[1:], ours[1:])  # without the warm-up


def step_seconds(spec: RunSpec, steps: int) -> float:
    """How long one of our steps takes, in this process."""
    state = advance(spec, initial_state(spec), steps)
    return seconds_of(lambda: advance(spec, state, steps)) / steps


def _batch(spec: RunSpec) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(spec.seed)
    source, goal = (torch.randn(spec.batch, 2, generator=random) for _ in range(2))
    return source, goal
