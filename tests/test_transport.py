"""Exact transport: against other solvers, closed forms, and invariances."""

from itertools import combinations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from resviz.transport import (
    displacement_interpolation,
    gaussian_geodesic,
    gaussian_monge_map,
    gaussian_w2_squared,
    optimal_plan,
    pairing,
    straight_way,
    wasserstein2_squared,
)

seeds = st.integers(0, 2**32 - 1)


def clouds(seed, *sizes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(n, 2)) for n in sizes]


def plan_cost(x, y, plan):
    return float(np.square(x - y[plan]).sum(axis=1).mean())


def simplex_cost(x, y):
    """Another solver's answer: POT's network simplex."""
    cost = cdist(x, y, "sqeuclidean")
    return float((ot.emd([], [], cost) * cost).sum())


def program_cost(x, y):
    """A third one's, for any two sizes: the linear program itself."""
    n, k = len(x), len(y)
    rows, columns = np.kron(np.eye(n), np.ones(k)), np.kron(np.ones(n), np.eye(k))
    marginals = np.concatenate([np.full(n, 1 / n), np.full(k, 1 / k)])
    cost = cdist(x, y, "sqeuclidean").ravel()
    return linprog(cost, A_eq=np.vstack([rows, columns]), b_eq=marginals).fun


def covariance(first, second, degrees):
    """Variances along two axes that are turned by an angle."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([first, second]) @ turn.T


@given(seed=seeds, n=st.integers(1, 40))
def test_the_plan_costs_what_another_solvers_does(seed, n):
    x, y = clouds(seed, n, n)
    plan = optimal_plan(x, y)
    assert sorted(plan) == list(range(n))
    assert plan_cost(x, y, plan) == pytest.approx(simplex_cost(x, y), rel=1e-12)
    assert wasserstein2_squared(x, y) == pytest.approx(simplex_cost(x, y), rel=1e-9)


@given(seed=seeds, n=st.integers(1, 30))
def test_ties_and_repeated_points_still_give_a_permutation(seed, n):
    generator = np.random.default_rng(seed)
    x, y = generator.integers(-2, 3, size=(2, n, 2)).astype(float)
    plan = optimal_plan(x, y)
    assert sorted(plan) == list(range(n))
    assert plan_cost(x, y, plan) == pytest.approx(simplex_cost(x, y), rel=1e-12)


def far_apart(x, y):
    """Two in three points of y a thousand widths off: every plan sends some the long way."""
    y[len(y) // 3 :] += 1000
    return x, y


def one_astray(x, y):
    y[0] = 1e4, -1e4
    return x, y


def collapsed(x, y):
    return x, np.zeros_like(y)


def half_collapsed(x, y):
    y[::2] = y[0]
    return x, y


def hardly_moved(x, y):
    return x, x + 1e-3 * y


def turned(x, y):
    return x, x @ np.array([[0.0, 1.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    "shape", [far_apart, one_astray, collapsed, half_collapsed, hardly_moved, turned]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_plan_of_many_points_costs_what_another_solvers_does(shape, seed):
    """At the size of a run's clouds, where Sinkhorn's rounds have a part in it."""
    x, y = shape(*clouds(seed, 400, 400))
    plan = optimal_plan(x, y)
    np.testing.assert_array_equal(np.sort(plan), np.arange(400))
    assert plan_cost(x, y, plan) == pytest.approx(simplex_cost(x, y), rel=1e-9)
    assert wasserstein2_squared(x, y) == pytest.approx(plan_cost(x, y, plan), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e-6, 1e-3, 1e3, 1e8])
def test_the_plan_does_not_depend_on_the_unit(scale):
    for seed in range(10):
        x, y = clouds(seed, 40, 40)
        np.testing.assert_array_equal(optimal_plan(scale * x, scale * y), optimal_plan(x, y))


@given(
    seed=seeds,
    n=st.integers(2, 50),
    condition=st.floats(0, 3),
    distance=st.floats(-3, 3),
)
def test_an_affine_map_that_is_a_gradient_is_its_own_plan(seed, n, condition, distance):
    """x ↦ A x + b with A symmetric positive definite is optimal (Brenier), and the only plan.

    Condition to 1e3, translation from 1e-3 to 1e3 of the cloud's scale.
    """
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 2))
    matrix = covariance(1.0, 10**condition, generator.uniform(0, 180))
    direction = generator.uniform(0, 2 * np.pi)
    shift = 10**distance * np.array([np.cos(direction), np.sin(direction)])
    np.testing.assert_array_equal(optimal_plan(x, x @ matrix + shift), np.arange(n))


@given(seed=seeds, distance=st.floats(-3, 3))
def test_a_translation_is_its_own_plan(seed, distance):
    (x,) = clouds(seed, 30)
    shift = np.array([0.6, -0.8]) * 10**distance
    paired = pairing(x, x + shift)
    np.testing.assert_array_equal(paired.plan, np.arange(30))
    assert paired.w2_squared == pytest.approx(100**distance, rel=1e-9)


@given(seed=seeds, shift=st.tuples(st.floats(-10, 10), st.floats(-10, 10)))
def test_translation_does_not_change_the_plan(seed, shift):
    x, y = clouds(seed, 25, 25)
    np.testing.assert_array_equal(optimal_plan(x, y + shift), optimal_plan(x, y))


@pytest.mark.parametrize("seed", range(5))
def test_a_translation_adds_its_own_square(seed):
    x, y = clouds(seed, 12, 20)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    apart = wasserstein2_squared(x, y + np.array([300, -400]))
    assert apart == pytest.approx(wasserstein2_squared(x, y) + 250_000, rel=1e-12)


def test_the_plan_says_where_each_point_goes():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    y = np.array([[2.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    assert optimal_plan(x, y).tolist() == [1, 2, 0]


def test_where_plans_tie_the_given_one_stands():
    # Turned by 90° about any middle, points on one line have plans that all cost the same.
    x = np.array([[1.0, 0.0], [2.0, 0.0], [5.0, 0.0], [-3.0, 0.0]])
    y = x[:, ::-1] + [0.5, 0.25]
    assert optimal_plan(x, y).tolist() == [0, 1, 2, 3]
    assert optimal_plan(x, y[[2, 0, 3, 1]]).tolist() == [0, 1, 2, 3]


@given(seed=seeds, n=st.integers(1, 30), near=st.sampled_from([1.0, 1e-4, 1e-9, 0.0]))
def test_no_pairing_is_cheaper_than_the_plan(seed, n, near):
    x, y = clouds(seed, n, n)
    paired = pairing(x, x + near * y)
    assert paired.w2_squared <= paired.displacement  # to the last bit
    assert paired.displacement == pytest.approx(near**2 * np.square(y).sum() / n, rel=1e-5)


# Plans that stay within each class


def labelled(seed, n, classes):
    """Two clouds of wild pairs, of which some tie, and the class of each pair."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(-3, 4, size=(2, n, 2)) + generator.normal(scale=0.3, size=(2, n, 2))
    return x, y + generator.normal(scale=5, size=2), generator.integers(classes, size=n)


