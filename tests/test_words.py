import math
from dataclasses import replace

import pytest

from resviz import words
from resviz.records import Run


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0.00"),
        (0.0456, "0.046"),
        (0.0999, "0.10"),
        (0.9999, "1.00"),
        (1.0, "1.00"),
        (6.732, "6.73"),
        (12.34, "12.3"),
        (99.96, "100"),
        (4948.04, "4948"),
        (1234567.0, "1.2e+06"),
        (-3.14159, "-3.14"),
    ],
)
def test_numbers_have_three_figures(value, text):
    assert words.number(value) == text


def test_effort_is_said_with_its_factors(tiny_run: Run):
    scores = replace(tiny_run.scores, action_ratio=7.0, path_factor=6.09, map_factor=1.15)
    assert words.effort_sentence(scores) == "Effort 7.00 = 6.09 bends × 1.15 pairing"


def test_what_did_not_move_has_no_effort(tiny_run: Run):
    still = replace(tiny_run.scores, action_ratio=math.nan)
    assert "did not move" in words.effort_sentence(still)


def test_a_run_that_has_not_arrived_says_so(tiny_run: Run):
    measured = replace(tiny_run.scores, unmoved=1.0, fit_floor=0.1, fit_floor_sd=0.05)
    far, near = replace(measured, fit=0.6), replace(measured, fit=0.4)
    assert words.NOT_ARRIVED in words.score_line(far)
    assert words.NOT_ARRIVED not in words.score_line(near)


@pytest.mark.parametrize(
    ("ratio", "path", "pairing", "hint"),
    [
        (1.05, 1.03, 1.02, "hardly be told apart"),
        (3.0, 3.0, 1.0, "bends or hurries"),
        (1.5, 1.05, 1.43, "dearer places"),
        (6.0, 3.0, 2.0, "colours end in other places"),
    ],
)
def test_where_to_look_follows_the_larger_factor(tiny_run: Run, ratio, path, pairing, hint):
    scores = replace(
        tiny_run.scores,
        fit=0.0,
        action_ratio=ratio,
        path_factor=path,
        map_factor=pairing,
    )
    assert hint in words.look_at(replace(tiny_run, scores=scores))


def test_a_comparison_names_what_was_changed(tiny_run: Run):
    changed = replace(tiny_run, spec=replace(tiny_run.spec, kinetic=0.01, target="eight_gaussians"))
    sentence = words.compare(tiny_run, changed)
    assert "Target ring → eight gaussians" in sentence
    assert "Pay for steps (κ) 0 → 0.01" in sentence
    assert "Depth" not in sentence
    assert "the same settings" in words.compare(tiny_run, tiny_run)


def test_the_ending_of_a_run(tiny_run: Run):
    assert words.ending(tiny_run) is None
    stopped = replace(tiny_run, state=replace(tiny_run.state, step=7))
    assert "Stopped at step 7 of 10" in words.ending(stopped)
    diverged = replace(tiny_run, state=replace(tiny_run.state, step=7, diverged=8))
    assert "diverged at step 8 of 10" in words.ending(diverged)
