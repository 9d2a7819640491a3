"""The benchmark: the usual loop trains the very same network, and every row is complete.

How fast anything is stands in the benchmark itself, and in no test.
"""

import gc
import itertools
import json
import math
from dataclasses import replace
from multiprocessing import active_children

import numpy as np
import pytest
import torch

from resviz import spec as registries
from resviz.__main__ import main
from resviz.bench import distances, idiomatic, plan, quality, rivals, steps
from resviz.bench.machine import Machine, this_machine
from resviz.bench.report import Report, cells, met, number
from resviz.bench.rows import AS_LONG, Aim, Row, Side, Spread, faster
from resviz.bench.timing import in_turn, no_collector, threads
from resviz.flow import Flow
from resviz.networks import class_logits, tracks
from resviz.parameters import unflatten
from resviz.spec import RunSpec
from resviz.training import advance, initial_state, objective

TINY = RunSpec(
    source="moons", target="two_blobs", depth=3, width=4, steps=10, batch=16, particles=20
)
# Every weight counts: near the identity the outer ones are all but zero.
SHAPES = [
    replace(TINY, network=network, activation=activation, step_size=step_size, task=task,
            start="random", seed=3)
    for network, activation, step_size, task in itertools.product(
        registries.NETWORKS, registries.ACTIVATIONS, registries.STEP_SIZES, registries.TASKS
    )
]  # fmt: skip
PENALISED = replace(TINY, start="random", l2=0.01, kinetic=0.1, head_decay=0.1)
OBJECTIVES = {
    "energy": replace(TINY, start="random"),
    "sliced": replace(TINY, start="random", loss="sliced"),
    "both weights": PENALISED,
    "outer weights": replace(PENALISED, l2_on="outer"),
    "classes": replace(PENALISED, task="classify"),
}
SMALL = plan.Size(
    runs=2, slow_runs=1, seconds=0.001, steps=2, variants=True, clouds=(16,),
    sinkhorn=(("gaussian", "moons"),), seeds=1, trainings=(2,), window=0.1,
    alone=TINY, default=TINY, moons=TINY, close=TINY, straight=replace(TINY, kinetic=0.1),
)  # fmt: skip
ANY_MACHINE = Machine("A processor", 2, "3.11", "2.13", "2.4", "0.9")


@pytest.fixture(autouse=True)
def one_thread():
    """As both sides have it."""
    with threads(1):
        yield


def named(spec):
    return "-".join([spec.network, spec.activation, spec.step_size, spec.task])


def both(spec):
    """Our flat vector and the usual network, in double precision, with the same weights."""
    flat = torch.from_numpy(initial_state(spec).parameters).double().requires_grad_()
    network = idiomatic.Network(spec, torch.float64).load(flat.detach().numpy())
    return flat, network


def close(seen, right, share=1e-6):
    """No entry is off by more than a share of the largest."""
    torch.testing.assert_close(seen, right, rtol=0, atol=share * right.abs().max().item())


# ---- the usual loop


