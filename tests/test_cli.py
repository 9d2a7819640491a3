"""The command line, as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from resviz import RunSpec, presets, run
from resviz.__main__ import main, parser
from resviz.exports import FORMATS
from resviz.records import Run
from resviz.spec import RULES

SMALL = {"depth": 3, "width": 4, "steps": 10, "batch": 16, "particles": 20}
SMALL_OPTIONS = [f"--{name}={value}" for name, value in SMALL.items()]


def refused(capsys, *arguments: str, command: str = "train") -> str:
    with pytest.raises(SystemExit) as ending:
        main([command, *arguments])
    assert ending.value.code == 2
    return capsys.readouterr().err


def test_train_writes_every_form(tmp_path, capsys):
    paths = [tmp_path / f"run{ending}" for ending in (".html", ".json", ".npz")]
    outputs = [word for path in paths for word in ("-o", str(path))]
    assert main(["train", *SMALL_OPTIONS, "--seed=4", "--l2-on", "outer", *outputs]) == 0
    spec = RunSpec(**SMALL, seed=4, l2_on="outer")
    expected = run(spec)

    told = json.loads(paths[1].read_text(encoding="utf-8"))
    assert RunSpec(**told["spec"]) == spec
    assert told["scores"]["fit"] == expected.scores.fit

    with np.load(paths[2]) as arrays:
        assert (arrays["tracks"] == expected.tracks).all()
        assert (arrays["geodesic"] == expected.geodesic).all()
        assert RunSpec(**json.loads(str(arrays["spec"]))) == spec
        assert arrays["labels"].shape == (0,)
    assert Run.load(paths[2]).spec == spec
    assert "createPlayer" in paths[0].read_text(encoding="utf-8")

    printed = capsys.readouterr()
    assert f"{expected.scores.action_ratio:.4f}" in printed.out
    assert "10/10" in printed.err  # the progress bar


def test_every_field_is_an_option_with_its_rule(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for name, rule in RULES.items():
        assert f"--{name.replace('_', '-')}" in told
        assert rule.allowed in told
    assert parser().parse_args(["train"]).command == "train"
    with pytest.raises(SystemExit):
        main(["lab", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for name, rule in RULES.items():
        if name != "seed":
            assert f"--{name.replace('_', '-')}" in told
            assert rule.allowed in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--depth=0"], "depth: '0' is not allowed; allowed is a whole number from 1 to 64"),
        (["--learning-rate=nan"], "learning_rate: 'nan' is not allowed"),
        (["--source=pentagon"], "source: 'pentagon' is unknown; allowed is one of: gaussian"),
        (
            ["-o", "run.docx"],
            "output: 'run.docx' has no known ending; known are .html, .mp4, .webm, .gif, .png",
        ),
        (["-o", "no/such/folder/run.npz"], "lies in a folder that does not exist"),
        (["--size=1280"], "size: '1280' is not allowed; allowed is WIDTHxHEIGHT, each an even"),
        (["--rate=2.5"], "rate: '2.5' is not allowed; allowed is a whole number from 5 to 60"),
        (["--t=2"], "t: '2' is not allowed; allowed is a number from 0 to 1"),
        (["--colour=red"], "colour: 'red' is unknown; allowed is one of: usual, start, class"),
        (["-o", "run.gif", "--rate=60"], "rate: 60 is not allowed for a .gif"),
    ],
)
def test_bad_input_is_refused_before_training(capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_a_folder_is_no_file(capsys, tmp_path):
    folder = tmp_path / "runs.npz"
    folder.mkdir()
    assert "is a folder" in refused(capsys, "-o", str(folder))


def test_a_classification_is_told_by_its_right_answers_and_class_by_class(tmp_path, capsys):
    page = tmp_path / "run.html"
    assert main(["train", *SMALL_OPTIONS, "--task=classify", "--source=xor", "-o", str(page)]) == 0
    told = capsys.readouterr().out
    for name in ("accuracy (held out)", "a guess 0.", "by class: action ratio", "Jacobian"):
        assert name in told
    assert "floor" not in told
    assert "classes apart" in page.read_text(encoding="utf-8")


def test_between_gaussians_the_exact_geodesic_is_told(capsys):
    assert main(["train", *SMALL_OPTIONS, "--target=anisotropic_gaussian"]) == 0
    assert "to the exact geodesic" in capsys.readouterr().out


def test_a_diverging_run_is_told_and_written(tmp_path, capsys):
    path = tmp_path / "run.json"
    options = ["--learning-rate=10", "--steps=1000", "--particles=20", "--quiet"]
    assert main(["train", *options, "-o", str(path)]) == 0
    told = json.loads(path.read_text(encoding="utf-8"))
    assert f"diverged at step {told['diverged']} of 1000" in capsys.readouterr().out
    assert told["step"] == told["diverged"] - 1


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "resviz", "train", *SMALL_OPTIONS, "--quiet"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "action ratio" in done.stdout
    assert done.stderr == ""


# ---- export


@pytest.fixture
def saved(tiny_run: Run, tmp_path):
    path = tmp_path / "saved.npz"
    tiny_run.save(path)
    return path


def test_a_saved_run_is_exported_in_every_form(saved, tmp_path, capsys):
    paths = [tmp_path / f"out{ending}" for ending in FORMATS]
    outputs = [word for path in paths for word in ("-o", str(path))]
    options = ["--size=320x240", "--seconds=1", "--rate=5", "--t=0.5", "--dark", "--eased"]
    assert main(["export", str(saved), *outputs, *options]) == 0
    printed = capsys.readouterr()
    for path in paths:
        assert path.stat().st_size > 0
        assert f"wrote {path} (" in printed.out
    told = {path.name for path in paths if f"{path.name}: 100%" in printed.err}
    assert told == {"out.mp4", "out.webm", "out.gif"}  # those that take long
    assert Run.load(tmp_path / "out.npz").spec == Run.load(saved).spec
    assert sorted(tmp_path.iterdir()) == sorted([saved, *paths])  # nothing half done is left


def test_two_runs_become_one_page_and_one_talk(saved, tmp_path, capsys):
    page = tmp_path / "both.html"
    options = ["-o", str(page), "--present", "--quiet"]
    assert main(["export", str(saved), str(saved), *options]) == 0
    text = page.read_text(encoding="utf-8")
    assert "data-talk" in text
    assert "A → B: the same settings" in text
    assert capsys.readouterr().err == ""
    told = refused(capsys, str(saved), str(saved), "-o", str(tmp_path / "x.csv"), command="export")
    assert "kept: a .csv holds one run; allowed with two are .html" in told


def test_a_preset_is_exported_by_its_name(tiny_run: Run, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "load", lambda name: (tiny_run, tiny_run))
    (name, *_) = presets.PRESETS
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    assert main(["export", name, "-o", str(page)]) == 0
    assert 'data-view="both"' in page.read_text(encoding="utf-8")
    assert main(["export", name, "--alone", "-o", str(page), "-o", str(table)]) == 0
    assert 'data-view="both"' not in page.read_text(encoding="utf-8")
    assert table.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.npz", "-o", "x.png"], "run: 'nothing.npz' cannot be read (No such file"),
        (["nothing.npz", "-o", "x.png"], "allowed is a saved run, or a preset: the-long-way"),
        (["no-preset", "-o", "x.exe"], "has no known ending"),
        (["no-preset"], "the following arguments are required: -o"),
        (["SAVED", "SAVED", "--alone", "-o", "x.png"], "alone: is given beside"),
        (["SAVED", "-o", "x.png", "--seconds=0.5"], "seconds: '0.5' is not allowed"),
        (["BROKEN", "-o", "x.png"], "is not a saved run"),
    ],
)
def test_a_bad_export_is_refused(capsys, tmp_path, saved, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken.npz"
    broken.write_text("shopping: eggs", encoding="utf-8")
    named = {"SAVED": str(saved), "BROKEN": str(broken)}
    told = refused(capsys, *(named.get(word, word) for word in arguments), command="export")
    assert said in told
    assert not list(tmp_path.glob("x.*"))


def test_an_interrupted_export_leaves_what_was_there(saved, tmp_path, monkeypatch, capsys):
    film = tmp_path / "film.gif"
    film.write_bytes(b"old")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("resviz.commands.outputs.export", interrupted)
    assert main(["export", str(saved), "-o", str(film), "--quiet"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert film.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == sorted([film, saved])


# ---- lab


@pytest.mark.slow
def test_lab_prints_a_table_and_writes_every_form(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    options = ["--vary", "l2=0,1e-3", "--seeds=2", "--tune=1e-3,1e-2", "--target=moons"]
    options += [*SMALL_OPTIONS, "--at=end", "--at", "frontier=0.9", "--name=two", "--workers=1"]
    assert main(["lab", *options, "-o", str(folder)]) == 0
    names = ["two-runs.csv", "two.csv", "two.html", "two.jsonl"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert len((folder / "two.jsonl").read_text(encoding="utf-8").splitlines()) == 8
    printed = capsys.readouterr()
    assert "gaussian → moons, the best of all rates and points" in printed.out
    assert "λ 0.001" in printed.out
    assert "8/8" in printed.err
    for name in names[:3]:
        assert f"wrote {folder / name}" in printed.out
    page = (folder / "two.html").read_text(encoding="utf-8")
    assert "--at=end --at frontier=0.9 --name=two" in page
    assert "excess=" not in (folder / "two.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "lab: a name or --vary is needed; known names are l2-geodesic, residual-vs-plain"),
        (["l3"], "lab: 'l3' is unknown; known are l2-geodesic, residual-vs-plain, classification"),
        (["--vary", "colour=red"], "vary: there is no field 'colour'; known are task"),
        (["--vary", "l2="], "vary: l2 has an empty list; allowed is a number from 0 to 1"),
        (["--vary", "l2=0", "--l2=1"], "l2: 1.0 is given for all runs, and a list to vary"),
        (["--vary", "l2=0", "--tune", ""], "vary: learning_rate has an empty list"),
        (["--vary", "l2=0", "--depth=0"], "depth: '0' is not allowed"),
        (["--vary", "l2=0", "--at=soon"], "at: 'soon' is not allowed; allowed is end, or one of"),
        (["--vary", "l2=0", "--seeds=0"], "seeds: '0' is not allowed; allowed is a whole number"),
        (["--vary", "l2=0", "--workers=0"], "workers: '0' is not allowed; allowed is a whole"),
        (["--vary", "l2=0", "--workers=two"], "workers: 'two' is not allowed"),
        (["--vary", "l2=0", "--name=a/b"], "name: 'a/b' is not allowed; allowed is a word"),
        (["--vary", "l2=0", "--name=classification"], "name: 'classification' is not allowed"),
        (["--seed=3"], "unrecognized arguments: --seed=3"),
        (
            ["classification", "--vary", "l2=0", "--l2-on=outer", "--seeds=3"],
            "lab: classification has its own runs, so --vary, --seeds, --l2-on is not allowed",
        ),
    ],
)
def test_a_bad_lab_is_refused_before_training(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *arguments, command="lab")
    assert not list(tmp_path.iterdir())


def test_a_lab_needs_a_folder_that_can_be_made(capsys, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "inside"):
        told = refused(capsys, "--vary", "l2=0", "-o", str(path), command="lab")
        assert f"output: {str(path)!r} cannot be made" in told
        assert "a folder's name is needed" in told


def test_a_lab_does_not_go_on_with_something_else(capsys, tmp_path):
    file = tmp_path / "grid.jsonl"
    file.write_text("shopping: eggs\n", encoding="utf-8")
    options = ["--vary", "l2=0", *SMALL_OPTIONS, "-o", str(tmp_path)]
    assert main(["lab", *options]) == 2
    assert "is not a lab's row" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["grid.jsonl"]
