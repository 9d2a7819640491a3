"""Finished runs as files and as JSON: nothing is lost, and nothing else is taken for one."""

import json
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from resviz.records import STATE_ARRAYS, Record, Run, Scores
from resviz.spec import RunSpec

ARRAYS = ("tracks", "geodesic", "target")


def assert_equal_runs(run, other):
    for name in ARRAYS:
        array, expected = getattr(run, name), getattr(other, name)
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected, err_msg=name)
    for name in STATE_ARRAYS:
        np.testing.assert_array_equal(getattr(run.state, name), getattr(other.state, name))
    np.testing.assert_array_equal(run.labels, other.labels)
    assert run.spec == other.spec
    assert (run.state.step, run.state.diverged) == (other.state.step, other.state.diverged)
    # These know that NaN is NaN.
    np.testing.assert_equal(run.state.loss, other.state.loss)
    np.testing.assert_equal(asdict(run.scores), asdict(other.scores))
    np.testing.assert_equal([asdict(r) for r in run.history], [asdict(r) for r in other.history])


def saved_and_loaded(run, folder):
    run.save(folder / "run.npz")
    return Run.load(folder / "run.npz")


def strict(summary):
    return json.loads(json.dumps(summary, allow_nan=False))


def test_a_saved_run_comes_back_whole(tiny_run, tmp_path):
    assert tiny_run.labels is not None
    loaded = saved_and_loaded(tiny_run, tmp_path)
    assert_equal_runs(loaded, tiny_run)
    assert loaded.summary() == tiny_run.summary()


def test_the_path_may_be_text(tiny_run, tmp_path):
    path = str(tmp_path / "run.npz")
    tiny_run.save(path)
    assert_equal_runs(Run.load(path), tiny_run)


def test_a_run_without_classes_comes_back_without_labels(tiny_run, tmp_path):
    loaded = saved_and_loaded(replace(tiny_run, labels=None), tmp_path)
    assert loaded.labels is None


def test_undefined_and_missing_scores_come_back(tiny_run, tmp_path):
    gap = np.array([0.0, np.nan, np.inf, 0.0])
    scores = replace(
        tiny_run.scores, optimal_transport=np.nan, line_shape=np.inf, gap=gap, fit=None
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


def test_the_summary_is_strict_json(tiny_run):
    summary = tiny_run.summary()
    assert strict(summary) == summary  # no tuple, no array, no number of numpy's


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


def write_text(path):
    path.write_text("step,loss\n1,0.5\n")


def write_nothing(path):
    path.write_bytes(b"")


def write_cut_zip(path):
    path.write_bytes(b"PK\x03\x04 and no more")


def write_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 2)))


def write_other_arrays(path):
    np.savez(path, tracks=np.zeros((3, 2)))


def write_other_json(path):
    np.savez(path, record="[1, 2]", spec="{}")


def write_no_json(path):
    np.savez(path, record="so it goes", spec="{}")


@pytest.mark.parametrize(
    "write",
    [
        write_text,
        write_nothing,
        write_cut_zip,
        write_array,
        write_other_arrays,
        write_other_json,
        write_no_json,
    ],
    ids=lambda write: write.__name__.removeprefix("write_"),
)
# NumPy's reader leaves a broken zip open until it is collected, and says so then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_is_no_run_is_named(write, tmp_path):
    path = tmp_path / "other.npz"
    write(path)
    with pytest.raises(ValueError, match=r"other\.npz: is not a saved run"):
        Run.load(path)


def test_a_run_with_a_part_missing_is_refused(tiny_run, tmp_path):
    whole, part = tmp_path / "whole.npz", tmp_path / "part.npz"
    tiny_run.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(part, "w") as copy:
        for name in source.namelist():
            if name != "geodesic.npy":
                copy.writestr(name, source.read(name))
    with pytest.raises(ValueError, match=r"part\.npz: is not a saved run.*geodesic"):
        Run.load(part)


def test_a_damaged_run_is_refused(tiny_run, tmp_path):
    path = tmp_path / "damaged.npz"
    tiny_run.save(path)
    saved = bytearray(path.read_bytes())
    saved[100:140] = b"\xff" * 40  # in the middle of the compressed tracks
    path.write_bytes(saved)
    with pytest.raises(ValueError, match=r"damaged\.npz: is not a saved run"):
        Run.load(path)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        Run.load(tmp_path / "nowhere.npz")
