"""What is taken home as numbers and words, and what every form has in common."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load
from test_pictures import texts_of_pdf

from resviz import RunSpec, words
from resviz.exports import FORMATS, Options, export, known
from resviz.exports.options import RULES
from resviz.exports.picture import picture
from resviz.exports.sheet import sheet
from resviz.exports.snippet import snippet
from resviz.exports.titles import title
from resviz.networks import predicted_classes, tracks
from resviz.parameters import Parameters
from resviz.records import Run

ROOT = Path(__file__).parents[1]
SMALL = Options(size=(320, 240), seconds=1.0, rate=10)
# What a file of each form begins with.
BEGINS = {
    ".html": b"<!doctype html>",
    ".mp4": b"\0\0\0",  # the length of the first box, "ftyp"
    ".webm": b"\x1a\x45\xdf\xa3",
    ".gif": b"GIF89a",
    ".png": b"\x89PNG\r\n\x1a\n",
    ".svg": b"<?xml",
    ".pdf": b"%PDF-",
    ".csv": b"layer,t,particle,x,y,geodesic_x,geodesic_y",
    ".npz": b"PK\x03\x04",
    ".json": b"{",
    ".py": '"""two blobs → ring, ResNet of 3 layers: effort '.encode(),
    ".safetensors": b"",
}
TWO = [ending for ending, form in FORMATS.items() if form.two]
LONG = [ending for ending, form in FORMATS.items() if form.long]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_is_written(tiny_run: Run, ending):
    assert export(ending, tiny_run, options=SMALL).startswith(BEGINS[ending])
    form = known(ending.upper())
    assert form.ending == ending
    assert form.label
    assert "/" in form.mime


@pytest.mark.parametrize("ending", TWO)
def test_a_form_for_two_holds_a_and_b(tiny_run: Run, ending):
    kept = replace(tiny_run, spec=replace(tiny_run.spec, seed=7))
    made = export(ending, tiny_run, kept, SMALL)
    assert made.startswith(BEGINS[ending])
    assert made != export(ending, tiny_run, options=SMALL)


@pytest.mark.parametrize("ending", sorted(FORMATS.keys() - set(TWO)))
def test_a_form_for_one_refuses_two(tiny_run: Run, ending):
    with pytest.raises(ValueError, match=f"kept: a {ending} holds one run; allowed with two are"):
        export(ending, tiny_run, tiny_run)


def test_an_unknown_ending_lists_the_known_ones(tiny_run: Run):
    with pytest.raises(ValueError, match=r"ending: '\.docx' is unknown; known are \.html, \.mp4"):
        export(".docx", tiny_run)


def test_a_gif_may_not_be_faster_than_browsers_show_it(tiny_run: Run):
    with pytest.raises(ValueError, match=r"rate: 60 is not allowed for a \.gif; allowed is up to"):
        export(".gif", tiny_run, options=replace(SMALL, rate=60))
    assert export(".png", tiny_run, options=replace(SMALL, rate=60))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"t": 1.1}, "t: 1.1 is not allowed; allowed is a number from 0 to 1"),
        ({"t": float("nan")}, "t: nan is not allowed"),
        ({"size": (641, 480)}, r"size: \(641, 480\) is not allowed; allowed is WIDTHxHEIGHT, each"),
        ({"size": (640, 100)}, "an even whole number from 240 to 3840"),
        ({"size": (3840, 240)}, "3840, neither over 4 times the other"),
        ({"zoom": 0.0}, "zoom: 0.0 is not allowed; allowed is auto, or a number from 0.1 to 1000"),
        ({"zoom": "wide"}, "zoom: 'wide' is not allowed; allowed is auto, or a number"),
        ({"size": "big"}, "size: 'big' is not allowed"),
        ({"seconds": 0.0}, "seconds: 0.0 is not allowed; allowed is a number from 1 to 60"),
        ({"rate": 2.5}, "rate: 2.5 is not allowed; allowed is a whole number from 5 to 60"),
        ({"colour": "red"}, "colour: 'red' is unknown; allowed is one of: usual, start, class"),
        ({"dark": 1}, "dark: 1 is not allowed; allowed is True or False"),
    ],
)
def test_an_option_that_is_not_allowed_says_what_is(options, said):
    with pytest.raises(ValueError, match=said):
        Options(**options)


