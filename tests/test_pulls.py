"""Gradients by hand of what training minimises, against autograd; and the steps they lead to."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from resviz import losses, training
from resviz import spec as registries
from resviz.bench import idiomatic, rivals
from resviz.losses import (
    PULL,
    EnergyPull,
    SinkhornPull,
    SlicedPull,
    action,
    add_pull_of_action,
    charges,
    cross_entropy_pull,
    directions,
    energy_distance,
    head_penalty,
    sinkhorn_divergence,
    sliced_w2_squared,
    weight_penalty,
)
from resviz.parameters import Parameters, parameter_count, unflatten
from resviz.records import STATE_ARRAYS
from resviz.spec import RunSpec
from resviz.training import DIVERGED_BEYOND, advance, initial_state, learning_rate, objective

# Rounding; what is asked for is 1e-6 of float64, and 1e-4 of float32.
DOUBLE, SINGLE = 1e-10, 1e-4
TINY = RunSpec(depth=3, width=4, batch=12, steps=40, start="random")


@pytest.fixture(autouse=True)
def one_thread():
    with training.one_thread():
        yield


@pytest.fixture
def converged(monkeypatch):
    """Sinkhorn to the last digits, so that two ways of it meet."""
    monkeypatch.setattr(losses, "SINKHORN_ITERATIONS", 5000)
    monkeypatch.setattr(losses, "SINKHORN_TOLERANCE", 1e-14)
    monkeypatch.setattr(losses, "SELF_ITERATIONS", 60)


def cloud(*points):
    return torch.tensor(points, dtype=torch.float64)


def random_cloud(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, dtype=torch.float64, generator=generator)


def apart(found, expected):
    """The largest difference, in parts of the largest number that is expected."""
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    assert found.shape == expected.shape
    return ((found - expected).abs().max() / (expected.abs().max() or 1)).item()


def by_autograd(function, x):
    """A function's value and gradient at x."""
    x = x.detach().clone().requires_grad_()
    value = function(x)
    return value.detach(), torch.autograd.grad(value, x)[0]


def assert_alike(found, expected, within=DOUBLE):
    for part, exact in zip(found, expected, strict=True):
        assert part.dtype == exact.dtype
        assert not part.requires_grad
        assert apart(part, exact) <= within


# The energy distance


def spread(x, y):
    """2 E‖X−Y‖ − E‖X−X′‖, whose slope at coincident points is 0."""
    far = "donot_use_mm_for_euclid_dist"
    return (
        2 * torch.cdist(x, y, compute_mode=far).mean() - torch.cdist(x, x, compute_mode=far).mean()
    )


def energy_pull(x, y):
    return EnergyPull(len(x), len(y), x.dtype)(x, y)


SIZES = [(1, 1), (1, 4), (2, 2), (5, 3), (3, 7), (40, 40), (64, 31)]


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_the_energy_distances_pull_is_its_gradient(n, k):
    x, y = random_cloud(n, 0), random_cloud(k, 1) + 0.5
    assert_alike(energy_pull(x, y), by_autograd(lambda x: spread(x, y), x))


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_the_energy_distance_to_autograd(n, k):
    x, y = random_cloud(n, 0), random_cloud(k, 1) + 0.5
    found = by_autograd(lambda x: energy_distance(x, y), x)
    assert_alike(found, by_autograd(lambda x: rivals.energy_distance(x, y), x), 1e-6)
    rest = torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist").mean()
    value, gradient = energy_pull(x, y)
    assert_alike(found, (value - rest, gradient))


def test_what_the_energy_distance_leads_to_is_multiplied():
    x, y = random_cloud(6, 0), random_cloud(4, 1)
    _, found = by_autograd(lambda x: energy_distance(2 * x, y) ** 3, x)
    value, gradient = by_autograd(lambda x: energy_distance(x, y), 2 * x)
    assert apart(found, 2 * 3 * value**2 * gradient) <= DOUBLE


