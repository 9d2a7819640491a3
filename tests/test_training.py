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

from resviz.records import STATE_ARRAYS, TrainState
from resviz.spec import RunSpec
from resviz.training import DIVERGED_BEYOND, advance, initial_state, learning_rate

ROOT = Path(__file__).parents[1]
TINY = RunSpec(depth=3, width=4, steps=40, batch=16)
PENALISED = replace(TINY, l2=0.01, kinetic=0.1)
DIVERGING = replace(TINY, learning_rate=10.0, step_size="1", start="random")


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


@pytest.mark.parametrize(
    "spec", [TINY, PENALISED, DIVERGING], ids=["plain", "penalised", "diverging"]
)
def test_steps_may_be_cut_anywhere(spec):
    whole = digest(train(spec))
    assert digest(train(spec, 7, 13, 20)) == whole
    assert digest(train(spec, *[1] * 40)) == whole
    assert digest(train(spec, 0, 40, 0)) == whole


def test_the_number_of_threads_changes_nothing(threads):
    # Batches large enough for PyTorch to share them out.
    spec = RunSpec(depth=2, width=64, steps=4, batch=512, kinetic=0.1)
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


@pytest.mark.parametrize("spec", [TINY, replace(TINY, step_size="1", activation="relu")])
def test_training_brings_the_output_to_the_target(spec):
    spec = replace(spec, width=16, steps=150, batch=128)
    first, last = train(spec, 1).loss, train(spec).loss
    assert last < 0.25 * first


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
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_training_matters(change):
    weights = train(TINY, 5).parameters
    assert not np.array_equal(train(replace(TINY, **change), 5).parameters, weights)


def test_the_number_of_particles_does_not_touch_training():
    assert digest(train(replace(TINY, particles=7))) == digest(train(TINY))


def test_l2_on_chooses_the_weights_that_are_charged():
    both = train(replace(TINY, l2=0.5), 5).parameters
    outer = train(replace(TINY, l2=0.5, l2_on="outer"), 5).parameters
    assert not np.array_equal(both, outer)


def test_a_price_on_weights_keeps_them_small():
    free, charged = (train(replace(TINY, l2=price)).parameters for price in (0.0, 1.0))
    assert np.linalg.norm(charged) < 0.8 * np.linalg.norm(free)


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


@pytest.mark.parametrize("spec", [TINY, PENALISED], ids=["plain", "penalised"])
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
    assert state.loss <= DIVERGED_BEYOND
    assert advance(DIVERGING, state, 1) is state


def test_the_step_that_diverged_was_not_taken():
    state = train(DIVERGING)
    stopped_before = train(DIVERGING, state.step)
    assert stopped_before.diverged is None
    assert digest(replace(state, diverged=None)) == digest(stopped_before)