sizes, class_counts = st.integers(1, 30), st.integers(1, 6)


@given(seed=seeds, n=sizes, classes=class_counts)
def test_a_plan_within_classes_crosses_none(seed, n, classes):
    x, y, labels = labelled(seed, n, classes)
    plan = pairing(x, y, labels).plan
    assert sorted(plan) == list(range(n))
    np.testing.assert_array_equal(labels[plan], labels)


@given(seed=seeds, n=sizes, classes=class_counts)
def test_a_plan_within_classes_costs_what_one_plan_a_class_does(seed, n, classes):
    x, y, labels = labelled(seed, n, classes)
    paired = pairing(x, y, labels)
    groups = [labels == label for label in np.unique(labels)]
    apart = sum(g.sum() * wasserstein2_squared(x[g], y[g]) for g in groups) / n
    assert paired.w2_squared == pytest.approx(apart, rel=1e-9)
    assert plan_cost(x, y, paired.plan) == pytest.approx(apart, rel=1e-9)


@given(seed=seeds, n=sizes, classes=class_counts)
def test_classes_stand_between_the_given_pairs_and_the_cheapest(seed, n, classes):
    x, y, labels = labelled(seed, n, classes)
    within, whole = pairing(x, y, labels), pairing(x, y)
    assert within.displacement == whole.displacement  # to the last bit
    assert within.displacement >= within.w2_squared >= whole.w2_squared * (1 - 1e-12)


