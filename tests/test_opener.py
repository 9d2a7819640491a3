"""The run that the page opens with is still what its command makes.

`python -m resviz train -o assets/opener.npz` rebuilds it. A thousand steps on another
machine may round their way to another network, so what is held for every machine is
the beginning of its training, and that the rest of the file follows from its state.
"""

import numpy as np
import pytest

from resviz import RunSpec, run
from resviz.pipeline import finish, held_out
from resviz.records import Run
from resviz.training import advance, initial_state
from resviz.ui.session import OPENER


@pytest.fixture(scope="module")
def opener() -> Run:
    return Run.load(OPENER)


def test_it_is_the_default_run_to_its_end(opener):
    assert opener.spec == RunSpec()
    assert opener.complete


def test_it_shows_a_difference(opener):
    assert max(opener.scores.gap) >= 0.5
    assert opener.scores.arrived


def test_it_is_small():
    assert OPENER.stat().st_size < 400_000


def test_training_begins_as_recorded(opener):
    second = opener.history[1]
    state = advance(opener.spec, initial_state(opener.spec), second.step)
    assert state.loss == pytest.approx(second.loss, rel=1e-3)


def test_tracks_scores_and_geodesic_follow_from_its_state(opener):
    again = finish(opener.spec, opener.state, opener.history)
    np.testing.assert_allclose(again.tracks, opener.tracks, atol=1e-5)
    np.testing.assert_allclose(again.geodesic, opener.geodesic, atol=1e-5)
    points = held_out(opener.spec.source, opener.spec.target, opener.spec.particles)
    np.testing.assert_allclose(points.target, opener.target, atol=1e-6)
    names = "action_ratio", "curve_factor", "line_shape", "optimal_transport", "fit", "fit_floor"
    for name in (*names, "jacobian_asymmetry"):
        assert getattr(again.scores, name) == pytest.approx(getattr(opener.scores, name), rel=1e-3)
    np.testing.assert_allclose(again.scores.gap, opener.scores.gap, atol=1e-3)


@pytest.mark.slow
def test_another_run_of_its_command_opens_on_as_plain_a_difference(opener):
    again = run(opener.spec)
    assert max(again.scores.gap) >= 0.5
    assert again.scores.fit == pytest.approx(opener.scores.fit, abs=0.05)
