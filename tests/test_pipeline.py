"""One run from spec to scores: reproducible, consistent with its parts, and blind to batches."""

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import resviz.training
from resviz.distributions import WINDOW, gaussian_law, sample
from resviz.networks import decision_regions, jacobians, predicted_classes, tracks
from resviz.pipeline import (
    RECORDS,
    finish,
    held_out,
    look,
    measure,
    own_points,
    record_steps,
    run,
)
from resviz.records import Measures, Run
from resviz.scores import (
    FLOOR_PAIRS,
    exact_gaps,
    fit_floor,
    jacobian_scores,
    line_shape,
    map_errors,
    score,
)
from resviz.spec import LOSSES, RunSpec
from resviz.training import advance, initial_state
from resviz.transport import displacement_interpolation, optimal_plan

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def class_spec(tiny_spec) -> RunSpec:
    # Three letters: classes of three sizes. Steps long enough to leave the start.
    return replace(tiny_spec, task="classify", source="text:OTL", learning_rate=0.2)


@pytest.fixture(scope="module")
def class_run(class_spec) -> Run:
    return run(class_spec)


def points_of(*clouds):
    """The clouds' points as a set, to be looked up exactly."""
    return {tuple(point) for cloud in clouds for point in cloud.astype(np.float32).tolist()}