@given(seed=seeds, n=sizes)
def test_one_class_is_as_good_as_none(seed, n):
    x, y, _ = labelled(seed, n, 1)
    within, whole = pairing(x, y, np.full(n, 7)), pairing(x, y)
    np.testing.assert_array_equal(within.plan, whole.plan)
    assert within.w2_squared == whole.w2_squared


@given(seed=seeds, n=sizes)
def test_a_class_for_each_leaves_every_pair_as_it_is(seed, n):
    x, y, _ = labelled(seed, n, 1)
    paired = pairing(x, y, np.arange(n))
    np.testing.assert_array_equal(paired.plan, np.arange(n))
    assert paired.w2_squared == paired.displacement


@given(seed=seeds, n=sizes, classes=class_counts)
def test_the_names_of_the_classes_do_not_matter(seed, n, classes):
    x, y, labels = labelled(seed, n, classes)
    np.testing.assert_array_equal(pairing(x, y, labels).plan, pairing(x, y, 40 - 7 * labels).plan)


def test_two_crossing_pairs_by_hand():
    """Each of two classes changes places with itself, and both with each other."""
    x = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    y = x[[3, 2, 1, 0]]
    whole = pairing(x, y)
    assert whole.plan.tolist() == [3, 2, 1, 0]
    assert (whole.displacement, whole.w2_squared) == (101.0, 0.0)
    # Within its class the best that a point can do is not to cross its neighbour: 10 each.
    within = pairing(x, y, np.array([0, 0, 1, 1]))
    assert within.plan.tolist() == [1, 0, 3, 2]
    assert within.w2_squared == pytest.approx(100, rel=1e-12)


def test_every_point_has_a_class():
    with pytest.raises(ValueError, match="labels: 3 of them; allowed is one a point, 4"):
        pairing(*clouds(0, 4, 4), np.zeros(3, int))


@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 5), (4, 3), (5, 2), (3, 6), (5, 5)])
def test_unequal_clouds_against_the_linear_program(n, k):
    for seed in range(3):
        x, y = clouds(seed, n, k)
        assert wasserstein2_squared(x, y) == pytest.approx(program_cost(x, y), rel=1e-9)
        assert wasserstein2_squared(y, x) == pytest.approx(program_cost(x, y), rel=1e-9)


def test_half_of_each_point_goes_to_each_of_two():
    # One point at 0 between −1 and 2: (1 + 4)/2.
    assert wasserstein2_squared([[0, 0]], [[-1, 0], [2, 0]]) == pytest.approx(2.5, rel=1e-12)


def test_a_cloud_is_no_distance_from_itself_in_any_order():
    (x,) = clouds(0, 30)
    assert wasserstein2_squared(x, x[::-1]) == pytest.approx(0, abs=1e-12)
    assert wasserstein2_squared(x, np.repeat(x, 2, axis=0)) == pytest.approx(0, abs=1e-12)


@settings(max_examples=20)
@given(seed=seeds)
def test_the_interpolation_goes_from_end_to_end_at_constant_speed(seed):
    x, y = clouds(seed, 15, 15)
    times = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    way = displacement_interpolation(x, y, times)
    assert way.shape == (5, 15, 2)
    np.testing.assert_array_equal(way[0], x)
    np.testing.assert_array_equal(way[-1], y[optimal_plan(x, y)])
    whole = np.sqrt(wasserstein2_squared(x, y))
    for (s, at_s), (t, at_t) in combinations(zip(times, way, strict=True), 2):
        hop = np.sqrt(wasserstein2_squared(at_s, at_t))
        assert hop == pytest.approx((t - s) * whole, rel=1e-9)