def test_a_window_is_given_as_a_number_or_left_to_the_run():
    rule = RULES["zoom"]
    assert rule.parse("auto") == Options().zoom == "auto"
    assert rule.parse("2.5") == 2.5
    assert (Options().half, Options(zoom=3).half) == (None, 3.0)
    for text in ("wide", "-1", "", "1e9"):
        with pytest.raises(ValueError, match=r"allowed is auto, or a number from 0\.1 to 1000"):
            rule.parse(text)


@pytest.mark.parametrize("ending", LONG)
def test_progress_counts_up_and_cancels(tiny_run: Run, ending):
    told = []
    export(ending, tiny_run, options=SMALL, progress=lambda done, total: told.append((done, total)))
    (total,) = {total for _, total in told}
    assert [done for done, _ in told] == list(range(1, total + 1))

    class EnoughError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        told.append(done)
        if done == 3:
            raise EnoughError

    told.clear()
    with pytest.raises(EnoughError):
        export(ending, tiny_run, options=SMALL, progress=stop)
    assert told == [1, 2, 3]


def test_no_form_needs_pytorch_and_none_is_loaded_before_it_is_written(tiny_run: Run, tmp_path):
    path = tmp_path / "run.npz"
    tiny_run.save(path)
    script = f"""
import sys
from resviz.exports import FORMATS, Options, export
from resviz.records import Run
heavy = {{"matplotlib", "av", "safetensors", "plotly", "PIL", "torch"}}
print(sorted(heavy & sys.modules.keys()))
run = Run.load({str(path)!r})
for ending in FORMATS:
    export(ending, run, options=Options(size=(320, 240), seconds=1.0, rate=5))
print(sorted(heavy - sys.modules.keys()))
print("matplotlib.pyplot" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["[]", "['torch']", "False"]


# ---- Numbers


def test_a_table_brings_every_position_back_exactly(tiny_run: Run, tiny_classifier: Run):
    for run in (replace(tiny_run, labels=None), tiny_classifier):
        rows = list(csv.DictReader(export(".csv", run).decode().splitlines()))
        layers, n, _ = run.tracks.shape
        assert len(rows) == layers * n
        for row in rows:
            layer, particle = int(row["layer"]), int(row["particle"])
            assert float(row["t"]) == layer / (layers - 1)
            here = np.array([row["x"], row["y"]], np.float32)
            assert (here == run.tracks[layer, particle]).all()
            there = np.array([row["geodesic_x"], row["geodesic_y"]], np.float32)
            assert (there == run.geodesic[layer, particle]).all()
            if run.labels is not None:
                assert int(row["label"]) == run.labels[particle]
        assert len({(row["layer"], row["particle"]) for row in rows}) == len(rows)
        assert ("label" in rows[0]) == (run.labels is not None)


def test_the_whole_run_is_read_back(tiny_run: Run, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(export(".npz", tiny_run))
    read = Run.load(path)
    assert read.spec == tiny_run.spec
    assert (read.tracks == tiny_run.tracks).all()
    assert read.scores.action_ratio == tiny_run.scores.action_ratio


def test_settings_and_scores_are_told(tiny_run: Run):
    told = json.loads(export(".json", tiny_run))
    assert RunSpec(**told["spec"]) == tiny_run.spec
    assert told["scores"]["action_ratio"] == tiny_run.scores.action_ratio


# ---- Python


@pytest.mark.parametrize("which", ["tiny_run", "tiny_classifier", "stopped_run", "diverged_run"])
def test_the_script_trains_the_run_again_to_the_last_bit(which, request, tmp_path, monkeypatch):
    run: Run = request.getfixturevalue(which)
    path = tmp_path / "snippet.py"
    path.write_bytes(export(".py", run))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = dict(line.split() for line in done.stdout.splitlines())
    assert {"action_ratio", "optimal_transport"} < told.keys()
    goal = {"match": "fit", "classify": "accuracy"}
    assert {name for name in goal.values() if name in told} == {goal[run.spec.task]}
    for name, text in told.items():
        assert text == repr(getattr(run.scores, name)), name


def test_the_script_names_what_differs_from_the_default_and_what_to_expect(tiny_run: Run):
    text = snippet(tiny_run)
    assert "    depth=3,\n" in text
    assert "learning_rate" not in text
    assert f"the action ratio is {tiny_run.scores.action_ratio!r}" in text
    assert "torch 2." in text
    default = snippet(replace(tiny_run, spec=RunSpec()))
    assert "\nspec = RunSpec()\n" in default


# ---- Weights


@pytest.mark.parametrize("which", ["tiny_run", "tiny_classifier"])
def test_the_weights_and_their_spec_give_the_tracks_again(which, request, tmp_path):
    run: Run = request.getfixturevalue(which)
    path = tmp_path / "run.safetensors"
    path.write_bytes(export(".safetensors", run))
    tensors = load(path.read_bytes())
    with safe_open(path, "np") as file:
        told = file.metadata()
    spec = RunSpec.from_query({k: v for k, v in told.items() if hasattr(run.spec, k)})
    assert spec == run.spec
    assert told["trained_steps"] == str(run.state.step)
    # By the network's own way through one flat vector …
    order = [name for name in Parameters._fields if name in tensors]
    assert set(order) == tensors.keys()
    flat = np.concatenate([tensors[name].ravel() for name in order])
    assert (tracks(spec, flat, run.tracks[0]) == run.tracks).all()
    if run.spec.task == "classify":
        guesses = predicted_classes(spec, flat, run.tracks[-1])
        assert np.mean(guesses == run.labels) == pytest.approx(run.scores.accuracy)
    # … and by what the file says of itself.
    activation, h = np.tanh, float(told["h"])
    for l in range(spec.depth):  # noqa: E741 - as the file calls it
        names = tensors | {"activation": activation, "h": h, "l": l}
        moved = [eval(told["layer"], names | {"x": x}) for x in run.tracks[l]]
        np.testing.assert_allclose(moved, run.tracks[l + 1], atol=1e-5)


# ---- Where training ended


def said_by_page(data: bytes) -> str:
    text = data.decode()
    return unescape(re.sub("<[^>]*>", " ", text[text.index("<body>") : text.index("<script")]))


def said_by_film(data: bytes) -> str:
    with av.open(io.BytesIO(data)) as film:
        told = {name.lower(): text for name, text in film.metadata.items()}
    return told["comment"]


def said_by_svg(data: bytes) -> str:
    texts = ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}text")
    return " ".join(node.text for node in texts)


def said_by_npz(data: bytes) -> str:
    with np.load(io.BytesIO(data)) as file:
        record, spec = json.loads(str(file["record"])), json.loads(str(file["spec"]))
    return f"{record['step']} of {spec['steps']}, diverged at {record['diverged']}"


def said_by_table(data: bytes) -> str:
    rows = csv.DictReader(data.decode().splitlines())
    ((trained, of, ended),) = {(r["trained_steps"], r["of_steps"], r["ended"]) for r in rows}
    return f"{ended} after {trained} of {of}"


def said_by_weights(data: bytes) -> str:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]["ending"]


# What a person, or a program, reads in each form; of pictures beside what is drawn.
SAYS = {
    ".html": said_by_page,
    ".mp4": said_by_film,
    ".webm": said_by_film,
    ".gif": lambda data: Image.open(io.BytesIO(data)).info["comment"].decode(),
    ".png": lambda data: Image.open(io.BytesIO(data)).text["Description"],
    ".svg": said_by_svg,
    ".pdf": texts_of_pdf,
    ".csv": said_by_table,
    ".npz": said_by_npz,
    ".json": lambda data: json.loads(data)["ending"],
    ".py": lambda data: data.decode(),
    ".safetensors": said_by_weights,
}
# Where a form has numbers or a word for it, and no sentence.
BRIEFLY = {
    (".csv", "stopped_run"): "stopped after 4 of 10",
    (".csv", "diverged_run"): "diverged after 0 of 10",
    (".npz", "stopped_run"): "4 of 10, diverged at None",
    (".npz", "diverged_run"): "0 of 10, diverged at 1",
}
DRAWN = (".png", ".gif", ".mp4", ".webm")


@pytest.mark.parametrize("which", ["stopped_run", "diverged_run"])
@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_says_where_training_ended_and_why(ending, which, request, tiny_run: Run):
    run: Run = request.getfixturevalue(which)
    sentence = words.ending(run)
    said = SAYS[ending](export(ending, run, options=SMALL))
    assert letters(BRIEFLY.get((ending, which), sentence)) in letters(said)
    finished = SAYS[ending](export(ending, tiny_run, options=SMALL))
    assert "Stopped" not in finished
    assert "diverged at step" not in finished
    if ending in TWO:
        for pair in ((run, tiny_run), (tiny_run, run)):
            assert letters(sentence) in letters(SAYS[ending](export(ending, *pair, SMALL)))


def letters(text: str) -> str:
    """Without ligatures, which a PDF draws as one character, and with single spaces."""
    return " ".join(re.sub("ffi|ff|fi|fl|[^ -~]", "", text.replace("\n", " ")).split())


@pytest.mark.parametrize("ending", DRAWN)
@pytest.mark.parametrize("dark", [False, True])
def test_where_training_ended_is_drawn_and_not_cut(ending, dark, stopped_run: Run, tiny_run: Run):
    options = replace(SMALL, dark=dark)
    drawn = picture(sheet(stopped_run, options=options), options.size, dark)
    (text,) = (text for text in drawn.figure.texts if text.get_text() == words.ending(stopped_run))
    box = text.get_window_extent()

    def warned(run: Run) -> np.ndarray:
        """The places, (x, y) from below, of what is red in the lines of text."""
        image = first_picture(export(ending, run, options=options)).astype(int)
        lines = image[-int(box.y1) - 20 :]  # a particle may be red, too
        rows, columns = np.nonzero(lines[:, :, 0] - lines[:, :, 1:].max(axis=2) > 40)
        return np.column_stack([columns, len(lines) - rows])

    places = warned(stopped_run)
    assert len(places) > 50
    low, high = places.min(axis=0), places.max(axis=0)
    assert (low >= np.array([box.x0, box.y0]) - 3).all()
    assert (high <= np.array([box.x1, box.y1]) + 3).all()
    assert low[0] < box.x0 + 6  # from its first letter
    assert high[0] > box.x1 - 12  # to its last
    assert len(warned(tiny_run)) == 0


def first_picture(data: bytes) -> np.ndarray:
    """uint8 (height, width, 3) of a still, or of a film's beginning."""
    if data.startswith((b"\x89PNG", b"GIF")):
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    with av.open(io.BytesIO(data)) as film:
        return next(film.decode(video=0)).to_ndarray(format="rgb24")


