"""The network by hand: tracks, starts, the head, its regions, derivatives, the vector's layout."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from resviz import spec
from resviz.distributions import sample
from resviz.flow import ACTIVATION, Flow
from resviz.networks import (
    class_logits,
    decision_regions,
    jacobians,
    predicted_classes,
    tracks,
)
from resviz.parameters import initial_parameters, parameter_count, unflatten
from resviz.spec import RunSpec


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As training and looking have it; more gain nothing on such clouds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def flat(inner, inner_bias, outer, outer_bias, head=(), head_bias=()):
    """The four blocks, each a list over layers, and the head as one vector."""
    blocks = (inner, inner_bias, outer, outer_bias, head, head_bias)
    return np.concatenate([np.ravel(block) for block in blocks]).astype(np.float32)


def start(spec, seed=0):
    return initial_parameters(spec, np.random.default_rng(seed))


def rms(vectors):
    return float(np.sqrt(np.square(vectors).sum(axis=-1).mean()))


NOTHING, EYE = [[0, 0], [0, 0]], [[1, 0], [0, 1]]
# One ReLU layer with no symmetry, so that a transposed matrix would show.
BENT = ([[1, 2], [0, -1]], [0, 1], [[1, 1], [0, 2]], [0, -1])
POINTS = np.array([[1.0, 1.0], [-3.0, 1.0], [0.0, -2.0]])
BENT_STEPS = np.array([[3.0, -1.0], [0.0, -1.0], [3.0, 5.0]])  # f at POINTS


AT_1_AND_MINUS_1 = {
    "tanh": (0.7615942, -0.7615942),
    "relu": (1.0, 0.0),
    "softplus": (1.3132617, 0.3132617),
    "gelu": (0.8413447, -0.1586553),
}
every_activation = pytest.mark.parametrize("activation", ACTIVATION)
every_network = pytest.mark.parametrize("network", spec.NETWORKS)


def test_registries_name_the_same_activations():
    assert set(ACTIVATION) == set(spec.ACTIVATIONS) == set(AT_1_AND_MINUS_1)


@pytest.mark.parametrize(("step_size", "h"), [("1", 1.0), ("1/L", 0.5)])
def test_constant_layers_translate(step_size, h):
    network = RunSpec(depth=2, width=2, step_size=step_size)
    weights = flat([EYE, EYE], [[5, 5], [5, 5]], [NOTHING, NOTHING], [[1, -2], [0, 4]])
    way = tracks(network, weights, POINTS)
    np.testing.assert_array_equal(way[0], POINTS)
    np.testing.assert_array_equal(way[1], POINTS + h * np.array([1, -2]))
    np.testing.assert_array_equal(way[2], POINTS + h * np.array([1, 2]))


def test_one_relu_layer_by_hand():
    network = RunSpec(depth=1, width=2, activation="relu")
    way = tracks(network, flat(*([part] for part in BENT)), POINTS)
    np.testing.assert_array_equal(way, [POINTS, POINTS + BENT_STEPS])


def test_two_layers_of_half_a_step_by_hand():
    network = RunSpec(depth=2, width=2, activation="relu", step_size="1/L")
    second = (NOTHING, [0, 0], NOTHING, [0, 4])
    way = tracks(network, flat(*zip(BENT, second, strict=True)), POINTS)
    np.testing.assert_array_equal(way[1], POINTS + BENT_STEPS / 2)
    np.testing.assert_array_equal(way[2], POINTS + BENT_STEPS / 2 + [0, 2])


def test_the_second_layer_sees_where_the_first_one_left_the_points():
    network = RunSpec(depth=2, width=2, activation="relu", step_size="1")
    # A translation to (2, 1), then x ↦ x + relu(x): (0, 0) → (2, 1) → (4, 2).
    weights = flat([EYE, EYE], [[0, 0], [0, 0]], [NOTHING, EYE], [[2, 1], [0, 0]])
    way = tracks(network, weights, np.zeros((1, 2)))
    np.testing.assert_array_equal(way[:, 0], [[0, 0], [2, 1], [4, 2]])


@every_activation
def test_activations_at_one_and_minus_one(activation):
    network = RunSpec(depth=1, width=2, activation=activation)
    weights = flat([NOTHING], [[1, -1]], [EYE], [[0, 0]])
    way = tracks(network, weights, np.zeros((1, 2)))
    np.testing.assert_allclose(way[1], [AT_1_AND_MINUS_1[activation]], atol=1e-6)


@every_activation
def test_a_plain_layer_by_hand(activation):
    network = RunSpec(depth=1, width=2, network="plain", start="random", activation=activation)
    weights = flat([[[1, 2], [0, -1]]], [[0, 1]], [[[1, 1], [0, 2]]], [[0.5, -1]])
    # The inner units see 3 − 2 = 1 and 1 − 2 = −1.
    up, down = AT_1_AND_MINUS_1[activation]
    way = tracks(network, weights, np.array([[-3.0, 2.0]]))
    np.testing.assert_array_equal(way[0], [[-3, 2]])
    np.testing.assert_allclose(way[1], [[up + down + 0.5, 2 * down - 1]], atol=1e-6)


@pytest.mark.parametrize("step_size", spec.STEP_SIZES)
def test_two_plain_layers_by_hand(step_size):
    """A plain layer puts f(x) in the place of x: no step, so none is made longer or shorter."""
    network = RunSpec(
        depth=2,
        width=2,
        activation="relu",
        step_size=step_size,
        network="plain",
        start="random",
    )
    second = (EYE, [0, 0], EYE, [0, 4])  # relu(x), then up by 4
    way = tracks(network, flat(*zip(BENT, second, strict=True)), POINTS)
    np.testing.assert_array_equal(way[1], BENT_STEPS)
    np.testing.assert_array_equal(way[2], [[3, 4], [0, 4], [3, 9]])


# Before training

CLOUDS = [
    sample(name, 150, np.random.default_rng(0))[0] for name in ("gaussian", "eight_gaussians")
]
NEXT = 150  # where the second one begins in both together
PLACES = np.concatenate(CLOUDS)


def parts_of_the_radius(way):
    """rms‖X_L − X_0‖ of each of both clouds, over its own radius."""
    moved = way[-1] - way[0]
    radii = [rms(cloud - cloud.mean(axis=0)) for cloud in CLOUDS]
    return rms(moved[:NEXT]) / radii[0], rms(moved[NEXT:]) / radii[1]


@pytest.mark.parametrize("depth", [1, 12, 64])
@pytest.mark.parametrize(
    ("network", "step_size", "width"),
    [
        *(
            ("residual", step_size, width)
            for step_size in ("1/L", "1")
            for width in (2, 4, 32, 256)
        ),
        *(("plain", "1/L", width) for width in (4, 32, 256)),  # which has no step
    ],
)
@every_activation
def test_before_training_the_cloud_rests(activation, network, step_size, width, depth):
    spec = RunSpec(
        network=network,
        activation=activation,
        depth=depth,
        width=width,
        step_size=step_size,
    )
    seeds = range(6 if width * depth < 2000 else 2)
    parts = [parts_of_the_radius(tracks(spec, start(spec, seed), PLACES)) for seed in seeds]
    assert np.max(parts) <= 0.1
    assert np.min(parts) > 0  # all zeros would leave tanh's inner weights without a gradient


@every_activation
def test_a_plain_networks_start_knows_no_step_size(activation):
    ways = []
    for step_size in spec.STEP_SIZES:
        network = RunSpec(network="plain", activation=activation, step_size=step_size)
        ways.append(tracks(network, start(network), POINTS))
    np.testing.assert_array_equal(*ways)


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus"])
@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_a_unit_less_its_mirror_image_is_the_identity(activation, number):
    z = torch.linspace(-8, 8, 1001, dtype=number)
    up, down = torch.empty_like(z), torch.empty_like(z)
    ACTIVATION[activation].value(z, up)
    ACTIVATION[activation].value(-z, down)
    pair = up - down
    torch.testing.assert_close(pair, z, atol=1e-6, rtol=0)


def test_a_bias_makes_tanhs_mirror_image_another_unit():
    """Without one it is the same unit, its sign turned: half of the width would be lost."""
    network = RunSpec(network="plain", activation="tanh", depth=1, width=256)
    bias = unflatten(network, torch.from_numpy(start(network))).inner_bias
    assert float(bias.abs().max()) > 0.3


@every_activation
@pytest.mark.parametrize("width", [4, 6, 32])
def test_a_plain_layer_begins_as_mirrored_pairs(activation, width):
    network = RunSpec(network="plain", activation=activation, depth=3, width=width)
    blocks = unflatten(network, torch.from_numpy(start(network)))
    half = width // 2
    np.testing.assert_array_equal(blocks.inner[:, half:], -blocks.inner[:, :half])
    np.testing.assert_array_equal(blocks.inner_bias[:, half:], blocks.inner_bias[:, :half])
    # Of B that is so up to the noise, which is there in every entry.
    noise = blocks.outer[:, :, half:] + blocks.outer[:, :, :half]
    assert float(noise.abs().min()) > 0
    assert float(noise.abs().max()) < 0.1
    assert not blocks.outer_bias.any()


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus"])
@pytest.mark.parametrize(("depth", "width"), [(1, 4), (12, 32), (64, 4)])
def test_without_noise_a_plain_network_begins_as_the_identity(
    activation, depth, width, monkeypatch
):
    monkeypatch.setattr("resviz.parameters.PAIR_NOISE", 0.0)
    network = RunSpec(network="plain", activation=activation, depth=depth, width=width)
    way = tracks(network, start(network), PLACES)
    np.testing.assert_allclose(way, np.broadcast_to(way[0], way.shape), atol=2e-5)


def test_without_noise_two_halves_of_relus_undo_the_matrix_between_them(monkeypatch):
    """In NumPy and double precision, without the network's own loop."""
    monkeypatch.setattr("resviz.parameters.PAIR_NOISE", 0.0)
    network = RunSpec(network="plain", activation="relu", depth=5, width=8)
    blocks = unflatten(network, torch.from_numpy(start(network)).double())
    for inner, outer in zip(blocks.inner, blocks.outer, strict=True):
        there = np.maximum(POINTS @ inner.numpy().T, 0)
        np.testing.assert_allclose(there @ outer.numpy().T, POINTS, atol=1e-6)


