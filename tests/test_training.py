"""Training as a pure function: the same bits, however its steps are cut and wherever they run."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resviz import spec as registries
from resviz.distributions import sample
from resviz.losses import head_penalty, weight_penalty
from resviz.networks import predicted_classes, tracks
from resviz.parameters import Parameters, unflatten
from resviz.records import STATE_ARRAYS, TrainState
from resviz.spec import RunSpec
from resviz.training import DIVERGED_BEYOND, advance, initial_state, learning_rate

ROOT = Path(__file__).parents[1]
TINY = RunSpec(depth=3, width=4, steps=40, batch=16)
PENALISED = replace(TINY, l2=0.01, kinetic=0.1)
DIVERGING = replace(TINY, learning_rate=10.0, step_size="1", start="random")
CLASSIFYING = replace(TINY, task="classify", source="moons")
# One of each kind of training.
KINDS = {
    "energy": TINY,
    "sliced": replace(TINY, loss="sliced"),
    "sinkhorn": replace(TINY, loss="sinkhorn"),
    "plain": replace(TINY, network="plain"),
    "penalised": PENALISED,
    "penalised towards the start": replace(PENALISED, l2_towards="start"),
    "outer weights penalised": replace(PENALISED, l2_on="outer", l2_towards="start"),
    "classifying": CLASSIFYING,
    "classifying, penalised": replace(CLASSIFYING, l2=0.01, kinetic=0.1, head_decay=0.1),
    "classifying, plain": replace(CLASSIFYING, network="plain", l2=0.01, l2_towards="start"),
}
every_kind = pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)


def train(spec, *chunks):
    state = initial_state(spec)
    for steps in chunks or (spec.steps,):
        state = advance(spec, state, steps)
    return state


def digest(state):
    parts = [getattr(state, name).tobytes() for name in STATE_ARRAYS]
    numbers = repr((state.step, state.loss, state.diverged)).encode()
    return hashlib.sha256(b"".join([*parts, numbers])).hexdigest()


@pytest.fixture
def threads():
    """Set PyTorch's number of threads; it is put back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("spec", [*KINDS.values(), DIVERGING], ids=[*KINDS, "diverging"])
def test_steps_may_be_cut_anywhere(spec):
    whole = digest(train(spec))
    assert digest(train(spec, 7, 13, 20)) == whole
    assert digest(train(spec, *[1] * 40)) == whole
    assert digest(train(spec, 0, 40, 0)) == whole


def test_every_kind_of_training_is_another_one():
    assert len({digest(train(spec, 5)) for spec in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": "sliced"},
        {"loss": "sinkhorn", "batch": 256, "steps": 2},
        {"network": "plain", "l2": 0.1, "l2_towards": "start"},
        {"task": "classify", "source": "moons"},
    ],
    ids=lambda change: next(iter(change.values()), "as it is"),
)
def test_the_number_of_threads_changes_nothing(change, threads):
    # Batches large enough for PyTorch to share them out.
    shape = {"depth": 2, "width": 64, "steps": 4, "batch": 512, "kinetic": 0.1}
    spec = RunSpec(**(shape | change))
    digests = []
    for number in (1, 2, 4):
        threads(number)
        digests.append(digest(train(spec)))
        assert torch.get_num_threads() == number
    assert len(set(digests)) == 1


def test_another_process_takes_the_same_steps():
    halfway = train(PENALISED, 20)
    code = """
import pickle, sys
from resviz.spec import RunSpec
from resviz.training import advance
spec, state = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(advance(spec, state, 20)))
"""
    worker = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((PENALISED, halfway)),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert digest(pickle.loads(worker.stdout)) == digest(train(PENALISED))


def test_a_spec_that_went_through_a_link_trains_the_same():
    linked = RunSpec.from_query(json.loads(json.dumps(PENALISED.to_query())))
    assert digest(train(linked)) == digest(train(PENALISED))


def test_a_state_is_small_and_survives_pickling():
    spec = RunSpec(batch=16)
    state = train(spec, 2)
    pickled = pickle.dumps(state)
    assert len(pickled) < 100_000
    assert digest(pickle.loads(pickled)) == digest(state)


def test_the_given_state_is_left_as_it_was():
    state = train(PENALISED, 5)
    before = digest(state)
    for name in STATE_ARRAYS:
        getattr(state, name).setflags(write=False)
    later = advance(PENALISED, state, 5)
    assert digest(state) == before
    assert digest(later) != before


