"""The clouds: known shapes and sizes, and equal points from equal generators."""

import string

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from scipy.spatial import cKDTree
from scipy.stats import ks_2samp
from sklearn.datasets import make_s_curve, make_swiss_roll

from resviz import letters, spec
from resviz.distributions import SHAPES, font_of, sample, shape_of

N = 20_000
WORDS = ["text:OT", "text:I", "text:L", "text:RESNET", "text:agjQ8", "text:WWWWWWWW", "text:été"]

every_cloud = pytest.mark.parametrize("name", [*SHAPES, *WORDS])
every_word = pytest.mark.parametrize("name", WORDS)


def draw(name, n=N, seed=0):
    return sample(name, n, np.random.default_rng(seed))


def noise(distances):
    """Root mean square, for distances that should have mean 0."""
    return np.sqrt(np.mean(np.square(distances)))


def circle(degrees):
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def assert_follows(points, curve, deviation):
    """The points are a curve (a dense row of places) with noise, and evenly along its length."""
    off_curve, nearest = cKDTree(curve).query(points)
    # Across the curve, one of the noise's two directions is left.
    assert noise(off_curve) == pytest.approx(deviation, rel=0.1)
    assert cKDTree(points).query(curve)[0].max() < 2 * deviation
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    counts, _ = np.histogram(length[nearest], bins=10, range=(0.0, length[-1]))
    # A hundredth or two of the points lie off the ends; few points in a bin vary more.
    tolerance = 0.06 + 4 * np.sqrt(10 / len(points))
    np.testing.assert_allclose(counts, len(points) / 10, rtol=tolerance)


def assert_fills_evenly(points, inside, area):
    """Every cell that lies wholly inside has the share of the points that its area is."""
    side, fine = 0.25, np.linspace(0.0, 0.25, 9)
    low = np.arange(-2.0, 2.0, side)
    offset = np.stack(np.meshgrid(fine, fine), axis=-1)
    cells = np.stack(np.meshgrid(low, low, indexing="ij"), axis=-1)
    places = cells[:, :, None, None] + offset
    whole = inside(places[..., 0], places[..., 1]).all(axis=(2, 3))
    assert whole.sum() * side**2 > 0.6 * area  # so the check sees most of the shape
    edges = np.append(low, 2.0)
    counts, _, _ = np.histogram2d(*points.T, bins=(edges, edges))
    fair = len(points) * side**2 / area
    assert np.abs(counts[whole] - fair).max() < 5 * np.sqrt(fair)


def test_both_registries_name_the_same_clouds():
    assert list(SHAPES) == list(spec.DISTRIBUTIONS)
    assert spec.CLASSES.keys() <= SHAPES.keys()


@every_cloud
def test_equal_generators_give_equal_points(name):
    points, labels = draw(name, 50)
    again, same_labels = draw(name, 50)
    np.testing.assert_array_equal(points, again)
    np.testing.assert_array_equal(labels, same_labels)
    assert not np.array_equal(points, draw(name, 50, seed=1)[0])


