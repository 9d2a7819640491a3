"""What training minimises, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from resviz import losses, spec
from resviz.losses import (
    DISTANCE,
    action,
    directions,
    distance,
    energy_distance,
    sinkhorn_divergence,
    sliced_w2_squared,
    weight_penalty,
)
from resviz.parameters import Parameters, unflatten
from resviz.spec import RunSpec
from resviz.training import one_thread
from resviz.transport import wasserstein2_squared

EVERY = [RunSpec(loss=name, epsilon=0.5, projections=16) for name in spec.LOSSES]
every_loss = pytest.mark.parametrize("run", EVERY, ids=spec.LOSSES)


def cloud(*points):
    return torch.tensor(points, dtype=torch.float64)


def random_cloud(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, dtype=torch.float64, generator=generator)


def two_blobs(n, seed):
    """Half of them around x = −1.5 and half around x = 1.5."""
    return 0.3 * random_cloud(n, seed) + cloud((-1.5, 0), (1.5, 0)).repeat(n // 2, 1)


def evenly_spaced(count):
    angles = torch.arange(count, dtype=torch.float64) * (np.pi / count)
    return torch.stack([angles.cos(), angles.sin()])


def gradient(run, x, y):
    x = x.clone().requires_grad_()
    distance(run, x, y, 0).backward()
    return x.grad


def central_differences(run, x, y, h=1e-5):
    slopes = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.clone()
            moved[index] += sign * h
            ends.append(distance(run, moved, y, 0).item())
        slopes[index] = (ends[0] - ends[1]) / (2 * h)
    return slopes


@pytest.fixture(autouse=True)
def one_thread_as_in_training():
    with one_thread():
        yield


@pytest.fixture
def converged(monkeypatch):
    """Sinkhorn to the last digits, for what holds at the solution alone."""
    monkeypatch.setattr(losses, "SINKHORN_ITERATIONS", 5000)
    monkeypatch.setattr(losses, "SINKHORN_TOLERANCE", 1e-13)
    monkeypatch.setattr(losses, "SELF_ITERATIONS", 60)


def test_registries_name_the_same_distances():
    assert set(DISTANCE) == set(spec.LOSSES)


def test_a_spec_names_the_distance_and_its_settings():
    x, y = random_cloud(8, 0), two_blobs(6, 1)
    settings = RunSpec(epsilon=0.3, projections=5, seed=7)
    assert distance(settings, x, y, 3) == energy_distance(x, y)
    assert distance(replace(settings, loss="sinkhorn"), x, y, 3) == sinkhorn_divergence(x, y, 0.3)
    along = directions(5, np.random.default_rng([2, 7, 3]))
    assert distance(replace(settings, loss="sliced"), x, y, 3) == sliced_w2_squared(x, y, along)


@every_loss
def test_equal_clouds_in_another_order_have_distance_0(run):
    x = two_blobs(20, 0)
    assert distance(run, x, x.flip(0), 0).item() == pytest.approx(0, abs=1e-8)


@every_loss
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_positive_and_symmetric_for_unequal_numbers_of_points(run, seed, converged):
    x, y = random_cloud(7, seed), random_cloud(9, seed + 100)
    there, back = (distance(run, *clouds, 0).item() for clouds in ((x, y), (y, x)))
    assert there > 1e-3
    assert back == pytest.approx(there, rel=1e-9)


@every_loss
def test_doubling_every_point_changes_no_distance(run, converged):
    x, y = random_cloud(6, 0), two_blobs(4, 1)
    single, double = (distance(run, x.repeat(k, 1), y, 0).item() for k in (1, 2))
    assert double == pytest.approx(single, rel=1e-9)


@every_loss
def test_float32_stays_finite_where_particles_fly_off(run):
    x, y = random_cloud(64, 0).float(), two_blobs(48, 1).float()
    x[:5] += 40
    for epsilon in (0.01, 10.0):
        run = replace(run, epsilon=epsilon)
        for far in (x, x + 40):
            assert distance(run, far, y, 0).dtype == torch.float32
            assert distance(run, far, y, 0).item() > 0.5
            assert gradient(run, far, y).isfinite().all()


@every_loss
def test_float32_keeps_its_digits_far_from_the_origin(run):
    # At 2^10 float32 is exact to 1e-4 of these clouds' width. ‖x‖² + ‖y‖² − 2⟨x, y⟩ is not.
    x, y = (1024 + random_cloud(40, seed).float() for seed in (0, 1))
    exact = distance(run, x.double(), y.double(), 0).item()
    assert distance(run, x, y, 0).item() == pytest.approx(exact, abs=1e-3)


@every_loss
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_point_that_is_lost_gives_a_number_that_is_none_and_no_warning(run, bad):
    x, y = random_cloud(8, 0), random_cloud(8, 1)
    x[3] = bad
    assert not distance(run, x, y, 0).item() < 1e100


@every_loss
def test_gradients_apart_against_central_differences(run, converged):
    x, y = random_cloud(6, 1), two_blobs(4, 2)
    torch.testing.assert_close(
        gradient(run, x, y), central_differences(run, x, y), atol=1e-8, rtol=1e-6
    )


@every_loss
def test_at_equal_clouds_the_gradient_is_0_not_nan(run):
    x = two_blobs(20, 0)
    zero = torch.zeros_like(x)
    torch.testing.assert_close(gradient(run, x, x), zero, atol=1e-5, rtol=0)
    # The energy distance has a kink there, the same on either side: see below.
    few = x[:6]
    torch.testing.assert_close(
        central_differences(run, few, few.clone()), zero[:6], atol=1e-7, rtol=0
    )


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


def test_energy_distance_of_a_shifted_copy_pair_by_pair():
    x = random_cloud(12, 0).numpy()
    y = x + np.array([0.7, -0.4])
    means = [
        sum(np.hypot(*(p - q)) for p in first for q in second) / 144
        for first, second in ((x, y), (x, x), (y, y))
    ]
    exact = 2 * means[0] - means[1] - means[2]
    found = energy_distance(torch.from_numpy(x), torch.from_numpy(y)).item()
    assert found == pytest.approx(exact, rel=1e-12)


def test_energy_distance_is_exact_on_the_diagonal():
    # PyTorch's own choice from some 25 points on takes ‖x‖² + ‖y‖² − 2⟨x, y⟩ for the squared
    # distances: so far out those of points to themselves come out as 1e-8, not 0.
    x, y = random_cloud(40, 0), random_cloud(40, 1)
    near, far = energy_distance(x, y).item(), energy_distance(x + 1e4, y + 1e4).item()
    assert far == pytest.approx(near, abs=1e-10)
    assert energy_distance(x + 1e4, (x + 1e4).flip(0)).item() == pytest.approx(0, abs=1e-14)


def test_energy_distance_has_a_kink_at_equal_clouds():
    # All but ‖x_i − y_i‖ cancels, so one of n points moved by h costs 2h/n² whichever way.
    x = random_cloud(5, 0)
    for angle in (0, 1, 2, 4):
        moved = x.clone()
        moved[2] += 0.1 * cloud(np.cos(angle), np.sin(angle))
        assert energy_distance(moved, x).item() == pytest.approx(0.2 / 25, abs=1e-14)


def test_directions_are_unit_vectors_all_around():
    found = directions(4000, np.random.default_rng(0))
    assert found.shape == (2, 4000)
    torch.testing.assert_close(found.norm(dim=0), torch.ones(4000, dtype=torch.float64))
    # θθᵀ is I/2 and θ is 0 in the mean, each entry up to 4 standard errors of 1/√8000.
    torch.testing.assert_close(
        found @ found.T / 4000, torch.eye(2, dtype=torch.float64) / 2, atol=0.04, rtol=0
    )
    assert found.mean(dim=1).abs().max() < 0.04


def test_sliced_distance_by_hand():
    # Shadows on the axes: {0, 3} and {1, 2}, W2² 1; {0, 1} and {1, 5}, W2² (1 + 16)/2.
    x, y = cloud((0, 1), (3, 0)), cloud((1, 5), (2, 1))
    axes = torch.eye(2, dtype=torch.float64)
    assert sliced_w2_squared(x, y, axes[:, :1]).item() == pytest.approx(1.0, rel=1e-12)
    assert sliced_w2_squared(x, y, axes).item() == pytest.approx((1 + 8.5) / 2, rel=1e-12)
    # One point and two at distances 1 and 2.
    assert sliced_w2_squared(cloud((0, 0)), y, axes[:, :1]).item() == pytest.approx(2.5, rel=1e-12)


def test_a_shift_costs_the_sliced_distance_half_its_square():
    x = random_cloud(15, 0)
    y = x + cloud((3, -4))
    for count in (2, 7):
        assert sliced_w2_squared(x, y, evenly_spaced(count)).item() == pytest.approx(12.5, rel=1e-9)
    along = directions(4000, np.random.default_rng(0))  # 4 standard errors are 0.56
    assert sliced_w2_squared(x, y, along).item() == pytest.approx(12.5, abs=0.56)


def test_a_step_always_looks_along_the_same_directions_and_another_along_others():
    x, y = random_cloud(9, 0), random_cloud(9, 1)
    run = RunSpec(loss="sliced", projections=3)
    value = distance(run, x, y, 5)
    assert distance(run, x, y, 5) == value
    assert distance(run, x, y, 6) != value
    assert distance(replace(run, seed=1), x, y, 5) != value


def test_sinkhorn_divergence_by_hand():
    # Of one point the only plan is known, whatever ε: the mean cost. Here (1 + 25)/2. Of two
    # that are far apart nothing mixes: OT_ε(y, y) is ε KL = ε log 2.
    x, y = cloud((0, 0)), cloud((1, 0), (3, 4))
    expected = 13 - 0.5 * 0.1 * np.log(2)
    assert sinkhorn_divergence(x, y, 0.1).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0, 10.0])
def test_a_shift_costs_the_sinkhorn_divergence_its_square(epsilon):
    x, v = two_blobs(40, 0), cloud((3, -4))
    assert sinkhorn_divergence(x, x + v, epsilon).item() == pytest.approx(25.0, abs=1e-7)
    # Each of the 40 points is pulled by 2v/40.
    pull = gradient(RunSpec(loss="sinkhorn", epsilon=epsilon), x, x + v)
    torch.testing.assert_close(pull, (-v / 20).expand(40, 2), atol=1e-5, rtol=0)


def test_sinkhorn_divergence_is_pots_from_a_cold_start(converged):
    import ot

    x, y = random_cloud(30, 0), two_blobs(20, 1)

    def cost(p, q):
        squares = np.square(p.numpy()[:, None] - q.numpy()[None]).sum(axis=2)
        return ot.solve(squares, reg=2.0, reg_type="KL", max_iter=5000, tol=1e-9).value

    exact = cost(x, y) - (cost(x, x) + cost(y, y)) / 2
    assert sinkhorn_divergence(x, y, 2.0).item() == pytest.approx(exact, rel=1e-9)


def test_sinkhorn_divergence_tends_to_w2_squared_as_epsilon_falls(converged):
    x, y = random_cloud(40, 0), two_blobs(40, 1)
    exact = wasserstein2_squared(x.numpy(), y.numpy())
    values = [sinkhorn_divergence(x, y, epsilon).item() for epsilon in (1.0, 0.1, 0.01)]
    errors = [abs(value - exact) / exact for value in values]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01


def test_a_value_rounded_below_0_keeps_its_gradient(converged):
    # Of clouds 1e-9 apart S_ε is 1e-18, so its rounding has either sign.
    x = two_blobs(20, 0)
    for seed in range(8):
        pull = gradient(RunSpec(loss="sinkhorn"), x, x + 1e-9 * random_cloud(20, seed))
        assert 1e-11 < pull.norm() < 1e-8


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0])
def test_few_iterations_do(epsilon, request):
    # Between blobs of 16 and 24 of 40 points mass must cross the gap, which Sinkhorn from a
    # cold start does only after thousands of iterations.
    x = two_blobs(40, 0)
    y = two_blobs(40, 1)
    y[:8:2] += cloud((3, 0))
    few = sinkhorn_divergence(x, y, epsilon).item()
    request.getfixturevalue("converged")
    assert few == pytest.approx(sinkhorn_divergence(x, y, epsilon).item(), abs=2e-3)


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
        head=torch.full((3, 2), 100.0),  # free here: it has a price of its own
        head_bias=torch.full((3,), 100.0),  # free
    )
    # Where training started does not matter while weights are drawn to 0.
    start = Parameters(*(torch.full_like(block, 7.0) for block in parameters))
    assert weight_penalty(network, parameters, start).item() == penalty


def test_weight_penalty_pulls_on_the_charged_blocks_alone():
    network = RunSpec(
        task="classify", source="moons", depth=2, width=2, step_size="1", l2_on="outer"
    )
    flat = torch.ones(2 * (4 + 2 + 4 + 2) + 6, requires_grad=True)
    start = unflatten(network, torch.full_like(flat, 7.0))
    weight_penalty(network, unflatten(network, flat), start).backward()
    gradients = unflatten(network, flat.grad)._asdict()
    assert gradients.pop("outer").unique().tolist() == [2.0]
    for free in gradients.values():
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
