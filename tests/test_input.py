"""What people type, press and follow, in a real Chromium: numbers, words, keys, links, Back."""

import re
from urllib.parse import quote

import pytest
from browsing import choose, open_sidebar, press, set_number, train_to_the_end, wait_for
from playwright.sync_api import Page, expect

from resviz.presets import PRESETS

pytestmark = pytest.mark.browser

FIRST, SECOND, THIRD = list(PRESETS)[:3]
LAST = list(PRESETS)[-1]
PHONE = {"width": 390, "height": 844}


def type_in(page: Page, name: str, text: str) -> None:
    field = page.locator(f".st-key-{name} input")
    field.click()
    field.press("Control+a")
    field.press_sequentially(text)
    field.press("Enter")


def held_by(page: Page, name: str, text: str) -> None:
    expect(page.locator(f".st-key-{name} input")).to_have_value(text)


# ---- Numbers and words ----------------------------------------------------------------


def test_a_decimal_comma_is_one(open_page):
    page = open_page()
    open_sidebar(page)
    type_in(page, "kinetic", "0,01")
    held_by(page, "kinetic", "0.01")
    type_in(page, "steps", "1.500")
    held_by(page, "steps", "1500")
    wait_for(
        page, "location.search.includes('kinetic=0.01') && location.search.includes('steps=1500')"
    )


def test_what_is_no_number_stays_in_its_field_under_a_sentence(open_page):
    page = open_page()
    open_sidebar(page)
    type_in(page, "kinetic", "0,0,1")
    look = page.locator(".st-key-look")
    expect(look).to_contain_text("Pay for steps (κ): '0,0,1' is not allowed; allowed is a number")
    held_by(page, "kinetic", "0,0,1")
    expect(page.locator(".st-key-train button")).to_be_disabled()
    type_in(page, "kinetic", "0,1")
    expect(look).to_contain_text("Settings changed")
    expect(page.locator(".st-key-train button")).to_be_enabled()


def test_a_word_that_is_too_long_goes_with_its_field(open_page):
    page = open_page()
    open_sidebar(page)
    type_in(page, "target", "Alexandra")
    expect(page.locator(".st-key-look")).to_contain_text("'text:Alexandra' has 9 signs")
    expect(page.locator(".st-key-train button")).to_be_disabled()
    choose(page, "task", "classify")
    expect(page.locator(".st-key-target")).to_have_count(0)
    expect(page.locator(".st-key-train button")).to_be_enabled()
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed")


@pytest.mark.parametrize("word", ["été", "Ω", "e\u0301te\u0301"])
def test_letters_of_other_languages_are_letters(open_page, word):
    page = open_page()
    open_sidebar(page)
    type_in(page, "target", word)
    encoded = quote("text:" + word.replace("e\u0301", "é"), safe="")
    wait_for(page, f"location.search.includes('target={encoded}')")
    expect(page.locator(".st-key-look")).to_contain_text("Settings changed")


# ---- Foreign text ---------------------------------------------------------------------

NASTY = [
    "https://evil.example=1",
    "www.evil.example",
    "me@evil.example",
    "[a](https://evil.example)",
    "![a](https://evil.example/x.png)",
    "<b>bold</b><img src=x onerror=alert(1)>",
    "**bold** _i_ ~~gone~~ `code` # heading",
    ":material/home: :smile: :streamlit: :red[red] :blue-badge[b]",
    "$x^2$ &lt;b&gt; \\* a -> b <- c -- d >= e",
    "| a |",
]
# What an element says, without the unseen joiners, and of what kinds its parts are.
SHOWN = """element => [
  element.textContent.replaceAll("\\u2060", ""),
  [...new Set([...element.querySelectorAll("*")].map((part) => part.tagName))].sort().join(),
]"""
NOTICE = ".st-key-notices .stAlert [data-testid=stMarkdownContainer]"


@pytest.mark.parametrize("nasty", [NASTY[:5], NASTY[5:]])
def test_a_strange_link_is_shown_as_it_is_written(open_page, nasty):
    fields = ["seed", "depth", "l2", "source", "width"]
    strange = [f"{quote(text, safe='')}=1" for text in nasty]
    wrong = [f"{name}={quote(text, safe='')}" for name, text in zip(fields, nasty, strict=True)]
    for query in (strange, wrong):
        page = open_page("?" + "&".join(query))
        text, tags = page.locator(NOTICE).evaluate(SHOWN)
        assert tags == "P"
        for one in nasty:
            assert (f"{one}: there is no such field" if query is strange else repr(one)) in text


def test_a_word_that_looks_like_a_link_is_shown_as_it_was_typed(open_page):
    page = open_page()
    open_sidebar(page)
    type_in(page, "target", "https://evil.example/*a*")
    expect(page.locator(".st-key-look .stAlert")).to_contain_text("cannot be drawn")
    text, tags = page.locator(".st-key-look [data-testid=stMarkdownContainer]").evaluate(SHOWN)
    assert "'text:https://evil.example/*a*'" in text
    assert tags == "P"


