"""The runs that the presets show are still what their command makes.

`python -m resviz presets` rebuilds them; the first is what the page opens with. A thousand steps
on another machine may round their way to another network, so what is held for every machine
is the beginning of each training, that the rest of each file follows from its state, and that
what each preset claims holds.
"""

import numpy as np
import pytest

from resviz import RunSpec, presets, run
from resviz.networks import predicted_classes, tracks
from resviz.pipeline import finish, own_points
from resviz.presets import PRESETS
from resviz.records import Run
from resviz.training import advance, initial_state

FILES = presets.files()
every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
every_run = pytest.mark.parametrize("spec", FILES, ids=FILES.values())


def frozen(spec: RunSpec) -> Run:
    return Run.load(presets.ASSETS / FILES[spec])


@every_preset
def test_its_runs_are_complete_and_of_its_settings(preset):
    kept, shown = presets.load(preset.name)
    assert shown.spec == preset.run
    assert shown.complete
    assert (kept and kept.spec) == preset.kept
    assert kept is None or kept.complete


@every_preset
def test_what_it_claims_holds(preset):
    runs = presets.load(preset.name)
    for claim in preset.claims:
        assert claim.holds(*runs), f"{claim.text}: {claim.value(*runs)}"


def test_the_opening_run_shows_a_difference():
    _, opening = presets.load("the-long-way")
    assert opening.spec == RunSpec()
    assert max(opening.scores.gap) >= 0.5
    assert opening.scores.arrived


@every_run
def test_training_begins_as_recorded(spec):
    second = frozen(spec).history[1]
    state = advance(spec, initial_state(spec), second.step)
    assert state.loss == pytest.approx(second.loss, rel=1e-3)


@every_run
def test_its_way_follows_from_its_state(spec):
    made, points = frozen(spec), own_points(spec)
    way = tracks(spec, made.state.parameters, points.particles)
    scale = np.abs(way).max()
    np.testing.assert_allclose(way, made.tracks, atol=1e-5 * max(1, scale))
    np.testing.assert_array_equal(made.geodesic[-1], made.tracks[-1][made.plan])
    np.testing.assert_array_equal(made.state.parameters, made.history[-1].parameters)
    assert made.history[-1].step == made.state.step == spec.steps
    if spec.classes:
        right = predicted_classes(spec, made.state.parameters, way[-1]) == made.labels
        assert made.scores.accuracy == pytest.approx(np.mean(right), abs=0.01)
    else:
        np.testing.assert_allclose(points.target, made.target, atol=1e-6)


def assert_it_follows(spec: RunSpec) -> None:
    """The geodesic and the scores, each an exact plan or many, from the state."""
    made = frozen(spec)
    again = finish(spec, made.state, made.history)
    np.testing.assert_allclose(again.geodesic, made.geodesic, atol=1e-5)
    names = "action_ratio", "curve_factor", "line_shape", "optimal_transport", "jacobian_asymmetry"
    for name in (*names, *(["accuracy"] if spec.classes else ["fit", "fit_floor"])):
        assert getattr(again.scores, name) == pytest.approx(getattr(made.scores, name), rel=1e-3)
    np.testing.assert_allclose(again.scores.gap, made.scores.gap, atol=1e-3)


def test_the_opening_runs_scores_follow_from_its_state():
    assert_it_follows(RunSpec())


@pytest.mark.slow
@every_run
def test_its_scores_follow_from_its_state(spec):
    assert_it_follows(spec)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pay-for-steps", "another-activation", "classes-apart"])
def test_trained_again_it_shows_the_same(name):
    """On a like machine the tracks are the same; on another one what it claims still holds.

    Residual, plain, with classes: of all others the beginning and what follows from the end are
    held above, and `python -m resviz presets --check` trains each again.
    """
    preset, before = PRESETS[name], presets.load(name)
    again = tuple(made and run(made.spec) for made in before)
    same = all(
        made is None or np.array_equal(made.tracks, new.tracks)
        for made, new in zip(before, again, strict=True)
    )
    assert same or all(claim.holds(*again) for claim in preset.claims)
    for made, new in zip(before, again, strict=True):
        if made and not made.spec.classes:
            assert new.scores.fit == pytest.approx(made.scores.fit, abs=0.05)
