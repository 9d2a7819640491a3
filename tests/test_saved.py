"""A run's file from outside: it is the run that was saved, or one sentence says what is wrong."""

import io
import json
import os
import re
import struct
import threading
import tracemalloc
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_records import assert_equal_runs, class_run

from resviz import presets, saved
from resviz.records import Run

__all__ = ["class_run"]  # a fixture

NOT_OURS = re.compile(r"pickle|max_header|Traceback|Errno|\n|__|object at|Expecting|codec")


@pytest.fixture(scope="module")
def runs(tiny_run, class_run) -> dict[str, Run]:
    return {"match": tiny_run, "classify": class_run}


def refusal(path) -> str:
    """Why a file is no run, in words of ours."""
    with pytest.raises(ValueError, match="is not a saved run") as caught:
        Run.load(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: is not a saved run (")
    assert not NOT_OURS.search(told.replace(str(path), ""))
    assert len(told) < len(str(path)) + 400
    return told


def members_of(run: Run) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(run.to_npz())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def as_member(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def written(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def with_array(path, run: Run, name: str, change: Callable[[np.ndarray], np.ndarray]):
    """A file of the run in which one array is another one."""
    members = members_of(run)
    array = np.load(io.BytesIO(members[f"{name}.npy"]))
    return written(path, members | {f"{name}.npy": as_member(change(array))})


def with_json(path, run: Run, name: str, change: Callable[[dict], object]):
    """A file of the run in which one text is another one; `change` works in place."""
    members = members_of(run)
    plain = json.loads(str(np.load(io.BytesIO(members[f"{name}.npy"]))))
    change(plain)
    return written(path, members | {f"{name}.npy": as_member(np.array(json.dumps(plain)))})


def changed(array: np.ndarray, value: float) -> np.ndarray:
    """The same with another last value."""
    array = array.copy()
    array.flat[-1] = value
    return array


# ---- other files


@pytest.mark.parametrize(
    "data",
    [
        b"step,loss\n1,0.5\n",
        b"",
        b"PK\x03\x04 and no more",
        as_member(np.zeros((3, 2))),
        b"PK\x05\x06" + b"\xff" * 18,
        b"\x80\x04}\x94.",  # a pickle
    ],
)
def test_a_file_of_something_else_is_named(data, tmp_path):
    (tmp_path / "other.npz").write_bytes(data)
    assert "it is no NumPy archive, or was cut off" in refusal(tmp_path / "other.npz")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        Run.load(tmp_path / "nowhere.npz")


def test_an_endless_file_is_not_read_to_its_end(tmp_path, monkeypatch, tiny_run):
    monkeypatch.setattr(saved, "MOST_BYTES", 1 << 20)
    path = tmp_path / "long.npz"
    path.write_bytes(tiny_run.to_npz() + b"\0" * (1 << 20))
    assert "it is larger than 1 MB" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes that have a name")
def test_a_run_comes_through_a_pipe(tiny_run, tmp_path):
    path = tmp_path / "pipe.npz"
    os.mkfifo(path)
    writer = threading.Thread(target=tiny_run.save, args=(path,))
    writer.start()
    assert_equal_runs(Run.load(path), tiny_run)
    writer.join()


@pytest.mark.parametrize("name", sorted(set(presets.files().values())))
def test_the_presets_files_are_runs(name):
    assert Run.load(presets.ASSETS / name).plan.shape == (400,)


# ---- members


@pytest.mark.parametrize("kind", ["match", "classify"])
def test_every_part_is_needed(kind, runs, tmp_path):
    members = members_of(runs[kind])
    for name in members:
        rest = {other: data for other, data in members.items() if other != name}
        told = refusal(written(tmp_path / "other.npz", rest))
        assert f"({name.removesuffix('.npy')}: is missing)" in told


@pytest.mark.parametrize("kind", ["match", "classify"])
def test_no_part_may_be_of_another_type_or_shape(kind, runs, tmp_path):
    path, names = tmp_path / "other.npz", members_of(runs[kind])
    for name in (name.removesuffix(".npy") for name in names):
        for change in (
            lambda array: np.array(3.5),
            lambda array: array[None],
            lambda array: np.zeros((7, 7, 7), array.dtype),
            lambda array: np.zeros(array.shape, "c16"),
            lambda array: np.zeros(array.shape, "M8[s]"),
            lambda array: np.zeros(array.shape, [("x", "f4")]),
            lambda array: np.zeros(array.shape, "S8"),
        ):
            assert f"({name}: " in refusal(with_array(path, runs[kind], name, change))


def test_no_part_may_hold_objects(tiny_run, tmp_path):
    members = members_of(tiny_run)
    for name in members:
        objects = as_member(np.array([{}, None], object), allow_pickle=True)
        told = refusal(written(tmp_path / "other.npz", members | {name: objects}))
        assert f"({name.removesuffix('.npy')}: " in told


def test_other_byte_orders_and_layouts_are_the_same_run(tiny_run, tmp_path):
    members = members_of(tiny_run)
    for name in ("tracks.npy", "labels.npy", "parameters.npy"):
        array = np.load(io.BytesIO(members[name]))
        members[name] = as_member(np.asfortranarray(array.astype(array.dtype.newbyteorder(">"))))
    assert_equal_runs(Run.load(written(tmp_path / "other.npz", members)), tiny_run)


def test_an_encrypted_part_is_named(tiny_run, tmp_path):
    path = tmp_path / "other.npz"
    data = bytearray(tiny_run.to_npz())
    place = data.index(b"PK\x01\x02")  # the first entry of the directory
    data[place + 8] |= 1
    path.write_bytes(data)
    assert "(tracks: is encrypted; allowed is what anyone can read)" in refusal(path)


def header(told: dict) -> bytes:
    text = repr(told).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("shape", [(2**40, 2), (2**62,), (10**30,), (-1, 3), (4, 30, 2.0), ()])
def test_no_memory_is_asked_for_what_a_file_claims(shape, tiny_run, tmp_path):
    members = members_of(tiny_run)
    for name in members:
        kind = "<U1000000000" if name in ("spec.npy", "record.npy") else "<f4"
        claim = header({"descr": kind, "fortran_order": False, "shape": shape})
        path = written(tmp_path / "other.npz", members | {name: claim})
        tracemalloc.start()
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 * (saved.MOST_BYTES + saved.MOST_TEXT)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00\x10\x00",
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
        header({"descr": "|O", "fortran_order": False, "shape": (4, 30, 2)}),
        header({"descr": "no type", "fortran_order": False, "shape": (4, 30, 2)}),
        header({"shape": (4, 30, 2)}),
    ],
)
def test_a_part_without_a_good_head_is_damaged(head, tiny_run, tmp_path):
    path = written(tmp_path / "other.npz", members_of(tiny_run) | {"tracks.npy": head})
    assert "(tracks: " in refusal(path)


def test_a_part_that_goes_on_or_ends_early_is_damaged(tiny_run, tmp_path):
    members, path = members_of(tiny_run), tmp_path / "other.npz"
    tracks = members["tracks.npy"]
    assert "longer" in refusal(written(path, members | {"tracks.npy": tracks + b"\0" * 8}))
    assert "tracks: is dam" in refusal(written(path, members | {"tracks.npy": tracks[:-1]}))


# ---- numbers


@pytest.mark.parametrize(
    "name",
    ["tracks", "geodesic", "target", "map_errors", "parameters", "first_moment", "second_moment",
     "course_parameters"],
)  # fmt: skip
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_must_be_finite_is(name, value, tiny_run, tmp_path):
    path = with_array(tmp_path / "x.npz", tiny_run, name, lambda array: changed(array, value))
    assert f"({name}: holds numbers that are not finite" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        ("match", "map_errors", -0.1, "holds -0.1; allowed is 0 or more"),
        ("match", "second_moment", -1, "holds -1; allowed is 0 or more"),
        ("match", "line_shapes", 0.5, "holds 0.5; allowed is 0.999999 or more"),
        ("match", "line_shapes", -np.inf, "allowed is 0.999999 or more"),
        ("match", "course_plans", -1, "holds what is no order; allowed is each of 0 to 29"),
        ("match", "course_plans", 30, "holds what is no order"),
        ("match", "labels", 2, "holds other classes; allowed are 0 to 1"),
        ("match", "labels", -1, "holds other classes"),
        ("classify", "regions", 2, "holds other classes; allowed are 0 to 1"),
        ("match", "tracks", 9, "does not lead from the tracks' beginning to their end"),
        ("match", "geodesic", 9, "does not lead from the tracks' beginning to their end"),
    ],
)
def test_numbers_are_in_their_range(kind, name, value, said, runs, tmp_path):
    path = with_array(tmp_path / "x.npz", runs[kind], name, lambda array: changed(array, value))
    assert said in refusal(path)