def test_a_trackers_field_is_not_spoken_of(open_page):
    page = open_page("?fbclid=IwAR0&utm_source=news&gclid=x&seed=3&depht=4")
    alert = page.locator(".st-key-notices .stAlert")
    expect(alert).to_contain_text("depht: there is no such field; perhaps depth was meant.")
    expect(alert).not_to_contain_text("clid")
    wait_for(page, "!/clid|utm/.test(location.search) && location.search.includes('seed=3')")


# ---- Back and forward -----------------------------------------------------------------


def shows(page: Page, preset: str | None, **settings: object) -> None:
    """Address, list, look and picture are the preset's; or the settings are these."""
    if preset is None:
        wait_for(page, "!new URLSearchParams(location.search).get('preset')")
    else:
        wait_for(page, f"new URLSearchParams(location.search).get('preset') === '{preset}'")
        held_by(page, "preset", PRESETS[preset].title)
        expect(page.locator(".resviz-look")).to_have_text(PRESETS[preset].look)
        wait_for(page, f"window.resviz?.figure.split('/')[2] === '{preset}'")
        settings = PRESETS[preset].run.to_query() | settings
    wait_for(page, "() => true")
    asked = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    assert asked.items() >= {name: str(value) for name, value in settings.items()}.items()


@pytest.mark.parametrize("query", ["", "?hide=seed&present=1"])
def test_back_and_forward_walk_through_the_presets_that_were_shown(open_page, query):
    page = open_page(query)
    length = page.evaluate("history.length")
    forward = "document.querySelector('.st-key-next_preset button').click()"  # hidden in a talk
    shows(page, FIRST)
    page.evaluate(forward)
    shows(page, SECOND)
    page.evaluate(forward)
    shows(page, THIRD)
    assert page.evaluate("history.length") == length + 2
    page.go_back()
    shows(page, SECOND)
    page.go_back()
    shows(page, FIRST)
    page.go_forward()
    shows(page, SECOND)
    page.reload()
    page.wait_for_function("window.resviz?.painted > 0")
    shows(page, SECOND)
    page.go_back()
    shows(page, FIRST)
    if query:
        assert page.evaluate("new URLSearchParams(location.search).get('hide')") == "seed"
        assert page.evaluate("window.resviz.presenting")


def test_previous_is_the_way_back_of_next(open_page):
    page = open_page(size=PHONE)
    press(page, "previous_preset")
    shows(page, LAST)
    press(page, "next_preset")
    shows(page, FIRST)
    for key in ("previous_preset", "next_preset"):
        box = page.locator(f".st-key-{key} button").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert min(box["width"], box["height"]) >= 24


def test_settings_of_ones_own_are_one_entry_however_often_they_are_moved(open_page):
    page = open_page()
    length = page.evaluate("history.length")
    open_sidebar(page)
    for seed in ("1", "2", "3"):
        set_number(page, "seed", seed)
        wait_for(page, f"location.search.includes('seed={seed}')")
    assert page.evaluate("history.length") == length + 1
    page.go_back()
    shows(page, FIRST)
    held_by(page, "seed", "0")
    page.go_forward()
    shows(page, None, seed=3)
    held_by(page, "seed", "3")
    expect(page.locator(".st-key-look")).to_contain_text("press Train")


def test_a_run_that_was_trained_comes_back_with_its_settings(open_page):
    page = open_page("?depth=5&width=8&batch=64&particles=100&steps=100&seed=77")
    train_to_the_end(page)
    place = page.locator(".st-key-scores")
    expect(place).to_have_text(re.compile(r"^\s*Effort"))  # of the end, and no longer of a step
    scores = place.inner_text()
    press(page, "next_preset")
    shows(page, SECOND)
    page.go_back()
    shows(page, None, depth=5, seed=77)
    expect(place).to_have_text(re.compile(re.escape(scores[:12])))
    expect(page.locator(".st-key-look")).not_to_contain_text("press Train")


def test_back_leaves_the_page_that_a_visitor_has_only_looked_at(open_page, address):
    page = open_page()
    before = page.evaluate("history.length")
    shows(page, FIRST)
    assert page.evaluate("history.length") == before == 2  # the blank page, and this one


# ---- What is taken home ---------------------------------------------------------------


def test_take_homes_colours_are_those_that_the_player_shows(open_page):
    page = open_page("?colour=pairing")
    page.locator(".resviz-views select").select_option("bend")
    wait_for(page, "location.search.includes('colour=bend')")
    press(page, "take_home")
    choose(page, "form", "Moving picture")
    held_by(page, "take_colour", "bend")
    page.keyboard.press("Escape")