def test_the_same_spec_gives_the_same_run_to_the_last_bit(tiny_spec, tiny_run):
    held_out.cache_clear()
    again = run(RunSpec.from_query(tiny_spec.to_query()))
    for name in ("tracks", "geodesic", "target", "labels", "line_shapes", "map_errors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tiny_run, name), name)
    np.testing.assert_array_equal(again.state.parameters, tiny_run.state.parameters)
    assert again.summary() == tiny_run.summary()


def test_so_does_the_same_classification(class_spec, class_run):
    held_out.cache_clear()
    again = run(RunSpec.from_query(class_spec.to_query()))
    np.testing.assert_array_equal(again.tracks, class_run.tracks)
    np.testing.assert_array_equal(again.regions.classes, class_run.regions.classes)
    assert again.summary() == class_run.summary()


def test_the_number_of_threads_changes_nothing(tiny_run):
    before = torch.get_num_threads()
    try:
        for number in (1, 4):
            torch.set_num_threads(number)
            np.testing.assert_array_equal(run(tiny_run.spec).tracks, tiny_run.tracks)
    finally:
        torch.set_num_threads(before)


def test_shapes_and_kinds(tiny_run):
    assert tiny_run.tracks.shape == tiny_run.geodesic.shape == (4, 30, 2)
    assert tiny_run.target.shape == (30, 2)
    assert tiny_run.labels.shape == (30,)
    assert tiny_run.line_shapes.shape == tiny_run.map_errors.shape == (30,)
    for array in (tiny_run.tracks, tiny_run.geodesic, tiny_run.target):
        assert array.dtype == np.float32


def test_tracks_start_at_the_held_out_particles(tiny_run):
    points = held_out("two_blobs", "ring", 30)
    np.testing.assert_array_equal(tiny_run.tracks[0], points.particles)
    np.testing.assert_array_equal(tiny_run.target, points.target)
    np.testing.assert_array_equal(tiny_run.labels, points.labels)


def test_tracks_are_those_of_the_trained_network(tiny_run):
    way = tracks(tiny_run.spec, tiny_run.state.parameters, tiny_run.tracks[0])
    np.testing.assert_array_equal(tiny_run.tracks, way)


def test_the_geodesic_goes_to_the_networks_own_end(tiny_run):
    start, end = tiny_run.tracks[0], tiny_run.tracks[-1]
    np.testing.assert_array_equal(tiny_run.geodesic[0], start)
    np.testing.assert_array_equal(tiny_run.geodesic[-1], end[optimal_plan(start, end)])
    way = displacement_interpolation(start, end, np.arange(4) / 3)
    np.testing.assert_allclose(tiny_run.geodesic, way, atol=1e-6)


def test_the_scores_are_those_of_the_tracks(tiny_run):
    floor = fit_floor("ring", 30)
    scores = asdict(score(tiny_run.tracks, tiny_run.target, floor=floor))
    for name, value in scores.items():
        if value is not None:
            found = getattr(tiny_run.scores, name)
            np.testing.assert_allclose(found, value, rtol=1e-5, err_msg=name)


def test_each_particle_has_its_own_scores(tiny_run):
    np.testing.assert_array_equal(tiny_run.line_shapes, line_shape(tiny_run.tracks))
    assert np.median(tiny_run.line_shapes) == tiny_run.scores.line_shape
    start, end = tiny_run.tracks[0], tiny_run.tracks[-1]
    np.testing.assert_array_equal(tiny_run.map_errors, map_errors(end, optimal_plan(start, end)))
    # The geodesic ends where the plan says.
    apart = np.linalg.norm(tiny_run.geodesic[-1] - end, axis=1)
    np.testing.assert_allclose(tiny_run.map_errors, apart, atol=1e-6)


def test_the_networks_own_derivative_is_scored(tiny_run, class_run):
    for result in (tiny_run, class_run):
        own = jacobians(result.spec, result.state.parameters, result.tracks[0])
        for name, value in jacobian_scores(own).items():
            assert getattr(result.scores, name) == value
        assert 0 < result.scores.jacobian_asymmetry < 1
        assert result.history[-1].scores.jacobian_asymmetry is None


@pytest.mark.parametrize(
    ("source", "target"),
    [("gaussian", "anisotropic_gaussian"), ("anisotropic_gaussian", "gaussian")],
)
def test_between_two_gaussians_there_is_a_closed_form(tiny_spec, source, target):
    result = run(replace(tiny_spec, source=source, target=target, steps=1))
    exact = exact_gaps(result.tracks, gaussian_law(source), gaussian_law(target))
    for name, values in exact.items():
        np.testing.assert_array_equal(getattr(result.scores, name), values)
    # At first the cloud rests: it is where it should be at t = 0, and not at t = 1.
    gap, noise = result.scores.exact_gap, result.scores.exact_gap_noise
    assert gap[0] < 4 * noise[0]
    assert gap[-1] == pytest.approx(1, abs=4 * noise[-1])


@pytest.mark.parametrize(
    ("source", "target"),
    [("gaussian", "two_blobs"), ("ring", "gaussian"), ("gaussian", "gaussian")],
)
def test_elsewhere_there_is_none(tiny_spec, source, target):
    scores = run(replace(tiny_spec, source=source, target=target, steps=1)).scores
    assert scores.exact_gap is scores.exact_gap_noise is None


def test_the_course_is_recorded_from_the_first_step_to_the_last(tiny_spec, tiny_run):
    assert tuple(record.step for record in tiny_run.history) == record_steps(tiny_spec)
    last = tiny_run.history[-1]
    assert last.loss == tiny_run.state.loss
    assert last.scores.gap_any_pace is None
    assert last.scores.fit == tiny_run.scores.fit
    assert last.scores.action_ratio == tiny_run.scores.action_ratio
    assert tiny_run.complete


def test_the_course_holds_the_second_split(tiny_run, class_run):
    for result in (tiny_run, class_run):
        for record in result.history:
            scores = record.scores
            assert scores.swirl_factor * scores.curve_factor == pytest.approx(
                scores.action_ratio, rel=1e-12
            )
            assert scores.gap.shape == (result.spec.depth + 1,)
        last = result.history[-1].scores
        assert last.swirl_factor == result.scores.swirl_factor
        assert last.curve_factor == result.scores.curve_factor


def test_the_second_split_of_a_large_cloud_is_that_of_its_first_particles(tiny_spec, monkeypatch):
    monkeypatch.setattr("resviz.pipeline.COURSE_PARTICLES", 20)
    state = advance(tiny_spec, initial_state(tiny_spec), 10)
    seen = look(tiny_spec, state)
    found = seen.record(state).scores
    few, all_of_them = score(seen.tracks[:, :20]), score(seen.tracks)
    assert (found.swirl_factor, found.curve_factor) == (few.swirl_factor, few.curve_factor)
    assert found.curve_factor != all_of_them.curve_factor
    assert found.gap.tolist() == few.gap.tolist()
    assert found.pace.tolist() == few.pace.tolist()
    # All else is of the whole cloud.
    assert found.action_ratio == all_of_them.action_ratio
    assert found.w2_squared == all_of_them.w2_squared


@pytest.mark.parametrize("steps", [1, 2, 7, RECORDS, 26, 100, 1001, 20_000])
def test_record_steps(steps):
    recorded = record_steps(RunSpec(steps=steps))
    assert (recorded[0], recorded[-1]) == (0, steps)
    assert len(recorded) == min(steps, RECORDS) + 1
    gaps = np.diff(recorded)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1  # even, up to rounding


def test_each_record_is_told_as_it_is_reached(tiny_spec, tiny_run):
    told = []
    result = run(tiny_spec, told.append)
    assert tuple(told) == result.history
    assert [r.step for r in told] == [r.step for r in tiny_run.history]


def test_a_run_may_be_made_from_chunks(tiny_spec, tiny_run):
    state = initial_state(tiny_spec)
    for steps in (3, 3, 4):
        state = advance(tiny_spec, state, steps)
    finished = finish(tiny_spec, state, tiny_run.history)
    np.testing.assert_array_equal(finished.tracks, tiny_run.tracks)
    np.testing.assert_equal(asdict(finished.scores), asdict(tiny_run.scores))


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"depth": 5}, {"width": 8}, {"activation": "relu"}, {"steps": 1}, {"batch": 8}],
    ids=lambda change: next(iter(change)),
)
def test_held_out_points_are_the_same_for_every_seed_and_network(tiny_spec, tiny_run, change):
    spec = replace(tiny_spec, **change)
    seen = look(spec, initial_state(spec))
    np.testing.assert_array_equal(seen.tracks[0], tiny_run.tracks[0])
    np.testing.assert_array_equal(seen.held_out.target, tiny_run.target)


