"""The player's mathematics, in a real Chromium: against PyTorch, NumPy and SciPy."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from scipy.stats import gaussian_kde

from resviz.distributions import sample
from resviz.networks import tracks
from resviz.parameters import initial_parameters
from resviz.player import HERE
from resviz.scores import line_shape, map_errors
from resviz.spec import NETWORKS, RunSpec
from resviz.transport import pairing

pytestmark = pytest.mark.browser

LOAD = """async texts => {
  window.parts = {};
  for (const text of texts) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    Object.assign(window.parts, await import(url));
  }
}"""


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[[str, object], object]]:
    """Runs a JavaScript function of one argument, where `parts` holds what the player's have."""
    page = browser.new_page()
    page.goto("about:blank")
    files = (HERE / name for name in ("network.js", "density.js", "training.js"))
    network, density, training = (file.read_text(encoding="utf-8") for file in files)
    alone = re.sub(r"^import .*\n", "", training, flags=re.MULTILINE)
    page.evaluate(LOAD, [network, f"{density}\nexport {{ contourInto }};", alone])
    yield lambda function, given: page.evaluate(function, plain(given))
    page.close()


def plain(value):
    """What a page can be sent."""
    match value:
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case np.ndarray():
            return value.ravel().tolist()
        case _:
            return value


# ---- The network ---------------------------------------------------------------------


def network_of(spec):
    return {
        "kind": spec.network,
        "activation": spec.activation,
        "h": spec.step_length,
        "depth": spec.depth,
        "width": spec.width,
    }


def wild(spec, scale=1.5, seed=3):
    """Parameters far from the start, so that every part of each σ is used."""
    return scale * initial_parameters(spec, np.random.default_rng(seed))


def walked(call, spec, flat, points):
    given = {"network": network_of(spec), "flat": flat, "points": points}
    found = call(
        "({network, flat, points}) => [...parts.trackThrough("
        "network, Float32Array.from(flat), Float32Array.from(points))]",
        given,
    )
    return np.reshape(found, (spec.depth + 1, len(points), 2))


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus", "gelu"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("step_size", ["1/L", "1"])
def test_tracks_are_those_of_the_network(call, activation, network, step_size):
    spec = RunSpec(
        activation=activation, network=network, step_size=step_size, start="random",
        depth=7, width=10,
    )  # fmt: skip
    points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    expected = tracks(spec, wild(spec), points)
    size = expected.std(axis=1).mean().item()
    assert np.abs(expected[1:] - expected[:-1]).max() > 0.1  # they do move
    assert walked(call, spec, wild(spec), points) == pytest.approx(expected, abs=1e-5 * size)


def test_a_classifiers_head_moves_nothing(call):
    spec = RunSpec(task="classify", source="moons", start="random", depth=3, width=4)
    points, _ = sample(spec.source, 20, np.random.default_rng(0))
    expected = tracks(spec, wild(spec), points)
    assert walked(call, spec, wild(spec), points) == pytest.approx(expected, abs=1e-5)


SIGMA = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
    "gelu": torch.nn.functional.gelu,
}


@pytest.mark.parametrize("activation", SIGMA)
def test_an_activation_is_exact_to_single_precision_everywhere(call, activation):
    """One plain layer whose two units are σ(x) and σ(y)."""
    spec = RunSpec(network="plain", start="random", activation=activation, depth=1, width=2)
    eye = [1, 0, 0, 1]
    flat = np.array([*eye, 0, 0, *eye, 0, 0], np.float32)
    near = np.linspace(-25, 25, 20_001)
    points = np.concatenate([near, [-1e6, -100, 100, 1e6, 0]]).astype(np.float32)
    points = np.column_stack([points, points[::-1]])
    expected = SIGMA[activation](torch.tensor(points, dtype=torch.float64)).numpy()
    found = walked(call, spec, flat, points)[1]
    assert found == pytest.approx(expected, rel=1.2e-7, abs=3e-8)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "convolutional"}, "kind: convolutional is not allowed; allowed are residual"),
        ({"activation": "toString"}, "activation: toString is not allowed; allowed are tanh, relu"),
        ({"depth": 2}, "flat: 12 parameters are too few; the layers have 24"),
    ],
)
def test_what_is_no_network_is_refused(call, changes, told):
    network = {"kind": "plain", "activation": "relu", "h": 1, "depth": 1, "width": 2}
    given = {"network": network | changes, "flat": np.zeros(12), "points": np.zeros((1, 2))}
    message = call(
        "({network, flat, points}) => { try { parts.trackThrough(network, flat, points); }"
        " catch (error) { return error.message; } }",
        given,
    )
    assert message.startswith(told)


