"""Layers whose doing is known, and what is said of them."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from resviz.scores import score
from resviz.telling import LONGEST, layer_move, layer_sentences


def round_cloud(n=400):
    """Centred, and of variance 1 in every direction."""
    points = np.random.default_rng(0).normal(size=(n, 2))
    points -= points.mean(axis=0)
    return points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T, bias=True))).T


def turn(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


ROUND = round_cloud()
LONG = ROUND * [2, 0.5]
UPPER = np.where(ROUND[:, :1] > 0, 1, -1)  # the halves, right and left
TWO = ROUND * [0.2, 1] + UPPER * [1.5, 0]  # a cloud that is in two
BENT = np.column_stack([np.zeros(400), ROUND[:, 0] ** 2])


def moved(points, right, up):
    return points + np.array([right, up])


def said(start, end):
    """What one layer of two does; the other moves everything to the right by 1."""
    tracks = np.stack([start, end, moved(end, 1, 0)])
    first, _ = layer_sentences(tracks)
    body = re.fullmatch(r"Layer 1 of 2 (.*?)(; \d+% of the way)?\.", first)
    return body[1]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (ROUND, ROUND, "hardly moves anything"),
        (ROUND, ROUND + 1e-3, "hardly moves anything"),
        (ROUND, moved(ROUND, 0.3, 0), "moves the cloud 0.30 right"),
        (ROUND, ROUND - [0.2, 0.2], "moves the cloud 0.28 down and left"),
        (ROUND + 50, moved(ROUND, 50, 70), "moves the cloud 20 up"),
        (ROUND, ROUND @ turn(14).T, "turns the cloud 14° anticlockwise"),
        (LONG, LONG @ turn(-30).T, "turns the cloud 30° clockwise"),
        (LONG - 9, LONG @ turn(90).T - 9, "turns the cloud 90° anticlockwise"),
        (ROUND, ROUND * 1.3, "swells the cloud by 30%"),
        (LONG, LONG * 0.5, "shrinks the cloud by 50%"),
        (LONG, LONG * 4.2, "swells the cloud 4.2-fold"),
        (ROUND, ROUND * [1.3, 1], "widens the cloud by 30%"),
        (ROUND, ROUND * [1, 0.6], "flattens the cloud by 40%"),
        (ROUND, ROUND * [1, 3], "stretches the cloud up and down 3.0-fold"),
        (
            ROUND,
            ROUND @ (turn(45) @ np.diag([1.5, 1]) @ turn(-45)).T,
            "stretches the cloud diagonally by 50%",
        ),
        (
            ROUND,
            ROUND * [1.4, 0.7],
            "widens the cloud by 40% and flattens it by 30%",
        ),
        (
            ROUND,
            ROUND @ turn(20).T + [0.3, 0],
            "turns the cloud 20° anticlockwise and moves it 0.30 right",
        ),
        (LONG, LONG * [-1, 1], "turns the cloud over"),
        (
            ROUND * [1, 0.4],
            ROUND * [1, 0.4] + 1.5 * UPPER * [1, 0],
            "widens the cloud 2.2-fold and parts it in two",
        ),
        (ROUND, ROUND + 0.4 * BENT - [0, 0.4], "bends the cloud"),
    ],
)
def test_what_a_layer_does_is_said(start, end, words):
    assert said(start, end) == words


def test_halves_that_meet_close_the_gap():
    assert said(TWO, TWO - 1.2 * UPPER * [1, 0]).endswith("and closes the gap in it")


def test_half_a_turn_of_the_clouds_halves_is_a_turn():
    assert said(TWO, -TWO).startswith("turns the cloud 180°")


def test_two_clauses_begin_with_the_stronger_one():
    much, little = turn(25), turn(8)
    shift = np.array([0.25, 0])
    assert said(ROUND, ROUND @ much.T + shift).startswith("turns")
    assert said(ROUND, ROUND @ little.T + shift).startswith("moves")


def test_what_hardly_counts_is_not_said():
    assert said(ROUND, ROUND @ turn(30).T + [0.1, 0]) == "turns the cloud 30° anticlockwise"


def test_a_step_is_taken_apart_at_right_angles():
    """The shares of shift, linear part and rest add up; those of P are along its axes."""
    linear, shift = turn(25) @ np.diag([1.4, 0.8]), np.array([0.3, -0.1])
    start = ROUND * [1.2, 0.7]
    wave = np.column_stack([np.sin(5 * start[:, 1]), np.cos(3 * start[:, 0])])
    # What is left of the wave beside every affine map.
    base = np.column_stack([start, np.ones(len(start))])
    wave -= base @ np.linalg.lstsq(base, wave, rcond=None)[0]
    end = start @ linear.T + shift + 0.2 * wave
    move = layer_move(start, end)
    energy = np.square(end - start).sum(axis=1).mean()
    assert move.rms**2 == pytest.approx(energy)
    assert move.length == pytest.approx(np.linalg.norm(end - start, axis=1).mean())
    assert move.angle == pytest.approx(25, abs=0.02)
    assert move.stretches == pytest.approx([1.4, 0.8], rel=2e-3)
    assert np.abs(move.axes) == pytest.approx(np.eye(2), abs=2e-3)
    assert not move.mirrored
    assert move.shift + start.mean(axis=0) @ (np.eye(2) - linear).T == pytest.approx(shift)
    assert move.shifted == pytest.approx(move.shift @ move.shift / energy)
    assert move.bent == pytest.approx(0.04 * np.square(wave).sum(axis=1).mean() / energy, rel=1e-3)
    stretched = [(0.4 * 1.2) ** 2, (0.2 * 0.7) ** 2]
    assert move.stretched * energy == pytest.approx(stretched, rel=5e-3)
    # ‖(R − I) v‖ = 2 sin(angle/2) ‖v‖.
    pressed = (1.4 * 1.2) ** 2 + (0.8 * 0.7) ** 2
    assert move.turned * energy == pytest.approx(
        4 * np.sin(np.radians(12.5)) ** 2 * pressed, rel=5e-3
    )


def test_a_line_has_no_other_side():
    line = np.column_stack([np.linspace(-1, 1, 50), np.zeros(50)])
    for degrees in (40, -100, 170):
        move = layer_move(line, line @ turn(degrees).T)
        assert not move.mirrored
        assert move.angle == pytest.approx(degrees)


def test_sentences_end_in_their_share_of_the_way():
    way = [0, 0.1, 0.104, 0.404, 1.0]
    tracks = np.stack([moved(ROUND, 4 * far, 0) for far in way])
    ends = [sentence.partition("; ")[2] for sentence in layer_sentences(tracks)]
    assert ends == ["10% of the way.", "under 1% of the way.", "30% of the way.", "60% of the way."]


def test_the_cheapest_ways_own_steps_are_the_cheapest():
    tracks = np.stack([ROUND * [1 + t, 1] + [t, 0] for t in np.linspace(0, 1, 6)])
    for sentence in layer_sentences(tracks, tracks):
        assert sentence.endswith("; 1.0 times the cheapest step.")


def test_steps_over_the_cheapest_have_the_action_ratio_as_their_mean_square():
    steps = np.random.default_rng(3).normal(size=(4, 40, 2)) + 2
    tracks = np.concatenate([np.zeros((1, 40, 2)), steps]).cumsum(axis=0) + ROUND[:40]
    scores = score(tracks, None)
    straight = np.stack([tracks[0], tracks[0] + [np.sqrt(scores.w2_squared), 0]])
    geodesic = straight[[0, 0, 0, 0, 1]]  # its ends alone are looked at
    sentences = layer_sentences(tracks, geodesic)
    times = [float(re.search(r"; (.*) times", sentence)[1]) for sentence in sentences]
    assert np.square(times).mean() == pytest.approx(scores.action_ratio, rel=0.1)


def test_a_cheapest_way_that_stands_still_is_no_measure():
    tracks = np.stack([ROUND, moved(ROUND, 1, 0), ROUND])
    first, _ = layer_sentences(tracks, np.stack([ROUND] * 3))
    assert first.endswith("; 50% of the way.")


clouds = arrays(
    float,
    st.tuples(st.integers(2, 4), st.integers(1, 5), st.just(2)),
    elements=st.floats(-1e3, 1e3, width=32),
)


@given(tracks=clouds)
@example(tracks=np.zeros((3, 5, 2)))
@example(tracks=np.stack([np.zeros((5, 2)), np.ones((5, 2))]))  # a point that moves
@example(tracks=np.stack([np.zeros((4, 2)), np.eye(4, 2)]))  # a point that bursts
@example(tracks=np.stack([np.eye(2), -np.eye(2)]))
def test_any_tracks_have_short_sentences(tracks):
    for geodesic in (None, tracks[::-1]):
        sentences = layer_sentences(tracks, geodesic)
        assert len(sentences) == len(tracks) - 1
        for layer, sentence in enumerate(sentences, 1):
            assert re.match(rf"Layer {layer} of {len(sentences)} [a-z]+s .*\.$|.*hardly", sentence)
            assert len(sentence) <= LONGEST
            assert "nan" not in sentence
            assert "inf" not in sentence


def test_the_longest_sentences_are_cut_where_clauses_end():
    shift = np.array([1e4, -1e4])
    start = ROUND * 1e4
    tracks = np.stack(
        [start @ turn(-123).T @ np.diag([1, 1.4]) ** k + k * shift for k in range(100)]
    )
    for geodesic in (None, np.stack([ROUND, ROUND + 1e-3])):
        for sentence in layer_sentences(tracks, geodesic):
            assert len(sentence) <= LONGEST
            assert re.fullmatch(r"Layer \d+ of 99 [^;]+(; [^;]+ (way|step))?\.", sentence)


@pytest.mark.parametrize("tracks", [np.zeros((3, 4)), np.zeros((1, 4, 2)), np.zeros((2, 0, 2))])
def test_what_is_no_tracks_is_refused(tracks):
    with pytest.raises(ValueError, match=r"^tracks: shape .* is not allowed; allowed is"):
        layer_sentences(tracks)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"^geodesic: holds numbers that are not finite"):
        layer_sentences(np.zeros((2, 3, 2)), np.full((2, 3, 2), np.nan))
