"""The command line, as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resviz import RunSpec, run
from resviz.__main__ import main, parser
from resviz.records import Run
from resviz.spec import RULES

SMALL = {"depth": 3, "width": 4, "steps": 10, "batch": 16, "particles": 20}
SMALL_OPTIONS = [f"--{name}={value}" for name, value in SMALL.items()]


def refused(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ending:
        main(["train", *arguments])
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--depth=0"], "depth: '0' is not allowed; allowed is a whole number from 1 to 64"),
        (["--learning-rate=nan"], "learning_rate: 'nan' is not allowed"),
        (["--source=pentagon"], "source: 'pentagon' is unknown; allowed is one of: gaussian"),
        (
            ["-o", "run.docx"],
            "output: 'run.docx' has no known ending; known are .html, .json, .npz",
        ),
        (["-o", "no/such/folder/run.npz"], "lies in a folder that does not exist"),
    ],
)
def test_bad_input_is_refused_before_training(capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_a_folder_is_no_file(capsys, tmp_path):
    folder = tmp_path / "runs.npz"
    folder.mkdir()
    assert "is a folder" in refused(capsys, "-o", str(folder))


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
        timeout=120,
        check=True,
    )
    assert "action ratio" in done.stdout
    assert done.stderr == ""
