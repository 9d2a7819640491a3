"""Labs: what is run, how it is kept and resumed, and what is made of it."""

import csv
import dataclasses
import io
import itertools
import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE, wait_until
from playwright.sync_api import Browser
from scipy.stats import bootstrap

from resviz.__main__ import main
from resviz.figures.lab import to_html
from resviz.figures.lab_charts import arm_looks, frontier_chart, strip_chart, strip_moments
from resviz.lab import intervals, runner
from resviz.lab.design import END, Arm, Claim, Lab, Moment, grid
from resviz.lab.intervals import Interval, interval
from resviz.lab.journal import BusyError, Journal, alone, mend, read
from resviz.lab.named import LABS
from resviz.lab.rows import (
    POINTS,
    OtherRowsError,
    Row,
    from_line,
    take_row,
    to_line,
)
from resviz.lab.runner import carry_out
from resviz.lab.table import (
    BESIDE,
    NEARER,
    Cells,
    frontier,
    paired,
    runs_csv,
    scores_at,
    table,
    to_csv,
    verdict,
    verdicts,
)
from resviz.lab.text import difference_words, nobody_words, to_text
from resviz.spec import RunSpec

ROOT = Path(__file__).parents[1]
TINY = {"depth": 2, "width": 4, "batch": 16, "steps": 10, "particles": 20}
TINY_OPTIONS = [f"--{name}={value}" for name, value in TINY.items()]


# ---- what is run


def test_a_grid_is_every_combination_compared_with_the_first():
    lab = grid(TINY, ["network=residual,plain", "l2=0,1e-3", "target=moons,ring"], 3, "1e-3,1e-2")
    assert [arm.name for arm in lab.arms] == [
        "residual, λ 0",
        "residual, λ 0.001",
        "plain, λ 0",
        "plain, λ 0.001",
    ]
    assert [arm.against for arm in lab.arms] == [None, *["residual, λ 0"] * 3]
    assert lab.settings == ({"target": "moons"}, {"target": "ring"})
    assert lab.rates == (1e-3, 1e-2)
    runs = list(lab.runs())
    assert len(runs) == len(set(runs)) == 4 * 2 * 2 * 3
    place, spec = runs[-1]
    assert spec == RunSpec(
        **TINY, network="plain", l2=1e-3, target="ring", learning_rate=1e-2, seed=2
    )
    assert dataclasses.astuple(place) == ("gaussian → ring", "plain, λ 0.001", 1e-2, 2)
    # Seeds outermost: a lab that is cut short is a smaller lab.
    assert [place.seed for place, _ in runs] == [0] * 16 + [1] * 16 + [2] * 16


def test_names_tell_numbers_by_their_field():
    lab = grid({}, ["depth=2,4", "l2-on=both,outer"], 1)
    assert lab.arms[-1].name == "depth L 4, λ acts on outer"
    assert grid({}, [], 1).arms == (Arm("all", {}),)


def test_settings_of_other_numbers_of_particles_are_apart():
    lab = grid(TINY | {"particles": 20}, [], 1)
    assert {place.setting for place, _ in lab.runs()} == {"gaussian → two blobs"}
    base = {name: value for name, value in TINY.items() if name != "particles"}
    lab = grid(base, ["particles=20,30"], 1)
    assert {place.setting for place, _ in lab.runs()} == {
        "gaussian → two blobs, 20 particles",
        "gaussian → two blobs, 30 particles",
    }


@pytest.mark.parametrize(
    ("vary", "options", "said"),
    [
        (["colour=red"], {}, "vary: there is no field 'colour'; known are task, source"),
        (["l2"], {}, "vary: 'l2' is not allowed; allowed is FIELD=VALUE,VALUE,…"),
        (["l2="], {}, "vary: l2 has an empty list; allowed is a number from 0 to 1"),
        (["l2=0,few"], {}, "l2: 'few' is not allowed; allowed is a number from 0 to 1"),
        (["l2=0,0.0"], {}, "vary: l2 has 0.0 twice; allowed is once"),
        (["l2=0", "l2=1"], {}, "vary: l2 is given twice; allowed is once"),
        (["seed=1,2"], {}, "vary: seed is not allowed; --seeds says how many there are"),
        (["target=pentagon"], {}, "target: 'pentagon' is unknown; allowed is one of: gaussian"),
        (["depth=2,4"], {}, "depth: 2 is given for all runs, and a list to vary or tune"),
        ([], {"seeds": 0}, "seeds: 0 is not allowed; allowed is a whole number from 1 to 1000"),
        ([], {"tune": ""}, "vary: learning_rate has an empty list"),
        (["learning_rate=1,2"], {"tune": "1"}, "tune: learning_rate is varied already"),
        (["task=classify"], {}, "task: 'classify' needs a source with classes"),
        (["task=classify", "source=moons", "target=ring,disk"], {}, "2 runs share Place("),
    ],
)
def test_a_bad_grid_is_refused(vary, options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        grid(TINY, vary, **{"seeds": 2, **options})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": ()}, "arms: the list is empty; allowed is one entry or more"),
        ({"seeds": ()}, "seeds: the list is empty"),
        ({"moments": ()}, "moments: the list is empty"),
        ({"arms": (Arm("a", {}), Arm("a", {"depth": 3}))}, "arms: 'a' is there 2 times"),
        ({"arms": (Arm("a", {}), Arm("b", {"depth": 2}))}, "2 runs share RunSpec("),
        ({"arms": (Arm("a", {}, "b"),)}, "arms: 'b' is compared and not there; there are ['a']"),
        ({"claims": (Claim("c", "a", "z"),)}, "arms: 'z' is compared and not there"),
        ({"rates": (1e-2, 1e-2)}, "2 runs share Place("),
    ],
)
def test_a_lab_that_makes_no_sense_is_refused(change, said):
    lab = Lab("x", "X", TINY, ({"target": "moons"},), (Arm("a", {}),), (1e-2,), (0, 1))
    with pytest.raises(ValueError, match=re.escape(said)):
        dataclasses.replace(lab, **change)


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS.keys())
def test_named_labs_are_large_enough_to_quote(lab: Lab):
    assert len(lab.settings) >= 3
    assert len(lab.seeds) >= 10
    assert len(lab.rates) >= 4
    names = {arm.name for arm in lab.arms}
    assert lab.claims
    assert {name for claim in lab.claims for name in (claim.arm, claim.against)} <= names
    told = [str(moment) for moment in lab.moments]
    assert told == ["end", "excess=0.3", "excess=0.1", "frontier=0.3", "frontier=0.1"]