def test_the_energy_distances_second_derivatives_are_refused():
    x, y = random_cloud(6, 0).requires_grad_(), random_cloud(4, 1)
    (gradient,) = torch.autograd.grad(energy_distance(x, y).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()


@pytest.mark.parametrize(
    ("x", "y", "value", "gradient"),
    [
        # Of one point and one: twice the distance, and twice the unit vector away.
        (cloud((3, 4)), cloud((0, 0)), 10, [[1.2, 1.6]]),
        # 2 (1 + 3)/2 − (2 + 2)/4: y pulls each by 2/2, the other pushes it by 2/4.
        (cloud((1, 0), (3, 0)), cloud((0, 0)), 3, [[1.5, 0], [0.5, 0]]),
        (cloud((-1, 0), (1, 0)), cloud((0, 0)), 1, [[-0.5, 0], [0.5, 0]]),
        # Where a point of y lies it does not pull.
        (cloud((0, 0)), cloud((0, 0), (0, 2)), 2, [[0, -1]]),
    ],
)
def test_the_energy_distances_pull_by_hand(x, y, value, gradient):
    found = energy_pull(x, y)
    assert found[0].item() == pytest.approx(value, abs=1e-14)
    np.testing.assert_allclose(found[1], gradient, atol=1e-14)


@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (cloud((1, 2), (3, 4), (5, 5)), cloud((3, 4), (0, 0))),  # x_i = y_j
        (cloud((1, 2), (1, 2), (5, 5)), cloud((3, 4), (0, 0))),  # x_i = x_k
        (cloud((1, 2), (1, 2), (5, 5)), cloud((1, 2), (1, 2), (1, 2))),
        (cloud((1, 2), (3, 4)), cloud((0, 1), (0, 1))),  # y_j = y_k
        (random_cloud(9), random_cloud(9).flip(0)),  # equal clouds
        (cloud(*[(0, 0)] * 4), cloud(*[(0, 0)] * 5)),
        (cloud(*[(1e4, -1e4)] * 4), cloud(*[(1e4, -1e4)] * 5)),
    ],
)
def test_points_that_coincide_do_not_pull_at_each_other(x, y, number):
    x, y = x.to(number), y.to(number)
    found = energy_pull(x, y)
    expected = by_autograd(lambda x: spread(x, y), x)
    within = {8: 1e-14, 4: 1e-6}[number.itemsize]
    for part, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(part, exact, rtol=within, atol=within)
    if len(torch.cat([x, y]).unique(dim=0)) == 1:
        assert found[0].abs() < 1e-15
        assert not found[1].any()


@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("reach", [1e-3, 1e-8, 1e-12])
def test_points_that_all_but_coincide_pull_as_if_they_were_apart(reach, number):
    """A unit vector is one at any length."""
    x, y = random_cloud(7, 0).to(number), random_cloud(5, 1).to(number)
    value, gradient = energy_pull(x, y)
    near = energy_pull(reach * x, reach * y)
    assert_alike(near, (reach * value, gradient), {8: 1e-12, 4: 1e-5}[number.itemsize])


@pytest.mark.parametrize("rows", [0.5, 1, 2, 3, 7, 20, 39, 40, 1000])
def test_so_many_rows_at_a_time_change_nothing(rows, monkeypatch):
    x, y = random_cloud(40, 0), random_cloud(23, 1)
    whole = energy_pull(x, y)
    monkeypatch.setattr(EnergyPull, "BLOCK", int(rows * 63))
    assert_alike(energy_pull(x, y), whole, 1e-14)


def test_more_points_than_fit_a_block():
    n = 600
    assert n * 2 * n > EnergyPull.BLOCK
    x, y = random_cloud(n, 0), random_cloud(n, 1) + 0.5
    assert_alike(energy_pull(x, y), by_autograd(lambda x: spread(x, y), x))


def test_the_energy_distances_pull_of_float32_is_float64s_rounded():
    x, y = random_cloud(200, 0).float(), random_cloud(200, 1).float() + 0.5
    exact = energy_pull(x.double(), y.double())
    assert_alike(energy_pull(x, y), [part.float() for part in exact], 2e-6)


@pytest.mark.parametrize("rows", [3, 100])
def test_memory_that_is_used_again_changes_nothing_that_was_given_out(rows, monkeypatch):
    monkeypatch.setattr(EnergyPull, "BLOCK", rows * 20)
    pull = EnergyPull(10, 10, torch.float64)
    clouds = [(random_cloud(10, seed), random_cloud(10, seed + 9)) for seed in range(3)]
    clouds.insert(1, (clouds[0][0] * np.nan, clouds[0][1]))
    given_out = [pull(x, y) for x, y in clouds]
    assert given_out[1][0].isnan()
    assert given_out[1][1].isnan().all()
    for k in (0, 2, 3):
        for found, fresh in zip(given_out[k], energy_pull(*clouds[k]), strict=True):
            assert torch.equal(found, fresh)


def test_points_may_lie_in_memory_in_either_order():
    x, y = random_cloud(10, 0), random_cloud(10, 1)
    across = [points.mT.contiguous().mT for points in (x, y)]
    sliced = RunSpec(loss="sliced", epsilon=1)
    for pull in (EnergyPull(10, 10, torch.float64), SlicedPull(sliced), SinkhornPull(sliced)):
        assert_alike(pull(*across, 0), pull(x, y, 0), 1e-12)


# All three


