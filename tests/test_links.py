"""The page's address: what is asked comes back, and what cannot be had is named."""

from urllib.parse import parse_qs, urlsplit

import pytest

from resviz.presets import PRESETS
from resviz.spec import RULES, RunSpec
from resviz.ui import links
from resviz.ui.links import BUTTONS, CONTROLS, query_of, read

CLASSIFIER = "classes-apart"


def asked(**query: str):
    return read({name: [text] for name, text in query.items()})


def test_nothing_asked_is_the_default_run_and_no_complaint():
    link, complaints = read({})
    assert (link.spec, link.preset, link.present) == (RunSpec(), None, False)
    assert (link.hidden, link.locked, complaints) == ((), (), {})


def test_what_is_asked_comes_back_from_a_copied_link():
    spec = RunSpec(target="text:OT", l2=1e-4, seed=5)
    query = query_of(spec, "the-swirl", True, {"seed", "train"}, ["source"])
    text = links.text("http://example.org:8501", query)
    link, complaints = read(parse_qs(urlsplit(text).query, keep_blank_values=True))
    assert complaints == {}
    assert (link.spec, link.preset, link.present) == (spec, "the-swirl", True)
    assert set(link.hidden) == {"seed", "train"}
    assert link.locked == ("source",)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_name_alone_means_its_settings(name):
    link, complaints = asked(preset=name)
    assert (link.spec, link.preset, complaints) == (PRESETS[name].run, name, {})


def test_settings_beside_a_preset_are_what_differs_from_it():
    link, complaints = asked(preset="pay-for-steps", seed="3")
    assert complaints == {}
    assert link.preset == "pay-for-steps"
    assert (link.spec.seed, link.spec.kinetic) == (3, PRESETS["pay-for-steps"].run.kinetic)


def test_a_setting_that_is_not_allowed_stays_at_the_presets():
    link, complaints = asked(preset="longer-training", steps="0")
    steps = PRESETS["longer-training"].run.steps
    assert link.spec.steps == steps != RunSpec().steps
    assert complaints["steps"].endswith(f"; it stays at {steps}.")


def test_a_setting_that_the_preset_cannot_have_leaves_the_preset_whole():
    link, complaints = asked(preset=CLASSIFIER, source="gaussian")
    assert link.spec == PRESETS[CLASSIFIER].run
    assert "needs a source with classes" in complaints["task"]


@pytest.mark.parametrize(
    ("query", "name", "told"),
    [
        ({"preset": "the-short-way"}, "preset", "the-long-way, "),
        ({"present": "yes"}, "present", "allowed is 1"),
        ({"hide": "seed,colour"}, "hide", "known are preset, train"),
        ({"lock": "nothing"}, "lock", "'nothing' is unknown"),
        ({"depht": "4"}, "depht", "known are task, source"),
        ({"seed": "2.5"}, "seed", "it stays at 0"),
    ],
)
def test_what_cannot_be_had_is_named_in_one_sentence(query, name, told):
    _, complaints = asked(**query)
    assert list(complaints) == [name]
    assert complaints[name].startswith(f"{name}: ")
    assert told in complaints[name]
    assert complaints[name].endswith(".")


def test_known_controls_of_a_list_are_taken_though_others_are_unknown():
    link, _ = asked(hide="seed,nothing,train")
    assert set(link.hidden) == {"seed", "train"}


def test_a_field_given_twice_is_not_guessed():
    link, complaints = read({"preset": ["the-swirl", "a-word"], "present": ["1", "1"]})
    assert (link.preset, link.present) == (None, False)
    assert complaints.keys() == {"preset", "present"}


def test_the_players_fields_are_passed_on_and_not_judged():
    query = {"views": ["points,tracks"], "colour": ["no-such-colour"], "seed": ["1"]}
    assert read(query)[1] == {}
    assert links.players_part(query) == {"views": "points,tracks", "colour": "no-such-colour"}


def test_every_setting_and_button_can_be_hidden_and_they_share_no_name():
    assert CONTROLS.keys() == RULES.keys() | BUTTONS.keys()
    assert not RULES.keys() & BUTTONS.keys()
    assert len(set(CONTROLS.values())) == len(CONTROLS)  # a list of labels tells them apart
    assert set(read({"hide": [",".join(CONTROLS)]})[0].hidden) == set(CONTROLS)
