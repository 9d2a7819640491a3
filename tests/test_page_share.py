"""What a page gives away, under AppTest: links for a class, and files to take home."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from pages import PAGE, ROOT, TIMEOUT, address, opened, press, read, session, small, texts, trained
from streamlit.testing.v1 import AppTest

from resviz.engine import close_shared_engine
from resviz.exports import FORMATS
from resviz.presets import PRESETS
from resviz.spec import RunSpec
from resviz.ui import links, take_home
from resviz.ui.making import Workshop
from resviz.ui.session import first_preset

COMPARED = next(name for name, preset in PRESETS.items() if preset.kept)


@pytest.fixture(scope="module", autouse=True)
def _workers_end_with_the_module():
    yield
    close_shared_engine()


@pytest.fixture
def app():
    return AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)


def keys(app: AppTest) -> dict[str, bool]:
    """The controls that there are, and whether each is locked."""
    kinds = (app.selectbox, app.slider, app.text_input, app.button, app.toggle)
    return {one.key: one.disabled for kind in kinds for one in kind}


def names_of_all(app: AppTest) -> set[str]:
    """Popovers, too, which AppTest does not list."""
    popovers = {block.proto.id.rpartition("-")[2] for block in app.get("popover")}
    return keys(app).keys() | popovers


def open_popover(app: AppTest, key: str) -> None:
    app.session_state[key] = True
    app.run()
    assert not app.exception


def link(app: AppTest) -> links.Link:
    """What the link in the open popover asks for."""
    (code,) = app.code
    asked, complaints = links.read(parse_qs(urlsplit(code.value).query))
    assert complaints == {}
    return asked


# ---- Links -----------------------------------------------------------------------------


def test_hidden_controls_are_not_there_and_locked_ones_do_not_move(app):
    opened(app, hide="seed,reset,keep,beside", lock="source,train", source="moons")
    there = keys(app)
    assert not {"seed", "reset", "keep", "beside"} & there.keys()
    assert there["source"]
    assert there["train"]
    assert not there["target"]
    assert app.selectbox(key="source").value == "moons"
    assert address(app)["hide"] == "reset,keep,beside,seed"
    assert address(app)["lock"] == "train,source"


def test_they_stay_hidden_and_locked(app):
    opened(app, hide="seed", lock="depth", depth="5", seed="4")
    app.text_input(key="steps").set_value("50").run()
    assert "seed" not in keys(app)
    assert keys(app)["depth"]
    expected = RunSpec(depth=5, seed=4, steps=50).to_query()
    assert address(app) == expected | {"hide": "seed", "lock": "depth"}


def test_a_hidden_setting_is_trained_as_the_link_has_it(app):
    opened(app, **small(seed=6), hide="seed,depth,width")
    trained(app)
    assert session(app).run.spec.seed == 6
    assert session(app).run.spec.depth == 3


def test_without_presets_there_is_neither_list_nor_next(app):
    opened(app, hide="preset")
    assert not {"preset", "previous_preset", "next_preset"} & keys(app).keys()


def test_locked_presets_stay(app):
    opened(app, lock="preset")
    assert keys(app)["preset"]
    assert keys(app)["previous_preset"]
    assert keys(app)["next_preset"]


@pytest.mark.parametrize("name", links.BUTTONS)
def test_every_button_can_be_hidden(app, name):
    opened(app)
    there = names_of_all(app)
    assert name in there
    page = AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)
    opened(page, hide=name)
    gone = {name} | ({"previous_preset", "next_preset"} if name == "preset" else set())
    assert there - names_of_all(page) == gone


def test_where_nothing_can_begin_nothing_can_be_paused(app):
    opened(app, hide="train,reset,beside")
    assert not {"pause", "stop"} & keys(app).keys()


def test_a_locked_source_is_not_moved_by_another_control(app):
    opened(app, lock="source")
    app.selectbox(key="task").set_value("classify").run()
    assert app.selectbox(key="source").value == "gaussian"
    assert "cannot be trained" in texts(app)


def test_all_settings_can_be_hidden(app):
    opened(app, hide=",".join(RunSpec().to_query()))
    assert not app.exception
    assert len(app.sidebar.subheader) == 0


def test_an_unknown_control_is_named(app):
    opened(app, hide="sed")
    assert "perhaps seed was meant" in texts(app)
    assert "hide" not in address(app)


def test_what_belongs_to_the_player_stays_in_the_address(app):
    own = {"present": "1", "views": "points,grid", "colour": "bend"}
    opened(app, **own)
    assert not texts(app)
    app.text_input(key="seed").set_value("2").run()
    assert address(app) == RunSpec(seed=2).to_query() | own


def test_the_link_of_a_preset_is_its_name(app):
    opened(app)
    open_popover(app, "share")
    assert app.code[0].value == f"/?preset={first_preset()}"
    assert link(app) == links.Link(RunSpec(), first_preset())


def test_the_link_builder_makes_what_a_class_opens(app):
    opened(app, seed="9", views="points", colour="bend")
    open_popover(app, "share")
    app.toggle(key="link_present").set_value(True)
    app.multiselect(key="link_hide").set_value(["train", "seed"])
    app.multiselect(key="link_lock").set_value(["seed", "depth"]).run()
    assert not app.exception
    asked = link(app)
    assert asked.spec == RunSpec(seed=9)
    assert asked.present
    assert set(asked.hidden) == {"train", "seed"}
    assert asked.locked == ("depth",)  # what is hidden need not be locked
    assert "views=points&colour=bend" in app.code[0].value
    assert "hide" not in address(app)  # the teacher's own page stays as it is


def test_settings_can_be_sent_instead_of_the_preset(app):
    opened(app, preset=COMPARED)
    open_popover(app, "share")
    radio = app.radio(key="link_opens")
    radio.set_value(radio.options[1]).run()
    assert link(app) == links.Link(PRESETS[COMPARED].run)


def test_the_popovers_are_empty_until_they_are_opened(app):
    opened(app)
    assert len(app.code) == 0
    assert "form" not in keys(app)


# ---- Files -----------------------------------------------------------------------------


def finished(app: AppTest) -> None:
    session(app).making.thread.join(TIMEOUT)
    app.run()
    assert not app.exception


@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_asks_for_what_matters_to_it_alone(app, ending):
    opened(app)
    open_popover(app, "take_home")
    app.selectbox(key="form").set_value(ending).run()
    assert not app.exception
    asked = {key for key in keys(app) if key.startswith("take_") and key != "take_home"}
    stills, film = {".png", ".svg", ".pdf"}, FORMATS[ending].long
    assert ("take_t" in asked) == (ending in stills)
    assert ("take_size" in asked) == (film or ending in stills)
    assert ("take_seconds" in asked) == ("take_rate" in asked) == film
    assert ("take_talk" in asked) == (ending == ".html")


def test_a_file_is_made_and_handed_over(app):
    opened(app)
    open_popover(app, "take_home")
    app.selectbox(key="form").set_value(".json").run()
    press(app, "make")
    finished(app)
    (save,) = [one for one in app.get("download_button") if one.key == "save"]
    assert "gaussian-two_blobs.json" in read(save.label)
    assert b'"spec"' in session(app).making.data
    press(app, "new_file")
    assert session(app).making is None
    assert "form" in keys(app)


def test_what_was_asked_reaches_the_command(app):
    opened(app)
    open_popover(app, "take_home")
    app.selectbox(key="form").set_value(".gif").run()
    app.selectbox(key="take_size").set_value("640x360")
    app.slider(key="take_seconds").set_value(20.0)
    app.toggle(key="take_dark").set_value(True)
    app.selectbox(key="take_colour").set_value("bend").run()
    press(app, "make")
    order = session(app).making.order
    expected = ("--size=640x360", "--seconds=20.0", "--rate=25", "--colour=bend", "--dark")
    assert order.options == expected
    assert "making gaussian-two_blobs.gif" in read(app.get("progress")[0].proto.text)
    press(app, "cancel_making")
    finished(app)
    assert "It was cancelled." in texts(app)


@pytest.mark.parametrize(
    ("view", "ending", "runs"),
    [("both", ".gif", "BA"), ("both", ".csv", "B"), ("A", ".gif", "A"), ("B", ".gif", "B")],
)
def test_what_is_on_the_stage_is_what_is_made(app, view, ending, runs):
    opened(app, preset=COMPARED)
    app.segmented_control(key="view").set_value(view).run()
    shown = session(app)
    named = {"A": shown.kept, "B": shown.run}
    run, kept, told = take_home.what(shown, FORMATS[ending])
    assert [one for one in (run, kept) if one] == [named[letter] for letter in runs]
    assert all(letter in told for letter in runs) or view == "B"


def test_over_the_servers_limit_the_page_says_so(app, monkeypatch):
    monkeypatch.setattr(take_home, "shared_workshop", lambda: Workshop(0))
    opened(app)
    open_popover(app, "take_home")
    press(app, "make")
    assert "RESVIZ_MAX_EXPORTS" in texts(app)
    assert session(app).making is None
    app.run()
    assert "RESVIZ_MAX_EXPORTS" not in texts(app)


def test_a_files_name_says_what_is_in_it_and_is_one_everywhere():
    assert take_home.title(RunSpec()) == "gaussian-two_blobs"
    assert take_home.title(RunSpec(target="text:OT", network="plain")) == "gaussian-text-OT-plain"
    assert take_home.title(RunSpec(task="classify", source="moons")) == "classify-moons"


def test_no_key_is_used_by_two_parts_of_the_page():
    """Both may be on it at once, and Streamlit then shows nothing below the second."""
    used: dict[str, set[str]] = {}
    for file in (ROOT / "resviz" / "ui").glob("*.py"):
        for key in re.findall(r"\bkey=\"(\w+)\"", file.read_text(encoding="utf-8")):
            used.setdefault(key, set()).add(file.name)
    assert "stage" in used
    assert {key: files for key, files in used.items() if len(files) > 1} == {}