def pulls():
    """The three pulls, and the plain formula of each."""
    spec = RunSpec(projections=16, epsilon=2.0, seed=5)
    along = directions(16, np.random.default_rng([2, 5, 7]))
    return {
        "energy": (lambda x, y: energy_pull(x, y), spread, 1),
        "sliced": (
            lambda x, y: SlicedPull(spec)(x, y, 7),
            lambda x, y: sliced_w2_squared(x, y, along),
            2,
        ),
        "sinkhorn": (
            lambda x, y: SinkhornPull(spec)(x, y, 7),
            lambda x, y: sinkhorn_divergence(x, y, 2.0),
            2,
        ),
    }


every_pull = pytest.mark.parametrize(("pull", "formula", "power"), pulls().values(), ids=pulls())


def test_registries_name_the_same_pulls():
    assert set(PULL) == set(pulls()) == set(registries.LOSSES)


@every_pull
@pytest.mark.parametrize("n", [1, 2, 12, 100])
def test_a_pull_is_the_formulas_gradient(pull, formula, power, n):
    x, y = random_cloud(n, 0), random_cloud(n, 1) + 0.5
    assert_alike(pull(x, y), by_autograd(lambda x: formula(x, y), x))


@every_pull
def test_a_pull_of_float32_is_float64s_rounded(pull, formula, power):
    x, y = random_cloud(64, 0).float(), random_cloud(64, 1).float() + 0.5
    exact = pull(x.double(), y.double())
    assert_alike(pull(x, y), [part.float() for part in exact], 1e-5)


@every_pull
def test_a_pull_knows_no_place_no_turn_and_no_order(pull, formula, power, converged):
    x, y = random_cloud(12, 0), random_cloud(12, 1)
    value, gradient = pull(x, y)
    assert_alike(pull(x + cloud((3, -5)), y + cloud((3, -5))), (value, gradient), 1e-9)
    order = torch.arange(12).roll(5)
    assert_alike(pull(x[order], y), (value, gradient[order]), 1e-9)
    assert_alike(pull(x, y[order]), (value, gradient), 1e-9)
    # A turn by 180°, since the sliced one's few directions are not those of another turn.
    assert_alike(pull(-x, -y), (value, -gradient), 1e-9)


@every_pull
def test_moved_together_two_clouds_stay_as_far_apart(pull, formula, power, converged):
    """What pulls x one way pulls y the other."""
    x, y = random_cloud(12, 0), random_cloud(12, 1) + 1
    there, back = pull(x, y)[1], pull(y, x)[1]
    assert there.sum(dim=0).abs().max() > 0.1
    assert apart(there.sum(dim=0), -back.sum(dim=0)) <= 1e-9


@pytest.mark.parametrize("loss", ["energy", "sliced"])
def test_twice_as_large_clouds_are_twice_as_far_apart(loss):
    pull, _, power = pulls()[loss]  # of the clouds' size that the distance grows with
    x, y = random_cloud(12, 0), random_cloud(12, 1)
    value, gradient = pull(x, y)
    assert_alike(pull(2 * x, 2 * y), (2**power * value, 2 ** (power - 1) * gradient), 1e-12)
    # Euler's: the slope along the clouds themselves is the power's multiple of the distance.
    slope = (gradient * x).sum() + (pull(y, x)[1] * y).sum()
    rest = torch.cdist(y, y).mean() if loss == "energy" else 0
    assert slope.item() == pytest.approx(power * (value - rest).item(), rel=1e-9)


@every_pull
def test_at_equal_clouds_nothing_pulls(pull, formula, power, converged):
    x = random_cloud(12, 0)
    value, gradient = pull(x, x.flip(0))
    rest = torch.cdist(x, x).mean() if power == 1 else 0
    assert value.item() == pytest.approx(float(rest), abs=1e-6)
    assert gradient.abs().max() < 1e-6


@every_pull
@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("where", ["a few", "all of x", "all of x and y"])
def test_coincident_points_give_numbers(pull, formula, power, number, where):
    x, y = random_cloud(12, 0).to(number), random_cloud(12, 1).to(number)
    match where:
        case "a few":
            x[:3], y[2:5] = x[0], x[0]
        case "all of x":
            x[:] = x[0]
        case "all of x and y":
            x[:] = y[:] = x[0]
    value, gradient = pull(x, y)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if where == "all of x and y":
        assert value.abs() < 1e-6
        assert gradient.abs().max() < 1e-6


@every_pull
@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_a_lost_point_is_told_by_the_value_and_without_a_warning(pull, formula, power, lost):
    x, y = random_cloud(12, 0).float(), random_cloud(12, 1).float()
    x[3, 1] = lost
    value, gradient = pull(x, y)
    assert not value <= 1e30
    assert gradient.shape == (12, 2)