def test_a_lab_can_be_shortened():
    lab = LABS["l2-geodesic"].shortened(steps=3)
    assert {spec.steps for _, spec in lab.runs()} == {3}


@pytest.mark.parametrize("told", ["end", "fit=0.1", "excess=0.05", "frontier=0"])
def test_moments_are_read_and_told(told):
    assert str(Moment.parse(told)) == told


@pytest.mark.parametrize(
    "told", ["", "start", "end=1", "fit", "fit=", "fit=x", "fit=nan", "fit=-1"]
)
def test_other_moments_are_refused(told):
    with pytest.raises(ValueError, match=f"^at: '{told}' is not allowed; allowed is end, or one"):
        Moment.parse(told)


# ---- rows


def test_a_row_is_the_same_after_a_line():
    row = take_row(RunSpec(**TINY))
    assert row.course["step"] == list(range(11))
    assert row.diverged is None
    line = to_line(row)
    again = from_line(line)
    assert to_line(again) == line
    assert again.spec == row.spec
    assert again.reach == pytest.approx(row.reach, rel=1e-5)
    assert again.end == pytest.approx(row.end, rel=1e-5)
    for name, values in row.course.items():
        assert again.course[name] == pytest.approx(values, rel=1e-5, nan_ok=True)
    assert math.isnan(again.course["loss"][0])  # no step was taken yet, so none was seen


def test_what_is_not_finite_survives_a_line():
    row = made_row(RunSpec(), line_shape=[math.inf, math.nan])
    again = from_line(to_line(row)).course["line_shape"]
    assert again[0] == math.inf
    assert math.isnan(again[1])


def test_long_courses_have_few_points():
    row = take_row(RunSpec(**TINY | {"steps": 200}))
    assert len(row.course["step"]) == POINTS + 1
    assert row.course["step"][-1] == 200


def test_a_row_of_classification_tells_errors_and_scores_by_class():
    row = take_row(RunSpec(**TINY, task="classify", source="moons"))
    assert row.course["miss"] == pytest.approx([1 - share for share in row.course["accuracy"]])
    assert row.reach[0] == 0
    assert row.excess()[0] == pytest.approx(row.course["miss"][0] / row.reach[1])
    assert "action_ratio_by_class" in row.course
    assert "fit" not in row.course


def test_a_run_that_diverges_is_a_row():
    row = take_row(RunSpec(**TINY, network="plain", learning_rate=10))
    assert row.diverged is not None
    assert row.course["step"][-1] < row.diverged
    assert np.isfinite(row.course["fit"]).all()
    assert from_line(to_line(row)).diverged == row.diverged


def test_excess_is_what_is_left_of_the_way():
    row = made_row(RunSpec(), miss=[0.9, 0.5, 0.1, 0.0], reach=(0.1, 0.9))
    assert row.excess() == pytest.approx([1, 0.5, 0, -0.125])
    nowhere_to_go = made_row(RunSpec(), miss=[0.1, 0.1], reach=(0.1, 0.1))
    assert np.isnan(nowhere_to_go.excess()).all()


def test_a_half_written_line_is_dropped_and_mended(tmp_path):
    path = tmp_path / "rows.jsonl"
    first, second = (made_row(RunSpec(seed=seed)) for seed in (0, 1))
    path.write_text(to_line(first) + "\n" + to_line(second)[:100], encoding="utf-8")
    assert list(read(path)) == [first.spec]
    mend(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(to_line(second) + "\n")
    assert list(read(path)) == [first.spec, second.spec]


@pytest.mark.parametrize("told", ["shopping: eggs", "a,b\n1,2\n", '{"spec": {"depth": "0"}}\n'])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, told):
    path = tmp_path / "rows.jsonl"
    path.write_text(told, encoding="utf-8")
    with pytest.raises(OtherRowsError, match=r"rows\.jsonl, (last )?line.* is not a lab's row"):
        carry_out(grid(TINY, [], 1), path, 1)
    assert path.read_text(encoding="utf-8") == told


