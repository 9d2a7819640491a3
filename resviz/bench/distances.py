"""The three distances alone, and an exact plan, against the libraries' own ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from resviz import losses
from resviz.bench import rivals
from resviz.bench.rows import Row, faster
from resviz.bench.timing import in_turn, seconds_of, threads
from resviz.distributions import sample
from resviz.spec import RunSpec
from resviz.transport import optimal_plan

Answer = tuple[Tensor, Tensor]  # the value, a scalar, and its gradient in x, (n, 2)
Way = Callable[[Tensor, Tensor], Answer]  # of x (n, 2) and y (n, 2)

SAME = 1e-3  # ways whose answers differ by more do not do the same thing
# Of Sinkhorn's both are approximate; ours may be so far from the limit, and no farther.
NEAR = 0.2
ITERATIONS = (10, 20, 50, 100, 200, 500)
LIMIT_ITERATIONS = 1000


def energy(n: int, runs: int, seconds: float) -> tuple[Row, Row]:
    """Ours by autograd and as training takes it, against three calls of `torch.cdist`."""
    spec = RunSpec(loss="energy", batch=n)
    x, y = clouds(spec)
    other = by_autograd(rivals.energy_distance)
    whole, trained = by_autograd(losses.energy_distance), as_trained(spec)
    what = f"energy distance of {n} points"
    with threads(1):
        check(what, whole(x, y), other(x, y))
        # Training's value lacks what the network cannot change.
        check(what, (whole(x, y)[0], trained(x, y)[1]), other(x, y))
    taken = _timed({"other": other, "whole": whole, "trained": trained}, x, y, runs, seconds)
    against = "three cdist, autograd"
    return (
        faster(f"{what}, value and gradient", against, taken["other"], taken["whole"]),
        faster("… as training takes it", against, taken["other"], taken["trained"],
               note="without E‖Y−Y′‖, which no network can change"),
    )  # fmt: skip


def sliced(n: int, runs: int, seconds: float) -> Row:
    """Ours against `ot.sliced_wasserstein_distance`, along the same directions."""
    spec = RunSpec(loss="sliced", batch=n)
    x, y = clouds(spec)
    other = by_autograd(lambda x, y: rivals.DISTANCE["sliced"](spec, x, y, 0))
    ours = as_trained(spec)
    what = f"sliced W2² of {n} points, {spec.projections} directions, value and gradient"
    with threads(1):
        check(what, ours(x, y), other(x, y))
    taken = _timed({"other": other, "ours": ours}, x, y, runs, seconds)
    return faster(what, "POT, autograd", taken["other"], taken["ours"])


def sinkhorn(spec: RunSpec, runs: int, seconds: float) -> Row:
    """Ours against POT's log domain, which gets as many iterations as it needs to be as exact.

    Measured by value and gradient against POT's own after `LIMIT_ITERATIONS` in double
    precision. POT may take the quicker of single and double.
    """
    x, y = clouds(spec)
    ours = as_trained(spec)

    def pot(iterations: int, dtype: torch.dtype) -> Way:
        return by_autograd(
            lambda x, y: rivals.sinkhorn_divergence(
                x.to(dtype), y.to(dtype), spec.epsilon, iterations
            )
        )

    what = f"Sinkhorn divergence of {spec.batch} points, {spec.source} to {spec.target}"
    with threads(1):
        limit = pot(LIMIT_ITERATIONS, torch.float64)(x, y)
        error = check(what, ours(x, y), limit, NEAR)
        enough = next(
            (n for n in ITERATIONS if apart(pot(n, torch.float64)(x, y), limit) <= error),
            LIMIT_ITERATIONS,
        )
        precisions = [pot(enough, dtype) for dtype in (torch.float32, torch.float64)]
        other = min(precisions, key=lambda way: seconds_of(lambda: way(x, y)))
    taken = _timed({"other": other, "ours": ours}, x, y, runs, seconds)
    return faster(
        f"{what}, ε = {spec.epsilon:g}",
        f"POT, log domain, {enough} iterations",
        taken["other"],
        taken["ours"],
        note=f"ours is {100 * error:.2g} % off the limit; so many iterations bring POT as near",
    )


def exact_plan(n: int, runs: int, seconds: float) -> Row:
    """The optimal plan of n held-out points to the target's, against POT's network simplex."""
    x, y = (cloud.double().numpy() for cloud in clouds(RunSpec(batch=n)))
    other, ours = rivals.optimal_plan(x, y), optimal_plan(x, y)
    costs = [float(np.square(x - y[plan]).sum()) for plan in (other, ours)]
    if not np.isclose(*costs, rtol=1e-9, atol=0):
        raise RuntimeError(f"plans of {n} points: they cost {costs[0]} and {costs[1]}")
    ways = {"other": lambda: rivals.optimal_plan(x, y), "ours": lambda: optimal_plan(x, y)}
    taken = in_turn(ways, runs, seconds)
    what = f"an exact optimal plan of {n} points"
    return faster(what, "POT, network simplex", taken["other"], taken["ours"])


def clouds(spec: RunSpec) -> tuple[Tensor, Tensor]:
    """A batch of source and target, float32 (n, 2)."""
    random = np.random.default_rng(spec.batch)
    names = spec.source, spec.target
    x, y = (sample(name, spec.batch, random)[0].astype(np.float32) for name in names)
    return torch.from_numpy(x), torch.from_numpy(y)


def as_trained(spec: RunSpec) -> Way:
    """The distance of `spec` as `training` takes it: value and gradient at once."""
    pull = losses.PULL[spec.loss](spec)
    return lambda x, y: pull(x, y, 0)


def by_autograd(distance: Callable[[Tensor, Tensor], Tensor]) -> Way:
    """A distance that knows no gradient of its own."""

    def work(x: Tensor, y: Tensor) -> Answer:
        x = x.detach().requires_grad_()
        value = distance(x, y)
        value.backward()
        return value.detach(), x.grad

    return work


def apart(seen: Answer, right: Answer) -> float:
    """How far value or gradient is off, whichever more, as a share of the right one."""
    pairs = zip(seen, right, strict=True)
    return max(((a.double() - b.double()).norm() / b.double().norm()).item() for a, b in pairs)


def check(what: str, ours: Answer, other: Answer, most: float = SAME) -> float:
    """How far apart they are. Raises `RuntimeError` where times would compare nothing."""
    error = apart(ours, other)
    if not error <= most:
        raise RuntimeError(
            f"{what}: ours and the other way's answers differ by {error:.1%}, so that their times "
            "do not compare."
        )
    return error


def _timed(
    ways: Mapping[str, Way], x: Tensor, y: Tensor, runs: int, seconds: float
) -> dict[str, tuple[float, ...]]:
    def call(way: Way) -> Callable[[], Answer]:
        return lambda: way(x, y)

    return in_turn({name: call(way) for name, way in ways.items()}, runs, seconds)