def test_a_plan_takes_each_particle_once(tiny_run, tmp_path):
    path = with_array(tmp_path / "x.npz", tiny_run, "course_plans", np.zeros_like)
    assert "course_plans: holds what is no order" in refusal(path)


def test_line_shapes_may_be_undefined(tiny_run, tmp_path):
    for value in (np.nan, np.inf):
        change = lambda array, value=value: changed(array, value)  # noqa: E731
        path = with_array(tmp_path / "x.npz", tiny_run, "line_shapes", change)
        np.testing.assert_equal(Run.load(path).line_shapes[-1], value)


# ---- texts


def put(*keys, value):
    def change(plain):
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("match", put("step", value=-1), "step: -1 is not allowed; allowed is a whole number"),
        ("match", put("step", value=11), "step: 11 is not allowed; allowed is a whole number from"),
        ("match", put("step", value=True), "step: True is not allowed"),
        ("match", put("step", value=2.5), "step: 2.5 is not allowed"),
        ("match", put("loss", value="low"), "loss: 'low' is not allowed; allowed is a number"),
        ("match", put("loss", value=10**400), "loss: 10000"),
        ("match", put("loss", value=None), "loss: None is not allowed"),
        ("match", put("diverged", value="yes"), "diverged: 'yes' is not allowed"),
        ("match", put("diverged", value=3), "diverged: 3 is not the step after 10"),
        ("match", put("scores", value=[]), "scores: is a list"),
        ("match", put("scores", value=None), "scores: is None"),
        ("match", put("scores", "lss", value=1.0), "scores: 'lss' is no score"),
        ("match", put("history", 3, 2, "lss", value=1.0), "scores: 'lss' is no score"),
        ("match", put("scores", "action", value=None), "scores: action is missing"),
        ("match", put("scores", "gap", value=None), "scores: gap is not a list of 4 values"),
        ("match", put("scores", "pace", value=[1.0] * 4), "pace is not a list of 3 values"),
        ("match", put("scores", "action", value="1"), "scores: action: '1' is not allowed"),
        ("match", put("scores", "action", value=[1.0]), "scores: action has 1 values"),
        ("match", put("scores", "gap", value=[0.0, "1", 0.0]), "scores: gap: '1' is not allowed"),
        ("match", put("scores", "match_rate", value=-0.5), "scores: match_rate is -0.5"),
        ("match", put("scores", "optimal_transport", value=2), "optimal_transport is 2; allowed"),
        ("match", put("class_scores", value={}), "class_scores: are given beside task 'match'"),
        ("match", put("regions_half", value=2.5), "regions_half: 2.5 beside task 'match'"),
        ("classify", put("regions_half", value=-2.5), "regions_half: -2.5 is not allowed"),
        ("classify", put("regions_half", value=None), "regions_half: None beside task 'classify'"),
        ("classify", put("class_scores", value=None), "class_scores: is None"),
        ("classify", put("scores", "accuracy", value=None), "accuracy and majority are missing"),
        ("match", put("history", value=[]), "history: is not a list of one point or more"),
        ("match", put("history", value={}), "history: is not a list"),
        ("match", put("history", 0, value=[0, 1.0]), "history: a point is not [step, loss"),
        ("match", put("history", 0, 0, value=5), "history: step 1 comes after 5"),
        ("match", put("history", 0, 0, value=-3), "history: step: -3 is not allowed"),
        ("match", put("history", 2, 1, value={}), "history: loss: an object is not allowed"),
        ("match", put("history", 2, 2, value=7), "history: scores: is 7; allowed is an object"),
        ("match", lambda plain: plain["history"].pop(), "course_parameters: shape (11, "),
        ("match", lambda plain: plain["scores"].pop("pace"), "scores: pace is not a list"),
        ("match", lambda plain: plain["scores"].pop("action"), "scores: action is missing"),
        *(
            ("classify", lambda plain, name=name: plain.pop(name), f"record: {name} is missing")
            for name in ("class_scores", "scores", "history", "step", "loss", "diverged")
        ),
    ],
)
def test_the_record_is_that_of_a_run(kind, change, said, runs, tmp_path):
    assert said in refusal(with_json(tmp_path / "x.npz", runs[kind], "record", change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("depth", value=4), "scores: speed has 3 values; allowed are 4, one a layer, or 5"),
        (put("depth", value=[3]), "spec: depth is a list; allowed is one value"),
        (put("particles", value=31), "tracks: shape (4, 30, 2) is not allowed; allowed is (4, 31"),
        (put("width", value=6), "course_parameters: shape"),
        (put("task", value="classify"), "regions_half: None beside task 'classify'"),
        (put("source", value="gaussian"), "labels: holds other classes; allowed are 0 to 0"),
        (put("depth", value="three"), "spec: depth: 'three'"),
        (put("depth", value=-3), "spec: depth: -3 is not allowed"),
        (put("seed", value=10**400), "spec: seed: "),
        (put("wings", value=2), "spec: 'wings' is no setting; known are"),
        (lambda plain: plain.update(network="plain", width=2), "mirrored pairs"),
    ],
)
def test_the_spec_is_one_and_the_arrays_are_its_own(change, said, tiny_run, tmp_path):
    assert said in refusal(with_json(tmp_path / "x.npz", tiny_run, "spec", change))


