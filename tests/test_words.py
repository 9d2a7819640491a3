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


def test_both_splits_are_said_as_far_as_they_are_known(tiny_run: Run):
    factors = {"speed_factor": 1.2, "bend_factor": 4.19, "map_factor": 1.34}
    whole = replace(tiny_run.scores, **factors, swirl_factor=1.08, curve_factor=6.234)
    first = "Here 1.20 pace × 4.19 bend × 1.34 pairing"
    assert words.splits_sentence(whole) == f"{first}, and 1.08 swirl × 6.23 curve."
    assert words.splits_sentence(replace(whole, swirl_factor=None)) == f"{first}."


def test_what_did_not_move_has_no_effort(tiny_run: Run):
    still = replace(tiny_run.scores, action_ratio=math.nan)
    assert "did not move" in words.effort_sentence(still)


def test_classification_tells_of_right_answers_and_of_no_target(tiny_classifier: Run):
    scores = replace(tiny_classifier.scores, accuracy=0.975, majority=0.5)
    assert words.miss_sentence(scores) == "Right 98% (guess 50%)"
    assert words.NOT_LEARNED not in words.score_line(scores)
    mixed = replace(scores, accuracy=0.6)
    assert words.NOT_LEARNED in words.score_line(mixed)
    assert "still mixed" in words.look_at(replace(tiny_classifier, scores=mixed))
    whole, by_class = replace(scores, optimal_transport=0.7), replace(scores, optimal_transport=0.9)
    swapped = replace(tiny_classifier, scores=whole, class_scores=by_class)
    assert "swaps" in words.look_at(swapped)
    kept = replace(tiny_classifier, scores=whole, class_scores=whole)
    assert "swaps" not in words.look_at(kept)


def test_what_changes_nothing_is_no_change(tiny_classifier: Run, tiny_run: Run):
    spec = replace(tiny_classifier.spec, target="ring", loss="sliced", step_size="1", l2_on="outer")
    told = words.compare(tiny_classifier, replace(tiny_classifier, spec=spec))
    assert "the same settings" in told
    assert "Other clouds" not in told
    other = replace(tiny_run, spec=replace(tiny_run.spec, target="moons", head_decay=0.5))
    assert words.compare(tiny_run, other).startswith("A → B: Target ring → moons. Effort")


def test_class_by_class_is_said_beside_the_whole_cloud(tiny_classifier: Run):
    line = words.score_line(tiny_classifier.scores, tiny_classifier.class_scores)
    assert line.count("by class") == 2
    assert "by class" not in words.score_line(tiny_classifier.scores)


def test_runs_of_different_tasks_do_not_compare(tiny_run: Run, tiny_classifier: Run):
    assert "Other clouds" in words.compare(tiny_run, tiny_classifier)


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