# Layers of the two ReLU units x⁺ and (−x)⁺: (kind, A, B). Biases are zero.
ACROSS = [1, 0, -1, 0]
NOWHERE = ("residual", ACROSS, [0, 0, 0, 0])
FOLD = ("residual", ACROSS, [-2, 0, 0, 0])  # x to −x where x > 0
MIRROR = ("residual", ACROSS, [-2, 2, 0, 0])  # x to −x
ONTO_A_LINE = ("plain", ACROSS, [0.3, -0.3, 0.1, -0.1])  # (x, y) to x (0.3, 0.1)
TO_A_POINT = ("plain", ACROSS, [0, 0, 0, 0])
HALF, LINES, SAMPLES = 2.0, 9, 17


def carried(call, layer, time=1.0):
    """The grid after one layer, or on the way through it, and its flipped cells."""
    kind, inner, outer = layer
    given = {
        "network": {"kind": kind, "activation": "relu", "h": 1, "depth": 1, "width": 2},
        "flat": np.array([*inner, 0, 0, *outer, 0, 0]),
        "grid": [HALF, LINES, SAMPLES],
        "time": time,
    }
    grid = call(
        """({network, flat, grid, time}) => {
          const made = parts.carriedGrid(network, Float32Array.from(flat), ...grid);
          const size = made.paths.length / 2;
          const now = made.paths.subarray(0, size).map(
            (start, i) => (1 - time) * start + time * made.paths[size + i]);
          return {...made, paths: [...made.paths], flipped: parts.flippedCells(made, now)};
        }""",
        given,
    )
    grid["paths"] = np.reshape(grid["paths"], (2, -1, 2))
    return grid


