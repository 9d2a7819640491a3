"""The loop that a good engineer writes in an afternoon: the baseline, and the tests' oracle.

A module a block, the states in a list, every gradient by autograd, `torch.optim.Adam` as it
comes, distances by one call of `torch.cdist` or POT each. It sees the same batches, starts
at the same weights, and follows the same schedule as `training`, so that what differs is the
way, and not the task. Shares no line with `flow`, and of `losses` the directions alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resviz.bench.rivals import DISTANCE
from resviz.distributions import sample
from resviz.spec import RunSpec
from resviz.training import initial_state, learning_rate

ACTIVATION = {"tanh": nn.Tanh, "relu": nn.ReLU, "softplus": nn.Softplus, "gelu": nn.GELU}
_BATCH = 1  # the first word of the key of the batches' generators, as in `training`


class Plain(nn.Module):
    """x → B σ(A x + a) + b."""

    def __init__(self, spec: RunSpec, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner = nn.Linear(2, spec.width, dtype=dtype)
        self.activation = ACTIVATION[spec.activation]()
        self.outer = nn.Linear(spec.width, 2, dtype=dtype)

    def forward(self, points: Tensor) -> Tensor:
        return self.outer(self.activation(self.inner(points)))


class Residual(Plain):
    """x → x + h (B σ(A x + a) + b)."""

    def __init__(self, spec: RunSpec, dtype: torch.dtype) -> None:
        super().__init__(spec, dtype)
        self.step_length = spec.step_length

    def forward(self, points: Tensor) -> Tensor:
        return points + self.step_length * super().forward(points)


BLOCK = {"plain": Plain, "residual": Residual}


class Network(nn.Module):
    """The blocks one after the other, and in classification a linear head."""

    def __init__(self, spec: RunSpec, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        block = BLOCK[spec.network]
        self.layers = nn.ModuleList(block(spec, dtype) for _ in range(spec.depth))
        self.head = nn.Linear(2, spec.classes, dtype=dtype) if spec.classes else None

    def forward(self, points: Tensor) -> list[Tensor]:
        """X_0, …, X_L of points (n, 2), each (n, 2)."""
        states = [points]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states

    def in_order(self) -> list[nn.Parameter]:
        """The parameters in the flat vector's order: see `resviz.parameters`."""
        inner, outer = ([getattr(b, name) for b in self.layers] for name in ("inner", "outer"))
        linears = [(part.weight for part in inner), (part.bias for part in inner)]
        linears += [(part.weight for part in outer), (part.bias for part in outer)]
        ends = [self.head.weight, self.head.bias] if self.head is not None else []
        return [parameter for block in linears for parameter in block] + ends

    def load(self, flat: np.ndarray) -> Network:
        """Take the parameters of a flat vector (P,)."""
        parameters = self.in_order()
        parts = torch.from_numpy(flat).split([parameter.numel() for parameter in parameters])
        with torch.no_grad():
            for parameter, part in zip(parameters, parts, strict=True):
                parameter.copy_(part.view_as(parameter))
        return self

    def flat(self) -> Tensor:
        """The parameters as one vector (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in self.in_order()])

    def flat_gradient(self) -> Tensor:
        """Their gradients as one vector (P,), zero where the loss does not lead."""
        gradients = (
            torch.zeros_like(p) if p.grad is None else p.grad for p in self.in_order()
        )  # fmt: skip
        return torch.cat([gradient.flatten() for gradient in gradients])


def begun(spec: RunSpec, dtype: torch.dtype = torch.float32) -> Network:
    """The network before the first step, with the weights that `training` starts at."""
    return Network(spec, dtype).load(initial_state(spec).parameters)


def objective(
    spec: RunSpec,
    network: Network,
    source: Tensor,
    goal: Tensor,
    step: int,
    start: Network | None = None,
) -> Tensor:
    """D + λ h Σ_l (‖A_l‖² + ‖B_l‖²) + κ 𝒜 (+ the head's decay), as `training.advance` has it.

    `start` is the network before training, for `l2_towards="start"`.
    """
    states = network(source)
    if spec.task == "classify":
        loss = cross_entropy(network.head(states[-1]), goal)
        loss = loss + spec.head_decay * network.head.weight.square().sum()
    else:
        loss = DISTANCE[spec.loss](spec, states[-1], goal, step)
    if spec.l2:
        loss = loss + spec.l2 * weight_penalty(spec, network, start)
    if spec.kinetic:
        steps = torch.stack(states).diff(dim=0)
        loss = loss + spec.kinetic * spec.depth * steps.square().sum(dim=(0, 2)).mean()
    return loss


def weight_penalty(spec: RunSpec, network: Network, start: Network | None) -> Tensor:
    """h Σ_l ‖W_l − W*_l‖² over the weights that λ is charged on."""
    charged = {"both": ("inner", "outer"), "outer": ("outer",)}[spec.l2_on]

    def weights(of: Network) -> list[Tensor]:
        return [getattr(layer, name).weight for layer in of.layers for name in charged]

    if spec.l2_towards == "start":
        pairs = zip(weights(network), weights(start or begun(spec)), strict=True)
        terms = [(weight - origin.detach()).square().sum() for weight, origin in pairs]
    else:
        terms = [weight.square().sum() for weight in weights(network)]
    return spec.step_length * sum(terms)


def batch(spec: RunSpec, step: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The points that `training` draws for this step, from the same generator."""
    generator = np.random.default_rng([_BATCH, spec.seed, step])
    points, labels = sample(spec.source, spec.batch, generator)
    source = torch.from_numpy(points).to(dtype)
    if spec.task == "classify":
        return source, torch.from_numpy(labels.astype(np.int64))
    points, _ = sample(spec.target, spec.batch, generator)
    return source, torch.from_numpy(points).to(dtype)


class Training:
    """A training under way, in PyTorch's number of threads."""

    def __init__(
        self, spec: RunSpec, dtype: torch.dtype = torch.float32, **adam: bool | None
    ) -> None:
        self.spec = spec
        self.step = 0
        self.network = begun(spec, dtype)
        self._start = begun(spec, dtype) if spec.l2_towards == "start" else None
        self._dtype = dtype
        self._adam = torch.optim.Adam(self.network.parameters(), lr=spec.learning_rate, **adam)

    def take(self, steps: int) -> None:
        """Go on by so many steps, or to the spec's last."""
        for step in range(self.step, min(self.step + steps, self.spec.steps)):
            source, goal = batch(self.spec, step, self._dtype)
            for group in self._adam.param_groups:
                group["lr"] = learning_rate(self.spec, step)
            self._adam.zero_grad()
            loss = objective(self.spec, self.network, source, goal, step, self._start)
            loss.backward()
            self._adam.step()
            self.step = step + 1


def train(spec: RunSpec, steps: int, dtype: torch.dtype = torch.float32) -> Network:
    """The network after so many steps."""
    training = Training(spec, dtype)
    training.take(steps)
    return training.network
