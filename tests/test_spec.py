"""The spec: what it takes, what it refuses and in which words, and its form in a link."""

import ast
import dataclasses
import math
import pickle
import string
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import resviz.letters
import resviz.numerals
import resviz.spec
from resviz.spec import (
    CLASSES,
    DEFAULTS,
    DISTRIBUTIONS,
    FIELDS,
    RULES,
    Choice,
    Cloud,
    ConflictError,
    Real,
    RunSpec,
    Whole,
    class_count,
    read_query,
    word_of,
)


def valid(rule):
    """Every value that the rule says it takes, so that a new field is covered by itself."""
    if isinstance(rule, Cloud):
        words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
        return st.sampled_from(list(rule.names)) | words.map("text:{}".format)
    if isinstance(rule, Choice):
        return st.sampled_from(list(rule.names))
    if isinstance(rule, Real):
        return st.floats(rule.low, rule.high)
    step = 2 if rule.even else 1
    return st.integers(-(-rule.low // step), rule.high // step).map(lambda k: k * step)


def invalid(rule):
    never = [None, True, False, math.nan, math.inf, -math.inf, [], b"1"]
    if isinstance(rule, Choice):
        return [*never, "", "no such name", next(iter(rule.names)) + " ", 0]
    if isinstance(rule, Real):
        below, above = math.nextafter(rule.low, -math.inf), math.nextafter(rule.high, math.inf)
        return [*never, below, above, "0.5", 1j, 10**400]
    odd = [rule.low + 1] if rule.even else []
    return [*never, rule.low - 1, rule.high + 1, float(rule.low), str(rule.low), *odd]


def edges(rule):
    return list(rule.names) if isinstance(rule, Choice) else [rule.low, rule.high]


def together(values):
    """The spec of these values, or None where they are not allowed beside each other."""
    try:
        return RunSpec(**values)
    except ConflictError:
        return None


fields = st.fixed_dictionaries({name: valid(rule) for name, rule in RULES.items()})
specs = fields.map(together).filter(lambda spec: spec is not None)
cases = [(name, value) for name, rule in RULES.items() for value in invalid(rule)]
kept = [(name, value) for name, rule in RULES.items() for value in edges(rule)]


@given(specs)
def test_a_link_gives_back_the_spec(spec):
    query = spec.to_query()
    assert all(isinstance(text, str) for text in query.values())
    assert RunSpec.from_query(query) == spec


@given(specs)
def test_a_valid_address_has_no_complaints(spec):
    read, complaints = read_query({name: [text] for name, text in spec.to_query().items()})
    assert read == spec
    assert not complaints


def test_a_link_holds_every_field():
    assert list(RunSpec().to_query()) == [field.name for field in dataclasses.fields(RunSpec)]


def test_fields_missing_from_a_link_have_their_defaults():
    assert RunSpec.from_query({"depth": "3"}) == RunSpec(depth=3)


def test_defaults_pass_their_own_rules():
    assert dataclasses.asdict(RunSpec()) == dict(DEFAULTS)


@pytest.mark.parametrize(("name", "value"), kept)
def test_the_ends_of_each_range_are_allowed(name, value):
    # A source with classes goes with every value of every other field.
    assert getattr(RunSpec(**{"source": "moons", name: value}), name) == value


@pytest.mark.parametrize(("name", "value"), cases)
def test_a_bad_value_is_refused_in_words(name, value):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  (its words are checked below)
        RunSpec(**{name: value})
    words = str(refusal.value)
    assert words.startswith(f"{name}: {value!r} ")
    assert words.endswith(f"allowed is {RULES[name].allowed}")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("depth", 65, "depth: 65 is not allowed; allowed is a whole number from 1 to 64"),
        ("width", 7, "width: 7 is not allowed; allowed is an even whole number from 2 to 256"),
        ("l2", 1.5, "l2: 1.5 is not allowed; allowed is a number from 0 to 1"),
        ("l2_on", "A", "l2_on: 'A' is unknown; allowed is one of: both, outer"),
        ("l2_towards", "end", "l2_towards: 'end' is unknown; allowed is one of: zero, start"),
        ("epsilon", 0.0, "epsilon: 0.0 is not allowed; allowed is a number from 0.01 to 10"),
    ],
)
def test_the_words_of_a_refusal(name, value, words):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  (its words are checked below)
        RunSpec(**{name: value})
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    "name", [name for name, rule in RULES.items() if not hasattr(rule, "names")]
)
def test_numpys_bool_is_a_bool_too(name):
    with pytest.raises(ValueError, match=f"{name}: "):
        RunSpec(**{name: np.bool_(DEFAULTS[name])})


