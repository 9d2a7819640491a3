"""Finished runs as files and as JSON: nothing is lost, and nothing else is taken for one."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from resviz.records import STATE_ARRAYS, Record, Regions, Run, Scores
from resviz.spec import RunSpec

ARRAYS = ("tracks", "geodesic", "line_shapes", "map_errors")
MAYBE_NONE = ("target", "labels")


@pytest.fixture(scope="module")
def class_run() -> Run:
    from resviz.pipeline import run

    shape = {"depth": 3, "width": 4, "steps": 10, "particles": 30, "batch": 16}
    return run(RunSpec(task="classify", source="text:OT", **shape))


@pytest.fixture(scope="module")
def gaussian_run() -> Run:
    from resviz.pipeline import run

    shape = {"depth": 2, "width": 4, "steps": 2, "particles": 9, "batch": 16}
    return run(RunSpec(source="gaussian", target="anisotropic_gaussian", **shape))


@pytest.fixture(params=["tiny_run", "class_run", "gaussian_run"])
def any_run(request) -> Run:
    return request.getfixturevalue(request.param)


def assert_equal_runs(run, other):
    for name in (*ARRAYS, *MAYBE_NONE):
        array, expected = getattr(run, name), getattr(other, name)
        assert (array is None) == (expected is None), name
        if array is not None:
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected, err_msg=name)
    for name in STATE_ARRAYS:
        np.testing.assert_array_equal(getattr(run.state, name), getattr(other.state, name))
    assert run.spec == other.spec
    assert (run.state.step, run.state.diverged) == (other.state.step, other.state.diverged)
    # These know that NaN is NaN.
    np.testing.assert_equal(run.state.loss, other.state.loss)
    for name in ("scores", "class_scores", "regions"):
        part, expected = getattr(run, name), getattr(other, name)
        assert type(part) is type(expected)
        np.testing.assert_equal(part and asdict(part), expected and asdict(expected))
    np.testing.assert_equal([asdict(r) for r in run.history], [asdict(r) for r in other.history])


def saved_and_loaded(run, folder):
    run.save(folder / "run.npz")
    return Run.load(folder / "run.npz")


def strict(summary):
    return json.loads(json.dumps(summary, allow_nan=False))


def test_a_saved_run_comes_back_whole(any_run, tmp_path):
    loaded = saved_and_loaded(any_run, tmp_path)
    assert_equal_runs(loaded, any_run)
    assert loaded.summary() == any_run.summary()


def test_each_kind_of_run_holds_what_the_others_do_not(tiny_run, class_run, gaussian_run):
    """So that the three together show every part of a run to the tests that save and load."""
    assert tiny_run.labels is not None
    assert tiny_run.target is not None
    assert class_run.target is None
    assert class_run.scores.fit is None
    assert isinstance(class_run.class_scores, Scores)
    assert class_run.history[-1].class_scores == class_run.class_scores
    assert isinstance(class_run.regions, Regions)
    assert gaussian_run.labels is None
    assert gaussian_run.scores.exact_gap.shape == (3,)
    for run in (tiny_run, gaussian_run):
        assert run.class_scores is run.history[-1].class_scores is run.regions is None


def test_what_each_particle_scored_keeps_its_kind(any_run, tmp_path):
    shapes = any_run.line_shapes.copy()
    shapes[:3] = np.nan, np.inf, 1.0
    loaded = saved_and_loaded(replace(any_run, line_shapes=shapes), tmp_path)
    np.testing.assert_array_equal(loaded.line_shapes, shapes)
    assert loaded.line_shapes.dtype == loaded.map_errors.dtype == np.float64


def test_regions_come_back_as_they_are(class_run, tmp_path):
    regions = Regions(half=2.5, classes=np.arange(24, dtype=np.int8).reshape(4, 2, 3) % 2)
    loaded = saved_and_loaded(replace(class_run, regions=regions), tmp_path).regions
    assert loaded.half == 2.5
    assert loaded.classes.dtype == np.int8
    np.testing.assert_array_equal(loaded.classes, regions.classes)


def test_the_path_may_be_text(tiny_run, tmp_path):
    path = str(tmp_path / "run.npz")
    tiny_run.save(path)
    assert_equal_runs(Run.load(path), tiny_run)


def test_undefined_and_missing_scores_come_back(tiny_run, tmp_path):
    gap = np.array([0.0, np.nan, np.inf, 0.0])
    scores = replace(
        tiny_run.scores,
        optimal_transport=np.nan,
        line_shape=np.inf,
        gap=gap,
        pace=gap[1:],
        fit=None,
    )
    history = (replace(tiny_run.history[0], loss=np.nan), *tiny_run.history[1:])
    run = replace(tiny_run, scores=scores, history=history)
    assert_equal_runs(saved_and_loaded(run, tmp_path), run)


def test_a_run_that_diverged_comes_back(tiny_run, tmp_path):
    run = replace(tiny_run, state=replace(tiny_run.state, step=4, diverged=5))
    loaded = saved_and_loaded(run, tmp_path)
    assert_equal_runs(loaded, run)
    assert not loaded.complete


def test_a_loaded_run_can_be_trained_and_scored_further(tiny_run, tmp_path):
    loaded = saved_and_loaded(tiny_run, tmp_path)
    for array in (loaded.tracks, loaded.state.parameters, loaded.target):
        assert array.flags.writeable
    assert isinstance(loaded.scores, Scores)
    assert all(isinstance(record, Record) for record in loaded.history)


def test_the_summary_is_strict_json(any_run):
    summary = any_run.summary()
    assert strict(summary) == summary  # no tuple, no array, no number of numpy's


def test_the_summary_tells_a_classification(class_run):
    summary = strict(class_run.summary())
    assert RunSpec.from_query(summary["link"]) == class_run.spec
    assert summary["scores"]["accuracy"] == class_run.scores.accuracy
    assert summary["scores"]["fit"] is None
    told = summary["class_scores"]["optimal_transport"]
    assert told == class_run.class_scores.optimal_transport
    assert summary["history"][-1]["class_scores"] == summary["class_scores"]


def test_the_summary_of_a_match_has_no_classes_to_tell(tiny_run):
    summary = strict(tiny_run.summary())
    assert summary["class_scores"] is None
    assert {record["class_scores"] for record in summary["history"]} == {None}


def test_the_summary_tells_the_run(tiny_run):
    summary = strict(tiny_run.summary())
    assert RunSpec(**summary["spec"]) == RunSpec.from_query(summary["link"]) == tiny_run.spec
    assert (summary["step"], summary["diverged"]) == (10, None)
    assert summary["scores"]["optimal_transport"] == tiny_run.scores.optimal_transport
    assert summary["scores"]["gap"] == tiny_run.scores.gap.tolist()
    assert [record["step"] for record in summary["history"]] == list(range(11))


def test_the_summary_has_none_where_numbers_are_undefined(tiny_run):
    gap = np.array([0.0, np.nan, np.inf, 0.0])
    scores = replace(tiny_run.scores, optimal_transport=np.nan, line_shape=np.inf, gap=gap)
    history = (replace(tiny_run.history[0], loss=np.nan, scores=scores),)
    summary = strict(replace(tiny_run, scores=scores, history=history).summary())
    for told in (summary["scores"], summary["history"][0]["scores"]):
        assert told["optimal_transport"] is None
        assert told["line_shape"] is None
        assert told["gap"] == [0.0, None, None, 0.0]
    assert summary["history"][0]["loss"] is None


def test_an_untrained_networks_loss_is_none(tiny_run):
    assert np.isnan(tiny_run.history[0].loss)
    assert tiny_run.summary()["history"][0]["loss"] is None
