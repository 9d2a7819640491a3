"""Text from elsewhere where Streamlit takes Markdown: shown as it is, never as what it means.

An address, a word that was typed, an exception's message, a file's name: none of them may make
a link, a heading, an icon or a formula on the page.
"""

from __future__ import annotations

import re

# Unseen, of no width, and no place to break a line: it parts what would be taken together. Some
# of Streamlit's Markdown is looked for when backslashes are already gone: addresses of pages and
# of people, icons (`:name:`), arrows (`->`).
JOINER = "\u2060"
_MARKS = re.compile(r"[!-/:-@\[-`{-~]")  # every one that Markdown lets a backslash stand before
_PARTED = re.compile(
    r":(?=//|[\w+/-]+[:\[])|@|(?<=www)(?=\.)|(?<=[-<>=~])(?=[-<>=~])", re.IGNORECASE
)


def plain(text: str) -> str:
    """Markdown that shows `text`, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _MARKS.sub(r"\\\g<0>", _PARTED.sub(rf"\g<0>{JOINER}", line))