def test_numpys_numbers_become_plain_ones():
    spec = RunSpec(depth=np.int64(3), l2=np.float32(0.5))
    assert spec == RunSpec(depth=3, l2=0.5)
    assert type(spec.depth) is int
    assert type(spec.l2) is float


def test_minus_zero_is_zero():
    assert RunSpec(l2=-0.0).to_query() == RunSpec(l2=0.0).to_query()


def test_a_spec_is_frozen_and_fit_to_be_a_key():
    spec = RunSpec(seed=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.seed = 5
    assert {spec: "found"}[pickle.loads(pickle.dumps(spec))] == "found"


def test_fields_go_by_name_only():
    with pytest.raises(TypeError, match="positional"):
        RunSpec("match")


def test_step_length():
    assert RunSpec(depth=8, step_size="1/L").step_length == 0.125
    assert RunSpec(depth=8, step_size="1").step_length == 1.0


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_says_what_it_is(name):
    metadata = FIELDS[name].metadata
    assert metadata["label"]
    assert metadata["doc"].endswith(".")


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("source", ["no such cloud"]),
        ("source", ["Ring"]),
        ("depth", ["65"]),
        ("depth", ["0"]),
        ("width", ["7"]),
        ("depth", ["2.5"]),
        ("depth", ["nan"]),
        ("l2", ["nan"]),
        ("l2", ["inf"]),
        ("l2", ["1e400"]),
        ("l2", ["-0.1"]),
        ("depth", [""]),
        ("l2", [""]),
        ("source", [""]),
        ("depth", ["3", "4"]),
        ("source", ["ring", "ring"]),
        ("depth", []),
        ("steps", ["1_000"]),
        ("l2", ["0.000_1"]),
        ("depth", ["9" * 5000]),
        ("l2", ["9" * 5000]),
    ],
)
def test_a_bad_field_of_an_address_is_left_at_its_default_and_named_once(name, texts):
    spec, complaints = read_query({"particles": ["7"], name: texts, "seed": ["3"]})
    assert spec == RunSpec(particles=7, seed=3)
    assert list(complaints) == [name]
    assert complaints[name].startswith(f"{name}: ")
    assert len(complaints[name]) < 400  # it does not repeat a text of any length


def test_a_complaint_says_what_was_given_and_what_is_allowed():
    _, complaints = read_query({"depth": ["65"]})
    assert "'65'" in complaints["depth"]
    assert "a whole number from 1 to 64" in complaints["depth"]


def test_an_unknown_cloud_lists_the_known_ones():
    _, complaints = read_query({"target": ["sun"]})
    assert all(name in complaints["target"] for name in DISTRIBUTIONS)
    assert "text:WORD, any word of up to 8 letters and digits" in complaints["target"]


def test_an_unknown_setting_lists_the_known_ones():
    spec, complaints = read_query({"layers": ["3"]})
    assert spec == RunSpec()
    assert list(complaints) == ["layers"]
    assert all(name in complaints["layers"] for name in RULES)


def test_each_bad_field_has_its_own_complaint():
    spec, complaints = read_query({"depth": ["x"], "l2": ["x"], "width": ["4"]})
    assert spec == RunSpec(width=4)
    assert list(complaints) == ["depth", "l2"]


