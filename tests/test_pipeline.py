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
from resviz.distributions import sample
from resviz.networks import tracks
from resviz.pipeline import RECORDS, finish, held_out, look, measure, record_steps, run
from resviz.records import Measures
from resviz.scores import FLOOR_PAIRS, fit_floor, score
from resviz.spec import RunSpec
from resviz.training import advance, initial_state
from resviz.transport import displacement_interpolation, optimal_plan

ROOT = Path(__file__).parents[1]


def points_of(*clouds):
    """The clouds' points as a set, to be looked up exactly."""
    return {tuple(point) for cloud in clouds for point in cloud.astype(np.float32).tolist()}


def test_the_same_spec_gives_the_same_run_to_the_last_bit(tiny_spec, tiny_run):
    held_out.cache_clear()
    again = run(RunSpec.from_query(tiny_spec.to_query()))
    for name in ("tracks", "geodesic", "target", "labels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tiny_run, name), name)
    np.testing.assert_array_equal(again.state.parameters, tiny_run.state.parameters)
    assert again.summary() == tiny_run.summary()


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


def test_the_course_is_recorded_from_the_first_step_to_the_last(tiny_spec, tiny_run):
    assert tuple(record.step for record in tiny_run.history) == record_steps(tiny_spec)
    last = tiny_run.history[-1]
    assert last.loss == tiny_run.state.loss
    assert last.scores.gap is None
    assert last.scores.fit == tiny_run.scores.fit
    assert last.scores.action_ratio == tiny_run.scores.action_ratio
    assert tiny_run.complete


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


def test_a_run_that_diverges_is_returned_with_finite_tracks():
    network = {"depth": 3, "width": 4, "step_size": "1", "start": "random"}
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
    loaded = fresh_python("import sys, resviz; print(*sys.modules)")
    assert "resviz.spec" in loaded
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