def test_noise_sets_the_layers_of_a_plain_network_apart():
    network = RunSpec(network="plain", activation="relu", depth=12, width=32)
    steps = np.diff(tracks(network, start(network), PLACES), axis=0)
    assert all(rms(step) > 1e-4 for step in steps)
    assert all(rms(step - other) > 1e-4 for step, other in pairwise(steps))


@every_activation
@every_network
def test_a_random_start_throws_the_cloud_about(network, activation):
    network = RunSpec(start="random", network=network, activation=activation, step_size="1")
    assert min(parts_of_the_radius(tracks(network, start(network), PLACES))) > 0.5


@every_network
def test_a_random_start_draws_as_torchs_own_layers_do(network):
    network = RunSpec(
        start="random",
        network=network,
        depth=64,
        width=256,
        task="classify",
        source="twenty_five_gaussians",
    )
    blocks = unflatten(network, torch.from_numpy(start(network)))
    for block, inputs in zip(blocks, (2, 2, 256, 256, 2, 2), strict=True):
        bound = 1 / np.sqrt(inputs)
        assert float(block.abs().max()) <= bound
        assert float(block.std()) == pytest.approx(bound / np.sqrt(3), rel=0.2)  # uniform


@every_network
@pytest.mark.parametrize("first", spec.STARTS)
def test_first_weights_are_float32_and_fixed_by_the_generator(first, network):
    network = RunSpec(start=first, network=network, depth=3, width=4)
    weights = start(network)
    assert weights.dtype == np.float32
    assert weights.shape == (3 * (4 * 2 + 4 + 2 * 4 + 2),)
    np.testing.assert_array_equal(weights, start(network))
    assert not np.array_equal(weights, start(network, seed=1))