def test_every_form_has_a_title_of_its_own(tiny_run: Run, stopped_run: Run):
    """*two blobs → ring, ResNet of 3 layers: effort 12.1*."""
    effort = words.number(tiny_run.scores.action_ratio)
    alone = f"two blobs → ring, ResNet of 3 layers: effort {effort}"
    assert title(tiny_run) == alone
    assert title(stopped_run).endswith(", stopped at step 4 of 10")
    both = title(tiny_run, stopped_run)
    assert "A effort" in both
    assert both.endswith(f"; B effort {effort}")
    other = replace(tiny_run, spec=replace(tiny_run.spec, network="plain"))
    assert title(tiny_run, other).startswith("A two blobs → ring, Plain network of 3 layers: ")
    assert Image.open(io.BytesIO(export(".png", tiny_run, options=SMALL))).text["Title"] == alone
    assert f"<title>{alone}</title>" in export(".html", tiny_run).decode()
    assert f"<title>{alone}</title>" in export(".svg", tiny_run).decode()


def test_a_comparison_does_not_pass_a_stopped_run_as_the_same(tiny_run: Run, stopped_run: Run):
    assert words.compare(stopped_run, tiny_run).startswith("A → B: step 4 → 10. Effort ")
    assert words.compare(tiny_run, tiny_run).startswith("A → B: the same settings. ")
