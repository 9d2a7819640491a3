"""A run's file: a zip of arrays and two JSON texts, and what must be true of one from outside.

Nothing that a file claims is believed before it is held against its spec: how large an array is
stands before its data, so that no more memory is asked for than the spec's run takes.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from resviz.shapes import block_shapes
from resviz.spec import RunSpec, class_count

MOST_BYTES = 64 << 20  # of a file; the largest run that a spec allows takes a few megabytes
MOST_TEXT = 64 << 20  # bytes of a JSON text, four a character
MOST_RECORDS = 10_000  # points of a course
MOST_CELLS = 1_000  # along each side of a decision's picture
TEXTS = ("spec", "record")
# Shares, where they are defined.
SHARES = (
    *("match_rate", "monotonicity", "optimal_transport", "accuracy", "majority"),
    *("jacobian_asymmetry", "jacobian_indefinite"),
)
# The last scores of every run, a list each: of so many values over the number of layers.
LAYERS = {"gap": 1, "gap_any_pace": 1, "speed": 0, "pace": 0}
RECORD = ("step", "loss", "diverged", "scores", "class_scores", "regions_half", "history")
MOST_WHOLE = 2**53  # a whole number in the place of a float
ROUNDING = 1e-6


@dataclass(frozen=True)
class Saved:
    """What a file holds, all of it checked against the spec."""

    spec: RunSpec
    record: Mapping[str, Any]  # as `Run.save` says
    arrays: Mapping[str, np.ndarray | None]  # None where there is none


def pack(spec: Mapping[str, Any], record: Mapping[str, Any], **arrays: np.ndarray) -> bytes:
    """The file's bytes."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays, spec=json.dumps(spec), record=json.dumps(record))
    return file.getvalue()


def unpack(path: Path) -> Saved:
    """What `pack` made. Raises `ValueError`, one sentence, for all else; `OSError` for no file."""
    with path.open("rb") as file:  # which may be a pipe, or without an end
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise _refusal(path, f"it is larger than {MOST_BYTES >> 20} MB")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception:  # whatever a parser says of bytes from outside, it means this
        raise _refusal(path, "it is no NumPy archive, or was cut off") from None
    with archive:
        try:
            return _checked(_Members(archive))
        except ValueError as reason:
            raise _refusal(path, str(reason)) from None


def _refusal(path: Path, why: str) -> ValueError:
    return ValueError(f"{path}: is not a saved run ({why})")


class _Members:
    """The arrays of an archive, each read only when its type and shape are known to be right."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist()}

    def text(self, name: str) -> Any:
        """A JSON text's value."""

        def check(dtype: np.dtype, shape: tuple[int, ...]) -> None:
            if dtype.kind != "U" or shape or dtype.itemsize > MOST_TEXT:
                raise ValueError(f"{name}: {dtype} of shape {shape}; allowed is one text")

        text = str(self._read(name, check))
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{name}: {text[:40]!r} is not allowed; allowed is JSON") from None

    def array(self, name: str, dtype: str, *shapes: tuple[int | range, ...]) -> np.ndarray | None:
        """An array of one of the shapes, each side a number or a range; None if it is empty."""

        def check(own: np.dtype, shape: tuple[int, ...]) -> None:
            if own.newbyteorder("=") != np.dtype(dtype):
                raise ValueError(f"{name}: holds {own}; allowed is {np.dtype(dtype)}")
            if not any(_fits(shape, allowed) for allowed in shapes):
                told = " or ".join(map(_told, shapes))
                raise ValueError(f"{name}: shape {shape} is not allowed; allowed is {told}")

        array = self._read(name, check)
        return array.astype(dtype, copy=False) if array.size else None

    def _read(self, name: str, check: Callable[[np.dtype, tuple[int, ...]], None]) -> np.ndarray:
        info = self._infos.get(f"{name}.npy")
        if info is None:
            raise ValueError(f"{name}: is missing")
        if info.flag_bits & 1:
            raise ValueError(f"{name}: is encrypted; allowed is what anyone can read")
        try:
            with self._archive.open(info) as file:
                check_now = _header(file)
        except Exception:
            raise ValueError(f"{name}: is damaged") from None
        check(*check_now)
        try:
            with self._archive.open(info) as file:
                array = npy.read_array(file, allow_pickle=False)
                whole = not file.read(1)  # at its end the sum over all bytes is compared
        except Exception:
            raise ValueError(f"{name}: is damaged") from None
        if not whole:
            raise ValueError(f"{name}: is longer than it says")
        return np.asarray(array, order="C")