@every_network
@pytest.mark.parametrize("first", spec.STARTS)
def test_a_head_comes_after_the_layers_and_leaves_their_start_as_it_is(first, network):
    matching = RunSpec(start=first, network=network, depth=3, width=4, source="pinwheel")
    classifying = RunSpec.from_query(matching.to_query() | {"task": "classify"})
    assert parameter_count(classifying) == parameter_count(matching) + 5 * 2 + 5
    weights = start(classifying)
    np.testing.assert_array_equal(weights[:66], start(matching))
    assert (weights[66:] != 0).all()


def test_unflatten_views_the_flat_vector():
    network = RunSpec(task="classify", source="pinwheel", depth=3, width=4)
    vector = torch.arange(81, dtype=torch.float32)
    blocks = unflatten(network, vector)
    layers = [(3, 4, 2), (3, 4), (3, 2, 4), (3, 2)]
    assert [tuple(block.shape) for block in blocks] == [*layers, (5, 2), (5,)]
    # In order and without a gap: the blocks laid end to end are the vector.
    np.testing.assert_array_equal(np.concatenate([b.ravel() for b in blocks]), vector)
    blocks.head_bias[4] = -7
    blocks.inner[0, 0, 0] = -9
    assert vector[[-1, 0]].tolist() == [-7, -9]