@pytest.mark.parametrize("spec", SHAPES, ids=named)
def test_the_usual_network_has_our_states_and_gradients(spec):
    flat, network = both(spec)
    points, _ = idiomatic.batch(spec, 0, torch.float64)
    ours = Flow(spec, spec.batch, torch.float64)(flat, points)
    theirs = torch.stack(network(points))
    close(ours, theirs)
    weights = torch.randn(
        theirs.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    seen, right = (ours * weights).sum(), (theirs * weights).sum()
    if spec.classes:
        seen = seen + class_logits(unflatten(spec, flat), ours[-1]).square().sum()
        right = right + network.head(theirs[-1]).square().sum()
    seen.backward()
    right.backward()
    close(flat.grad, network.flat_gradient())


@pytest.mark.parametrize("spec", OBJECTIVES.values(), ids=OBJECTIVES)
def test_the_usual_objective_is_ours(spec):
    flat, network = both(spec)
    seen = objective(spec, flat, 7)
    right = idiomatic.objective(spec, network, *idiomatic.batch(spec, 7, torch.float64), 7)
    close(seen.detach(), right.detach())
    seen.backward()
    right.backward()
    close(flat.grad, network.flat_gradient())


def test_weights_may_be_drawn_to_where_they_began():
    spec = replace(PENALISED, l2_towards="start")
    flat, network = both(spec)
    start = idiomatic.begun(spec, torch.float64)
    with torch.no_grad():
        flat += 0.1
    network.load(flat.detach().numpy())
    seen = objective(spec, flat, 0)
    source, goal = idiomatic.batch(spec, 0, torch.float64)
    right = idiomatic.objective(spec, network, source, goal, 0, start)
    close(seen.detach(), right.detach())


def test_the_usual_sinkhorn_is_ours_where_both_converge():
    spec = replace(TINY, loss="sinkhorn", epsilon=1.0)
    flat, network = both(spec)
    seen = objective(spec, flat, 0)
    right = idiomatic.objective(spec, network, *idiomatic.batch(spec, 0, torch.float64), 0)
    close(seen.detach(), right.detach(), 1e-3)


@pytest.mark.parametrize("spec", [TINY, replace(PENALISED, task="classify", l2_towards="start")])
def test_the_usual_loop_trains_our_network(spec):
    spec = replace(spec, steps=30)
    ours = advance(spec, initial_state(spec), 20)
    theirs = idiomatic.train(spec, 20).flat().numpy()
    points = quality.pipeline.own_points(spec).particles
    before = tracks(spec, initial_state(spec).parameters, points)
    after = tracks(spec, ours.parameters, points)
    np.testing.assert_allclose(tracks(spec, theirs, points), after, atol=1e-3)
    assert np.abs(after - before).max() > 0.1


def test_the_usual_loop_ends_with_the_spec():
    training = idiomatic.Training(replace(TINY, steps=3))
    training.take(2)
    training.take(2)
    assert training.step == 3


def test_a_vector_comes_back_as_it_went_in():
    spec = replace(TINY, task="classify")
    flat = np.arange(len(initial_state(spec).parameters), dtype=np.float32)
    assert (idiomatic.Network(spec).load(flat).flat().numpy() == flat).all()
    assert not idiomatic.Network(spec).flat_gradient().any()


# ---- the clock


def test_ways_are_timed_in_turn_and_in_their_threads():
    turns, told = [], {}

    def way(name):
        def work():
            turns.append(name)
            told[name] = torch.get_num_threads(), gc.isenabled()

        return work

    taken = in_turn({"a": way("a"), "b": way("b")}, 3, 0.0, split={"b": 2})
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3}
    assert [name for name, _ in itertools.groupby(turns)] == ["a", "b"] * 3
    assert told == {"a": (1, False), "b": (2, False)}
    assert torch.get_num_threads() == 1
    assert gc.isenabled()
    assert all(s >= 0 for seconds in taken.values() for s in seconds)


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with no_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


# ---- rows and the report


def test_a_row_of_two_ways_has_the_ratio_of_each_run():
    row = faster("a thing", "the usual", [4.0, 9.0, 2.0], [1.0, 3.0, 1.0], Aim(3))
    assert row.ratio.values == (4.0, 3.0, 2.0)
    assert (row.ratio.median, row.ratio.low, row.ratio.high) == (3.0, 2.0, 4.0)
    assert (row.other.seen.median, row.ours.seen.median) == (4000.0, 1000.0)
    assert met(row) == (2, 3)
    assert cells(row) == (
        "a thing", "the usual: 4000 ms", "1000 ms", "**3× faster** (2 to 4)", "≥ 3×: 2 of 3",
    )  # fmt: skip


def test_an_aim_with_a_unit_is_about_ours():
    row = Row(
        "a run", Side(Spread((4.5,)), "s"), "b", Side(Spread((9.0,)), "s"), Spread((2.0,)), AS_LONG,
        Aim(5, at_least=False, unit="s"),
    )  # fmt: skip
    assert met(row) == (1, 1)
    assert cells(row)[3:] == ("**2× as long**", "≤ 5 s: yes")
    assert cells(replace(row, ours=None))[2:] == ("not reached", "**2× as long**", "≤ 5 s: no")


