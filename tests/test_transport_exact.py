"""Exact where float64 is near its end, or refused: against whole numbers and every permutation."""

from fractions import Fraction
from itertools import permutations
from math import lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resviz import transport
from resviz.scores import score
from resviz.transport import (
    gaussian_monge_map,
    gaussian_w2_squared,
    optimal_plan,
    pairing,
    wasserstein2_squared,
)

near = st.integers(-9, 9).map(float)
far = st.builds(
    lambda sign, mantissa, exponent: sign * mantissa * 10.0**exponent,
    st.sampled_from([-1, 1]),
    st.integers(1, 99),
    st.integers(-6, 12),
)
points = st.tuples(near | far, near | far)


def squared_lengths(x, y):
    """‖x_i − y_j‖² without any rounding."""
    x, y = ([[Fraction(c) for c in point] for point in cloud.tolist()] for cloud in (x, y))
    return [[sum((b - a) ** 2 for a, b in zip(p, q, strict=True)) for q in y] for p in x]


def costs(x, y):
    """E‖x_i − y_σ(i)‖² of every permutation σ, exactly."""
    cost, n = squared_lengths(x, y), len(x)
    return {
        plan: sum(cost[i][j] for i, j in enumerate(plan)) / n for plan in permutations(range(n))
    }


def clouds_of(n):
    """Two clouds of n, any two or nearly the same in another order: then all far pairs are near."""
    one = st.lists(points, min_size=n, max_size=n).map(np.array)
    little = st.lists(st.tuples(near, near), min_size=n, max_size=n).map(np.array)
    order = st.permutations(range(n))
    shaken = st.builds(lambda x, order, by: (x, x[order] + by), one, order, little)
    return st.tuples(one, one) | shaken


@given(clouds=st.integers(1, 5).flatmap(clouds_of))
def test_no_outlier_costs_a_digit(clouds):
    x, y = clouds
    every = costs(x, y)
    least = min(every.values())
    found = every[tuple(optimal_plan(x, y).tolist())]
    assert found <= least * Fraction(1 + 2e-9)
    for value in (wasserstein2_squared(x, y), pairing(x, y).w2_squared):
        assert abs(Fraction(value) - least) <= least * Fraction(2e-9)


@given(clouds=clouds_of(4), offset=st.integers(0, 12), scale=st.integers(-140, 140))
def test_neither_does_an_offset_of_one_cloud_nor_the_unit_of_both(clouds, offset, scale):
    x, y = clouds
    y = y + np.array([10.0**offset, 0])
    every = costs(x, y)
    unit = 2.0**scale
    found = every[tuple(optimal_plan(x * unit, y * unit).tolist())]
    assert found <= min(every.values()) * Fraction(1 + 2e-9)


