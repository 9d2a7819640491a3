"""What training minimises, against numbers worked out by hand."""

import pytest
import torch

from resviz import spec
from resviz.losses import DISTANCE, action, energy_distance, weight_penalty
from resviz.networks import Parameters, unflatten
from resviz.spec import RunSpec


def cloud(*points):
    return torch.tensor(points, dtype=torch.float64)


def random_cloud(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, dtype=torch.float64, generator=generator)


def test_registries_name_the_same_distances():
    assert set(DISTANCE) == set(spec.LOSSES)


@pytest.mark.parametrize(
    ("x", "y", "distance"),
    [
        (cloud((0, 0)), cloud((3, 4)), 10.0),  # one point and one: twice their distance
        (cloud((0, 0)), cloud((0.25, 0)), 0.5),
        # 2·1 − (0 + 2 + 2 + 0)/4 − 0
        (cloud((0, 0), (2, 0)), cloud((1, 0)), 1.0),
        # 2·(0 + 5)/2 − (0 + 5 + 5 + 0)/4 − 0
        (cloud((0, 0), (3, 4)), cloud((0, 0)), 2.5),
        # 2·(1 + 2 + 0 + 1)/4 − (0 + 1 + 1 + 0)/4, twice
        (cloud((0, 0), (1, 0)), cloud((1, 0), (2, 0)), 1.0),
    ],
)
def test_energy_distance_by_hand(x, y, distance):
    assert energy_distance(x, y).item() == pytest.approx(distance, abs=1e-12)
    assert energy_distance(y, x).item() == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_energy_distance_is_positive_between_different_clouds(seed):
    x, y = random_cloud(7, seed), random_cloud(9, seed + 100)
    assert energy_distance(x, y).item() > 1e-3
    assert energy_distance(x, y).item() == pytest.approx(energy_distance(y, x).item(), rel=1e-12)


def test_equal_clouds_in_another_order_have_distance_0():
    x = random_cloud(20, 0)
    assert energy_distance(x, x.flip(0)).item() == pytest.approx(0, abs=1e-14)


def test_at_equal_clouds_the_gradient_is_0_not_nan():
    x = random_cloud(20, 0).requires_grad_()
    distance = energy_distance(x, x.detach().clone())
    distance.backward()
    assert distance.item() == pytest.approx(0, abs=1e-14)
    torch.testing.assert_close(x.grad, torch.zeros_like(x), atol=1e-14, rtol=0)


def test_float32_keeps_its_digits_far_from_the_origin():
    # ‖x‖² + ‖y‖² − 2⟨x, y⟩, PyTorch's own choice from some 25 points on, would lose them.
    x, y = (100 + random_cloud(40, seed).float() for seed in (0, 1))
    exact = energy_distance(x.double(), y.double()).item()
    assert energy_distance(x, y).item() == pytest.approx(exact, abs=1e-5)


def test_energy_distances_gradient():
    x, y = random_cloud(5, 1).requires_grad_(), random_cloud(4, 2).requires_grad_()
    assert torch.autograd.gradcheck(energy_distance, (x, y))


@pytest.mark.parametrize(
    ("step_size", "l2_on", "penalty"),
    [("1", "both", 40.0), ("1", "outer", 32.0), ("1/L", "both", 20.0), ("1/L", "outer", 16.0)],
)
def test_weight_penalty_by_hand(step_size, l2_on, penalty):
    network = RunSpec(depth=2, width=2, step_size=step_size, l2_on=l2_on)
    parameters = Parameters(
        inner=torch.full((2, 2, 2), 1.0),  # 8 · 1² = 8
        inner_bias=torch.full((2, 2), 100.0),  # free
        outer=torch.full((2, 2, 2), -2.0),  # 8 · 2² = 32
        outer_bias=torch.full((2, 2), 100.0),  # free
    )
    assert weight_penalty(network, parameters).item() == penalty


def test_weight_penalty_pulls_on_the_charged_blocks_alone():
    network = RunSpec(depth=2, width=2, step_size="1", l2_on="outer")
    flat = torch.ones(2 * (4 + 2 + 4 + 2), requires_grad=True)
    weight_penalty(network, unflatten(network, flat)).backward()
    gradients = unflatten(network, flat.grad)
    assert gradients.outer.unique().tolist() == [2.0]
    for free in (gradients.inner, gradients.inner_bias, gradients.outer_bias):
        assert free.unique().tolist() == [0.0]


def test_action_by_hand():
    # Steps of length 1 and 3: L Σ ‖Δ‖² = 2 (1 + 9).
    one = [cloud((0, 0)), cloud((0, 1)), cloud((0, 4))]
    assert action(one).item() == 20.0
    # Beside a particle that rests the mean is half of that.
    two = [torch.cat([state, cloud((7, 7))]) for state in one]
    assert action(two).item() == 10.0


def test_action_of_an_even_straight_walk_is_the_squared_distance():
    walk = [cloud((0, 0)) + k / 5 * cloud((3, 4)) for k in range(6)]
    assert action(walk).item() == pytest.approx(25.0, rel=1e-12)