# Classification


def test_a_classification_has_no_target(class_run):
    assert class_run.target is None
    scores = class_run.scores
    for name in ("fit", "fit_floor", "fit_floor_sd", "unmoved", "undershoot", "exact_gap"):
        assert getattr(scores, name) is None, name
    assert scores.gap.shape == (4,)
    assert class_run.complete


def test_a_match_has_no_classes_to_score(tiny_spec, tiny_run):
    assert tiny_run.class_scores is tiny_run.regions is None
    assert tiny_run.scores.accuracy is tiny_run.scores.majority is None
    assert {record.class_scores for record in tiny_run.history} == {None}
    assert look(tiny_spec, tiny_run.state).guesses is None


def test_the_head_reads_the_classes_off_where_the_particles_end(class_spec, class_run):
    guesses = look(class_spec, class_run.state).guesses
    # By hand: the head is the last 3 × 2 + 3 of the parameters.
    head = class_run.state.parameters[-9:]
    logits = class_run.tracks[-1] @ head[:6].reshape(3, 2).T + head[6:]
    np.testing.assert_array_equal(guesses, logits.argmax(axis=1))
    assert class_run.scores.accuracy == np.mean(guesses == class_run.labels)
    counts = np.bincount(class_run.labels)
    assert class_run.scores.majority == counts.max() / 30
    for record in class_run.history:
        assert record.scores.majority == class_run.scores.majority
    assert class_run.history[-1].scores.accuracy == class_run.scores.accuracy


def test_a_plan_that_is_given_changes_no_guess(class_spec, class_run):
    exact, quick = (look(class_spec, class_run.state, plan) for plan in (None, np.arange(30)))
    np.testing.assert_array_equal(quick.guesses, exact.guesses)
    assert quick.class_scores() == exact.class_scores()


def test_classes_are_scored_against_plans_that_keep_them_apart(class_run):
    found = class_run.class_scores
    assert found == score(class_run.tracks, labels=class_run.labels)
    assert class_run.history[-1].class_scores == found
    assert found.action == class_run.scores.action
    assert found.w2_squared >= class_run.scores.w2_squared
    assert found.gap is found.swirl_factor is None


def test_a_trained_classifier_has_arrived_and_one_that_is_always_wrong_has_not():
    spec = RunSpec(
        task="classify", source="two_blobs", depth=2, width=4, steps=60, batch=64, particles=100
    )
    result = run(spec)
    assert result.scores.arrived
    assert result.scores.accuracy > 0.95
    # An upside-down head is wrong wherever this one is right.
    head = result.state.parameters.copy()
    head[-6:] *= -1
    wrong = look(spec, replace(result.state, parameters=head)).score(per_layer=False)
    assert wrong.accuracy == pytest.approx(1 - result.scores.accuracy)
    assert not wrong.arrived


def test_a_classifications_scores_may_be_taken_in_pieces(class_spec, class_run):
    state, taken, pieces = class_run.state, Measures(), 0
    while len(taken.layers) < class_spec.depth:
        taken = measure(class_spec, state, taken, seconds=0.0)
        pieces += 1
    assert pieces == class_spec.depth
    assert not taken.floors  # no target, so no floor
    again = finish(class_spec, state, class_run.history, taken)
    assert json.dumps(again.summary()) == json.dumps(class_run.summary())