@every_pull
def test_a_pull_leaves_the_clouds_alone_and_needs_no_autograd(pull, formula, power):
    clouds = random_cloud(12, 0), random_cloud(12, 1)
    x, y = (points.clone() for points in clouds)
    with torch.no_grad():
        quiet = pull(x, y)
    for found, again in zip(quiet, pull(x, y), strict=True):
        assert torch.equal(found, again)
    assert torch.equal(x, clouds[0])
    assert torch.equal(y, clouds[1])
    assert x.grad is None
    assert not x.requires_grad


# The sliced distance


def sliced_along(monkeypatch, *vectors):
    """The sliced pull along these directions."""
    monkeypatch.setattr(losses, "directions", lambda *_: cloud(*vectors).mT)
    return lambda x, y: SlicedPull(RunSpec())(x, y, 0)


def test_every_step_looks_along_its_own_directions():
    spec = RunSpec(loss="sliced", projections=5, seed=3)
    x, y = random_cloud(12, 0), random_cloud(12, 1)
    found = [SlicedPull(spec)(x, y, step) for step in (0, 1, 2)]
    for step, pulled in enumerate(found):
        along = directions(5, np.random.default_rng([2, 3, step]))
        assert_alike(pulled, by_autograd(lambda x, to=along: sliced_w2_squared(x, y, to), x))
    assert not any(torch.equal(one[1], other[1]) for one, other in combinations(found, 2))


def test_the_sliced_pull_by_hand(monkeypatch):
    # Shadows {0, 3} and {1, 2}, and {1, 0} and {5, 1}: by rank 0 to 1, 3 to 2; 0 to 1, 1 to 5.
    pull = sliced_along(monkeypatch, (1, 0), (0, 1))
    value, gradient = pull(cloud((0, 1), (3, 0)), cloud((1, 5), (2, 1)))
    assert value.item() == pytest.approx((1 + 1 + 1 + 16) / 4, abs=1e-14)
    # Twice the way, over two points and two directions.
    np.testing.assert_allclose(gradient, [[-0.5, -2], [0.5, -0.5]], atol=1e-14)


@pytest.mark.parametrize("count", [2, 7, 64])
def test_a_shift_pulls_every_point_alike(monkeypatch, count):
    angles = np.arange(count) * np.pi / count
    pull = sliced_along(monkeypatch, *zip(np.cos(angles), np.sin(angles), strict=True))
    x, v = random_cloud(15), cloud((3, -4))
    value, gradient = pull(x, x + v)
    assert value.item() == pytest.approx(12.5, rel=1e-12)
    assert apart(gradient, (-v / 15).expand(15, 2)) <= 1e-12


@pytest.mark.parametrize("vector", [(1, 0), (0, 1), (0.6, 0.8)])
def test_shadows_in_one_place_are_pulled_together(monkeypatch, vector):
    """How tied shadows share the pull is open, and its sum over those in one place is not."""
    x = cloud(*product(range(4), range(3)))  # on a lattice, and some points twice
    x[5] = x[4]
    y = cloud(*product(range(3), range(4))) - 0.25
    pull = sliced_along(monkeypatch, vector)
    value, gradient = pull(x, y)
    along = cloud(vector).mT
    expected = by_autograd(lambda x: sliced_w2_squared(x, y, along), x)
    assert apart(value, expected[0]) <= DOUBLE
    shadows = (x @ along)[:, 0].mul(100).round()
    assert len(shadows.unique()) < len(x)
    for place in shadows.unique():
        ours, theirs = (g[shadows == place].sum(dim=0) for g in (gradient, expected[1]))
        torch.testing.assert_close(ours, theirs)


def test_points_in_one_place_may_be_pulled_apart_but_go_down():
    """A little way against the pull the distance is less, by what its length promises or more."""
    x, y = random_cloud(12, 0), random_cloud(12, 1)
    x[:6] = x[0]
    pull = SlicedPull(RunSpec(projections=16))
    value, gradient = pull(x, y, 0)
    less = pull(x - 1e-4 * gradient, y, 0)[0] - value
    assert less < -1e-4 * 0.999 * gradient.square().sum()


# The Sinkhorn divergence


@pytest.mark.parametrize("epsilon", [1.0, 10.0])
def test_the_sinkhorn_pull_is_pots_gradient(epsilon, converged):
    x, y = random_cloud(12, 0), random_cloud(12, 1) + 1
    expected = by_autograd(lambda x: rivals.sinkhorn_divergence(x, y, epsilon, 1000), x)
    assert_alike(SinkhornPull(RunSpec(epsilon=epsilon))(x, y, 0), expected, 1e-7)


def test_a_shift_pulls_every_point_by_the_sinkhorn_divergence_alike(converged):
    x, v = random_cloud(15), cloud((3, -4))
    value, gradient = SinkhornPull(RunSpec(epsilon=0.5))(x, x + v, 0)
    assert value.item() == pytest.approx(25, abs=1e-7)
    assert apart(gradient, (-2 * v / 15).expand(15, 2)) <= 1e-6