def test_where_clouds_are_matched_there_is_no_head():
    network = RunSpec(depth=3, width=4, source="moons")
    blocks = unflatten(network, torch.zeros(66))
    assert [tuple(blocks.head.shape), tuple(blocks.head_bias.shape)] == [(0, 2), (0,)]


def test_tracks_are_float32_and_leave_their_inputs_alone():
    network = RunSpec(depth=3, width=4)
    weights, points = start(network), POINTS.copy()
    before = weights.copy()
    way = tracks(network, weights, points)
    assert way.shape == (4, 3, 2)
    assert way.dtype == np.float32
    way[:] = 0
    np.testing.assert_array_equal(weights, before)
    np.testing.assert_array_equal(points, POINTS)


def test_each_particle_goes_its_way_alone():
    network = RunSpec(depth=3, width=4, start="random")
    weights = start(network)
    together = tracks(network, weights, POINTS)
    alone = [tracks(network, weights, point[None]) for point in POINTS]
    np.testing.assert_allclose(np.concatenate(alone, axis=1), together, atol=1e-6)


def test_weights_that_may_not_be_written_are_read_without_a_warning():
    network = RunSpec(depth=3, width=4)
    weights = start(network)
    way = tracks(network, weights, POINTS)
    weights.setflags(write=False)  # as arrays are that come out of a shared buffer
    np.testing.assert_array_equal(tracks(network, weights, POINTS), way)


# The head

HEAD = [[1, 2], [0, -1], [3, 0]], [0, 1, -2]  # three classes
# Of (1, 1), (−3, 1) and (0, −2): C x + c.
LOGITS = [[3, 0, 1], [-1, 0, -11], [-4, 3, -2]]


def resting(depth, head, **others):
    """A residual network whose layers do nothing, before the given head."""
    spec = RunSpec(task="classify", depth=depth, width=2, **others)
    return spec, flat(
        [NOTHING] * depth, [[0, 0]] * depth, [NOTHING] * depth, [[0, 0]] * depth, *head
    )


def test_logits_by_hand():
    network, weights = resting(1, HEAD, source="text:ABC")
    parameters = unflatten(network, torch.from_numpy(weights))
    logits = class_logits(parameters, torch.tensor(POINTS, dtype=torch.float32))
    np.testing.assert_array_equal(logits, LOGITS)


def test_the_predicted_class_has_the_largest_logit():
    network, weights = resting(1, HEAD, source="text:ABC")
    classes = predicted_classes(network, weights, POINTS)
    np.testing.assert_array_equal(classes, [0, 1, 1])
    assert classes.dtype == np.int64


# Class 1 where x > 1; nothing else is looked at.
TO_THE_RIGHT_OF_1 = [[0, 0], [1, 0]], [0, -1]
# x ↦ x + 2 and y ↦ y, then x ↦ x + 2 relu(−x) = |x|.
SHIFTED_AND_FOLDED = (
    [NOTHING, [[-1, 0], [0, 0]]],
    [[0, 0], [0, 0]],
    [NOTHING, [[2, 0], [0, 0]]],
    [[2, 0], [0, 0]],
)
GRID = np.stack(np.meshgrid(np.arange(-4.75, 5), np.arange(-4.75, 5)), axis=-1).reshape(-1, 2)


def test_regions_of_two_layers_by_hand():
    network = RunSpec(
        task="classify",
        source="moons",
        depth=2,
        width=2,
        activation="relu",
        step_size="1",
    )
    regions = decision_regions(network, flat(*SHIFTED_AND_FOLDED, *TO_THE_RIGHT_OF_1), GRID)
    x = GRID[:, 0]
    np.testing.assert_array_equal(regions[2], x > 1)
    np.testing.assert_array_equal(regions[1], np.abs(x) > 1)
    np.testing.assert_array_equal(regions[0], np.abs(x + 2) > 1)
    assert regions.shape == (3, len(GRID))


def random_classifier(network, depth=3):
    spec = RunSpec(
        task="classify",
        source="pinwheel",
        network=network,
        start="random",
        depth=depth,
        width=8,
        step_size="1",
    )
    return spec, 2 * start(spec)  # so that the head's borders go through the cloud