def area(outline):
    x, y = outline.T
    return (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2


def test_the_grid_is_square_and_its_cells_fill_it(call):
    grid = carried(call, NOWHERE)
    start = grid["paths"][0]
    assert (grid["paths"][1] == start).all()
    places = np.linspace(-HALF, HALF, LINES)
    along = np.linspace(-HALF, HALF, SAMPLES)
    lines = start[np.array(grid["lines"])]
    for k, place in enumerate(places):
        upright, level = lines[k], lines[LINES + k]
        assert np.allclose(upright, np.column_stack([np.full(SAMPLES, place), along]))
        assert np.allclose(level, np.column_stack([along, np.full(SAMPLES, place)]))
    cells = start[np.array(grid["outlines"])]
    side = places[1] - places[0]
    assert cells.shape == (64, 8, 2)  # two pieces a side
    assert [area(cell) for cell in cells] == pytest.approx([side**2] * 64)
    middles = (places[:-1] + places[1:]) / 2
    expected = np.column_stack([np.tile(middles, 8), np.repeat(middles, 8)])
    assert np.allclose(cells.mean(axis=1), expected)
    around = np.linalg.norm(cells - np.roll(cells, 1, axis=1), axis=2)
    assert around == pytest.approx(np.full((64, 8), side / 2))


@pytest.mark.parametrize(
    ("layer", "time", "which"),
    [
        (NOWHERE, 1, "none"),
        (FOLD, 0, "none"),
        (FOLD, 0.45, "none"),
        (FOLD, 0.5, "right"),  # where they are pressed onto the middle
        (FOLD, 1, "right"),
        (MIRROR, 0.45, "none"),
        (MIRROR, 1, "all"),
        (ONTO_A_LINE, 0.9, "none"),
        (ONTO_A_LINE, 1, "all"),
        (TO_A_POINT, 1, "all"),
    ],
)
def test_cells_are_flipped_where_the_map_turns_them_over(call, layer, time, which):
    grid = carried(call, layer, time)
    start = grid["paths"][0]
    right = [cell for cell in grid["outlines"] if start[cell, 0].mean() > 0]
    assert len(right) == len(grid["outlines"]) / 2
    assert grid["flipped"] == {"none": [], "right": right, "all": grid["outlines"]}[which]


def test_lines_between_crossings_must_be_whole(call):
    message = call(
        "() => { try { parts.carriedGrid({}, [], 1, 9, 16); }"
        " catch (error) { return error.message; } }",
        None,
    )
    assert message.startswith("samples: 16 is not allowed; allowed is a multiple of 8, plus 1")


@pytest.mark.parametrize("network", NETWORKS)
def test_arrows_are_the_steps_of_a_layer(call, network):
    shape = {"network": network, "start": "random", "step_size": "1", "width": 6}
    spec, alone = RunSpec(depth=3, **shape), RunSpec(depth=1, **shape)
    flat, layer = wild(spec), 1
    blocks = np.split(flat, np.cumsum(3 * np.array([12, 6, 12, 2])))[:4]
    one = np.concatenate([np.split(block, 3)[layer] for block in blocks])
    given = {"network": network_of(spec), "flat": flat, "look": [layer, 2.0, 5]}
    field = call(
        "({network, flat, look}) =>"
        " [...parts.displacementField(network, Float32Array.from(flat), ...look)]",
        given,
    )
    field = np.reshape(field, (25, 4))
    middles = [-1.6, -0.8, 0, 0.8, 1.6]
    assert np.allclose(field[:, 0], np.tile(middles, 5))
    assert np.allclose(field[:, 1], np.repeat(middles, 5))
    start, end = tracks(alone, one, field[:, :2])
    assert np.abs(end - start).max() > 0.3
    assert field[:, 2:] == pytest.approx(end - start, abs=3e-6)


# ---- The density ---------------------------------------------------------------------

SHARES = (0.9, 0.75, 0.5, 0.25)
# Two calls, of which the second writes over the memory of the first.
CONTOURS = """({points, half, shares}) => {
  const density = parts.createDensity(64);
  parts.densityContours(density, Float32Array.from(points, (v, i) => 3 * v + i % 7), half, shares);
  const levels = parts.densityContours(density, Float32Array.from(points), half, shares);
  return levels.map((level) => [...level]);
}"""


def contours(call, points, shares=SHARES, half=2.2):
    """For each share its segments, (k, 2, 2): [segment, end, coordinate]."""
    found = call(CONTOURS, {"points": points, "half": half, "shares": list(shares)})
    return [np.reshape(level, (-1, 2, 2)) for level in found]


def cloud(name, n=1000, seed=1):
    return sample(name, n, np.random.default_rng(seed))[0]


def inside(segments, points):
    """Whether a ray from each point to the right crosses the lines an odd number of times."""
    (x0, y0), (x1, y1) = segments.transpose(1, 2, 0)
    x, y = points[:, :1], points[:, 1:]
    spans = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return (spans & (meets > x)).sum(axis=1) % 2 == 1


def loops(segments):
    """How many closed lines they are."""
    beside = defaultdict(set)
    for start, end in segments:
        beside[tuple(start)].add(tuple(end))
        beside[tuple(end)].add(tuple(start))
    count, seen = 0, set()
    for place in beside:
        count += place not in seen
        ahead = [place]
        while ahead:
            here = ahead.pop()
            if here not in seen:
                seen.add(here)
                ahead += beside[here]
    return count


CLOUDS = ("gaussian", "two_blobs", "eight_gaussians", "moons", "ring", "checkerboard", "spiral")


@pytest.mark.parametrize("name", CLOUDS)
def test_each_line_holds_its_share_of_the_particles(call, name):
    points = cloud(name)
    for share, segments in zip(SHARES, contours(call, points), strict=True):
        assert inside(segments, points).mean() == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("n", [30, 1000])
def test_lines_are_closed(call, name, n):
    """Every place where a segment ends is the end of one other, to the last bit."""
    for segments in contours(call, cloud(name, n)):
        ends = Counter(map(tuple, segments.reshape(-1, 2)))
        assert set(ends.values()) == {2}


def test_a_round_gaussians_lines_are_its_circles(call):
    deviation = 0.6
    points = deviation * np.random.default_rng(0).normal(size=(1000, 2)) + [3, -1]
    for share, segments in zip(SHARES, contours(call, points), strict=True):
        radius = np.linalg.norm(segments.mean(axis=1) - [3, -1], axis=1)
        expected = deviation * np.sqrt(-2 * np.log(1 - share))
        assert radius.mean() == pytest.approx(expected, rel=0.06)
        assert radius.std() < 0.15 * expected


def test_a_gaussians_lines_are_levels_of_scipys_density(call):
    points = np.random.default_rng(2).normal(size=(1000, 2))
    points -= points.mean(axis=0)
    points = (
        points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    )  # so that both are round
    density = gaussian_kde(points.T)
    reached = density(points.T)
    for share, segments in zip(SHARES, contours(call, points), strict=True):
        along = density(segments.mean(axis=1).T)
        level = np.quantile(reached, 1 - share)
        assert along.mean() == pytest.approx(level, rel=0.03)
        assert along.std() < 0.05 * level


@pytest.mark.parametrize(
    ("name", "lumps"), [("gaussian", 1), ("two_blobs", 2), ("moons", 2), ("eight_gaussians", 8)]
)
def test_lumps_stay_apart(call, name, lumps):
    (segments,) = contours(call, cloud(name), [0.9])
    assert loops(segments) == lumps


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        (0.6, {((0, 0.4), (0.4, 0)), ((0.6, 1), (1, 0.6))}),  # round the two high corners
        (0.4, {((0, 0.6), (0.4, 1)), ((0.6, 0), (1, 0.4))}),  # round the two low ones
    ],
)
def test_the_mean_of_a_saddle_tells_how_its_lines_run(call, level, lines):
    """One square of four places: 1 at the lower left and the upper right, 0 at the others."""
    found = call(
        """level => {
          const room = new Float64Array(8), box = { x: 0, y: 0, cell: 1 };
          return [...room.subarray(0, parts.contourInto(room, [1, 0, 0, 1], 2, level, box))];
        }""",
        level,
    )
    segments = np.round(np.reshape(found, (-1, 2, 2)), 9).tolist()
    assert {tuple(sorted(map(tuple, segment))) for segment in segments} == lines


