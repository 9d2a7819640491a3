"""The presets: what they say of themselves, how they are read, and the command that makes them."""

import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from resviz import presets
from resviz.__main__ import main
from resviz.claims import FRAME, MEASURES, Claim, rift
from resviz.distributions import WINDOW
from resviz.limits import Limits
from resviz.presets import ASSETS, LONGEST_LOOK, PRESETS, Preset
from resviz.records import Run
from resviz.spec import FIELDS, RunSpec

every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def specs_of(preset: Preset) -> list[RunSpec]:
    return [spec for spec in (preset.kept, preset.run) if spec]


def test_there_are_enough_and_the_page_opens_with_the_first():
    assert len(PRESETS) >= 8
    first = next(iter(PRESETS.values()))
    assert (first.name, first.run, first.kept) == ("the-long-way", RunSpec(), None)
    for text in ("title", "look", "name"):
        assert len({getattr(preset, text) for preset in PRESETS.values()}) == len(PRESETS)


@every_preset
def test_it_says_in_one_sentence_where_to_look(preset):
    assert PRESETS[preset.name] is preset
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", preset.name)
    assert 0 < len(preset.title) <= 30
    assert len(preset.look) <= LONGEST_LOOK
    assert preset.look.endswith(".")
    assert not re.search(r"[.!?]\s", preset.look)
    if preset.kept:
        assert re.search(r"\bA\b", preset.look)
        assert re.search(r"\bB\b", preset.look)


@every_preset
def test_it_keeps_to_a_servers_limits_and_to_what_a_file_should_weigh(preset):
    for spec in specs_of(preset):
        Limits().check(spec)
        assert spec.particles <= 400
        assert (ASSETS / presets.files()[spec]).stat().st_size < 400_000


@every_preset
def test_a_and_b_differ_in_one_thing(preset):
    if preset.kept is None:
        return
    idle = preset.kept.idle & preset.run.idle
    differ = [
        name
        for name in FIELDS
        if name not in idle and getattr(preset.kept, name) != getattr(preset.run, name)
    ]
    assert len(differ) == 1


@every_preset
def test_what_it_claims_is_a_number_of_these_runs(preset):
    runs = presets.load(preset.name)
    for claim in preset.claims:
        assert math.isfinite(claim.value(*runs)), claim.text


def test_an_unknown_one_is_refused_with_all_names():
    with pytest.raises(ValueError, match=r"preset: 'the-long-road' is unknown") as refusal:
        presets.load("the-long-road")
    assert all(name in str(refusal.value) for name in PRESETS)


def test_each_file_belongs_to_a_run_and_each_run_has_one():
    names = list(presets.files().values())
    assert len(set(names)) == len(names)
    assert {path.name for path in ASSETS.iterdir()} == set(names)


def test_a_run_is_read_once_and_shared():
    kept, run = presets.load("pay-for-steps")
    assert presets.load("pay-for-steps")[1] is run
    assert kept is presets.load("the-long-way")[1]
    assert presets.load("the-long-way")[0] is None