@every_network
def test_the_first_regions_are_the_networks_own_decision(network):
    spec, weights = random_classifier(network)
    regions = decision_regions(spec, weights, GRID)
    end = tracks(spec, weights, GRID)[-1]
    np.testing.assert_array_equal(regions[0], predicted_classes(spec, weights, end))
    assert len(np.unique(regions[0])) > 1


@every_network
def test_the_regions_after_each_layer_are_where_the_particles_are(network):
    """What is decided does not change on the way: regions move with the particles."""
    spec, weights = random_classifier(network)
    way = tracks(spec, weights, PLACES)
    decided = decision_regions(spec, weights, PLACES)[0]
    for layer, places in enumerate(way):
        np.testing.assert_array_equal(decision_regions(spec, weights, places)[layer], decided)


@every_network
def test_the_last_regions_are_the_linear_heads(network):
    spec, weights = random_classifier(network)
    generator = np.random.default_rng(0)
    points = generator.uniform(-5, 5, (2000, 2))
    last = decision_regions(spec, weights, points)[-1]
    np.testing.assert_array_equal(last, predicted_classes(spec, weights, points))
    assert len(np.unique(last)) > 1
    # Straight borders: what lies between two points of a class is of that class.
    for label in np.unique(last):
        ours = points[last == label]
        between = (ours + generator.permutation(ours)) / 2
        assert (decision_regions(spec, weights, between)[-1] == label).all()


# Derivatives

TURN = np.array([[0.0, -1.0], [1.0, 0.0]])  # by 90°
OFF_THE_KINKS = np.array([[1.0, 1.0], [-3.0, 1.0], [0.5, -2.0]])


def linear(matrix):
    """A, a, B, b of x ↦ matrix x, by ReLUs: relu(z) − relu(−z) = z."""
    matrix = np.asarray(matrix, float)
    return [*EYE, [-1, 0], [0, -1]], [0] * 4, np.hstack([matrix, -matrix]), [0, 0]


def relus(network, depth):
    return RunSpec(network=network, depth=depth, width=4, activation="relu", step_size="1")


@pytest.mark.parametrize(
    ("network", "derivative"), [("plain", TURN), ("residual", np.eye(2) + TURN)]
)
def test_the_derivative_of_a_turn(network, derivative):
    weights = flat(*([part] for part in linear(TURN)))
    found = jacobians(relus(network, 1), weights, OFF_THE_KINKS)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [derivative] * 3)


def test_the_derivative_of_two_layers_is_the_product():
    first, second = np.array([[1, 2], [0, 3]]), np.array([[1, 0], [-1, 1]])
    weights = flat(*zip(linear(first), linear(second), strict=True))
    np.testing.assert_array_equal(
        jacobians(relus("plain", 2), weights, OFF_THE_KINKS), [[[1, 2], [-1, 1]]] * 3
    )
    np.testing.assert_array_equal(
        jacobians(relus("residual", 2), weights, OFF_THE_KINKS), [[[4, 4], [-2, 6]]] * 3
    )


def test_the_derivative_is_each_points_own():
    network = RunSpec(depth=1, width=2, activation="relu", step_size="1")
    weights = flat(*([part] for part in BENT))
    # Rows of A that are on, at POINTS: the first (3, 0), neither (−1, 0), the second (−4, 3).
    on = [[[2, 2], [0, 1]], EYE, [[1, -1], [0, -1]]]
    np.testing.assert_array_equal(jacobians(network, weights, POINTS), on)


@every_activation
@every_network
def test_derivatives_against_small_differences(network, activation):
    spec = RunSpec(
        network=network,
        activation=activation,
        start="random",
        depth=4,
        width=8,
        step_size="1",
    )
    weights = start(spec) * 1.5
    vector = torch.tensor(weights, dtype=torch.float64)

    def end(points):
        return Flow(spec, len(points), torch.float64)(vector, torch.from_numpy(points))[-1].numpy()

    points, reach = np.random.default_rng(1).normal(size=(20, 2)), 1e-6
    columns = [(end(points + reach * e) - end(points - reach * e)) / (2 * reach) for e in np.eye(2)]
    found = jacobians(spec, weights, points)
    np.testing.assert_allclose(found, np.stack(columns, axis=2), atol=1e-7)
    assert np.ptp(found, axis=0).max() > 1e-3


@pytest.mark.parametrize("task", spec.TASKS)
def test_an_untrained_networks_derivative_is_near_the_identity(task):
    network = RunSpec(task=task, source="moons")
    found = jacobians(network, start(network), POINTS)
    np.testing.assert_allclose(found, [EYE] * 3, atol=0.1)
