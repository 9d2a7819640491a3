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
        ({"preset": "the-short-way"}, "preset", "perhaps the-long-way was meant"),
        ({"preset": "42"}, "preset", "known are the-long-way, "),
        ({"present": "yes"}, "present", "allowed is 1"),
        ({"hide": "sed"}, "hide", "'sed' is unknown; perhaps seed was meant"),
        ({"hide": "seed,42"}, "hide", "known are preset, train"),
        ({"lock": "nothing"}, "lock", "'nothing' is unknown"),
        ({"depht": "4"}, "depht", "there is no such field; perhaps depth was meant"),
        ({"Seed": "4"}, "Seed", "there is no such field; perhaps seed was meant"),
        ({"42": "4"}, "42", "there is no such field."),
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


@pytest.mark.parametrize(
    "name",
    ["fbclid", "gclid", "utm_source", "UTM_Campaign", "mc_eid", "_hsenc", "ref", "at_medium"],
)
def test_what_others_hang_on_to_a_link_is_let_go(name):
    link, complaints = asked(depth="4", **{name: "x" * 100})
    assert (link.spec, complaints) == (RunSpec(depth=4), {})


@pytest.mark.parametrize("name", links.KNOWN)
def test_none_of_our_own_fields_is_taken_for_one_of_those(name):
    assert not links.TRACKERS.fullmatch(name)


def test_of_a_thousand_strange_fields_a_few_are_told():
    query = {f"{name}{'y' * 1000}": ["z" * 1000] for name in range(1000)}
    link, complaints = read(query | {"depth": ["4"], "seed": ["9" * 100_000]})
    assert link.spec == RunSpec(depth=4)
    told = links.told(complaints)
    assert told.startswith("seed: ")
    assert told.endswith(" more.")
    assert len(told) < 2000


def test_what_says_nothing_in_the_task_is_no_matter():
    link, complaints = asked(task="classify", source="moons", target="text:Alexandra", epsilon="x")
    assert (link.spec, complaints) == (RunSpec(task="classify", source="moons"), {})
    assert asked(target="text:Alexandra")[1].keys() == {"target"}


@pytest.mark.parametrize("text", ["0,01", "1e-2", " .01", "0.01"])
def test_a_number_in_a_link_is_read_as_it_was_meant(text):
    link, complaints = asked(l2=text, steps="1.500")
    assert (link.spec, complaints) == (RunSpec(l2=0.01, steps=1500), {})


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
