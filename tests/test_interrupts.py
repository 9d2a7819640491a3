"""Ctrl-C, SIGTERM, full disks and closed pipes: one sentence, and nothing that was made is lost."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resviz import files, pipeline
from resviz.__main__ import main
from resviz.commands import console, interrupts
from resviz.records import Run

ROOT = Path(__file__).parents[1]
TIMEOUT = 300  # for a process that hangs
SMALL = ["--depth=3", "--width=4", "--steps=100", "--batch=16", "--particles=20", "--quiet"]
posix = pytest.mark.skipif(os.name == "nt", reason="no such signals or devices there")


class EndedError(Exception):
    """In the place of a process's end."""


@pytest.fixture
def ended(monkeypatch) -> list[int]:
    """The codes that the process would have ended with at once."""
    codes = []

    def end(code: int) -> None:
        codes.append(code)
        raise EndedError

    monkeypatch.setattr(interrupts, "_end", end)
    return codes


def interrupt_at(monkeypatch, place: str, calls: int, number: int = signal.SIGINT) -> None:
    """The signal comes in the midst of the call of that number."""
    module, _, name = place.rpartition(".")
    original, count = getattr(sys.modules[module], name), []

    def interrupted(*arguments, **options):
        count.append(1)
        if len(count) == calls:
            signal.raise_signal(number)
        return original(*arguments, **options)

    monkeypatch.setattr(place, interrupted)


# ---- signals


def test_where_nothing_can_be_lost_the_first_ends_it(ended):
    with pytest.raises(EndedError), interrupts.ends_at_once():
        signal.raise_signal(signal.SIGINT)
    assert ended == [130]


@posix
def test_noted_the_first_asks_and_the_second_ends(ended, capfd):
    with interrupts.noted("it stops") as asked:
        assert not asked()
        signal.raise_signal(signal.SIGTERM)
        assert asked.code == 143
        with pytest.raises(EndedError):
            signal.raise_signal(signal.SIGINT)
    assert ended == [130]
    assert capfd.readouterr().err == "it stops\n"


def test_raised_the_first_leaves_and_the_second_ends(ended):
    with interrupts.raises():
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert interrupts.code_of(caught.value) == 130
        with pytest.raises(EndedError):
            signal.raise_signal(signal.SIGINT)


def test_signals_are_answered_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with interrupts.raises(), interrupts.noted(""):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@posix
def test_what_was_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by nohup
    try:
        with interrupts.raises():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


# ---- train


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_training_writes_what_there_is(number, code, tmp_path, capsys, monkeypatch):
    path, told = tmp_path / "run.npz", tmp_path / "run.json"
    interrupt_at(monkeypatch, "resviz.pipeline.advance", 10, number)
    assert main(["train", *SMALL, "-o", str(path), "-o", str(told)]) == code
    run = Run.load(path)
    assert 0 < run.state.step < run.spec.steps
    assert run.history[-1].step == run.state.step
    assert json.loads(told.read_text(encoding="utf-8"))["step"] == run.state.step
    assert f"Stopped at step {run.state.step} of 100" in capsys.readouterr().out


def test_a_stopped_run_is_the_beginning_of_the_whole_one(tiny_spec):
    states = []
    whole = pipeline.run(tiny_spec)
    part = pipeline.run(tiny_spec, states.append, lambda: len(states) == 4)
    assert part.state.step == 3
    for a, b in zip(part.history, whole.history[:4], strict=True):
        assert (a.step, a.loss) == (b.step, b.loss) or a.step == 0
        assert (a.parameters == b.parameters).all()


def test_an_interrupted_film_leaves_the_run(tmp_path, capsys, monkeypatch):
    paths = [tmp_path / name for name in ("run.json", "run.gif", "run.csv")]
    outputs = [word for path in paths for word in ("-o", str(path))]
    interrupt_at(monkeypatch, "resviz.commands.outputs.export", 2)
    assert main(["train", *SMALL, *outputs]) == 130
    told = capsys.readouterr()
    assert f"interrupted: not written: {paths[1]}, {paths[2]}" in told.err
    assert f"the run is kept in {tmp_path / 'run.npz'}; to write it: python -m resviz" in told.err
    assert Run.load(tmp_path / "run.npz").complete
    assert sorted(tmp_path.iterdir()) == sorted([paths[0], tmp_path / "run.npz"])