def test_regions_hold_the_decision_at_the_middle_of_each_cell(class_spec, class_run):
    regions = class_run.regions
    layers, rows, columns = regions.classes.shape
    assert layers == class_spec.depth + 1
    assert rows == columns
    assert set(np.unique(regions.classes)) <= {0, 1, 2}
    generator = np.random.default_rng(0)
    row, column = generator.integers(rows, size=(2, 300))
    # Rows count from below, columns from the left.
    places = 2 * regions.half * (np.column_stack([column, row]) + 0.5) / rows - regions.half
    decided = decision_regions(class_spec, class_run.state.parameters, places)
    np.testing.assert_array_equal(regions.classes[:, row, column], decided)
    assert len(np.unique(decided)) > 1


def test_the_regions_square_holds_the_window_and_the_particles_on_their_way(class_spec):
    near = run(class_spec)
    assert near.regions.half >= WINDOW
    # A network that throws the cloud far: nearly all of it is still inside.
    far = replace(class_spec, start="random", step_size="1", network="plain", depth=1)
    state = initial_state(far)
    thrown = replace(state, parameters=50 * state.parameters)
    result = finish(far, thrown, (look(far, thrown).record(thrown),))
    inside = (np.abs(result.tracks) <= result.regions.half).all(axis=(0, 2))
    assert inside.mean() > 0.95
    assert result.regions.half > 2 * WINDOW


def test_a_particles_region_is_its_class_as_the_head_has_it(class_spec, class_run):
    regions, way = class_run.regions, class_run.tracks
    cells = regions.classes.shape[1]
    guesses = predicted_classes(class_spec, class_run.state.parameters, way[-1])
    for layer, places in enumerate(way):
        column, row = np.floor((places + regions.half) / (2 * regions.half) * cells).astype(int).T
        # A cell on a border is of one class only.
        assert np.mean(regions.classes[layer, row, column] == guesses) > 0.9


def test_the_points_of_a_classification_do_not_depend_on_a_target(class_spec):
    points = [own_points(replace(class_spec, target=target)) for target in ("ring", "moons")]
    assert points[0] is points[1]
    assert points[0].target is None
    assert points[0].unmoved is None


def test_training_a_classifier_never_sees_the_held_out_points(class_spec, monkeypatch):
    drawn = []

    def recording(name, n, generator):
        points, labels = sample(name, n, generator)
        drawn.append(points)
        return points, labels

    monkeypatch.setattr(resviz.training, "sample", recording)
    result = run(class_spec)
    seen = points_of(*drawn)
    # The source alone is drawn.
    assert len(seen) == (class_spec.steps + 1) * class_spec.batch
    assert not seen & points_of(result.tracks[0])


# Points that training never sees


def test_held_out_points_depend_on_source_target_and_number():
    kinds = [("ring", "moons", 9), ("moons", "ring", 9), ("ring", "ring", 9), ("ring", "moons", 8)]
    clouds = [held_out(*kind).particles for kind in kinds]
    assert len(points_of(*clouds)) == 9 + 9 + 9 + 8


def test_the_target_is_another_sample_than_the_source():
    points = held_out("ring", "ring", 50)
    assert len(points_of(points.particles, points.target)) == 100


def test_held_out_points_are_drawn_from_the_named_clouds():
    points = held_out("two_blobs", "eight_gaussians", 400)
    side = np.where(points.labels == 0, -1.2, 1.2)
    assert np.abs(points.particles[:, 0] - side).mean() == pytest.approx(0.2, abs=0.05)
    assert np.linalg.norm(points.target, axis=1).mean() == pytest.approx(1.5, abs=0.05)


def test_training_never_sees_the_held_out_points(tiny_spec, monkeypatch):
    drawn = []

    def recording(name, n, generator):
        points, labels = sample(name, n, generator)
        drawn.append(points)
        return points, labels

    monkeypatch.setattr(resviz.training, "sample", recording)
    # The same cloud at both ends, and as many particles as a batch has: the hardest case.
    spec = replace(tiny_spec, source="ring", target="ring", particles=16)
    result = run(spec)
    seen = points_of(*drawn)
    # Fresh points for each step, and one more batch to look at the last one with.
    assert len(seen) == 2 * (spec.steps + 1) * spec.batch
    assert not seen & points_of(result.tracks[0], result.target)


