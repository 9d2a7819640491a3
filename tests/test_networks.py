"""The network: tracks computed by hand, the two starts, and the flat vector's layout."""

import numpy as np
import pytest
import torch

from resviz import spec
from resviz.distributions import sample
from resviz.networks import ACTIVATION, initial_parameters, layer_states, tracks, unflatten
from resviz.spec import RunSpec


def flat(inner, inner_bias, outer, outer_bias):
    """The four blocks, each a list over layers, as one vector."""
    blocks = (inner, inner_bias, outer, outer_bias)
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


def test_registries_name_the_same_activations():
    assert set(ACTIVATION) == set(spec.ACTIVATIONS)


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


@pytest.mark.parametrize(
    ("activation", "at_1", "at_minus_1"),
    [
        ("tanh", 0.7615942, -0.7615942),
        ("relu", 1.0, 0.0),
        ("softplus", 1.3132617, 0.3132617),
        ("gelu", 0.8413447, -0.1586553),
    ],
)
def test_activations_at_one_and_minus_one(activation, at_1, at_minus_1):
    network = RunSpec(depth=1, width=2, activation=activation)
    weights = flat([NOTHING], [[1, -1]], [EYE], [[0, 0]])
    way = tracks(network, weights, np.zeros((1, 2)))
    np.testing.assert_allclose(way[1], [[at_1, at_minus_1]], atol=1e-6)


@pytest.mark.parametrize("step_size", spec.STEP_SIZES)
@pytest.mark.parametrize(("depth", "width"), [(1, 2), (1, 256), (3, 32), (12, 8), (64, 32)])
@pytest.mark.parametrize("activation", ACTIVATION)
def test_before_training_the_cloud_rests(activation, depth, width, step_size):
    network = RunSpec(depth=depth, width=width, activation=activation, step_size=step_size)
    cloud, _ = sample("gaussian", 400, np.random.default_rng(0))
    radius = rms(cloud - cloud.mean(axis=0))
    moved = []
    for seed in range(10):
        way = tracks(network, start(network, seed), cloud)
        moved.append(rms(way[-1] - way[0]))
    assert max(moved) <= 0.1 * radius
    assert min(moved) > 0  # all zeros would leave tanh's inner weights without a gradient


def test_a_random_start_throws_the_cloud_about():
    cloud, _ = sample("gaussian", 400, np.random.default_rng(0))
    network = RunSpec(start="random")
    way = tracks(network, start(network), cloud)
    assert rms(way[-1] - way[0]) > 0.1 * rms(cloud)


def test_a_random_start_draws_as_torchs_own_layers_do():
    network = RunSpec(start="random", depth=64, width=256)
    blocks = unflatten(network, torch.from_numpy(start(network)))
    for block, inputs in zip(blocks, (2, 2, 256, 256), strict=True):
        bound = 1 / np.sqrt(inputs)
        assert float(block.abs().max()) <= bound
        assert float(block.std()) == pytest.approx(bound / np.sqrt(3), rel=0.2)  # uniform


@pytest.mark.parametrize("first", spec.STARTS)
def test_first_weights_are_float32_and_fixed_by_the_generator(first):
    network = RunSpec(start=first, depth=3, width=4)
    weights = start(network)
    assert weights.dtype == np.float32
    assert weights.shape == (3 * (4 * 2 + 4 + 2 * 4 + 2),)
    np.testing.assert_array_equal(weights, start(network))
    assert not np.array_equal(weights, start(network, seed=1))


def test_unflatten_views_the_flat_vector():
    network = RunSpec(depth=3, width=4)
    vector = torch.arange(66, dtype=torch.float32)
    blocks = unflatten(network, vector)
    assert [tuple(block.shape) for block in blocks] == [(3, 4, 2), (3, 4), (3, 2, 4), (3, 2)]
    # In order and without a gap: the blocks laid end to end are the vector.
    np.testing.assert_array_equal(np.concatenate([b.ravel() for b in blocks]), vector)
    blocks.outer_bias[2, 1] = -7
    blocks.inner[0, 0, 0] = -9
    assert vector[[-1, 0]].tolist() == [-7, -9]


def test_layer_states_begin_with_the_points_themselves():
    network = RunSpec(depth=3, width=4)
    points = torch.zeros(5, 2)
    states = list(layer_states(network, unflatten(network, torch.ones(66)), points))
    assert len(states) == 4
    assert states[0] is points


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