@pytest.mark.parametrize("command", ["train", "lab"])
def test_before_anything_is_loaded_it_ends_at_once(command, tmp_path):
    """A PyTorch, and a NumPy, that never finish to load, and say that they have begun."""
    name = {"train": "torch", "lab": "numpy"}[command]
    hung = "import sys, threading; print('loading', flush=True); threading.Event().wait()"
    (tmp_path / f"{name}.py").write_text(hung, encoding="utf-8")
    options = {"train": SMALL, "lab": ["--vary", "l2=0,1"]}[command]
    process = subprocess.Popen(
        [sys.executable, "-m", "resviz", command, *options],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=TIMEOUT)[1] == "interrupted\n"
    assert process.returncode == 130


# ---- full disks


def disk_full(monkeypatch, times: int = 10**6) -> None:
    """The next so many files do not fit."""
    left = [times]

    def sync(descriptor: int) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)


def test_an_output_that_does_not_fit_is_told_and_the_others_are_written(
    tmp_path, capsys, monkeypatch
):
    paths = [tmp_path / name for name in ("run.html", "run.json", "run.csv")]
    paths[0].write_text("old", encoding="utf-8")
    (tmp_path / "run.npz").write_bytes(b"another's")
    outputs = [word for path in paths for word in ("-o", str(path))]
    disk_full(monkeypatch, 1)
    assert main(["train", *SMALL, *outputs]) == 1
    told = capsys.readouterr()
    failed, kept = told.err.splitlines()
    assert failed == f"output: '{paths[0]}' was not written (No space left on device)"
    assert kept.startswith(f"the run is kept in {tmp_path / 'run-2.npz'}; to write it: python -m")
    assert Run.load(tmp_path / "run-2.npz").complete
    assert paths[0].read_text(encoding="utf-8") == "old"
    assert (tmp_path / "run.npz").read_bytes() == b"another's"
    assert {path.name for path in tmp_path.iterdir()} == {
        "run.html", "run.json", "run.csv", "run.npz", "run-2.npz",
    }  # fmt: skip


def test_where_nothing_fits_that_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    disk_full(monkeypatch)
    assert main(["train", *SMALL, "-o", "run.npz"]) == 1
    told = capsys.readouterr()
    assert "action ratio" in told.out
    assert "output: 'run.npz' was not written (No space left on device)\n" in told.err
    assert "the run could not be kept anywhere (No space left on device)\n" in told.err
    assert not list(tmp_path.iterdir())


def test_an_older_run_in_its_place_is_not_taken_for_the_run(tmp_path, capsys, monkeypatch):
    place = tmp_path / "run.npz"
    assert main(["train", *SMALL, "-o", str(place)]) == 0
    older = place.read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("resviz.commands.outputs.write_whole", full)
    assert main(["train", *SMALL, "--seed=7", "-o", str(place)]) == 1
    assert "the run is kept in " in capsys.readouterr().err
    assert place.read_bytes() == older
    (kept,) = set(tmp_path.iterdir()) - {place}
    assert Run.load(kept).spec.seed == 7


def test_a_form_that_cannot_be_made_loses_nothing(tmp_path, capsys, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("the codec is asleep")

    monkeypatch.setattr("resviz.commands.outputs.export", fail)
    assert main(["train", *SMALL, "-o", str(tmp_path / "run.mp4")]) == 1
    told = capsys.readouterr().err
    assert "was not written (the codec is asleep)\n" in told
    assert Run.load(tmp_path / "run.npz").complete


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (["x" * 252 + ".npz"], "cannot be written (File name too long)"),
        (["run.npz", "./run.npz"], "are one file; allowed is each once"),
        (["file.npz/run.npz"], "cannot be written (Not a directory)"),
    ],
)
def test_what_could_not_be_written_is_refused_before_training(
    outputs, said, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("file.npz").touch()
    words = [word for path in outputs for word in ("-o", path)]
    for command in (["train"], ["export", "the-long-way"]):
        with pytest.raises(SystemExit) as ending:
            main([*command, *words])
        assert ending.value.code == 2
        assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file.npz"]


# ---- who reads


@posix
def test_where_nobody_reads_the_work_goes_on(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert console.say("a table\n") == console.say("and another\n") == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_a_table_that_is_lost_is_told(monkeypatch, capsys):
    with open("/dev/full", "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert console.say("a table\n") == 1
    assert capsys.readouterr().err == (
        "what is printed could not be written (No space left on device)\n"
    )


def test_streams_that_are_not_there_are_no_matter(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    console.prepare()
    assert console.say("a table\n") == 0
    sys.stdout.close()


def test_streams_take_every_letter(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    console.prepare()
    assert console.say("λ") == 0