def test_a_new_state_shares_no_memory_with_the_old_one():
    state = train(TINY, 5)
    later = advance(TINY, state, 5)
    for name in STATE_ARRAYS:
        assert not np.shares_memory(getattr(state, name), getattr(later, name))


def test_the_first_state():
    state = initial_state(TINY)
    assert state.step == 0
    assert state.diverged is None
    assert np.isnan(state.loss)
    assert not state.first_moment.any()
    assert not state.second_moment.any()
    assert all(getattr(state, name).dtype == np.float32 for name in STATE_ARRAYS)


def test_training_stops_at_the_last_step():
    state = train(TINY, 1000)
    assert state.step == TINY.steps
    assert advance(TINY, state, 1) is state


def test_no_steps_change_nothing():
    state = train(TINY, 5)
    assert advance(TINY, state, 0) is state


@pytest.mark.parametrize("steps", [-1, -40])
def test_negative_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"steps: {steps} is not allowed"):
        advance(TINY, initial_state(TINY), steps)


@pytest.mark.parametrize("other", [{"depth": 4}, {"depth": 2}, {"width": 6}])
def test_a_state_of_another_network_is_refused(other):
    with pytest.raises(ValueError, match="state"):
        advance(TINY, initial_state(replace(TINY, **other)), 1)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"step_size": "1", "activation": "relu"},
        {"network": "plain", "learning_rate": 0.01},
        {"loss": "sliced"},
        {"loss": "sinkhorn", "batch": 96, "steps": 100},
    ],
    ids=lambda change: next(iter(change.values()), "as it is"),
)
def test_training_brings_the_output_to_the_target(change):
    spec = replace(TINY, **({"width": 16, "steps": 150, "batch": 128} | change))
    first, last = train(spec, 1).loss, train(spec).loss
    assert last < 0.4 * first  # one batch each: they differ by a tenth


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"source": "ring"},
        {"target": "ring"},
        {"batch": 17},
        {"activation": "relu"},
        {"step_size": "1"},
        {"start": "random"},
        {"l2": 0.01},
        {"kinetic": 0.01},
        {"learning_rate": 0.01},
        {"steps": 41},
        {"network": "plain"},
        {"loss": "sliced"},
        {"loss": "sinkhorn"},
        {"source": "moons", "task": "classify"},
    ],
    ids=lambda change: list(change)[-1],
)
def test_every_field_of_training_matters(change):
    weights = train(TINY, 5).parameters
    assert not np.array_equal(train(replace(TINY, **change), 5).parameters, weights)


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        (KINDS["sliced"], {"projections": 63}),
        (KINDS["sinkhorn"], {"epsilon": 0.2}),
        (PENALISED, {"l2_on": "outer"}),
        (PENALISED, {"l2_towards": "start"}),
        (CLASSIFYING, {"source": "xor"}),
        (CLASSIFYING, {"head_decay": 0.1}),
        (CLASSIFYING, {"head_decay": 0.0}),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_a_field_matters_where_it_is_asked_for(spec, change):
    weights = train(spec, 5).parameters
    assert not np.array_equal(train(replace(spec, **change), 5).parameters, weights)


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        (TINY, {"particles": 7}),
        (TINY, {"projections": 7}),
        (TINY, {"epsilon": 1.0}),
        (TINY, {"head_decay": 0.5}),
        (TINY, {"l2_on": "outer"}),
        (TINY, {"l2_towards": "start"}),
        (KINDS["plain"], {"step_size": "1"}),
        (CLASSIFYING, {"target": "ring"}),
        (CLASSIFYING, {"loss": "sinkhorn"}),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_a_field_that_says_nothing_of_this_training_does_not_touch_it(spec, change):
    assert digest(train(replace(spec, **change))) == digest(train(spec))


@pytest.mark.parametrize(("network", "activation"), [("residual", "tanh"), ("plain", "relu")])
def test_a_classifier_tells_moons_apart(network, activation):
    spec = RunSpec(
        task="classify",
        source="moons",
        network=network,
        activation=activation,
        depth=2,
        width=16,
        batch=128,
        steps=250,
        learning_rate=0.02,
    )
    points, labels = sample("moons", 500, np.random.default_rng(1))

    def accuracy(state):
        end = tracks(spec, state.parameters, points)[-1]
        return np.mean(predicted_classes(spec, state.parameters, end) == labels)

    assert accuracy(initial_state(spec)) < 0.9  # a straight line does not
    assert accuracy(train(spec)) > 0.95