def _header(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = readers[npy.read_magic(file)](file)
    return dtype, shape


def _fits(shape: tuple[int, ...], allowed: tuple[int | range, ...]) -> bool:
    return len(shape) == len(allowed) and all(
        side in one if isinstance(one, range) else side == one
        for side, one in zip(shape, allowed, strict=True)
    )


def _told(allowed: tuple[int | range, ...]) -> str:
    sides = (f"{s.start} to {s.stop - 1}" if isinstance(s, range) else str(s) for s in allowed)
    return f"({', '.join(sides)}{',' if len(allowed) == 1 else ''})"


def _checked(members: _Members) -> Saved:
    spec = _spec(members.text("spec"))
    record = _record(spec, members.text("record"))
    records = len(record["history"])
    layers, n, classes = spec.depth + 1, spec.particles, class_count(spec.source)
    size = sum(math.prod(shape) for shape in block_shapes(spec).values())
    classify = spec.task == "classify"
    cells = range(1, MOST_CELLS + 1)
    found = {
        "tracks": members.array("tracks", "f4", (layers, n, 2)),
        "geodesic": members.array("geodesic", "f4", (layers, n, 2)),
        "target": members.array("target", "f4", (0, 2) if classify else (n, 2)),
        "labels": members.array("labels", "i8", *(((n,),) if classify else ((n,), (0,)))),
        "regions": members.array(
            "regions", "i1", *(((layers, cells, cells),) if classify else ((0,),))
        ),
        "line_shapes": members.array("line_shapes", "f8", (n,)),
        "map_errors": members.array("map_errors", "f8", (n,)),
        "course_parameters": members.array("course_parameters", "f4", (records, size)),
        "course_plans": members.array("course_plans", "i2", (records, n)),
        **{
            name: members.array(name, "f4", (size,))
            for name in ("parameters", "first_moment", "second_moment")
        },
    }
    for name in found.keys() - {"line_shapes"}:
        if found[name] is not None and not np.isfinite(found[name]).all():
            raise ValueError(f"{name}: holds numbers that are not finite; allowed are finite ones")
    _least("line_shapes", np.nan_to_num(found["line_shapes"], nan=1.0), 1 - ROUNDING)
    _least("map_errors", found["map_errors"], 0)
    _least("second_moment", found["second_moment"], 0)
    for name, most in (("labels", max(classes, 1)), ("regions", spec.classes)):
        if found[name] is not None and not _between(found[name], 0, most - 1):
            raise ValueError(f"{name}: holds other classes; allowed are 0 to {most - 1}")
    if (np.sort(found["course_plans"], axis=1) != np.arange(n)).any():
        raise ValueError(f"course_plans: holds what is no order; allowed is each of 0 to {n - 1}")
    _joined(found)
    return Saved(spec, record, found)


def _joined(found: Mapping[str, np.ndarray | None]) -> None:
    """The geodesic begins where the particles do, and ends where the plan says."""
    tracks, geodesic = found["tracks"], found["geodesic"]
    near = {"rtol": ROUNDING, "atol": ROUNDING * float(np.abs(tracks).max())}
    ends = tracks[-1][found["course_plans"][-1]]
    if not np.allclose(geodesic[0], tracks[0], **near) or not np.allclose(
        geodesic[-1], ends, **near
    ):
        raise ValueError("geodesic: does not lead from the tracks' beginning to their end")


def _least(name: str, array: np.ndarray, least: float) -> None:
    if array.min() < least:
        raise ValueError(f"{name}: holds {array.min():g}; allowed is {least:g} or more")


def _between(array: np.ndarray, least: int, most: int) -> bool:
    return least <= array.min() and array.max() <= most


def _spec(plain: Any) -> RunSpec:
    if not isinstance(plain, dict):
        raise ValueError(f"spec: is {_brief(plain)}; allowed is an object of settings")
    for name, value in plain.items():
        if isinstance(value, list | dict):
            raise ValueError(f"spec: {name[:40]} is {_brief(value)}; allowed is one value")
    try:
        return RunSpec(**plain)
    except TypeError:
        known = RunSpec.__dataclass_fields__
        other = ", ".join(sorted(map(repr, plain.keys() - known.keys())))
        raise ValueError(
            f"spec: {other[:60]} is no setting; known are {', '.join(known)}"
        ) from None
    except ValueError as reason:
        raise ValueError(_shortened(f"spec: {reason}")) from None


def _shortened(text: str) -> str:
    """Without the middle of what someone made very long."""
    return text if len(text) <= 300 else f"{text[:100]}…{text[-199:]}"


def _record(spec: RunSpec, plain: Any) -> Mapping[str, Any]:
    """The JSON beside the arrays, field by field."""
    if not isinstance(plain, dict):
        raise ValueError(f"record: is {_brief(plain)}; allowed is an object")
    if missing := [name for name in RECORD if name not in plain]:
        raise ValueError(f"record: {', '.join(missing)} is missing")
    _step("step", plain["step"], spec.steps)
    _number("loss", plain["loss"])
    if plain["diverged"] is not None:
        _step("diverged", plain["diverged"], spec.steps)
        if plain["diverged"] != plain["step"] + 1:
            raise ValueError(
                f"diverged: {plain['diverged']} is not the step after {plain['step']}; allowed is "
                "that, or null"
            )
    half = plain["regions_half"]
    if (spec.task == "classify") != (half is not None):
        raise ValueError(f"regions_half: {_brief(half)} beside task {spec.task!r} is not allowed")
    if half is not None and not 0 < _number("regions_half", half) < math.inf:
        raise ValueError(f"regions_half: {_brief(half)} is not allowed; allowed is a number over 0")
    _scores("scores", plain["scores"], spec)
    for name, more in LAYERS.items():
        values = plain["scores"].get(name)
        if not isinstance(values, list) or len(values) != spec.depth + more:
            raise ValueError(f"scores: {name} is not a list of {spec.depth + more} values")
    _class_scores("class_scores", plain["class_scores"], spec)
    history = plain["history"]
    if not isinstance(history, list) or not 1 <= len(history) <= MOST_RECORDS:
        raise ValueError("history: is not a list of one point or more")
    before = -1
    for entry in history:
        if not isinstance(entry, list) or len(entry) != 4:
            raise ValueError("history: a point is not [step, loss, scores, class scores]")
        step, loss, whole, by_class = entry
        if _step("history: step", step, spec.steps) <= before:
            raise ValueError(f"history: step {step} comes after {before}; allowed is rising order")
        before = step
        _number("history: loss", loss)
        _scores("history: scores", whole, spec)
        _class_scores("history: class_scores", by_class, spec)
    return plain


def _class_scores(name: str, plain: Any, spec: RunSpec) -> None:
    if spec.task == "classify":
        _scores(name, plain, spec, of_classes=True)
    elif plain is not None:
        raise ValueError(f"{name}: are given beside task {spec.task!r}; allowed is null")


def _scores(name: str, plain: Any, spec: RunSpec, of_classes: bool = False) -> None:
    """Numbers, NaN where undefined and None where not measured; lists have one a layer."""
    if not isinstance(plain, dict):
        raise ValueError(f"{name}: is {_brief(plain)}; allowed is an object of scores")
    for key, value in plain.items():
        told = f"{name}: {str(key)[:40]}"
        if isinstance(value, list):
            if len(value) not in (spec.depth, spec.depth + 1):
                raise ValueError(
                    f"{told} has {len(value)} values; allowed are {spec.depth}, one a layer, or "
                    f"{spec.depth + 1}"
                )
            for one in value:
                _number(told, one)
        elif value is not None:
            _number(told, value)
            if key in SHARES and not math.isnan(value) and not 0 <= value <= 1 + ROUNDING:
                raise ValueError(f"{told} is {value!r}; allowed is a share from 0 to 1")
    if spec.task == "classify" and not of_classes and None in map(plain.get, SHARES[3:5]):
        raise ValueError(f"{name}: accuracy and majority are missing beside task 'classify'")


def _number(name: str, value: Any) -> float:
    """A float, or a whole number that is one."""
    if isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST_WHOLE
    ):
        return float(value)
    raise ValueError(f"{name}: {_brief(value)} is not allowed; allowed is a number")


def _step(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(
            f"{name}: {_brief(value)} is not allowed; allowed is a whole number from 0 to {most}"
        )
    return value


def _brief(value: Any) -> str:
    """A value to be told in a line: of one that holds others, what it is."""
    if isinstance(value, list | dict):
        return {list: "a list", dict: "an object"}[type(value)]
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