def test_from_query_refuses_what_read_query_forgives():
    with pytest.raises(ValueError, match=r"depth: '65' is not allowed.*l2: 'x' is not allowed"):
        RunSpec.from_query({"depth": "65", "l2": "x"})


@pytest.mark.parametrize("text", ["1e-3", ".001", "0,001", "+1E-3", " 0.001 "])
def test_a_number_may_be_written_in_any_usual_way(text):
    assert RunSpec.from_query({"l2": text}) == RunSpec(l2=0.001)


# Words as clouds


WORDS = ["O", "OT", "resnet", "W2", "2026", "ABCDEFGH", "0", "ÄÖ", "été", "Σ", "Привет", "שלום"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("field", ["source", "target"])
def test_a_word_is_a_cloud(field, word):
    spec = RunSpec(**{field: f"text:{word}"})
    assert RunSpec.from_query(spec.to_query()) == spec
    assert word_of(getattr(spec, field)) == word
    assert class_count(getattr(spec, field)) == len(word)


@pytest.mark.parametrize(
    "name",
    [
        "text:",
        "text:ABCDEFGHI",
        "text:A B",
        "text: AB",
        "text:AB ",
        "text:AB\n",
        " text:AB",
        "text:中",
        "text:😀",
        "text:مرحبا",
        "text:e\u0323\u0301\u0302",
        "text:２",
        "text:٣",
        "text:W_2",
        "text:O-T",
        "text:<b>",
        "TEXT:AB",
        "text",
        "AB",
    ],
)
def test_other_words_are_not(name):
    assert word_of(name) is None
    with pytest.raises(ValueError, match=r"(?s)target: .*; allowed is .*text:WORD"):
        RunSpec(target=name)
    spec, complaints = read_query({"target": [name]})
    assert spec == RunSpec()
    assert list(complaints) == ["target"]


def test_both_ways_to_write_an_accent_are_one_word():
    composed, apart = RunSpec(target="text:\u00e9t\u00e9"), RunSpec(target="text:e\u0301te\u0301")
    assert composed == apart
    assert RunSpec.from_query(apart.to_query()).target == "text:\u00e9t\u00e9"


@pytest.mark.parametrize(
    ("word", "told"), [("中", "'中'"), ("A😀", "'😀'"), ("Alexandra", "9 signs")]
)
def test_a_word_that_cannot_be_says_why(word, told):
    with pytest.raises(ValueError, match=rf"target: 'text:{word}' has .*{told}.*Greek, Cyrillic"):
        RunSpec(target=f"text:{word}")


def test_no_sentence_repeats_a_text_of_any_length():
    with pytest.raises(ValueError, match="target: ") as refusal:
        RunSpec(target=f"text:{'A' * 10**6}")
    assert len(str(refusal.value)) < 1000


def test_no_registered_cloud_is_a_word():
    assert not [name for name in DISTRIBUTIONS if word_of(name) is not None]


def test_other_choices_take_no_word():
    with pytest.raises(ValueError, match="loss: 'text:OT' is unknown"):
        RunSpec(loss="text:OT")


# Values that are allowed alone and not together

LABELLED = [*CLASSES, "text:OT", "text:ABCDEFGH"]
UNLABELLED = [*(name for name in DISTRIBUTIONS if name not in CLASSES), "text:I"]


@pytest.mark.parametrize(
    ("source", "classes"),
    [("moons", 2), ("pinwheel", 5), ("eight_gaussians", 8), ("text:OT", 2), ("text:RESNET", 6)],
)
def test_the_classes_are_the_sources(source, classes):
    assert RunSpec(task="classify", source=source).classes == classes
    # A matching network has no head, whatever its source.
    assert RunSpec(task="match", source=source).classes == 0


@pytest.mark.parametrize("source", LABELLED)
def test_a_source_with_classes_can_be_classified(source):
    assert RunSpec(task="classify", source=source).classes >= 2


@pytest.mark.parametrize("source", UNLABELLED)
def test_classification_needs_classes(source):
    with pytest.raises(ConflictError) as refusal:
        RunSpec(task="classify", source=source)
    assert refusal.value.field == "task"
    words = str(refusal.value)
    assert words.startswith(f"task: 'classify' needs a source with classes, and {source!r} has")
    assert all(name in words for name in CLASSES)
    assert "text:WORD with two letters or more" in words
    assert not [name for name in UNLABELLED if f" {name}," in words]


def test_a_plain_identity_needs_two_mirrored_pairs():
    with pytest.raises(ConflictError) as refusal:
        RunSpec(network="plain", width=2)
    assert refusal.value.field == "network"
    assert str(refusal.value) == (
        "network: 'plain' with an identity start needs two mirrored pairs of units, and width 2 "
        "has one; allowed is a width from 4, or the start 'random'"
    )


@pytest.mark.parametrize(
    "others",
    [
        {"network": "plain", "width": 4},
        {"network": "plain", "width": 2, "start": "random"},
        {"network": "residual", "width": 2},
    ],
)
def test_what_that_refusal_says_is_allowed(others):
    assert RunSpec(**others).to_query()["width"] == str(others["width"])


def test_a_conflict_is_a_value_error():
    """So whoever catches what a spec refuses catches these, too."""
    assert issubclass(ConflictError, ValueError)


@pytest.mark.parametrize(
    ("query", "kept", "blamed"),
    [
        ({"task": "classify", "source": "ring"}, {"source": "ring"}, ["task"]),
        ({"task": "classify"}, {}, ["task"]),
        ({"network": "plain", "width": "2"}, {"width": 2}, ["network"]),
        (
            {"network": "plain", "width": "2", "task": "classify", "source": "ring"},
            {"width": 2, "source": "ring"},
            ["network", "task"],
        ),
        # A source that is itself not understood has no classes either.
        ({"task": "classify", "source": "sun", "depth": "3"}, {"depth": 3}, ["source", "task"]),
        # Nor does a conflict arise from what was not understood.
        ({"network": "plain", "width": "3"}, {"network": "plain"}, ["width"]),
    ],
)
def test_in_a_link_the_field_that_does_not_go_with_the_others_is_left_at_its_default(
    query, kept, blamed
):
    spec, complaints = read_query({name: [text] for name, text in query.items()})
    assert spec == RunSpec(**kept)
    assert sorted(complaints) == blamed
    assert all(words.startswith(f"{name}: '") for name, words in complaints.items())


def test_from_query_refuses_a_conflict():
    with pytest.raises(ValueError, match="task: 'classify' needs a source with classes"):
        RunSpec.from_query({"task": "classify"})


@given(fields)
def test_of_allowed_values_a_link_loses_those_that_conflict_alone(values):
    texts = {name: v if isinstance(v, str) else repr(v) for name, v in values.items()}
    spec, complaints = read_query({name: [text] for name, text in texts.items()})
    assert complaints.keys() <= {"task", "network"}
    for name, value in values.items():
        assert getattr(spec, name) == (DEFAULTS[name] if name in complaints else value)
    assert bool(complaints) == (together(values) is None)


def test_an_even_rule_takes_even_numbers_only():
    rule = Whole(1, 9, even=True)
    assert [rule.check(k) for k in (2, 8)] == [2, 8]
    with pytest.raises(ValueError, match="even"):
        rule.check(3)


@pytest.mark.parametrize("module", [resviz.spec, resviz.letters, resviz.numerals])
def test_the_spec_needs_the_standard_library_only(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            inner = {alias.name for alias in node.names} if node.module == "resviz" else set()
            names |= inner - {"letters", "numerals"} or {node.module}
    assert names
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "resviz"}


def test_a_conflict_comes_back_from_a_worker_as_it_was():
    with pytest.raises(ConflictError) as caught:
        RunSpec(task="classify")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.field, str(again)) == ("task", str(caught.value))
    assert str(again).startswith("task: 'classify' needs a source with classes")