# Small weights


def filled(inner, outer, free=100.0, classes=0):
    """Parameters of two layers of two units, every number of a block the same."""
    return Parameters(
        inner=torch.full((2, 2, 2), inner),
        inner_bias=torch.full((2, 2), free),
        outer=torch.full((2, 2, 2), outer),
        outer_bias=torch.full((2, 2), free),
        head=torch.full((classes, 2), free),
        head_bias=torch.full((classes,), free),
    )


@pytest.mark.parametrize("free", [0.0, 100.0])
@pytest.mark.parametrize(
    ("others", "penalty"),
    [
        # The squares of eight inner weights 1 − 4 and of eight outer ones −2 − 0.
        ({"step_size": "1"}, 72 + 32),
        ({"step_size": "1", "l2_on": "outer"}, 32),
        ({"step_size": "1/L"}, (72 + 32) / 2),
        ({"step_size": "1/L", "l2_on": "outer"}, 16),
    ],
)
def test_the_penalty_towards_the_start_by_hand(others, penalty, free):
    network = RunSpec(depth=2, width=2, l2_towards="start", **others)
    weights, start = filled(1.0, -2.0, free, classes=3), filled(4.0, 0.0, classes=3)
    assert weight_penalty(network, weights, start).item() == penalty
    assert weight_penalty(network, start, start).item() == 0


@pytest.mark.parametrize(("l2_on", "inner_slope"), [("both", -3.0), ("outer", 0.0)])
def test_towards_the_start_each_weight_is_drawn_by_how_far_it_has_gone(l2_on, inner_slope):
    network = RunSpec(depth=2, width=2, step_size="1/L", l2_towards="start", l2_on=l2_on)
    weights = filled(1.0, -2.0, classes=3)
    for block in weights:
        block.requires_grad_()
    weight_penalty(network, weights, filled(4.0, 0.5, classes=3)).backward()
    # Twice h times the way from the start: 1 − 4, −2 − 0.5, with h = 1/2.
    assert weights.outer.grad.unique().tolist() == [-2.5]
    drawn = weights.inner.grad
    assert (0.0 if drawn is None else drawn.unique().item()) == inner_slope
    for free in (weights.inner_bias, weights.outer_bias, weights.head, weights.head_bias):
        assert free.grad is None


def test_head_penalty_by_hand():
    weights = filled(100.0, 100.0)._replace(
        head=torch.tensor([[1.0, 2.0], [0.0, -3.0]]), head_bias=torch.tensor([100.0, 100.0])
    )
    assert head_penalty(weights).item() == 14


PIECES = 6


