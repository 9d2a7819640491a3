"""Text in the room there is: smaller letters, or more lines."""

from __future__ import annotations

from collections.abc import Callable

Measure = Callable[[str, int, bool], float]  # text, size, bold -> its width


def shrunk(text: str, size: float, width: float, measure: Measure, bold: bool = False) -> int:
    """The size of letters, `size` at most, at which the text is no wider than `width`.

    Whole pixels: letters of other sizes are drawn in whole ones, and wider than was measured.
    """
    found = max(int(size), 1)
    while found > 1 and (wide := measure(text, found, bold)) > width:
        found = max(1, min(found - 1, int(found * width / wide) + 1))
    return found


def wrapped(
    text: str, size: float, width: float, measure: Measure, bold: bool = False
) -> list[str]:
    """The text in lines no wider than `width`, broken between words; a longer word within."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer, size, bold) <= width:
            lines[-1] = longer
            continue
        while len(word) > 1 and measure(word, size, bold) > width:
            fits = max(1, int(len(word) * width / measure(word, size, bold)))
            while fits > 1 and measure(word[:fits], size, bold) > width:
                fits -= 1
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return lines