def test_a_spread_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a spread needs at least one"):
        Spread(())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.02134, "0.0213"), (0.998, "0.998"), (0.9996, "1.00"), (12.34, "12.3"), (320.0, "320"),
        (850.4, "850"), (99.96, "100"), (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_a_report_is_markdown_and_json():
    side = Side(Spread((1.5, math.inf)), "s", (("step", 320, ""), ("first after", 0.25, "s")))
    noted = Row("a|b", side, note="mind this")
    rows = (noted, Row("c", None, "d", None), noted)
    report = Report(ANY_MACHINE, "python -m resviz bench", rows)
    lines = report.markdown().splitlines()
    assert lines[0].startswith("A processor, 2 cores; Python 3.11, PyTorch 2.13")
    assert lines[2:4] == [
        "| what | against | ours | ratio (least to most) | aim |",
        "| --- | --- | --- | --- | --- |",
    ]
    assert lines[4] == "| a∣b [1] |  | – s, step 320, first after 0.250 s |  |  |"
    assert lines[5] == "| c | d: not reached | not reached |  |  |"
    assert lines[6:] == [lines[4], "", "1. mind this"]
    told = json.loads(report.json())
    assert told["machine"]["cores"] == 2
    assert told["rows"][0]["ours"]["seen"]["values"] == [1.5, None]
    assert told["rows"][1]["aim_met"] is None


def test_this_machine_is_told_in_one_line():
    line = this_machine().line
    assert torch.__version__ in line
    assert "\n" not in line
    assert "core" in line


# ---- what is measured


def complete(rows):
    """Every row says what it is, and all its numbers are numbers."""
    for row in rows:
        assert row.what
        assert (row.other is None) == (not row.against), row.what
        for spread in (row.ours.seen, row.ratio or row.ours.seen):
            assert all(math.isfinite(value) for value in spread.values), row.what
        assert all(text.isprintable() for text in cells(row))
    return True


def test_steps_have_their_rows():
    rows = steps.network_alone(2, 0.001, variants=True, spec=TINY)
    assert complete(rows)
    assert [row.against for row in rows][2:] == [
        "idiomatic loop, Adam fused", f"idiomatic loop, {steps.own_cores()} threads",
    ]  # fmt: skip
    assert len(steps.network_alone(2, 0.001, variants=False, spec=TINY)) == 2
    assert complete(steps.whole_steps(2, 3, variants=True, spec=TINY))


def test_our_step_against_an_mse_is_the_usual_one():
    """The two that are timed do the same to the same network."""
    spec = replace(TINY, start="random")
    usual, ours = (make(spec) for make in (steps.idiomatic_step, steps.ours_step))
    losses = [(usual(), ours()) for _ in range(5)]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)
    assert losses[-1][0] < losses[0][0]


def test_distances_have_their_rows():
    assert complete(distances.energy(16, 2, 0.001))
    assert complete([distances.sliced(16, 2, 0.001)])
    assert complete([distances.sinkhorn(replace(TINY, loss="sinkhorn"), 2, 0.001)])
    assert complete([distances.exact_plan(16, 2, 0.001)])


def test_distances_that_differ_are_not_timed(monkeypatch):
    monkeypatch.setattr(rivals, "energy_distance", lambda x, y: (x.mean() - y.mean()).square())
    with pytest.raises(RuntimeError, match="energy distance of 16 points: ours and the other way"):
        distances.energy(16, 1, 0.001)


def test_quality_has_its_rows():
    pairs = [quality.trained_by_both(replace(TINY, seed=seed)) for seed in (0, 1)]
    for pair in pairs:
        assert [m.step for m in pair.ours] == [m.step for m in pair.theirs]
        assert [m.step for m in pair.ours][-1] == TINY.steps
        assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(pair.ours))
        np.testing.assert_allclose(pair.ours[-1].fit, pair.theirs[-1].fit, rtol=1e-2)
    worst = max(moment.fit for pair in pairs for moment in pair.ours)
    assert complete([quality.to_fit(pairs, TINY, worst + 1), quality.at_the_end(pairs, TINY)])
    assert complete([quality.same_fit(pairs[0])])
    never = quality.to_fit(pairs, TINY, 0.0)
    assert never.ours is never.other is never.ratio is None
    assert cells(never)[1:3] == ("idiomatic loop: not reached", "not reached")