# Classes


def head_of(classes, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    numbers = scale * torch.randn(3 * classes, dtype=torch.float64, generator=generator)
    nothing = torch.zeros(0)
    return Parameters(
        nothing,
        nothing,
        nothing,
        nothing,
        numbers[: 2 * classes].view(-1, 2),
        numbers[2 * classes :],
    )


def labels_of(n, classes, seed=0):
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


def by_torch(parameters, end, labels):
    """Value and gradients by `torch.nn.functional.cross_entropy`."""
    inputs = end, parameters.head, parameters.head_bias
    end, head, bias = (part.clone().requires_grad_() for part in inputs)
    value = cross_entropy(end @ head.mT + bias, labels)
    value.backward()
    return value.detach(), end.grad, torch.cat([head.grad.ravel(), bias.grad])


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("classes", [2, 3, 25])
@pytest.mark.parametrize("n", [1, 2, 12, 100])
def test_the_cross_entropys_pulls_are_its_gradients(n, classes, scale):
    parameters, end, labels = head_of(classes, n, scale), random_cloud(n), labels_of(n, classes)
    found = cross_entropy_pull(parameters, end, labels)
    assert_alike(found, by_torch(parameters, end, labels))
    across = cross_entropy_pull(parameters, end.mT.contiguous().mT, labels)
    assert_alike(across, found, 1e-12)
    # Probabilities add up to 1, so that no bias of all classes alike is pulled at.
    assert found[2][2 * classes :].sum().abs() < 1e-12


def test_the_cross_entropys_pulls_of_float32_are_float64s_rounded():
    parameters, end, labels = head_of(5), random_cloud(100), labels_of(100, 5)
    single = Parameters(*(part.float() for part in parameters))
    found = cross_entropy_pull(single, end.float(), labels)
    exact = by_torch(parameters, end, labels)
    assert_alike(found, [part.float() for part in exact], 1e-5)


def test_a_head_that_says_nothing_is_pulled_by_how_often_classes_are():
    parameters = Parameters(*(torch.zeros_like(part) for part in head_of(4)))
    value, of_end, of_head = cross_entropy_pull(
        parameters, random_cloud(8), torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    )
    assert value.item() == pytest.approx(np.log(4), rel=1e-12)
    assert not of_end.any()
    np.testing.assert_allclose(of_head[8:], [-0.25, 0, 0, 0.25], atol=1e-15)


@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
def test_a_head_that_is_sure_is_pulled_where_it_is_wrong_alone(number):
    parameters = Parameters(*(part.to(number) for part in head_of(2)))._replace(
        head=torch.tensor([[2000.0, 0], [0, 0]], dtype=number),
        head_bias=torch.zeros(2, dtype=number),
    )
    end = torch.tensor([[1, 7], [-1, 7]], dtype=number)
    right = cross_entropy_pull(parameters, end, torch.tensor([0, 1]))
    assert [float(part.abs().sum()) for part in right] == [0, 0, 0]
    value, of_end, of_head = cross_entropy_pull(parameters, end, torch.tensor([1, 1]))
    assert value.item() == 1000
    assert of_end.tolist() == [[1000, 0], [0, 0]]
    assert of_head.tolist() == [0.5, 3.5, -0.5, -3.5, 0.5, -0.5]


def test_a_point_that_is_lost_is_told_by_the_cross_entropy():
    end = random_cloud(8)
    end[3] = np.nan
    value, of_end, _ = cross_entropy_pull(head_of(3), end, labels_of(8, 3))
    assert value.isnan()
    assert of_end.isnan().any(dim=1).nonzero().tolist() == [[3]]


# Penalties


CHARGED = [
    {"network": network, "step_size": step_size, "l2_on": on, "l2_towards": towards, **task}
    for network, step_size, on, towards, task in product(
        registries.NETWORKS,
        registries.STEP_SIZES,
        registries.L2_ON,
        registries.L2_TOWARDS,
        ({}, {"task": "classify", "source": "pinwheel"}),
    )
]


@pytest.mark.parametrize("fields", CHARGED, ids=lambda fields: "-".join(fields.values()))
def test_charges_are_what_both_penalties_cost(fields):
    spec = replace(TINY, l2=0.3, head_decay=0.7, **fields)
    flat, start = (
        torch.randn(parameter_count(spec), generator=torch.Generator().manual_seed(seed)).double()
        for seed in (0, 1)
    )

    def penalties(flat):
        parameters = unflatten(spec, flat)
        weights = weight_penalty(spec, parameters, unflatten(spec, start))
        return spec.l2 * weights + spec.head_decay * head_penalty(parameters)

    origin = start.clone() if spec.l2_towards == "start" else torch.zeros_like(start)
    unflatten(spec, origin).head[:] = 0
    price = charges(spec).double()
    gone = flat - origin
    found = (price * gone.square()).sum(), 2 * price * gone
    assert_alike(found, by_autograd(penalties, flat), 1e-6)
    blocks = unflatten(spec, price)
    assert not blocks.inner_bias.any()
    assert not blocks.outer_bias.any()
    assert not blocks.head_bias.any()
    assert blocks.inner.all() == (spec.l2_on == "both")


def test_what_costs_nothing_has_no_charge():
    assert not charges(replace(TINY, l2=0.0, head_decay=1.0)).any()
    classifying = replace(TINY, task="classify", source="moons", l2=0.0, head_decay=0.0)
    assert not charges(classifying).any()


@pytest.mark.parametrize("price", [0.0, 0.01, 10.0])
@pytest.mark.parametrize("n", [1, 9])
@pytest.mark.parametrize("depth", [1, 2, 7])
def test_the_actions_pulls_are_its_gradient(depth, n, price):
    generator = torch.Generator().manual_seed(depth)
    states, before = torch.randn(2, depth + 1, 2, n, dtype=torch.float64, generator=generator)
    pulls, kept = before.clone(), states.clone()
    add_pull_of_action(states, price, pulls)
    assert torch.equal(states, kept)
    _, expected = by_autograd(lambda states: price * action(states.mT), states)
    assert apart(pulls - before, expected) <= DOUBLE


def test_an_even_straight_walk_is_pulled_at_its_ends_alone():
    walk = torch.arange(6.0)[:, None, None] * torch.tensor([0.5, -1])[:, None]
    pulls = torch.zeros(6, 2, 1)
    add_pull_of_action(walk, 0.1, pulls)
    np.testing.assert_allclose(pulls[1:-1], 0, atol=1e-6)
    # 𝒜 is L Σ ‖Δ‖²: at the ends 0.1 · 2 · 5 · Δ.
    np.testing.assert_allclose(pulls[[0, -1], :, 0], [[-0.5, 1], [0.5, -1]], rtol=1e-6)


# The objective


def objectives():
    """Every loss, task, network, place of λ and penalty; activations and steps h in turn."""
    tasks = [{"loss": loss} for loss in registries.LOSSES]
    tasks += [
        {"task": "classify", "source": source, "head_decay": decay}
        for source, decay in (("moons", 0.0), ("pinwheel", 0.2))
    ]
    prices = [{}] + [
        {"l2": 0.3, "l2_on": on, "l2_towards": towards}
        for on, towards in product(registries.L2_ON, registries.L2_TOWARDS)
    ]
    kinetic = [{}, {"kinetic": 0.4}]
    every = product(registries.NETWORKS, tasks, prices, kinetic)
    activations, step_sizes = list(registries.ACTIVATIONS), list(registries.STEP_SIZES)
    for k, (network, task, price, moving) in enumerate(every):
        yield replace(
            TINY, network=network, epsilon=2.0, activation=activations[k % 4],
            step_size=step_sizes[k % 3 % 2], **task, **price, **moving,
        )  # fmt: skip


def name_of(spec):
    told = "network", "task", "loss", "activation", "l2", "l2_on", "l2_towards", "kinetic"
    return "-".join(str(getattr(spec, name)) for name in told)


every_objective = pytest.mark.parametrize("spec", list(objectives()), ids=name_of)


def near_the_start(spec, seed=0):
    """Parameters (P,) that are neither those before training nor far from them."""
    start = torch.from_numpy(initial_state(spec).parameters)
    generator = torch.Generator().manual_seed(seed)
    return start + 0.3 * torch.randn(start.shape, generator=generator)


def slope_of(spec, flat, step):
    slope = training._Slope(spec)
    return slope.look(flat, step), slope.gradient(flat)


@every_objective
def test_the_slope_is_the_objectives_gradient(spec):
    """That of float32 by autograd, and of float64 by modules without a line of `flow`."""
    flat, step = near_the_start(spec), 3
    miss, gradient = slope_of(spec, flat, step)
    _, expected = by_autograd(lambda flat: objective(spec, flat, step), flat)
    assert expected.abs().max() > 1e-2
    assert_alike([gradient], [expected], SINGLE)
    # Without penalties the value is D, of which the energy distance's lacks the target's own.
    free = replace(spec, l2=0.0, kinetic=0.0, head_decay=0.0)
    rest = 0.0
    if spec.task == "match" and spec.loss == "energy":
        _, goal = idiomatic.batch(spec, step)
        rest = torch.cdist(goal, goal).mean().item()
    assert miss - rest == pytest.approx(objective(free, flat, step).item(), rel=1e-4, abs=1e-5)


@every_objective
def test_the_objective_is_that_of_modules(spec, converged):
    flat, step = near_the_start(spec).double(), 3
    found = by_autograd(lambda flat: objective(spec, flat, step), flat)
    network = idiomatic.Network(spec, torch.float64).load(flat.numpy())
    source, goal = training._batch(spec, step, torch.float64)
    value = idiomatic.objective(spec, network, source, goal, step, idiomatic.begun(spec))
    value.backward()
    assert_alike(found, (value.detach(), network.flat_gradient()), 1e-6)
    gradient = slope_of(spec, flat.float(), step)[1].double()
    assert apart(gradient, network.flat_gradient()) <= SINGLE


def test_both_draw_the_same_batches():
    for spec in (TINY, replace(TINY, task="classify", source="pinwheel", seed=4)):
        for step in (0, 1, 30):
            ours, theirs = training._batch(spec, step), idiomatic.batch(spec, step)
            assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    "spec",
    [
        *(replace(TINY, loss=loss, kinetic=0.4, l2=0.3) for loss in registries.LOSSES),
        replace(TINY, network="plain"),
        replace(TINY, task="classify", source="moons", kinetic=0.4),
    ],
    ids=name_of,
)
def test_every_use_of_a_slope_is_a_first_one(spec):
    slope = training._Slope(spec)
    for step in (0, 5, 2):
        flat = near_the_start(spec, step)
        found = slope.look(flat, step), slope.gradient(flat)
        before = flat.clone()
        miss, gradient = slope_of(spec, flat, step)
        assert found[0] == miss
        assert torch.equal(found[1], gradient)
        assert torch.equal(flat, before)
        slope.look(flat * np.nan, step)  # what is looked at and not liked leaves nothing