def test_they_are_read_without_the_heavy_libraries():
    code = (
        "import sys; from resviz import presets; presets.load('pay-for-steps'); "
        "print({'torch', 'ot', 'plotly', 'sklearn', 'scipy', 'streamlit'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"


def test_the_frame_is_the_pictures():
    assert FRAME == WINDOW


# Claims


def with_effort(run: Run, effort: float) -> Run:
    return replace(run, scores=replace(run.scores, action_ratio=effort))


@pytest.mark.parametrize(
    ("claim", "text", "value", "holds"),
    [
        (Claim("effort", least=2.0), "effort of B ≥ 2", 1.5, False),
        (Claim("effort", most=1.5), "effort of B ≤ 1.5", 1.5, True),
        (Claim("effort", "A", least=5, most=8), "5 ≤ effort of A ≤ 8", 7.0, True),
        (Claim("effort", "A − B", least=6), "effort of A − B ≥ 6", 5.5, False),
        (Claim("effort", "B − A", most=-5), "effort of B − A ≤ -5", -5.5, True),
    ],
)
def test_a_claim_is_a_number_between_bounds(tiny_run, claim, text, value, holds):
    kept, run = with_effort(tiny_run, 7.0), with_effort(tiny_run, 1.5)
    assert claim.text == text
    assert claim.value(kept, run) == value
    assert claim.holds(kept, run) is holds


def test_nothing_is_claimed_of_a_run_that_is_not_there_or_does_not_move(tiny_run):
    assert not Claim("effort", "A", most=1e9).holds(None, tiny_run)
    assert not Claim("effort", most=1e9).holds(None, with_effort(tiny_run, math.nan))
    for measure in ("accuracy", "OTS by class", "exact gap"):  # it matches, and no Gaussians
        assert math.isnan(Claim(measure, most=1e9).value(None, tiny_run))


def test_in_classification_there_is_no_miss(tiny_classifier):
    assert math.isnan(Claim("miss / unmoved", most=1e9).value(None, tiny_classifier))
    assert 0 <= Claim("accuracy", most=1e9).value(None, tiny_classifier) <= 1


def test_what_is_outside_the_picture_is_counted(tiny_run):
    tracks = np.zeros((4, 5, 2), np.float32)
    tracks[1, 0] = 2.5, 0.0  # leaves and returns
    tracks[2:, 1] = 0.0, -2.3  # leaves
    tracks[3, 2] = 2.1, 2.1  # inside a square, if not a disk
    run = replace(tiny_run, tracks=tracks)
    assert MEASURES["outside"](run) == pytest.approx(0.4)
    assert MEASURES["outside at the end"](run) == pytest.approx(0.2)


def test_a_turn_is_counted_in_degrees_either_way(tiny_run):
    corners = np.array([[3.0, 1.0], [1.0, 3.0], [-1.0, 1.0], [1.0, -1.0]])  # round (1, 1)
    quarter = np.array([[5.0, 8.0], [2.0, 5.0], [5.0, 2.0], [8.0, 5.0]])  # round (5, 5), larger
    eighth = np.array([[2.0, -2.0], [2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0]])  # the other way
    for end, degrees in ((quarter, 90), (eighth, 45), (corners * 2, 0), (2 - corners, 180)):
        run = replace(tiny_run, tracks=np.stack([corners, end]).astype(np.float32))
        assert MEASURES["turned"](run) == pytest.approx(degrees, abs=1e-4)


def test_a_rift_is_the_farthest_that_neighbours_on_a_ring_come_apart():
    angles = np.array([0, 2, 1, 3]) * np.pi / 2  # in any order
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    torn = ring + np.where(ring[:, :1] > 0.5, [[4.0, 0.0]], 0.0)
    assert rift(np.stack([ring, 2 * ring, ring])) == pytest.approx(2 * math.sqrt(2))
    assert rift(np.stack([ring, torn, ring])) == pytest.approx(math.hypot(5, 1))
    assert rift(np.stack([ring, ring[[1, 0, 2, 3]]])) == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"measure": "beauty", "least": 1}, "measure: 'beauty' is unknown; known are effort"),
        ({"measure": "effort", "of": "C", "least": 1}, "of: 'C' is unknown; known are A, B"),
        ({"measure": "effort"}, "claim: from -inf to inf is not allowed"),
        ({"measure": "effort", "least": 2, "most": 1}, "claim: from 2 to 1 is not allowed"),
    ],
)
def test_a_claim_of_nothing_is_refused(fields, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Claim(**fields)


# Presets that are not allowed, and files that are not there


def tiny_preset(spec: RunSpec, **fields: object) -> Preset:
    usual = {
        "name": "tiny",
        "title": "Tiny",
        "look": "Look: A and B are tiny.",
        "run": replace(spec, kinetic=0.5),
        "kept": spec,
        "claims": (Claim("effort", least=1.0), Claim("effort", "A − B", least=1e6)),
    }
    return Preset(**(usual | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"look": "x" * 111}, "look: of tiny has 111 characters; allowed is 1 to 110"),
        ({"claims": ()}, "claims: tiny has none"),
        ({"kept": RunSpec(source="xor")}, "kept: tiny has source 'xor' beside 'two_blobs'"),
    ],
)
def test_a_preset_that_would_mislead_is_refused(tiny_spec, fields, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        tiny_preset(tiny_spec, **fields)


@pytest.fixture
def tiny(tiny_spec, tmp_path, monkeypatch) -> Preset:
    """One more preset, whose files lie elsewhere."""
    preset = tiny_preset(tiny_spec)
    monkeypatch.setitem(PRESETS, "tiny", preset)
    monkeypatch.setattr(presets, "ASSETS", tmp_path)
    presets._read.cache_clear()
    yield preset
    presets._read.cache_clear()


def test_a_file_that_is_not_there_or_of_other_settings_is_told(tiny, tiny_run, tmp_path):
    with pytest.raises(ValueError, match=r"tiny-a\.npz: cannot be read.*makes it anew"):
        presets.load("tiny")
    tiny_run.save(tmp_path / "tiny-a.npz")
    tiny_run.save(tmp_path / "tiny.npz")
    with pytest.raises(ValueError, match=r"tiny\.npz: holds a run of other settings"):
        presets.load("tiny")


# The command


def test_the_command_makes_the_same_files_again(tiny, tmp_path, capsys):
    assert main(["presets", "--names", "tiny", "-o", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "tiny-a.npz" in told.out
    assert "20/20" in told.err  # the progress bar: two runs of ten steps
    kept, run = presets.load("tiny")
    assert (kept.spec, run.spec) == (tiny.kept, tiny.run)
    again = tmp_path / "again"
    again.mkdir()
    assert main(["presets", "--names", "tiny", "-q", "-o", str(again)]) == 0
    for name in ("tiny.npz", "tiny-a.npz"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()


def test_the_command_counts_claims_over_seeds_and_writes_nothing(tiny, tmp_path, capsys):
    assert main(["presets", "--names", "tiny", "--check", "--seeds", "3"]) == 1
    told = capsys.readouterr()
    first, second = (line for line in told.out.splitlines() if "effort" in line)
    assert first.endswith("holds, 3 of 3")
    assert first.startswith("  effort of B ≥ 1")
    assert second.endswith("does not hold, 0 of 3")
    assert second.count("✗") == 3
    assert "seed 2" in told.out
    assert "60/60" in told.err
    assert not list(tmp_path.iterdir())


def test_a_claim_must_hold_in_the_frozen_run_and_in_four_of_five(tiny, tiny_run):
    from resviz.commands.presets import table, with_seed_moved

    seeds = [with_seed_moved(tiny, by) for by in range(5)]
    assert [preset.kept.seed for preset in seeds] == [0, 1, 2, 3, 4]
    seeds = [replace(preset, claims=(Claim("effort", least=2),)) for preset in seeds]

    def held(*efforts: float) -> bool:
        runs = {}
        for preset, effort in zip(seeds, efforts, strict=True):
            runs[preset.kept] = runs[preset.run] = with_effort(tiny_run, effort)
        return table(seeds, runs)[1]

    assert held(3, 3, 3, 3, 3)
    assert held(3, 3, 1, 3, 3)
    assert not held(1, 3, 3, 3, 3)
    assert not held(3, 3, 1, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--names", "the-long-way", "nowhere"], "preset: 'nowhere' is unknown; known are"),
        (["--seeds", "3"], "seeds: '3' is given without --check"),
        (["--check", "--seeds", "0"], "seeds: '0' is not allowed; allowed is a whole number"),
        (["-o", "no/such/folder"], "output: 'no/such/folder' is not a folder"),
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_runs(capsys, arguments, said):
    with pytest.raises(SystemExit) as ending:
        main(["presets", *arguments])
    assert ending.value.code == 2
    assert said in capsys.readouterr().err