def test_a_fit_that_one_seed_misses_is_told():
    moments = [quality.Moment(5, 1.0, fit, 1.0) for fit in (0.1, 0.9)]
    pairs = [quality.Pair((moment,), (moment,)) for moment in moments]
    row = quality.to_fit(pairs, TINY, 0.5)
    assert row.ratio.values == (1.0,)
    assert row.note == "by both with 1 of 2 seeds"


def test_a_straight_run_is_told_whether_it_arrives_or_not(monkeypatch):
    row = quality.straight_and_soon(TINY)
    assert row.ours is None
    assert "at the end fit" in row.note
    monkeypatch.setattr(quality, "OVER_THE_FLOOR", 100)
    monkeypatch.setattr(quality, "STRAIGHT_ENOUGH", 1e9)
    assert complete([quality.straight_and_soon(TINY)])


def test_the_default_run_has_its_row():
    assert complete([quality.default_run(1, True, TINY), quality.default_run(1, False, TINY)])


# ---- the command


@pytest.mark.slow
def test_bench_measures_everything_and_writes_every_form(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan, "QUICK", SMALL)
    monkeypatch.setattr(distances, "NEAR", 10)  # few points are not easy
    paths = [tmp_path / "bench.md", tmp_path / "bench.json"]
    assert main(["bench", "--quick", *(word for p in paths for word in ("-o", str(p)))]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(paths[0].read_text(encoding="utf-8"))
    assert "13/13" in printed.err
    told = json.loads(paths[1].read_text(encoding="utf-8"))
    assert told["command"].startswith("python -m resviz bench --quick")
    rows = {row["what"]: row for row in told["rows"]}
    for part in ("MSE", "whole step", "energy", "sliced", "Sinkhorn", "plan", "until", "default",
                 "worker and back", "picture", "SIGKILL"):  # fmt: skip
        assert any(part in what for what in rows), part
    together = rows["steps a second of 2 trainings, all together"]
    ((name, fairness, _),) = together["ours"]["also"]
    assert name == "fewest/most steps"
    assert 0 < fairness <= 1
    assert not active_children()  # the engine and its workers are gone


def run_parts(monkeypatch, *measures):
    found = [plan.Part(f"part {k}", measure) for k, measure in enumerate(measures)]
    monkeypatch.setattr(plan, "parts", lambda size, stack: found)
    return main(["bench", "--quiet"])


def fail():
    raise RuntimeError("The engine is asleep.")


def interrupt():
    raise KeyboardInterrupt


def a_row():
    return [Row("a thing", Side(Spread((1.0,)), "s"))]


def test_a_part_that_fails_leaves_the_others(monkeypatch, capsys):
    assert run_parts(monkeypatch, fail, a_row) == 1
    printed = capsys.readouterr()
    assert "| a thing |" in printed.out
    assert printed.err == "part 0: The engine is asleep.\n"


def test_what_was_measured_before_an_interruption_is_told(monkeypatch, capsys):
    assert run_parts(monkeypatch, a_row, interrupt, fail) == 130
    printed = capsys.readouterr()
    assert "| a thing |" in printed.out
    assert printed.err == "interrupted\n"


def test_quick_is_a_smaller_plan(monkeypatch):
    sizes = []
    monkeypatch.setattr(plan, "parts", lambda size, stack: sizes.append(size) or [])
    assert main(["bench", "-q"]) == main(["bench", "--quick", "-q"]) == 0
    assert sizes == [plan.FULL, plan.QUICK]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("bench.html", "output: 'bench.html' has no known ending; known are .md, .json"),
        ("no/such/folder/bench.md", "lies in a folder that does not exist"),
        ("folder.md", "is a folder; a file's name is needed"),
    ],
)
def test_bad_output_is_refused_before_measuring(capsys, tmp_path, monkeypatch, output, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(SystemExit) as ending:
        main(["bench", "-o", output])
    assert ending.value.code == 2
    assert said in capsys.readouterr().err