# Saved runs depend on these clouds, which were there first: three points each of seed 7.
FIRST_POINTS = {
    "gaussian": (
        [
            [0.0006150766787412871, 0.14937276875423494],
            [-0.1370689276811088, -0.4452959193786371],
            [-0.22733539258586127, -0.4958232774982312],
        ],
        None,
    ),
    "two_blobs": (
        [
            [1.1314655361594457, -0.22264795968931855],
            [1.0863323037070693, -0.2479116387491156],
            [1.2150359006493596, 0.3350538113886334],
        ],
        [1, 1, 1],
    ),
    "moons": (
        [
            [1.7127146667403974, -0.15962642517570316],
            [-0.27548275665256905, -0.608352433691465],
            [0.12130782210549915, -0.7183982355825612],
        ],
        [1, 1, 1],
    ),
    "circles": (
        [
            [0.5246654435837947, -0.49191670334250687],
            [-0.022733539258586087, 0.6504176722501768],
            [-0.4702577123728491, 0.5827823604918856],
        ],
        [1, 1, 1],
    ),
    "ring": (
        [
            [-0.9899346062707676, -0.9561637039852935],
            [0.9588530407733732, -0.77760297571941],
            [0.31611197891206033, -1.3224832900542403],
        ],
        None,
    ),
    "eight_gaussians": (
        [
            [1.0332463862435992, -1.1497193556555487],
            [-1.1061272502969937, -1.1598248272794673],
            [-1.0546458115200776, -0.9266386472243678],
        ],
        [7, 5, 5],
    ),
    "checkerboard": (
        [
            [0.9801657519924736, 1.0401330279289804],
            [0.6988427563170094, 0.004212243652459646],
            [0.6569827347062129, 0.6376555430016371],
        ],
        None,
    ),
    "spiral": (
        [
            [1.3039845449960223, -0.12124751292321045],
            [-1.158638500738067, 1.1730000571435322],
            [0.4570086262434369, 1.4254237005747845],
        ],
        None,
    ),
}


