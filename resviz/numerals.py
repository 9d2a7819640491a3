"""Numbers as people write them: decimal comma or point, grouped thousands, any keyboard's digits.

What is not understood is None, never a guess. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

LONGEST = 64  # signs: no number that is allowed anywhere needs as many
_SIGNS = str.maketrans("−－＋．，٫٬’ｅＥ", "--+.,,''eE")
_REAL = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]{1,4})?")
# Groups of three, all parted by the same sign: 20 000, 20.000, 20,000 and 20'000.
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}([ .,'])[0-9]{3}(\1[0-9]{3})*")
_WHOLE = re.compile(r"[+-]?([0-9]+[.,]?0*|[0-9]+([.,][0-9]+)?[eE]\+?[0-9]{1,2})")


def real(text: str) -> float | None:
    """`0.01`, `0,01`, `.01` and `1e-2` are all 0.01; a comma never parts thousands here.

    Infinite where the number is too large for a float.
    """
    text = _typed(text)
    return float(text.replace(",", ".")) if _REAL.fullmatch(text) else None


def whole(text: str) -> int | None:
    """`1000`, `1 000`, `1.000`, `1,000`, `1000.0` and `1e3` are all 1000; `2.5` is None."""
    text = _typed(text)
    if grouped := _GROUPED.fullmatch(text):
        return int(text.replace(grouped[1], ""))
    if not _WHOLE.fullmatch(text):
        return None
    number = Decimal(text.replace(",", "."))
    return int(number) if number == number.to_integral_value() else None


def _typed(text: str) -> str:
    """With ASCII's own signs, and no space around; empty where it is too long for a number."""
    if len(text) > LONGEST:
        return ""
    signs = (" " if sign.isspace() else sign for sign in text.strip().translate(_SIGNS))
    return "".join(str(unicodedata.decimal(sign, sign)) for sign in signs)