# Training


KINDS = {
    "match": {},
    "plain": {"network": "plain"},
    "sliced": {"loss": "sliced", "activation": "softplus"},
    "sinkhorn": {"loss": "sinkhorn", "epsilon": 2.0},
    "penalised": {"l2": 0.1, "kinetic": 0.1, "l2_on": "outer", "l2_towards": "start"},
    "plain, penalised": {"network": "plain", "l2": 0.1, "kinetic": 0.1, "l2_towards": "start"},
    "gelu": {"activation": "gelu", "step_size": "1"},
    "plain relu": {"network": "plain", "activation": "relu", "l2": 0.1},
    "classify": {"task": "classify", "source": "moons", "head_decay": 0.1},
    "classify, plain": {"task": "classify", "source": "pinwheel", "network": "plain"},
    "classify, penalised": {
        "task": "classify", "source": "pinwheel", "l2": 0.1, "kinetic": 0.1, "l2_towards": "start",
    },
}  # fmt: skip
every_kind = pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)


# Of more than 25 points `torch.cdist` takes distances by a product of matrices, which in float32
# is another training: that of modules is then no nearer to float64's than a hundredth.
@pytest.mark.parametrize(
    ("number", "batch"), [(torch.float32, 24), (torch.float64, 48)], ids=["float32", "float64"]
)
@pytest.mark.parametrize("first", registries.STARTS)
@every_kind
def test_training_follows_that_of_modules_autograd_and_torchs_adam(
    fields, first, number, batch, converged
):
    spec = replace(TINY, start=first, batch=batch, **fields)
    theirs = idiomatic.Training(spec, number)
    state = initial_state(spec)
    begun = torch.from_numpy(state.parameters)
    for steps in (1, 4, 20):
        state = advance(spec, state, steps)
        theirs.take(steps)
        gone = theirs.network.flat().float() - begun
        assert apart(torch.from_numpy(state.parameters) - begun, gone) <= 1e-3
    assert state.step == theirs.step == 25
    assert gone.abs().max() > 0.05