@given(x=st.lists(points, min_size=2, max_size=3), y=st.lists(points, min_size=1, max_size=3))
def test_unequal_clouds_are_as_exact(x, y):
    x, y = np.array(x), np.array(y)
    copies = lcm(len(x), len(y))
    alike = (np.repeat(cloud, copies // len(cloud), axis=0) for cloud in (x, y))
    least = min(costs(*alike).values())
    assert abs(Fraction(wasserstein2_squared(x, y)) - least) <= least * Fraction(2e-9)


@pytest.fixture
def beside_outliers():
    """Fifty points each, and in either cloud one that is far away, near the other's."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(50, 2)), generator.normal(size=(50, 2))
    x[3], y[7] = (0.5, 1e9), (2.8, 1e9)
    return x, y


def test_a_pair_far_away_adds_what_it_costs(beside_outliers):
    x, y = beside_outliers
    without = wasserstein2_squared(np.delete(x, 3, axis=0), np.delete(y, 7, axis=0))
    expected = (49 * without + (2.8 - 0.5) ** 2) / 50
    assert wasserstein2_squared(x, y) == pytest.approx(expected, rel=1e-12)
    assert wasserstein2_squared(x, y) == pytest.approx(0.3616178, abs=1e-7)
    assert optimal_plan(x, y)[3] == 7


def test_what_is_scored_beside_it_is_as_exact(beside_outliers):
    x, y = beside_outliers
    scores = score(np.stack([x, y[optimal_plan(x, y)]]))
    assert scores.w2_squared == pytest.approx(0.3616178, abs=1e-7)
    assert scores.action == scores.displacement == scores.w2_squared
    assert scores.monotonicity == 1


def test_classes_keep_apart_beside_it(beside_outliers):
    x, y = beside_outliers
    labels = np.arange(50) % 2
    labels[[3, 7]] = 1
    paired = pairing(x, y, labels)
    parts = [wasserstein2_squared(x[labels == c], y[labels == c]) for c in (0, 1)]
    assert paired.w2_squared == pytest.approx(np.mean(parts), rel=1e-12)


def test_unequal_clouds_that_no_plan_can_be_told_of_are_refused(beside_outliers, monkeypatch):
    x, y = beside_outliers
    x = np.vstack([x, x[:1]])  # 51 points to 50
    y[8] = 0.0, 2e9
    exact = wasserstein2_squared(x, y)
    assert exact > 1e15  # a fifty-first of one point goes all the way, and one point more
    monkeypatch.setattr(transport, "GAP", -1.0)
    assert wasserstein2_squared(x, y) == pytest.approx(exact, rel=1e-9)  # as an assignment
    monkeypatch.setattr(transport, "MOST_COPIES", 100)
    with pytest.raises(ValueError, match=r"x and y: 51 and 50 points, .*allowed are equal numbers"):
        wasserstein2_squared(x, y)


@pytest.mark.parametrize("measure", [optimal_plan, wasserstein2_squared])
def test_squares_that_float64_does_not_hold_are_refused(measure):
    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    with pytest.raises(ValueError, match=r"x: holds 3e\+200, .*allowed are coordinates up to 1e"):
        measure(x * 1e200, x)
    with pytest.raises(ValueError, match=r"x and y: are 1e-200 apart at most.*smaller unit"):
        measure(x * 1e-200, x[:, ::-1] * 1e-200)


def test_a_track_that_leads_so_far_is_refused():
    way = np.zeros((3, 4, 2))
    way[1] = 1e180
    with pytest.raises(ValueError, match=r"tracks: hold 1e\+180, .*allowed are coordinates up to"):
        score(way)


def test_what_stays_is_no_distance_however_small():
    tiny = np.array([[5e-324, 0.0], [0.0, 1e-310]])
    assert wasserstein2_squared(tiny, tiny[::-1]) == 0
    np.testing.assert_array_equal(optimal_plan(tiny, tiny), [0, 1])


def test_single_precision_is_measured_in_double():
    x = np.float32([[0.1, 2], [3, 1e9]])
    y = np.float32([[3, 1e9], [0.3, 2]])
    exact = min(costs(x.astype(float), y.astype(float)).values())
    assert wasserstein2_squared(x, y) == pytest.approx(float(exact), rel=1e-12)


# ---- Gaussians


@pytest.mark.parametrize("thin", [1e-4, 1e-8, 1e-12, 0.0])
def test_flat_gaussians_have_their_distance(thin):
    """Along the same axes it is Σ (σ_x − σ_y)²."""
    x, y = np.diag([1.0, thin**2]), np.diag([4.0, (3 * thin) ** 2])
    expected = 1 + 4 * thin**2
    assert gaussian_w2_squared([0, 0], x, [0, 0], y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9])
def test_gaussians_near_each_other_have_theirs(step):
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    x, y = (turn @ np.diag([(1 + s) ** 2, 0.25]) @ turn.T for s in (0.0, step))
    found = gaussian_w2_squared([0, 0], x, [0, 0], y)
    assert np.sqrt(found) == pytest.approx(step, abs=1e-14)


@pytest.mark.parametrize(
    "bad", [[[1, 2], [0, 1]], [[1, 0], [0, -1]], [[1, np.nan], [np.nan, 1]], [1.0, 2.0]]
)
def test_what_is_no_covariance_is_refused(bad):
    good, zero = np.eye(2), np.zeros(2)
    for name, pair in (("cov_x", (bad, good)), ("cov_y", (good, bad))):
        with pytest.raises(ValueError, match=f"{name}: .* is no covariance"):
            gaussian_w2_squared(zero, pair[0], zero, pair[1])


def test_no_map_leads_from_a_flat_gaussian():
    with pytest.raises(ValueError, match=r"cov_x: .* is flat"):
        gaussian_monge_map([0, 0], np.diag([1.0, 0.0]), [0, 0], np.eye(2))