def test_neither_the_window_nor_where_the_cloud_is_matters(call):
    points = cloud("moons")
    before = contours(call, points)
    for other in (contours(call, points, half=0.5), [c - 64 for c in contours(call, points + 64)]):
        for was, now in zip(before, other, strict=True):
            assert now == pytest.approx(was, abs=1e-3)


def test_a_straggler_does_not_blur_the_rest(call):
    points = np.concatenate([cloud("eight_gaussians"), [[45, 0]]])
    (segments,) = contours(call, points, [0.9])
    assert loops(segments) == 8
    assert np.abs(segments).max() < 2.2


@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 2)),
        np.array([[0.3, 0.4]]),
        np.array([[0.3, 0.4], [1.0, 0.4]]),
        np.full((50, 2), 0.7),
        np.column_stack([np.linspace(0, 1, 50), np.zeros(50)]),
        np.array([[np.nan, 0.0], [1.0, np.inf]]),
        np.concatenate([[[np.nan, 0.0]], np.eye(2), -np.eye(2)]),
    ],
    ids=["none", "one", "two", "all in one place", "on a line", "none finite", "one not finite"],
)
def test_poor_clouds_have_finite_lines(call, points):
    levels = contours(call, points)
    assert len(levels) == len(SHARES)
    assert all(np.isfinite(segments).all() for segments in levels)


def test_particles_that_are_not_finite_are_left_out(call):
    points = cloud("two_blobs", 200)
    lost = np.concatenate([points, [[np.nan, 0.0], [0.0, np.inf]]])
    for was, now in zip(contours(call, points), contours(call, lost), strict=True):
        assert (was == now).all()


# ---- A run at an earlier step -------------------------------------------------------


def test_where_a_particle_leaves_the_cheapest_way_is_what_the_scores_say(call):
    steps = np.random.default_rng(5).normal(size=(6, 40, 2)).astype(np.float32)
    steps[:, 0] = 0  # it stays
    steps[:, 1] = [[1, 0], [-1, 0]] * 3  # to and fro
    way = np.concatenate([np.zeros((1, 40, 2), np.float32), np.cumsum(steps, axis=0)])
    way += np.random.default_rng(6).normal(size=(40, 2)).astype(np.float32).round(1)
    paired = pairing(way[0], way[-1])
    assert (paired.plan != np.arange(40)).any()
    found = call(
        "({way, straight, n}) => [[...parts.lineShapes(Float32Array.from(way), n)],"
        " [...parts.straying(Float32Array.from(way), Float32Array.from(straight), n)]]",
        {"way": way, "straight": np.stack([way[0], way[-1][paired.plan]]), "n": 40},
    )
    shapes, astray = map(np.array, found)
    np.testing.assert_allclose(shapes[2:], line_shape(way)[2:], rtol=1e-4)
    assert np.isnan(shapes[0])
    assert shapes[1] > 1e5 or np.isinf(shapes[1])
    least = np.sqrt(paired.w2_squared)
    np.testing.assert_allclose(astray, map_errors(way[-1], paired.plan) / least, atol=1e-5)