@pytest.mark.parametrize(
    "rest",
    [
        lambda line: line[:100],
        lambda line: line[:100] + b"\n",  # an editor ended it
        lambda line: line[:5],
        lambda line: line[:-1],
        lambda line: line[:60] + b"\0" * 300,  # a power cut
        lambda line: line[:60] + b"\xff\xfe",
        lambda line: b"\0" * 300,
    ],
)
def test_whatever_a_last_row_was_cut_off_to_it_is_run_again(rest, tmp_path, monkeypatch):
    path, notes = tmp_path / "grid.jsonl", []
    made = {spec: made_row(spec) for _, spec in grid(TINY, [], 2).runs()}
    monkeypatch.setattr(runner, "_rows_of", lambda specs, *_: (made[spec] for spec in specs))
    first, second = (to_line(row).encode() + b"\n" for row in made.values())
    path.write_bytes(first + rest(second))
    rows = carry_out(grid(TINY, [], 2), path, 1, on_note=notes.append)
    assert list(rows) == list(made)
    assert path.read_bytes() == first + second
    assert notes == [f"{path}: its last row was cut off in the writing, and is run again"]


def test_a_row_that_does_not_fit_leaves_those_before(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    first, second = (made_row(RunSpec(seed=seed)) for seed in (0, 1))
    with closing(Journal(path)) as journal:
        journal.add(first)
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                journal.add(second)
        assert path.read_bytes() == before
        journal.add(second)
    assert list(read(path)) == [first.spec, second.spec]


def test_a_second_lab_says_who_has_the_file(tmp_path, capsys):
    path = tmp_path / "grid.jsonl"
    with alone(path):
        assert main(["lab", "--vary", "l2=0,1", "-o", str(tmp_path), "-q"]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"{path}: the lab of process {os.getpid()} on ")
        assert told.endswith("wait for that to end, or give another folder or --name\n")
        assert not path.exists()
        with alone(tmp_path / "other.jsonl"):
            pass
    with alone(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_goes_with_the_process_that_was_killed(tmp_path):
    path = tmp_path / "grid.jsonl"
    script = (
        "import sys, threading; from pathlib import Path; from resviz.lab.journal import alone\n"
        "with alone(Path(sys.argv[1])): print('held', flush=True); threading.Event().wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    try:
        with pytest.raises(BusyError, match=f"process {process.pid} on"), alone(path):
            pass
    finally:
        process.kill()
        process.communicate()
    with alone(path):
        pass


def test_no_file_has_no_rows(tmp_path):
    assert read(tmp_path / "none.jsonl") == {}
    mend(tmp_path / "none.jsonl")


def test_rows_of_other_code_are_refused_before_anything_is_run(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = take_row(RunSpec(**TINY))
    worse = {**row.course, "fit": [value * 1.001 for value in row.course["fit"]]}
    told = to_line(dataclasses.replace(row, course=worse)) + "\n"
    path.write_text(told, encoding="utf-8")
    with pytest.raises(OtherRowsError, match="its first row is not what this code gives"):
        carry_out(grid(TINY, [], 2), path, 1, lambda done, total: pytest.fail("it has begun"))
    assert path.read_text(encoding="utf-8") == told


# ---- statistics


def made_row(spec: RunSpec, diverged=None, reach=(0.0, 1.0), end=None, **course) -> Row:
    """A row whose course has the given scores, and plain ones beside them."""
    length = len(next(iter(course.values()), [0.5]))
    plain = {"step": range(0, 10 * length, 10), "loss": [0.5] * length, "miss": [0.05] * length}
    plain |= {name: [1.5] * length for name in NEARER if not name.endswith("_by_class")}
    plain |= {"undershoot": [1.0] * length, **course}
    plain["fit"] = plain["miss"]
    # A row on file has some scores at its end alone.
    at_end = dict.fromkeys(("monotonicity", "swirl_factor", "curve_factor"), 1.0)
    at_end |= dict.fromkeys(("jacobian_asymmetry", "jacobian_indefinite"), 0.0)
    course = {name: list(values) for name, values in plain.items() if name not in at_end}
    return Row(spec, diverged, reach, course, end or at_end)


def made_lab(seeds: int = 10, rates=(1e-2,), claims: bool = True) -> Lab:
    return Lab(
        name="made",
        title="Is a <b>made</b> lab told as it is?",
        base=TINY,
        settings=({"target": "moons"}, {"target": "ring"}),
        arms=(Arm("plain & <simple>", {}), Arm("λ = 0.1", {"l2": 0.1}, "plain & <simple>")),
        rates=rates,
        seeds=tuple(range(seeds)),
        claims=(Claim("L2 helps", "λ = 0.1", "plain & <simple>"),) if claims else (),
        moments=(END, Moment("excess", 0.3), Moment("frontier", 0.1)),
    )


def made_rows(lab: Lab, make) -> dict[RunSpec, Row]:
    return {spec: make(place, spec) for place, spec in lab.runs()}


def better_by_a_tenth(place, spec: RunSpec) -> Row:
    """Seed k has action ratio 2 + k/10, and with the penalty a tenth less."""
    ratio = 2 + place.seed / 10 - (0.1 if spec.l2 else 0)
    return made_row(spec, action_ratio=[1.0, ratio, ratio], miss=[1.0, 0.25, 0.05])


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_medians_of_all_resamples_have_the_weights_of_a_full_count(n):
    x = np.random.default_rng(n).normal(size=n)
    counted: dict[float, float] = {}
    for resample in itertools.product(x, repeat=n):
        median = round(float(np.median(resample)), 12)
        counted[median] = counted.get(median, 0) + n**-n
    first, second, weight = intervals._resampled_medians(n)
    values = np.sort(x)
    found: dict[float, float] = {}
    for i, j, w in zip(first, second, weight, strict=True):
        median = round(float((values[i] + values[j]) / 2), 12)
        found[median] = found.get(median, 0) + w
    assert found == pytest.approx(counted)


@pytest.mark.parametrize("n", [6, 7, 10, 31])
def test_the_interval_is_that_of_a_bootstrap_by_drawing(n):
    x = np.random.default_rng(n).lognormal(size=n)
    found = interval(x)
    drawn = bootstrap(
        (x,), np.median, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).bootstrap_distribution
    assert found.median == np.median(x)
    # At most 2.5 % of what is drawn lies beyond a bound, and more with the bound itself.
    for beyond, within in ((drawn < found.low, drawn <= found.low + 1e-12),
                           (drawn > found.high, drawn >= found.high - 1e-12)):  # fmt: skip
        assert np.mean(beyond) <= 0.025 + 0.004
        assert np.mean(within) > 0.025 - 0.004
    mirrored = interval(-x)
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


def test_six_values_have_an_interval_and_five_have_none():
    assert interval([]).count == 0
    five = interval([1.0, 2, 3, 4, 50])
    assert (five.median, five.count) == (3, 5)
    assert math.isnan(five.low)
    # The median of six draws is beyond the means of neighbours at either end in 1 % of cases.
    assert interval([1.0, 2, 3, 4, 5, 6]).low == 1.5


def test_infinite_values_count_and_undefined_ones_are_the_callers_affair():
    some = interval([1.0, 2, 3, 4, 5, math.inf])
    assert some.median == 3.5
    assert some.high == math.inf
    most = interval([1.0, 2, *[math.inf] * 5])
    assert (most.median, most.high) == (math.inf, math.inf)
    both = interval([-math.inf] * 3 + [math.inf] * 3)
    assert (both.median, both.low, both.high) == (0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="hold NaN"):
        interval([1.0, math.nan])


def test_differences_are_paired_by_seed():
    mine = {0: {"s": 1.0}, 1: {"s": 5.0}, 2: {"s": 2.0}, 3: {"s": math.nan}, 5: {"s": math.inf}}
    theirs = {0: {"s": 0.5}, 1: {"s": 1.0}, 3: {"s": 1.0}, 4: {"s": 9.0}, 5: {"s": math.inf}}
    # Seeds 0 and 1 have both; 5 is as bad as can be in both, which is a tie.
    found = paired(mine, theirs, "s")
    assert (found.median, found.count) == (0.5, 3)


@pytest.mark.parametrize(
    ("score", "low", "high", "says"),
    [
        ("action_ratio", -0.3, -0.1, "holds"),
        ("action_ratio", 0.1, 0.3, "does not hold"),
        ("action_ratio", -0.1, 0.1, "undecided"),
        ("optimal_transport", 0.1, 0.3, "holds"),
        ("optimal_transport", -0.3, -0.1, "does not hold"),
        ("line_shape", -0.1, 0.0, "undecided"),
        ("line_shape", math.nan, math.nan, "undecided"),
    ],
)
def test_a_verdict_is_what_the_whole_interval_says(score, low, high, says):
    assert verdict(score, Interval((low + high) / 2, low, high, 10)) == says


def test_the_tuned_rate_has_the_least_median_objective_and_divergence_is_infinite():
    lab = made_lab(seeds=3, rates=(1e-3, 1e-2, 1e-1))
    objectives = {1e-3: (0.3, 0.3, 0.3), 1e-2: (0.1, 0.2, 0.9), 1e-1: (0.0, 0.0, 0.0)}

    def make(place, spec):
        diverged = 5 if place.rate == 1e-1 and place.seed > 0 else None
        return made_row(spec, diverged, loss=[math.nan, objectives[place.rate][place.seed]])

    cells = Cells.of(lab, made_rows(lab, make))
    assert cells.tuned("gaussian → moons", "λ = 0.1") == 1e-2


def test_one_lucky_batch_does_not_tune_a_rate():
    lab = made_lab(seeds=3, rates=(1e-3, 1e-2))
    losses = {
        1e-3: [math.nan, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2],
        1e-2: [math.nan, 0.9, *[0.3] * 4, 0.1],
    }
    rows = made_rows(lab, lambda place, spec: made_row(spec, loss=losses[place.rate]))
    assert Cells.of(lab, rows).tuned("gaussian → moons", "λ = 0.1") == 1e-3


def test_few_seeds_decide_against_no_rate():
    lab = made_lab(seeds=3, rates=(1e-3, 1e-2))
    losses = {1e-3: [math.nan, 0.3], 1e-2: [math.nan, 0.2]}
    rows = made_rows(lab, lambda place, spec: made_row(spec, loss=losses[place.rate]))
    assert Cells.of(lab, rows).rivals("gaussian → moons", "λ = 0.1") == (1e-3,)


@pytest.mark.parametrize(("best", "edge"), [(1e-3, True), (1e-2, False), (1e-1, True)])
def test_a_tuned_rate_at_the_edge_of_those_tried_is_told(best, edge):
    lab = made_lab(seeds=3, rates=(1e-3, 1e-2, 1e-1))

    def make(place, spec):
        return made_row(spec, loss=[math.nan, abs(math.log(place.rate / best))])

    rows = made_rows(lab, make)
    assert Cells.of(lab, rows).at_edge("gaussian → moons", "λ = 0.1") is edge
    assert ("(edge)" in to_text(lab, rows)) is edge


def test_rates_that_might_as_well_have_been_chosen_are_told():
    lab = made_lab(seeds=7, rates=(1e-3, 1e-2, 1e-1, 1.0))

    def make(place, spec):
        # The second rate is best; the first wins with three seeds of seven, the third never.
        less = 0.01 if place.seed < 3 else -0.01
        objective = {1e-3: 0.2 - less, 1e-2: 0.2, 1e-1: 0.3, 1.0: 0.1}[place.rate]
        return made_row(spec, 5 if place.rate == 1.0 else None, loss=[math.nan, objective])

    cells = Cells.of(lab, made_rows(lab, make))
    assert cells.tuned("gaussian → moons", "λ = 0.1") == 1e-2
    assert cells.rivals("gaussian → moons", "λ = 0.1") == (1e-3,)
    lines = table(lab, made_rows(lab, make))
    assert {line.rivals for line in lines if line.at == "end"} == {(1e-3,)}
    assert {line.rivals for line in lines if line.at == "frontier=0.1"} == {()}
    assert {told["rivals"] for told in csv.DictReader(io.StringIO(to_csv(lines)))} == {"0.001", ""}
    assert "or 0.001" in to_text(lab, made_rows(lab, make))


def test_scores_are_those_of_the_first_point_that_passes():
    row = made_row(RunSpec(), miss=[1.0, 0.5, 0.2, 0.3, 0.1], action_ratio=[1, 2, 3, 4, 5])
    assert scores_at(row, END)["action_ratio"] == 5
    assert scores_at(row, END)["swirl_factor"] == 1
    assert scores_at(row, Moment("fit", 0.25))["action_ratio"] == 3
    assert scores_at(row, Moment("excess", 0.25))["step"] == 20
    assert scores_at(row, Moment("excess", 0.01)) == {}
    diverged = dataclasses.replace(row, diverged=41)
    assert scores_at(diverged, END) == {}
    assert scores_at(diverged, Moment("excess", 0.25))["action_ratio"] == 3


def test_a_frontier_is_the_best_of_all_rates_and_points_each_score_for_itself():
    slow = made_row(
        RunSpec(), miss=[1.0, 0.2, 0.1], action_ratio=[1, 2, 3], optimal_transport=[1, 0.9, 0.8]
    )
    fast = made_row(
        RunSpec(), miss=[1.0, 0.1, 0.0], action_ratio=[1, 2.5, 4], optimal_transport=[1, 0.7, 0.6]
    )
    assert frontier([slow, fast], 0.2)["action_ratio"] == 2
    near = frontier([slow, fast], 0.1)
    assert near["action_ratio"] == 2.5
    assert near["optimal_transport"] == 0.8
    # What stands beside is of the point with the best action ratio.
    assert (near["step"], near["fit"], near["excess"]) == (10, 0.1, 0.1)
    assert frontier([slow, fast], -1) == {}


def test_a_frontier_curve_is_the_frontier_at_each_level():
    lab = made_lab(seeds=6, rates=(1e-3, 1e-2))

    def make(place, spec):
        generator = np.random.default_rng([place.seed, round(place.rate * 1000)])
        return made_row(
            spec,
            miss=generator.random(8),
            action_ratio=1 + generator.random(8),
            optimal_transport=[math.nan, *generator.random(7)],
        )

    cells = Cells.of(lab, made_rows(lab, make))
    key, levels = ("gaussian → ring", "λ = 0.1"), (0.9, 0.5, 0.2, 0.1)
    for score in ("action_ratio", "optimal_transport"):
        curve = cells.curve(*key, score, levels)
        for level, found in zip(levels, curve, strict=True):
            scored = cells.at(*key, Moment("frontier", level))
            assert found == interval([s[score] for s in scored.values() if score in s])
    assert len({found.count for found in curve}) > 1  # some seeds do not get so far


def test_the_table_has_hand_computed_medians_and_differences():
    lab = made_lab()
    lines = {
        (line.setting, line.arm, line.at, line.score): line
        for line in table(lab, made_rows(lab, better_by_a_tenth))
    }
    line = lines["gaussian → moons", "λ = 0.1", "excess=0.3", "action_ratio"]
    assert line.value.median == pytest.approx(2.35)
    assert line.value.low < 2.35 < line.value.high
    assert line.difference.median == pytest.approx(-0.1)
    assert (line.difference.low, line.difference.high) == pytest.approx((-0.1, -0.1))
    assert (line.runs, line.diverged, line.value.count, line.rate) == (10, 0, 10, 1e-2)
    beside = {
        score: lines["gaussian → ring", "λ = 0.1", "frontier=0.1", score].value.median
        for score in ("step", "fit", "floor", "unmoved", "excess", "undershoot")
    }
    assert beside == {
        "step": 20, "fit": 0.05, "floor": 0, "unmoved": 1, "excess": 0.05, "undershoot": 1
    }  # fmt: skip
    first = lines["gaussian → ring", "plain & <simple>", "end", "action_ratio"]
    assert (first.against, first.difference) == (None, None)


def test_diverged_runs_and_those_that_do_not_get_there_are_counted():
    lab = made_lab(rates=(1e-2, 1e-1))

    def make(place, spec):
        ends = 0.05 if place.seed < 4 else 0.5
        return made_row(spec, 7 if place.rate == 1e-1 else None, miss=[1.0, ends])

    found = {
        (line.at, line.score): line
        for line in table(lab, made_rows(lab, make))
        if line.arm == "λ = 0.1"
    }
    at_end, matched, best = (
        found[at, "action_ratio"] for at in ("end", "excess=0.3", "frontier=0.1")
    )
    assert (at_end.runs, at_end.diverged, at_end.value.count) == (10, 0, 10)
    assert (matched.runs, matched.value.count, matched.difference.count) == (10, 4, 4)
    assert (best.runs, best.diverged, best.value.count) == (20, 10, 4)
    assert math.isnan(best.rate)
    nowhere = made_rows(lab, lambda place, spec: made_row(spec, miss=[1.0, 0.9]))
    (line,) = {
        line.value
        for line in table(lab, nowhere, [Moment("excess", 0.1)])
        if line.score == "line_shape"
    }
    assert line.count == 0


def test_an_infinite_score_is_a_bad_one_and_does_not_vanish():
    lab = made_lab(seeds=7)

    def make(place, spec):
        bent = math.inf if place.seed > 2 else 1.2
        return made_row(spec, line_shape=[1.0, bent if spec.l2 else 1.1])

    lines = table(lab, made_rows(lab, make), [END])
    bent = next(x for x in lines if x.score == "line_shape" and x.arm == "λ = 0.1")
    assert (bent.value.median, bent.value.count) == (math.inf, 7)
    assert verdict("line_shape", bent.difference) == "does not hold"


def test_verdicts_are_of_every_claim_setting_and_moment():
    lab = made_lab()
    rows = made_rows(lab, better_by_a_tenth)
    found = verdicts(lab, rows)
    assert len(found) == 1 * 2 * 3 * 3  # claims × settings × moments × scores
    says = {(v.setting, v.at, v.score): v.says for v in found}
    assert says["gaussian → moons", "excess=0.3", "action_ratio"] == "holds"
    assert says["gaussian → moons", "excess=0.3", "optimal_transport"] == "undecided"
    nowhere = verdicts(lab, rows, [Moment("excess", 0.01)])
    assert [v.says for v in nowhere] == ["undecided"] * 6
    assert {(v.difference.count, v.seeds) for v in nowhere} == {(0, 10)}


def test_the_csv_is_the_table():
    lab = made_lab()
    lines = table(lab, made_rows(lab, better_by_a_tenth))
    parsed = list(csv.DictReader(io.StringIO(to_csv(lines))))
    assert len(parsed) == len(lines)
    for line, told in zip(lines, parsed, strict=True):
        names = ("setting", "arm", "at", "score")
        assert [told[name] for name in names] == [getattr(line, name) for name in names]
        assert float(told["median"]) == pytest.approx(line.value.median, rel=1e-5)
        assert int(told["count"]) == line.value.count
        if line.difference is None:
            assert told["difference_median"] == ""
        else:
            gap = float(told["difference_median"])
            assert gap == pytest.approx(line.difference.median, rel=1e-5, abs=1e-9)


def test_the_runs_csv_has_every_run():
    lab = made_lab(seeds=2)
    rows = made_rows(lab, better_by_a_tenth)
    parsed = list(csv.DictReader(io.StringIO(runs_csv(lab, rows))))
    assert len(parsed) == len(rows)
    assert [told["diverged"] for told in parsed] == [""] * len(rows)
    assert {float(told["action_ratio"]) for told in parsed} == {2.0, 1.9, 2.1}
    assert set(BESIDE) <= parsed[0].keys()


# ---- what is shown


def test_the_text_has_every_arm_and_its_verdict():
    lab = made_lab()
    told = to_text(lab, made_rows(lab, better_by_a_tenth))
    blocks = told.split("\n\n")
    assert len(blocks) == 1 + 2 * 3
    assert "gaussian → moons, at the first point of training with at most 30 %" in told
    assert "floor 0.00, unmoved 1.00 (squared W2)" in blocks[1]
    assert blocks[1].count("✓ holds") == 1
    assert "2.35" in blocks[1]
    assert "action ratio −0.10 [−0.10, −0.10]" in blocks[1]
    free = to_text(made_lab(claims=False), made_rows(lab, better_by_a_tenth))
    assert "holds" not in free
    assert "−0.10 [−0.10, −0.10]" in free


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Interval(-0.314, -0.42, -0.1, 10), "−0.31 [−0.42, −0.10]"),
        (Interval(-0.057, -0.13, -0.0005, 10), "−0.06 [−0.13, −0.0005]"),
        (Interval(12.3, 4.56, 123.4, 10), "+12 [+5, +123]"),
        (Interval(0.0, 0.0, 0.0, 10), "0 [0, 0]"),
        (Interval(1.0, 0.5, math.inf, 10), "+1.0 [+0.5, +∞]"),
        (Interval(-0.5, math.nan, math.nan, 3), "−0.50"),
        (Interval(math.nan, math.nan, math.nan, 0), "–"),
    ],
)
def test_differences_are_told_with_as_many_places_as_they_need(found, told):
    assert difference_words(found) == told


def without_plotly(page: str) -> str:
    """The page without plotly.js itself, which speaks of many addresses and asks none."""
    scripts = re.findall(r"<script>.*?</script>", page, flags=re.DOTALL)
    library = max(scripts, key=len)
    assert len(library) > 3_000_000
    return page.replace(library, "")


def test_the_page_is_whole_in_itself_and_has_everything():
    lab = made_lab()
    page = to_html(lab, made_rows(lab, better_by_a_tenth), "python -m resviz lab <made>")
    own = without_plotly(page)
    assert page.count("plotly.js v") == 1
    assert not re.findall(r"""(?:src|href)\s*=|@import|url\(""", own)
    assert "https:" not in own
    assert "Is a &lt;b&gt;made&lt;/b&gt; lab told as it is?" in own
    assert "plain &amp; &lt;simple&gt;" in own
    assert "<simple>" not in own
    assert "lab &lt;made&gt;" in own
    assert "40 runs, of which 0 diverged" in own
    for name in ("λ = 0.1", "gaussian → moons", "gaussian → ring", "holds", "floor", "unmoved"):
        assert name in own.replace("Floor", "floor")
    assert own.count('type="radio"') == len(lab.moments)
    assert 'id="at-2" checked' in own  # the frontier, which depends on no choice of a rate


def test_a_page_without_claims_judges_nothing():
    lab = made_lab(claims=False)
    assert "What it says" not in to_html(lab, made_rows(lab, better_by_a_tenth))


def test_a_page_tells_how_many_pairs_there_were():
    lab = made_lab()
    few = made_rows(
        lab, lambda place, spec: made_row(spec, miss=[1.0, 0.05 if place.seed < 3 else 0.5])
    )
    assert "undecided: 3 of 10 pairs" in to_html(lab, few)
    same = made_rows(lab, lambda place, spec: made_row(spec))
    assert "undecided: equal" in to_html(lab, same)


def test_a_page_opens_where_there_is_something_to_see_and_says_where_there_is_nothing():
    lab = made_lab()
    assert [moment.kind for moment in lab.moments] == ["end", "excess", "frontier"]
    # Nobody comes near: at the end of training alone there is anything to compare.
    far = made_rows(lab, lambda place, spec: made_row(spec, miss=[1.0, 0.9]))
    page = without_plotly(to_html(lab, far))
    assert re.findall(r'id="at-(\d)" checked', page) == ["0"]
    for moment in lab.moments[1:]:
        told = nobody_words(moment)
        parts = re.findall(rf'<div class="at at-{lab.moments.index(moment)}">(.*?)</div>', page)
        assert parts
        assert all(escape(told) in part and "<table" not in part for part in parts)
    # The strips' moment has nothing either: no axes stand there for it, nor for a frontier.
    assert page.count(escape(nobody_words(lab.moments[1]))) == 1 + 2 * 2
    assert page.count("No frontier is drawn") == 2
    assert "Plotly.newPlot" not in page
    # Where one setting's runs come so far, that moment is better than one with none.
    one = made_rows(
        lab,
        lambda place, spec: made_row(spec, miss=[1.0, 0.05 if spec.target == "ring" else 0.9]),
    )
    page = without_plotly(to_html(lab, one))
    assert page.count("Plotly.newPlot") == 2
    assert re.findall(r'id="at-(\d)" checked', page) == ["0"]


def test_no_chart_of_a_page_has_empty_axes():
    lab = made_lab()
    some = made_rows(
        lab, lambda place, spec: made_row(spec, miss=[1.0, 0.05 if place.seed < 3 else 0.9])
    )
    cells = Cells.of(lab, some)
    looks = arm_looks(lab.arms)
    # Three seeds are shown, each by itself, but are too few for a median's interval.
    frontiers = frontier_chart(cells, "gaussian → moons", looks)
    assert frontiers.data == ()
    shown, empty = strip_moments(lab, cells, "gaussian → moons")
    assert shown
    assert not empty
    for panel in range(len(shown)):
        axis = "x" if panel == 0 else f"x{panel + 1}"
        strips = strip_chart(lab, cells, "gaussian → moons", looks).data
        assert any(len(trace.x) for trace in strips if trace.xaxis == axis)


def test_a_page_s_own_title_says_how_much_is_in_it():
    lab = made_lab()
    page = to_html(lab, made_rows(lab, better_by_a_tenth))
    assert re.search(r"<title>.* 40 runs</title>", page)


@pytest.mark.browser
def test_a_page_is_never_wider_than_its_window(browser: Browser, tmp_path):
    lab = LABS["l2-geodesic"]
    lab = replace(lab, seeds=lab.seeds[:6], rates=lab.rates[:1])
    path = tmp_path / "lab.html"
    path.write_text(to_html(lab, made_rows(lab, better_by_a_tenth)), encoding="utf-8")
    page = browser.new_page(bypass_csp=True)
    page.goto(path.as_uri())
    for width in (1920, 1280, 1024, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for k in range(len(lab.moments)):
            page.evaluate(f"document.getElementById('at-{k}').checked = true")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (width, str(lab.moments[k]))
    page.close()


def test_pictures_show_the_tables_numbers():
    lab = made_lab()
    cells = Cells.of(lab, made_rows(lab, better_by_a_tenth))
    looks = arm_looks(lab.arms)
    lines = [t for t in frontier_chart(cells, "gaussian → moons", looks).data if t.name]
    effort = next(t for t in lines if t.name == "λ = 0.1" and t.yaxis == "y")
    assert list(effort.y)[-1] == pytest.approx(2.35)
    assert effort.customdata[-1][2] == 10
    strip = strip_chart(lab, cells, "gaussian → moons", looks)
    seeds = next(t for t in strip.data if t.name == "λ = 0.1")
    assert list(seeds.x) == pytest.approx([1.9 + k / 10 for k in range(10)])
    assert list(seeds.customdata) == list(range(10))


def test_many_arms_are_told_apart_by_colour_and_dash():
    lab = LABS["l2-geodesic"]
    looks = arm_looks(lab.arms)
    assert len({(look.colour, look.dash) for look in looks}) == len(looks)
    assert 3 <= sum(look.shown for look in looks) <= 6
    few = arm_looks(made_lab().arms)
    assert len({look.colour for look in few}) == len(few)
    assert all(look.shown for look in few)


# ---- labs carried out, killed, interrupted and resumed

GRID = ["--vary", "network=residual,plain", "--seeds=20", *TINY_OPTIONS]


def told_of(folder: Path) -> tuple[list[str], str, str]:
    """The rows of a lab in one order, and both its tables."""
    lines = (folder / "grid.jsonl").read_text(encoding="utf-8").splitlines()
    tables = (folder / f"grid{ending}.csv" for ending in ("", "-runs"))
    return sorted(lines), *(path.read_text(encoding="utf-8") for path in tables)


@pytest.fixture(scope="module")
def through(tmp_path_factory) -> Path:
    """A lab that one worker ran through without a stop."""
    folder = tmp_path_factory.mktemp("through")
    assert main(["lab", *GRID, "-o", str(folder), "--workers=1", "-q"]) == 0
    return folder


def begin(folder: Path, *options: str) -> subprocess.Popen:
    """A lab in a process group of its own, of which a few rows are on file."""
    command = [sys.executable, "-m", "resviz", "lab", *GRID, *options, "-o", str(folder)]
    process = subprocess.Popen(
        [*command, "--workers=1"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    path = folder / "grid.jsonl"
    try:
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 3)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_a_lab_whose_process_was_killed_goes_on_and_ends_the_same(through, tmp_path):
    process = begin(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = children.read_text().split() if children.exists() else []
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(alive, workers)))  # nobody is left to wait for ever
    rows_before = len(read(tmp_path / "grid.jsonl"))
    assert 3 <= rows_before <= 40  # a machine that does other things may have let it end
    assert main(["lab", *GRID, "-o", str(tmp_path), "--workers=1", "-q"]) == 0
    assert told_of(tmp_path) == told_of(through)


@pytest.mark.slow
def test_an_interrupt_leaves_the_file_whole_and_says_how_to_go_on(tmp_path):
    process = begin(tmp_path, "--seeds=200")  # more than anybody waits for
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    path = tmp_path / "grid.jsonl"
    assert path.read_bytes().endswith(b"\n")
    assert f"{len(read(path))} of 400 runs are on file in {path}" in told
    assert "python -m resviz lab --vary network=residual,plain" in told
    assert "Traceback" not in told


LONG = {"depth": 64, "width": 64, "batch": 2048}  # most of an hour


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_told_alone_a_lab_ends_its_workers_and_keeps_what_is_done(tmp_path):
    options = [f"--{name}={value}" for name, value in LONG.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "resviz", "lab", "--vary", "steps=1,20000", "--seeds=1",
         "--particles=20", *options, "-o", str(tmp_path), "--workers=1"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if "1/2 [" in line:
            break
    process.send_signal(signal.SIGINT)
    try:
        told = process.communicate(timeout=PATIENCE)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert told.startswith("interrupted: what is done is written\n")
    assert f"1 of 2 runs are on file in {tmp_path / 'grid.jsonl'}" in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["grid.jsonl"]
    assert len(read(tmp_path / "grid.jsonl")) == 1


@pytest.mark.slow
def test_neither_two_workers_nor_the_death_of_one_changes_a_row(through, tmp_path):
    killed = []

    def kill_one(done: int, total: int) -> None:
        if done == 3:
            worker = multiprocessing.active_children()[0]
            killed.append(worker)
            worker.kill()

    lab = grid(TINY, ["network=residual,plain"], 20)
    rows = carry_out(lab, tmp_path / "grid.jsonl", 2, kill_one)
    assert killed
    lines = (through / "grid.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(map(to_line, rows.values())) == sorted(lines)
    assert runs_csv(lab, rows) == (through / "grid-runs.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_workers_that_always_die_end_the_lab_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_begin_worker", partial(os._exit, 1))
    with pytest.raises(RuntimeError, match=r"workers died 3 times in a row.*2 runs are left"):
        carry_out(grid(TINY, [], 2), tmp_path / "grid.jsonl", 1)


def test_a_finished_lab_runs_nothing_and_tells_the_same(through, capsys):
    before = told_of(through)
    assert main(["lab", *GRID, "-o", str(through), "--workers=1"]) == 0
    assert told_of(through) == before
    printed = capsys.readouterr()
    assert "gaussian → two blobs, after all steps of training" in printed.out
    assert "40/40" in printed.err
    page = (through / "grid.html").read_text(encoding="utf-8")
    assert "python -m resviz lab --vary network=residual,plain --seeds=20" in page


def test_a_finished_lab_that_does_not_fit_keeps_its_pages(through, capsys, monkeypatch):
    before = {path: path.read_bytes() for path in through.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["lab", *GRID, "-o", str(through), "--workers=1", "-q"]) == 1
    told = capsys.readouterr()
    assert "two blobs, after all steps of training" in told.out
    assert told.err.splitlines() == [
        f"output: '{through / name}' was not written (No space left on device)"
        for name in ("grid.csv", "grid-runs.csv", "grid.html")
    ]
    assert {path: path.read_bytes() for path in through.iterdir()} == before


def test_rows_are_one_json_object_a_line(through):
    for line in (through / "grid.jsonl").read_text(encoding="utf-8").splitlines():
        assert json.loads(line).keys() == {"spec", "diverged", "reach", "course", "end"}