@pytest.mark.parametrize("name", ["spec", "record"])
@pytest.mark.parametrize(
    "text",
    ["so it goes", "", "[1, 2]", "3", "null", "{}", "[" * 100_000, '{"a":' * 50_000, '"\ud800"',
     "9" * 5000, '{"step": 1, "step": 2}'],
)  # fmt: skip
def test_a_text_is_a_json_object(name, text, tiny_run, tmp_path):
    members = members_of(tiny_run) | {f"{name}.npy": as_member(np.array(text))}
    if name == "spec" and text == "{}":  # the usual settings, which are not this run's
        name = "scores"
    assert f"({name}: " in refusal(written(tmp_path / "x.npz", members))


def test_scores_that_were_not_measured_yet_are_none(tiny_run, tmp_path):
    """A file of before a score was there is a run all the same."""

    def change(plain):
        for scores in (plain["scores"], *(point[2] for point in plain["history"])):
            del scores["exact_gap"], scores["fit_floor"]

    run = Run.load(with_json(tmp_path / "x.npz", tiny_run, "record", change))
    assert run.scores.exact_gap is run.scores.fit_floor is None


# ---- any damage


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(
    cuts=st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=12), st.integers(0, 12)),
        min_size=1,
        max_size=3,
    ),
    near_the_end=st.booleans(),
)
def test_whatever_happens_to_its_bytes(cuts, near_the_end, tiny_run, tmp_path):
    """Bytes put in, taken out or changed, anywhere or in the archive's directory."""
    whole, path = tiny_run.to_npz(), tmp_path / "x.npz"
    data = bytearray(whole)
    first = whole.index(b"PK\x01\x02") if near_the_end else 0
    for where, put_in, taken in cuts:
        place = first + int(where * (len(data) - first))
        data[place : place + taken] = put_in
    path.write_bytes(data)
    try:
        run = Run.load(path)
    except ValueError:
        refusal(path)
    else:
        assert_equal_runs(run, tiny_run)