@pytest.mark.parametrize("name", FIRST_POINTS)
def test_the_first_eight_clouds_are_as_they_were(name):
    points, labels = draw(name, 3, seed=7)
    then, labels_then = FIRST_POINTS[name]
    # Another machine's sine may differ in its last digit.
    np.testing.assert_allclose(points, then, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(labels, labels_then)


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
    classes = spec.class_count(name)
    if classes == 1:
        assert labels is None
    else:
        assert np.issubdtype(labels.dtype, np.integer)
        assert set(labels) == set(range(classes))
        # No class is rare; but a thin letter has little ink.
        fair = N / classes
        assert np.bincount(labels).min() > fair * (0.05 if name in WORDS else 0.5)


@every_cloud
def test_nearly_all_points_lie_in_the_window(name):
    points, _ = draw(name)
    assert np.mean(np.abs(points).max(axis=1) > 2.2) <= 1e-4


@every_cloud
def test_mean_and_deviation_are_as_stated(name):
    points, _ = draw(name)
    shape = shape_of(name)
    away = points - points.mean(axis=0)
    deviation = away.std(axis=0)
    assert (np.abs(points.mean(axis=0) - shape.mean) < 5 * deviation / np.sqrt(N)).all()
    # A variance is a mean of squares; its root has the error over twice the root.
    error = np.square(away).std(axis=0) / np.sqrt(N) / (2 * deviation)
    assert (np.abs(deviation - shape.deviation) < 5 * error).all()


# A spiral starts in the middle of the window; its points have their mean elsewhere.
@pytest.mark.parametrize("name", sorted(SHAPES.keys() - {"spiral"}))
def test_clouds_are_centred(name):
    assert SHAPES[name].mean == (0.0, 0.0)


@every_cloud
def test_points_do_not_repeat(name):
    points, _ = draw(name, 500)
    assert len(np.unique(points, axis=0)) == 500


def test_gaussian():
    points, _ = draw("gaussian")
    np.testing.assert_allclose(np.cov(points.T), 0.25 * np.eye(2), atol=0.01)


def test_anisotropic_gaussian_is_long_along_30_degrees():
    points, _ = draw("anisotropic_gaussian")
    variances, axes = np.linalg.eigh(np.cov(points.T))
    np.testing.assert_allclose(np.sqrt(variances), [0.15, 0.6], rtol=0.03)
    x, y = axes[:, 1]
    assert np.degrees(np.arctan(y / x)) == pytest.approx(30.0, abs=1.0)


@pytest.mark.parametrize(
    ("name", "centres", "deviation"),
    [
        ("two_blobs", [(-1.2, 0), (1.2, 0)], 0.25),
        ("two_blobs_turned", [(0, -1.2), (0, 1.2)], 0.25),
        ("eight_gaussians", 1.5 * circle(range(0, 360, 45)), 0.1),
        (
            "twenty_five_gaussians",
            [(x, y) for x in (-1.5, -0.75, 0, 0.75, 1.5) for y in (-1.5, -0.75, 0, 0.75, 1.5)],
            0.06,
        ),
    ],
)
def test_clusters(name, centres, deviation):
    points, labels = draw(name)
    for label, centre in enumerate(centres):
        cluster = points[labels == label]
        error = 4 * deviation / np.sqrt(len(cluster))
        np.testing.assert_allclose(cluster.mean(axis=0), centre, atol=error)
        np.testing.assert_allclose(cluster.std(axis=0), deviation, atol=error)


def test_blobs_turned_are_the_blobs_with_their_axes_swapped():
    across, upright = draw("two_blobs")[0], draw("two_blobs_turned", seed=1)[0]
    for axis in range(2):
        assert ks_2samp(across[:, axis], upright[:, 1 - axis]).pvalue > 0.001


def test_xor_labels_are_the_product_of_the_signs():
    points, labels = draw("xor")
    assert np.mean((labels == 1) == (points.prod(axis=1) < 0)) > 0.9995
    off_corner = points - np.sign(points)
    np.testing.assert_allclose(off_corner.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(off_corner.std(axis=0), 0.25, rtol=0.03)
    _, counts = np.unique(points > 0, axis=0, return_counts=True)
    np.testing.assert_allclose(counts, N / 4, rtol=0.06)


def test_square_is_evenly_filled():
    points, _ = draw("square")
    assert 1.39 < np.abs(points).max() <= 1.4
    assert_fills_evenly(points, lambda x, y: np.maximum(abs(x), abs(y)) <= 1.4, area=7.84)


def test_disk_is_evenly_filled():
    points, _ = draw("disk")
    assert 1.49 < np.linalg.norm(points, axis=1).max() <= 1.5
    assert_fills_evenly(points, lambda x, y: x**2 + y**2 <= 2.25, area=2.25 * np.pi)


def in_heart(x, y):
    """Whether a place is in the heart that stands with its tip at (0, −1.2)."""
    x, y = np.abs(x) / 1.5, y / 1.5
    return x**2 + (1.25 * y - np.sqrt(x)) ** 2 <= 1.0


def test_heart():
    points, _ = draw("heart")
    x, y = points.T
    assert x.max() - x.min() == pytest.approx(3.0, abs=0.03)
    # Alike left and right.
    assert ks_2samp(x, -x[::-1]).pvalue > 0.001
    assert ks_2samp(y[x < 0], y[x > 0]).pvalue > 0.001
    # On its point, with a notch above: nothing but the tip below, and two humps on top.
    assert np.abs(x[y < -1.7]).max() < 0.2
    assert np.abs(x[y > 1.1]).min() > 0.2
    # Its mean is the origin; where that is in the heart as `in_heart` has it:
    width = np.linspace(-1.5, 1.5, 300)
    across, up = np.meshgrid(width, np.linspace(-1.3, 2.1, 300))
    rise = up[in_heart(across, up)].mean()
    assert in_heart(0.99 * x, 0.99 * y + rise).all()
    assert_fills_evenly(points, lambda x, y: in_heart(x, y + rise), area=1.8 * np.pi)


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


def test_two_rings_stand_side_by_side():
    points, labels = draw("two_rings")
    for label, x in [(0, -1.0), (1, 1.0)]:
        ring = points[labels == label]
        assert_follows(ring, [x, 0.0] + 0.7 * circle(np.linspace(0, 360, 1000)), 0.05)


def test_pinwheel_is_five_blades_alike():
    points, labels = draw("pinwheel")
    radius = np.linalg.norm(points, axis=1)
    assert np.median(radius) == pytest.approx(1.0, abs=0.02)
    assert radius.std() == pytest.approx(0.3, abs=0.01)
    blades = [points[labels == label] for label in range(5)]
    cos, sin = np.cos(np.radians(72)), np.sin(np.radians(72))
    for blade, following in zip(blades, [*blades[1:], blades[0]], strict=True):
        turned = blade @ [[cos, sin], [-sin, cos]]
        np.testing.assert_allclose(turned.mean(axis=0), following.mean(axis=0), atol=0.04)


def test_pinwheel_blades_bend_anticlockwise_and_stay_apart():
    points, labels = draw("pinwheel")
    blade = points[labels == 0]
    radius = np.linalg.norm(blade, axis=1)

    def bearing(chosen):
        x, y = (blade[chosen] / radius[chosen, None]).mean(axis=0)
        return np.degrees(np.arctan2(y, x))

    inner, middle, outer = (bearing(abs(radius - about) < 0.05) for about in (0.6, 1.0, 1.4))
    # The turn, a quarter radian times e to the radius, is 26°, 39° and 58° there.
    np.testing.assert_allclose([inner, middle, outer], [26.1, 38.9, 58.1], atol=2.0)
    # Hardly a point has its nearest neighbour in another blade.
    _, nearest = cKDTree(points).query(points, k=2)
    assert np.mean(labels[nearest[:, 1]] == labels) > 0.99


def square_of(points):
    return np.floor((points + 1.6) / 0.8).astype(int).T


def test_checkerboard_fills_the_dark_squares_alone():
    points, _ = draw("checkerboard")
    assert np.abs(points).max() <= 1.6
    column, row = square_of(points)
    assert ((column + row) % 2 == 0).all()
    _, counts = np.unique(4 * column + row, return_counts=True)
    assert len(counts) == 8
    np.testing.assert_allclose(counts, N / 8, rtol=0.1)


def test_two_colour_board_has_its_classes_on_squares_of_two_colours():
    points, labels = draw("two_colour_board")
    assert np.abs(points).max() <= 1.6
    column, row = square_of(points)
    np.testing.assert_array_equal(labels, (column + row) % 2)
    counts = np.bincount(4 * column + row)
    assert len(counts) == 16
    np.testing.assert_allclose(counts, N / 16, rtol=0.15)
    assert_fills_evenly(points, lambda x, y: np.maximum(abs(x), abs(y)) <= 1.6, area=10.24)


def spiral(inner, outer):
    """An arm from one number of turns to another, with radius one at the outer end."""
    turns = np.linspace(inner, outer, 4000)
    return (turns / outer)[:, None] * circle(360 * turns)


def test_spiral_has_two_turns_and_a_half_out_to_its_radius():
    points, _ = draw("spiral")
    # But for its innermost seventh.
    assert_follows(points, 1.7 * spiral(2.5 / 7, 2.5), 0.05)


def test_two_spirals_have_a_turn_and_a_half_each_half_a_turn_apart():
    points, labels = draw("two_spirals")
    arm = 1.7 * spiral(0.25, 1.75)
    assert_follows(points[labels == 0], arm, 0.05)
    assert_follows(points[labels == 1], -arm, 0.05)


def test_s_curve_is_that_of_scikit_learn():
    points, _ = draw("s_curve")
    curve, position = make_s_curve(4000, random_state=0)
    assert_follows(points, 0.85 * curve[np.argsort(position)][:, [0, 2]], 0.05)
    # An S, not its mirror image: open on the right above, on the left below.
    x, y = points.T
    assert x[(y > 0.3) & (y < 0.6)].max() < 0.0
    assert x[(y < -0.3) & (y > -0.6)].min() > 0.0


def test_swiss_roll_is_that_of_scikit_learn_seen_from_its_end():
    points, _ = draw("swiss_roll")
    roll, position = make_swiss_roll(4000, random_state=0)
    curve = 1.7 * roll[np.argsort(position)][:, [0, 2]] / (4.5 * np.pi)
    lengths = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    centre = np.average((curve[1:] + curve[:-1]) / 2, axis=0, weights=lengths)
    assert_follows(points, curve - centre, 0.05)


@every_word
def test_words_fit_their_box_and_are_centred_in_it(name):
    points, _ = draw(name)
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, 0.0, atol=0.02)
    wide, high = high - low
    assert wide <= 3.6
    assert high <= 1.8
    assert wide > 3.55 or high > 1.75


def test_words_of_every_letter_and_digit_have_all_their_letters_in_order():
    signs = string.ascii_letters + string.digits
    for start in range(0, len(signs), spec.LONGEST_WORD):
        word = signs[start : start + spec.LONGEST_WORD]
        points, labels = draw(f"text:{word}", 4000)
        middles = [points[labels == index, 0].mean() for index in range(len(word))]
        assert len(set(labels)) == len(word)
        assert middles == sorted(middles), word


def test_every_letter_that_a_word_may_have_is_in_its_font():
    there = TTFont(font_of("é", 20).path).getBestCmap().keys()
    wanted = [sign for sign in map(chr, range(0x80, 0x3000)) if letters.is_known(sign)]
    assert len(wanted) > 1400
    assert not [sign for sign in wanted if ord(letters.composed(sign)) not in there]


def test_a_word_is_drawn_as_it_is_read():
    middles = {
        word: [points[marks == k, 0].mean() for k in range(len(word))]
        for word in ("été", "Ωα", "שלום")
        for points, marks in [draw(f"text:{word}", 2000)]
    }
    assert middles["été"] == sorted(middles["été"])
    assert middles["Ωα"] == sorted(middles["Ωα"])
    assert middles["שלום"] == sorted(middles["שלום"], reverse=True)  # from the right


def test_accents_are_drawn():
    bare, marked = draw("text:E")[0], draw("text:É")[0]
    assert np.ptp(marked[:, 0]) < 0.9 * np.ptp(bare[:, 0])  # as high, so narrower


def test_a_letter_alone_keeps_its_aspect():
    wide, high = np.ptp(draw("text:I")[0], axis=0)
    assert high > 3 * wide
    assert high == pytest.approx(1.8, abs=0.01)


def test_letters_are_evenly_filled():
    # The letter I is a bar, and every piece of a bar counts as much as any other.
    points, _ = draw("text:I")
    for axis in range(2):
        counts, _ = np.histogram(points[:, axis], bins=10)
        np.testing.assert_allclose(counts, N / 10, rtol=0.12)
    # Equal letters have equal ink.
    counts = np.bincount(draw("text:II")[1])
    np.testing.assert_allclose(counts, N / 2, rtol=0.04)


def test_letters_stand_upright_and_face_right():
    x, y = draw("text:L")[0].mean(axis=0)
    assert x < -0.1
    assert y < -0.1


def test_letters_of_ot():
    points, labels = draw("text:OT")
    letter_o, letter_t = points[labels == 0], points[labels == 1]
    assert letter_o[:, 0].max() < letter_t[:, 0].min()
    # The O's hole is empty, and its ring has no gap.
    middle = (letter_o.min(axis=0) + letter_o.max(axis=0)) / 2
    x, y = (letter_o - middle).T
    assert np.hypot(x, y).min() > 0.4
    turns, _ = np.histogram(np.arctan2(y, x), bins=60)
    assert turns.min() > 0
    # The T has its bar above and nothing beside its foot.
    foot = letter_t[letter_t[:, 1] < 0, 0]
    assert np.ptp(foot) < np.ptp(letter_t[:, 0]) / 4


@pytest.mark.parametrize(("name", "other"), [("OT", "TO"), ("a", "A"), ("O", "0")])
def test_different_words_differ(name, other):
    assert not np.array_equal(draw(f"text:{name}", 50)[0], draw(f"text:{other}", 50)[0])


@pytest.mark.parametrize(
    "name", ["sun", "", "Gaussian", "OT", "text:", "text:NINESIGNS", "text:中", "text:A B"]
)
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match="distribution: ") as refusal:
        sample(name, 3, np.random.default_rng(0))
    assert repr(name) in str(refusal.value)
    assert all(known in str(refusal.value) for known in [*SHAPES, "text:WORD"])