@pytest.mark.parametrize("kind", ["match", "classify, plain"])
def test_a_step_is_adams(kind):
    """The formulas of Kingma & Ba, algorithm 1, in float64, at the slopes by hand."""
    spec = replace(TINY, **KINDS[kind])
    state = initial_state(spec)
    flat, first, second = (getattr(state, name).astype(float) for name in STATE_ARRAYS)
    for step in range(15):
        at = torch.from_numpy(flat.astype(np.float32))
        gradient = slope_of(spec, at, step)[1].double().numpy()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        flat = flat - learning_rate(spec, step) * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    state = advance(spec, state, 15)
    for name, exact in zip(STATE_ARRAYS, (flat, first, second), strict=True):
        assert apart(getattr(state, name).astype(float), exact) <= 1e-4


def digest(state):
    """Everything in a state, to the last bit; NaN is NaN."""
    arrays = [getattr(state, name).tobytes() for name in STATE_ARRAYS]
    return *arrays, state.step, repr(state.loss), state.diverged


@every_kind
def test_the_loss_is_what_the_last_step_saw(fields):
    spec = replace(TINY, **fields)
    state = initial_state(spec)
    for steps in (1, 1, 3, 7):
        before = advance(spec, state, steps - 1)
        after = advance(spec, state, steps)
        seen = objective(spec, torch.from_numpy(before.parameters), before.step)
        assert after.loss == seen.item()
        assert digest(advance(spec, before, 1)) == digest(after)
        state = after