def test_halfway_by_hand():
    x, y = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[4.0, 2.0], [0.0, 2.0]])
    way = displacement_interpolation(x, y, [0.5])
    np.testing.assert_array_equal(way, [[[0, 1], [4, 1]]])


def test_whole_numbers_are_interpolated_as_numbers():
    way = displacement_interpolation([[0, 0], [4, 0]], [[4, 2], [0, 2]], [0.5])
    np.testing.assert_array_equal(way, [[[0, 1], [4, 1]]])


def test_straight_way_keeps_the_dtype_and_both_ends():
    x, y = (cloud.astype(np.float32) for cloud in clouds(0, 9, 9))
    way = straight_way(x, y, np.arange(4) / 3)
    assert way.dtype == np.float32
    np.testing.assert_array_equal(way[[0, -1]], [x, y])


@pytest.mark.parametrize("times", [[-0.1], [1.1], [0.0, np.nan], 0.5, [[0.5]]])
def test_times_outside_0_to_1_are_refused(times):
    x, y = clouds(0, 3, 3)
    with pytest.raises(ValueError, match=r"times: .*from 0 to 1"):
        displacement_interpolation(x, y, times)


@pytest.mark.parametrize("measure", [optimal_plan, wasserstein2_squared])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros(6), r"shape \(6,\) is not allowed"),
        (np.zeros((3, 2, 1)), r"shape \(3, 2, 1\) is not allowed"),
        (np.zeros((0, 2)), r"shape \(0, 2\) is not allowed"),
        (np.full((3, 2), np.nan), "not finite"),
        (np.full((3, 2), np.inf), "not finite"),
    ],
)
def test_bad_clouds_are_named(measure, bad, words):
    good = np.zeros((3, 2))
    with pytest.raises(ValueError, match=f"x: .*{words}"):
        measure(bad, good)
    with pytest.raises(ValueError, match=f"y: .*{words}"):
        measure(good, bad)


@pytest.mark.parametrize("measure", [optimal_plan, wasserstein2_squared])
@pytest.mark.parametrize("columns", [1, 3])
def test_points_of_another_dimension_are_refused(measure, columns):
    # One column would be spread over two without a word.
    with pytest.raises(ValueError, match=r"allowed is \(points, 2\)"):
        measure(np.zeros((3, 2)), np.zeros((3, columns)))


def test_a_plan_needs_equal_numbers():
    with pytest.raises(ValueError, match="3 and 4 points"):
        optimal_plan(*clouds(0, 3, 4))


MEAN_X, MEAN_Y = np.array([1.0, -1.0]), np.array([4.0, 3.0])  # 25 apart, squared
PAIRS = [
    # Variances along the same axes, whichever way they are turned: Σ (σ_x − σ_y)².
    (covariance(4, 1, 0), covariance(1, 9, 0), 1 + 4),
    (covariance(4, 1, 30), covariance(1, 9, 30), 1 + 4),
    (covariance(0.25, 2.25, 70), covariance(0.25, 0.01, 70), 0 + 1.96),
    # tr Σ_x + tr Σ_y − 2 (σ_1 + σ_2) with σ² the eigenvalues of Σ_x Σ_y: here of
    # [[4, 0], [0, 1]] [[2.5, 1.5], [1.5, 2.5]], whose product is 16 and sum 12.5,
    # and (σ_1 + σ_2)² = 12.5 + 2·4.
    (covariance(4, 1, 0), covariance(4, 1, 45), 10 - 2 * np.sqrt(20.5)),
]
# Neither circular nor along the same axes.
SLANTED = (MEAN_X, covariance(2.0, 0.3, 20), MEAN_Y, covariance(0.5, 1.5, 65))