def sampled(blocks, depth):
    """Weights that are functions of time, constant over each of six pieces, at `depth` layers."""
    return Parameters(*(block.repeat_interleave(depth // PIECES, dim=0) for block in blocks))


@pytest.mark.parametrize("l2_towards", registries.L2_TOWARDS)
@pytest.mark.parametrize("l2_on", registries.L2_ON)
def test_small_weights_cost_the_same_at_every_depth(l2_on, l2_towards):
    """∫ ‖A(t)‖² + ‖B(t)‖² dt of one flow, however many layers walk it; and so each of four
    times as many layers is drawn a quarter as much.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = (PIECES, 8, 2), (PIECES, 8), (PIECES, 2, 8), (PIECES, 2)
    flow, start = (
        [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
        + [torch.zeros(0, 2), torch.zeros(0)]
        for _ in range(2)
    )
    penalties, pulls = [], []
    for depth in (6, 24):
        network = RunSpec(depth=depth, width=8, step_size="1/L", l2_on=l2_on, l2_towards=l2_towards)
        weights = Parameters(*(block.requires_grad_() for block in sampled(flow, depth)))
        penalty = weight_penalty(network, weights, sampled(start, depth))
        penalty.backward()
        penalties.append(penalty.item())
        pulls.append(weights.outer.grad[:: depth // PIECES])
    assert penalties[0] == pytest.approx(penalties[1], rel=1e-6)
    assert penalties[0] > 1
    torch.testing.assert_close(pulls[1], pulls[0] / 4)


def test_l2_on_chooses_the_weights_that_are_charged():
    both = train(replace(TINY, l2=0.5), 5).parameters
    outer = train(replace(TINY, l2=0.5, l2_on="outer"), 5).parameters
    assert not np.array_equal(both, outer)


@pytest.mark.parametrize("change", [{}, {"network": "plain"}, {"task": "classify"}], ids=str)
def test_a_price_on_weights_keeps_them_small(change):
    spec = replace(TINY, source="moons", activation="relu", **change)
    free, charged = (train(replace(spec, l2=price)).parameters for price in (0.0, 1.0))
    assert np.linalg.norm(charged) < 0.8 * np.linalg.norm(free)


@pytest.mark.parametrize("spec", [TINY, KINDS["plain"], CLASSIFYING])
def test_a_price_on_leaving_the_start_is_nothing_there(spec):
    drawn = replace(spec, l2=1.0, l2_towards="start")
    assert digest(train(drawn, 1)) == digest(train(spec, 1))
    assert digest(train(drawn, 5)) != digest(train(spec, 5))


@pytest.mark.parametrize("network", registries.NETWORKS)
@pytest.mark.parametrize("first", registries.STARTS)
def test_a_price_on_leaving_the_start_keeps_weights_there(network, first):
    free = replace(
        TINY, network=network, start=first, step_size="1", activation="relu", learning_rate=0.005
    )
    start = unflatten(free, torch.from_numpy(initial_state(free).parameters))

    def gone(spec):
        """How far the weights that λ charges for are from where they began."""
        weights = unflatten(spec, torch.from_numpy(train(spec).parameters))
        ways = weights.inner - start.inner, weights.outer - start.outer
        return float(sum(way.square().sum() for way in ways)) ** 0.5

    drawn = replace(free, l2=1.0, l2_towards="start")
    assert gone(drawn) < 0.8 * gone(free)
    assert gone(drawn) < 0.5 * gone(replace(drawn, l2_towards="zero"))


@pytest.mark.parametrize(
    ("penalty", "cost"),
    [
        # h Σ ‖A‖² + ‖B‖²: a third of three layers of eight ones.
        ({"l2": 0.5}, 0.5 * 8),
        ({"l2": 0.5, "l2_on": "outer"}, 0.0),
        # Three even steps of length 1: the square of the whole way.
        ({"kinetic": 0.1}, 0.1 * 9),
        ({"l2": 0.5, "kinetic": 0.1}, 0.5 * 8 + 0.1 * 9),
    ],
)
def test_each_penalty_is_added_to_the_loss_at_its_price(penalty, cost):
    # Inner weights of 1, which outer weights of 0 hide, and a bias of 3 to the right.
    blocks = np.ones((3, 4, 2)), np.zeros((3, 4)), np.zeros((3, 2, 4)), [[3, 0]] * 3
    weights = np.concatenate([np.ravel(block) for block in blocks]).astype(np.float32)
    state = TrainState(0, weights, np.zeros_like(weights), np.zeros_like(weights))
    free, charged = (advance(spec, state, 1).loss for spec in (TINY, replace(TINY, **penalty)))
    assert charged - free == pytest.approx(cost, abs=1e-5)


def zero_state(spec, **blocks):
    """A state of zeros but for the blocks that are given."""
    state = initial_state(spec)
    weights = torch.zeros(state.parameters.shape)
    parameters = unflatten(spec, weights)
    for name, value in blocks.items():
        getattr(parameters, name)[:] = torch.tensor(value)
    return replace(state, parameters=weights.numpy())


@pytest.mark.parametrize(("source", "classes"), [("moons", 2), ("pinwheel", 5), ("text:WORD", 4)])
@pytest.mark.parametrize("network", registries.NETWORKS)
def test_a_head_that_says_nothing_is_wrong_by_the_logarithm_of_its_choices(
    source, classes, network
):
    spec = replace(CLASSIFYING, source=source, network=network)
    loss = advance(spec, zero_state(spec), 1).loss
    assert loss == pytest.approx(np.log(classes), rel=1e-6)


def test_cross_entropy_by_hand(monkeypatch):
    places, labels = np.array([[1.0, 0], [2, 0], [3, 0], [4, 0]]), np.array([1, 0, 1, 1])
    monkeypatch.setattr("resviz.training.sample", lambda *_: (places, labels))
    spec = replace(CLASSIFYING, batch=4, head_decay=0.0)
    # The bias alone: one to three for class 1, wherever the points are.
    loss = advance(spec, zero_state(spec, head_bias=[0.0, np.log(3)]), 1).loss
    assert loss == pytest.approx(-(np.log(1 / 4) + 3 * np.log(3 / 4)) / 4, rel=1e-6)
    # 1, 2, 3, 4 to one for class 1; each of three layers of length 1/3 goes right by 1.
    states = zero_state(spec, head=[[0.0, 0], [np.log(2), 0]], outer_bias=[[1.0, 0]] * 3)
    odds = 2.0 ** np.array([2, 3, 4, 5])
    rights = np.where(labels == 1, odds, 1) / (1 + odds)
    assert advance(spec, states, 1).loss == pytest.approx(-np.log(rights).mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("others", "cost"),
    [({"head_decay": 0.5}, 0.5 * 12), ({"l2": 0.5}, 0.0), ({"l2": 0.5, "head_decay": 1.0}, 12.0)],
)
def test_the_head_has_a_decay_of_its_own(others, cost):
    spec = replace(CLASSIFYING, head_decay=0.0)
    state = zero_state(spec, head=[[1.0, -2.0], [2.0, np.sqrt(3)]], head_bias=[5.0, 5.0])
    free, charged = (advance(s, state, 1).loss for s in (spec, replace(spec, **others)))
    assert charged - free == pytest.approx(cost, abs=1e-5)


@every_kind
def test_the_gradient_is_the_slope_of_the_loss(spec):
    """The loss a little ahead and a little behind, in the gradient's own direction.

    The gradient itself is read off Adam: its first moment after one step is a tenth of it.
    """
    state = initial_state(replace(spec, start="random"))
    gradient = 10 * advance(spec, state, 1).first_moment.astype(float)
    length = np.linalg.norm(gradient)
    reach = 0.01

    def loss(distance):
        moved = state.parameters + distance * gradient / length
        there = TrainState(0, moved.astype(np.float32), state.first_moment, state.second_moment)
        return advance(spec, there, 1).loss

    slope = (loss(reach) - loss(-reach)) / (2 * reach)
    assert slope == pytest.approx(length, rel=0.01)


def test_the_learning_rate_warms_up_and_falls_to_0():
    spec = RunSpec(steps=100, learning_rate=0.5)
    rates = np.array([learning_rate(spec, step) for step in range(101)])
    # The first twentieth is five steps, so the first step has a fifth of the rate.
    assert rates[0] == pytest.approx(0.1, rel=1e-12)
    assert rates[50] == pytest.approx(0.25, rel=1e-12)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert rates.max() <= 0.5
    assert (np.diff(rates[:5]) > 0).all()
    assert (np.diff(rates[4:]) < 0).all()
    assert (rates[:100] > 0).all()


@pytest.mark.parametrize("steps", [1, 2, 19])
def test_short_runs_have_a_rate_too(steps):
    spec = RunSpec(steps=steps, learning_rate=0.5)
    assert learning_rate(spec, 0) == pytest.approx(0.5, rel=1e-12)


def test_a_run_that_diverges_ends_with_its_last_finite_network():
    state = train(DIVERGING)
    assert state.diverged == state.step + 1
    assert 0 < state.step < DIVERGING.steps
    assert all(np.isfinite(getattr(state, name)).all() for name in STATE_ARRAYS)
    assert state.loss <= DIVERGED_BEYOND["energy"]
    assert advance(DIVERGING, state, 1) is state


def test_every_loss_has_a_value_that_it_does_not_come_back_from():
    assert DIVERGED_BEYOND.keys() == {*registries.LOSSES, "cross-entropy"}


@pytest.mark.parametrize(
    "change",
    [
        *({"loss": loss} for loss in registries.LOSSES),
        {"network": "plain"},
        {"activation": "relu", "task": "classify", "source": "moons"},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_every_kind_of_training_can_diverge(change):
    spec = replace(DIVERGING, **change)
    state = train(spec)
    assert state.diverged == state.step + 1
    assert all(np.isfinite(getattr(state, name)).all() for name in STATE_ARRAYS)


def test_the_step_that_diverged_was_not_taken():
    state = train(DIVERGING)
    stopped_before = train(DIVERGING, state.step)
    assert stopped_before.diverged is None
    assert digest(replace(state, diverged=None)) == digest(stopped_before)