def diverging(steps, seed=0, **fields):
    """At a rate that no seed survives; more steps warm up more slowly, and go on for longer."""
    fields = {"activation": "relu", "batch": 16} | fields
    return replace(TINY, learning_rate=10.0, step_size="1", steps=steps, seed=seed, **fields)


WILD = {
    **{f"energy {seed}": diverging(400, seed, depth=8, activation="tanh") for seed in (0, 1, 3)},
    "sliced": diverging(800, depth=8, loss="sliced"),
    "sinkhorn": diverging(400, loss="sinkhorn"),
    "plain": diverging(800, network="plain", width=16),
    "penalised": diverging(400, activation="tanh", l2=1.0, kinetic=1.0),
    "gelu, penalised": diverging(400, 1, activation="gelu", l2=0.1, l2_towards="start"),
    "classify": diverging(400, task="classify", source="moons"),
    "classify, plain": diverging(
        800, task="classify", source="pinwheel", network="plain", width=16
    ),
    "at the first step": diverging(200, depth=8, loss="sliced"),
}


@pytest.mark.parametrize("spec", WILD.values(), ids=WILD)
def test_a_run_that_diverges_may_be_cut_at_every_place(spec):
    whole = advance(spec, initial_state(spec), spec.steps)
    assert whole.diverged == whole.step + 1
    assert all(np.isfinite(getattr(whole, name)).all() for name in STATE_ARRAYS)
    places = range(min(whole.diverged + 2, spec.steps))
    cut = [advance(spec, initial_state(spec), place) for place in places]
    for place, state in enumerate(cut):
        assert state.step == min(place, whole.step)
        assert state.diverged == (whole.diverged if place >= whole.diverged else None)
        assert digest(advance(spec, state, spec.steps)) == digest(whole)
    for first, second in combinations(places, 2):
        state = advance(spec, cut[first], second - first)
        assert digest(state) == digest(cut[second])
    singly = initial_state(spec)
    for _ in places:
        singly = advance(spec, singly, 1)
    assert digest(singly) == digest(advance(spec, initial_state(spec), len(places)))
    if whole.step:
        before = torch.from_numpy(cut[whole.step - 1].parameters)
        assert whole.loss == objective(spec, before, whole.step - 1).item()
    else:
        assert np.isnan(whole.loss)


@pytest.mark.parametrize("spec", WILD.values(), ids=WILD)
def test_the_step_that_is_taken_back_misses_by_more_than_is_allowed(spec):
    whole = advance(spec, initial_state(spec), spec.steps)
    free = replace(spec, l2=0.0, kinetic=0.0, head_decay=0.0)
    limit = DIVERGED_BEYOND["cross-entropy" if spec.classes else spec.loss]
    kept = objective(free, torch.from_numpy(whole.parameters), whole.step)
    assert kept <= limit


def assert_lost(spec, lost):
    """A state whose last layer moves all points so far is told at its next step, and kept."""
    before = advance(spec, initial_state(spec), 3)
    parameters = before.parameters.copy()
    unflatten(spec, torch.from_numpy(parameters)).outer_bias[-1] = lost
    before = replace(before, parameters=parameters)
    after = advance(spec, before, 5)
    assert digest(after) == digest(replace(before, diverged=4))


@pytest.mark.parametrize("lost", [1e12, np.nan, np.inf])
@every_kind
def test_a_state_that_is_lost_is_told_and_stays_as_it_was(fields, lost):
    assert_lost(replace(TINY, **fields), lost)


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": "energy"},
        {"loss": "sliced"},
        {"loss": "sinkhorn"},
        {"task": "classify", "source": "moons"},
    ],
    ids=lambda fields: next(iter(fields.values())),
)
def test_a_state_whose_squares_overflow_is_told_without_a_warning(fields):
    assert_lost(replace(TINY, **fields), 1e30)


@every_kind
def test_a_run_that_does_not_diverge_may_be_cut_at_every_place(fields):
    spec = replace(TINY, steps=8, **fields)
    whole = advance(spec, initial_state(spec), 8)
    assert whole.diverged is None
    for place in range(9):
        state = advance(spec, initial_state(spec), place)
        assert digest(advance(spec, state, 8)) == digest(whole)