@pytest.mark.parametrize(("cov_x", "cov_y", "bures"), PAIRS)
def test_gaussian_distance_by_hand(cov_x, cov_y, bures):
    distance = gaussian_w2_squared(MEAN_X, cov_x, MEAN_Y, cov_y)
    assert distance == pytest.approx(25 + bures, rel=1e-9)


def test_gaussian_distance_on_a_line():
    distance = gaussian_w2_squared([1.0], [[9.0]], [3.0], [[4.0]])
    assert distance == pytest.approx(2**2 + (3 - 2) ** 2, rel=1e-9)


def test_equal_gaussians_are_no_distance_apart():
    cov = covariance(2.0, 0.3, 20)
    assert gaussian_w2_squared(MEAN_X, cov, MEAN_X, cov) == pytest.approx(0, abs=1e-12)


def test_the_map_pushes_one_gaussian_to_the_other():
    mean_x, cov_x, mean_y, cov_y = SLANTED
    matrix, shift = gaussian_monge_map(*SLANTED)
    np.testing.assert_allclose(matrix @ cov_x @ matrix.T, cov_y, atol=1e-9)
    np.testing.assert_allclose(matrix @ mean_x + shift, mean_y, atol=1e-9)
    # A gradient of a convex function: that makes it the optimal one (Brenier).
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_the_map_costs_the_distance():
    """E‖T(X) − X‖² = ‖T(m) − m‖² + tr((A − I) Σ (A − I))."""
    mean_x, cov_x, _, _ = SLANTED
    matrix, shift = gaussian_monge_map(*SLANTED)
    stretch = matrix - np.eye(2)
    moved = stretch @ mean_x + shift
    cost = moved @ moved + np.trace(stretch @ cov_x @ stretch)
    assert gaussian_w2_squared(*SLANTED) == pytest.approx(cost, rel=1e-9)


def test_the_gaussian_geodesic_has_its_ends_and_constant_speed():
    times = [0.0, 0.3, 0.7, 1.0]
    stations = [gaussian_geodesic(*SLANTED, t) for t in times]
    for station, end in zip((stations[0], stations[-1]), (SLANTED[:2], SLANTED[2:]), strict=True):
        for part, known in zip(station, end, strict=True):
            np.testing.assert_allclose(part, known, atol=1e-9)
    whole = np.sqrt(gaussian_w2_squared(*SLANTED))
    for (s, at_s), (t, at_t) in combinations(zip(times, stations, strict=True), 2):
        hop = np.sqrt(gaussian_w2_squared(*at_s, *at_t))
        assert hop == pytest.approx((t - s) * whole, rel=1e-7)


def test_large_samples_come_close_to_the_closed_form():
    """Within 5 %: at 1000 points the sample's own error is some 3 %."""
    generator = np.random.default_rng(0)
    x = generator.multivariate_normal(*SLANTED[:2], size=1000)
    y = generator.multivariate_normal(*SLANTED[2:], size=1000)
    assert wasserstein2_squared(x, y) == pytest.approx(gaussian_w2_squared(*SLANTED), rel=0.05)


def test_samples_moved_by_the_map_keep_their_pairing():
    generator = np.random.default_rng(0)
    x = generator.multivariate_normal(*SLANTED[:2], size=200)
    matrix, shift = gaussian_monge_map(*SLANTED)
    np.testing.assert_array_equal(optimal_plan(x, x @ matrix.T + shift), np.arange(200))


@pytest.mark.parametrize("step", [0.02, 0.05, 0.1, 0.2])  # on both sides of NEARLY_PAIRED
def test_clouds_a_short_step_apart_have_the_exact_plan_too(step):
    generator = np.random.default_rng(11)
    x = generator.normal(size=(120, 2))
    y = x + step * generator.normal(size=x.shape)
    cost = np.square(x[:, None] - y[None]).sum(axis=2)
    uniform = np.full(len(x), 1 / len(x))
    assert wasserstein2_squared(x, y) == pytest.approx(ot.emd2(uniform, uniform, cost), rel=1e-9)
    assert pairing(x, y).w2_squared == pytest.approx(wasserstein2_squared(x, y), rel=1e-12)
