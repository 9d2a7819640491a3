"""Which action a key asks for, over the keyboards of the world, in a real Chromium's own events."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from resviz.player import HERE

pytestmark = pytest.mark.browser

LOAD = """async text => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  window.keys = await import(url);
}"""
ACTION = """given => keys.actionOf(new KeyboardEvent("keydown", given))"""


@pytest.fixture(scope="module")
def action(browser: Browser) -> Iterator[Callable[..., str | None]]:
    page = browser.new_page()
    page.goto("about:blank")
    page.evaluate(LOAD, (HERE / "keys.js").read_text(encoding="utf-8"))
    yield lambda key, code="", **more: page.evaluate(ACTION, {"key": key, "code": code, **more})
    page.close()


ALTGR = {"ctrlKey": True, "altKey": True, "modifierAltGraph": True}
SHIFT = {"shiftKey": True}


@pytest.mark.parametrize(
    ("keyboard", "key", "code", "held", "expected"),
    [
        ("American", "p", "KeyP", {}, "present"),
        ("American", "[", "BracketLeft", {}, "earlier"),
        ("American", "=", "Equal", {}, "faster"),
        ("American", "?", "Slash", SHIFT, "help"),
        ("American", "3", "Digit3", {}, "view 3"),
        ("American", "#", "Digit3", SHIFT, None),
        ("American", "9", "Digit9", {}, None),
        ("with CapsLock", "P", "KeyP", {}, "present"),
        ("with CapsLock and Shift", "p", "KeyP", SHIFT, "present"),
        ("any", " ", "Space", {}, "play"),
        ("any", "ArrowLeft", "ArrowLeft", {}, "back"),
        ("any", "Escape", "Escape", {}, "leave"),
        ("any", "F5", "F5", {}, None),
        ("any", "Shift", "ShiftLeft", SHIFT, None),
        ("Russian", "з", "KeyP", {}, "present"),
        ("Russian", "З", "KeyP", {}, "present"),
        ("Russian", "ч", "KeyX", {}, None),
        ("Russian", "х", "BracketLeft", {}, "earlier"),
        ("Russian", "ъ", "BracketRight", {}, "later"),
        ("Russian", "б", "Comma", {}, "earlier"),
        ("Greek", "σ", "KeyS", {}, "slow"),
        ("Hebrew", "פ", "KeyP", {}, "present"),
        ("Arabic", "٣", "Digit3", {}, "view 3"),
        ("Japanese, kana", "せ", "KeyP", {}, "present"),
        ("German", "z", "KeyY", {}, "zoom"),
        ("German", "[", "Digit8", ALTGR, "earlier"),
        ("German", "]", "Digit9", ALTGR, "later"),
        ("German", "ü", "BracketLeft", {}, None),
        ("German", "+", "BracketRight", {}, "faster"),
        ("German", ",", "Comma", {}, "earlier"),
        ("German", ".", "Period", {}, "later"),
        ("German", "@", "KeyQ", ALTGR, None),
        ("German, Mac", "[", "Digit5", {"altKey": True}, "earlier"),
        ("German, Mac", "π", "KeyP", {"altKey": True}, None),
        ("French", "é", "Digit2", {}, "view 2"),
        ("French", "&", "Digit1", {}, "view 1"),
        ("French", "2", "Digit2", SHIFT, "view 2"),
        ("French", "-", "Digit6", {}, "slower"),
        ("French", "z", "KeyW", {}, "zoom"),
        ("French", "Dead", "BracketLeft", {}, None),
        ("number pad", "+", "NumpadAdd", {}, "faster"),
        ("number pad", "-", "NumpadSubtract", {}, "slower"),
        ("number pad", ",", "NumpadDecimal", {}, None),
        ("number pad", "4", "Numpad4", {}, "view 4"),
        ("a shortcut", "p", "KeyP", {"ctrlKey": True}, None),
        ("a shortcut", "f", "KeyF", {"metaKey": True}, None),
        ("a shortcut", "з", "KeyP", {"ctrlKey": True}, None),
        ("composing", "p", "KeyP", {"isComposing": True}, None),
        ("composing", "Process", "KeyP", {}, None),
        ("a phone's", "Unidentified", "", {}, None),
        ("accented", "\u00e7", "KeyC", {}, None),
    ],
)
def test_a_key_is_what_it_writes_or_else_its_place(action, keyboard, key, code, held, expected):
    assert action(key, code, **held) == expected, keyboard
