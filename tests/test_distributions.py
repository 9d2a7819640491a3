"""The clouds: known shapes and sizes, and equal points from equal generators."""

import numpy as np
import pytest

from resviz import spec
from resviz.distributions import SAMPLERS, sample

N = 20_000
WITH_CLASSES = {"two_blobs": 2, "moons": 2, "circles": 2, "eight_gaussians": 8}

every_cloud = pytest.mark.parametrize("name", SAMPLERS)


def draw(name, n=N, seed=0):
    return sample(name, n, np.random.default_rng(seed))


def noise(distances):
    """Root mean square, for distances that should have mean 0."""
    return np.sqrt(np.mean(np.square(distances)))


def test_both_registries_name_the_same_clouds():
    assert list(SAMPLERS) == list(spec.DISTRIBUTIONS)


@every_cloud
def test_equal_generators_give_equal_points(name):
    points, labels = draw(name, 50)
    again, same_labels = draw(name, 50)
    np.testing.assert_array_equal(points, again)
    np.testing.assert_array_equal(labels, same_labels)
    assert not np.array_equal(points, draw(name, 50, seed=1)[0])


@every_cloud
@pytest.mark.parametrize("n", [1, 2, 33])
def test_points_are_finite_float64_pairs(name, n):
    points, labels = draw(name, n)
    assert points.shape == (n, 2)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()
    assert labels is None or labels.shape == (n,)


@every_cloud
def test_labels_are_there_exactly_where_classes_are(name):
    _, labels = draw(name)
    if name in WITH_CLASSES:
        assert np.issubdtype(labels.dtype, np.integer)
        assert set(labels) == set(range(WITH_CLASSES[name]))
        # No class is rare: each has at least half of its fair share.
        assert np.bincount(labels).min() > N / WITH_CLASSES[name] / 2
    else:
        assert labels is None


@every_cloud
def test_nearly_all_points_lie_in_the_window(name):
    points, _ = draw(name)
    assert np.mean(np.abs(points).max(axis=1) > 2.2) <= 1e-4


# A spiral starts in the middle of the window; its points have their mean elsewhere.
@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - {"spiral"}))
def test_clouds_are_centred(name):
    points, _ = draw(name)
    assert np.abs(points.mean(axis=0)).max() < 0.03


@every_cloud
def test_points_do_not_repeat(name):
    points, _ = draw(name, 500)
    assert len(np.unique(points, axis=0)) == 500


def test_gaussian():
    points, _ = draw("gaussian")
    np.testing.assert_allclose(np.cov(points.T), 0.25 * np.eye(2), atol=0.01)


@pytest.mark.parametrize(
    ("name", "centres", "deviation"),
    [
        ("two_blobs", [(-1.2, 0), (1.2, 0)], 0.25),
        (
            "eight_gaussians",
            [1.5 * np.array([np.cos(k), np.sin(k)]) for k in np.radians(range(0, 360, 45))],
            0.1,
        ),
    ],
)
def test_clusters(name, centres, deviation):
    points, labels = draw(name)
    for label, centre in enumerate(centres):
        cluster = points[labels == label]
        np.testing.assert_allclose(cluster.mean(axis=0), centre, atol=deviation / 15)
        np.testing.assert_allclose(cluster.std(axis=0), deviation, rtol=0.05)


def test_moons_are_two_half_circles():
    points, labels = draw("moons")
    for label, centre, side in [(0, (-0.6, -0.3), 1), (1, (0.6, 0.3), -1)]:
        x, y = (points[labels == label] - centre).T
        off_circle = np.hypot(x, y) - 1.2
        assert abs(off_circle.mean()) < 0.01
        assert noise(off_circle) == pytest.approx(1.2 * 0.05, rel=0.05)
        assert (side * y).min() > -0.3  # noise below the half circle's ends


def test_circles():
    points, labels = draw("circles")
    for label, radius in [(0, 1.4), (1, 0.7)]:
        off_circle = np.linalg.norm(points[labels == label], axis=1) - radius
        assert abs(off_circle.mean()) < 0.01
        assert noise(off_circle) == pytest.approx(0.05, rel=0.05)


def test_ring():
    off_circle = np.linalg.norm(draw("ring")[0], axis=1) - 1.3
    assert abs(off_circle.mean()) < 0.01
    assert noise(off_circle) == pytest.approx(0.08, rel=0.05)


def test_checkerboard_fills_the_dark_squares_alone():
    points, _ = draw("checkerboard")
    assert np.abs(points).max() <= 1.6
    column, row = np.floor((points + 1.6) / 0.8).astype(int).T
    assert ((column + row) % 2 == 0).all()
    _, counts = np.unique(4 * column + row, return_counts=True)
    assert len(counts) == 8
    np.testing.assert_allclose(counts, N / 8, rtol=0.1)


def test_spiral_has_two_turns_and_a_half_out_to_its_radius():
    points, _ = draw("spiral", 2000)
    turns = np.linspace(0.0, 2.5, 2000)
    angle = 2 * np.pi * turns
    arm = 1.7 * (turns / 2.5)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    distances = np.linalg.norm(points[:, None] - arm, axis=2)
    # Across the arm, one of the noise's two directions is left.
    assert noise(distances.min(axis=1)) == pytest.approx(0.05, rel=0.15)
    # No piece of the arm is bare, but for its innermost seventh.
    assert distances.min(axis=0)[turns > 2.5 / 7].max() < 0.1


@pytest.mark.parametrize("name", ["sun", "", "Gaussian"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match="distribution: ") as refusal:
        sample(name, 3, np.random.default_rng(0))
    assert repr(name) in str(refusal.value)
    assert all(known in str(refusal.value) for known in SAMPLERS)
