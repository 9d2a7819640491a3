"""The scores of tracks whose answers are known, the chain in exact floats, and invariances."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from resviz.distributions import gaussian_law, sample
from resviz.records import Scores
from resviz.scores import (
    PAIRING_SCORES,
    class_accuracy,
    exact_gaps,
    fit_floor,
    floor_distance,
    jacobian_scores,
    line_shape,
    map_errors,
    monotonicity,
    score,
    second_split,
)
from resviz.transport import (
    displacement_interpolation,
    gaussian_monge_map,
    optimal_plan,
    pairing,
    straight_way,
    wasserstein2_squared,
)

FACTORS = ("speed_factor", "bend_factor", "path_factor", "map_factor")
SPLITS = (*FACTORS, "swirl_factor", "curve_factor", "action_ratio")
WITHOUT_UNIT = (*SPLITS, "line_shape", "line_shape_harmonic", "optimal_transport", "map_error")
WITHOUT_UNIT += ("match_rate", "monotonicity", "gap", "gap_any_pace", "pace")
ARRAYS = ("gap", "gap_any_pace", "speed", "pace")
SECOND_SPLIT = ("swirl_factor", "curve_factor")
PER_LAYER = (*ARRAYS, *SECOND_SPLIT)

RIGHT, UP = np.eye(2)


def cloud(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


def wild_tracks(seed=0, depth=4, n=20):
    """Particles that walk about at random: nothing about their way is the cheapest."""
    return np.random.default_rng(seed).normal(size=(depth + 1, n, 2))


def polygon(corners):
    """Corners on the unit circle."""
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.column_stack([np.cos(angle), np.sin(angle)])


def turned(points, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, s], [-s, c]])


def turning(points, degrees, depth):
    """A rotation taken in equal parts: tracks whose corners lie on circles."""
    return np.stack([turned(points, degrees * layer / depth) for layer in range(depth + 1)])


def straight(start, end, times):
    return straight_way(start, end, np.asarray(times, float))


def numbers(scores, names):
    return np.concatenate([np.atleast_1d(getattr(scores, name)) for name in names])


def measured(scores):
    return [name for name, value in asdict(scores).items() if value is not None]


def assert_same(scores, others, names, **tolerance):
    for name in names:
        expected = getattr(others, name)
        np.testing.assert_allclose(getattr(scores, name), expected, err_msg=name, **tolerance)


# Known answers


def test_a_straight_track_at_an_uneven_pace():
    start = cloud(9)
    tracks = np.stack([start, start + RIGHT, start + 4 * RIGHT])
    scores = score(tracks)
    assert scores.line_shape == pytest.approx(1, abs=1e-12)
    assert scores.line_shape_harmonic == pytest.approx(1, abs=1e-12)
    # 2 (1 + 9) = 20 over (1 + 3)² = 16.
    assert scores.action == pytest.approx(20, rel=1e-12)
    assert scores.displacement == pytest.approx(16, rel=1e-12)
    assert scores.speed_factor == pytest.approx(1.25, rel=1e-12)
    assert scores.bend_factor == pytest.approx(1, rel=1e-12)
    assert scores.path_factor == pytest.approx(1.25, rel=1e-12)
    assert scores.map_factor == 1
    assert scores.optimal_transport == 1
    assert scores.match_rate == 1
    assert scores.map_error == 0
    # Two hops of length 1 and 3 in half a unit of time each.
    np.testing.assert_allclose(scores.speed, [2, 6], rtol=1e-12)
    # The cheapest way is 4 long.
    np.testing.assert_allclose(scores.pace, [0.5, 1.5], rtol=1e-12)
    # A quarter of the way at half time; at any pace it is on the route.
    np.testing.assert_allclose(scores.gap, [0, 0.25, 0], atol=1e-9)
    np.testing.assert_allclose(scores.gap_any_pace, 0, atol=1e-3)


def test_one_layer_says_nothing_of_the_path():
    scores = score(wild_tracks(depth=1))
    assert scores.line_shape == pytest.approx(1, abs=1e-12)
    assert scores.path_factor == pytest.approx(1, abs=1e-12)
    assert scores.action_ratio > 1.1  # the pairing it does say something of


def test_a_right_angle_by_hand():
    """Up by 3, then right by 4: length 7, displacement 5, unit steps that add up to √2."""
    scores = score(np.array([[[0, 0]], [[0, 3]], [[4, 3]]]))
    assert scores.line_shape == pytest.approx(np.sqrt(2), rel=1e-12)
    assert scores.action == pytest.approx(50, rel=1e-12)
    assert scores.speed_factor == pytest.approx(50 / 49, rel=1e-12)
    assert scores.bend_factor == pytest.approx(49 / 25, rel=1e-12)
    assert scores.path_factor == pytest.approx(2, rel=1e-12)
    # One particle: W2 from (0, 3) to the middle (2, 1.5) of the way is 2.5 of 5.
    np.testing.assert_allclose(scores.gap, [0, 0.5, 0], atol=1e-12)
    # The foot of the perpendicular on the way is 12/5 off.
    np.testing.assert_allclose(scores.gap_any_pace, [0, 12 / 25, 0], atol=1e-3)


def test_lss_ignores_speed_and_counts_cancelled_steps():
    # Unit steps right, right, right, left: 4 steps over a sum of 2.
    tracks = np.array([[0, 0], [1, 0], [3, 0], [3.5, 0], [3, 0]])[:, None]
    np.testing.assert_allclose(line_shape(tracks), [2], rtol=1e-12)


def test_lss_is_never_below_1():
    # Unit vectors along one line add up to a little more than their number, by rounding.
    times = np.arange(8) / 7
    assert line_shape(straight(cloud(500), cloud(500, seed=1), times)).min() == 1


def test_lss_is_the_median_and_the_harmonic_mean_over_particles():
    straight_on, corner, back = (
        [(0, 0), (1, 0), (2, 0)],
        [(0, 9), (0, 8), (1, 8)],
        [(5, 5), (6, 5), (5, 5)],
    )
    scores = score(np.array([straight_on, corner, back], float).swapaxes(0, 1), per_layer=False)
    assert scores.line_shape == pytest.approx(np.sqrt(2), rel=1e-12)
    # Over the mean of 1, 1/√2 and 0.
    assert scores.line_shape_harmonic == pytest.approx(3 / (1 + np.sqrt(0.5)), rel=1e-12)


def test_a_turned_triangle():
    scores = score(np.stack([polygon(3), turned(polygon(3), 90)]))
    assert scores.optimal_transport == pytest.approx(1 - np.sqrt(3) / 2, abs=1e-12)
    assert scores.displacement == pytest.approx(2, rel=1e-12)
    assert scores.match_rate == 0
    # Each end is a corner's distance √3 from the cheapest one, beside a displacement of √2.
    assert scores.map_error == pytest.approx(np.sqrt(3 / 2), rel=1e-12)
    end = turned(polygon(3), 90)
    errors = map_errors(end, optimal_plan(polygon(3), end))
    np.testing.assert_allclose(errors, np.sqrt(3), rtol=1e-12)
    # Every edge is at a right angle to where it goes.
    assert scores.monotonicity == 1


def test_a_triangle_that_walks_its_turn_in_three_layers():
    scores = score(turning(polygon(3), 90, 3))
    chord = 2 * np.sin(np.radians(15))  # of each of three parts of 30°
    assert scores.line_shape == pytest.approx(3 / (1 + 2 * np.cos(np.radians(30))), rel=1e-12)
    assert scores.speed_factor == pytest.approx(1, rel=1e-12)
    assert scores.bend_factor == pytest.approx(9 * chord**2 / 2, rel=1e-12)
    # Parts of 30° are each the cheapest way: the whole effort is the curve's.
    assert scores.swirl_factor == pytest.approx(1, rel=1e-9)
    np.testing.assert_allclose(scores.speed, 3 * chord, rtol=1e-9)


SQUARE = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
SQUARE_BACK = SQUARE[[1, 2, 3, 0]]  # turned by 90°, to the last bit


def check_square(scores):
    assert scores.w2_squared == 0
    assert scores.optimal_transport == 0
    assert scores.displacement == 2
    assert scores.map_factor == np.inf
    assert scores.action_ratio == np.inf
    assert scores.map_error == pytest.approx(1, rel=1e-12)


def test_a_turned_square_lies_on_itself():
    check_square(score(np.stack([SQUARE, SQUARE_BACK])))


def test_a_square_that_turns_in_two_layers_has_its_scores_per_layer_too():
    scores = score(np.stack([SQUARE, turned(SQUARE, 45), SQUARE_BACK]))
    check_square(scores)
    # Two hops of 45° on the unit circle.
    np.testing.assert_allclose(scores.speed, 2 * 2 * np.sin(np.radians(22.5)), rtol=1e-9)
    # The clouds go somewhere and come back: measured by W2 = 0 that is infinitely far.
    assert scores.curve_factor == np.inf
    assert scores.swirl_factor == pytest.approx(1, rel=1e-9)
    assert second_split(np.stack([SQUARE, turned(SQUARE, 45), SQUARE_BACK])) == {
        "swirl_factor": scores.swirl_factor,
        "curve_factor": np.inf,
    }
    assert not np.isfinite(scores.gap[1])
    assert np.isposinf(scores.pace).all()


@pytest.mark.parametrize(
    "points",
    [cloud(2), np.array([[0, 0], [3, 1]]), np.outer([0.0, 1.0, 3.0, -2.0, 7.0], [0.6, 0.8])],
    ids=["two points", "two more", "collinear"],
)
def test_turned_by_a_right_angle_two_points_and_collinear_ones_tie(points):
    scores = score(np.stack([points, turned(points, 90)]))
    assert scores.optimal_transport == pytest.approx(1, abs=1e-9)
    assert scores.match_rate == 1
    assert scores.map_error == 0
    assert scores.monotonicity == 1


def test_a_collapse_to_a_point_pairs_perfectly():
    tracks = np.stack([cloud(9), np.zeros((9, 2))])
    assert score(tracks).optimal_transport == pytest.approx(1, rel=1e-12)


def test_two_swapped_particles():
    start = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    scores = score(np.stack([start, start[[1, 0, 2]]]))
    assert scores.match_rate == pytest.approx(1 / 3)
    assert scores.monotonicity == pytest.approx(2 / 3)  # the swapped pair goes against itself
    end = start[[1, 0, 2]]
    np.testing.assert_array_equal(map_errors(end, optimal_plan(start, end)), [1, 1, 0])
    # Each end against the one that the plan names, whatever the plan.
    np.testing.assert_array_equal(map_errors(end, np.array([2, 1, 0])), np.sqrt([41, 0, 41]))


def test_monotonicity_of_one_point_is_undefined():
    assert np.isnan(monotonicity(np.zeros((1, 2)), np.ones((1, 2))))


@pytest.mark.parametrize("depth", [1, 2, 12])
def test_a_network_that_does_not_move(depth):
    start = cloud(7)
    scores = score(np.stack([start] * (depth + 1)), start)
    assert scores.still_particles == 7
    assert scores.action == scores.displacement == scores.w2_squared == 0
    assert np.isnan(numbers(scores, [*PAIRING_SCORES, "line_shape", "line_shape_harmonic"])).all()
    assert np.isnan(numbers(scores, ["gap", "gap_any_pace", "pace", *SECOND_SPLIT])).all()
    assert np.isnan(list(second_split(np.stack([start] * (depth + 1))).values())).all()
    np.testing.assert_array_equal(scores.speed, np.zeros(depth))
    assert scores.pace.shape == (depth,)
    assert scores.gap.shape == (depth + 1,)
    assert scores.fit == pytest.approx(0, abs=1e-12)


def test_a_rounding_error_is_no_movement():
    start = cloud(7)
    assert np.isnan(score(np.stack([start, start * (1 + 1e-9)])).optimal_transport)
    assert score(np.stack([start, start * (1 + 1e-3)])).optimal_transport == 1


def test_lss_of_particles_that_go_and_come_back_is_infinite():
    start = cloud(7)
    tracks = np.stack([start, start + RIGHT + 2 * UP, start])
    np.testing.assert_array_equal(line_shape(tracks), np.inf)


def test_steps_that_cancel_around_a_triangle_are_infinite_too():
    corners = polygon(3)
    tracks = np.stack([corners[0], corners[1], corners[2], corners[0]])[:, None]
    np.testing.assert_array_equal(line_shape(tracks), [np.inf])


@pytest.mark.parametrize("per_layer", [False, True])
def test_a_cloud_that_goes_and_comes_back_is_scored(per_layer):
    start = cloud(7)
    scores = score(np.stack([start, start + RIGHT + 2 * UP, start]), per_layer=per_layer)
    assert scores.line_shape == np.inf
    assert scores.line_shape_harmonic == np.inf
    assert scores.still_particles == 0
    assert scores.action == pytest.approx(2 * (5 + 5), rel=1e-9)
    assert scores.displacement == 0
    assert np.isnan(scores.optimal_transport)
    if per_layer:
        np.testing.assert_allclose(scores.speed, 2 * np.sqrt(5), rtol=1e-9)
        assert np.isnan(numbers(scores, ["gap", "gap_any_pace", "pace", *SECOND_SPLIT])).all()


def test_still_particles_are_left_out_and_counted():
    start = cloud(5)
    corner = np.stack([start, start + 3 * UP, start + 4 * RIGHT + 3 * UP])
    still = np.stack([cloud(2, seed=1) + 9] * 3)
    scores = score(np.concatenate([corner, still], axis=1))
    assert scores.still_particles == 2
    assert scores.line_shape == pytest.approx(np.sqrt(2), rel=1e-12)
    # Two of seven rest, so the means are five sevenths of 2 (9 + 16) and of 25.
    assert scores.action == pytest.approx(50 * 5 / 7, rel=1e-12)
    assert scores.displacement == pytest.approx(25 * 5 / 7, rel=1e-12)


def test_a_step_counts_from_a_millionth_of_its_track():
    tracks = np.array([(0, 0), (1, 0), (1, 2e-6), (1 - 1e-9, 2e-6)])[:, None]
    # The first two steps, at a right angle; the third one is too short.
    np.testing.assert_allclose(line_shape(tracks), [np.sqrt(2)], rtol=1e-5)


# The chain and its splits

grid = arrays(
    np.float64,
    st.tuples(st.integers(2, 5), st.integers(1, 7), st.just(2)),
    # Whole numbers, so that particles often meet, rest, tie and come back.
    elements=st.integers(-4, 4).map(float),
)


@given(tracks=grid, scale=st.integers(-100, 100), shift=st.sampled_from([0.0, 1.0, 1e3]))
def test_the_chain_holds_to_the_last_bit(tracks, scale, shift):
    tracks = (tracks + shift) * 10.0**scale
    scores = score(tracks, per_layer=False)
    ends = tracks[-1] - tracks[0]
    length_squared = np.square(np.linalg.norm(np.diff(tracks, axis=0), axis=2).sum(axis=0)).mean()
    assert scores.action >= scores.displacement >= scores.w2_squared >= 0
    # No factor below 1, where it is a number.
    assert not (numbers(scores, FACTORS) < 1).any()
    assert not scores.optimal_transport > 1
    # The length in the middle, and both ends, are what they should be.
    near = 1e-12 * np.abs(tracks).max() ** 2
    assert scores.action * (1 + 1e-12) >= length_squared >= scores.displacement * (1 - 1e-9) - near
    assert scores.displacement == pytest.approx(np.square(ends).sum(axis=1).mean(), abs=near)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_both_splits_multiply_to_the_action_ratio(seed, scale):
    scores = score(scale * (wild_tracks(seed) + 3))
    speed, bend, path, matching = numbers(scores, FACTORS)
    assert scores.action_ratio > 1.5
    assert speed * bend == pytest.approx(path, rel=1e-12)
    assert path * matching == pytest.approx(scores.action_ratio, rel=1e-12)
    assert scores.swirl_factor * scores.curve_factor == pytest.approx(
        scores.action_ratio, rel=1e-12
    )
    assert min(scores.swirl_factor, scores.curve_factor) >= 1
    assert scores.optimal_transport * matching == pytest.approx(1, rel=1e-12)
    assert scores.action / scores.w2_squared == pytest.approx(scores.action_ratio, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_geodesic_has_nothing_to_answer_for(depth):
    start, end = cloud(25), 2 * cloud(25, seed=1) + 3 * RIGHT
    times = np.arange(depth + 1) / depth
    scores = score(displacement_interpolation(start, end, times), end)
    np.testing.assert_allclose(numbers(scores, SPLITS), 1, rtol=1e-9)
    assert scores.line_shape == pytest.approx(1, abs=1e-9)
    assert scores.optimal_transport == scores.match_rate == scores.monotonicity == 1
    assert scores.map_error == 0
    np.testing.assert_allclose(scores.gap, 0, atol=1e-7)
    np.testing.assert_allclose(scores.speed, np.sqrt(wasserstein2_squared(start, end)), rtol=1e-9)
    np.testing.assert_allclose(scores.pace, 1, rtol=1e-9)
    assert scores.fit == pytest.approx(0, abs=1e-12)
    assert scores.undershoot == pytest.approx(1, rel=1e-9)


def test_a_geodesic_at_an_uneven_pace_is_off_the_clock_but_on_the_route():
    start, end = cloud(25), 2 * cloud(25, seed=1) + 3 * RIGHT
    times = [0.0, 0.1, 0.3, 1.0]
    scores = score(displacement_interpolation(start, end, times))
    clock = np.arange(4) / 3
    # W2(Z_s, Z_t) = |t − s| W2.
    np.testing.assert_allclose(scores.gap, np.abs(times - clock), atol=1e-7)
    np.testing.assert_allclose(scores.gap_any_pace, 0, atol=1e-3)
    assert scores.bend_factor == pytest.approx(1, rel=1e-9)
    # 3 (0.1² + 0.2² + 0.7²) of the even walk's effort.
    assert scores.speed_factor == pytest.approx(1.62, rel=1e-9)
    assert scores.swirl_factor == pytest.approx(1, rel=1e-9)
    assert scores.curve_factor == pytest.approx(1.62, rel=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_any_pace_forgives_and_never_charges(seed):
    scores = score(wild_tracks(seed))
    assert (scores.gap_any_pace <= scores.gap).all()
    assert (scores.gap_any_pace[1:-1] > 0).all()
    assert scores.gap[[0, -1]].tolist() == [0, 0]


def test_swirl_sees_what_the_curve_of_clouds_does_not():
    """A ring of particles that turns: the cloud rests at each layer, the particles do not."""
    ring = polygon(12)
    scores = score(turning(ring, 90, 3) + np.array([0, 1, 2, 3])[:, None, None] * RIGHT)
    assert scores.curve_factor == pytest.approx(1, rel=1e-9)
    assert scores.swirl_factor > 1.1
    np.testing.assert_allclose(scores.gap, 0, atol=1e-7)


@pytest.mark.parametrize("tracks", [wild_tracks(), wild_tracks(1, 1), turning(polygon(7), 90, 5)])
def test_the_second_split_alone_is_that_of_all_scores(tracks):
    scores = score(tracks)
    split = second_split(tracks)
    assert split == {name: getattr(scores, name) for name in SECOND_SPLIT}
    assert split["swirl_factor"] * split["curve_factor"] == pytest.approx(
        scores.action_ratio, rel=1e-12
    )


# Class by class


def test_two_classes_that_change_places():
    """The whole cloud goes nowhere; each class goes ten to the right, or to the left."""
    start = np.array([[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [10.0, 1.0]])
    tracks = straight(start, start[[2, 3, 0, 1]], [0, 0.5, 1])
    whole, by_class = score(tracks), score(tracks, labels=np.array([0, 0, 1, 1]))
    assert whole.optimal_transport == 0
    assert whole.action_ratio == np.inf
    for name in ("optimal_transport", "action_ratio", "map_factor", "path_factor", "match_rate"):
        assert getattr(by_class, name) == 1, name
    assert by_class.w2_squared == by_class.displacement == 100
    assert by_class.map_error == 0


@pytest.mark.parametrize("seed", range(5))
def test_class_by_class_the_chain_holds_and_the_pairing_is_never_worse(seed):
    tracks, labels = wild_tracks(seed), np.random.default_rng(seed).integers(3, size=20)
    whole, by_class = score(tracks, per_layer=False), score(tracks, labels=labels)
    assert by_class.action == whole.action
    assert by_class.displacement == whole.displacement
    assert by_class.action >= by_class.displacement >= by_class.w2_squared > whole.w2_squared
    assert by_class.optimal_transport > whole.optimal_transport
    assert by_class.w2_squared == pairing(tracks[0], tracks[-1], labels).w2_squared
    # What takes no pairing is the same.
    assert_same(by_class, whole, ["line_shape", "path_factor", "monotonicity", "still_particles"])


def test_class_by_class_nothing_is_scored_per_layer():
    scores = score(wild_tracks(), labels=np.arange(20) % 2)
    assert [getattr(scores, name) for name in PER_LAYER] == [None] * len(PER_LAYER)


def test_one_class_is_scored_as_the_whole_cloud_is():
    tracks, target = wild_tracks(), cloud(20, 5)
    assert score(tracks, target, labels=np.zeros(20, int)) == score(tracks, target, per_layer=False)


@pytest.mark.parametrize(
    ("guesses", "labels", "accuracy", "majority"),
    [
        ([0, 1, 1, 0], [0, 1, 1, 0], 1.0, 0.5),
        ([1, 0, 0, 1], [0, 1, 1, 0], 0.0, 0.5),
        ([2, 2, 2, 2], [0, 2, 2, 2], 0.75, 0.75),
        ([0, 0, 0, 0, 0], [4, 4, 1, 0, 4], 0.2, 0.6),
    ],
)
def test_accuracy_by_hand(guesses, labels, accuracy, majority):
    found = class_accuracy(np.array(guesses), np.array(labels))
    assert found == {"accuracy": accuracy, "majority": majority}


@pytest.mark.parametrize(
    ("accuracy", "majority", "arrived"),
    [
        (0.5, 0.5, False),
        (0.74, 0.5, False),
        (0.75, 0.5, True),
        (1.0, 0.5, True),
        # Where one class is nearly all, naming it is no feat.
        (0.94, 0.9, False),
        (0.96, 0.9, True),
        (0.1, 0.5, False),
    ],
)
def test_a_classifier_has_arrived_when_it_errs_half_as_often_as_the_largest_class(
    accuracy, majority, arrived
):
    scores = replace(score(wild_tracks(), per_layer=False), accuracy=accuracy, majority=majority)
    assert scores.arrived is arrived


# The derivative of the map


def turn(degrees):
    return turned(np.eye(2), degrees).T


@pytest.mark.parametrize(
    ("matrix", "asymmetry", "indefinite"),
    [
        (np.eye(2), 0, 0),
        # Its symmetric part is 0, which is not below 0.
        (np.array([[0.0, -1.0], [1.0, 0.0]]), 1, 0),
        (-np.eye(2), 0, 1),
        (np.zeros((2, 2)), 0, 0),
        (np.diag([1.0, -1.0]), 0, 1),
        (np.array([[2.0, 1.0], [1.0, 3.0]]), 0, 0),
        # A turn's is the sine of its angle, and past 90° it points backwards.
        (turn(30), 0.5, 0),
        (turn(-30), 0.5, 0),
        (turn(150), 0.5, 1),
        # A residual step of length 1 that turns by 90°: 2√2 over 2 · 2.
        (np.array([[1.0, -1.0], [1.0, 1.0]]), 1 / np.sqrt(2), 0),
        # A shear by 4: 4√2 over 2√18, and 1 − 4/2 < 0.
        (np.array([[1.0, 4.0], [0.0, 1.0]]), 2 / 3, 1),
        (np.array([[1.0, 1.0], [0.0, 1.0]]), 1 / np.sqrt(6), 0),
    ],
)
def test_one_derivative_by_hand(matrix, asymmetry, indefinite):
    for size in (1e-9, 1.0, 1e9):
        scores = jacobian_scores(size * matrix[None])
        assert scores["jacobian_asymmetry"] == pytest.approx(asymmetry, abs=1e-12)
        assert scores["jacobian_indefinite"] == indefinite


def test_derivatives_are_averaged_over_particles():
    half_turns = np.stack([np.eye(2), turn(30), -np.eye(2), np.zeros((2, 2))])
    assert jacobian_scores(half_turns) == {
        "jacobian_asymmetry": pytest.approx(0.125, rel=1e-12),
        "jacobian_indefinite": 0.25,
    }


matrices = arrays(np.float64, (3, 2, 2), elements=st.integers(-9, 9).map(float))


@given(matrices=matrices, degrees=st.integers(0, 359))
def test_the_derivatives_scores_do_not_depend_on_the_pictures_direction(matrices, degrees):
    scores = jacobian_scores(matrices)
    assert 0 <= scores["jacobian_asymmetry"] <= 1 + 1e-12
    both_turned = turn(degrees) @ matrices @ turn(-degrees)
    assert jacobian_scores(both_turned)["jacobian_asymmetry"] == pytest.approx(
        scores["jacobian_asymmetry"], abs=1e-9
    )
    # With the transposed and the map run backwards it is the same question.
    assert jacobian_scores(matrices.transpose(0, 2, 1)) == pytest.approx(scores, abs=1e-12)


def test_the_optimal_map_of_two_gaussians_has_a_derivative_without_fault():
    matrix, _ = gaussian_monge_map(*LAWS[0], *LAWS[1])
    scores = jacobian_scores(matrix[None])
    assert scores["jacobian_asymmetry"] == pytest.approx(0, abs=1e-12)
    assert scores["jacobian_indefinite"] == 0


# The closed form

LAWS = gaussian_law("gaussian"), gaussian_law("anisotropic_gaussian")
ROUND = np.zeros(2), np.eye(2)  # from which to
THRICE = np.array([3.0, -4.0]), 9 * np.eye(2)


def shaped(mean, deviation, n=50):
    """A cloud of exactly this mean, round, with exactly this deviation along every axis."""
    points = cloud(n) - cloud(n).mean(axis=0)
    along, axes = np.linalg.eigh(points.T @ points / n)
    return points @ axes / np.sqrt(along) * deviation + mean


def test_a_walk_along_the_closed_form_has_no_gap():
    times = np.linspace(0, 1, 5)
    walk = np.stack([shaped(t * THRICE[0], 1 + 2 * t) for t in times])
    np.testing.assert_allclose(exact_gaps(walk, ROUND, THRICE)["exact_gap"], 0, atol=1e-6)


def test_the_exact_gap_of_a_walk_that_is_late_or_beside_the_way():
    # W2² is ‖(3, −4)‖² for the means and 2 (3 − 1)² for both axes.
    whole = np.sqrt(25 + 8)
    late = np.array([0.0, 0.1, 0.5, 1.0])
    walk = np.stack([shaped(t * THRICE[0], 1 + 2 * t) for t in late])
    gap = exact_gaps(walk, ROUND, THRICE)["exact_gap"]
    np.testing.assert_allclose(gap, np.abs(late - np.arange(4) / 3), atol=1e-6)
    beside = np.stack([shaped([0, 2], 1), shaped([3, -4], 2.5)])
    gap = exact_gaps(beside, ROUND, THRICE)["exact_gap"]
    np.testing.assert_allclose(gap, [2 / whole, 0.5 * np.sqrt(2) / whole], rtol=1e-6)


def gaussian_walk(times, degrees=0.0, n=1000):
    """A sample of the first law, pushed along the exact map; turned a little more each layer."""
    start, _ = sample("gaussian", n, np.random.default_rng(3))
    matrix, shift = gaussian_monge_map(*LAWS[0], *LAWS[1])
    way = straight(start, start @ matrix.T + shift, times)
    return np.stack([turned(x, degrees * k) for k, x in enumerate(way)])


EVEN = np.linspace(0, 1, 7)


def test_a_sample_on_the_exact_geodesic_is_off_by_its_noise():
    gaps = exact_gaps(gaussian_walk(EVEN), *LAWS)
    assert gaps["exact_gap"].shape == gaps["exact_gap_noise"].shape == (7,)
    assert (gaps["exact_gap"] < 3 * gaps["exact_gap_noise"]).all()
    assert (gaps["exact_gap_noise"] < 0.2).all()


@pytest.mark.parametrize(
    "walk", [gaussian_walk(EVEN**3), gaussian_walk(EVEN, degrees=15)], ids=["late", "turned"]
)
def test_a_walk_off_the_exact_geodesic_is_off_by_more(walk):
    gaps = exact_gaps(walk, *LAWS)
    assert (gaps["exact_gap"] / gaps["exact_gap_noise"]).max() > 4


def test_the_exact_gaps_noise_falls_as_the_root_of_the_particles():
    noise = [exact_gaps(gaussian_walk(EVEN, n=n), *LAWS)["exact_gap_noise"] for n in (100, 1600)]
    assert noise[0].mean() / noise[1].mean() == pytest.approx(4, rel=0.3)


def test_the_exact_gaps_noise_knows_the_number_of_particles_alone():
    first, other = (exact_gaps(gaussian_walk(EVEN, d), *LAWS) for d in (0, 15))
    np.testing.assert_array_equal(first["exact_gap_noise"], other["exact_gap_noise"])
    assert not np.array_equal(first["exact_gap"], other["exact_gap"])


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_flat_clouds_have_an_exact_gap_too(n):
    """Two particles lie on a line, and so may all: their covariance has no inverse."""
    line = np.outer(cloud(n)[:, 0], [0.6, 0.8])
    gaps = exact_gaps(np.stack([line, line, np.zeros((n, 2))]), *LAWS)
    for values in gaps.values():
        assert np.isfinite(values).all()
    # A point is as far from a Gaussian as its deviation. The first law is round, so both
    # lie along the same axes.
    whole = np.hypot(0.6 - 0.5, 0.15 - 0.5)
    assert gaps["exact_gap"][-1] == pytest.approx(np.hypot(0.6, 0.15) / whole, rel=1e-6)


# Invariances


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_particles_does_not_matter(seed):
    tracks, target = wild_tracks(seed), cloud(20, seed + 100)
    order = np.random.default_rng(seed).permutation(20)
    scores, shuffled = score(tracks, target), score(tracks[:, order], target)
    assert_same(shuffled, scores, measured(scores), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1e5])
def test_the_unit_of_length_does_not_matter(scale):
    scores, scaled = score(wild_tracks()), score(scale * wild_tracks())
    assert_same(scaled, scores, WITHOUT_UNIT, rtol=1e-9, atol=1e-12)
    assert_same(scaled, scores, ["still_particles"])
    np.testing.assert_allclose(scaled.speed, scale * scores.speed, rtol=1e-9)
    for name in ("action", "displacement", "w2_squared"):
        assert getattr(scaled, name) == pytest.approx(scale**2 * getattr(scores, name), rel=1e-9)


@pytest.mark.parametrize("shift", [(1, 0), (-30, 40), (0, 1e4)])
def test_the_place_and_the_direction_of_the_picture_do_not_matter(shift):
    tracks, target = wild_tracks(), cloud(20, 100)
    scores = score(tracks, target)
    moved = score(turned(tracks, 33) + shift, turned(target, 33) + shift)
    assert_same(moved, scores, measured(scores), rtol=1e-6, atol=1e-9)


# The target, the floor and what is left out


def test_a_target_that_is_reached():
    tracks = wild_tracks()
    scores = score(tracks, tracks[-1][::-1])
    assert scores.fit == pytest.approx(0, abs=1e-12)
    assert scores.unmoved == pytest.approx(wasserstein2_squared(tracks[0], tracks[-1]), rel=1e-9)
    assert scores.undershoot == pytest.approx(scores.map_factor, rel=1e-9)
    assert scores.arrived


def test_stopping_halfway():
    start = cloud(9)
    scores = score(np.stack([start, start + RIGHT]), start + 2 * RIGHT)
    assert scores.fit == pytest.approx(1, rel=1e-9)
    assert scores.unmoved == pytest.approx(4, rel=1e-9)
    assert scores.undershoot == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize(("part", "arrived"), [(0.0, False), (0.25, False), (0.3, True)])
def test_it_has_arrived_when_half_of_the_miss_is_gone(part, arrived):
    # The miss falls as (1 − part)²: 0.5625 at a quarter, 0.49 at 0.3.
    start = cloud(9)
    scores = score(straight(start, start + 2 * RIGHT, [0, part]), start + 2 * RIGHT)
    assert scores.arrived is arrived


@pytest.mark.parametrize("k", [1, 7, 33])
def test_the_target_may_have_another_number_of_points(k):
    tracks, target = wild_tracks(), cloud(k, seed=5)
    scores = score(tracks, target)
    assert scores.fit == pytest.approx(wasserstein2_squared(tracks[-1], target), rel=1e-12)


def test_what_was_not_asked_for_is_none():
    scores = score(wild_tracks(), per_layer=False)
    for name in (*PER_LAYER, "fit", "fit_floor", "fit_floor_sd", "unmoved", "undershoot"):
        assert getattr(scores, name) is None, name
    assert scores.arrived  # nothing says that it has not


def test_scores_per_layer_change_no_other():
    tracks, target = wild_tracks(), cloud(20, 5)
    short, full = score(tracks, target, per_layer=False), score(tracks, target)
    assert [getattr(full, name).shape for name in ARRAYS] == [(5,), (5,), (4,), (4,)]
    for name in asdict(full).keys() - set(PER_LAYER):
        assert getattr(short, name) == getattr(full, name), name


def test_known_plans_change_no_score():
    tracks, target = wild_tracks(), cloud(20, 5)
    known = {
        "paired": pairing(tracks[0], tracks[-1]),
        "unmoved": wasserstein2_squared(tracks[0], target),
        "shape": line_shape(tracks),
    }
    np.testing.assert_equal(asdict(score(tracks, target, **known)), asdict(score(tracks, target)))


def test_a_known_shape_is_not_worked_out_again():
    scores = score(wild_tracks(), per_layer=False, shape=np.array([2.0, np.nan, 4.0] + 17 * [4.0]))
    assert scores.line_shape == 4
    assert scores.line_shape_harmonic == pytest.approx(19 / (1 / 2 + 18 / 4), rel=1e-12)
    assert scores.still_particles == 1


def test_the_floor_is_passed_on():
    scores = score(wild_tracks(), floor=(0.25, 0.5), per_layer=False)
    assert (scores.fit_floor, scores.fit_floor_sd) == (0.25, 0.5)


def test_scores_are_plain_numbers():
    scores = score(wild_tracks().astype(np.float32), cloud(20, 5))
    assert isinstance(scores, Scores)
    kinds = {type(value) for name, value in asdict(scores).items() if name not in ARRAYS}
    assert kinds <= {float, int, type(None)}


def test_tracks_are_left_as_they_were():
    tracks, target = wild_tracks(), cloud(20, 5)
    tracks.setflags(write=False)
    target.setflags(write=False)
    assert score(tracks, target).fit > 0


def test_map_errors_are_those_of_the_plan():
    tracks = wild_tracks()
    plan = optimal_plan(tracks[0], tracks[-1])
    errors, scores = map_errors(tracks[-1], plan), score(tracks, per_layer=False)
    assert np.count_nonzero(errors) == 20 * (1 - scores.match_rate)
    assert np.square(errors).mean() / scores.displacement == pytest.approx(scores.map_error**2)
    np.testing.assert_array_equal(map_errors(tracks[-1], np.arange(20)), 0)


def test_the_floor_is_what_two_fresh_samples_are_apart():
    mean, deviation = fit_floor("ring", 40)
    generator = np.random.default_rng(77)
    apart = [
        wasserstein2_squared(*(sample("ring", 40, generator)[0] for _ in range(2)))
        for _ in range(20)
    ]
    assert 0 < deviation < mean
    # Two means of 20 each.
    assert mean == pytest.approx(np.mean(apart), abs=4 * deviation * np.sqrt(2 / 20))
    assert fit_floor("ring", 160)[0] < mean


def test_the_floor_is_worked_out_once(monkeypatch):
    first = fit_floor("moons", 12)

    def no_sampling(*_):
        raise AssertionError("sampled again")

    monkeypatch.setattr("resviz.scores.sample", no_sampling)
    assert fit_floor(target="moons", n=12) == first


def test_the_floor_does_not_depend_on_what_was_asked_before():
    first = fit_floor("moons", 12)
    floor_distance.cache_clear()
    fit_floor("ring", 12)
    assert fit_floor("moons", 12) == first


def test_no_floor_of_an_unknown_cloud():
    with pytest.raises(ValueError, match="'sun' is unknown"):
        fit_floor("sun", 12)


def their_exact_gaps(tracks):
    return exact_gaps(tracks, *LAWS)


@pytest.mark.parametrize("measure", [score, line_shape, their_exact_gaps])
@pytest.mark.parametrize(
    "shape", [(3, 2), (1, 5, 2), (3, 0, 2), (3, 5, 3), (3, 5, 1), (2, 3, 5, 2)]
)
def test_tracks_of_another_shape_are_refused(measure, shape):
    with pytest.raises(ValueError, match="tracks: shape") as refusal:
        measure(np.zeros(shape))
    assert str(shape) in str(refusal.value)
    assert "allowed is (layers + 1, particles, 2)" in str(refusal.value)


@pytest.mark.parametrize("measure", [score, line_shape, their_exact_gaps])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_tracks_that_are_not_finite_are_refused(measure, value):
    tracks = wild_tracks()
    tracks[2, 3, 1] = value
    with pytest.raises(ValueError, match=r"tracks: .*not finite"):
        measure(tracks)