@pytest.mark.parametrize(
    ("source", "classes"), [("gaussian", None), ("two_blobs", 2), ("moons", 2)]
)
def test_labels_are_the_sources_classes(tiny_spec, source, classes):
    labels = run(replace(tiny_spec, source=source, steps=1)).labels
    assert labels is None if classes is None else set(labels) == set(range(classes))


@pytest.mark.parametrize("depth", [1, 2])
def test_the_smallest_runs(depth):
    result = run(RunSpec(depth=depth, width=2, steps=1, particles=2, batch=2))
    assert result.tracks.shape == (depth + 1, 2, 2)
    assert [record.step for record in result.history] == [0, 1]
    assert result.scores.gap.shape == (depth + 1,)


@pytest.mark.parametrize(
    "change",
    [
        {"network": "plain", "width": 4},
        *({"loss": loss} for loss in LOSSES),
        {"target": "text:OT"},
        {"task": "classify", "source": "moons"},
        {"task": "classify", "source": "twenty_five_gaussians", "network": "plain", "width": 4},
    ],
    ids=lambda change: "-".join(map(str, change.values())),
)
def test_the_smallest_runs_of_every_kind(change):
    result = run(replace(RunSpec(depth=2, width=2, steps=2, particles=2, batch=2), **change))
    assert result.complete
    assert np.isfinite(result.tracks).all()
    assert json.dumps(result.summary(), allow_nan=False)


@pytest.mark.parametrize(
    "change",
    [{}, {"network": "plain"}, {"task": "classify", "source": "moons", "activation": "relu"}],
    ids=["residual", "plain", "classify"],
)
def test_a_run_that_diverges_is_returned_with_finite_tracks(change):
    network = {"depth": 3, "width": 4, "step_size": "1", "start": "random"} | change
    result = run(RunSpec(**network, learning_rate=10.0, steps=40, particles=30, batch=16))
    assert result.state.diverged == result.state.step + 1
    assert not result.complete
    for array in (result.tracks, result.geodesic):
        assert np.isfinite(array).all()
    # The course ends at the last step that was taken.
    steps = [record.step for record in result.history]
    assert steps == sorted(set(steps))
    assert steps[-1] == result.state.step
    assert result.summary()["diverged"] == result.state.diverged


def test_writing_into_a_result_does_not_reach_the_next_run(tiny_spec):
    spec = replace(tiny_spec, particles=31)  # a number that no other test looks at
    first = run(spec)
    before = first.target.copy(), first.labels.copy(), first.tracks.copy()
    for array in (first.target, first.labels, first.tracks):
        with contextlib.suppress(ValueError):  # arrays that refuse to be written will do
            array[:] = 0
    second = run(spec)
    for array, expected in zip((second.target, second.labels, second.tracks), before, strict=True):
        np.testing.assert_array_equal(array, expected)


def fresh_python(code):
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return finished.stdout.split()


def test_the_package_itself_loads_nothing_heavy():
    loaded = fresh_python("import sys, resviz; resviz.RunSpec; resviz.Run; print(*sys.modules)")
    assert {"resviz.spec", "resviz.records"} <= set(loaded)
    assert not {"torch", "ot", "sklearn", "scipy", "plotly", "streamlit"} & set(loaded)


def test_run_is_there_for_the_asking():
    import resviz
    from resviz import RunSpec as Named
    from resviz import run as named

    assert named is run
    assert Named is RunSpec
    assert all(hasattr(resviz, name) for name in resviz.__all__)
    with pytest.raises(AttributeError, match="'walk'"):
        resviz.walk  # noqa: B018


def test_scores_taken_in_pieces_are_those_taken_at_once(tiny_spec, tiny_run):
    state, taken, pieces = tiny_run.state, Measures(), 0
    while len(taken.layers) < tiny_spec.depth:
        taken = measure(tiny_spec, state, taken, seconds=0.0)
        pieces += 1
    assert pieces == FLOOR_PAIRS + tiny_spec.depth
    again = finish(tiny_spec, state, tiny_run.history, taken)
    assert json.dumps(again.summary()) == json.dumps(tiny_run.summary())


def test_a_run_stopped_between_two_records_ends_its_course_where_it_stopped(tiny_spec):
    spec = replace(tiny_spec, steps=1000)
    state = advance(spec, initial_state(spec), 7)
    stopped = finish(spec, state, (look(spec, initial_state(spec)).record(initial_state(spec)),))
    assert stopped.history[-1].step == 7
    assert stopped.history[-1].loss == state.loss
