"""Which letters a word may have that is drawn as a cloud: those that our fonts have whole.

Scripts whose letters stand alone, side by side; Arabic joins its letters, and is not among
them. The fonts are in `distributions`; a test holds them together. Standard library only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

SCRIPTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Latin": (("A", "Z"), ("a", "z"), ("À", "Ö"), ("Ø", "ö"), ("ø", "ɏ"), ("Ḁ", "ỻ")),
    "Greek": (("Ͱ", "ͳ"), ("Ͷ", "ͷ"), ("Ά", "ϡ"), ("ἀ", "ῼ")),
    "Cyrillic": (("Ѐ", "ҁ"), ("Ҋ", "ԥ")),
    "Armenian": (("Ա", "Ֆ"), ("ա", "և")),
    "Georgian": (("Ⴀ", "Ⴥ"), ("ა", "ჼ")),
    "Hebrew": (("א", "ת"),),
}
DIGITS = frozenset("0123456789")
RIGHT_TO_LEFT = SCRIPTS["Hebrew"]
KNOWN = f"letters ({', '.join(SCRIPTS)}) and digits"


def composed(word: str) -> str:
    """Each letter and its accents as one sign: the two ways to write é are one word."""
    return unicodedata.normalize("NFC", word)


def is_known(sign: str) -> bool:
    """Whether this one sign can be drawn."""
    if sign in DIGITS:
        return True
    letter = unicodedata.category(sign) in ("Lu", "Ll", "Lt", "Lo")
    return letter and any(_within(sign, ranges) for ranges in SCRIPTS.values())


def runs_leftwards(word: str) -> bool:
    """Whether a word is read from the right: its first letter says so."""
    letters = [sign for sign in word if sign not in DIGITS]
    return bool(letters) and _within(letters[0], RIGHT_TO_LEFT)


def _within(sign: str, ranges: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= sign <= last for first, last in ranges)
